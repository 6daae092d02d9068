"""Events of SES as the source of an assessment: an account in which all share everything, told apart by tags and subjects."""

import gzip
import json
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.adapters.ses import seen_events
from mailcordon.control.assess import report
from mailcordon.control.assess.account import Account, ConfigurationSet, Destination, Identity, State
from mailcordon.control.assess.owners import By, Rules
from mailcordon.control.assess.report import Report
from mailcordon.control.assess.tenants import Counted, What
from mailcordon.run import assess_sources
from mailcordon_fixtures import recorded_accounts as recorded

DOMAIN = "mail.platform.example"
Registrable = Callable[[str], str | None]


@pytest.fixture(scope="module")
def registrable() -> Registrable:
    return cache(PublicSuffixes().registrable)


def account() -> Account:
    """One domain and one set for everybody, and no SES tenants: what most platforms begin with."""
    sns = Destination(
        name="events", enabled=True, events=frozenset(["SEND", "BOUNCE", "COMPLAINT"]), kind="SNS"
    )
    return Account(
        region="eu-west-1",
        on=recorded.TODAY,
        state=State(),
        identities=[Identity(name=DOMAIN, configuration_set="main", mail_from=f"b.{DOMAIN}")],
        sets=[ConfigurationSet(name="main", destinations=(sns,))],
        suppressed={"BOUNCE": 900, "COMPLAINT": 20},
    )


def event(
    kind: str,
    mail: str,
    *,
    customer: str | None = "acme",
    subject: str = "Your invoice 4711",
    day: date = recorded.WORST,
    **body: Any,
) -> dict[str, Any]:
    tags = {"ses:configuration-set": ["main"]} | ({} if customer is None else {"customer": [customer]})
    return {
        "eventType": kind,
        "mail": {
            "timestamp": f"{day.isoformat()}T10:00:00.000Z",
            "messageId": mail,
            "source": f"Platform <no-reply@{DOMAIN}>",
            "sourceArn": f"arn:aws:ses:eu-west-1:123456789012:identity/{DOMAIN}",
            "destination": ["kim@example.org"],
            "commonHeaders": {"subject": subject},
            "tags": tags,
        },
        kind.lower(): body,
    }


def bounce(mail: str, **more: Any) -> dict[str, Any]:
    recipients = [{"emailAddress": "kim@example.org"}]
    return event(
        "Bounce", mail, bounceType="Permanent", bounceSubType="General", bouncedRecipients=recipients, **more
    )


def week() -> list[dict[str, Any]]:
    """acme sends invoices, zen newsletters to a bad list, and bolt password resets."""
    made: list[dict[str, Any]] = []
    for number in range(300):
        day = recorded.WORST + timedelta(days=number % 5)
        made.append(event("Send", f"a{number}", day=day))
        made.append(event("Delivery", f"a{number}", day=day))
        made.append(event("Send", f"z{number}", customer="zen", subject="Spring newsletter", day=day))
        if number % 5 == 0:
            made.append(bounce(f"z{number}", customer="zen", subject="Spring newsletter", day=day))
        if number < 60:
            made.append(event("Send", f"b{number}", customer="bolt", subject="Reset your password", day=day))
    made.append(event("Send", "x1", customer=None, subject="Hello"))
    return made


def assessed(events: list[dict[str, Any]], registrable: Registrable, rules: Rules | None = None) -> Report:
    seen = [one for each in events for one in seen_events.seen(json.dumps(each))]
    return report.assess(account(), registrable=registrable, events=seen, rules=rules)


def test_tenants_and_types_that_share_everything_are_told_apart(registrable: Registrable) -> None:
    found = assessed(week(), registrable)
    assert [each.slug for each in found.tenants] == ["acme", "bolt", "zen"]
    assert {each.slug: [lane.type for lane in each.lanes] for each in found.tenants} == {
        "acme": ["invoice"],
        "bolt": ["password-reset"],
        "zen": ["newsletter"],
    }
    assert {each.slug: each.critical for each in found.tenants} == {
        "acme": ("invoice",),
        "bolt": ("password-reset",),
        "zen": (),
    }
    assert {each.sent for each in found.tenants if each.slug != "bolt"} == {300}
    assert all(each.by is By.TAG and each.counted is Counted.EVENTS for each in found.tenants)
    shared = {share.what for share in found.tenants[0].shares}
    assert shared == {What.IDENTITY, What.SET, What.ORGANISATION, What.SUPPRESSION, What.ACCOUNT}
    codes = {(each.code, each.about) for each in found.dangers}
    assert codes == {
        ("tenant-endangers", "zen"),
        ("identity-shared", DOMAIN),
        ("set-shared", "main"),
        ("suppression-shared", ""),
        ("mixed-stream", DOMAIN),
    }
    assert all(each.guess for each in found.dangers)  # a tag is a guess until somebody confirms it


def test_the_cost_of_the_worst_week_is_said(registrable: Registrable) -> None:
    [zen] = [each for each in assessed(week(), registrable).tenants if each.slug == "zen"]
    assert zen.harm is not None
    assert (zen.harm.count.sent, zen.harm.count.bounced, zen.harm.tipped) == (300, 60, "review")
    assert zen.harm.others_sent == 360
    assert zen.harm.without_it == 0


def test_events_that_come_twice_and_in_any_order_count_once(registrable: Registrable) -> None:
    once = assessed(week(), registrable)
    twice = assessed([*reversed(week()), *week()], registrable)
    assert twice.document()["tenants"] == once.document()["tenants"]


def test_mail_of_nobody_is_counted_and_not_given_to_anybody(registrable: Registrable) -> None:
    [said] = [each for each in assessed(week(), registrable).unknown if "--rules" in each]
    assert "whose 1 mails are" in said


def test_rules_of_a_person_are_sure(registrable: Registrable, tmp_path: Path) -> None:
    file = tmp_path / "rules.csv"
    file.write_text(
        "by,name,value,tenant,type,type_tag\ntag,customer,acme,acme-corp,receipt,\ntag,customer,zen,zen,newsletter,\n"
        "tag,customer,bolt,bolt,password-reset,\n"
    )
    found = assessed(week(), registrable, assess_sources.read_rules(file))
    assert {each.slug: [lane.type for lane in each.lanes] for each in found.tenants} == {
        "acme-corp": ["receipt"],
        "bolt": ["password-reset"],
        "zen": ["newsletter"],
    }
    assert all(each.by is By.RULE for each in found.tenants)
    assert [each.guess for each in found.dangers if each.code == "tenant-endangers"] == [False]
    assert "acme-corp:\n" in found.tenants_file  # no mark of a guess


def test_bounces_of_suppression_lists_and_not_spam_are_no_new_harm(registrable: Registrable) -> None:
    listed = [
        event(
            "Bounce",
            f"a{number}",
            bounceType="Permanent",
            bounceSubType="OnAccountSuppressionList",
            bouncedRecipients=[{"emailAddress": "kim@example.org"}],
        )
        for number in range(50)
    ]
    listed += [
        event("Bounce", f"s{number}", bounceType="Transient", bounceSubType="General") for number in range(50)
    ]
    listed += [event("Complaint", f"c{number}", complaintFeedbackType="not-spam") for number in range(50)]
    [acme] = assessed(listed, registrable).tenants
    assert (acme.sent, acme.harm) == (150, None)


def test_envelopes_and_files_are_read_as_they_come(tmp_path: Path) -> None:
    bare = event("Send", "m1")
    sns = {"Type": "Notification", "Message": json.dumps(event("Send", "m2"))}
    bridge = {"detail-type": "Email Sent", "source": "aws.ses", "detail": event("Send", "m3")}
    file = tmp_path / "events.gz"
    file.write_bytes(
        gzip.compress("".join(json.dumps(each) for each in (bare, sns, {"x": 1}, bridge)).encode())
    )
    assert [each.mail for each in assess_sources.read_events(str(file))] == ["m1", "m2", "m3"]


def test_no_subject_and_no_address_of_a_recipient_is_kept() -> None:
    [seen] = seen_events.seen(
        json.dumps(event("Send", "m1", subject="Kim Possible, your order 4711 for kim@example.org"))
    )
    assert "Kim" not in repr(seen)
    assert "kim@" not in repr(seen)
    assert "4711" not in repr(seen)
