"""Advice about a tenant's domains, configuration sets and IP addresses, and plans that follow it (docs/ip-pools.md)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from mailcordon.control import lookup
from mailcordon.control.advice import Advice, Facts, configuration_set, identity, ip
from mailcordon.control.advice.fleet import Counted, Fleet, Sender, weigh
from mailcordon.control.advice.prices import Prices
from mailcordon.control.isolation import Decision
from mailcordon.control.plans import Plan, Plans
from mailcordon.core import names
from mailcordon.core.errors import Conflict
from mailcordon.guard.dedicated import Choice
from mailcordon.messages import advice as messages


class AdviceStore(Protocol):
    async def facts(self, slug: str) -> Facts | None:
        """None: there is no such tenant."""
        ...

    async def senders(self, after: int, limit: int) -> tuple[Counted | None, Sequence[Sender]]:
        """At most so many after a place, the riskiest first, as all of them were counted last. None: they never were."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Advised:
    advice: tuple[Advice, ...]  #: identity, configuration set, IP
    prices: Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A page of all tenants."""

    counted: Counted | None  #: None: not yet
    fleet: Fleet
    prices: Prices


class Advisor:
    """`prices` reads the price file. Raises Invalid if it is wrong."""

    def __init__(self, store: AdviceStore, plans: Plans, prices: Callable[[], Awaitable[Prices]]) -> None:
        self._store = store
        self._plans = plans
        self._prices = prices

    async def of(self, slug: str) -> Advised:
        """The three decisions, each by itself. Raises NotFound."""
        facts = await self._store.facts(slug) if names.is_slug(slug) else None
        if facts is None:
            raise lookup.no_tenant(slug)
        prices = await self._prices()
        found = [await self._counted(one) for one in advise(facts, prices)]
        return Advised(advice=tuple(found), prices=prices)

    async def plan(self, slug: str, decision: Decision, *, actor: str, because: str) -> Plan:
        """A stored plan of one decision alone, with no number if it changes nothing. Raises NotFound, or Conflict if a person has
        to act first."""
        found = await self.of(slug)
        [one] = [each for each in found.advice if each.decision == decision]
        if not one.steps and one.command is not None:
            raise Conflict(messages.person_first(one.command), code="person-first")
        return await self._plans.make(one.steps, actor=actor, because=because)

    async def fleet(self, after: int, limit: int) -> Listed:
        """`after`: how many of the riskiest are left out."""
        prices = await self._prices()
        counted, senders = await self._store.senders(after, limit)
        fleet = (
            Fleet(lines=(), unknown=(), unchecked=()) if counted is None else weigh(senders, counted, prices)
        )
        return Listed(counted=counted, fleet=fleet, prices=prices)

    async def _counted(self, one: Advice) -> Advice:
        """With the number of calls that its plan would need."""
        if not one.steps:
            return one
        calls = len((await self._plans.drafted(one.steps)).calls)
        return replace(one, cost=replace(one.cost, calls=calls))


def advise(facts: Facts, prices: Prices) -> list[Advice]:
    """The three decisions. Pure."""
    judged = ip.judge(facts)
    needs_pool = any(one.decision.choice is not Choice.SHARED for one in judged)
    return [
        identity.advise(facts, prices),
        configuration_set.advise(facts, prices, needs_pool=needs_pool),
        ip.advise(facts, prices, judged),
    ]
