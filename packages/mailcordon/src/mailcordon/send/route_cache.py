"""The dispatcher's cache of routes by lane, dropped when the control epoch moves."""

from mailcordon.core.route import Route
from mailcordon.send.ports import QueueStore


class RouteCache:
    def __init__(self, store: QueueStore) -> None:
        self._store = store
        self._routes: dict[int, Route] = {}
        self._epoch = -1

    async def get(self, lanes: set[int], epoch: int) -> dict[int, Route]:
        if epoch > self._epoch:
            self._routes, self._epoch = {}, epoch
        if missing := [lane for lane in lanes if lane not in self._routes]:
            self._routes.update(await self._store.lane_routes(missing))
        return self._routes
