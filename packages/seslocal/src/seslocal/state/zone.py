"""The DNS records that the admin API put. Names are in lower case without a final dot; values are text as in a zone file and
checked when put. Pure, except that each change calls `Zone.changed`.

Checking a record needs dnspython (`pip install "seslocal[dns]"`). It is imported when the first record is put, so that a server
without DNS does without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from seslocal import messages

if TYPE_CHECKING:
    from dns.rdtypes.ANY.TXT import TXT

TTL: Final = 300  # seconds
SOA: Final = "ns.seslocal. hostmaster.seslocal. 1 3600 600 86400 60"  #: of every zone


@dataclass(frozen=True, slots=True)
class Record:
    name: str
    type: str  #: such as CNAME
    value: str
    ttl: int = TTL


class Zone:
    def __init__(self) -> None:
        self._records: dict[str, dict[str, list[Record]]] = {}
        self.changed: Callable[[], None] = lambda: None  #: called after each change

    def put(self, records: list[Record]) -> None:
        """Replaces all records of the same name and type. All or nothing; raises ValueError with a sentence."""
        new: dict[tuple[str, str], list[Record]] = {}
        for record in records:
            one = checked(record)
            new.setdefault((one.name, one.type), []).append(one)
        for (name, kind), found in new.items():
            kinds = {*self._records.get(name, ()), *(other for owner, other in new if owner == name)} - {kind}
            if (kind == "CNAME" and (kinds or len(found) > 1)) or "CNAME" in kinds:
                raise ValueError(f"{name} has a CNAME. A name with a CNAME can have no other record.")
        for (name, kind), found in new.items():
            self._records.setdefault(name, {})[kind] = found
        self.changed()

    def delete(self, name: str, kind: str | None = None) -> int:
        """Returns the number of deleted records."""
        name = folded(name)
        kinds = self._records.get(name, {})
        gone = [kinds.pop(each) for each in list(kinds) if kind in (None, each)]
        if not kinds:
            self._records.pop(name, None)
        if gone:
            self.changed()
        return sum(len(records) for records in gone)

    def find(self, name: str, kind: str) -> list[Record]:
        return self._records.get(folded(name), {}).get(kind, [])

    def at(self, name: str) -> list[Record]:
        return [record for records in self._records.get(folded(name), {}).values() for record in records]

    def has(self, name: str) -> bool:
        """Whether the name exists: it has records, or a name below it does."""
        name = folded(name)
        return name in self._records or any(other.endswith("." + name) for other in self._records)

    def __iter__(self) -> Iterator[Record]:
        for name in sorted(self._records):
            yield from self.at(name)


def folded(name: str) -> str:
    return name.rstrip(".").lower()


def text_of(record: Record) -> str:
    """Returns a TXT record's strings, joined."""
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype

    parsed = cast("TXT", dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TXT, record.value))
    strings: tuple[bytes, ...] = parsed.strings
    return b"".join(strings).decode("utf-8", "replace")


def checked(record: Record) -> Record:
    """Returns the record with its value as zone files have it. Raises ValueError with a sentence."""
    try:
        import dns.exception
        import dns.name
        import dns.rdata
        import dns.rdataclass
        import dns.rdatatype
    except ModuleNotFoundError:
        raise ValueError(messages.dns_is_not_installed()) from None
    kind = record.type.upper()
    value = record.value
    if kind == "TXT" and not value.startswith('"'):
        octets = value.encode()
        pieces = [octets[i : i + 255] for i in range(0, len(octets), 255)] or [b""]
        value = " ".join(f'"{_escaped(piece)}"' for piece in pieces)
    try:
        owner = dns.name.from_text(record.name)
        dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind), value, origin=dns.name.root)
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"{record.name} {kind} {record.value} is not a valid record: {error}.") from None
    return Record(folded(owner.to_text()), kind, value, record.ttl)


def _escaped(octets: bytes) -> str:
    """Escapes as in zone files."""
    return "".join(
        f"\\{octet:03d}" if octet in b'"\\' or not 32 <= octet < 127 else chr(octet) for octet in octets
    )
