"""Reads suppressions for people, and changes them on their behalf.

The stores behind these protocols read under a tenant's key as the reader role, which sees only that tenant's rows, and write
each change together with its audit row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mailcordon.core.suppression import Scope, Suppression
from mailcordon.observe.suppression_report import Known
from mailcordon.observe.view import ReadScope


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionKey:
    """One address in one scope of one tenant: the key of a suppression."""

    tenant: int
    hash: bytes
    address: str
    scope: Scope
    target: int


class SuppressionReader(Protocol):
    async def tenant_id(self, slug: str) -> int | None: ...

    async def lane_id(self, tenant: int, type: str) -> int | None: ...

    async def suppressions(
        self, scope: ReadScope, *, hash: bytes | None, after: str | None, limit: int
    ) -> Sequence[Suppression]: ...

    async def known(self, scope: ReadScope, tenant: str, address: str, hash: bytes) -> Known:
        """What is known of an address."""
        ...


class Suppressions(Protocol):
    async def want_entries(self, tenant: int, hash: bytes, address: str) -> int:
        """Asks control to read SES's entries of the address, unless that was done within the last minute. Returns how many."""
        ...

    async def add(
        self, key: SuppressionKey, *, because: str, until_seconds: int | None, actor: str
    ) -> tuple[Suppression, bool]:
        """Returns the stored row, and whether it is the new one: an existing suppression that lasts longer stays."""
        ...

    async def forget(
        self, tenant: int, slug: str, hash: bytes, address: str, *, because: str, actor: str
    ) -> None:
        """Erases the address from what is stored of it, now or in the next minutes. Its keyed hash stays and suppresses it."""
        ...

    async def import_all(
        self,
        rows: Sequence[Suppression],
        tenant: int,
        facts: Mapping[str, object],
        *,
        actor: str,
        dry_run: bool,
    ) -> int:
        """All rows or, after an error, none, with one audit row that has `facts`. What lasts as long already stays.

        Returns how many rows are now as given. `dry_run`: the same count, and nothing is changed."""
        ...

    async def remove(self, key: SuppressionKey, *, because: str | None, actor: str) -> Suppression | None:
        """Marks it for removal: it is deleted after SES's own entry. Returns None if there is no such suppression."""
        ...


def evidence_sentence(entry: Suppression) -> str:
    """The evidence in one line: `550 5.1.1 user unknown (Permanent/General, dlv_…)`. Values that are not text are left out."""
    texts = {name: value for name, value in entry.evidence.items() if isinstance(value, str) and value}
    because = [texts[name] for name in ("because", "text") if name in texts]
    about = [texts[name] for name in ("reason", "bounce_reason", "type", "delivery") if name in texts]
    return " ".join([*because, f"({', '.join(about)})" if about else ""]).strip()
