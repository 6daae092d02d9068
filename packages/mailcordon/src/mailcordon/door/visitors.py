"""How often strangers may ask for pages that need no key: links to unsubscribe. By client address; time is passed in, in seconds.

A mailbox provider posts for all of its users from a few addresses, so whoever has a real link gets much. Whoever makes links up
gets little: a token cannot be guessed, but each try costs us something.
"""

from mailcordon.door.client_address import counted_as

REAL_PER_SECOND = 100.0  #: requests with a link of ours
MADE_UP_PER_SECOND = 1.0  #: with anything else
BURST_SECONDS = 30.0
_MOST = 10_000  #: addresses that are remembered


class Visitors:
    """Of one process."""

    def __init__(self) -> None:
        self._full_at: dict[tuple[str, bool], float] = {}

    def retry_after(self, client: str, now: float, *, real: bool) -> int | None:
        """Seconds until this client may ask again; None: this request is taken and counted."""
        key = counted_as(client), real
        full_at = max(self._full_at.get(key, now), now)
        if full_at - now >= BURST_SECONDS:
            return int(full_at - now - BURST_SECONDS) + 1
        if len(self._full_at) >= _MOST:
            self._forget(now)
        self._full_at[key] = full_at + 1 / (REAL_PER_SECOND if real else MADE_UP_PER_SECOND)
        return None

    def _forget(self, now: float) -> None:
        """Those that asked nothing lately; if all did, the oldest."""
        for key in [key for key, full_at in self._full_at.items() if full_at <= now]:
            del self._full_at[key]
        for key in list(self._full_at)[: max(0, len(self._full_at) - _MOST // 2)]:
            del self._full_at[key]
