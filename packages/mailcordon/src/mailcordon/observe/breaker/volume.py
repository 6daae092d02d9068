"""The watch over volume: lanes that send far more than they usually do, slowed or only told of (guard/volume.py).

It looks each minute at the lanes that have sent since its last look. What is usual is learned from the counters, without the
newest two days, and not learned further while a lane runs away.
"""

import asyncio
import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mailcordon.guard import volume
from mailcordon.guard.breaker.nouns import Level
from mailcordon.guard.counts import Delta
from mailcordon.guard.volume import Normal, Verdict
from mailcordon.messages import breaker as messages
from mailcordon.observe.breaker.intervals import is_due
from mailcordon.observe.breaker.ports import BreakerStore
from mailcordon.observe.breaker.records import MINUTE_MS, Kept, Sent, Watched

SIGNAL = "volume"
HOUR_MS = 60 * MINUTE_MS
LEARNED_FROM = 13 * 24  #: hours; the counters have 14 days of them
LEARN_AT_ONCE = 40  #: lanes in a look
LOOK_AT_ONCE = 500  #: lanes in a look
_AGAIN = 6  #: hours after which what is usual is learned anew
_DAY = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    new: Sequence[Kept]
    over: Sequence[Kept]  #: lanes whose volume is usual again


class VolumeWatch:
    def __init__(self, store: BreakerStore) -> None:
        self._store = store
        self._normals: dict[int, tuple[int, Normal]] = {}  #: with the hour in which it was learned
        self._mailed: dict[int, int] = {}  #: lanes that have sent since they were looked at, with how much

    def note(self, deltas: Iterable[Delta], lanes: Iterable[int] = ()) -> None:
        """What was sent. `lanes`: to be looked at in any case."""
        for lane in lanes:
            self._mailed.setdefault(lane, 0)
        for one in deltas:
            if one.sent > 0:
                self._mailed[one.lane] = self._mailed.get(one.lane, 0) + one.sent

    async def look(self, now: int, lanes: Mapping[int, Watched], open_: Sequence[Kept]) -> Found:
        """`open_`: the decisions about volume that last. Of many lanes those that have sent the most are looked at first, since a
        runaway is one of them."""
        hour = now // HOUR_MS
        before = {one.lane: one for one in open_}
        others = [lane for lane in self._mailed if lane in lanes and lane not in before]
        mailed = self._mailed
        chosen = [*before, *heapq.nlargest(LOOK_AT_ONCE, others, key=mailed.__getitem__)]
        looked_at = set(chosen)
        self._mailed = {lane: n for lane, n in mailed.items() if lane in lanes and lane not in looked_at}
        for lane in [lane for lane, (at, _) in self._normals.items() if is_due(hour, at, _AGAIN)]:
            if lane not in before:
                del self._normals[lane]
        if not chosen:
            return Found(new=(), over=())
        # Older hours are read only of lanes whose usual volume is not known.
        sent = await self._store.sent(chosen, hour - volume.LOOK_BACK + 1, least=volume.FLOOR)
        unknown = [lane for lane in chosen if lane in sent and lane not in self._normals]
        for lane in unknown[LEARN_AT_ONCE:]:
            self._mailed[lane] = mailed.get(lane, 0)
        learned = await self._store.sent(
            unknown[:LEARN_AT_ONCE], hour - volume.LOOK_BACK - LEARNED_FROM, least=0
        )
        for lane, counts in learned.items():
            until = hour - volume.LOOK_BACK
            if lane in before:
                until = min(until, before[lane].since // HOUR_MS)
            self._normals[lane] = (hour, _normal(lanes[lane], counts, until))
            await asyncio.sleep(0)  # a few milliseconds each
        new: list[Kept] = []
        over: list[Kept] = [one for lane, one in before.items() if lane not in sent]
        for lane, counts in sent.items():
            if lane not in self._normals:
                continue
            await asyncio.sleep(0)
            normal = self._normals[lane][1]
            verdict = _judged(normal, counts, hour)
            if lane in before:
                if verdict is None:
                    over.append(before[lane])
            elif verdict is not None and verdict.runaway:
                new.append(_kept(lanes[lane], normal, verdict, now))
        if new:
            # A person who has ended such a decision is obeyed for a day; then what left around that day is usual.
            spoken = await self._store.spoken(now - _DAY * HOUR_MS)
            new = [one for one in new if (one.lane, SIGNAL) not in spoken]
        return Found(new=new, over=over)

    def forget(self, lane: int) -> None:
        """A lane that is gone, or whose volume a person said is normal."""
        self._normals.pop(lane, None)


def _normal(lane: Watched, sent: Sent, until: int) -> Normal:
    """`until`: the hour after the last that is learned from."""
    first = until - LEARNED_FROM
    if lane.facts.since is not None:
        first = max(first, lane.facts.since * MINUTE_MS // HOUR_MS)
    counts = [sent.hours.get(hour, 0) for hour in range(first, until)]
    return volume.learn(counts, until, planned=max(sent.allowed, sent.largest_day))


def _judged(normal: Normal, sent: Sent, hour: int) -> Verdict | None:
    """None: the volume is usual, announced, or so small that it is never a runaway."""
    recent = [sent.hours.get(one, 0) for one in range(hour - volume.LOOK_BACK + 1, hour + 1)]
    if sum(recent[-_DAY:]) <= max(volume.FLOOR, volume.MARGIN * sent.allowed):
        return None
    return volume.judge(normal, recent, hour)


def _kept(lane: Watched, normal: Normal, verdict: Verdict, now: int) -> Kept:
    shadow = normal.hours is None
    return Kept(
        id=0,
        tenant=lane.facts.tenant,
        lane=lane.facts.lane,
        part="",
        signal=SIGNAL,
        half="relative",
        level=Level.THROTTLE,
        mode=lane.mode("relative"),
        at=now,
        since=verdict.since * HOUR_MS,
        seen=messages.volume_seen(
            of=lane.name,
            sent=verdict.mails,
            usual=verdict.usual,
            since=verdict.since * HOUR_MS,
            by="hours" if not shadow else "days" if normal.learned else "new",
        ),
        rate=_rate(normal, now),
        document={
            "nats": round(verdict.nats, 2),
            "threshold": round(volume.THROTTLE, 2),
            "mails": verdict.mails,
            "usual": round(verdict.usual, 2),
            "shadow": shadow,
        },
    )


def _rate(normal: Normal, now: int) -> float:
    """Mails a second: what is never a runaway in the busiest hour of the coming day."""
    busiest = 0.0
    if normal.hours is not None:
        hour = now // HOUR_MS
        busiest = max(normal.hours[one % volume.WEEK_HOURS] for one in range(hour, hour + _DAY))
    return max(volume.FLOOR / _DAY, volume.MARGIN * busiest) / 3600
