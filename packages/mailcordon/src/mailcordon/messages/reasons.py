"""Why a delivery, a lane or an address is in the state it is in. The API, the CLI and the log show the same text."""

from mailcordon.messages import example


@example(owner="Ana", by="CLI", since="15:23 UTC", because="complaints rising", hold=5)
@example(owner="ses", by="dispatch", since="15:23 UTC", because="sending is paused for this account", hold=6)
def held(*, owner: str, by: str, since: str, because: str, hold: int) -> str:
    """A hold stops the delivery's lane, or the narrower thing it belongs to."""
    return f"Held by {owner} ({by}) since {since}: {because} [hold {hold}]"
