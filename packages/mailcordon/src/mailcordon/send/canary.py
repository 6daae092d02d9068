"""Canaries: mail to SES's simulator that shows that SES answers again, or that a route's events arrive.

A canary uses the route that it tests and is marked in its tags. SES counts it for no quota, rate or reputation (ses.md 9). Only
the dispatcher sends canaries. Like mail, none is sent over a held lane, or while it is not known what is held.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from mailcordon.core import ids
from mailcordon.core.event import Attempt
from mailcordon.core.route import Route
from mailcordon.core.stop import StopScope
from mailcordon.send import compose, refusals
from mailcordon.send.ports import CanaryNeed
from mailcordon.send.refusals import Answer, Next, Sender, Verdict

log: Any = structlog.get_logger()

MIN_INTERVAL = 5.0  #: seconds between two canaries for one configuration set
#: The interval doubles up to this while no event of the set arrives: then events are late, and more canaries do not help.
MAX_INTERVAL = 60.0


@dataclass(slots=True, kw_only=True)  # not frozen: the key is rotated while the process runs
class Identity:
    """The installation and key that sign every tag."""

    installation: str
    mac_key: bytes

    def attempt(
        self, route: Route, delivery: int, attempt: int, called_at: int, *, canary: bool = False
    ) -> Attempt:
        return Attempt(
            installation=self.installation,
            tenant_key=route.lane.tenant_key,
            type=route.lane.type,
            delivery=delivery,
            attempt=attempt,
            called_at=called_at,
            canary=canary,
        )


@dataclass(slots=True)
class _Interval:
    """Of one configuration set."""

    sent_at: float
    seconds: float
    seen: int  #: the latest call whose Send event had arrived then

    def next(self, seen: int, now: float) -> "_Interval | None":
        """None: it is too early for another canary."""
        if now - self.sent_at < self.seconds:
            return None
        late = seen == self.seen
        return _Interval(now, min(MAX_INTERVAL, self.seconds * 2) if late else MIN_INTERVAL, seen)


@dataclass(slots=True)
class Canaries:
    """`may_use`: asked of a route right before a canary is written; False sends none. `now_ms`: the database's clock, None while
    it is unknown: a canary's stamp decides what it proves, and this host's clock may be ahead.
    """

    identity: Identity
    call: Callable[[bytes, Callable[[], bool]], Awaitable[Answer]]
    may_use: Callable[[Route], bool]
    now_ms: Callable[[], int | None]
    clock: Callable[[], float] = time.monotonic
    _sent: dict[str, _Interval] = field(default_factory=dict[str, _Interval])

    async def answers(self, delivery: int, route: Route) -> bool:
        """Sends a canary over the route. Returns whether SES gave a clear answer."""
        verdict = await self._send(delivery, route)
        return (
            verdict is not None and verdict.next is not Next.UNKNOWN and verdict.scope is not StopScope.WORKER
        )

    async def probe(self, route: Route) -> Verdict | None:
        """Sends a canary over the route, to see whether SES accepts it. Returns None if none could be sent."""
        return await self._send(None, route)

    async def prove(self, need: CanaryNeed, route: Route, permitted: Callable[[], bool]) -> None:
        """Sends a canary for a delivery of unknown outcome, with the configuration set of its call, and the SES tenant and domain
        that went with it. At most one per interval.

        `permitted`: what must hold beside `may_use`.
        """
        if not permitted():
            return
        now = self.clock()
        last = self._sent.get(need.configuration_set)
        interval = _Interval(now, MIN_INTERVAL, need.seen) if last is None else last.next(need.seen, now)
        if interval is None:
            return
        self._sent[need.configuration_set] = interval
        log.info(
            "sending a canary: nothing else can prove the outcome of a call",
            delivery=ids.delivery_id(need.unknown.id),
        )
        then = replace(
            route,
            configuration_set=need.configuration_set,
            ses_tenant=need.ses_tenant or route.ses_tenant,
            domain=need.domain or route.domain,
        )
        await self._send(need.unknown.id, then, permitted)

    async def _send(
        self, delivery: int | None, route: Route, permitted: Callable[[], bool] = lambda: True
    ) -> Verdict | None:
        """Returns None if no canary was sent. `delivery`: None for one of its own."""

        def still_permitted() -> bool:
            return self.may_use(route) and permitted()

        called_at = self.now_ms()
        if called_at is None or not still_permitted():
            return None
        delivery = ids.first_of(called_at) if delivery is None else delivery
        body = compose.call(
            compose.canary_content(route.domain),
            to=compose.canary_recipient(ids.encode(delivery)),
            ses_tenant=route.ses_tenant,
            configuration_set=route.configuration_set,
            key=self.identity.mac_key,
            attempt=self.identity.attempt(route, delivery, 0, called_at, canary=True),
        )
        sender = Sender(route.domain, route.configuration_set)
        # A missing association is no matter of seconds here: the last attempt is decided on.
        answer = await self.call(body, still_permitted)
        if answer.code == refusals.WITHDRAWN:
            return None
        return refusals.decide(answer, refusals.ASSOCIATION_ATTEMPTS, sender)
