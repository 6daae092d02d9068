"""The loop of the breaker: each second it reads what was counted, lets the breaker decide, records and carries out.

One process of an installation does, the one whose session holds a lock. Decisions and where lanes stand are written in one
transaction; holds and limits follow from them, by comparison. So a process that dies loses nothing and does nothing twice: the
next one builds the evidence from the counters, reads the decisions, and makes the holds what they must be.
"""

import dataclasses
import logging
from collections.abc import Callable, Collection, Iterable, Sequence

from mailcordon.core.errors import NotFound
from mailcordon.core.limit import Mode
from mailcordon.core.news import News, Topic, no_news
from mailcordon.core.pace import Pace
from mailcordon.guard import arming as arming_rules
from mailcordon.guard.breaker.engine import Breaker
from mailcordon.guard.breaker.nouns import Decision, Dimension, Half, Level
from mailcordon.messages import breaker as messages
from mailcordon.observe.breaker import account, carrying, freeing, volume, words
from mailcordon.observe.breaker.account import AccountWatch
from mailcordon.observe.breaker.carrying import Does
from mailcordon.observe.breaker.intervals import Intervals, is_due
from mailcordon.observe.breaker.ports import BreakerStore, Holds, Limits
from mailcordon.observe.breaker.records import (
    ACTOR,
    MINUTE_MS,
    Accepted,
    Changes,
    Judged,
    Kept,
    Key,
    Lifted,
    Tried,
    Watched,
    Write,
    key_of,
    part_of,
    signal_of,
    slices_of,
)
from mailcordon.observe.breaker.state import State, Writing, held_beside, newest_apart, standing_of
from mailcordon.observe.breaker.volume import VolumeWatch
from mailcordon.observe.leading import NotLeading, rounds

_LOG = logging.getLogger(__name__)

#: As for incidents: quick while anything bad is counted. The breaker's own clock goes by minutes.
PACE = Pace(quick=1.0, other=3.0, slow=15.0)
LOAD_AT_ONCE = 100  #: lanes whose history is read in a round
ARM_AT_ONCE = 100  #: lanes of which it is judged in a round what may be done to them
REFRESH_AT_ONCE = 200  #: lanes whose policy is read again in a round
RECENT = 4 * 1440  #: minutes; after a start, events as old as this are judged anew
POOL_LEAST = 10  #: lanes of a pool of which the members are slowed: fewer are no snowshoe, and each is judged by itself
POOL_CAP, POOL_FLOOR = 100, 10  #: mails a day of a lane in an ill pool: half of its last day, between these


class BreakerLoop:
    """`stand_by`: leads only while no control process reports. `make`: a breaker that knows nothing yet."""

    def __init__(
        self,
        store: BreakerStore,
        holds: Holds,
        limits: Limits,
        *,
        intervals: Intervals | None = None,
        stand_by: bool = False,
        make: Callable[[], Breaker] = Breaker,
    ) -> None:
        self._store = store
        self._holds = holds
        self._limits = limits
        self._intervals = intervals or Intervals()
        self._stand_by = stand_by
        self._make = make
        self._state: State | None = None  #: None: it does not lead, or has to begin
        self._completed: int | None = None

    async def advance(self) -> bool:
        """One round. Returns whether this process leads."""
        try:
            if not await self._store.leads(stand_by=self._stand_by):
                self._forget()
                return False
            if self._state is None:
                self._state = await self._begin()
            await self._round(self._state)
        except NotLeading:
            self._forget()
            return False
        except BaseException:
            # Whether the round was written is not known.
            self._forget()
            raise
        return True

    def document(self) -> dict[str, object]:
        """For the report of this process: when it last completed a round, by the database's clock; None: it does not lead."""
        return {"last_breaker_round": self._completed}

    async def run(self, news: News | None = None) -> None:
        """Until it is cancelled, whatever fails."""
        rests = (news or no_news()).loop(PACE, Topic.TROUBLE, Topic.CONTROL)
        await rounds("breaker", self.advance, self._has_more, rests, _LOG)

    def _has_more(self) -> bool:
        return self._state is not None and bool(self._state.to_load or self._state.unarmed)

    async def close(self) -> None:
        self._forget()
        await self._store.close()

    def _forget(self) -> None:
        self._state, self._completed = None, None

    async def _begin(self) -> State:
        begin = await self._store.begin()
        state = State(engine=self._make(), volume=VolumeWatch(self._store), fold=begin.fold)
        state.open = {one.key: one for one in begin.open}
        state.standings = {key_of(one): one for one in begin.standings}
        state.to_load = dict.fromkeys(begin.lanes, 0)
        state.limits.update(dict.fromkeys(begin.limited))
        state.engine.remember_delays(begin.delays)
        return state

    async def _round(self, state: State) -> None:
        changes = await self._store.changes(state.fold)
        if not changes.continues:
            self._forget()
            return
        now, minute = changes.now, changes.now // MINUTE_MS
        state.fold = changes.fold
        state.note_unknown(changes)
        decisions = await self._load(state, minute)
        state.note_first(changes)
        deltas = state.new_deltas(changes)
        domains = state.domain_changes(changes.domains)
        if deltas:
            decisions += state.engine.observe(minute, deltas, domains)
            state.count_probes(deltas)
            state.volume.note(deltas)
        if minute != state.ticked:
            decisions += state.engine.tick(minute)
            state.ticked = minute
            state.forget_old(minute)
            state.put_aside(minute)
        await self._judge_arming(state, now, urgent={one.lane for one in decisions})
        await self._refresh_facts(state, now)
        write = await self._decide(state, changes, decisions)
        await self._watch_account(state, write, now)
        await self._watch_volume(state, write, now)
        if not write.is_empty or is_due(now, state.followed_at, self._intervals.follow):
            await self._write(state, write.build(state.fold))
            state.followed_at = now
        if write.was_used or state.dirty or is_due(now, state.carried_at, self._intervals.carried):
            await self._carry_out(state, minute)
            state.carried_at, state.dirty = now, False
        if is_due(now, state.delays_at, self._intervals.delays):
            await self._store.keep_delays(state.engine.take_changed_delays())
            state.delays_at = now
        if is_due(now, state.purged_at, self._intervals.purge):
            await self._store.purge(now - self._intervals.keep)
            state.purged_at = now
        self._completed = now

    # Reading ---------------------------------------------------------------------------------------------------------

    async def _load(self, state: State, minute: int) -> list[Decision]:
        """Lanes that are not known yet, with their history. Their newest events are judged at once: they may have come while
        nobody was there."""
        chosen = state.next_to_load(LOAD_AT_ONCE)
        if not chosen:
            return []
        loaded = await self._store.load(chosen, room=state.room)
        for lane in chosen:
            del state.to_load[lane]
            state.loaded[lane] = loaded.fold
        for one in loaded.lanes:
            state.lanes[one.facts.lane] = one
            state.unarmed[one.facts.lane] = None
            state.engine.lane(one.judged)
        known = {one.facts.lane for one in loaded.lanes}
        state.engine.restore([one for one in state.standings.values() if one.lane in known])
        counts = newest_apart(loaded.history, loaded.domains, minute - RECENT)
        state.engine.replay(minute, counts.history, counts.domains)
        state.note_domains(loaded.domains)
        state.count_probes([*counts.history, *counts.newest])
        state.gone_lanes |= set(chosen) - known
        state.volume.note((), known)
        return state.engine.observe(minute, counts.newest, counts.newest_domains) if counts.newest else []

    async def _refresh_facts(self, state: State, now: int) -> None:
        """A few lanes in a round, so that a round stays short."""
        chosen = state.next_to_refresh(REFRESH_AT_ONCE, now, self._intervals.facts)
        if not chosen:
            return
        found = {one.facts.lane: one for one in await self._store.facts(chosen, room=state.room)}
        for lane in chosen:
            before, one = state.lanes.get(lane), found.get(lane)
            if before is None:
                if one is not None:
                    del state.loaded[lane]  # it was retired, or only observed, and is not any more
                    state.to_load.setdefault(lane, 0)
                continue
            if one is None:
                state.engine.forget(lane)
                del state.lanes[lane]
                state.gone_lanes.add(lane)
                continue
            one = dataclasses.replace(one, arming=before.arming)
            if one.facts != before.facts:
                state.engine.lane(one.judged)
            state.lanes[lane] = one

    # Arming ----------------------------------------------------------------------------------------------------------

    async def _judge_arming(self, state: State, now: int, *, urgent: Iterable[int]) -> None:
        """What the breaker may do to lanes: those with a decision at once, the others from time to time."""
        due = {*state.next_to_arm(ARM_AT_ONCE, now, self._intervals.arming), *urgent} & state.lanes.keys()
        if not due:
            return
        for found in await self._store.arming(due, now):
            await self._set_arming(state, found, now)

    async def _set_arming(self, state: State, found: Judged, now: int) -> None:
        arming = arming_rules.judge(found.facts)
        lane = state.lanes[found.lane]
        lost_since = (found.lost_since or now) if arming.lost else None
        if arming == lane.arming and lost_since == found.lost_since:
            return
        if (
            lane.arming is not None
            and lane.arming.absolute is Mode.ENFORCE
            and arming.absolute is not Mode.ENFORCE
        ):
            _LOG.warning("breaker: %s is back in shadow: %s", lane.name, " ".join(arming.failed))
        await self._store.set_arming(found.lane, arming, lost_since)
        state.lanes[found.lane] = lane = dataclasses.replace(lane, arming=arming)
        state.engine.lane(lane.judged)
        state.rearmed.add(found.lane)

    # Deciding --------------------------------------------------------------------------------------------------------

    async def _decide(self, state: State, changes: Changes, decisions: Sequence[Decision]) -> Writing:
        now, minute = changes.now, changes.now // MINUTE_MS
        write = Writing()
        lanes = {one.lane for one in decisions}
        lanes |= self._accept(state, write, changes.accepted, minute)
        lanes |= self._let_go(state, write, changes.lifted, minute)
        lanes |= self._try(state, changes.tried, minute)
        for decision in decisions:
            await self._take(state, write, decision, now, held_beside(decision, decisions))
        for lane in state.gone_lanes:
            for kept in [one for one in state.open.values() if one.lane == lane]:
                write.end(state, kept, messages.lane_gone())
            for key in [key for key in state.standings if key[0] == lane]:
                write.gone.append(key)
                del state.standings[key]
        state.gone_lanes.clear()
        if state.standings_at != minute:
            lanes |= {key[0] for key in state.standings}
            state.standings_at = minute
        self._note_standings(state, write, lanes)
        self._follow_modes(state, write, minute)
        return write

    def _accept(self, state: State, write: Writing, accepted: Sequence[Accepted], minute: int) -> set[int]:
        by_id = {one.id: one for one in state.open.values()}
        lanes: set[int] = set()
        for one in accepted:
            kept = by_id.get(one.decision)
            if kept is None:
                continue
            because = messages.accepted(by=one.by, because=one.because)
            if signal_of(kept.signal) is None:
                state.volume.forget(kept.lane)
                write.end(state, kept, because, by=one.by)
                continue
            lanes |= freeing.of_pool(state, write, kept, because, one.by, minute)
            if kept.lane in state.lanes:
                state.engine.accept(kept.lane, minute)
            for each in [
                each
                for each in state.open.values()
                if each.lane == kept.lane and signal_of(each.signal) is not None
            ]:
                write.end(state, each, because, by=one.by)
            lanes.add(kept.lane)
        return lanes

    def _let_go(self, state: State, write: Writing, lifted: Sequence[Lifted], minute: int) -> set[int]:
        """A person has lifted a hold: the mail leaves and is watched, and what was seen is not learned as normal."""
        by_id = {one.id: one for one in state.open.values()}
        lanes: set[int] = set()
        for one in lifted:
            kept = by_id.get(one.decision)
            if kept is None:
                continue
            because = messages.lifted(by=one.by, because=one.because)
            if signal_of(kept.signal) is not None:
                lanes |= freeing.of_pool(state, write, kept, because, one.by, minute)
                state.engine.let_go(kept.lane, slices_of(kept.part), minute)
                lanes.add(kept.lane)
            state.volume.forget(kept.lane)
            write.end(state, kept, because, by=one.by)
        return lanes

    def _try(self, state: State, tried: Sequence[Tried], minute: int) -> set[int]:
        """A person does not wait until the breaker tries what it holds."""
        by_id = {one.id: one for one in state.open.values()}
        lanes: set[int] = set()
        for one in tried:
            kept = by_id.get(one.decision)
            if kept is None or kept.lane not in state.lanes:
                continue
            if state.engine.try_now(kept.lane, slices_of(kept.part), minute, one.at // MINUTE_MS):
                state.probe_out.pop(kept.key, None)
                lanes.add(kept.lane)
        return lanes

    async def _take(
        self, state: State, write: Writing, decision: Decision, now: int, beside: str | None
    ) -> None:
        lane = state.lanes.get(decision.lane)
        if lane is None:
            return
        before = state.open_about(decision.lane, part_of(decision.guilty))
        if decision.over:
            for one in before:
                write.end(state, one, words.ended(decision, state.standings.get(one.key)))
            return
        if _is_small_pool(decision):
            return
        if any(
            one.signal == decision.signal
            and one.level == decision.level
            and one.half in (str(decision.half), str(Half.ABSOLUTE))
            for one in before
        ):
            return  # as after a probe that failed: it goes on
        kept = await self._kept(state, lane, decision, now, beside)
        for one in before:
            write.end(state, one, messages.superseded())
        write.add(state, kept)

    async def _kept(
        self, state: State, lane: Watched, decision: Decision, now: int, beside: str | None
    ) -> Kept:
        """`beside`: the part of the lane that is held for the same; what is done to the lane only accompanies it."""
        findings = await self._store.findings(lane.facts.tenant)
        kept = Kept(
            id=0,
            tenant=lane.facts.tenant,
            lane=decision.lane,
            part=part_of(decision.guilty),
            signal=str(decision.signal),
            half=str(decision.half),
            level=decision.level,
            mode=lane.mode(str(decision.half)),
            at=now,
            since=state.onset(decision.lane, part_of(words.at_fault(decision)), decision.since),
            seen=words.seen(decision, lane, findings),
            document={**words.numbers(decision, findings), **({"beside": beside} if beside else {})},
            sharers=await self._store.sharers(decision.lane),
        )
        if decision.level is not Level.WARN:
            kept = dataclasses.replace(
                kept, rate=await self._rate(decision, now), waiting=await self._waiting(kept)
            )
        return dataclasses.replace(kept, done=words.done(kept, lane, standing_of(state.engine, kept)))

    async def _rate(self, decision: Decision, now: int) -> float | None:
        if decision.level is not Level.THROTTLE:
            return None
        if any(one.dimension is Dimension.POOL for one in decision.guilty):
            hour = now // volume.HOUR_MS
            sent = await self._store.sent([decision.lane], hour - 23, least=0)
            day = sum(sum(one.hours.values()) for one in sent.values())
            return min(POOL_CAP, max(POOL_FLOOR, day // 2))
        return carrying.slowed_rate(await self._store.flow(decision.lane))

    async def _waiting(self, kept: Kept) -> int:
        if any(one.dimension is Dimension.POOL for one in slices_of(kept.part)):
            return 0
        try:
            covered = await self._holds.preview(kept.target)
        except NotFound:
            return 0
        return sum(lane.ready + lane.waiting for lane in covered.lanes)

    def _note_standings(self, state: State, write: Writing, lanes: Collection[int]) -> None:
        of_lane: dict[int, list[Key]] = {}
        for key in state.standings if lanes else ():
            of_lane.setdefault(key[0], []).append(key)
        for lane in lanes:
            now = {key_of(one): one for one in state.engine.standing(lane)}
            for key in [key for key in of_lane.get(lane, ()) if key not in now]:
                write.gone.append(key)
                del state.standings[key]
            for key, one in now.items():
                if state.standings.get(key) != one:
                    write.standings.append(one)
                    state.standings[key] = one

    def _follow_modes(self, state: State, write: Writing, minute: int) -> None:
        """What is done about an open decision follows the lane's arming and its standing; its sentence says so."""
        for key, kept in list(state.open.items()):
            lane = state.lanes.get(kept.lane)
            if lane is None or kept.id == 0:
                continue
            mode = lane.mode_of(kept)
            done = words.done(
                dataclasses.replace(kept, mode=mode),
                lane,
                state.standings.get(key),
                out=state.probe_out.get(key, 0),
            )
            if mode != kept.mode or (done != kept.done and minute != state.done_at.get(key)):
                state.done_at[key] = minute
                state.open[key] = dataclasses.replace(kept, mode=mode, done=done)
                write.changed[kept.id] = state.open[key]

    async def _watch_account(self, state: State, write: Writing, now: int) -> None:
        if not is_due(now, state.account_at, self._intervals.account):
            return
        state.account_at = now
        found = await AccountWatch(self._store).look(
            now, [one for one in state.open.values() if one.signal == "account"]
        )
        state.room = found.room
        for kept in found.over:
            write.end(state, kept, messages.account_over())
        for slowed in found.slowed:
            lane = state.lanes.get(slowed.lane)
            if (
                lane is None
                or (slowed.lane, "account") in write.spoken
                or (slowed.lane, "", "account") in state.open
            ):
                continue
            rate = carrying.slowed_rate(await self._store.flow(slowed.lane))
            kept = account.kept(lane, slowed, found.state, rate, now)
            write.add(state, dataclasses.replace(kept, done=words.done(kept, lane, None)))

    async def _watch_volume(self, state: State, write: Writing, now: int) -> None:
        if not is_due(now, state.volume_at, self._intervals.volume):
            return
        state.volume_at = now
        open_ = [one for one in state.open.values() if one.signal == volume.SIGNAL]
        found = await state.volume.look(now, state.lanes, open_)
        for kept in found.over:
            # What waits would leave at once, and be the next runaway.
            waiting = await self._waiting(kept) if kept.mode is Mode.ENFORCE else 0
            if waiting <= 3600 * (kept.rate or 0.0):
                write.end(state, kept, messages.volume_over())
        for kept in found.new:
            if (kept.lane, volume.SIGNAL) in write.spoken:
                continue
            lane = state.lanes[kept.lane]
            kept = dataclasses.replace(kept, mode=lane.mode_of(kept), waiting=await self._waiting(kept))
            write.add(state, dataclasses.replace(kept, done=words.done(kept, lane, None)))

    # Writing and carrying out ----------------------------------------------------------------------------------------

    async def _write(self, state: State, write: Write) -> None:
        ids = await self._store.write(write)
        for id, kept in zip(ids, write.new, strict=True):
            state.open[kept.key] = dataclasses.replace(state.open[kept.key], id=id)
            _LOG.warning("breaker: decision %d (%s): %s %s", id, kept.mode, kept.seen, kept.done)
        for end in write.ended:
            _LOG.warning("breaker: decision %d is over: %s", end.decision, end.because)

    async def _carry_out(self, state: State, minute: int) -> None:
        carried = await self._store.carried()
        plan = carrying.plan(
            state.open.values(),
            state.standings,
            carried,
            minute=minute,
            out=state.probe_out,
            before=state.limits,
        )
        changed: list[Kept] = []
        for tenant, limits in plan.limits.items():
            await self._limits.replace(tenant, carrying.OWNER_OF_LIMITS, limits)
            state.limits[tenant] = limits
        for kept, hold_id in plan.note:
            state.open[kept.key] = dataclasses.replace(state.open[kept.key], hold=hold_id)
            changed.append(state.open[kept.key])
        for kept, act, hold in plan.place:
            try:
                placed = await self._holds.place(hold, actor=ACTOR, once=True)
            except NotFound:
                continue  # the lane was retired meanwhile
            state.open[kept.key] = dataclasses.replace(state.open[kept.key], hold=placed.id)
            changed.append(state.open[kept.key])
            if act is Does.PROBE:
                state.probe_out.setdefault(kept.key, 0)
        if changed:
            await self._store.write(Write(fold=state.fold, changed=changed))
        for one in plan.lift:
            because = state.ends.pop(one.decision, None) or messages.other_hold()
            await self._holds.lift([one.hold.id], tenant=one.hold.target.tenant, actor=ACTOR, because=because)


def _is_small_pool(decision: Decision) -> bool:
    """Of a few lanes, each is judged by itself: only many are a snowshoe."""
    is_pool = any(one.dimension is Dimension.POOL for one in decision.guilty)
    return is_pool and words.members(decision) < POOL_LEAST
