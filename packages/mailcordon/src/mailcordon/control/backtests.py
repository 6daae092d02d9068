"""Back-tests: what a document of a policy would have done to the mail of the last weeks (docs/policy.md). Nothing is stored."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from mailcordon.control import own_process
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
    return await own_process.run(
        backtest_job.run,
        record,
        name="mailcordon back-test",
        most_seconds=MOST_SECONDS,
        too_slow=messages.took_too_long(),
        died=messages.died(),
    )


def too_much(rows: int) -> Invalid:
    return Invalid(Fault("minutes", messages.too_much(rows)))
