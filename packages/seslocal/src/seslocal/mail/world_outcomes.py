"""What SES reports of a receiving host's answer: types of bounces and delays, with the host's own words. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from seslocal.state import outcomes
from seslocal.state.bounce_causes import bounce_of
from seslocal.state.outcomes import DELIVERY, DELIVERY_SECONDS, Outcome
from seslocal.world.verdict import Cause, Verdict

#: delayType of a deferral, as the Developer Guide describes them; else General
_DELAYS: Final[dict[Cause, str]] = {
    "full": "MailboxFull",
    "no_host": "TransientCommunicationFailure",
    "rate": "IPFailure",  # "is being blocked or throttled"
    "reputation": "SpamDetected",  # "a large amount of unsolicited email"
    "content": "SpamDetected",
    "listed": "IPFailure",
    "weather": "RecipientServerError",
}
#: User-Agent of the reports that have the form of RFC 5965
_AGENTS: Final = {"yahoo": "Yahoo!-Mail-Feedback/2.0"}


def delivery(verdict: Verdict, reporter: str, message_id: str) -> Outcome:
    said = verdict.spoken(message_id)
    return replace(DELIVERY, response=said, remote=verdict.address, reporter=reporter)


def delay(verdict: Verdict, reporter: str, message_id: str) -> Outcome:
    made = outcomes.delay(_DELAYS.get(verdict.cause, "General"))
    said = f"smtp; {verdict.spoken(message_id)}"
    return replace(made, status=verdict.status or "4.0.0", diagnostic=said, reporter=reporter)


def bounce(verdict: Verdict, reporter: str, message_id: str) -> Outcome:
    made = bounce_of(verdict.cause)
    return replace(
        made,
        status=verdict.status or "5.0.0",
        diagnostic=f"smtp; {verdict.spoken(message_id)}",
        reporter=reporter,
        remote=verdict.address,
    )


def late_bounce(verdict: Verdict, message_id: str) -> Outcome:
    """The bounce that comes back for a mail that was accepted: the receiving host reports it."""
    made = bounce_of(verdict.cause)
    if verdict.host:
        made = replace(made, reporter=f"dns; {verdict.host}")
    if (said := verdict.bounce) is not None:
        made = replace(made, status=said.status or made.status, diagnostic=f"smtp; {said.spoken(message_id)}")
    return made


def expired(verdict: Verdict, most: float | None, reporter: str, message_id: str) -> Outcome:
    """The bounce after the last deferral. `most` is MaxDeliverySeconds of the configuration set, if it has one."""
    made = outcomes.bounce("CustomTimeoutExceeded" if most else "Transient/General")
    minutes = round((most or DELIVERY_SECONDS) / 60)
    last = verdict.spoken(message_id)
    said = f"smtp; 550 4.4.7 Message expired: unable to deliver in {minutes} minutes.<{last}>"
    return replace(made, status="4.4.7", diagnostic=said, reporter=reporter)


def complaint(verdict: Verdict, arrived: float) -> Outcome:
    """`arrived`: when the receiving host accepted the mail."""
    return replace(outcomes.complaint(), agent=_AGENTS.get(verdict.provider, ""), arrived=arrived)


def reporter(outgoing_ip: str, region: str) -> str:
    """Returns the reportingMTA of an outgoing IPv4 address. SES names its hosts so: a27-30.smtp-out.us-west-2.amazonses.com, in
    us-east-1 without the region."""
    third, fourth = outgoing_ip.split(".")[-2:]
    where = "" if region == "us-east-1" else f"{region}."
    return f"dns; a{third}-{fourth}.smtp-out.{where}amazonses.com"
