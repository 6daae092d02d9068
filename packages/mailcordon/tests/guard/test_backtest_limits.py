"""Caps in a back-test hold what is over them until the next UTC window, and nothing else. Pure."""

import itertools
from collections.abc import Sequence
from typing import Any

from mailcordon.core.limit import LimitScope, Mode, Per
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard.backtest import BackLane, Change, Mail, Replay
from mailcordon.guard.backtest_limits import CappedLane, Caps
from mailcordon.guard.breaker.engine import Breaker
from mailcordon.guard.breaker.nouns import Decision, LaneFacts
from mailcordon.guard.counts import Delta, DomainDelta
from mailcordon.guard.policy import document, layers

START = 29_000_160  #: minute: the begin of a UTC day
DAY = 1440
OLD = {START // DAY - back: 100_000 for back in range(1, 40)}  #: no new sender
MAIL = Mail(1, None, None, Provider.YAHOO)


def capped(caps: dict[str, Any], *, id: int = 1, class_: Class = Class.MARKETING, **over: Any) -> CappedLane:
    of = document.parse({"version": 1, "tenants": {"acme": {"because": "test", "caps": caps}}})
    explained = layers.effective(of, 1, "acme", f"type-{id}", class_)
    values: dict[str, Any] = {"days": OLD, "first_day": min(OLD), **over}
    return CappedLane(lane=id, tenant=1, class_=class_, explained=explained, **values)


def offered(gate: Caps, minutes: dict[int, int], *, until: int, class_: Class = Class.MARKETING) -> Any:
    facts = LaneFacts(lane=1, tenant=1, type="type-1", class_=class_)
    lane = BackLane(facts=facts, slug="acme", mode=Mode.SHADOW)
    changes = [
        Change((START + minute) * 60, Delta(START + minute, 1, None, None, Provider.YAHOO, sent=mails))
        for minute, mails in sorted(minutes.items())
    ]
    return Replay([lane], gate).run(changes, (START + until) * 60)[1]


def test_the_days_start_is_a_utc_day() -> None:
    assert START % DAY == 0


def test_what_is_over_a_cap_waits_for_the_next_window_and_leaves_then() -> None:
    gate = Caps([capped({"lane": {"hour": {"mails": 100, "mode": "enforce"}}})])
    found = offered(gate, {10: 90, 20: 230, 130: 5}, until=600)
    ((limit, kept),) = found.limits.values()
    assert (limit.scope, limit.per, limit.cap) == (LimitScope.LANE, Per.HOUR, 100)
    # Of 320, 100 leave in the first hour, 100 in the second, 100 in the third, 25 in the fourth: those of minute 130 wait behind.
    assert (kept.mails, kept.waits, kept.expired) == (220 + 5, 0, 0)
    assert kept.longest == (180 - 20) * 60
    assert found.breaker.mails == 0


class Listening(Breaker):
    """Remembers what it was told: when, of which minute's mail, how many left and bounced."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[int, int, int, int]] = []

    def observe(
        self, minute: int, deltas: Sequence[Delta], domains: Sequence[DomainDelta] = ()
    ) -> list[Decision]:
        self.heard += [(minute - START, one.minute - START, one.sent, one.hard_bounces) for one in deltas]
        return []


def test_feedback_of_mail_that_waits_follows_it() -> None:
    gate = Caps([capped({"lane": {"hour": {"mails": 100, "mode": "enforce"}}})])
    lane = BackLane(
        facts=LaneFacts(lane=1, tenant=1, type="type-1", class_=Class.MARKETING),
        slug="acme",
        mode=Mode.SHADOW,
    )
    mail = Delta(START + 10, 1, None, None, Provider.YAHOO)
    changes = [
        Change((START + 10) * 60, mail._replace(sent=200)),
        Change((START + 13) * 60, mail._replace(hard_bounces=20)),
        Change((START + 70) * 60, mail._replace(hard_bounces=10)),
    ]
    breaker = Listening()
    found = Replay([lane], gate, breaker).run(changes, (START + 200) * 60)[1]
    assert breaker.heard == [
        (10, 10, 100, 0),
        (13, 10, 0, 10),
        (60, 60, 100, 0),
        (63, 60, 0, 10),
        (70, 10, 0, 5),
        (120, 60, 0, 5),
    ]
    ((_, kept),) = found.limits.values()
    assert (kept.mails, kept.good) == (100, 85)


def test_a_cap_in_shadow_counts_what_it_would_have_held_and_holds_nothing() -> None:
    gate = Caps([capped({"lane": {"hour": {"mails": 100, "mode": "shadow"}}})])
    found = offered(gate, {10: 90, 20: 230, 70: 99}, until=600)
    assert found.limits == {}
    assert [(limit.cap, held) for limit, held in found.shadow.values()] == [(100, 220)]


def test_mail_that_waits_for_longer_than_it_is_worth_expires() -> None:
    gate = Caps([capped({"lane": {"day": {"mails": 100, "mode": "enforce"}}})])
    found = offered(gate, {10: 600}, until=5 * DAY)
    ((_, kept),) = found.limits.values()
    assert (kept.mails, kept.expired, kept.waits) == (500, 200, 0)


def test_urgent_mail_counts_in_a_tenants_cap_and_is_not_held_by_it() -> None:
    caps = {"tenant": {"day": {"mails": 10, "mode": "enforce"}}}
    both = Caps([capped(caps, class_=Class.URGENT), capped(caps, id=2)])
    noon = (START + 720) * 60
    assert both.room(MAIL, noon)[1] is None
    assert list(both.count(MAIL, 30, noon)) == []
    left, limit = both.room(MAIL._replace(lane=2), noon)
    assert limit is not None
    assert (left, limit.scope) == (0, LimitScope.TENANT)
    assert both.room(MAIL._replace(lane=2), noon + 86_400)[0] == 10


def test_a_provider_has_a_cap_of_its_own() -> None:
    gate = Caps([capped({"provider": {"yahoo": {"day": {"mails": 10, "mode": "enforce"}}}})])
    assert gate.room(MAIL, START * 60)[0] == 10
    assert gate.room(MAIL._replace(provider=int(Provider.GMAIL)), START * 60)[1] is None


def test_a_new_lane_may_send_more_each_day_and_then_as_it_likes() -> None:
    gate = Caps([capped({}, days={}, first_day=None)])
    room: list[int] = []
    for day in range(4):
        at = (START + day * DAY) * 60
        left, limit = gate.room(MAIL, at)
        assert limit is not None
        assert limit.owner == "new-sender"
        room.append(left)
        assert list(gate.count(MAIL, left, at)) == []
        assert gate.room(MAIL, at + 60)[0] == 0
    assert all(int(before * 1.5) == after > before > 0 for before, after in itertools.pairwise(room))
    assert Caps([capped({})]).room(MAIL, START * 60)[1] is None


def test_limits_that_counters_cannot_tell_are_named() -> None:
    gate = Caps([capped({"recipient": {"hour": 5}})])
    assert [row.scope for row in gate.left_out] == [LimitScope.RECIPIENT]
    assert gate.room(MAIL, START * 60)[1] is None
