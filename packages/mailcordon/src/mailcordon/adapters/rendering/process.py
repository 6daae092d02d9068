"""The other end of child.py: one process renders for all who ask here, tenants in turn.

A template that takes too long or too much ends the process, and the next request starts another one. So a template can fail
itself and delay others by a second of computing time; it cannot stop this process, and not its event loop.
"""

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec

from mailcordon.adapters.rendering import child, wire
from mailcordon.core.errors import TooMuch, Unavailable
from mailcordon.core.rendering_fault import RenderingFault
from mailcordon.core.template import MOST_OUTPUT, Rendered, Source, Version
from mailcordon.core.turns import Bounds, Full, Turns
from mailcordon.messages import templates

#: A tenant can have a few batches under way (http/message_batch.py has 250 messages of each at once).
BOUNDS = Bounds(items_each=1000, items=4000, bytes_each=8 * 1024 * 1024, bytes=32 * 1024 * 1024)
WAIT_SECONDS = 10.0  #: for an answer, on a machine that has no CPU to give
_LONGEST_ANSWER = 8 * (MOST_OUTPUT + 1024 * 1024)  #: bytes

_decode = msgspec.msgpack.Decoder(wire.Answer).decode


@dataclass(slots=True, eq=False)
class _Asked:
    request: wire.Request
    version: Version | None
    done: asyncio.Future[wire.Answer] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class _Ended(Exception):
    """The process ended while it worked."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class RenderingProcess:
    """Used in `running`."""

    def __init__(self) -> None:
        self._waiting: Turns[_Asked] = Turns(BOUNDS)
        self._arrived = asyncio.Event()
        self._process: Process | None = None
        self._served = 0  #: requests of this process
        self._closed = False
        self.ended = 0  #: processes that a template ended

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return None if self._process is None else self._process.pid

    async def compile(self, owner: Hashable, source: Source) -> str | None:
        """The HTML that MJML becomes, None without MJML. Raises RenderingFault for what is not well-formed, and as `render`."""
        answer = await self._ask(owner, _Asked(wire.Compile(wire.sources(source, None)), None), source.size)
        assert isinstance(answer, wire.Compiled)
        return answer.html

    async def render(self, owner: Hashable, version: Version, data: bytes, *, keep: bool = True) -> Rendered:
        """`owner` has a turn. `data` is a JSON object. `keep`: the version is stored, so its number says what it is.

        Raises RenderingFault, TooMuch if the owner has too much waiting, Unavailable if all have or nothing renders."""
        sources = None if keep else wire.of_version(version)
        request = wire.Render((version.id, version.version), data, sources, keep)
        size = len(data) + (0 if keep else version.source.size)
        answer = await self._ask(owner, _Asked(request, version), size)
        assert isinstance(answer, wire.Content)
        return Rendered(answer.subject, answer.text, answer.html)

    async def _ask(self, owner: Hashable, asked: _Asked, size: int) -> wire.Answer:
        if self._closed:
            raise Unavailable(templates.nothing_renders())
        full = self._waiting.put(owner, asked, size)
        if full is Full.OWNER:
            raise TooMuch(templates.too_many_wait(), code="too-many-requests")
        if full is not None:
            raise Unavailable(templates.nothing_renders(), code="busy")
        self._arrived.set()
        answer = await asked.done
        if isinstance(answer, wire.Failed):
            raise RenderingFault(answer.part, answer.problem, line=answer.line, variable=answer.variable)
        return answer

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["RenderingProcess"]:
        """The process itself starts with the first request."""
        worker = asyncio.create_task(self._work())
        try:
            yield self
        finally:
            self._closed = True
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            for asked in self._waiting.take(len(self._waiting), self._waiting.bytes):
                _fail(asked, Unavailable(templates.nothing_renders()))
            await self._end()

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while taken := self._waiting.take(1, 0):
                [asked] = taken
                if asked.done.done():
                    continue
                try:
                    answer = await self._answer(asked)
                except asyncio.CancelledError:
                    _fail(asked, Unavailable(templates.nothing_renders()))
                    raise
                except Exception as problem:
                    await self._end()
                    if not isinstance(problem, TimeoutError | OSError | EOFError | Unavailable | _Ended):
                        _fail(asked, problem)
                        continue
                    _fail(asked, Unavailable(templates.nothing_renders()))
                else:
                    if not asked.done.done():
                        asked.done.set_result(answer)

    async def _answer(self, asked: _Asked) -> wire.Answer:
        """A process that ended while it was idle, or that others had filled, is no fault of this request: it gets a new one."""
        for _ in range(2):
            fresh = self._process is None or self._served == 0
            try:
                return await self._exchange(asked)
            except _Ended as ended:
                if ended.code == -signal.SIGPROF:
                    return _failed(templates.took_too_long(child.CPU_SECONDS))
                if fresh and ended.code in _CRASHES:
                    return _failed(templates.needs_too_much_memory(child.MEMORY // (1024 * 1024)))
        raise Unavailable(templates.nothing_renders())

    async def _exchange(self, asked: _Asked) -> wire.Answer:
        answer = await self._once(asked.request)
        if isinstance(answer, wire.Unknown):
            assert isinstance(asked.request, wire.Render)
            assert asked.version is not None
            with_sources = wire.Render(
                asked.request.key, asked.request.data, wire.of_version(asked.version), keep=True
            )
            answer = await self._once(with_sources)
        self._served += 1
        return answer

    async def _once(self, request: wire.Request) -> wire.Answer:
        process = self._process or await self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                process.stdin.write(wire.framed(request))
                await process.stdin.drain()
                head = await process.stdout.readexactly(wire.LENGTH)
                length = int.from_bytes(head, "big")
                if length > _LONGEST_ANSWER:
                    raise EOFError
                return _decode(await process.stdout.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            code = await process.wait()
            self.ended += 1
            self._process = None
            raise _Ended(code) from None

    async def _start(self) -> Process:
        # A cancelled create_subprocess_exec can wait for ever for a process that it leaves running (CPython 3.11).
        made = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-m", child.__name__),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,  # what a library says when it fails may quote data
                env={"LANG": "C.UTF-8"},
            )
        )
        try:
            process = await asyncio.shield(made)
        except asyncio.CancelledError:
            self._process = await made
            raise
        self._process, self._served = process, 0
        return process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


_CRASHES = (
    child.CRASHED,
    *(-one for one in (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGTRAP)),
)


def _failed(problem: str) -> wire.Failed:
    """Which line it was, the process took with it."""
    return wire.Failed(None, problem, None, None)


def _fail(asked: _Asked, problem: Exception) -> None:
    if not asked.done.done():
        asked.done.set_exception(problem)
