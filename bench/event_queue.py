"""A local SES whose queue of events a bench fills from inside its process: all at once, or at a steady pace.

The queue is read over SQS's wire like any other. Putting a document on it costs a few microseconds, so its reader is what is
measured. Commands come over a Unix socket, one line of JSON each, and are answered with one.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop

from bench.system import RATE, Failed, Ses, environment, process, python
from seslocal import server
from seslocal.state.queues import Queue
from seslocal.state.settings import Settings

QUEUE = "mailcordon-outcome"
TICK = 0.005  #: seconds between two puts at a steady pace
_MOST = 5_000_000  #: messages
_CONNECTIONS = 20_000


class _Filled:
    def __init__(self, local: server.Local) -> None:
        self._local = local
        self._documents: list[str] = []

    @property
    def _queue(self) -> Queue:
        return self._local.account.queues.ensure(QUEUE)

    async def answer(self, asked: dict[str, Any]) -> object:
        match asked["do"]:
            case "left":
                return len(self._queue.messages)
            case "peek":
                return [message.body for message in self._queue.messages.values()]
            case "load":
                self._documents = Path(asked["file"]).read_text().splitlines()
                gc.collect()
                gc.freeze()
                return len(self._documents)
            case "fill":
                for document in self._documents:
                    self._queue.put(document)
                gc.collect()
                gc.freeze()
                return len(self._documents)
            case "pace":
                return await self._pace(asked["rate"])
            case unknown:
                raise ValueError(unknown)

    async def _pace(self, rate: float) -> list[tuple[int, float]]:
        """Returns how many documents had been put, and the time before each put, in seconds since 1970."""
        queue, documents, done = self._queue, self._documents, 0
        puts: list[tuple[int, float]] = []
        began = time.perf_counter()
        while done < len(documents):
            due = min(len(documents), int((time.perf_counter() - began) * rate) + 1)
            puts.append((done, time.time()))
            for document in documents[done:due]:
                queue.put(document)
            done = due
            await asyncio.sleep(TICK)
        return puts


async def _serve(ready: Path, commands: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    local = await server.start(settings=Settings(rate=RATE, quota=-1, queue_most=_MOST, ledger=10_000))
    filled = _Filled(local)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(json.dumps(await filled.answer(json.loads(line))).encode() + b"\n")
                await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(connected, commands):
        ready.write_text(json.dumps({"url": local.url}))
        await stop.wait()
    await local.close()


class EventQueue:
    """The bench's side: the queue in the other process."""

    def __init__(self, commands: Path, ses: Ses) -> None:
        self._commands = commands
        self.ses = ses

    async def left(self) -> int:
        """Messages that are not deleted yet."""
        return await self._ask(do="left")

    async def peek(self) -> list[str]:
        return await self._ask(do="peek")

    async def load(self, documents: Path) -> int:
        """Reads documents, one a line, without putting them on the queue."""
        return await self._ask(do="load", file=str(documents))

    async def fill(self) -> int:
        """Puts all loaded documents on the queue."""
        return await self._ask(do="fill")

    async def pace(self, rate: float) -> list[tuple[int, float]]:
        """Puts the loaded documents on the queue at this pace. Returns numbers of documents and the times, in seconds since 1970,
        at which those that follow were put."""
        return await self._ask(do="pace", rate=rate)

    async def _ask(self, **command: object) -> Any:
        reader, writer = await asyncio.open_unix_connection(self._commands, limit=1 << 28)
        try:
            writer.write(json.dumps(command).encode() + b"\n")
            answer = await reader.readline()
            if not answer:
                raise Failed("the local SES of the bench ended")
            return json.loads(answer)
        finally:
            writer.close()


@contextlib.contextmanager
def started(home: Path) -> Iterator[EventQueue]:
    ready, commands = home / "seslocal.json", home / "queue.sock"
    command = [*python("bench.event_queue"), "--ready-file", str(ready), "--commands", str(commands)]
    with process(command, home / "seslocal.log", environment(), ready) as running:
        yield EventQueue(commands, Ses(json.loads(ready.read_text())["url"], running.pid))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ready-file", type=Path, required=True)
    parser.add_argument("--commands", type=Path, required=True)
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE,
        (_CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, _CONNECTIONS), hard),
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(given.ready_file, given.commands))


if __name__ == "__main__":
    main()
