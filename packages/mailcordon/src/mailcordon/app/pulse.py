"""The pulse of a control process: one statement a beat says which of its loops have work (docs/decisions/100-pace.md)."""

import contextlib
from asyncio import Event
from collections.abc import AsyncGenerator

import structlog

from mailcordon.adapters.db.pulse_store import PulseStore
from mailcordon.app import wiring
from mailcordon.config import Config
from mailcordon.core.news import News, Topic
from mailcordon.core.pace import Pace
from mailcordon.core.pulse import Pulse

#: Quick after a decision and after trouble, since what follows is due within a second; and never slower than a second.
PACE = Pace(quick=0.4, slow=1.0)

_log = structlog.get_logger("mailcordon.app")


@contextlib.asynccontextmanager
async def felt(config: Config, stop: Event) -> AsyncGenerator[News]:
    """Tells what happens in the database while the body runs."""
    store, told = PulseStore(config.login_url("control")), News(is_fed=True)
    try:
        async with wiring.running(_beat(store, told, stop), stop):
            yield told
    finally:
        await store.close()


async def _beat(store: PulseStore, told: News, stop: Event) -> None:
    pulse, is_known = Pulse(), True
    rests = told.loop(PACE)
    while not stop.is_set():
        found = False
        try:
            look = await store.look()
        except Exception as problem:  # the database may be away; loops go on at their own paces
            if is_known:
                why = str(problem) or type(problem).__name__
                _log.warning("what happens in the database is not known", problem=why)
            pulse.forget()  # everything may have changed when it answers again
            is_known = False
        else:
            topics = pulse.news(look)
            is_known, found = True, bool(topics - {Topic.ANYTHING, Topic.COUNTS})
            told.tell(topics)
        await rests.rest(stop, worked=found)
