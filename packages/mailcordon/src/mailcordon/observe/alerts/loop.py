"""Sends alerts and notices: each round plans what is to be told, and sends what is due.

It runs in control, and in the API for as long as no control process reports, so that a dead control is told too. Rounds of
several processes do no harm: planning takes a lock, and each message is leased to one process. A message whose process dies is
sent again with the same id, by which receivers drop copies.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

from mailcordon.core.news import News, Topic, no_news
from mailcordon.core.pace import Pace, steady
from mailcordon.observe.alerts import trouble
from mailcordon.observe.alerts.nouns import Due, DueNotice
from mailcordon.observe.alerts.ports import AlertStore, Courier, NotDelivered, NoticeStore
from mailcordon.observe.repeating import repeat

_LOG = logging.getLogger(__name__)
#: People are told within seconds of an incident. Reminders and second tries are due by time.
PACE = Pace(quick=1.0, slow=10.0)
#: A tenant is told within a minute.
NOTICES_PACE = Pace(quick=5.0, slow=20.0)
AT_ONCE = 32  #: messages under way
OF_ONE = 4  #: of these, to one channel: a receiver that does not answer delays no other
_RETIRED_EVERY = 600.0


class Alerts:
    """`now`: the time in milliseconds, as the store has it. `leads`: whether this process is to work at present."""

    def __init__(
        self,
        store: AlertStore,
        notices: NoticeStore,
        courier: Courier,
        now: Callable[[], Awaitable[int]],
        leads: Callable[[], Awaitable[bool]],
        *,
        notices_pace: Pace = NOTICES_PACE,
        news: News | None = None,
    ) -> None:
        self._store = store
        self._notices = notices
        self._courier = courier
        self._now = now
        self._leads = leads
        self._notices_pace = notices_pace
        self._news = news or no_news()
        self._under_way: dict[asyncio.Task[None], int] = {}  #: with the channel of each

    async def round(self) -> int:
        """Sends what is to be told now, and waits for it. Returns how many messages were tried."""
        begun = await self.begin()
        while self._under_way:
            await asyncio.gather(*self._under_way)
        return begun

    async def begin(self) -> int:
        """As `round`, without waiting: what is under way stays so, and other channels are told meanwhile."""
        await self._store.plan()
        counts = Counter(self._under_way.values())
        busy = [channel for channel, count in counts.items() if count >= OF_ONE]
        due = await self._store.due(AT_ONCE - len(self._under_way), of_one=OF_ONE, busy=busy)
        if due:
            now = await self._now()
            for one in due:
                task = asyncio.create_task(self._alert_or_log(one, now))
                self._under_way[task] = one.channel.id
                task.add_done_callback(self._under_way.pop)
        return len(due)

    async def _alert_or_log(self, due: Due, now: int) -> None:
        try:
            await self._alert(due, now)
        except Exception as error:  # it is leased: another round sends it again
            _LOG.warning("could not send %s: %s", due.message, error or type(error).__name__)

    async def notice_round(self) -> int:
        """Notices to tenants that are to be sent now."""
        await self._notices.plan()
        due = await self._notices.due(AT_ONCE)
        if due:
            now = await self._now()
            await asyncio.gather(*(self._notice_or_log(one, now) for one in due))
        return len(due)

    async def _alert(self, due: Due, now: int) -> None:
        lane = due.channel.lane
        if lane is not None:
            why = trouble.reason(due.incident, await self._store.lane_state(lane))
            if why is not None:
                await self._store.skipped(due, why)
                return
        try:
            await self._courier.deliver(due, now)
        except NotDelivered as failed:
            await self._store.failed(
                due, str(failed), retry_after=failed.retry_after, id_is_used=failed.id_is_used
            )
        else:
            await self._store.sent(due)

    async def _notice_or_log(self, notice: DueNotice, now: int) -> None:
        try:
            await self._notice(notice, now)
        except Exception as error:  # it is leased: another round sends it again
            _LOG.warning("could not send %s: %s", notice.message, error or type(error).__name__)

    async def _notice(self, notice: DueNotice, now: int) -> None:
        carrier = notice.contact.channel
        if carrier is not None and carrier.lane is not None:
            why = trouble.of_lane(await self._notices.lane_state(carrier.lane))
            if why is not None:  # it would be accepted, and wait
                await self._notices.failed(notice, why, retry_after=None, id_is_used=False)
                return
        try:
            await self._courier.tell(notice, now)
        except NotDelivered as failed:
            await self._notices.failed(
                notice, str(failed), retry_after=failed.retry_after, id_is_used=failed.id_is_used
            )
        else:
            await self._notices.sent(notice)

    async def run(self, stop: asyncio.Event) -> None:
        """Returns soon after `stop` is set."""
        try:
            await self._run(stop)
        finally:
            for task in self._under_way:
                task.cancel()  # what arrived and is not recorded is sent again, with its id
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            for name, pace, duty in (
                ("send alerts", PACE, self.begin),
                ("tell tenants", self._notices_pace, self.notice_round),
                ("forget contacts of retired tenants", steady(_RETIRED_EVERY), self._notices.forget_retired),
            ):
                rests = self._news.loop(pace, Topic.INCIDENTS, Topic.CONTROL)
                group.create_task(repeat(name, rests, duty, self._leads, stop, _LOG))
