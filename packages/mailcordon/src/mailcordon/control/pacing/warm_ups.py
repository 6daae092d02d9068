"""Keeps the budgets of domains that mailbox providers do not know yet, for each UTC day.

What decides is guard/warm_up.py. A domain's lanes share its budget. Where they have policies of their own, the strictest applies.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mailcordon.core.limit import Limit, LimitScope, Mode, Per
from mailcordon.core.provider import Provider
from mailcordon.guard import warm_up as rules
from mailcordon.guard.policy.effective import WarmUpPolicy
from mailcordon.guard.warm_up import Day, WarmUp
from mailcordon.messages import pacing as messages

OWNER = "warm-up"
#: Have a budget before their first mail; others once mail went to them.
FROM_THE_START = (
    Provider.GMAIL,
    Provider.MICROSOFT,
    Provider.YAHOO,
    Provider.APPLE,
    Provider.OTHER,
    Provider.UNKNOWN,
)
HISTORY_DAYS = 90  #: of a domain that is seen for the first time
CHUNK = 200  #: domains that are read at once
_ORDER = (Mode.OBSERVE, Mode.SHADOW, Mode.ENFORCE)


class Key(NamedTuple):
    tenant: int
    domain: str
    pool: str  #: '': the account's shared addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A From domain with an IP pool: who sends from it, and where it stands at each provider."""

    key: Key
    lanes: Sequence[int]
    policies: Sequence[WarmUpPolicy]
    known: Mapping[Provider, tuple[WarmUp, Mode]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    key: Key
    provider: Provider
    at: WarmUp
    mode: Mode


class WarmUpStore(Protocol):
    async def today(self) -> int:
        """The UTC day, since 1970, by the database's clock."""
        ...

    async def domains(self) -> Sequence[Domain]: ...

    async def days(
        self, domains: Sequence[Domain], since: int
    ) -> Mapping[tuple[Key, Provider], Sequence[Day]]:
        """What left on the days from `since` on, in order. Days before a lane moved to its domain or pool do not count."""
        ...

    async def save(self, changed: Sequence[Standing]) -> None:
        """With the limits of their tenants."""
        ...


class WarmUps:
    def __init__(self, store: WarmUpStore) -> None:
        self._store = store

    async def advance(self) -> None:
        """One round."""
        today = await self._store.today()
        domains = [one for one in await self._store.domains() if _due(one, today)]
        fresh = [one for one in domains if not one.known]
        known = [one for one in domains if one.known]
        for group, since in ((fresh, today - HISTORY_DAYS), (known, None)):
            for first in range(0, len(group), CHUNK):
                await self._advance(group[first : first + CHUNK], today, since)

    async def _advance(self, domains: Sequence[Domain], today: int, since: int | None) -> None:
        if since is None:
            since = min(at.day for one in domains for at, _ in one.known.values())
        days = await self._store.days(domains, max(since, today - HISTORY_DAYS))
        by_key: dict[Key, dict[Provider, Sequence[Day]]] = defaultdict(dict)
        for (key, provider), of in days.items():
            by_key[key][provider] = of
        changed = [standing for one in domains for standing in moved(one, by_key.get(one.key, {}), today)]
        if changed:
            await self._store.save(changed)


def _due(one: Domain, today: int) -> bool:
    """Domains that are warm everywhere are looked at once a day."""
    return not one.known or any(at.day != today or not at.warm for at, _ in one.known.values())


def moved(one: Domain, days: Mapping[Provider, Sequence[Day]], today: int) -> Sequence[Standing]:
    """Where the domain stands now, at the providers where that has changed."""
    policy = strictest(one.policies)
    found: list[Standing] = []
    for provider in sorted({*FROM_THE_START, *days, *one.known}):
        before = one.known.get(provider)
        steps = rules.curve(policy, provider)
        at = None if before is None else before[0]
        if at is not None and at.day > today:
            at = None  # the database's clock was set back
        after = rules.replay(days.get(provider, ()), today, steps, at)
        if after.slowed_today is None:
            # The curve may have changed since this morning.
            after = rules.budget(after, steps)
        if before != (after, policy.mode):
            found.append(Standing(key=one.key, provider=provider, at=after, mode=policy.mode))
    return found


def strictest(policies: Sequence[WarmUpPolicy]) -> WarmUpPolicy:
    """Of lanes that share a domain: the one that enforces most, then the one that lets least leave on the first day."""
    return min(policies, key=lambda one: (-_ORDER.index(one.mode), _first_day(one)))


def _first_day(policy: WarmUpPolicy) -> float:
    return sum(steps[0] if steps else math.inf for steps in (*policy.steps.values(), policy.others))


def limits(standings: Iterable[Standing]) -> Sequence[Limit]:
    """Of one tenant. Where a domain uses several IP pools, the smallest budget holds for all: a limit knows no pool."""
    least: dict[tuple[str, Provider], Standing] = {}
    for one in standings:
        if one.at.cap is None or one.mode is Mode.OBSERVE:
            continue
        name = (one.key.domain, one.provider)
        other = least.get(name)
        if other is None or other.at.cap is None or one.at.cap < other.at.cap:
            least[name] = one
    return [
        Limit(
            id=0,
            tenant=one.key.tenant,
            owner=OWNER,
            scope=LimitScope.IDENTITY,
            per=Per.DAY,
            cap=one.at.cap or 0,
            mode=one.mode,
            because=sentence(domain, provider, one.at),
            domain=domain,
            provider=provider,
        )
        for (domain, provider), one in sorted(least.items())
    ]


def sentence(domain: str, provider: Provider, at: WarmUp) -> str:
    """Where it stands, in words; also why its mail waits."""
    if at.slowed_today is not None and at.cap is not None:
        return messages.warm_up_slowed(
            domain, provider.word, at.step + 1, at.of, at.cap, str(at.slowed_today)
        )
    return messages.warm_up_day(domain, provider.word, at.step + 1, at.of, at.cap)
