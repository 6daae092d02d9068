"""The loop of incidents: it asks all sources for their alarms, each second while something bad is counted, and records incidents.

One process of an installation does, the one whose session holds a lock. What it wrote last it remembers, so that a round without
news reads the open incidents and writes nothing; a process that takes over reads what is stored. A round is one transaction.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from mailcordon.core.news import News, Topic, no_news
from mailcordon.core.pace import Pace
from mailcordon.observe.incidents import judge as judging
from mailcordon.observe.incidents.book import Change, Incident, Kept, Stored
from mailcordon.observe.incidents.grouping import Found
from mailcordon.observe.incidents.judge import Facts
from mailcordon.observe.incidents.rules import Rules
from mailcordon.observe.incidents.sources import Sources
from mailcordon.observe.leading import NotLeading, rounds

_LOG = logging.getLogger(__name__)

#: A culprit is named within seconds. While nothing happens only time makes alarms; the session that leads must not be idle for
#: longer than 20 s (adapters/db/leading_session.py).
PACE = Pace(quick=1.0, other=5.0, slow=15.0)


class IncidentStore(Protocol):
    async def leads(self, *, stand_by: bool) -> bool:
        """Whether this process runs the loop; `stand_by`: only while no control process reports."""
        ...

    async def read(self, reopen_ms: int, kept: Sequence[int]) -> Stored:
        """Incidents that are open or closed within `reopen_ms`, and those with these numbers.

        Raises NotLeading if this process has lost the lock."""
        ...

    async def with_alarms(self) -> list[int]:
        """Incidents that have alarms which have not ended: those that are open, and some that a person closed."""
        ...

    async def held(self, incidents: Sequence[Incident]) -> Mapping[int, Kept]:
        """These incidents by number, with what they hold."""
        ...

    async def write(self, changes: Sequence[Change]) -> list[int] | None:
        """One transaction. Returns each change's incident. None, and nothing is written, if a person has closed one meanwhile.

        Raises NotLeading if this process has lost the lock."""
        ...

    async def close(self) -> None: ...


class Incidents:
    """`stand_by`: leads only while no control process reports."""

    def __init__(
        self, store: IncidentStore, sources: Sources, rules: Rules | None = None, *, stand_by: bool = False
    ) -> None:
        self._store = store
        self._sources = sources
        self._rules = rules or Rules()
        self._stand_by = stand_by
        self._kept: dict[int, Kept] = {}
        self._completed: int | None = None  #: the last round, while this process leads
        self._begins = True  #: it remembers nothing yet
        self._last: int | None = None  #: when the last round was that was written
        self._clock: int | None = None  #: the database's, as of the last round
        self._news = no_news()

    async def advance(self, *, ahead_ms: int = 0) -> bool:
        """One round. Returns whether this process leads. `ahead_ms`: as if it were so much later."""
        try:
            if not await self._store.leads(stand_by=self._stand_by):
                await self._forget()
                return False
            await self._round(ahead_ms)
            self._completed = self._clock
        except NotLeading:
            await self._forget()
            return False
        except BaseException:
            # Whether the round was written is not known.
            self._kept.clear()
            self._begins, self._last = True, None
            raise
        return True

    def document(self) -> dict[str, object]:
        """For the report of this process: when it last completed a round, by the database's clock; None: it does not lead."""
        return {"last_alarm_round": self._completed}

    async def run(self, news: News | None = None) -> None:
        """Until it is cancelled, whatever fails."""
        self._news = news or no_news()
        await rounds(
            "incidents",
            self.advance,
            lambda: any(one.incident.closed_at is None for one in self._kept.values()),
            self._news.loop(PACE, Topic.TROUBLE, Topic.CONTROL),
            _LOG,
        )

    async def close(self) -> None:
        await self._forget()
        await self._store.close()

    async def _forget(self) -> None:
        self._kept.clear()
        self._begins, self._last, self._clock, self._completed = True, None, None, None
        await self._sources.close()

    async def _round(self, ahead_ms: int) -> None:
        rules = self._rules
        if self._clock is None:
            self._clock = (await self._store.read(rules.reopen_ms, [])).now
        answers = await self._sources.ask(self._clock + ahead_ms)
        if self._begins:
            with_alarms = await self._store.with_alarms()
        else:
            with_alarms = [id for id, one in self._kept.items() if one.held]
        stored = await self._store.read(rules.reopen_ms, with_alarms)
        self._clock = stored.now
        await self._take(stored.incidents)
        self._begins = False
        changes = judging.judge(
            Facts(
                now=stored.now + ahead_ms,
                last=self._last,
                found=[Found(source=source, alarm=alarm) for source, alarm in answers.alarms],
                unread=answers.unread,
                kept=list(self._kept.values()),
                rules=rules,
            )
        )
        if not changes:
            self._last = stored.now + ahead_ms
            return
        ids = await self._store.write(changes)
        if ids is None:
            return  # the next round sees what the person did
        self._last = stored.now + ahead_ms
        self._news.tell({Topic.INCIDENTS})
        for id, change in zip(ids, changes, strict=True):
            after = dataclasses.replace(change.after.incident, id=id)
            self._kept[id] = dataclasses.replace(
                change.after, incident=after, written_at=stored.now + ahead_ms
            )
            for entry in change.entries:
                _LOG.warning("incident %d %s: %s", id, entry.what, entry.text)

    async def _take(self, incidents: Sequence[Incident]) -> None:
        """The rows as they are now; their alarms and actions from memory, or from the database for those that are new here."""
        new = [one for one in incidents if one.id not in self._kept]
        loaded: Mapping[int, Kept] = await self._store.held(new) if new else {}
        taken: dict[int, Kept] = {}
        for one in incidents:
            assert one.id is not None
            kept = self._kept.get(one.id) or loaded[one.id]
            if one.id in loaded:
                kept = dataclasses.replace(kept, is_partial=len(kept.listed) >= self._rules.most_alarms)
            taken[one.id] = dataclasses.replace(kept, incident=one)
        self._kept = taken
