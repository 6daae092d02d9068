"""Which path each mail of a fleet takes: by the share of its rollout, and the choice that the roles make (core.path_choice)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from mailcordon.core import path_choice
from seslocal.fleets.operator import Path, Waiting

#: What all tenants shared before. Providers know its domain and pool.
SHARED: Final = Path(domain="mail.platform.example", pool="platform", ses_tenant="platform")


class Ways:
    """`shares`: percent of a tenant's recipients on its isolated path; they may change while the fleet sends. `own`: what a
    tenant has to itself, if it is not the domain and pool of its group. A mail keeps the path that it was given first."""

    def __init__(self, shares: Mapping[str, int], own: Mapping[str, Path] | None = None) -> None:
        self._shares = shares
        self._own = own or {}
        self._given: dict[str, bool] = {}

    def path(self, at: float, mail: Waiting) -> Path | None:
        return self._own.get(mail.tenant) if self.isolated(mail) else SHARED

    def isolated(self, mail: Waiting) -> bool:
        found = self._given.get(mail.key)
        if found is None:
            found = path_choice.isolated(mail.tenant, mail.recipient.encode(), self._shares[mail.tenant])
            self._given[mail.key] = found
        return found

    def back(self, keys: Iterable[str]) -> None:
        """Mail that still waits takes the shared path again."""
        for key in keys:
            self._given[key] = False
