"""Live figures: one reader for all who watch, which sends each of them the pieces of the page that have changed.

It reads only while somebody watches. All watchers get the same, so only people who may read the whole platform watch.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from typing import Any

import msgspec
import structlog

from mailcordon.core.errors import Unavailable
from mailcordon.messages import dashboard as messages

EVERY = 2.0  #: seconds between two reads
_SHARE = 0.05  #: of the time, at most, is spent on reading: a slow database is asked less often
MOST = 200  #: who watch at once, in one process
_SLOWEST = 60.0  #: seconds between two reads of a database that is slow
_FRESH = 3.0  #: seconds for which what was read is shown to whoever opens the page
_HEARTBEAT = (
    15.0  #: seconds of silence after which a comment is sent, so that no proxy takes the connection for dead
)
_CHECK = 20.0  #: seconds between two looks whether a viewer may still read
_PROBLEM = "problem"  #: the piece that says that nothing could be read

#: What the pieces of the page are made of, by their names.
Figures = Mapping[str, Any]

_log = structlog.get_logger("mailcordon.dashboard")


class Live:
    """Runs in one event loop. `read` reads all figures; `render` makes the HTML of one piece; `stop` ends all streams."""

    def __init__(
        self,
        read: Callable[[], Awaitable[Figures]],
        render: Callable[[str, Any], str],
        stop: asyncio.Event,
        *,
        every: float = EVERY,
        most: int = MOST,
        heartbeat: float = _HEARTBEAT,
        check: float = _CHECK,
    ) -> None:
        self._read = read
        self._render = render
        self._stop = stop
        self._every = every
        self._most = most
        self._heartbeat = heartbeat
        self._check = check
        self._figures: Figures = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._versions: dict[str, str] = {}
        self._pieces: dict[str, str] = {}  #: as lines of an event: written once, not for each viewer
        self._round = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None
        self.viewers = 0

    async def figures(self) -> Figures:
        """At most some seconds old. Raises what the API raises."""
        async with self._reading:
            if asyncio.get_running_loop().time() - self._read_at > _FRESH:
                await self._take()
            return self._figures

    @property
    def known(self) -> str:
        """The versions of what `figures` returned, for a stream that begins there."""
        return ",".join(self._versions.values())

    async def stream(
        self, may_read: Callable[[], Awaitable[bool]], known: Collection[str] = ()
    ) -> AsyncGenerator[str]:
        """Server-sent events, until the viewer leaves, may read no more, or the process stops. Pieces of a known version are not
        sent. Raises Unavailable if too many watch."""
        if self.viewers >= self._most:
            raise Unavailable(messages.too_many_viewers(self._most), code="too-many-viewers")
        self.viewers += 1
        try:
            if self._reader is None or self._reader.done():
                self._reader = asyncio.create_task(self._run())
            loop = asyncio.get_running_loop()
            sent = {name: version for name, version in self._versions.items() if version in known}
            spoke = checked = loop.time()
            yield ": hello\n\n"
            while not self._stop.is_set():
                fresh = [name for name, version in self._versions.items() if sent.get(name) != version]
                if fresh:
                    sent.update({name: self._versions[name] for name in fresh})
                    spoke = loop.time()
                    # One unnamed message: the page swaps each piece by its id.
                    yield "".join([*(self._pieces[name] for name in fresh), "\n"])
                elif loop.time() - spoke > self._heartbeat:
                    spoke = loop.time()
                    yield ": still here\n\n"
                await self._next_round()
                if loop.time() - checked > self._check:
                    checked = loop.time()
                    if not await may_read():
                        return
        finally:
            self.viewers -= 1

    async def _next_round(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._every * 2), self._round:
                if not self._stop.is_set():
                    await self._round.wait()

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        while self.viewers and not self._stop.is_set():
            began = clock()
            try:
                async with self._reading:
                    await self._take()
                self._put(_PROBLEM, "")
            except Exception as error:  # viewers are told, and the next round tries again
                _log.warning("live figures could not be read", error=f"{type(error).__name__}: {error}")
                self._put(_PROBLEM, messages.live_stands_still())
            async with self._round:
                self._round.notify_all()
            with contextlib.suppress(TimeoutError):
                took = clock() - began
                await asyncio.wait_for(self._stop.wait(), max(self._every, min(took / _SHARE, _SLOWEST)))
        async with self._round:
            self._round.notify_all()

    async def _take(self) -> None:
        found = await self._read()
        self._figures, self._read_at = found, asyncio.get_running_loop().time()
        for name, value in found.items():
            self._put(name, value)

    def _put(self, name: str, value: Any) -> None:
        version = hashlib.sha256(name.encode() + msgspec.json.encode(value)).hexdigest()[:12]
        if self._versions.get(name) != version:
            self._pieces[name] = _data(self._render(name, value))
            self._versions[name] = version


def _data(html: str) -> str:
    return "".join(f"data: {line}\n" for line in html.splitlines())
