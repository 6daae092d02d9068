"""A policy for every tenant: from none as after an upgrade, then one that changes all lanes, then its preview."""

import asyncio
import contextlib
import time
from typing import Any

from bench.guard_scale_parts.world import Figures, Longest, World
from mailcordon.adapters.db.policy_store import PolicyStore
from mailcordon.control.policies import Policies

#: What a claim does when it meets a campaign, and a release when it begins: it waits for the tenant's limits to be written.
_WAITS = "begin; select from limit_version where tenant = (select max(tenant) / 2 from lane) for no key update; commit"
CAPPED: dict[str, Any] = {
    "tiers": {
        "standard": {
            "caps": {
                "tenant": {"day": 50_000},
                "lane": {
                    "day": {"mails": 20_000, "mode": "enforce"},
                    "hour": {"mails": 5_000, "mode": "enforce"},
                },
            },
            "because": "a bench",
        }
    }
}


async def measure(world: World, tenants: int) -> Figures:
    found: dict[str, float] = {}
    store = PolicyStore(world.control)
    policies = Policies(store)
    with world.measured(found, "keep, lanes without a policy"):
        await policies.keep()
    with world.measured(found, "keep again"):
        await policies.keep()
    with world.measured(found, "plan a cap for all"):
        made = await policies.make(CAPPED, actor="bench")
    assert made.id is not None
    longest = Longest(world.dsns["control"], _WAITS)
    watch = asyncio.create_task(longest.watch())
    began = time.perf_counter()
    with world.measured(found, "apply it"):
        await policies.apply(made.id, actor="bench")
    found["apply it: s that passed"] = time.perf_counter() - began
    watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watch
    found["apply it: a claim waited at most s"] = longest.seconds
    caps = await world.owner.fetchval(
        "select count(*) from send_limit where owner = 'policy' and scope = 'tenant'"
    )
    assert caps == tenants, f"{caps} of {tenants} tenants have their cap"
    with world.measured(found, "preview one tenant's tier"):
        await policies.differences(
            {**CAPPED, "tenants": {"tenant-1": {"tier": "strict", "because": "asked"}}}
        )
    with world.measured(found, "apply one tenant's tier"):
        one = await policies.make(
            {**CAPPED, "tenants": {"tenant-1": {"tier": "strict", "because": "asked"}}}, actor="bench"
        )
        assert one.id is not None
        await policies.apply(one.id, actor="bench")
    return found
