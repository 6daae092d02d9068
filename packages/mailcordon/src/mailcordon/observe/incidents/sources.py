"""Where alarms come from. A source returns all its alarms as they are now; what it no longer returns has ended.

A source that fails, or does not answer in time, says nothing of its alarms: they stay as they were. If it lasts, it is an alarm.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from mailcordon.core.incident import SEVERITIES, Alarm, Kind, Scope, ScopeKind
from mailcordon.messages import incidents as messages

_LOG = logging.getLogger(__name__)

ANSWER_SECONDS = 0.8  #: a round does not wait longer for a source; its answer counts in a later one
UNREAD_MS = 30_000  #: a source that has not answered for so long is an alarm
#: A slow source is asked again after this though nothing was written: time alone changes its alarms over minutes, and who tells
#: of what is written may have missed something.
UNCHANGED_SECONDS = 60.0
MOST_OF_A_SOURCE = 10_000  #: alarms; the worst are taken
OWN = "incidents"  #: the name of the source for what is wrong with sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """`read` is called every second, never twice at a time. It should cost a few index reads while nothing is wrong."""

    name: str  #: in words and unique, e.g. "lost feedback"
    read: Callable[[], Awaitable[Sequence[Alarm]]]
    is_slow: bool = False  #: while nothing is written, time changes its alarms over minutes, so they need not be read each time


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What all sources say in one round."""

    alarms: Sequence[tuple[str, Alarm]]  #: with the name of the source
    unread: frozenset[str] = frozenset()  #: sources that have not answered: their alarms are unknown


@dataclass(slots=True)
class _State:
    task: "asyncio.Task[Sequence[Alarm]] | None" = None
    unread_since: int | None = None
    problem: str = ""
    asked_at: float = 0.0  #: by the clock of this process
    answer: Sequence[Alarm] | None = None  #: the last one; None: it failed


class Sources:
    """`quiet_seconds`: since the database was written, as far as is known; 0 where that is not known."""

    def __init__(self, sources: Sequence[Source], quiet_seconds: Callable[[], float] = lambda: 0.0) -> None:
        self._sources = sources
        self._quiet_seconds = quiet_seconds
        self._states = {source.name: _State() for source in sources}

    async def ask(self, now: int, *, seconds: float = ANSWER_SECONDS) -> Answers:
        """`now`: milliseconds since 1970."""
        for source in self._sources:
            state = self._states[source.name]
            if state.task is None and not self._is_unchanged(source, state):
                state.asked_at = time.monotonic()
                state.task = asyncio.create_task(_read(source), name=f"alarms: {source.name}")
        waiting = [state.task for state in self._states.values() if state.task is not None]
        if waiting:
            await asyncio.wait(waiting, timeout=seconds)
        alarms: list[tuple[str, Alarm]] = []
        unread: set[str] = set()
        for source in self._sources:
            state = self._states[source.name]
            found = state.answer if state.task is None else self._take(source.name, now)
            if found is None:
                unread.add(source.name)
            else:
                alarms += [(source.name, alarm) for alarm in found]
        alarms += [(OWN, alarm) for alarm in self._overdue(now)]
        return Answers(alarms=alarms, unread=frozenset(unread))

    async def close(self) -> None:
        tasks = [state.task for state in self._states.values() if state.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._states = {source.name: _State() for source in self._sources}

    def _is_unchanged(self, source: Source, state: _State) -> bool:
        age = time.monotonic() - state.asked_at
        return source.is_slow and state.answer is not None and self._quiet_seconds() > age < UNCHANGED_SECONDS

    def _take(self, name: str, now: int) -> Sequence[Alarm] | None:
        state = self._states[name]
        assert state.task is not None
        state.answer = None
        if not state.task.done():
            state.unread_since = state.unread_since or now
            state.problem = messages.source_slow()
            return None
        task, state.task = state.task, None
        if (error := task.exception()) is not None:
            problem = str(error) or type(error).__name__
            if state.problem != problem:
                _LOG.warning("alarms of %s could not be read: %s", name, problem)
                _LOG.debug("traceback", exc_info=error)
            state.unread_since = state.unread_since or now
            state.problem = problem
            return None
        state.unread_since, state.problem = None, ""
        found = task.result()
        if len(found) > MOST_OF_A_SOURCE:
            found = sorted(found, key=lambda alarm: (SEVERITIES.index(alarm.severity), alarm.since))[
                :MOST_OF_A_SOURCE
            ]
        state.answer = found
        return found

    def _overdue(self, now: int) -> list[Alarm]:
        return [
            Alarm(
                key=f"source:{name}",
                kind=Kind.SERVICE,
                cause=f"source:{name}",
                severity="high",
                scope=Scope(kind=ScopeKind.PROCESS, name=name),
                sentence=messages.source_unread(source=name, problem=state.problem),
                next=messages.source_unread_next(),
                command="mailcordon status",
                since=state.unread_since,
                culprit=messages.source_culprit(source=name),
            )
            for name, state in self._states.items()
            if state.unread_since is not None and now - state.unread_since >= UNREAD_MS
        ]


async def _read(source: Source) -> Sequence[Alarm]:
    return await source.read()
