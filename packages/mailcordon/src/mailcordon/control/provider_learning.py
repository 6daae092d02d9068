"""Learns who receives the mail of the domains that mail goes to (docs/providers.md).

Whoever meets an unknown domain writes it down; this duty looks it up, a bounded number at a time, and records the answer with
its age. Mail never waits for it. A look-up that fails says nothing: what was known before stays, and it is tried again later,
rarer each time.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mailcordon.control.authentication.lookup import Found as Answered
from mailcordon.control.authentication.lookup import Lookup, RecordType
from mailcordon.core import mailbox_hosts, reserved_domains
from mailcordon.core.mailbox_hosts import Found, Records
from mailcordon.core.provider import Provider

AT_ONCE = 32  #: domains that are looked up at a time
BATCH = 64  #: domains that are taken at a time: slow ones keep others waiting for so long only
LEASE_MS = 60_000  #: a batch takes seconds; those of a process that died are looked up again after this
LOOK_SECONDS = 6.0  #: for all questions about one domain
MOST_QUESTIONS = 24  #: about one domain, aliases included

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
#: How long an answer is believed. A domain seldom moves; what publishes no way in may be new and incomplete.
BELIEVED_MS = {
    Found.RECORDS: 3 * _DAY_MS,
    Found.IMPLICIT: _DAY_MS,
    Found.NULL_MX: _DAY_MS,
    Found.NO_NAME: 6 * _HOUR_MS,
    Found.NOTHING: 6 * _HOUR_MS,
}
LOCAL_MS = 60_000  #: with the local SES, whose DNS a developer changes and then waits
FIRST_RETRY_MS = 30_000  #: after a look-up that failed; doubled with each further one
LONGEST_RETRY_MS = 6 * _HOUR_MS

KEPT_COUNTS_MS = 14 * _DAY_MS  #: how long counts of unknown providers can still move
KEPT_DOMAINS_MS = 90 * _DAY_MS  #: after the answer expired
MOST_UNSETTLED = 10_000  #: domains
RECENT_MS = _HOUR_MS  #: minutes that are looked at each time
MOST_MOVED = 5_000  #: rows of counts in one statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a domain. Times are in milliseconds since 1970."""

    domain: str
    provider: Provider
    behind: Provider | None
    found: Found
    mx: tuple[str, ...]  #: the hosts that decided it
    since: int  #: when this provider was seen first
    learnt_at: int  #: of the last look-up that was answered; 0: none was
    asked_at: int
    expires_at: int  #: mail to the domain after this has it looked up again
    failures: int = 0  #: look-ups that failed since
    detail: str | None = None  #: how the last one failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one look-up brought."""

    found: Found
    records: Records = field(default_factory=Records)
    detail: str | None = None


class LearningStore(Protocol):
    async def claim(self, most: int, *, lease_ms: int) -> tuple[list[str], int]:
        """Domains to look up, which others leave alone for `lease_ms`; and the database's clock."""
        ...

    async def known(self, domains: Sequence[str]) -> dict[str, Known]: ...

    async def record(self, learnt: Sequence[Known]) -> None:
        """Stores answers, and moves the counts of domains that become known."""
        ...

    async def touch(self, domains: Sequence[str]) -> None:
        """Tells everybody again what is known of these domains; they are no longer wanted."""
        ...

    async def move_unknown(self, domains: Sequence[str], most: int) -> int:
        """Moves what was counted as unknown of domains that are known by now. Returns how many rows."""
        ...

    async def unsettled(self, within_ms: int, most: int) -> tuple[list[str], list[str]]:
        """Of the domains with counts of unknown providers so old at most: those that are known, and those nobody asked for."""
        ...

    async def want(self, domains: Sequence[str]) -> None: ...

    async def forget(self, *, counts_ms: int, domains_ms: int) -> None:
        """Deletes what is too old to be needed."""
        ...


class ProviderLearning:
    """`look`: begins the look-ups of one domain, which take so many seconds and questions at most. `local`: whether the local SES
    is used."""

    def __init__(self, store: LearningStore, look: Callable[[float, int], Lookup], *, local: bool) -> None:
        self._store = store
        self._look = look
        self._local = local

    async def advance(self) -> int:
        """Looks up a batch of what is wanted, and passes over what is known. Returns how many domains are no longer wanted."""
        done = 0
        while True:
            taken, looked_up = await self._batch()
            done += taken
            if not taken or looked_up:
                return done

    async def _batch(self) -> tuple[int, int]:
        """How many domains were taken, and how many of these were looked up."""
        wanted, now = await self._store.claim(BATCH, lease_ms=LEASE_MS)
        if not wanted:
            return 0, 0
        known = await self._store.known(wanted)
        fresh = [one for one in wanted if one in known and known[one].expires_at > now]
        if fresh:
            await self._store.touch(fresh)
        turns = asyncio.Semaphore(AT_ONCE)

        async def seen(domain: str) -> Seen:
            async with turns:
                return await self._seen(domain)

        due = [one for one in wanted if one not in fresh]
        answers = await asyncio.gather(*(seen(one) for one in due))
        await self._store.record(
            [
                learnt(domain, known.get(domain), answer, now, most_ms=LOCAL_MS if self._local else None)
                for domain, answer in zip(due, answers, strict=True)
            ]
        )
        return len(wanted), len(due)

    async def settle_counts(self, within_ms: int = RECENT_MS) -> None:
        """Moves counts that were written while their domain was being learnt, and asks for domains that nobody asked for: what
        met them may have died before it could."""
        known, unasked = await self._store.unsettled(within_ms, MOST_UNSETTLED)
        while known and await self._store.move_unknown(known, MOST_MOVED) == MOST_MOVED:
            pass
        if unasked:
            await self._store.want(unasked)

    async def purge(self) -> None:
        """Also settles what the shorter look of `settle_counts` missed."""
        await self.settle_counts(KEPT_COUNTS_MS)
        await self._store.forget(counts_ms=KEPT_COUNTS_MS, domains_ms=KEPT_DOMAINS_MS)

    async def _seen(self, domain: str) -> Seen:
        if reserved_domains.find(domain, self._local) is not None:
            return Seen(found=Found.NO_NAME)
        return await look_up(domain, self._look(LOOK_SECONDS, MOST_QUESTIONS))


async def look_up(domain: str, lookup: Lookup) -> Seen:
    """One question for most domains; those with a gateway or with servers that nobody knows take four more."""
    answer = await lookup.find(domain, "MX")
    match answer.found:
        case Answered.FAILED:
            return Seen(found=Found.FAILED, detail=answer.detail)
        case Answered.NO_NAME:
            return Seen(found=Found.NO_NAME)
        case Answered.NO_RECORDS:
            return await _without_mx(domain, lookup)
        case Answered.RECORDS:
            pass
    mx = tuple(one for record in answer.records if (one := _exchange(record)) is not None)
    if mx and all(not host for _, host in mx):
        return Seen(found=Found.NULL_MX)
    records = Records(mx=tuple(one for one in mx if one[1]))
    if mailbox_hosts.hosting(records).provider.kind != "mailbox":
        records = await _with_hints(domain, lookup, records)
    return Seen(found=Found.RECORDS, records=records)


async def _without_mx(domain: str, lookup: Lookup) -> Seen:
    types: tuple[RecordType, ...] = ("A", "AAAA")
    answers = [await lookup.find(domain, type) for type in types]
    if any(answer.found is Answered.RECORDS for answer in answers):
        return Seen(found=Found.IMPLICIT, records=await _with_hints(domain, lookup, Records()))
    failed = next((answer for answer in answers if not answer.known), None)
    if failed is not None:
        return Seen(found=Found.FAILED, detail=failed.detail)
    return Seen(found=Found.NOTHING)


async def _with_hints(domain: str, lookup: Lookup, records: Records) -> Records:
    """What names the host of the mailboxes. An answer that fails to come is a hint less."""
    text, alias, service = await asyncio.gather(
        lookup.find(domain, "TXT"),
        lookup.find(f"autodiscover.{domain}", "CNAME"),
        lookup.find(f"_autodiscover._tcp.{domain}", "SRV"),
    )
    spf = next((one for one in text.records if one.lower().split(" ", 1)[0] == "v=spf1"), None)
    targets = [*alias.records, *(one.rpartition(" ")[2] for one in service.records)]
    return Records(mx=records.mx, spf=spf, autodiscover=tuple(targets))


def _exchange(record: str) -> tuple[int, str] | None:
    preference, _, host = record.partition(" ")
    return (int(preference), host.removesuffix(".")) if preference.isdecimal() else None


def learnt(domain: str, before: Known | None, seen: Seen, now: int, *, most_ms: int | None = None) -> Known:
    """What is known after a look-up. `most_ms`: no longer than that it is believed."""
    believed = BELIEVED_MS.get(seen.found, LONGEST_RETRY_MS)
    believed = believed if most_ms is None else min(believed, most_ms)
    if seen.found is Found.FAILED:
        failures = 1 if before is None else before.failures + 1
        again = now + min(believed, FIRST_RETRY_MS << min(failures - 1, 20))
        return Known(
            domain=domain,
            provider=Provider.UNKNOWN if before is None else before.provider,
            behind=None if before is None else before.behind,
            found=Found.FAILED if before is None else before.found,
            mx=() if before is None else before.mx,
            since=now if before is None else before.since,
            learnt_at=0 if before is None else before.learnt_at,
            asked_at=now,
            expires_at=again,
            failures=failures,
            detail=seen.detail,
        )
    hosting = mailbox_hosts.hosting(seen.records)
    same = before is not None and before.learnt_at > 0 and before.provider is hosting.provider
    return Known(
        domain=domain,
        provider=hosting.provider,
        behind=hosting.behind,
        found=seen.found,
        mx=hosting.hosts,
        since=before.since if same and before is not None else now,
        learnt_at=now,
        asked_at=now,
        expires_at=now + believed,
    )
