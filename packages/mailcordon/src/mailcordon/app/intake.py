"""What takes mail in a role process with doors: the same whichever protocol the doors speak."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from mailcordon.adapters.db.accept_store import AcceptStore
from mailcordon.adapters.db.engine import Pool
from mailcordon.adapters.db.installation import Installation
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.app import key_uses, wiring
from mailcordon.config import Config
from mailcordon.control.key_cache import KeyCache
from mailcordon.core.clock import boot_time
from mailcordon.door.buckets import Buckets
from mailcordon.door.facts import DoorFacts
from mailcordon.door.reads import Reads
from mailcordon.send.accept import Accept


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    accept: Accept  #: its `run` is the caller's to start
    key_store: KeyStore
    keys: KeyCache
    buckets: Buckets
    reads: Reads
    facts: DoorFacts


@contextlib.asynccontextmanager
async def opened(
    config: Config, installation: Installation, keys: Pool, stop: asyncio.Event
) -> AsyncGenerator[Taking]:
    """`keys`: connections to look up keys with."""
    async with contextlib.AsyncExitStack() as stack:
        store, large_store = (AcceptStore(config.login_url("send")) for _ in range(2))
        stack.push_async_callback(store.close)
        stack.push_async_callback(large_store.close)
        key_store = KeyStore(keys)
        cache = KeyCache(key_store)
        await stack.enter_async_context(key_uses.written(cache, key_store))
        facts = DoorFacts()
        table = await stack.enter_async_context(wiring.provider_table(config, stop))
        accept = Accept(
            store,
            installation.hash_key,
            _host_ms,
            cache.invalidate,
            local=config.local,
            links=config.unsubscribe_url is not None,
            large=large_store,
            pending=config.pending,
            refused=facts.refuse,
            provider_of=table.of,
        )
        # The thread that parses large messages gives way to the event loop after 0.5 ms, not after 5.
        sys.setswitchinterval(0.0005)
        yield Taking(
            accept=accept,
            key_store=key_store,
            keys=cache,
            buckets=Buckets(config.key_rates, config.tenant_rates, facts.refuse),
            reads=Reads(config.reads, facts.refuse),
            facts=facts,
        )


def _host_ms() -> int:
    return int(boot_time() * 1000)
