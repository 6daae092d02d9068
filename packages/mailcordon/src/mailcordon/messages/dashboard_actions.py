"""What the dashboard says before it acts on an incident or a hold, beside the API's own preview."""

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
