"""Why a delivery, a lane or an address is in the state it is in. The API, the CLI and the log show the same text."""

from mailcordon.messages import example


@example(owner="Ana", by="CLI", since="15:23 UTC", because="complaints rising", hold=5)
@example(owner="ses", by="dispatch", since="15:23 UTC", because="sending is paused for this account", hold=6)
def held(*, owner: str, by: str, since: str, because: str, hold: int) -> str:
    """A hold stops the delivery's lane, or the narrower thing it belongs to."""
    return f"Held by {owner} ({by}) since {since}: {because} [hold {hold}]"


# How a delivery left the queue -------------------------------------------------------------------------------------------


@example()
def expired_in_queue() -> str:
    """A delivery expired while it was queued, and was dropped when its turn came."""
    return "Expired before its turn came"


@example("the next attempt after a 5xx answer")
def expired_while_waiting(reason: str) -> str:
    """A delivery expired while it waited; `reason` is why it waited."""
    return f"Expired while waiting: {reason}"


@example()
def accepted_by_ses() -> str:
    """SES accepted the call for a delivery."""
    return "SES accepted it"


@example()
def worker_died() -> str:
    """The outcome of a call is unknown because the dispatcher died during it."""
    return "The dispatcher that called SES died before it recorded the answer"


@example()
def send_event_arrived() -> str:
    """In the history of a delivery whose outcome was unknown: its Send event arrived."""
    return "The Send event of this attempt arrived"


@example()
def proved_sent() -> str:
    """A delivery whose outcome was unknown is sent, because its Send event arrived."""
    return "SES accepted it: its Send event arrived, although the call got no clear answer"


@example("90")
def proved_absent(seconds: str) -> str:
    """In the history of a delivery whose outcome was unknown: SES did not take that attempt."""
    return f"SES reported no Send event for this attempt, but one for a call made {seconds} s later"


@example()
def given_up() -> str:
    """A delivery ends as given up: the call got no clear answer, SES sent nothing, and its class is not resent."""
    return "SES gave no clear answer and reported no Send event; mail of this class is not resent, to avoid duplicates"


@example()
def no_outcome_reported() -> str:
    """A delivery whose outcome stayed unknown until it expired."""
    return "SES gave no clear answer, and until it expired nothing proved whether SES sent it"
