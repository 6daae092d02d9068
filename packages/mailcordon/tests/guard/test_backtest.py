"""A back-test says what enforcement then does: the same decisions, and the same mail kept. Pure."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pytest

from mailcordon.core.limit import Limit, LimitScope, Mode, Per
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard import backtest
from mailcordon.guard.backtest import BackLane, Change, Mail, Replay
from mailcordon.guard.backtest_record import Arrivals, by_minute
from mailcordon.guard.breaker.engine import Breaker
from mailcordon.guard.breaker.nouns import Decision, LaneFacts, Level
from mailcordon.guard.counts import Delta, DomainDelta

START = 29_000_000  #: minute
HOUR, DAY = 60, 1440


def lane(id: int = 1, type: str = "newsletter", *, tenant: int = 1, mode: Mode = Mode.ENFORCE) -> BackLane:
    facts = LaneFacts(lane=id, tenant=tenant, type=type, class_=Class.MARKETING, since=START - 90 * DAY)
    return BackLane(facts=facts, slug=f"t{tenant}", mode=mode)


@dataclass
class Post:
    """One mail as an app hands it in: what becomes of it, and how many seconds after its call that is known."""

    minute: int
    list: str
    bounces_after: int | None = None
    left: int | None = None  #: minute

    @property
    def mail(self) -> Mail:
        return Mail(1, None, self.list, Provider.YAHOO)


def posts(days: int, *, bought: int | None, seed: int = 1) -> list[Post]:
    """2,000 mails a day of which 0.8 % bounce; from the day `bought` on 1,500 to a bought list, of which 30 % do."""
    rng = random.Random(seed)
    found: list[Post] = []
    for day in range(days):
        for n in range(2_000):
            minute = START + day * DAY + 9 * HOUR + n // 20
            found.append(Post(minute, "own", _bounce(rng, 0.008)))
        if bought is not None and day == bought:
            for n in range(1_500):
                found.append(Post(START + day * DAY + 14 * HOUR + n // 25, "bought", _bounce(rng, 0.30)))
    found.sort(key=lambda post: post.minute)
    return found


def _bounce(rng: random.Random, rate: float) -> int | None:
    if rng.random() >= rate:
        return None
    return rng.choice((10, 20, 25, 50)) if rng.random() < 0.9 else rng.randrange(60, 7_200)


def change(at: int, minute: int, mail: Mail, **counts: int) -> Change:
    return Change(at, Delta(minute, mail.lane, mail.campaign, mail.list, mail.provider, **counts))


def recorded(mails: Iterable[Post]) -> list[Change]:
    """As the feed has it when nothing was kept."""
    counts: dict[tuple[int, int, Mail, str], int] = {}
    for post in mails:
        at = post.minute * 60
        counts[at, post.minute, post.mail, "sent"] = counts.get((at, post.minute, post.mail, "sent"), 0) + 1
        if post.bounces_after is not None:
            key = (at + post.bounces_after, post.minute, post.mail, "hard_bounces")
            counts[key] = counts.get(key, 0) + 1
    found = [change(at, minute, mail, **{what: n}) for (at, minute, mail, what), n in counts.items()]
    return sorted(found, key=lambda one: one.at)


@dataclass
class Live:
    """Enforcement, mail by mail: each minute what the breaker permits leaves, and the rest waits for it."""

    of: BackLane
    breaker: Breaker = field(default_factory=Breaker)
    decisions: list[Decision] = field(default_factory=list[Decision])
    kept: int = 0

    def run(self, mails: Sequence[Post], until: int) -> None:
        self.breaker.lane(self.of.facts)
        coming = {post.minute: [] for post in mails}
        for post in mails:
            coming[post.minute].append(post)
        waiting: list[Post] = []
        known: dict[int, list[Delta]] = {}
        for minute in range(min(coming), until):
            if minute > min(coming):
                self.decisions += self.breaker.tick(minute)
            new = coming.get(minute, [])
            free = {list: self.permits(list, minute) for list in {post.list for post in (*waiting, *new)}}
            self.kept += sum(not free[post.list] for post in new)
            for batch in (waiting, new):
                for post in [post for post in batch if free[post.list]]:
                    post.left = minute
                    self._tell(known, minute * 60, change(0, minute, post.mail, sent=1).delta)
                    if post.bounces_after is not None:
                        at = minute * 60 + post.bounces_after
                        self._tell(known, at, change(0, minute, post.mail, hard_bounces=1).delta)
            waiting = [post for post in (*waiting, *new) if not free[post.list]]
            for at in sorted(at for at in known if at < (minute + 1) * 60):
                self.decisions += self.breaker.observe(at // 60, known.pop(at))

    def permits(self, list: str, minute: int) -> bool:
        share = self.breaker.permit(1, minute, backtest.slices(Post(minute, list).mail))
        assert share in (0.0, 1.0), "the mails of this test are held or not, never slowed"
        return share == 1.0

    @staticmethod
    def _tell(known: dict[int, list[Delta]], at: int, delta: Delta | DomainDelta) -> None:
        assert isinstance(delta, Delta)
        known.setdefault(at, []).append(delta)


def said(decisions: Iterable[Decision]) -> list[tuple[object, ...]]:
    return [(d.minute, d.level, d.guilty, d.signal, d.events, d.mails, d.since, d.over) for d in decisions]


def test_a_back_test_says_what_enforcement_then_does() -> None:
    mails = posts(7, bought=6)
    until = (START + 6 * DAY + 19 * HOUR) * 60  # before the first probe
    mails = [post for post in mails if post.minute * 60 < until]
    found = Replay([lane()]).run([one for one in recorded(mails) if one.at < until], until)[1]
    live = Live(lane())
    live.run(mails, until // 60)
    assert said(found.decisions) == said(live.decisions)
    assert found.breaker.mails == live.kept > 500
    assert found.count(Level.CORDON) == 1
    assert {one.value for d in found.decisions for one in d.guilty} == {"bought"}
    bad = sum(post.bounces_after is not None for post in mails if post.list == "bought" and post.left is None)
    assert abs(found.breaker.good - (live.kept - bad)) <= 5


@pytest.mark.parametrize("mode", [Mode.SHADOW])
def test_without_enforcement_the_same_is_said_and_no_mail_is_kept(mode: Mode) -> None:
    mails = posts(7, bought=6)
    until = (START + 7 * DAY) * 60
    changes = recorded(mails)
    enforced, shadow = (Replay([lane(mode=one)]).run(changes, until)[1] for one in (Mode.ENFORCE, mode))
    assert shadow.breaker.mails == 0 < enforced.breaker.mails
    assert said(shadow.decisions)[0] == said(enforced.decisions)[0]


def test_a_healthy_lane_loses_nothing() -> None:
    found = Replay([lane()]).run(recorded(posts(20, bought=None)), (START + 21 * DAY) * 60)[1]
    assert (found.decisions, found.breaker.mails) == ([], 0)
    assert found.sent == 40_000


def test_corrections_of_the_record_pass() -> None:
    mail = Mail(1, None, "own", Provider.YAHOO)
    changes = [
        change(START * 60, START, mail, sent=10, hard_bounces=1),
        change(START * 60 + 5, START, mail, sent=-1, hard_bounces=-1),
        change(START * 60 + 5, START + 1, mail, sent=1, hard_bounces=1),
        change(START * 60 + 5, START, Mail(99, None, None, 0), sent=5),
    ]
    found = Replay([lane()]).run(changes, (START + 5) * 60)[1]
    assert (found.sent, found.bad) == (10, 1)


def test_feedback_of_counters_comes_when_the_law_of_delays_says() -> None:
    cohort = Delta(
        START, 1, None, None, Provider.YAHOO, sent=20_000, delivered=19_000, hard_bounces=400, complaints=100
    )
    found = list(Arrivals((START + 30 * DAY) * 60).of([cohort]))
    deltas = [(one.at - START * 60, one.delta) for one in found if isinstance(one.delta, Delta)]
    assert sum(delta.sent for _, delta in deltas) == 20_000
    assert found == sorted(found, key=lambda one: one.at)
    bounces = sorted((after, delta.hard_bounces) for after, delta in deltas if delta.hard_bounces)
    assert sum(count for _, count in bounces) == 400
    prompt = sum(count for after, count in bounces if after <= 120)
    assert 0.80 * 400 <= prompt <= 0.92 * 400
    complaints = [after for after, delta in deltas for _ in range(delta.complaints)]
    assert len(complaints) == 100
    assert 5 * 3600 < sorted(complaints)[50] < 7 * 3600
    # What is not known yet is not there, and single events have the same law as many.
    early = list(Arrivals((START + 6 * HOUR) * 60).of([cohort]))
    assert 40 < sum(one.delta.complaints for one in early if isinstance(one.delta, Delta)) < 60
    singles = Arrivals((START + 60 * DAY) * 60).of(
        [cohort._replace(minute=START + n, sent=200, hard_bounces=0, complaints=1) for n in range(100)]
    )
    late = sum(
        one.at - one.delta.minute * 60 > 6 * 3600
        for one in singles
        if isinstance(one.delta, Delta) and one.delta.complaints
    )
    assert 40 < late < 60


def test_an_hour_is_spread_over_its_minutes_and_adds_up() -> None:
    hour = Delta(START // 60 * 60, 1, "june", None, Provider.GMAIL, sent=130, delivered=121, hard_bounces=7)
    parts = list(by_minute([hour]))
    assert len({part.minute for part in parts}) == 60
    assert all(hour.minute <= part.minute < hour.minute + 60 for part in parts)
    assert [sum(getattr(part, name) for part in parts) for name in ("sent", "delivered", "hard_bounces")] == [
        130,
        121,
        7,
    ]
    assert [part.sent for part in by_minute([hour._replace(sent=2, delivered=2, hard_bounces=0)])] == [1, 1]


def test_the_rules_of_others_are_judged_on_the_record() -> None:
    mails = posts(7, bought=6)
    found = backtest.of_peers([lane(), lane(2, "reset")], recorded(mails))
    by_peer = {one.peer.name: one for one in found[1]}
    assert {"usual", "plunk"} <= set(by_peer)
    assert by_peer["plunk"].tenant_wide
    assert not by_peer["usual"].tenant_wide
    assert found[2] == []


class _Closed:
    """A limit without room. Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self._limit = Limit(
            id=1,
            tenant=1,
            owner="policy",
            scope=LimitScope.LANE,
            per=Per.DAY,
            cap=0,
            mode=Mode.ENFORCE,
            because="a test",
        )

    def room(self, mail: Mail, at: int) -> tuple[int, Limit | None]:
        self.asked += 1
        return 0, self._limit

    def count(self, mail: Mail, mails: int, at: int) -> list[tuple[Limit, int]]:
        return []


def test_much_mail_that_waits_costs_no_more_each_minute_than_little() -> None:
    mail = Mail(1, None, "own", Provider.YAHOO)
    gate = _Closed()
    changes = [change((START + n) * 60, START + n, mail, sent=5) for n in range(200)]
    found = Replay([lane()], gate).run(changes, (START + 200) * 60)[1]
    (kept,) = [kept for _, kept in found.limits.values()]
    assert (kept.mails, kept.waits) == (1_000, 1_000)
    assert gate.asked < 3 * 200


def test_feedback_of_kept_mail_that_a_correction_took_back_passes() -> None:
    mail = Mail(1, None, "own", Provider.UNKNOWN)
    changes = [
        change(START * 60, START, mail, sent=5),
        change(START * 60 + 10, START, mail, sent=-5),
        change(START * 60 + 20, START, mail, hard_bounces=1),
    ]
    found = Replay([lane()], _Closed()).run(changes, (START + 5) * 60)[1]
    assert (found.sent, found.bad) == (0, 1)


def test_changes_of_hours_in_turn_are_those_of_all_at_once() -> None:
    cohort = Delta(START, 1, None, None, Provider.YAHOO, sent=90, delivered=80, hard_bounces=9, complaints=6)
    hours = [cohort._replace(minute=START // 60 * 60 + n * 60, lane=id) for n in range(8) for id in (1, 2)]
    domains = [DomainDelta(START + 70, 1, 7, 3)]
    cohorts = [part for hour in hours for part in by_minute([hour])]
    until = (START + 5 * DAY) * 60
    found = list(Arrivals(until).of(cohorts, domains))
    assert [one.at for one in found] == sorted(one.at for one in found)
    one_by_one = Arrivals(until)
    alone = [change for part in cohorts for change in one_by_one.of([part])]
    assert sorted(map(repr, found)) == sorted(map(repr, [*alone, Change((START + 71) * 60, domains[0])]))
