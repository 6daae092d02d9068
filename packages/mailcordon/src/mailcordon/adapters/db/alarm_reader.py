"""The source of the alarms that the status knows of (control/alarms.py), as the control role.

It is asked every second. Each reading of the status has its own pace (status_reader.READINGS), so that a quiet second costs a few
index reads, whatever the number of lanes; and one that takes long is read less often. What cannot be read is judged as it was
read last, and is a problem if that lasts.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mailcordon.adapters.db import connection_pool, engine, queries, status_reader
from mailcordon.adapters.db.hold_row import hold_from_row
from mailcordon.control.alarms import Alarms, Others, Patience
from mailcordon.control.problem import Check
from mailcordon.control.status_facts import Facts, OpenHold, alive
from mailcordon.core.errors import Unavailable
from mailcordon.core.incident import Alarm
from mailcordon.observe.incidents.sources import UNCHANGED_SECONDS

_SQL = queries.load("alarm_reader.sql")
_SHARED = queries.load("shared.sql")
_TIMEOUT = 5.0  #: seconds for one statement
#: Mail that waited while no dispatcher reported leaves within this time after one does.
SILENCE_EXPLAINS_MS = 600_000
REST = 20  #: a reading rests so many times as long as it took, whether it failed or not
#: A process that has just begun says nothing for so long of what it could not read yet: the alarms of the one before stay.
FIRST_READ_MS = 60_000
AGAIN_SECONDS = 1.0  #: what failed is read again after this time, if it took no longer than that allows


class AlarmReader:
    def __init__(
        self,
        control: engine.Pool,
        patience: Patience | None = None,
        *,
        longest: float = 300.0,
        quiet_seconds: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`longest`: seconds that no facts are older than. `quiet_seconds`: since the database was written, as far as is known; 0
        where that is not known."""
        self._control = control
        self._longest = longest
        self._quiet_seconds = quiet_seconds
        self._alarms = Alarms(patience)
        self._known: dict[str, Any] = {}  # members of Facts
        self._tried_at: dict[int, int] = {}  # by place in READINGS, by the database's clock
        # By place: when the last reading began, by the clock of this process.
        self._read_at: dict[int, float] = {}
        self._rest: dict[int, float] = {}  # by place: milliseconds until it may be read again
        #: By place in READINGS: since when it fails, and why each check is unread.
        self._failing: dict[int, tuple[int, dict[Check, str]]] = {}
        self._succeeded: set[int] = set()  # by place: read at least once
        self._silent_at: int | None = None  # when no dispatcher reported last

    async def read(self) -> Sequence[Alarm]:
        """All alarms at present. Raises Unavailable, or what the driver raises for a database that cannot be reached."""
        async with connection_pool.acquire(self._control) as connection:
            now: int = await connection.fetchval(_SHARED.now, timeout=_TIMEOUT)
            await self._refresh(connection, now)
            if (why := self._never_read(now)) is not None:
                raise Unavailable(why)
            facts = self._facts(now)
            slugs = self._slugs(facts)
            others = Others(
                tenants=await self._tenants(connection, slugs),
                holds=await self._holds(connection, slugs),
                unread=self._unread(),
            )
        return self._alarms.of(facts, others)

    def forget_when_read(self) -> None:
        """Reads everything again with the next look."""
        self._tried_at.clear()

    async def _refresh(self, connection: engine.PooledConnection, now: int) -> None:
        for place, one in enumerate(status_reader.READINGS):
            if one.seconds is None or not self._is_due(place, one, one.seconds, now):
                continue
            began = self._read_at[place] = time.monotonic()
            found, unread = await status_reader.readings(connection, [one])
            self._rest[place] = REST * 1000 * (time.monotonic() - began)
            self._known.update(found)
            self._tried_at[place] = now
            if unread:
                since, _ = self._failing.get(place, (now, unread))
                self._failing[place] = (since, unread)
            else:
                self._succeeded.add(place)
                self._failing.pop(place, None)

    def _is_due(self, place: int, one: status_reader.Reading, seconds: float, now: int) -> bool:
        if place not in self._tried_at:
            return True
        if place in self._failing:
            seconds = AGAIN_SECONDS
        elif one.is_slow and self._quiet_seconds() > time.monotonic() - self._read_at[place]:
            seconds = UNCHANGED_SECONDS
        wait = max(min(seconds, self._longest) * 1000, self._rest[place])
        return abs(now - self._tried_at[place]) >= wait  # `abs`: the database's clock was set back

    def _never_read(self, now: int) -> str | None:
        """Why something could not be read since a short while ago, nor before."""
        for place, (since, checks) in self._failing.items():
            if place not in self._succeeded and now - since < FIRST_READ_MS:
                return next(iter(checks.values()))
        return None

    def _unread(self) -> dict[Check, tuple[int, str]]:
        return {
            check: (since, why) for since, checks in self._failing.values() for check, why in checks.items()
        }

    def _facts(self, now: int) -> Facts:
        facts = Facts(now=now, **self._known)
        if not alive(facts, "dispatch"):
            self._silent_at = now
        lately = self._silent_at is not None and abs(now - self._silent_at) <= SILENCE_EXPLAINS_MS
        return replace(facts, was_silent=lately)

    def _slugs(self, facts: Facts) -> list[str]:
        """Tenants that are named by what is wrong."""
        named = [
            *(one.tenant for one in facts.late),
            *(one.tenant for one in facts.stops),
            *(one.tenant for one in facts.losses),
            *(one.tenant for one in facts.findings),
            *(one.tenant for one in facts.ses_findings),
            *(one.tenant for one in facts.failing),
            *(one.tenant for one in facts.doubtful),
            *(one.tenant for one in facts.full),
            *(one.tenant for one in facts.lapsed),
        ]
        return sorted({slug for slug in named if slug is not None})

    async def _tenants(self, connection: engine.PooledConnection, slugs: list[str]) -> dict[str, int]:
        if not slugs:
            return {}
        rows = await connection.fetch(_SQL.tenant_numbers, slugs, timeout=_TIMEOUT)
        return {row["slug"]: row["id"] for row in rows}

    async def _holds(self, connection: engine.PooledConnection, slugs: list[str]) -> list[OpenHold]:
        if not slugs:
            return []
        rows = await connection.fetch(_SQL.open_holds, slugs, timeout=_TIMEOUT)
        found: list[OpenHold] = []
        for row in rows:
            hold = hold_from_row(row)
            found.append(
                OpenHold(id=hold.id, tenant=row["slug"], by=hold.by, sentence=hold.sentence, since=hold.since)
            )
        return found
