"""What a quiet second of each source of alarms costs, with mail waiting in half of the lanes, and what the status costs."""

import asyncio
import dataclasses

from bench.guard_scale_parts.world import Figures, World
from mailcordon import config as configs
from mailcordon.adapters.db import engine
from mailcordon.adapters.db.status_reader import StatusReader
from mailcordon.app import incidents
from mailcordon.control import status
from mailcordon.core import ids

_SECONDS = 20


async def measure(world: World, tenants: int) -> Figures:
    found: dict[str, float] = {}
    await world.owner.execute(
        "insert into ready (lane, id, tenant, provider, hash) select l.id, $1::bigint + l.id * 64, l.tenant, 3, '\\x00'"
        " from lane l where l.id % 2 = 0",
        ids.first_of(await world.owner.fetchval("select now_ms()")),
    )
    await world.owner.execute("vacuum analyze")
    local = configs.read({configs.login_setting("control"): world.dsns["control"]}, "control")
    config = dataclasses.replace(local, ses="aws")  # which is asked less often
    pool = await engine.create_pool(world.dsns["control"], max_size=7)
    try:
        sources = incidents.sources(config, pool)
        for source in sources:  # the first time everything is read
            await source.read()
        for source in sources:
            with world.measured(found, f"{_SECONDS} reads of {source.name}"):
                for _ in range(_SECONDS):
                    await source.read()
                    await asyncio.sleep(1)
        with world.measured(found, "mailcordon status"):
            status.judge(await StatusReader(pool).facts())
    finally:
        await pool.close()
    return found
