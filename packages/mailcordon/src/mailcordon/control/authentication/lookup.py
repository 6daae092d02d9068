"""What one question to the DNS brought. `NO_NAME` and `NO_RECORDS` say that nothing is published; `FAILED` says nothing."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

RecordType = Literal["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"]


class Found(StrEnum):
    RECORDS = "records"
    NO_RECORDS = "no-records"  #: the name exists, without records of this type (NODATA)
    NO_NAME = "no-name"  #: the name does not exist (NXDOMAIN)
    FAILED = "failed"  #: SERVFAIL, REFUSED, a time-out, a lame or garbled answer: nothing is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    name: str  #: what was asked: lower case, no final dot
    type: RecordType
    found: Found
    #: One text per record. TXT: its strings joined, octets as latin-1. MX: `10 host`. SOA: `primary admin serial`.
    #: SRV: `priority weight port host`. CNAME, NS, PTR: the name, lower case, no final dot.
    records: tuple[str, ...] = ()
    canonical: str = ""  #: the name at the end of the CNAMEs; `name` if there are none
    aliases: tuple[str, ...] = ()  #: names that have a CNAME, from `name` on; empty if there is none
    authoritative: bool = False  #: a name server of the zone answered itself, no cache
    ttl: int | None = None  #: seconds, the smallest of the answer
    detail: str = ""  #: FAILED: what happened, such as `SERVFAIL` or `no answer in 5 s`

    @property
    def known(self) -> bool:
        return self.found is not Found.FAILED


class Lookup(Protocol):
    async def find(self, name: str, type: RecordType) -> Answer:
        """Never raises for what the DNS answers or does not answer."""
        ...
