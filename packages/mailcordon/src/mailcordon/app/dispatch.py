"""The `dispatch` role: takes turns and sends."""

import asyncio
import contextlib
from dataclasses import dataclass

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.adapters.db.settle_store import SettleStore
from mailcordon.adapters.ses.httptools_transport import HttptoolsTransport
from mailcordon.adapters.ses.send import SesSend
from mailcordon.app import heartbeat, wiring
from mailcordon.app.credentials import credentials
from mailcordon.config import Config
from mailcordon.control.governor import Governor
from mailcordon.core.hold import NewHold
from mailcordon.core.target import Target
from mailcordon.send.dispatch import Dispatcher, Identity


@dataclass(frozen=True, slots=True)
class SesHolds:
    """The data plane's way of asking the governor: SES itself has stopped a lane or a tenant."""

    governor: Governor

    async def hold_for_ses(self, *, tenant: int, lane: int | None, because: str) -> None:
        target = Target(tenant=tenant, lane=lane)
        await self.governor.place(
            NewHold(target=target, owner="ses", because=because), actor="dispatch", once=True
        )


async def run(config: Config, stop: asyncio.Event) -> None:
    """Takes turns and sends."""
    installation = await wiring.installation(config, "send")
    async with contextlib.AsyncExitStack() as stack:
        signing = await stack.enter_async_context(credentials(config, stop))
        transport = HttptoolsTransport(config.ses_endpoint or f"https://email.{config.region}.amazonaws.com")
        stack.push_async_callback(transport.close)
        governors = await stack.enter_async_context(
            await engine.create_pool(config.login_url("governor"), max_size=2)
        )
        queue = QueueStore(config.login_url("send"))
        stack.push_async_callback(queue.close)
        settle = SettleStore(config.login_url("send"))
        stack.push_async_callback(settle.close)
        dispatcher = Dispatcher(
            store=queue,
            settle=settle,
            ses=SesSend(transport, host=transport.host, region=config.region, credentials=signing),
            governor=SesHolds(Governor(GovernorStore(governors))),
            identity=Identity(installation=installation.name, mac_key=installation.mac_key),
            cell=config.cell,
            slots=config.call_slots,
        )
        async with heartbeat.beating("dispatch", config.login_url("send"), dispatcher.facts):
            await dispatcher.run(stop)
