"""Whether an authenticated domain speaks for the From domain (RFC 9989 4.4)."""

from typing import Protocol


class Suffixes(Protocol):
    def registrable(self, domain: str) -> str | None:
        """The public suffix and one label more, as readers of RFC 7489 find an organisational domain. None: `domain` is a
        public suffix itself, or not a domain."""
        ...
