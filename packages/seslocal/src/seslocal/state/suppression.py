"""Suppression: the account's list and settings, and the list type that tenants have too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seslocal.state.global_suppression import GlobalSuppressionList
from seslocal.wire.params import Params

BOTH_REASONS: Final = ("BOUNCE", "COMPLAINT")


@dataclass(slots=True)
class SuppressedDestination:
    address: str  #: as stored; management calls match it exactly
    reason: str  #: BOUNCE or COMPLAINT
    at: float
    message_id: str | None = None  #: the mail that caused it, when SES made the entry
    feedback_id: str | None = None


class SuppressionList:
    """Entries by their exact address, found without regard to case when a mail is sent."""

    def __init__(self) -> None:
        self.entries: dict[str, SuppressedDestination] = {}
        self._folded: dict[str, set[str]] = {}

    def put(self, entry: SuppressedDestination) -> None:
        self.entries[entry.address] = entry
        self._folded.setdefault(entry.address.lower(), set()).add(entry.address)

    def delete(self, address: str) -> bool:
        if self.entries.pop(address, None) is None:
            return False
        same = self._folded[address.lower()]
        same.discard(address)
        if not same:
            del self._folded[address.lower()]
        return True

    def reason_for(self, folded: str, reasons: tuple[str, ...]) -> str | None:
        """The reason among `reasons` for which this address, in lower case, must not be mailed."""
        for address in self._folded.get(folded, ()):
            if (reason := self.entries[address].reason) in reasons:
                return reason
        return None

    def clear(self) -> None:
        self.entries.clear()
        self._folded.clear()

    def forget_complaint(self, folded: str) -> None:
        for address in list(self._folded.get(folded, ())):
            if self.entries[address].reason == "COMPLAINT":
                self.delete(address)


class AccountSuppression:
    """What applies to all mail of the account."""

    def __init__(self) -> None:
        self.list = SuppressionList()
        self.reasons: tuple[str, ...] = BOTH_REASONS
        self.global_list = GlobalSuppressionList()
        self.validation: Params | None = None  #: ValidationAttributes
        self.verdicts: dict[str, str] = {}  #: validity set by the admin API, by address in lower case
