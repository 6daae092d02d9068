"""What a policy would have done to recorded mail: the same breaker and the same limits, fed with what was counted.

The record says what was offered and what became of it. Mail that the policy keeps does not leave at its minute; it leaves when it
may, and its feedback comes as long after that as it came after its own call. So what is decided later is decided about the mail
that would have left, not about the record. Deterministic: the same record and policy give the same answer.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from mailcordon.core.limit import Limit, Mode
from mailcordon.core.priority import CLASS_DEFAULTS
from mailcordon.core.provider import Provider
from mailcordon.guard import peers
from mailcordon.guard.breaker.engine import SILENT, Breaker
from mailcordon.guard.breaker.nouns import Decision, Dimension, LaneFacts, Level, Slice
from mailcordon.guard.counts import Delta, DomainDelta
from mailcordon.guard.peers import Peer

MINUTE = 60  #: seconds


class Change(NamedTuple):
    """A change of counts, and when it became known."""

    at: int  #: seconds since 1970
    delta: Delta | DomainDelta


@dataclass(frozen=True, slots=True, kw_only=True)
class BackLane:
    """A lane as the policy that is tested has it."""

    facts: LaneFacts
    slug: str
    mode: Mode  #: of the breaker: only `enforce` keeps mail

    @property
    def judged(self) -> LaneFacts:
        """For the engine, which goes by what is done about its decisions."""
        return replace(self.facts, past_in_shadow=self.mode is not Mode.ENFORCE)

    @property
    def name(self) -> str:
        return f"{self.slug}/{self.facts.type}"


class Mail(NamedTuple):
    """What tells mails of a lane apart in the counters."""

    lane: int
    campaign: str | None
    list: str | None
    provider: int


class Gate(Protocol):
    """The limits (guard/backtest_limits.py)."""

    def room(self, mail: Mail, at: int) -> tuple[int, Limit | None]:
        """How many mails may leave now, and the limit that says so; None: none does."""
        ...

    def count(self, mail: Mail, mails: int, at: int) -> Iterable[tuple[Limit, int]]:
        """Counts what leaves. Returns the limits in shadow mode that would have kept some of it, and how many."""
        ...


@dataclass(slots=True)
class Kept:
    """Mail that the policy would have kept."""

    mails: int = 0
    good: int = 0  #: of it, nobody bounced, complained or blocked it
    longest: int = 0  #: seconds until the last of it left
    waits: int = 0  #: still kept at the end of the record
    expired: int = 0  #: kept for longer than mail of its class is worth sending for


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A peer would have stopped the lane, or its tenant."""

    peer: Peer
    at: int  #: seconds since 1970
    events: int
    mails: int
    tenant_wide: bool


@dataclass(slots=True)
class LaneResult:
    lane: BackLane
    sent: int = 0  #: in the record
    bad: int = 0  #: bounced hard, complained about or blocked
    decisions: list[Decision] = field(default_factory=list[Decision])
    breaker: Kept = field(default_factory=Kept)
    limits: dict[int, tuple[Limit, Kept]] = field(
        default_factory=dict[int, tuple[Limit, Kept]]
    )  #: by id of the limit
    shadow: dict[int, tuple[Limit, int]] = field(default_factory=dict[int, tuple[Limit, int]])
    peers: list[Stopped] = field(default_factory=list[Stopped])

    def count(self, level: Level) -> int:
        return sum(not one.over and one.level is level for one in self.decisions)


@dataclass(slots=True)
class _Waiting:
    """Mail of one cohort that is kept."""

    mail: Mail
    offered: int  #: seconds since 1970
    size: int  #: mails
    because: Kept
    left: int = 0  #: mails that have left since
    #: By seconds after the offer; None: the last of it has left, and what comes is scheduled at once.
    feedback: list[tuple[int, Delta]] | None = field(default_factory=list[tuple[int, Delta]])
    left_at: int = 0


@dataclass(slots=True)
class _Cohort:
    """Mail of one minute of which some is kept."""

    offered: int
    waiting: list[_Waiting] = field(default_factory=list[_Waiting])
    carried: dict[tuple[str, int], float] = field(default_factory=dict[tuple[str, int], float])


_EVENTS = ("delivered", "hard_bounces", "complaints", "blocks", "delays", "opens")
_BAD = ("hard_bounces", "complaints", "blocks")
_Key = tuple[int, Mail]  #: minute, and the mail
_REMEMBER = 60  #: minutes in which a cohort may still grow


class Replay:
    """`gate`: the limits; None: there are none."""

    def __init__(
        self, lanes: Iterable[BackLane], gate: Gate | None = None, breaker: Breaker | None = None
    ) -> None:
        self.breaker = breaker or Breaker()
        self.results = {lane.facts.lane: LaneResult(lane) for lane in lanes}
        for result in self.results.values():
            self.breaker.lane(result.lane.judged)
        self._gate = gate
        self._minute: int | None = None
        self._offered: dict[int, dict[Mail, int]] = {}  #: of the last minutes
        self._cohorts: dict[_Key, _Cohort] = {}
        self._queues: dict[Mail, deque[_Waiting]] = {}  #: the oldest first
        self._later: list[tuple[int, int, Delta]] = []
        self._numbers = itertools.count()
        self._flow: dict[
            int, tuple[int, int, int]
        ] = {}  #: by lane: mails, minutes with mail, the last of them
        self._fractions: dict[int, float] = {}  #: of a mail, by lane, that may leave with the next

    def run(self, changes: Iterable[Change], until: int) -> Mapping[int, LaneResult]:
        """`changes` in the order of their times, which are before `until` (seconds since 1970)."""
        for at, group in itertools.groupby(changes, key=lambda change: change.at):
            self._advance(at)
            self._step(at, [change.delta for change in group])
        self._advance(until)
        for waiting in itertools.chain.from_iterable(self._queues.values()):
            waiting.because.waits += waiting.size - waiting.left
            waiting.because.longest = max(waiting.because.longest, until - waiting.offered)
        return self.results

    def _advance(self, at: int) -> None:
        """What happens up to a time and is not in the record: minutes pass, kept mail goes, and its feedback comes."""
        minute = at // MINUTE
        if self._minute is None:
            self._minute = minute
        while self._minute < minute:
            self._minute += 1
            begins = self._minute * MINUTE
            self._hear(begins - 1)
            self._decided(self.breaker.tick(self._minute))
            self._let_go(begins)
            self._offered.pop(self._minute - _REMEMBER, None)
        self._hear(at)

    def _hear(self, at: int) -> None:
        while self._later and self._later[0][0] <= at:
            moment = self._later[0][0]
            found: list[Delta] = []
            while self._later and self._later[0][0] == moment:
                found.append(heapq.heappop(self._later)[2])
            self._decided(self.breaker.observe(moment // MINUTE, found))

    def _step(self, at: int, deltas: Sequence[Delta | DomainDelta]) -> None:
        passed: list[Delta] = []
        domains: list[DomainDelta] = []
        for delta in deltas:
            if isinstance(delta, DomainDelta):
                # Of mail that was kept as well: which domain its bounces are at is not told apart.
                domains.append(delta)
                continue
            result = self.results.get(delta.lane)
            if result is None:
                continue
            result.sent += delta.sent
            result.bad += sum(getattr(delta, name) for name in _BAD)
            key = (delta.minute, Mail(delta.lane, delta.campaign, delta.list, delta.provider))
            out = self._offer(key, delta.sent, at, result)
            told = self._told(key, delta, at)
            if out or any(told[name] for name in _EVENTS):
                passed.append(delta._replace(sent=out, **told))
        if passed or domains:
            self._decided(self.breaker.observe(at // MINUTE, passed, domains))

    # What leaves -------------------------------------------------------------------------------------------------------

    def _offer(self, key: _Key, mails: int, at: int, result: LaneResult) -> int:
        """How many of the mails leave at once. A correction of the record, a negative number, passes."""
        minute, mail = key
        of_minute = self._offered.setdefault(minute, {})
        of_minute[mail] = of_minute.get(mail, 0) + mails
        if (cohort := self._cohorts.get(key)) is not None:
            cohort.offered += mails
        if mails <= 0:
            return mails
        all_mails, minutes, last = self._flow.get(mail.lane, (0, 0, -1))
        self._flow[mail.lane] = (all_mails + mails, minutes + (last != at // MINUTE), at // MINUTE)
        share = self._share(mail, at, result)
        out = self._part(mail.lane, mails * share) if share < 1 else mails
        if out < mails:
            self._keep(key, mails - out, at, result.breaker)
        if self._gate is not None and out:
            room, limit = self._gate.room(mail, at)
            if limit is not None and room < out:
                self._keep(key, out - room, at, result.limits.setdefault(limit.id, (limit, Kept()))[1])
                out = room
            self._leaves(mail, out, at, result)
        return out

    def _part(self, lane: int, mails: float) -> int:
        """A whole number of mails; the rest of a mail adds to the next."""
        total = self._fractions.get(lane, 0.0) + mails
        self._fractions[lane] = total - int(total)
        return int(total)

    def _leaves(self, mail: Mail, mails: int, at: int, result: LaneResult) -> None:
        if self._gate is None or mails <= 0:
            return
        for limit, kept in self._gate.count(mail, mails, at):
            result.shadow[limit.id] = (limit, result.shadow.get(limit.id, (limit, 0))[1] + kept)

    def _share(self, mail: Mail, at: int, result: LaneResult) -> float:
        if result.lane.mode is not Mode.ENFORCE or self.breaker.permit(mail.lane, at // MINUTE, None) >= 1:
            return 1.0
        return self.breaker.permit(mail.lane, at // MINUTE, slices(mail))

    def _keep(self, key: _Key, mails: int, at: int, because: Kept) -> None:
        because.mails += mails
        because.good += mails
        cohort = self._cohorts.get(key)
        if cohort is None:
            cohort = self._cohorts[key] = _Cohort(self._offered[key[0]][key[1]])
        waiting = _Waiting(key[1], at, mails, because)
        cohort.waiting.append(waiting)
        self._queues.setdefault(key[1], deque()).append(waiting)

    def _let_go(self, at: int) -> None:
        """Kept mail that may leave now: all that is not held any more, and of a slowed lane its share of a usual minute."""
        found: list[Delta] = []
        quotas: dict[int, int] = {}
        # The oldest of all goes first. Behind mail that may not leave, the same mail is not looked at: it may wait for days.
        heads = [(queue[0].offered, place, queue) for place, queue in enumerate(self._queues.values())]
        heapq.heapify(heads)
        while heads:
            _, place, queue = heapq.heappop(heads)
            waiting = queue[0]
            lane = waiting.mail.lane
            result = self.results[lane]
            worth = CLASS_DEFAULTS[result.lane.facts.class_].expiry_ms // 1000
            if at - waiting.offered >= worth:
                waiting.because.expired += waiting.size - waiting.left
                waiting.because.longest = max(waiting.because.longest, worth)
            else:
                out = waiting.size - waiting.left
                if (share := self._share(waiting.mail, at, result)) < 1:
                    if lane not in quotas:
                        quotas[lane] = self._quota(lane, share, at)
                    out = min(out, quotas[lane])
                if self._gate is not None and out:
                    room, limit = self._gate.room(waiting.mail, at)
                    out = out if limit is None else min(out, room)
                if out:
                    if share < 1:
                        quotas[lane] -= out
                    found.append(self._send(waiting, out, at, result))
                if waiting.left < waiting.size:
                    continue
            queue.popleft()
            if queue:
                heapq.heappush(heads, (queue[0].offered, place, queue))
            else:
                del self._queues[waiting.mail]
        if found:
            self._decided(self.breaker.observe(at // MINUTE, found))

    def _quota(self, lane: int, share: float, at: int) -> int:
        """Kept mail of a slowed lane that may leave in a minute; none while new mail uses the lane's share."""
        mails, minutes, last = self._flow.get(lane, (0, 0, -1))
        if share <= 0 or last >= at // MINUTE - 1:
            return 0
        return self._part(lane, share * mails / max(1, minutes))

    def _send(self, waiting: _Waiting, mails: int, at: int, result: LaneResult) -> Delta:
        waiting.because.longest = max(waiting.because.longest, at - waiting.offered)
        self._leaves(waiting.mail, mails, at, result)
        waiting.left += mails
        if waiting.left == waiting.size and waiting.feedback is not None:
            # What comes back of all of it counts for the minute in which the last of it left.
            waiting.left_at = at
            for after, delta in waiting.feedback:
                self._schedule(at + after, delta._replace(minute=at // MINUTE))
            waiting.feedback = None
        mail = waiting.mail
        return Delta(at // MINUTE, mail.lane, mail.campaign, mail.list, mail.provider, sent=mails)

    # What comes back ---------------------------------------------------------------------------------------------------

    def _told(self, key: _Key, delta: Delta, at: int) -> dict[str, int]:
        """What of the feedback is about mail that left at its time. The rest follows its mail."""
        now = {name: getattr(delta, name) for name in _EVENTS}
        cohort = self._cohorts.get(key)
        if cohort is None:
            return now
        for place, waiting in enumerate(cohort.waiting):
            follows = dict.fromkeys(_EVENTS, 0)
            for name in _EVENTS:
                count: int = getattr(delta, name)
                if count > 0:
                    exact = cohort.carried.get((name, place), 0.0) + count * waiting.size / max(
                        cohort.offered, waiting.size
                    )
                    follows[name] = min(now[name], int(exact + 1e-9))
                    cohort.carried[name, place] = exact - follows[name]
                    now[name] -= follows[name]
            if any(follows.values()):
                waiting.because.good -= sum(follows[name] for name in _BAD)
                after = max(0, at - waiting.offered)
                change = delta._replace(sent=0, **follows)
                if waiting.feedback is not None:
                    waiting.feedback.append((after, change))
                else:
                    left = waiting.left_at
                    self._schedule(max(at, left + after), change._replace(minute=left // MINUTE))
        return now

    def _schedule(self, at: int, delta: Delta) -> None:
        heapq.heappush(self._later, (at, next(self._numbers), delta))

    def _decided(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            self.results[decision.lane].decisions.append(decision)


def slices(mail: Mail) -> tuple[Slice, ...]:
    """What of a lane a mail is, as the breaker names it."""
    found = [Slice(Dimension.PROVIDER, Provider(mail.provider).word)]
    if mail.campaign is not None:
        found.append(Slice(Dimension.CAMPAIGN, mail.campaign))
    if mail.list is not None:
        found.append(Slice(Dimension.LIST, mail.list))
    return tuple(found)


# What others would have done ----------------------------------------------------------------------------------------------


def of_peers(lanes: Iterable[BackLane], changes: Iterable[Change]) -> dict[int, list[Stopped]]:
    """By lane, when the rules of others would have stopped it, or its tenant, on the record as it is. They keep no mail, so each
    stops again a day later if nothing has changed."""
    known = {lane.facts.lane: lane for lane in lanes}
    of_lane = {lane: peers.Watch(peers.of("lane")) for lane in known}
    of_tenant = {lane.facts.tenant: peers.Watch(peers.of("tenant")) for lane in known.values()}
    found: dict[int, list[Stopped]] = {lane: [] for lane in known}
    for at, group in itertools.groupby(changes, key=lambda change: change.at):
        counts: dict[tuple[bool, int], list[int]] = {}
        bad: dict[int, dict[int, int]] = {}
        for _, delta in group:
            lane = known.get(delta.lane)
            if lane is None or isinstance(delta, DomainDelta):
                continue
            silent = delta.provider in SILENT
            for key in ((False, delta.lane), (True, lane.facts.tenant)):
                sums = counts.setdefault(key, [0, 0, 0, 0])
                for place, count in enumerate(
                    (delta.sent, delta.hard_bounces, delta.complaints, 0 if silent else delta.sent)
                ):
                    sums[place] += max(0, count)
            of = bad.setdefault(lane.facts.tenant, {})
            of[delta.lane] = of.get(delta.lane, 0) + delta.hard_bounces + delta.complaints
        for (wide, of), sums in counts.items():
            watch = of_tenant[of] if wide else of_lane[of]
            for stop in watch.count(at // MINUTE, sums[0], sums[1], sums[2], sums[3]):
                worst = max(bad[of].items(), key=lambda one: one[1])[0] if wide else of
                found[worst].append(
                    Stopped(peer=stop.peer, at=at, events=stop.events, mails=stop.mails, tenant_wide=wide)
                )
    return found
