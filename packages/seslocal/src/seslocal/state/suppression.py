"""Suppression lists of account and tenants, and the account's suppression settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from seslocal.state.global_suppression import GlobalSuppressionList
from seslocal.wire.params import Params

BOTH_REASONS: Final = ("BOUNCE", "COMPLAINT")


@dataclass(slots=True)
class SuppressedDestination:
    address: str  #: as stored; management calls match it case-sensitively
    reason: str  #: BOUNCE or COMPLAINT
    at: float
    message_id: str | None = None  #: of the mail that caused it, if SES added the entry
    feedback_id: str | None = None


class ListRecorder(Protocol):
    """Is told of each change of one suppression list."""

    def put(self, entry: SuppressedDestination) -> None: ...

    def deleted(self, address: str) -> None: ...

    def cleared(self) -> None: ...


class SuppressionList:
    """Entries by exact address; when a mail is sent, addresses match case-insensitively."""

    def __init__(self) -> None:
        self.entries: dict[str, SuppressedDestination] = {}
        self._folded: dict[str, set[str]] = {}
        self.recorder: ListRecorder | None = None

    def put(self, entry: SuppressedDestination) -> None:
        if self.recorder is not None:
            self.recorder.put(entry)
        self.entries[entry.address] = entry
        self._folded.setdefault(entry.address.lower(), set()).add(entry.address)

    def delete(self, address: str) -> bool:
        if self.entries.pop(address, None) is None:
            return False
        same = self._folded[address.lower()]
        same.discard(address)
        if not same:
            del self._folded[address.lower()]
        if self.recorder is not None:
            self.recorder.deleted(address)
        return True

    def reason_for(self, folded: str, reasons: tuple[str, ...]) -> str | None:
        """Returns which of `reasons` suppresses this address, or None. `folded` is in lower case."""
        for address in self._folded.get(folded, ()):
            if (reason := self.entries[address].reason) in reasons:
                return reason
        return None

    def clear(self) -> None:
        self.entries.clear()
        self._folded.clear()
        if self.recorder is not None:
            self.recorder.cleared()

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
