"""The `dispatch` role: takes turns and sends."""

import asyncio
import contextlib
from collections.abc import Iterator

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.clearing_store import ClearingStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.proving_store import ProvingStore
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.adapters.db.settle_store import SettleStore
from mailcordon.adapters.prometheus.samples import Sample
from mailcordon.adapters.ses.httptools_transport import HttptoolsTransport
from mailcordon.adapters.ses.send import SesSend
from mailcordon.app import dispatch_lineage, heartbeat, mac_keys, machine_metrics, unsubscribe, wiring
from mailcordon.app.credentials import credentials
from mailcordon.config import Config
from mailcordon.control.governor import Governor
from mailcordon.core.errors import Refused
from mailcordon.messages import observing
from mailcordon.send.dispatch import Dispatcher, Identity
from mailcordon.send.facts import DispatchFacts


async def run(config: Config, stop: asyncio.Event) -> None:
    """Takes turns and sends."""
    installation = await wiring.installation(config, "send")
    if installation.observe_only:
        raise Refused(observing.dispatch_refused(), code="observe-only")
    async with contextlib.AsyncExitStack() as stack:
        signing = await stack.enter_async_context(credentials(config, stop, "send"))
        transport = HttptoolsTransport(config.ses_endpoint or f"https://email.{config.region}.amazonaws.com")
        stack.push_async_callback(transport.close)
        governors = await stack.enter_async_context(
            await engine.create_pool(config.login_url("governor"), max_size=2)
        )
        ramp_ms = config.ramp_seconds * 1000
        queue = QueueStore(config.login_url("send"), ramp_ms=ramp_ms)
        stack.push_async_callback(queue.close)
        settle = SettleStore(config.login_url("send"))
        stack.push_async_callback(settle.close)
        clearing = ClearingStore(config.login_url("send"), ramp_ms=ramp_ms)
        stack.push_async_callback(clearing.close)
        proving = ProvingStore(config.login_url("send"))
        stack.push_async_callback(proving.close)
        identity = Identity(installation=installation.name, mac_key=installation.mac_key)

        def sign_with_the_newest() -> None:
            identity.mac_key = installation.mac_key

        await stack.enter_async_context(
            mac_keys.kept_fresh(installation, config, "send", sign_with_the_newest)
        )
        table = await stack.enter_async_context(wiring.provider_table(config, stop))
        lineage = await stack.enter_async_context(dispatch_lineage.lineage(config, governors))
        links = await stack.enter_async_context(unsubscribe.links(config, installation.hash_key))
        dispatcher = Dispatcher(
            store=queue,
            settle=settle,
            clearing=clearing,
            proving=proving,
            ses=SesSend(transport, host=transport.host, region=config.region, credentials=signing),
            governor=Governor(GovernorStore(governors)).stops,
            identity=identity,
            cell=config.cell,
            slots=config.call_slots,
            first_probe_ms=config.probe_seconds * 1000,
            provider_of=table.of,
            links=links,
            lineage=lineage,
        )
        facts = await stack.enter_async_context(
            machine_metrics.served(config, "dispatch", dispatcher.facts, lambda: _latency(dispatcher.latency))
        )
        async with heartbeat.beating("dispatch", config.login_url("send"), facts):
            await dispatcher.run(stop)


def _latency(facts: DispatchFacts) -> Iterator[Sample]:
    yield Sample("call_seconds", (), facts.call_seconds)
    for loop, seconds in facts.sent_seconds.items():
        yield Sample("accepted_to_sent_seconds", (loop,), seconds)
