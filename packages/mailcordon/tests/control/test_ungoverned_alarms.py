"""Ungoverned mail as alarms: whose, since when, what stops it, and what was expected."""

from dataclasses import replace
from typing import Any

import pytest

from mailcordon.control.send_count import QUIET_MS
from mailcordon.control.ungoverned import Count, Expectation, Seen, Sender, policy
from mailcordon.control.ungoverned_alarms import CONTAINED_MS, SHOWN_MS, alarms
from mailcordon.core.incident import Kind, ScopeKind
from mailcordon.run import iam_policies

NOW = 1_795_879_380_000
SENDER = Sender(
    id=7,
    identity="mail.acme.example",
    caller="shop",
    tenant=3,
    tenant_slug="acme",
    first_at=NOW - 60_000,
    last_at=NOW - 1_000,
    since=NOW - 60_000,
    seen_at=NOW - 1_000,
    mails=412,
    recipients=500,
    bounces=2,
    complaints=1,
    day_mails=412,
    facts={
        "source_ips": {"10.0.3.7": 412},
        "services": {"boto3 (Python)": 412},
        "arns": {"arn:aws:sts::123456789012:assumed-role/shop": 412},
        "accounts": {"123456789012": 412},
    },
)
EXPECTED = Expectation(
    id=1,
    identity=SENDER.identity,
    caller=None,
    since=NOW - 3_600_000,
    until=NOW + 3_600_000,
    because="moves soon",
    by="ops",
)
COUNT = Count(
    cell="default",
    at=NOW,
    sent=5_210,
    excess=320,
    compared=True,
    over_since=NOW - 120_000,
    grew_at=NOW - 120_000,
    identities=("old.example",),
)


def of(*senders: Sender, counts: tuple[Count, ...] = (), lag_ms: int = 900_000) -> list[Any]:
    return alarms(Seen(now=NOW, senders=senders, counts=counts), lag_ms=lag_ms)


def test_an_alarm_says_who_sends_as_whom_since_when_and_what_stops_it() -> None:
    [found] = of(SENDER)
    assert (found.kind, found.cause) == (Kind.UNGOVERNED, "ungoverned:mail.acme.example/shop")
    assert (found.scope.kind, found.scope.name) == (ScopeKind.IDENTITY, "mail.acme.example")
    assert (found.tenant, found.culprit, found.since, found.severity) == (
        3,
        "role shop",
        NOW - 60_000,
        "high",
    )
    assert found.sentence == (
        "Role shop sends as mail.acme.example (acme) past Mailcordon: 412 mails since 28 Nov 2026 15:22 UTC, from 10.0.3.7, by"
        " boto3 (Python)"
    )
    assert found.command == "mailcordon ungoverned show 7"
    assert found.evidence["policy"] == policy(SENDER)
    assert not found.contained


def test_each_identity_and_caller_is_an_alarm_of_its_own() -> None:
    found = of(SENDER, replace(SENDER, id=8, caller="ci"), replace(SENDER, id=9, identity="old.example"))
    assert len({one.cause for one in found}) == 3


def test_an_alarm_is_contained_after_a_quarter_of_an_hour_without_mail_and_ends_after_one() -> None:
    [quiet] = of(replace(SENDER, seen_at=NOW - CONTAINED_MS))
    assert quiet.contained
    assert of(replace(SENDER, seen_at=NOW - SHOWN_MS)) == []


@pytest.mark.parametrize(
    ("tenant", "day", "severity"), [(3, 1, "high"), (None, 999, "medium"), (None, 1000, "critical")]
)
def test_a_tenants_domain_is_worse_than_another_and_much_mail_is_critical(
    tenant: int | None, day: int, severity: str
) -> None:
    [found] = of(replace(SENDER, tenant=tenant, day_mails=day))
    assert found.severity == severity


def test_a_caller_that_nothing_names_leaves_the_identity_as_the_culprit() -> None:
    [found] = of(replace(SENDER, caller="", facts={}))
    assert found.culprit == "mail.acme.example (acme)"
    assert found.sentence.startswith("A caller that SES does not name sends as")


def test_what_is_expected_is_no_alarm_until_its_end() -> None:
    assert of(replace(SENDER, expected=EXPECTED)) == []
    over = replace(EXPECTED, until=NOW - 5_000)
    [found] = of(replace(SENDER, expected=over))
    assert "it was expected until 28 Nov 2026 15:22 UTC" in found.sentence
    assert found.since == NOW - 5_000
    assert [action.author for action in found.actions] == ["ops"]


def test_mail_that_came_before_the_end_is_no_alarm_after_it() -> None:
    over = replace(EXPECTED, until=NOW - 500)
    assert of(replace(SENDER, expected=over)) == []


def test_a_declaration_that_was_ended_early_ends_then() -> None:
    ended = replace(EXPECTED, ended_at=NOW - 2_000, ended_by="ops")
    [found] = of(replace(SENDER, expected=ended))
    assert found.since == NOW - 2_000


def test_a_declaration_long_ago_is_not_mentioned_of_later_mail() -> None:
    old = replace(EXPECTED, since=1, until=NOW - 90_000)
    [found] = of(replace(SENDER, expected=old))
    assert "expected" not in found.sentence
    assert found.since == SENDER.since


def test_ses_count_is_an_alarm_with_the_identities_that_are_not_ours() -> None:
    [found] = of(counts=(COUNT,))
    assert found.cause == "ungoverned:count/default"
    assert found.culprit == "probably old.example"
    assert "may be 15 min late" in found.sentence
    assert found.since == NOW - 120_000 - 900_000
    [many] = of(counts=(replace(COUNT, identities=tuple("abcd")),))
    assert many.culprit is None
    [none] = of(counts=(replace(COUNT, identities=()),))
    assert "from one of ours without a configuration set of ours" in none.sentence


def test_ses_count_is_no_alarm_if_it_is_explained_or_expected_and_contained_if_it_does_not_grow() -> None:
    assert of(counts=(replace(COUNT, over_since=None),)) == []
    assert of(counts=(replace(COUNT, expected=True),)) == []
    [found] = of(counts=(replace(COUNT, grew_at=NOW - QUIET_MS),))
    assert found.contained


def policy_of(sender: Sender) -> Any:
    found = policy(sender)
    assert found is not None
    return found


def test_the_policy_denies_what_the_policy_for_applications_does_to_this_caller_alone() -> None:
    place = iam_policies.Place(account="123456789012", region="eu-west-1")
    [statement] = policy_of(SENDER)["Statement"]
    condition = statement.pop("Condition")
    assert statement == iam_policies.app(place)["Statement"][0]
    iam = "arn:aws:iam::123456789012:role"
    assert condition == {"ArnLike": {"aws:PrincipalArn": [f"{iam}/shop", f"{iam}/*/shop"]}}


@pytest.mark.parametrize(
    ("arn", "principal"),
    [
        ("arn:aws:iam::123456789012:user/team/ci", ["arn:aws:iam::123456789012:user/team/ci"]),
        ("arn:aws-cn:iam::123456789012:user/ci", ["arn:aws-cn:iam::123456789012:user/ci"]),
        ("arn:aws:iam::123456789012:root", ["arn:aws:iam::123456789012:root"]),
        (None, ["arn:aws:iam::123456789012:*/ci"]),
    ],
)
def test_the_policy_names_a_user_the_root_or_whoever_has_the_name(
    arn: str | None, principal: list[str]
) -> None:
    facts = {"accounts": {"123456789012": 1}, **({"arns": {arn: 1}} if arn else {})}
    [statement] = policy_of(replace(SENDER, caller="ci", facts=facts))["Statement"]
    assert statement["Condition"] == {"ArnLike": {"aws:PrincipalArn": principal}}


def test_without_a_caller_the_policy_leaves_sending_to_our_role() -> None:
    [statement] = policy_of(replace(SENDER, caller=""))["Statement"]
    assert statement["Condition"] == {
        "ArnNotLike": {"aws:PrincipalArn": ["arn:aws:iam::123456789012:role/mailcordon-send-*"]}
    }


@pytest.mark.parametrize(
    "arn", ["arn:aws:sts::123456789012:assumed-role/*", "arn:aws:iam::123456789012:user/*", None]
)
def test_a_name_is_no_pattern_in_the_policy(arn: str | None) -> None:
    """Whoever writes to the queue of CloudTrail's records can invent a caller, and a person pastes the policy."""
    for name in ("*", "a?", "${aws:username}"):
        facts = {"accounts": {"*": 1}, **({"arns": {arn.replace("*", name): 1}} if arn else {})}
        [statement] = policy_of(replace(SENDER, caller=name, facts=facts))["Statement"]
        for principal in statement["Condition"]["ArnLike"]["aws:PrincipalArn"]:
            assert (
                principal.rpartition("/")[2]
                == {"*": "${*}", "a?": "a${?}", "${aws:username}": "${$}{aws:username}"}[name]
            )


def test_no_policy_is_offered_against_our_own_role() -> None:
    ours = replace(SENDER, caller="mailcordon-send-eu-west-1")
    assert policy(ours) is None
    [found] = of(ours)
    assert "would stop Mailcordon's mail too" in found.next
