"""Back-tests: what a document of a policy would have done to the mail of the last weeks (docs/policy.md). Nothing is stored."""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Mapping
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from mailcordon.core.errors import Fault, Invalid, Unavailable
from mailcordon.core.priority import Class
from mailcordon.guard import backtest_job
from mailcordon.guard.backtest_job import Answer, Record
from mailcordon.guard.policy import check, layers
from mailcordon.guard.policy import document as documents
from mailcordon.guard.policy.check import Known
from mailcordon.guard.policy.effective import Explained
from mailcordon.messages import backtests as messages

MOST_DAYS = 60  #: hours are kept for 90, and the breaker needs some before the first
MOST_SECONDS = 600.0  #: in a process of its own
Explain = Callable[[str, str, Class], Explained]  #: slug, type and class of a lane
Runner = Callable[[Record], Awaitable[Answer]]


class BacktestStore(Protocol):
    async def known(self) -> Known: ...

    async def record(self, explain: Explain, *, tenant: int | None, minutes: int) -> Record:
        """Of the last so many minutes. Raises Invalid if it is too much."""
        ...


class Backtests:
    """`run`: in another process, since it is much work; tests run it where they are."""

    def __init__(self, store: BacktestStore, run: Runner | None = None) -> None:
        self._store = store
        self._run = run or in_a_process
        self._one = asyncio.Lock()

    async def test(
        self, document: Mapping[str, Any], *, tenant: int | None, minutes: int
    ) -> tuple[Record, Answer]:
        """Raises Invalid for a document that could not be applied, and Unavailable while another back-test runs."""
        if self._one.locked():
            raise Unavailable(messages.another_runs(), code="busy", retry_after=30)
        async with self._one:
            read = await asyncio.to_thread(_checked, document, await self._store.known())

            def explain(slug: str, type: str, class_: Class) -> Explained:
                return layers.effective(read, 0, slug, type, class_)

            record = await self._store.record(explain, tenant=tenant, minutes=minutes)
            return record, await self._run(record)


def _checked(document: Mapping[str, Any], known: Known) -> documents.PolicyDocument:
    read = documents.parse(document)
    check.check(read, known)
    return read


async def in_a_process(record: Record) -> Answer:
    """Raises Unavailable if it takes too long or dies. It ends with its caller, and when that is cancelled."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, record), daemon=True, name="mailcordon back-test")

    given_up = threading.Event()

    def work() -> Answer | None:
        try:
            process.start()  # pickles the record, which may be large
            sender.close()
            if given_up.is_set():  # while it started, when there was nothing to kill yet
                process.kill()
            return receiver.recv()
        except EOFError:
            return None
        finally:
            receiver.close()

    try:
        answer = await asyncio.wait_for(asyncio.to_thread(work), MOST_SECONDS)
    except TimeoutError:
        raise Unavailable(messages.took_too_long(), code="too-slow") from None
    finally:
        given_up.set()
        if process.pid is not None:
            process.kill()
    if answer is None:
        raise Unavailable(messages.died(), code="died")
    return answer


def _work(sender: Connection, record: Record) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: it ends with its caller
    threading.Thread(target=_end_with_caller, daemon=True).start()
    os.nice(10)  # mail comes first
    sender.send(backtest_job.run(record))
    sender.close()


def _end_with_caller() -> None:
    caller = multiprocessing.parent_process()
    assert caller is not None
    wait([caller.sentinel])
    os._exit(1)


def too_much(rows: int) -> Invalid:
    return Invalid(Fault("minutes", messages.too_much(rows)))
