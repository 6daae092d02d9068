"""Types and sub-types by cause, and the words of the host."""

from __future__ import annotations

import msgspec
import pytest

from seslocal.mail import world_outcomes
from seslocal.world.verdict import Cause, Verdict
from seslocal_fixtures.scripted_world import ACCEPTED, DEFERRED, REFUSED

HERE = "dns; a2-25.smtp-out.amazonses.com"


@pytest.mark.parametrize(
    ("cause", "kind", "subtype", "listed"),
    [
        ("no_mailbox", "Permanent", "General", True),
        ("disabled", "Permanent", "General", True),
        ("moved", "Permanent", "General", True),
        ("no_host", "Permanent", "General", True),
        ("full", "Transient", "MailboxFull", False),
        ("too_large", "Transient", "MessageTooLarge", False),
        ("content", "Transient", "ContentRejected", False),
        ("reputation", "Transient", "General", False),
        ("listed", "Transient", "General", False),
        ("authentication", "Transient", "General", False),
        ("rule", "Transient", "General", False),
        ("rate", "Transient", "General", False),
    ],
)
def test_only_what_cannot_receive_is_permanent(cause: Cause, kind: str, subtype: str, listed: bool) -> None:
    verdict = msgspec.structs.replace(REFUSED, cause=cause, status="5.7.1", text="no\nreally")
    for made in (
        world_outcomes.bounce(verdict, HERE, "id@x"),
        world_outcomes.late_bounce(verdict, "id@x"),
    ):
        assert (made.type, made.subtype, made.listed) == (kind, subtype, listed)
    made = world_outcomes.bounce(verdict, HERE, "id@x")
    assert (made.status, made.diagnostic) == ("5.7.1", "smtp; 550-5.7.1 no\n550 5.7.1 really")
    assert (made.reporter, made.remote) == (HERE, "198.51.100.26")


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        ("full", "MailboxFull"),
        ("rate", "IPFailure"),
        ("listed", "IPFailure"),
        ("reputation", "SpamDetected"),
        ("content", "SpamDetected"),
        ("weather", "RecipientServerError"),
        ("no_host", "TransientCommunicationFailure"),
        ("greylisted", "General"),
        ("rule", "General"),
    ],
)
def test_delays_have_the_type_of_their_cause(cause: Cause, kind: str) -> None:
    made = world_outcomes.delay(msgspec.structs.replace(DEFERRED, cause=cause), HERE, "id@x")
    assert (made.subtype, made.status) == (kind, "4.7.28")


def test_a_reply_without_an_enhanced_status_has_none() -> None:
    verdict = Verdict(kind="defer", provider="gmx", code=421, status="", text="busy", cause="weather")
    made = world_outcomes.delay(verdict, HERE, "id@x")
    assert (made.status, made.diagnostic) == ("4.0.0", "smtp; 421 busy")


def test_a_complaint_says_when_the_mail_arrived() -> None:
    made = world_outcomes.complaint(ACCEPTED, 77.0)
    assert (made.agent, made.arrived, made.feedback, made.listed) == ("", 77.0, "abuse", True)


@pytest.mark.parametrize(
    ("ip", "region", "name"),
    [
        ("192.0.2.25", "us-east-1", "a2-25.smtp-out.amazonses.com"),
        ("198.51.100.7", "eu-west-1", "a100-7.smtp-out.eu-west-1.amazonses.com"),
    ],
)
def test_the_reporting_host_is_of_the_address_and_region(ip: str, region: str, name: str) -> None:
    assert world_outcomes.reporter(ip, region) == f"dns; {name}"
