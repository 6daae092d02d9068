"""Webhooks, composed: the loop that sends them, what the routes need, and the alarm that one does not work."""

import contextlib
from asyncio import Event
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import UTC, datetime

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.engine import Pool
from mailcordon.adapters.db.webhook_store import PostgresWebhooks
from mailcordon.adapters.web import sns_message, standard_webhooks
from mailcordon.adapters.web.post import Poster
from mailcordon.adapters.web.sns_message import Signer
from mailcordon.adapters.web.webhook_courier import SesForm, WebhookCourier
from mailcordon.app import wiring
from mailcordon.config import Config
from mailcordon.core import ids, ses_door_ids
from mailcordon.core.errors import Conflict
from mailcordon.core.incident import Alarm
from mailcordon.core.news import News
from mailcordon.core.pace import Pace
from mailcordon.messages import webhooks as messages
from mailcordon.observe.webhooks import alarms, loop
from mailcordon.observe.webhooks.endpoints import Endpoints
from mailcordon.observe.webhooks.loop import Webhooks
from mailcordon.observe.webhooks.tally import Tally

LOCAL_PACE = Pace(quick=0.5, other=1.0, slow=5.0)


class Signing:
    """What signs messages in SNS's form. `url`: of this API, for receivers; None: not known."""

    def __init__(self, store: PostgresWebhooks, url: str | None) -> None:
        self._store = store
        self._url = url
        self._signer: Signer | None = None

    async def signer(self) -> Signer | None:
        if self._url is not None and self._signer is None:
            found = await self._store.signer()
            if found is not None:
                number, private = found
                address = f"{self._url.rstrip('/')}/v1/webhook-certificates/{number}.pem"
                self._signer = sns_message.signer(private, address)
        return self._signer

    async def ready(self) -> None:
        """Makes the key if there is none. Raises Conflict."""
        if self._url is None:
            raise Conflict(messages.no_public_url(), code="no-public-url")
        if await self._store.signer() is None:
            await self._store.add_signer(*sns_message.new_pair(datetime.now(UTC)))


def courier(config: Config, store: PostgresWebhooks) -> WebhookCourier:
    signing = Signing(store, config.public_url)
    ses = SesForm(signer=signing.signer, region=config.region, message_id=_message_id)
    return WebhookCourier(Poster(config.alert_networks), ses)


def endpoints(config: Config, store: PostgresWebhooks) -> Endpoints:
    """For the routes."""
    return Endpoints(
        store,
        courier(config, store),
        check_url=Poster(config.alert_networks).check,
        new_secret=standard_webhooks.new_secret,
        is_secret=standard_webhooks.is_secret,
        ses_form=Signing(store, config.public_url).ready,
    )


def source(control: Pool, config: Config) -> Callable[[], Awaitable[Sequence[Alarm]]]:
    """Endpoints that are paused because nothing arrived, and the platform's own at which nothing arrives."""
    store = PostgresWebhooks(control, config.secret_keys)

    async def read() -> Sequence[Alarm]:
        return [
            alarms.endpoint_fails(
                row["name"],
                None if row["tenant"] is None else (row["tenant"], row["slug"]),
                row["target"],
                row["failing_since"] or row["paused_at"],
                row["paused_because"] or row["problem"] or "",
                paused=row["paused_at"] is not None,
            )
            for row in await store.failing(for_ms=alarms.FAILS_FOR_MS)
        ]

    return read


@contextlib.asynccontextmanager
async def running(
    config: Config,
    stop: Event,
    news: News,
    stand_by: Callable[[], Awaitable[bool]] | None = None,
    tally: Tally | None = None,
) -> AsyncGenerator[None]:
    """`stand_by`: whether this process is to work at present, in place of a control process."""
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            await engine.create_pool(config.login_url("control"), max_size=4)
        )
        store = PostgresWebhooks(pool, config.secret_keys)
        pace = LOCAL_PACE if config.local and stand_by is None else loop.PACE
        leads = stand_by or wiring.always
        webhooks = Webhooks(store, courier(config, store), leads, pace=pace, news=news, tally=tally)
        await stack.enter_async_context(wiring.running(webhooks.run(stop), stop))
        yield


def _message_id(delivery: int) -> str:
    return ses_door_ids.encode(ids.message_of(delivery))
