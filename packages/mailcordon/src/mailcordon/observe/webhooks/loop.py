"""Sends what waits in the outbox: each endpoint with something due gets a worker of its own.

It runs in every control process, and in the API for as long as none reports. An endpoint is leased to one process, for a minute
at a time. What a process sent and did not record before it died is sent again, with the same id.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from mailcordon.core.clock import boot_time
from mailcordon.core.news import News, no_news
from mailcordon.core.pace import Pace, steady
from mailcordon.observe.alerts.ports import NotDelivered
from mailcordon.observe.repeating import repeat
from mailcordon.observe.webhooks import plan
from mailcordon.observe.webhooks.nouns import Endpoint, Message, Result
from mailcordon.observe.webhooks.ports import Courier, Line, WebhookStore
from mailcordon.observe.webhooks.tally import Tally

_LOG = logging.getLogger(__name__)
#: A message leaves about a second after what it tells of. Whatever is written may put one into the outbox.
PACE = Pace(quick=1.0, other=1.0, slow=5.0)
ENDPOINTS = 100  #: that are served at a time: so many slow ones delay nobody
REQUESTS = 8  #: under way to one endpoint
#: Seconds in which a worker begins requests. The last one ends 10 s later, within the lease.
TURN = 40.0
TIDY_EVERY = 60.0


class Webhooks:
    """`leads`: whether this process is to work at present."""

    def __init__(
        self,
        store: WebhookStore,
        courier: Courier,
        leads: Callable[[], Awaitable[bool]],
        *,
        pace: Pace = PACE,
        news: News | None = None,
        turn: float = TURN,
        tally: Tally | None = None,
    ) -> None:
        self._store = store
        self._courier = courier
        self._leads = leads
        self._pace = pace
        self._news = news or no_news()
        self._turn = turn
        self._tally = tally or Tally()
        self._workers: set[asyncio.Task[None]] = set()

    async def round(self) -> None:
        """Sends what is due, and waits until it is sent."""
        await self.begin()
        while self._workers:
            await asyncio.gather(*self._workers)

    async def begin(self) -> int:
        """As `round`, without waiting. Returns how many endpoints get something."""
        free = ENDPOINTS - len(self._workers)
        endpoints = await self._store.lease(free) if free > 0 else ()
        for endpoint in endpoints:
            task = asyncio.create_task(self._serve_or_log(endpoint), name=f"webhook {endpoint.name}")
            self._workers.add(task)
            task.add_done_callback(self._workers.discard)
        return len(endpoints)

    async def _serve_or_log(self, endpoint: Endpoint) -> None:
        try:
            await self._serve(endpoint)
        except Exception as error:  # it is leased: a later round goes on
            _LOG.warning("could not serve webhook %s: %s", endpoint.name, error or type(error).__name__)

    async def _serve(self, endpoint: Endpoint) -> None:
        until = boot_time() + self._turn
        served = endpoint
        while True:
            due = await self._store.due(served, plan.batch(served))
            results = await self._send(served, due, until) if due else []
            if not results:
                await self._store.release(served)
                return
            self._tally.count(served.name, results)
            after = plan.after_round(served, results, await self._store.now())
            again = await self._store.record(served, results, after)
            # One that was paused meanwhile is released too: it may be resumed before its lease is over.
            if again is None or after.next_at or boot_time() >= until:
                await self._store.release(served)
                return
            served = again

    async def _send(self, endpoint: Endpoint, due: Sequence[Message], until: float) -> list[Result]:
        """What became of those that were tried in time."""
        now = await self._store.now()
        results: list[Result] = []
        waiting = iter(due)

        async def send_some(line: Line) -> None:
            for message in waiting:
                results.append(await _sent(line, message, now))
                if boot_time() >= until or results[-1].gone:
                    return

        try:
            async with self._courier.line(endpoint) as line, asyncio.TaskGroup() as group:
                for _ in range(min(REQUESTS, len(due))):
                    group.create_task(send_some(line))
        except NotDelivered as failed:  # no address: nothing was sent
            return [Result(message=one, problem=str(failed)) for one in due[: plan.PROBE]]
        return results

    async def run(self, stop: asyncio.Event) -> None:
        """Returns soon after `stop` is set."""
        try:
            async with asyncio.TaskGroup() as group:
                for name, pace, duty in (
                    ("send webhooks", self._pace, self.begin),
                    ("tidy webhooks", steady(TIDY_EVERY), self.tidy),
                ):
                    group.create_task(repeat(name, self._news.loop(pace), duty, self._leads, stop, _LOG))
        finally:
            for worker in self._workers:
                worker.cancel()  # what arrived and is not recorded is sent again, with its id
            await asyncio.gather(*self._workers, return_exceptions=True)

    async def tidy(self) -> None:
        while await self._store.tidy():
            pass


async def _sent(line: Line, message: Message, now: int) -> Result:
    try:
        await line.send(message, now)
    except NotDelivered as failed:
        return Result(
            message=message, problem=str(failed), retry_after=failed.retry_after, gone=failed.is_gone
        )
    return Result(message=message)
