"""`check_host` of RFC 7208: what a receiver finds when a mail with this MAIL FROM comes from this address.

Every look-up that a term costs is in the trace, so that a record with too many can be shown term by term.
"""

import contextlib
import ipaddress
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from mailcordon.control.authentication import spf_record
from mailcordon.control.authentication.lookup import Answer, Found, Lookup, RecordType
from mailcordon.control.authentication.spf_record import Macro, MacroString, Mechanism, Qualifier, SpfRecord

MOST_LOOKUPS = 10  #: terms that cost look-ups (RFC 7208 4.6.4)
MOST_VOIDS = 2  #: look-ups that find nothing (RFC 7208 4.6.4)
MOST_NAMES = 10  #: addresses of an `mx`, names of a `ptr` (RFC 7208 4.6.4)
_LONGEST_NAME = 253
_LONGEST_LABEL = 63
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Spf(StrEnum):
    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 (no password)
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"  #: a look-up failed: nothing is known
    PERMERROR = "permerror"


class Because(StrEnum):
    """Why a result is an error, or none."""

    NO_RECORD = "no-record"
    NOT_A_DOMAIN = "not-a-domain"
    TWO_RECORDS = "two-records"
    SYNTAX = "syntax"
    TOO_MANY_LOOKUPS = "too-many-lookups"
    TOO_MANY_VOIDS = "too-many-voids"
    TOO_MANY_NAMES = "too-many-names"
    LOOKUP_FAILED = "lookup-failed"


@dataclass(frozen=True, slots=True)
class Cost:
    domain: str  #: whose record has the term
    term: str
    number: int  #: 1: the first term that cost a look-up


@dataclass(frozen=True, slots=True, kw_only=True)
class SpfResult:
    result: Spf
    because: Because | None = None
    where: str = ""  #: the domain whose record decided, or could not be read
    detail: str = ""  #: why a term is wrong, or what the DNS did
    term: str = ""  #: the mechanism that matched, or the term that is wrong
    number: int = 0  #: of a wrong term, from 1
    trace: tuple[Cost, ...] = ()
    voids: int = 0
    explanation: str | None = None  #: of a `fail`, as its domain words it


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who sends, as the receiver sees it."""

    address: Address
    helo: str
    sender: str  #: MAIL FROM
    receiver: str = "unknown"
    at: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    def __post_init__(self) -> None:
        if isinstance(self.address, ipaddress.IPv6Address) and self.address.ipv4_mapped is not None:
            object.__setattr__(self, "address", self.address.ipv4_mapped)  # it is an IPv4 client (RFC 7208 5)

    @property
    def local_part(self) -> str:
        local, at, _ = self.sender.rpartition("@")
        return local if at and local else "postmaster"

    @property
    def sender_domain(self) -> str:
        return self.sender.rpartition("@")[2]


class _Stopped(Exception):
    def __init__(self, found: SpfResult) -> None:
        super().__init__(found.because)
        self.found = found


def _stopped(result: Spf, because: Because, where: str, detail: str = "") -> _Stopped:
    return _Stopped(SpfResult(result=result, because=because, where=where, detail=detail))


@dataclass(slots=True)
class _Budget:
    trace: list[Cost] = field(default_factory=list[Cost])
    voids: int = 0
    most: int = MOST_LOOKUPS  #: a count for a report goes on beyond what RFC 7208 allows

    def spend(self, domain: str, term: str) -> None:
        self.trace.append(Cost(domain, term, len(self.trace) + 1))
        if len(self.trace) > self.most:
            raise _stopped(Spf.PERMERROR, Because.TOO_MANY_LOOKUPS, domain, term)


async def check_host(domain: str, client: Client, lookup: Lookup) -> SpfResult:
    """The result for MAIL FROM's domain. Never raises for what is published or not answered."""
    budget = _Budget()
    check = _Check(client, lookup, budget)
    try:
        found = await check.run(_folded(domain))
    except _Stopped as stopped:
        found = stopped.found
    return replace(found, trace=tuple(budget.trace), voids=budget.voids)


@dataclass(slots=True)
class _Check:
    client: Client
    lookup: Lookup
    budget: _Budget

    async def run(self, domain: str, *, included: bool = False) -> SpfResult:
        record = await read_record(domain, self.lookup)
        if isinstance(record, SpfResult):
            if record.result is not Spf.NONE:
                raise _Stopped(record)
            return record
        for mechanism in record.mechanisms:
            if await self._matches(mechanism, domain):
                result = _RESULTS[mechanism.qualifier]
                explain = (
                    result is Spf.FAIL and not included
                )  # only what was asked for explains (RFC 7208 6.2)
                explanation = await self._explain(record, domain) if explain else None
                return SpfResult(result=result, where=domain, term=mechanism.text, explanation=explanation)
        if record.redirect is not None:
            return await self._redirect(record.redirect, domain, included=included)
        return SpfResult(result=Spf.NEUTRAL, where=domain)

    async def _redirect(self, target: MacroString, domain: str, *, included: bool) -> SpfResult:
        name = await self._expand_name(target, domain)
        self.budget.spend(domain, f"redirect={name}")
        found = await self.run(name, included=included)
        if found.result is Spf.NONE:
            raise _stopped(Spf.PERMERROR, found.because or Because.NO_RECORD, name, f"redirect={name}")
        return found

    async def _matches(self, one: Mechanism, domain: str) -> bool:
        match one.kind:
            case "all":
                return True
            case "ip4" | "ip6":
                return (
                    one.network is not None
                    and one.network.version == self.client.address.version
                    and self.client.address in one.network
                )
            case _:
                pass
        self.budget.spend(domain, one.text)
        target = domain if one.domain is None else await self._expand_name(one.domain, domain)
        match one.kind:
            case "include":
                return await self._includes(target, one)
            case "a":
                return await self._has_address(target, one)
            case "mx":
                return await self._has_exchange(target, one)
            case "ptr":
                return await self._has_name(target)
            case _:
                return bool((await self._ask(target, "A")).records)

    async def _includes(self, target: str, one: Mechanism) -> bool:
        found = await self.run(target, included=True)
        if found.result is Spf.NONE:
            raise _stopped(Spf.PERMERROR, found.because or Because.NO_RECORD, target, one.text)
        return found.result is Spf.PASS

    async def _has_address(self, target: str, one: Mechanism) -> bool:
        answer = await self._ask(target, self._address_type)
        return any(self._in_network(text, one) for text in answer.records)

    async def _has_exchange(self, target: str, one: Mechanism) -> bool:
        exchanges = (await self._ask(target, "MX")).records
        if len(exchanges) > MOST_NAMES:
            raise _stopped(Spf.PERMERROR, Because.TOO_MANY_NAMES, target, one.text)
        for exchange in exchanges:
            host = exchange.partition(" ")[2]
            if host not in ("", ".") and await self._has_address(host, one):
                return True
        return False

    async def _has_name(self, target: str) -> bool:
        return any(_is_within(name, target) for name in await self._validated_names(count=True))

    async def _validated_names(self, *, count: bool) -> list[str]:
        """The names of the client's address that have the address too (RFC 7208 5.5). Errors are no names."""
        answer = await self.lookup.find(self.client.address.reverse_pointer, "PTR")
        if count and answer.known and not answer.records:
            self._count_void(answer.name)
        validated: list[str] = []
        for name in answer.records[:MOST_NAMES]:
            addresses = await self.lookup.find(_folded(name), self._address_type)
            if any(_address_of(text) == self.client.address for text in addresses.records):
                validated.append(_folded(name))
        return validated

    async def _ask(self, name: str, kind: RecordType) -> Answer:
        if not is_domain(name):  # what a macro made may be no name; nothing is there (RFC 7208 4.8)
            return Answer(name=name, type=kind, found=Found.NO_NAME)
        answer = await self.lookup.find(name, kind)
        if not answer.known:
            raise _stopped(Spf.TEMPERROR, Because.LOOKUP_FAILED, name, f"{kind} of {name}: {answer.detail}")
        if not answer.records:
            self._count_void(name)
        return answer

    def _count_void(self, name: str) -> None:
        self.budget.voids += 1
        if self.budget.voids > MOST_VOIDS:
            raise _stopped(Spf.PERMERROR, Because.TOO_MANY_VOIDS, name)

    def _in_network(self, text: str, one: Mechanism) -> bool:
        address = _address_of(text)
        if address is None or address.version != self.client.address.version:
            return False
        prefix = one.prefix4 if address.version == 4 else one.prefix6
        return self.client.address in ipaddress.ip_network((address, prefix), strict=False)

    @property
    def _address_type(self) -> RecordType:
        return "A" if self.client.address.version == 4 else "AAAA"

    async def _explain(self, record: SpfRecord, domain: str) -> str | None:
        """Whatever goes wrong with an explanation is ignored (RFC 7208 6.2)."""
        if record.explanation is None:
            return None
        name = await self._expand_name(record.explanation, domain)
        if not is_domain(name):
            return None
        found = (await self.lookup.find(name, "TXT")).records
        if len(found) != 1 or not found[0].isascii():
            return None
        try:
            return await self._expand(spf_record.parse_explanation(found[0]), domain)
        except ValueError:
            return None

    async def _expand_name(self, parts: MacroString, domain: str) -> str:
        name = _folded(await self._expand(parts, domain))
        while len(name) > _LONGEST_NAME and "." in name:
            name = name.partition(".")[2]
        return name

    async def _expand(self, parts: MacroString, domain: str) -> str:
        return "".join([part if isinstance(part, str) else await self._value(part, domain) for part in parts])

    async def _value(self, macro: Macro, domain: str) -> str:
        if macro.letter == "p":
            value = self._best_name(await self._validated_names(count=False), domain)
        else:
            value = _LETTERS[macro.letter](self.client, domain)
        if macro.keep or macro.reverse or macro.delimiters != ".":
            value = _transformed(value, macro)
        return urllib.parse.quote(value, safe="") if macro.escape else value

    def _best_name(self, names: list[str], domain: str) -> str:
        same = [name for name in names if name == domain]
        within = [name for name in names if _is_within(name, domain)]
        return (same or within or names or ["unknown"])[0]


async def read_record(domain: str, lookup: Lookup) -> SpfRecord | SpfResult:
    """The domain's one SPF record, or the result that its absence or fault gives (RFC 7208 4.3 to 4.6)."""
    if not is_domain(domain):
        return SpfResult(result=Spf.NONE, because=Because.NOT_A_DOMAIN, where=domain)
    answer = await lookup.find(domain, "TXT")
    if not answer.known:
        return SpfResult(
            result=Spf.TEMPERROR,
            because=Because.LOOKUP_FAILED,
            where=domain,
            detail=f"TXT of {domain}: {answer.detail}",
        )
    records = [text for text in answer.records if spf_record.is_spf(text)]
    if not records:
        return SpfResult(result=Spf.NONE, because=Because.NO_RECORD, where=domain)
    if len(records) > 1:
        return SpfResult(result=Spf.PERMERROR, because=Because.TWO_RECORDS, where=domain)
    try:
        return spf_record.parse(records[0])
    except spf_record.SpfSyntaxError as error:
        number = len(records[0][: error.position].split())
        return SpfResult(
            result=Spf.PERMERROR,
            because=Because.SYNTAX,
            where=domain,
            detail=str(error),
            term=error.term,
            number=number,
        )


async def count_lookups(domain: str, lookup: Lookup, most: int = 30) -> tuple[Cost, ...]:
    """The terms that cost look-ups if no address matches, as checkers that read a record without a mail count them. Stops at
    `most`; what cannot be read adds nothing."""
    budget = _Budget(most=most)
    with contextlib.suppress(_Stopped):
        await _count(_folded(domain), lookup, budget, frozenset())
    return tuple(budget.trace)


async def _count(domain: str, lookup: Lookup, budget: _Budget, within: frozenset[str]) -> None:
    record = None if domain in within else await read_record(domain, lookup)
    if not isinstance(record, SpfRecord):
        return
    within |= {domain}
    for one in record.mechanisms:
        if one.kind in spf_record.LOOKUP_TERMS:
            budget.spend(domain, one.text)
        if one.kind == "include" and one.domain is not None and (name := _plain(one.domain)):
            await _count(name, lookup, budget, within)
    if record.redirect is not None and not record.has_all:
        name = _plain(record.redirect)
        budget.spend(domain, f"redirect={name or '%'}")
        if name:
            await _count(name, lookup, budget, within)


def _plain(parts: MacroString) -> str | None:
    """The name, if no macro makes it depend on the mail."""
    return None if any(isinstance(part, Macro) for part in parts) else _folded("".join(map(str, parts)))


def is_domain(name: str) -> bool:
    """Whether a name can be asked for: at least two labels, none empty or too long (RFC 7208 4.3)."""
    labels = name.split(".")
    return (
        len(labels) > 1
        and len(name) <= _LONGEST_NAME
        and all(label and len(label) <= _LONGEST_LABEL for label in labels)
    )


def _folded(name: str) -> str:
    return name.removesuffix(".").lower()


def _is_within(name: str, domain: str) -> bool:
    return name == domain or name.endswith("." + domain)


def _address_of(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _transformed(value: str, macro: Macro) -> str:
    parts: list[str] = [""]
    for character in value:
        if character in macro.delimiters:
            parts.append("")
        else:
            parts[-1] += character
    if macro.reverse:
        parts.reverse()
    return ".".join(parts[-macro.keep :])


def _dotted(address: Address) -> str:
    """As %{i} has it: an IPv6 address by nibbles (RFC 7208 7.3)."""
    return str(address) if address.version == 4 else ".".join(address.exploded.replace(":", "").upper())


_RESULTS = {
    Qualifier.PASS: Spf.PASS,
    Qualifier.FAIL: Spf.FAIL,
    Qualifier.SOFTFAIL: Spf.SOFTFAIL,
    Qualifier.NEUTRAL: Spf.NEUTRAL,
}
_LETTERS: dict[str, Callable[[Client, str], str]] = {
    "s": lambda client, _: f"{client.local_part}@{client.sender_domain}",
    "l": lambda client, _: client.local_part,
    "o": lambda client, _: client.sender_domain,
    "d": lambda _, domain: domain,
    "i": lambda client, _: _dotted(client.address),
    "v": lambda client, _: "in-addr" if client.address.version == 4 else "ip6",
    "h": lambda client, _: client.helo,
    "c": lambda client, _: str(client.address),
    "r": lambda client, _: client.receiver,
    "t": lambda client, _: str(int(client.at.timestamp())),
}
