"""What goes wrong when the local DNS is asked for one name: the same failures that name servers on the Internet have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from seslocal.state.zone import folded

MOST: Final = 1000  # names
RCODES: Final = ("SERVFAIL", "REFUSED", "NXDOMAIN", "NOTIMP", "FORMERR")


@dataclass(frozen=True, slots=True, kw_only=True)
class NameFault:
    name: str
    rcode: str | None = None  #: the response, instead of records; None: the records
    delay: float = 0.0  #: seconds before the response
    truncate: bool = False  #: over UDP the response has no records and says that it is cut
    no_tcp: bool = False  #: over TCP the connection is closed without a response
    lame: bool = False  #: as of a server that does not have the zone: not authoritative, no records


class NameFaults:
    def __init__(self) -> None:
        self._by_name: dict[str, NameFault] = {}

    def put(self, fault: NameFault) -> bool:
        """Replaces the fault of the same name. Returns whether there was room."""
        if fault.name not in self._by_name and len(self._by_name) >= MOST:
            return False
        self._by_name[fault.name] = fault
        return True

    def at(self, name: str) -> NameFault | None:
        return self._by_name.get(folded(name)) if self._by_name else None

    def delete(self, name: str) -> bool:
        return self._by_name.pop(folded(name), None) is not None

    def __iter__(self) -> Iterator[NameFault]:
        for name in sorted(self._by_name):
            yield self._by_name[name]
