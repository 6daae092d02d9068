"""The loop of incidents, and the sources of its alarms. It runs in control, and in api while no control process reports."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from mailcordon.adapters.db import engine, event_subscriptions
from mailcordon.adapters.db.alarm_reader import AlarmReader
from mailcordon.adapters.db.breaker_reader import BreakerAlarms
from mailcordon.adapters.db.engine import Pool
from mailcordon.adapters.db.incident_store import IncidentStore
from mailcordon.adapters.db.objective_store import ObjectiveStore
from mailcordon.adapters.db.outside_signal_store import OutsideSignalStore
from mailcordon.adapters.db.rate_alarm_store import RateAlarmStore
from mailcordon.adapters.db.ungoverned_store import UngovernedStore
from mailcordon.app import alerts, webhooks, wiring
from mailcordon.config import Config
from mailcordon.control import alarms, ungoverned_alarms
from mailcordon.control.outside_signals import ALARMS_EVERY, OutsideAlarms, OutsideSignals
from mailcordon.core.incident import Alarm
from mailcordon.core.news import News, Topic, no_news
from mailcordon.observe import door_alarms, objectives, rate_watch
from mailcordon.observe.incidents import rules
from mailcordon.observe.incidents.loop import Incidents
from mailcordon.observe.incidents.sources import Source, Sources
from mailcordon.observe.objectives import ObjectiveWatch
from mailcordon.observe.rate_watch import RateWatch

_CONNECTIONS = 7  #: sources are asked at the same time


def sources(config: Config, control: Pool, news: News | None = None) -> list[Source]:
    """Everything that raises alarms. `control`: connections of the control login, for these sources only. `news`: told of what is
    written."""
    rates = RateWatch(RateAlarmStore(control), rate_watch.LOCAL if config.local else None)
    budgets = ObjectiveWatch(ObjectiveStore(control), objectives.LOCAL if config.local else None)
    told = news or no_news()
    status = AlarmReader(
        control, alarms.LOCAL if config.local else None, quiet_seconds=lambda: told.quiet_seconds(*Topic)
    )
    found: list[Source] = [
        Source(name="status", read=status.read),
        Source(name="rates", read=rates.read),
        Source(name="objectives", read=budgets.read),
        Source(name="breaker", read=BreakerAlarms(control).read, is_slow=True),
        Source(name="alert channels", read=alerts.source(control, config), is_slow=True),
        Source(name="webhooks", read=webhooks.source(control, config), is_slow=True),
        Source(name="outside signals", read=_outside(config, control), is_slow=True),
        Source(name="ungoverned mail", read=_ungoverned(config, control), is_slow=True),
        Source(name="event doors", read=_event_doors(config, control), is_slow=True),
    ]
    return found


def _outside(config: Config, control: Pool) -> Callable[[], Awaitable[Sequence[Alarm]]]:
    service = OutsideSignals(OutsideSignalStore(control))
    return OutsideAlarms(service, every=2.0 if config.local else ALARMS_EVERY).read


def _event_doors(config: Config, control: Pool) -> Callable[[], Awaitable[Sequence[Alarm]]]:
    async def read() -> Sequence[Alarm]:
        found, now = await event_subscriptions.subscriptions(control)
        return door_alarms.alarms(found, topics=config.topic_arns, cell=config.cell, now=now)

    return read


def _ungoverned(config: Config, control: Pool) -> Callable[[], Awaitable[Sequence[Alarm]]]:
    store, lag = UngovernedStore(control), wiring.count_lag_ms(config)

    async def read() -> Sequence[Alarm]:
        return ungoverned_alarms.alarms(await store.seen(ungoverned_alarms.SHOWN_MS), lag_ms=lag)

    return read


@contextlib.asynccontextmanager
async def running(
    config: Config, stop: asyncio.Event, news: News, *, stand_by: bool
) -> AsyncGenerator[Incidents]:
    """`stand_by`: only while no control process reports."""
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            await engine.create_pool(config.login_url("control"), max_size=_CONNECTIONS)
        )
        loop = Incidents(
            IncidentStore(config.login_url("control")),
            Sources(sources(config, pool, news), lambda: news.quiet_seconds(*Topic)),
            rules.LOCAL if config.local else rules.Rules(),
            stand_by=stand_by,
        )
        stack.push_async_callback(loop.close)
        await stack.enter_async_context(wiring.running(loop.run(news), stop))
        yield loop
