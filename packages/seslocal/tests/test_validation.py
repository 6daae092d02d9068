"""Auto Validation: verdicts on addresses, and thresholds below which they are not mailed."""

from __future__ import annotations

from typing import Any

import pytest

from seslocal_fixtures.world import World


def insights(world: World, address: str) -> dict[str, str]:
    found = world.ses.get_email_address_insights(EmailAddress=address)["MailboxValidation"]
    verdicts = {name: one["ConfidenceVerdict"] for name, one in found["Evaluations"].items()}
    return {"IsValid": found["IsValid"]["ConfidenceVerdict"], **verdicts}


@pytest.mark.parametrize(
    ("address", "valid", "name", "verdict"),
    [
        ("kim.lee@example.com", "HIGH", "MailboxExists", "HIGH"),
        ("no address", "LOW", "HasValidSyntax", "LOW"),
        ("kim@nowhere.invalid", "LOW", "HasValidDnsRecords", "LOW"),
        ("kim@gone.example", "LOW", "MailboxExists", "LOW"),
        ("Sales+eu@example.com", "MEDIUM", "IsRoleAddress", "HIGH"),
        ("kim@mailinator.com", "MEDIUM", "IsDisposable", "HIGH"),
        ("xk7q2vb9zt4r@example.com", "MEDIUM", "IsRandomInput", "HIGH"),
    ],
)
def test_an_address_is_evaluated_by_syntax_domain_and_mailbox(
    world: World, address: str, valid: str, name: str, verdict: str
) -> None:
    world.mailbox("*@gone.example", "bounces")
    found = insights(world, address)
    assert (found["IsValid"], found[name]) == (valid, verdict)


def test_a_domain_in_the_local_zone_must_have_an_mx(world: World) -> None:
    world.admin("PUT", "/dns/no-mail.example", {"type": "TXT", "value": "x"})
    assert insights(world, "kim@no-mail.example")["HasValidDnsRecords"] == "LOW"
    world.admin("PUT", "/dns/no-mail.example", {"type": "MX", "value": "10 mx.no-mail.example."})
    assert insights(world, "kim@no-mail.example")["HasValidDnsRecords"] == "HIGH"


def threshold(verdict: str | None, *, enabled: bool = True) -> dict[str, Any]:
    condition: dict[str, Any] = {"ConditionThresholdEnabled": "ENABLED" if enabled else "DISABLED"}
    if verdict:
        condition["OverallConfidenceThreshold"] = {"ConfidenceVerdictThreshold": verdict}
    return {"ConditionThreshold": condition}


@pytest.mark.parametrize(
    ("verdict", "dropped"),
    [
        ("MEDIUM", ["low@x.example"]),
        ("HIGH", ["low@x.example", "medium@x.example"]),
        ("MANAGED", ["low@x.example"]),
        (None, ["low@x.example"]),
    ],
)
def test_recipients_below_the_accounts_threshold_bounce(
    world: World, verdict: str | None, dropped: list[str]
) -> None:
    world.ready()
    world.ses.put_account_suppression_attributes(
        SuppressedReasons=["BOUNCE"], ValidationAttributes=threshold(verdict)
    )
    assert world.ses.get_account()["SuppressionAttributes"]["ValidationAttributes"] == threshold(verdict)
    for name in ("low", "medium", "high"):
        world.admin("PUT", f"/verdicts/{name}@x.example", {"verdict": name.upper()})
        world.send(f"{name}@x.example")
    bounced = [event["bounce"] for event in world.events(6) if event["eventType"] == "Bounce"]
    assert [one["bouncedRecipients"][0]["emailAddress"] for one in bounced] == dropped
    assert {(one["bounceType"], one["bounceSubType"]) for one in bounced} == {
        ("Permanent", "EmailValidationSuppressed")
    }
    assert world.ses.list_suppressed_destinations(TenantName="acme")["SuppressedDestinationSummaries"] == []


def test_the_sets_threshold_overrides_the_accounts(world: World) -> None:
    world.ready()
    world.ses.put_account_suppression_attributes(
        SuppressedReasons=["BOUNCE"], ValidationAttributes=threshold("HIGH")
    )
    world.ses.put_configuration_set_suppression_options(
        ConfigurationSetName="acme-reset", ValidationOptions=threshold(None, enabled=False)
    )
    world.admin("PUT", "/verdicts/low@x.example", {"verdict": "LOW"})
    world.send("low@x.example")
    assert world.kinds(2) == ["Send", "Delivery"]


def test_a_verdict_can_be_removed(world: World) -> None:
    world.admin("PUT", "/verdicts/kim@example.com", {"verdict": "LOW"})
    assert insights(world, "kim@example.com")["IsValid"] == "LOW"
    assert world.admin("PUT", "/verdicts/kim@example.com", {"verdict": None})["verdict"] == "HIGH"
    world.admin("PUT", "/verdicts/kim@example.com", {"verdict": "SURE"}, expect=400)
