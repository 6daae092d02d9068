"""Alerts and notices, composed: the loop that sends them, what the routes need, and the alarm that a channel does not work."""

import contextlib
from asyncio import Event
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.alert_store import PostgresAlerts
from mailcordon.adapters.db.contact_store import PostgresContacts
from mailcordon.adapters.db.engine import Pool
from mailcordon.adapters.web import standard_webhooks
from mailcordon.adapters.web.courier import WebCourier
from mailcordon.adapters.web.post import Poster
from mailcordon.app import wiring
from mailcordon.config import Config
from mailcordon.control.keys import Keys, Terms
from mailcordon.core.incident import Alarm
from mailcordon.core.news import News
from mailcordon.core.pace import Pace
from mailcordon.core.principal import SEND, Principal
from mailcordon.observe.alerts import alarms
from mailcordon.observe.alerts.channels import Channels
from mailcordon.observe.alerts.loop import NOTICES_PACE, Alerts

LOCAL_NOTICES_PACE = Pace(quick=1.0, slow=10.0)


def courier(config: Config) -> WebCourier:
    poster = Poster(config.alert_networks)
    return WebCourier(poster, installation=config.installation, api_url=config.alert_api_url)


def channels(config: Config, store: PostgresAlerts, contacts: PostgresContacts, keys: Keys) -> Channels:
    """For the routes."""
    return Channels(
        store,
        contacts,
        courier(config),
        LaneKeys(keys),
        check_url=Poster(config.alert_networks).check,
        new_secret=standard_webhooks.new_secret,
        is_secret=standard_webhooks.is_secret,
        has_api=config.alert_api_url is not None,
    )


def source(control: Pool, config: Config) -> Callable[[], Awaitable[Sequence[Alarm]]]:
    """Channels to which nothing arrives: the others tell of it."""
    return partial(alarms_of, PostgresAlerts(control, config.secret_keys))


async def alarms_of(store: PostgresAlerts) -> Sequence[Alarm]:
    return [
        alarms.channel_fails(row["name"], row["form"], row["target"], row["failing_since"], row["problem"])
        for row in await store.failing(for_ms=alarms.FAILS_FOR_MS)
    ]


@contextlib.asynccontextmanager
async def running(
    config: Config, stop: Event, news: News, leads: Callable[[], Awaitable[bool]] = wiring.always
) -> AsyncGenerator[None]:
    """`leads`: whether this process is to work at present."""
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            await engine.create_pool(config.login_url("control"), max_size=4)
        )
        store = PostgresAlerts(pool, config.secret_keys)
        loop = Alerts(
            store,
            PostgresContacts(pool, config.secret_keys),
            courier(config),
            store.now,
            leads,
            notices_pace=LOCAL_NOTICES_PACE if config.local else NOTICES_PACE,
            news=news,
        )
        await stack.enter_async_context(wiring.running(loop.run(stop), stop))
        yield


class LaneKeys:
    """API keys of e-mail channels."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def mint(self, principal: Principal, tenant: str, type: str, name: str) -> tuple[str, str]:
        terms = Terms(tenant=tenant, name=name, scopes=(SEND,), types=(type,))
        key, text = await self._keys.create_by(principal, terms)
        return key.prefix, text

    async def revoke(self, prefix: str, *, actor: str) -> None:
        await self._keys.revoke(prefix, actor=actor)
