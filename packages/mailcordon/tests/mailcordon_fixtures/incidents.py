"""The loop of incidents on a test's database, with alarms that the test sets or sources that it adds."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from mailcordon.adapters.db.incident_store import IncidentStore
from mailcordon.core.incident import Alarm, Kind, Scope, ScopeKind
from mailcordon.observe.incidents.loop import Incidents
from mailcordon.observe.incidents.rules import Rules
from mailcordon.observe.incidents.sources import Source, Sources
from mailcordon_fixtures.queue_world import World

SET = "alarms of the test"  #: the source of `alarms`


def alarm(key: str, **over: Any) -> Alarm:
    """An alarm with values that a test does not care about."""
    cause = over.get("cause", key)
    given: dict[str, Any] = {
        "key": key,
        "kind": Kind.STUCK,
        "cause": cause,
        "severity": "high",
        "scope": Scope(kind=ScopeKind.LANE, name="acme/newsletter"),
        "sentence": f"{key} is wrong",
        "next": "look at it",
        "since": 1_000,
    }
    return Alarm(**(given | over))


@dataclass
class IncidentWorld:
    """`round` runs one round; time passes only by `pass_ms`."""

    world: World
    rules: Rules = field(default_factory=Rules)
    alarms: list[Alarm] = field(default_factory=list[Alarm])
    sources: list[Source] = field(default_factory=list[Source])
    ahead_ms: int = 0
    loops: list[Incidents] = field(default_factory=list[Incidents])

    def new_loop(self, *, stand_by: bool = False, store: IncidentStore | None = None) -> Incidents:
        async def read() -> Sequence[Alarm]:
            return list(self.alarms)

        made = Incidents(
            store or IncidentStore(self.world.database.dsn("control")),
            Sources([Source(name=SET, read=read), *self.sources]),
            self.rules,
            stand_by=stand_by,
        )
        self.loops.append(made)
        return made

    async def round(self, *alarms: Alarm, pass_ms: int = 0) -> None:
        """One round that finds exactly these alarms, and those of `sources`."""
        self.alarms = list(alarms)
        self.ahead_ms += pass_ms
        loop = self.loops[-1] if self.loops else self.new_loop()
        assert await loop.advance(ahead_ms=self.ahead_ms), "another loop leads"

    async def open(self) -> list[dict[str, Any]]:
        rows = await self.world.connection.fetch("select * from incident where closed_at is null order by id")
        return [dict(row) for row in rows]

    async def all(self) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.world.connection.fetch("select * from incident order by id")]

    async def entries(self, incident: int) -> list[str]:
        """What is in the timeline, in its order."""
        rows = await self.world.connection.fetch(
            "select what from incident_entry where incident = $1 order by id", incident
        )
        return [row["what"] for row in rows]


@pytest.fixture
async def incidents(world: World) -> AsyncIterator[IncidentWorld]:
    found = IncidentWorld(world)
    yield found
    for loop in found.loops:
        await loop.close()
