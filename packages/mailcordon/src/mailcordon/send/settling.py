"""Settles unknown outcomes round by round, and sends the canaries that prove them (docs/send-path.md)."""

import functools
from typing import Any

import structlog

from mailcordon.core.route import Route
from mailcordon.send.canary import Canaries
from mailcordon.send.ports import SettleStore
from mailcordon.send.route_cache import RouteCache
from mailcordon.send.stops import Stops
from mailcordon.send.window import Window

log: Any = structlog.get_logger()


class Settling:
    def __init__(
        self,
        store: SettleStore,
        *,
        canaries: Canaries,
        routes: RouteCache,
        stops: Stops,
        window: Window,
    ) -> None:
        self._store = store
        self._canaries = canaries
        self._routes = routes
        self._stops = stops
        self._window = window
        self.rejected = 0  #: moves that the database rejects

    async def once(self) -> bool:
        """One round. Returns False if nothing waits, or if another dispatcher is doing it."""
        settled = await self._store.settle()
        if settled is None:
            return False
        self.rejected = settled.rejected
        if settled.proved_sent or settled.resent or settled.given_up or settled.no_outcome:
            log.info(
                "unknown outcomes settled",
                proved_sent=settled.proved_sent,
                resent=settled.resent,
                given_up=settled.given_up,
                no_outcome=settled.no_outcome,
            )
        for need in settled.canaries:
            lane = need.unknown.lane
            route = (await self._routes.get({lane}, settled.epoch)).get(lane)
            if route is not None:
                await self._canaries.prove(need, route, functools.partial(self.may_start, route))
        return True

    def may_start(self, route: Route) -> bool:
        """As for mail, right before the call: a stop may have been placed since the round read the lane."""
        return not self._stops.stopped and not self._stops.stops_route(route) and not self._window.stopped
