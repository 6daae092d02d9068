"""The breaker as its users see it: deltas of cohorts in, decisions out.

It holds a cache over the cohort counters, which are the truth. After a restart it is built anew with `restore` and then `replay`.
Time is passed in, in minutes since 1970. Not safe for use by several threads.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard.breaker.delay_curves import DayCounts, DelayCurves
from mailcordon.guard.breaker.fleet import Fleet
from mailcordon.guard.breaker.lane_state import LaneState
from mailcordon.guard.breaker.lane_watch import LaneWatch
from mailcordon.guard.breaker.measures import BLOCKS, BOUNCES, COMPLAINTS, DELAYS
from mailcordon.guard.breaker.nouns import Decision, Dimension, LaneFacts, Slice, Standing
from mailcordon.guard.breaker.pools import EVERYBODY, NEW_MINUTES, Pool
from mailcordon.guard.breaker.resting import Packer, Resting
from mailcordon.guard.counts import Delta, DomainDelta

#: Providers that return no complaints to senders.
SILENT = frozenset({int(Provider.GMAIL)})

QUIET_MINUTES = 60  #: after which a lane is packed
FEW_AWAKE = 200  #: lanes; so many stay as they are, however quiet: packing costs more than they take
MOST_AWAKE = 2_000  #: lanes that are not packed, beside those that something is open about
_PACKED_A_TICK = 200  #: of the quiet ones, so that a tick stays short


class Breaker:
    """`silent`: providers that return no complaints. `word`: the name of a provider, for decisions. `narrow` False: parts of a
    lane cannot be held apart, so all of it is. `most_awake`: lanes that are kept unpacked."""

    def __init__(
        self,
        *,
        silent: Collection[int] = SILENT,
        word: Callable[[int], str] = lambda provider: Provider(provider).word,
        narrow: bool = True,
        most_awake: int = MOST_AWAKE,
    ) -> None:
        self.curves = DelayCurves()
        self._silent = frozenset(silent)
        self._word = word
        self._narrow = narrow
        self._fleet = Fleet()
        self._facts: dict[int, LaneFacts] = {}
        self._lanes: dict[int, LaneState] = {}
        self._standings: dict[int, list[Standing]] = {}
        self._open: set[int] = set()  #: lanes with cases
        self._pools: dict[tuple[str, Class], Pool] = {}
        self._pools_of: dict[int, tuple[Pool, ...]] = {}  #: by lane, while it is new
        self._learned = 0
        self._most_awake = most_awake
        self._resting: dict[int, Resting] = {}
        self._used: dict[
            int, int
        ] = {}  #: by lane that is awake, the minute of its last use; the oldest first
        shared: dict[str, object] = {
            "curves": self.curves,
            "fleet": self._fleet,
            "silent": self._silent,
            "word": word,
        }
        self._packer = Packer(shared)

    def lane(self, facts: LaneFacts) -> None:
        """Makes a lane known, or tells what changed about it. Deltas of lanes that are not known are left out."""
        before = self._facts.get(facts.lane)
        self._facts[facts.lane] = facts
        if before is not None and before.labels != facts.labels:
            state = self._awake(facts.lane)
            if state is not None:
                self._join_pools(facts, state.watch.last)
        else:
            state = self._lanes.get(facts.lane)
        if state is not None:
            state.watch.facts = facts

    def forget(self, lane: int) -> None:
        """A lane that is gone."""
        self._facts.pop(lane, None)
        self._standings.pop(lane, None)
        known = self._lanes.pop(lane, None) or self._resting.pop(lane, None)
        self._used.pop(lane, None)
        if known is not None:
            self._fleet.forget(lane)
        self._open.discard(lane)
        for pool in self._pools_of.pop(lane, ()):
            pool.forget(lane)

    def observe(
        self, minute: int, deltas: Sequence[Delta], domains: Sequence[DomainDelta] = ()
    ) -> list[Decision]:
        """Counts changes that became known in this minute, and decides. `domains` are the hard bounces among them outside the
        named providers, by the recipient's domain: many at one domain have one cause."""
        if minute - self._learned >= 60:
            self._learned = minute
            self.curves.learn(minute)
        changed: dict[int, LaneState] = {}
        saw, pools_of = self.curves.saw, self._pools_of
        for delta in deltas:
            state = changed.get(delta.lane)
            if state is None:
                resting = self._resting.get(delta.lane)
                if resting is not None and delta.lane not in pools_of and resting.takes(delta):
                    continue
                state = self._state(delta.lane, delta.minute)
                if state is None:
                    continue
                changed[delta.lane] = state
                self._used.pop(delta.lane, None)
                self._used[delta.lane] = minute
            state.watch.add(delta)
            pools = pools_of.get(delta.lane)
            if pools is not None:
                self._count_in_pools(pools, state, delta, minute)
            if delta.hard_bounces > 0:
                saw(BOUNCES, delta.provider, delta.minute, minute, delta.hard_bounces)
            if delta.complaints > 0:
                saw(COMPLAINTS, delta.provider, delta.minute, minute, delta.complaints)
            if delta.blocks > 0:
                saw(BLOCKS, delta.provider, delta.minute, minute, delta.blocks)
            if delta.delays > 0:
                saw(DELAYS, delta.provider, delta.minute, minute, delta.delays)
        self._take_back(domains)
        found: list[Decision] = []
        for lane, state in changed.items():
            decisions = state.judge(minute)
            if decisions:
                self._open.add(lane)
                found += decisions
            for pool in pools_of.get(lane, ()):
                found += self._judge_pool(pool, minute)
                joined = pool.newcomer(lane, minute)
                if joined is not None and joined.guilty not in state.cases:
                    found += self._take([joined])
        self._rest(minute, 0)
        return found

    def _take_back(self, domains: Iterable[DomainDelta]) -> None:
        for domain in domains:
            state = self._awake(domain.lane)
            bounces = 0 if state is None else state.watch.add_domain(domain)
            if bounces:
                for pool in self._pools_of.get(domain.lane, ()):
                    pool.take_back(domain.lane, domain.minute, bounces)

    def _awake(self, lane: int) -> LaneState | None:
        """A lane that is known, unpacked if it rests."""
        state = self._lanes.get(lane)
        if state is None:
            resting = self._resting.pop(lane, None)
            if resting is None:
                return None
            state = self._lanes[lane] = resting.unpacked(self._packer, self._facts[lane])
            self._used[lane] = 0
        return state

    def _rest(self, minute: int, quiet: int) -> None:
        """Packs the lanes that were used longest ago: those beyond the most, and up to `quiet` of those that are quiet. Not those
        with cases: they are in `_open`."""
        beyond = len(self._used) - self._most_awake
        quiet = min(quiet, len(self._used) - FEW_AWAKE)
        if beyond <= 0 and quiet <= 0:
            return
        for lane, used in list(self._used.items()):
            if beyond <= 0 and (quiet <= 0 or minute - used < QUIET_MINUTES):
                break
            del self._used[lane]
            beyond -= 1
            if lane not in self._open:
                self._resting[lane] = Resting(self._lanes.pop(lane), self._packer)
                quiet -= 1

    def _judge_pool(self, pool: Pool, minute: int) -> list[Decision]:
        class_ = pool.class_
        labelled = [each for (label, of), each in self._pools.items() if of is class_ and label != EVERYBODY]
        decisions = pool.judge(minute, self.curves, labelled if pool.everybody else ())
        if decisions and decisions[0].guilty[0].value != EVERYBODY:
            lanes = {each.lane for each in decisions}
            self._pools[EVERYBODY, class_].leave(lanes, minute)
            for lane in lanes & self._pools_of.keys():
                self._pools_of[lane] = tuple(each for each in self._pools_of[lane] if not each.everybody)
        return self._take(decisions)

    def _count_in_pools(self, pools: tuple[Pool, ...], state: LaneState, delta: Delta, minute: int) -> None:
        facts = state.watch.facts
        since = state.watch.first if facts.since is None else facts.since
        if minute - since > NEW_MINUTES:
            del self._pools_of[facts.lane]
            return
        silent = delta.provider in self._silent
        # Who is throttled with others of one label is no evidence against everybody.
        labelled = any(each.throttled is not None for each in pools if not each.everybody)
        for pool in pools:
            if pool.everybody and labelled:
                continue
            pool.add(facts, since, delta, silent=silent)

    def _join_pools(self, facts: LaneFacts, minute: int) -> None:
        if minute - (minute if facts.since is None else facts.since) > NEW_MINUTES:
            return
        found: list[Pool] = []
        for label in (*sorted(facts.labels), EVERYBODY):
            key = (label, facts.class_)
            pool = self._pools.get(key)
            if pool is None:
                pool = self._pools[key] = Pool(label, facts.class_, minute)
            if not (pool.everybody and any(each.throttled is not None for each in found)):
                found.append(pool)
        self._pools_of[facts.lane] = tuple(found)

    def _take(self, decisions: list[Decision]) -> list[Decision]:
        """Of pools: they are the members' cases too."""
        for each in decisions:
            state = self._awake(each.lane)
            assert state is not None
            state.pooled(each)
            self._open.add(each.lane)
        return decisions

    def _state(self, lane: int, minute: int) -> LaneState | None:
        state = self._awake(lane)
        if state is None:
            facts = self._facts.get(lane)
            if facts is None:
                return None
            watch = LaneWatch(facts, minute, self.curves, self._fleet, self._silent)
            state = self._lanes[lane] = LaneState(watch, self._word, narrow=self._narrow)
            self._used[lane] = minute
            self._join_pools(facts, minute)
            for standing in self._standings.pop(lane, ()):
                state.restore(standing)
                self._open.add(lane)
                self._restore_pool(facts, standing, minute)
        return state

    def _restore_pool(self, facts: LaneFacts, standing: Standing, minute: int) -> None:
        if not standing.guilty or standing.guilty[0].dimension is not Dimension.POOL:
            return
        label = standing.guilty[0].value
        pool = self._pools.get((label, facts.class_))
        if pool is None:
            pool = self._pools[label, facts.class_] = Pool(label, facts.class_, minute)
        if standing.decision is not None:
            pool.restore(facts, minute if facts.since is None else facts.since, standing.decision)

    def tick(self, minute: int) -> list[Decision]:
        """What time alone decides: probes that begin, and ends. To be called about once a minute."""
        found: list[Decision] = []
        self._make_restored(minute)
        for pool in self._pools.values():
            ended = pool.tick(minute, self.curves)
            found += self._take(
                [each for each in ended if each.lane in self._lanes or each.lane in self._resting]
            )
        for lane in sorted(self._open):
            found += self._lanes[lane].tick(minute)
            if not self._lanes[lane].cases:
                self._open.discard(lane)
                self._used.setdefault(lane, minute)
        self._rest(minute, _PACKED_A_TICK)
        return found

    def permit(self, lane: int, minute: int, slices: Collection[Slice] | None = ()) -> float:
        """The share, 0 to 1, of a lane's mail that may leave now: of mail in these slices, () mail in no guilty one, None mail
        whose slices are not known, so that all of it counts as guilty."""
        state = self._lanes.get(lane)
        return 1.0 if state is None or not state.cases else state.permit(slices)

    def standing(self, lane: int) -> list[Standing]:
        """What is to be kept of a lane: all that is open about the whole and its parts, and for 60 days what has ended."""
        state = self._lanes.get(lane)
        if state is not None:
            return state.standings()
        resting = self._resting.get(lane)
        return self._standings.get(lane, []) if resting is None else resting.standings

    def restore(self, standings: Iterable[Standing]) -> None:
        """After a restart and before `replay`: what `standing` said."""
        for each in standings:
            self._standings.setdefault(each.lane, []).append(each)

    def replay(self, minute: int, deltas: Iterable[Delta], domains: Iterable[DomainDelta] = ()) -> None:
        """Builds the state from the counters: deltas in the order of their minutes, up to `minute`, with all that is known of the
        mail. Decides nothing."""
        for delta in deltas:
            state = self._state(delta.lane, delta.minute)
            if state is not None:
                state.watch.add(delta)
                pools = self._pools_of.get(delta.lane)
                if pools is not None:
                    self._count_in_pools(pools, state, delta, delta.minute)
        self._take_back(domains)
        self._make_restored(minute)
        self._rest(minute, 0)

    def _make_restored(self, minute: int) -> None:
        """Lanes without counts that something is open about."""
        for lane in list(self._standings):
            self._state(lane, minute)

    def delays(self) -> dict[str, dict[str, list[float]]]:
        """What was learned of how late feedback comes, to be kept: the counters do not tell. JSON."""
        return self.curves.document()

    def take_changed_delays(self) -> list[DayCounts]:
        """What of `delays` is new since the last call, a row for each signal, provider and day."""
        return self.curves.take_changed()

    def remember_delays(self, document: Mapping[str, Mapping[str, list[float]]]) -> None:
        """After a restart: what `delays` said."""
        self.curves.load(document)

    def let_go(self, lane: int, guilty: tuple[Slice, ...], minute: int) -> list[Decision]:
        """A person lets held mail go: it is watched more strictly for a week, and nothing is learned from what was seen."""
        state = self._awake(lane)
        return [] if state is None else state.let_go(guilty, minute)

    def try_now(self, lane: int, guilty: tuple[Slice, ...], minute: int, asked: int) -> bool:
        """A person has a held lane, or its held mail to one provider, tried at once. Returns whether a probe began."""
        state = self._awake(lane)
        return state is not None and state.try_now(guilty, minute, asked)

    def let_pool_go(self, lane: int, pool: Slice, minute: int) -> list[Decision]:
        """A person frees a lane that was slowed with others: all of the pool are freed."""
        facts = self._facts.get(lane)
        found = None if facts is None else self._pools.get((pool.value, facts.class_))
        ended = [] if found is None else found.let_go(minute)
        return self._take([each for each in ended if each.lane in self._lanes or each.lane in self._resting])

    def accept(self, lane: int, minute: int) -> list[Decision]:
        """A person says that what the lane shows is normal: everything open ends, and the lane's past is learned at once."""
        state = self._awake(lane)
        return [] if state is None else state.accept(minute)
