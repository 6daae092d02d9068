"""The loop of incidents in a process of its own, for tests that kill it: `python -m mailcordon_fixtures.incident_loop DSN`.

It finds the alarm `a`, worse than before, and the new alarm `b`.
"""

import asyncio
import sys
from collections.abc import Sequence

from mailcordon.adapters.db.incident_store import IncidentStore
from mailcordon.core.incident import Alarm
from mailcordon.observe.incidents.loop import Incidents
from mailcordon.observe.incidents.sources import Source, Sources
from mailcordon_fixtures.incidents import SET, alarm


async def read() -> Sequence[Alarm]:
    return [alarm("a", severity="critical"), alarm("b")]


if __name__ == "__main__":
    loop = Incidents(IncidentStore(sys.argv[1]), Sources([Source(name=SET, read=read)]))
    asyncio.run(loop.run())
