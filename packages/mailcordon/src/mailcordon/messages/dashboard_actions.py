"""What the dashboard says before it acts on an incident or a hold, beside the API's own preview."""

from mailcordon.messages import times
from mailcordon.messages.catalogue import example


@example()
def held_mail() -> str:
    """The page that holds mail: what becomes of it."""
    return "Mail that is held is kept until its own expiry. It leaves by itself when the hold is lifted."


@example()
def breaker_watches() -> str:
    """The page that lifts a hold of the breaker."""
    return (
        "The breaker held this mail. For a week it judges what leaves ten times more strictly. If what it saw is normal for this"
        " lane, accept its decision in the incident instead."
    )


@example()
def no_lane() -> str:
    """A rate is to be set for an incident that is not about one lane."""
    return "This incident is not about one lane, so there is no rate to set."


@example()
def no_rate() -> str:
    """The page that sets a rate got no number."""
    return "Give a number of mails a second above 0, such as 0.5 or 20."


def _per_second(rate: float | None) -> str:
    return "no limit" if rate is None else f"{rate:g} a second"


@example(lane="acme/newsletter", state="throttled", rate=0.25, own=None)
def rate_now(*, lane: str, state: str, rate: float | None, own: float | None) -> str:
    """The page that sets a rate: how it is now."""
    return f"{lane} is {state}. In force: {_per_second(rate)}; set by people: {_per_second(own)}."


@example(rate=5, waiting=1_200)
@example(rate=5, waiting=0)
def rate_then(*, rate: float, waiting: int) -> str:
    """The page that sets a rate: what it will do."""
    said = f"It will send at most {_per_second(rate)}. Holds and the policy may slow it further."
    if not waiting:
        return f"{said} No mail of it waits now."
    needs = times.span(waiting / rate)
    return (
        f"{said} {waiting:,} mails wait now, and need {needs} at this rate; what expires before is dropped."
    )


@example()
def rate_others() -> str:
    """The page that sets a rate: whom it leaves alone."""
    return "No other lane is touched."


@example("acme/newsletter")
def accept(lane: str) -> str:
    """The page that accepts a decision of the breaker."""
    return (
        "If you accept it, what the breaker did ends, and the mail goes on within seconds. The breaker takes what it saw as"
        f" normal for {lane}: it acts later the next time."
    )


@example(340)
def accept_waiting(mails: int) -> str:
    """The page that accepts a decision: what was held."""
    return f"{mails:,} mails were held when it was decided."


@example()
def accept_over() -> str:
    """The page that accepts a decision that is over."""
    return "This decision is over: there is nothing to accept any more."


@example()
def acknowledge() -> str:
    """The page that acknowledges an incident."""
    return "You say that you look at it: alerts about it are not sent again. Nothing else changes."


@example()
def note() -> str:
    """The page that writes a note."""
    return "The note is in the timeline and the audit trail, with your name. Tenants do not see it."


@example()
def close() -> str:
    """The page that closes an incident."""
    return "It is closed. Holds stay as they are: closing lifts none."


@example(1)
@example(3)
def close_showing(alarms: int) -> str:
    """The page that closes an incident whose alarms still show."""
    showing = "1 of its alarms still shows" if alarms == 1 else f"{alarms} of its alarms still show"
    return f"{showing}: silent from now on, until it ends and returns, or gets worse."


@example("2026-11-28T15:23:00Z")
@example("")
def reported(at: str) -> str:
    """The page that enters when a customer reported it."""
    said = f"as first reported by a customer at {at}" if at else "as reported by no customer"
    return f"The incident is entered {said}. It counts for how often customers were first."


@example()
def nothing_to_draw() -> str:
    """The chart of an incident of which no mail is counted."""
    return "There is nothing to draw of this incident."
