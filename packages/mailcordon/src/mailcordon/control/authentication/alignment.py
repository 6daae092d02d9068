"""Whether an authenticated domain speaks for the From domain (RFC 9989 4.4)."""

from collections.abc import Callable
from typing import Protocol


class Suffixes(Protocol):
    def registrable(self, domain: str) -> str | None:
        """The public suffix and one label more, as readers of RFC 7489 find an organisational domain. None: `domain` is a
        public suffix itself, or not a domain."""
        ...


OrganisationOf = Callable[[str], str | None]


def folded(domain: str) -> str:
    return domain.strip(".").lower()


def aligned(from_domain: str, authenticated: str, *, strict: bool, organisation_of: OrganisationOf) -> bool:
    """Strict: the domains are the same. Relaxed: their organisational domains are."""
    wanted, found = folded(from_domain), folded(authenticated)
    if not wanted or wanted == found:
        return bool(wanted)
    if strict:
        return False
    organisation = organisation_of(wanted)
    return organisation is not None and organisation == organisation_of(found)
