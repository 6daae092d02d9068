"""A rehearsal: without a change it is the record, a list is held, others keep their mail, and a fault leads back. Pure."""

from dataclasses import replace

import pytest

from mailcordon.core.limit import Mode
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard.backtest import BackLane
from mailcordon.guard.backtest_job import Record
from mailcordon.guard.backtest_limits import CappedLane
from mailcordon.guard.breaker.nouns import LaneFacts, Level
from mailcordon.guard.counts import Delta
from mailcordon.guard.policy import layers
from mailcordon.guard.policy.document import EMPTY
from mailcordon.guard.rehearsal import job
from mailcordon.guard.rehearsal.account import Status
from mailcordon.guard.rehearsal.change import BoughtList, Rollout
from mailcordon.guard.rehearsal.job import OfList, OfMove
from mailcordon.guard.rehearsal.move import Move
from mailcordon.guard.rehearsal.week import DAY, WEEK, Given, Way, coming

UNTIL = 20_000 * DAY + 30
SINCE = UNTIL - WEEK
NEWS = "newsletter"
LANES = {1: "bazaar", 2: "sharer", 3: "apart"}
WAYS = {
    1: Way(domain="bazaar.example", pool="platform"),
    2: Way(domain="sharer.example", pool="platform"),
    3: Way(domain="a.example", pool="apart"),
}


def _mail(lane: int, minute: int, provider: Provider, sent: int) -> Delta:
    bounced = 3 if minute // DAY % 2 else 1
    return Delta(
        minute,
        lane,
        f"c{minute // DAY}",
        "own",
        provider,
        sent=sent,
        delivered=sent - bounced,
        hard_bounces=bounced,
        opens=sent // 4,
        complaints=0,
        delays=2,
    )


def given(mode: Mode = Mode.ENFORCE, mails: int = 300) -> Given:
    mail = [
        _mail(lane, day * DAY + 600 + lane, provider, mails)
        for day in range(SINCE // DAY - 7, UNTIL // DAY)
        for lane in LANES
        for provider in (Provider.MICROSOFT, Provider.YAHOO, Provider.OTHER)
    ]
    mail.sort(key=lambda one: one.minute)
    back: list[BackLane] = []
    capped: list[CappedLane] = []
    for lane, slug in LANES.items():
        facts = LaneFacts(lane=lane, tenant=lane, type=NEWS, class_=Class.MARKETING, since=SINCE - 90 * DAY)
        back.append(BackLane(facts=facts, slug=slug, mode=mode))
        explained = layers.effective(EMPTY, 0, slug, NEWS, Class.MARKETING)
        first = SINCE // DAY - 90
        capped.append(
            CappedLane(lane=lane, tenant=lane, class_=Class.MARKETING, explained=explained, first_day=first)
        )
    record = Record(
        since=SINCE,
        until=UNTIL,
        minutes_since=SINCE,
        exact_since=UNTIL,
        lanes=back,
        capped=capped,
        history=[one for one in mail if one.minute < SINCE],
        hours=[],
        minutes=[one for one in mail if one.minute >= SINCE],
        changes=[],
    )
    return Given(record=record, ways=WAYS, relative=frozenset(LANES))


LIST = BoughtList(tenant="bazaar", type=NEWS, mails=4_000)


@pytest.fixture(scope="module")
def listed() -> job.Answer:
    return job.run(given(), LIST, {})


def of_list(answer: job.Answer) -> OfList:
    assert isinstance(answer.found, OfList)
    return answer.found


def test_the_coming_week_is_the_last_one_and_nothing_changes_in_it(listed: job.Answer) -> None:
    week = coming(given())
    assert (week.since, week.until) == (UNTIL, UNTIL + WEEK)
    assert {one.minute // DAY % 7 for one in week.mail} == {
        one.minute // DAY % 7 for one in given().record.minutes
    }
    trust = listed.trust
    assert trust.sound
    assert trust.held == 0
    assert {one.what: one.recorded for one in trust.repeated}["sent"] == 7 * 3 * 3 * 300
    assert all(abs(one.played - one.recorded) <= 1 for one in trust.repeated)
    before = {one.what: one for one in trust.before}
    assert before["bounces"].foretold == pytest.approx(before["bounces"].happened, rel=0.2)


def test_the_list_is_held_within_minutes_and_nothing_else_is(listed: job.Answer) -> None:
    found = of_list(listed)
    lanes = {result.lane.facts.lane for result in found.guarded.results if result.decisions}
    assert lanes == {1}
    first = next(
        one for result in found.guarded.results for one in result.decisions if one.level is Level.CORDON
    )
    assert first.minute - found.begins <= 10
    assert 0 < found.guarded.reactions.listed.sent < 600
    assert found.unguarded.reactions.listed.sent == 4_000
    assert not found.unguarded.results


def test_who_shares_the_pool_loses_mail_if_nothing_watches_and_who_shares_nothing_does_not(
    listed: job.Answer,
) -> None:
    found = of_list(listed)

    def lost(lane: int, played: str, without: str) -> float:
        now, had = (getattr(found, each).reactions.tallies[lane] for each in (played, without))
        return float(had.inbox - now.inbox)

    assert lost(2, "unguarded", "untouched") > 20 * abs(lost(2, "guarded", "quiet"))
    assert lost(2, "unguarded", "untouched") > 100
    assert lost(3, "unguarded", "untouched") == lost(3, "guarded", "quiet") == 0


def test_a_breaker_in_shadow_holds_none_and_the_release_stays() -> None:
    found = of_list(job.run(given(Mode.SHADOW), LIST, {}))
    result = next(one for one in found.guarded.results if one.lane.facts.lane == 1)
    assert result.decisions
    assert result.breaker.mails == 0
    assert [kept.mails for _, kept in result.limits.values() if kept.mails], (
        "the paced release closes by itself"
    )
    assert found.guarded.closed


def test_bounces_of_a_large_list_have_ses_pause_everybody_unless_it_is_held() -> None:
    found = of_list(job.run(given(), replace(LIST, mails=20_000, dead=0.6), {}))
    assert found.unguarded.reactions.account.status is Status.PAUSED
    assert found.guarded.reactions.account.status is Status.HEALTHY
    assert found.unguarded.reactions.tallies[3].unsent > 0, "who shares nothing shares the account"
    assert found.unguarded.reactions.listed.unsent > 0


def test_the_same_change_gives_the_same_answer(listed: job.Answer) -> None:
    first, second = of_list(listed), of_list(job.run(given(), LIST, {}))
    assert first.guarded.reactions.listed == second.guarded.reactions.listed
    assert [one.decisions for one in first.guarded.results] == [
        one.decisions for one in second.guarded.results
    ]


def test_a_move_that_is_well_goes_on_and_a_fault_leads_back_with_less_mail() -> None:
    change = Rollout(tenant="bazaar", types=(NEWS,), days=14)
    new = {1: Way(domain="own.example", pool="")}
    found = job.run(given(mails=3_000), change, new).found
    assert isinstance(found, OfMove)
    shares = [one.share for one in found.planned.steps]
    assert shares == sorted(shares)
    assert not found.planned.back
    assert found.planned.share >= 25
    assert found.faulty is not None
    assert found.faulty.back
    assert found.faulty.mails < found.planned.mails / 4
    assert found.faulty.bad == pytest.approx(0.05 * found.faulty.mails)


def test_little_mail_shows_little_at_small_shares() -> None:
    change = Rollout(tenant="bazaar", types=(NEWS,), days=5)
    moved = Move(coming(given(mails=20)), change, [1], {1: WAYS[1]}, {}).play()
    assert moved.share == 1
    assert "mails" in moved.waits
