"""The DNS as the judgements of control/authentication ask it: nothing is cached from one check to the next, and every answer says
whether it is one.

A check asks either the resolvers that were set, which may answer from their caches, or the name servers of each zone
themselves, so that a record counts as soon as it is published. Who owns a domain chooses its name servers, so those are asked
only on port 53 of public addresses, and of those that the setting names.
"""

import asyncio
import dataclasses
import ipaddress
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import monotonic

from mailcordon.adapters.dns.reply import NO_ANSWER, NoReply, Reply, Server
from mailcordon.control.authentication.lookup import Answer, Found, RecordType

LOOKUP_SECONDS = 5.0  #: for one question, with all tries; what resolvers themselves usually allow
CHECK_SECONDS = 30.0  #: for all questions of one check
MOST_QUESTIONS = 250  #: of one check: a record that somebody else wrote decides how many there are
AT_ONCE = 32  #: questions under way in one process
_MOST_ALIASES = 8
_MOST_NAME_SERVERS = 4  #: of a zone; the rest would not say anything else
_MOST_SERVERS = 6  #: that are asked; each one more leaves less time to each
_FIRST_TRIES = 0.4  #: share of the time for the first round; a lost packet is sent again in the second
_TOO_LONG = "the check takes too long"
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: Networks that `is_global` takes for public: NAT64 of one's own network (RFC 8215), and IPv4 addresses as RFC 4291 had them.
_NOT_PUBLIC = (ipaddress.IPv6Network("64:ff9b:1::/48"), ipaddress.IPv6Network("::/96"))
_RESOLV_CONF = Path("/etc/resolv.conf")


class Resolver:
    """One per process. `servers` are asked what is not asked of a zone's own; none: the resolvers of this host."""

    def __init__(self, servers: Sequence[Server] = (), *, seconds: float = LOOKUP_SECONDS) -> None:
        self.named = bool(servers)
        self.servers = tuple(servers) or host_servers()
        self.seconds = seconds
        self._at_once = asyncio.Semaphore(AT_ONCE)

    def check(
        self, *, authoritative: bool, seconds: float = CHECK_SECONDS, questions: int = MOST_QUESTIONS
    ) -> "Check":
        """A `Lookup` for one check. `authoritative`: every zone's own name servers are asked."""
        return Check(self, authoritative=authoritative, deadline=monotonic() + seconds, questions=questions)

    async def ask(
        self, servers: Sequence[Server], name: str, type: RecordType, *, recursive: bool, deadline: float
    ) -> Reply:
        """The first usable reply. Raises NoReply."""
        async with self._at_once:
            now = monotonic()
            if now >= deadline:  # while it waited for its turn
                raise NoReply(_TOO_LONG, final=True)
            deadline = min(deadline, now + self.seconds)
            return await self._first_reply(servers, name, type, recursive=recursive, deadline=deadline)

    async def _first_reply(
        self, servers: Sequence[Server], name: str, type: RecordType, *, recursive: bool, deadline: float
    ) -> Reply:
        from mailcordon.adapters.dns import wire

        left, seconds = list(servers), deadline - monotonic()
        # On a machine that is slow enough, time is up before the first is asked.
        problem = NoReply(_TOO_LONG if left else "no name server is known")
        for round_ends in (deadline - seconds * (1 - _FIRST_TRIES), deadline):
            waiting = tuple(left)
            for number, server in enumerate(waiting):
                patience = (round_ends - monotonic()) / (len(waiting) - number)
                if patience <= 0:
                    continue
                try:
                    reply = await wire.ask(server, name, type, recursive=recursive, seconds=patience)
                    if reply.authoritative or (
                        recursive and (reply.recursed or reply.records or reply.alias)
                    ):
                        return reply
                    raise NoReply(f"{server.address} does not serve this zone", final=True)
                except NoReply as failed:
                    problem = failed
                    if failed.final:
                        left.remove(server)
            if not left:
                break
        raise problem


class Check:
    """Implements `Lookup` for one check: remembers each answer, and answers FAILED when its time or its questions are used up."""

    def __init__(self, resolver: Resolver, *, authoritative: bool, deadline: float, questions: int) -> None:
        self._resolver = resolver
        self._authoritative = authoritative
        self._deadline = deadline
        self._left = questions
        self._answers: dict[tuple[str, RecordType], Answer] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self._zones: dict[str, Sequence[Server] | NoReply | None] = {}

    async def find(self, name: str, type: RecordType) -> Answer:
        name = name.removesuffix(".").lower()
        async with self._locks.setdefault((name, type), asyncio.Lock()):
            if (name, type) not in self._answers:
                self._answers[name, type] = await self._find(name, type)
        return self._answers[name, type]

    async def _find(self, name: str, type: RecordType) -> Answer:
        aliases: list[str] = []
        here, authoritative, ttl = name, True, None
        answer = Answer(name=name, type=type, found=Found.FAILED, canonical=name)
        try:
            while len(aliases) <= _MOST_ALIASES:
                reply = await self._reply(here, type)
                authoritative &= reply.authoritative
                ttl = reply.ttl if ttl is None else min(ttl, reply.ttl or ttl)
                if reply.alias is None:
                    return dataclasses.replace(
                        answer,
                        found=_found(reply),
                        records=reply.records,
                        canonical=here,
                        aliases=tuple(aliases),
                        authoritative=authoritative and (self._authoritative or self._resolver.named),
                        ttl=ttl,
                    )
                aliases.append(here)
                here = reply.alias
            raise NoReply(f"more than {_MOST_ALIASES} aliases")
        except NoReply as problem:
            detail = problem.detail if aliases == [] else f"{here}: {problem.detail}"
            return dataclasses.replace(answer, canonical=here, aliases=tuple(aliases), detail=detail)

    async def _reply(self, name: str, type: RecordType) -> Reply:
        servers = await self._servers_of(name) if self._authoritative else None
        if servers is None:
            return await self._ask(self._resolver.servers, name, type, recursive=True)
        return await self._ask(servers, name, type, recursive=False)

    async def _ask(self, servers: Sequence[Server], name: str, type: RecordType, *, recursive: bool) -> Reply:
        if self._left <= 0:
            raise NoReply("the check asks too many questions", final=True)
        self._left -= 1
        if monotonic() >= self._deadline:
            raise NoReply(_TOO_LONG, final=True)
        try:
            return await self._resolver.ask(servers, name, type, recursive=recursive, deadline=self._deadline)
        except NoReply as problem:
            if problem.detail != NO_ANSWER:
                raise
            raise NoReply(f"no answer in {self._resolver.seconds:g} s") from None

    async def _servers_of(self, name: str) -> Sequence[Server] | None:
        """The name servers of the zone that a name is in. None: no zone is delegated, as in a DNS of one's own that is set by
        MAILCORDON_DNS_SERVERS and answers everything itself."""
        if not name:
            return None
        async with self._locks.setdefault((name, "zone"), asyncio.Lock()):
            if name not in self._zones:
                try:
                    self._zones[name] = await self._find_servers(name)
                except NoReply as problem:
                    self._zones[name] = problem  # waiting again for each type would bring the same
        found = self._zones[name]
        if isinstance(found, NoReply):
            raise NoReply(found.detail, final=found.final)
        return found

    async def _find_servers(self, name: str) -> Sequence[Server] | None:
        reply = await self._ask(self._resolver.servers, name, "NS", recursive=True)
        if not reply.records:
            return await self._servers_of(name.partition(".")[2])
        hosts = sorted(reply.records)[:_MOST_NAME_SERVERS]
        found = await asyncio.gather(*(self._addresses(host) for host in hosts))
        usable = [[server for address in each if (server := self._at(address)) is not None] for each in found]
        servers = chosen(usable)
        if not servers:
            raise NoReply(f"the name servers of {name} have no public address", final=True)
        return servers

    def _at(self, address: str) -> Server | None:
        """Where a zone's name server is asked. None: nowhere, as a tenant must not make us ask inside our own network."""
        named = [each for each in self._resolver.servers if self._resolver.named and each.address == address]
        return named[0] if named else Server(address) if is_public(address) else None

    async def _addresses(self, host: str) -> list[str]:
        addresses: list[str] = []
        types: tuple[RecordType, ...] = ("A", "AAAA")
        for type in types:
            try:
                reply = await self._ask(self._resolver.servers, host, type, recursive=True)
            except NoReply:
                continue
            addresses += reply.records[:2]
        return addresses


def chosen(addresses: Sequence[Sequence[Server]]) -> list[Server]:
    """Of the addresses of each host, those that are asked: the first of each host before the second of any."""
    in_turn = itertools.zip_longest(*addresses)
    return [server for each in in_turn for server in each if server is not None][:_MOST_SERVERS]


def _found(reply: Reply) -> Found:
    if reply.records:
        return Found.RECORDS
    return Found.NO_RECORDS if reply.exists else Found.NO_NAME


def is_public(address: str) -> bool:
    """Whether a name server that a stranger chose may be asked at this address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.is_site_local or any(parsed in network for network in _NOT_PUBLIC):
            return False
        mapped = parsed.ipv4_mapped or parsed.sixtofour
        if parsed in _NAT64:  # leads to the IPv4 address in its last 32 bits (RFC 6052)
            mapped = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if mapped is not None and not is_public(str(mapped)):
            return False
    return parsed.is_global and not parsed.is_multicast


def host_servers(file: Path = _RESOLV_CONF) -> tuple[Server, ...]:
    """The resolvers of this host: at most three, this machine if none is named (resolv.conf(5))."""
    try:
        lines: Iterable[str] = file.read_text(errors="replace").splitlines()
    except OSError:
        lines = ()
    words = [line.split() for line in lines]
    named = [word[1].partition("%")[0] for word in words if len(word) > 1 and word[0] == "nameserver"]
    return tuple(Server(address) for address in named[:3] if _is_address(address)) or (Server("127.0.0.1"),)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
