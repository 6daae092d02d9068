"""Feedback that is lost or late: mail whose events do not come back, and what keeps them away (docs/observe.md)."""

from collections.abc import Sequence

from mailcordon.messages import phrases, times
from mailcordon.messages.catalogue import example

_DISABLED = "destination `outcome` of set mc-urgent is disabled at SES"
_SINCE = 1_795_879_380_000

# Causes, without a full stop; those about SES, topic and queue are in the subject `proofs` ----------------------------------


@example("web-1", 4242)
def observer_stopped(host: str, pid: int) -> str:
    """Cause: the observer no longer reports, and its connections to the database are open."""
    return (
        f"the observer (process {pid} on {host}) does not report and keeps its connections: it is stopped or hangs, and nothing"
        " reads the event queues"
    )


@example()
def observer_refused() -> str:
    """Cause: the database does not let the observer's login in."""
    return "the database does not let the observer's login in, so it receives nothing"


@example("mailcordon-outcome", 1200)
def observer_idle(queue: str, waiting: int) -> str:
    """Cause: the observer runs, and has stored nothing for a minute although messages wait."""
    return f"{phrases.count(waiting, 'message')} wait in the queue {queue}, and the observer has stored none for a minute"


@example("mailcordon-outcome", 12_000)
def backlog(queue: str, waiting: int) -> str:
    """Cause: the observer reads the queue and is behind."""
    return f"{phrases.count(waiting, 'message')} wait in the queue {queue}, and the observer is reading them"


@example([])
@example(["the topic: AccessDenied: no sns:GetTopicAttributes"])
def unknown(unread: Sequence[str]) -> str:
    """Cause: nothing that could be looked at is wrong. SES itself may be late."""
    what = (
        f" that could be looked at is wrong (not read: {'; '.join(unread)})"
        if unread
        else " on their way is wrong"
    )
    return (
        f"SES took the mail, and nothing{what}: SES may be late with its events, or has lost them, or they are in quarantine"
        " (`mailcordon quarantine list`)"
    )


@example()
def over_and_unknown() -> str:
    """Cause: events of some mail are missing, later ones have come, and nothing was found to be wrong meanwhile."""
    return "later events have come, and nothing was found that kept these away"


@example("bounce", None)
@example("complaint", 1)
def stalled(signal: str, provider: int | None) -> str:
    """Cause: far fewer bounces or complaints come than the past lets expect, and the destination publishes them."""
    whose = "of this mailbox provider " if provider is not None else ""
    return f"far fewer {signal}s {whose}come than the same mail had before, and no part of their way that can be read is wrong"


@example(_DISABLED)
def repaired(says: str) -> str:
    """A cause that is over."""
    return f"{says}; that has been repaired"


# A loss as a sentence -------------------------------------------------------------------------------------------------------


@example("mc-urgent", None)
@example(None, "gmail")
@example(None, None)
def whose(configuration_set: str | None, provider: str | None) -> str:
    """Whose mail a loss is about."""
    if configuration_set is not None:
        return f"mail through set {configuration_set}"
    return f"mail to {provider}" if provider is not None else "all mail"


@example("send", "mail through set mc-urgent", 200, 0, 0, _SINCE, None, _DISABLED, late=False)
@example("send", "mail through set mc-urgent", 20, 0, 19, _SINCE, None, _DISABLED, late=False)
@example(
    "send",
    "all mail",
    40,
    3,
    0,
    _SINCE,
    None,
    "no observer is running: nothing reads the event queues",
    late=True,
)
@example(
    "send", "mail through set mc-urgent", 200, 0, 0, _SINCE, _SINCE + 180_000, repaired(_DISABLED), late=False
)
@example(
    "bounce",
    "mail through set mc-urgent",
    9000,
    0,
    0,
    _SINCE,
    None,
    "destination `outcome` of set mc-urgent does not publish BOUNCE",
    late=False,
)
def loss(
    signal: str,
    whose: str,
    sent: int,
    seen: int,
    others: int,
    since: int,
    until: int | None,
    because: str,
    *,
    late: bool,
) -> str:
    """Feedback is lost or late. In the status, in `mailcordon feedback` and in the log; without a full stop."""
    when = (
        f"since {times.minute(since)}"
        if until is None
        else f"of {times.minute(since)} to {times.minute(until)}"
    )
    what = "late" if late else "lost"
    mails = phrases.count(sent, "mail")
    if signal != "send":
        had = "none has" if seen == 0 else f"{seen:,} have"
        return f"Feedback {what} {when} ({whose}): of {mails}, {had} a {signal}: {because}"
    had = "none has its Send event" if seen == 0 else f"{seen:,} have their Send event"
    more = ", and other events have come" if others else ""
    return f"Feedback {what} {when} ({whose}): of {mails}, {had}{more}: {because}"


@example(late=False)
@example(late=True)
def rates(*, late: bool) -> str:
    """What a loss means for the rates that are shown."""
    if late:
        return "Rates of that mail are too low until the events have been read; nothing is lost"
    return "Rates of that mail are unreliable: bounces and complaints of it may never be counted"


# What to do -----------------------------------------------------------------------------------------------------------------


@example("destination-disabled")
@example("topic-policy")
@example("queue-policy")
@example("observer-absent")
@example("observer-stopped")
@example("observer-refused")
@example("observer-stuck")
@example("backlog")
@example("provider-silent")
@example("unknown")
def what_next(cause: str) -> str:
    """What to do about a loss that lasts."""
    match cause:
        case (
            "set-missing"
            | "destination-missing"
            | "destination-disabled"
            | "destination-elsewhere"
            | "destination-events"
        ):
            return (
                "Control repairs it, unless the drift policy proposes a plan: `mailcordon drift list` shows it. Events of"
                " meanwhile never come. `mailcordon prove` shows whether new ones do"
            )
        case "topic-missing" | "topic-policy" | "subscription":
            return "Repair the topic at SNS. Events of meanwhile never come. `mailcordon prove` shows whether new ones do"
        case "queue-missing" | "queue-policy":
            return (
                "Repair the queue at SQS; `mailcordon iam queue-policy` prints its policy. Events of meanwhile never come."
                " `mailcordon prove` shows whether new ones do"
            )
        case "observer-absent" | "observer-stopped":
            return "Start `mailcordon run observe` (again). The events wait in the queue, for as long as it keeps them"
        case "observer-refused" | "observer-stuck":
            return "Read the log of observe. The events wait in the queue, for as long as it keeps them"
        case "backlog":
            return "Nothing, unless it grows: then start another `mailcordon run observe`"
        case "provider-silent":
            return "Ask whether the provider still reports: a feedback loop can end, and bounces can come back with its delay"
        case _:
            return "Run `mailcordon prove` for a tenant: it sends over the same way and names the part that is dead"


# The command line -----------------------------------------------------------------------------------------------------------


@example()
def none_lost() -> str:
    """`mailcordon feedback`: nothing is lost or late."""
    return "Events of all mail come back."


@example()
def none_ever() -> str:
    """`mailcordon feedback --all`: nothing was lost or late."""
    return "No feedback has been lost."


@example(ended=False)
@example(ended=True)
def state(*, ended: bool) -> str:
    """`mailcordon feedback`: whether a loss lasts."""
    return "over" if ended else "lasts"


@example(None)
@example("28 Nov 2026 15:23 UTC")
def own_lanes(since: str | None) -> str:
    """What a tenant's key sees of a loss that concerns a lane of its own."""
    if since is None:
        return "events of its mail come back"
    return f"events of its mail sent since {since} are missing: its rates are too low"
