"""What a dispatcher remembers of lanes' routes, thrown away whenever the control epoch moves."""

from mailcordon.send.ports import QueueStore, Way


class Ways:
    def __init__(self, store: QueueStore) -> None:
        self._store = store
        self._known: dict[int, Way] = {}
        self._epoch = -1

    async def of(self, lanes: set[int], epoch: int) -> dict[int, Way]:
        if epoch > self._epoch:
            self._known, self._epoch = {}, epoch
        if missing := [lane for lane in lanes if lane not in self._known]:
            self._known.update(await self._store.ways(missing))
        return self._known
