"""When the loop of folds leaves counts that are as they should be alone."""

import asyncio

from mailcordon.core.news import no_news
from mailcordon.core.pace import steady
from mailcordon.observe import folding


class Recorded:
    """How long each round leaves calm changes alone. Finds changes in the rounds named."""

    def __init__(self, found: list[int], stop: asyncio.Event) -> None:
        self.calm: list[int] = []
        self._found = found
        self._stop = stop

    async def fold(self, most: int, *, lately_ms: int = 0, calm_ms: int = 0) -> int | None:
        self.calm.append(calm_ms)
        if len(self.calm) == len(self._found):
            self._stop.set()
        return self._found[len(self.calm) - 1]


async def test_folds_are_rarer_once_mail_flows() -> None:
    stop = asyncio.Event()
    found = [1] * 5 + [0, 0, 1, 0, 0, 0, 1]
    store = Recorded(found, stop)
    await folding.run(store, stop, no_news().loop(steady(0.001)))
    assert store.calm == [0] * 5 + [folding.CALM_MS] * 6 + [0]
