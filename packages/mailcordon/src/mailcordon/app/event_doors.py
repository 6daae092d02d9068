"""The doors for events that are pushed, as the API serves them (docs/events.md)."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from mailcordon.adapters.db.event_subscriptions import EventSubscriptions
from mailcordon.adapters.db.observe_store import ObserveStore
from mailcordon.adapters.http.event_doors import EventDoors
from mailcordon.adapters.ses import envelopes
from mailcordon.adapters.ses.feedback import Reader
from mailcordon.adapters.ses.sns_push import SnsConfirmer, SnsPush
from mailcordon.adapters.ses.sns_signature import Proof
from mailcordon.app import wiring
from mailcordon.config import Config
from mailcordon.control.key_cache import KeyCache
from mailcordon.core.installation import Installation
from mailcordon.door.reads import Reads
from mailcordon.observe.door import Door, DoorTotals


@contextlib.asynccontextmanager
async def open_doors(
    config: Config,
    installation: Installation,
    keys: KeyCache,
    reads: Reads,
    stop: asyncio.Event,
) -> AsyncGenerator[tuple[EventDoors, DoorTotals]]:
    """Each door has its own connection: a batch of Firehose must not delay what SNS sends."""
    totals = DoorTotals()
    async with contextlib.AsyncExitStack() as stack:
        doors: list[Door] = []
        for name in ("https", "firehose"):
            store = ObserveStore(config.login_url("observe"))
            stack.push_async_callback(store.close)
            door = Door(name, store, wiring.ingest(config, installation), totals)
            await stack.enter_async_context(wiring.running(door.run(), stop))
            doors.append(door)
        subscriptions = EventSubscriptions(config.login_url("observe"))
        stack.push_async_callback(subscriptions.close)
        yield (
            EventDoors(
                keys=keys,
                reads=reads,
                sns=SnsPush(wiring.signatures(config), config.topic_arns),
                confirmer=SnsConfirmer(config.sqs_endpoint if config.local else None),
                subscriptions=subscriptions,
                live=doors[0],
                bulk=doors[1],
                reader=Reader(Proof(config.topic_arns)),
                unwrap=envelopes.documents,
                totals=totals,
            ),
            totals,
        )
