"""Opinions: when counts show, how they fade, and that the order within a minute does not matter."""

from __future__ import annotations

from random import Random

import pytest

from seslocal.world import opinion as opinions_module
from seslocal.world.envelope import Envelope
from seslocal.world.measures import (
    ACCEPTED,
    COMPLAINTS,
    CONTENT,
    DAY,
    DEFERRED,
    DOMAIN,
    INBOX,
    NOT_SPAM,
    OPENS,
    PAIR,
    POOL,
    TRAPPED,
    UNKNOWN,
    WANTED,
    measures_of,
)
from seslocal.world.opinion import LISTS, Opinions
from seslocal.world.settings import WorldSettings
from seslocal_fixtures.world_senders import letter

GMAIL = measures_of("gmail")


def mail(domain: str = "a.example", **other: str) -> Envelope:
    return letter("k", "good.1@gmail.com", domain, **other)


def seen(opinions: Opinions, minute: int, counts: dict[int, int], envelope: Envelope | None = None) -> None:
    opinions.move(minute)
    track = opinions.track("gmail", envelope or mail())
    for what, number in counts.items():
        opinions.count(track, what, number)


def harm(opinions: Opinions, kind: str = DOMAIN, name: str = "a.example") -> float:
    found = opinions.find("gmail", kind, name)
    return opinions.harm(found, GMAIL) if found is not None else 0.0


def test_counts_show_from_the_next_minute_on() -> None:
    opinions = Opinions(WorldSettings(cold=("a.example",)))
    seen(opinions, 10, {ACCEPTED: 10, COMPLAINTS: 5})
    assert harm(opinions) == 0.0
    opinions.move(11)
    assert harm(opinions) > 0.0
    assert harm(opinions, POOL, "shared") > 0.0
    assert harm(opinions, PAIR, "a.example shared") > 0.0
    assert harm(opinions, CONTENT, "a.example") > 0.0


@pytest.mark.parametrize("cold", [("a.example",), ()])
@pytest.mark.parametrize("days", [1, 2, 10, 40])
def test_harm_follows_the_formula(cold: tuple[str, ...], days: int) -> None:
    """harm(t) = B 2^(-t/h) / (V 2^(-t/v) + N): bad things B and volume V as of the end of the minute."""
    opinions = Opinions(WorldSettings(cold=cold))
    counts = {ACCEPTED: 9_000, UNKNOWN: 1_000, COMPLAINTS: 40, TRAPPED: 30, NOT_SPAM: 4}
    seen(opinions, 5 * DAY, counts)
    opinions.move((5 + days) * DAY)
    bad = sum(weight * counts.get(what, 0) for what, weight in GMAIL.harm)
    volume = 10_000 if cold else 10_000 * GMAIL.remembers / GMAIL.forgets  # the past of a known sender
    expected = (
        bad
        * 2 ** (-days * DAY / GMAIL.forgets)
        / (volume * 2 ** (-days * DAY / GMAIL.remembers) + GMAIL.prior)
    )
    assert harm(opinions) == pytest.approx(expected, rel=1e-12)


def test_a_sender_that_stops_halves_its_harm_by_the_law() -> None:
    """While the volume is far above the prior, the half-life is h v / (v - h): 7.5 days at Gmail."""
    opinions = Opinions()
    seen(opinions, DAY, {ACCEPTED: 10**9, UNKNOWN: 10**8})
    opinions.move(2 * DAY)
    before = harm(opinions)
    halving = GMAIL.forgets * GMAIL.remembers / (GMAIL.remembers - GMAIL.forgets)
    assert halving == pytest.approx(7.5 * DAY)
    opinions.move(2 * DAY + int(halving))
    assert harm(opinions) == pytest.approx(before / 2, rel=1e-4)


def test_good_mail_makes_it_shorter() -> None:
    stopped, went_on = Opinions(), Opinions()
    for opinions in (stopped, went_on):
        seen(opinions, DAY, {ACCEPTED: 10_000, UNKNOWN: 2_000})
    for day in range(2, 12):
        seen(went_on, day * DAY, {ACCEPTED: 10_000})
    stopped.move(13 * DAY)
    went_on.move(13 * DAY)
    assert harm(went_on) < harm(stopped) / 2


def test_rescues_are_no_credit_for_later() -> None:
    rescued, plain = Opinions(), Opinions()
    seen(rescued, 1, {ACCEPTED: 100, NOT_SPAM: 100})
    seen(plain, 1, {ACCEPTED: 100})
    rescued.move(2)
    assert harm(rescued) == 0.0
    for opinions in (rescued, plain):
        seen(opinions, 2, {COMPLAINTS: 1})
        opinions.move(3)
    assert harm(rescued) == harm(plain) > 0.0


def test_a_shared_pool_is_diluted_by_its_background() -> None:
    opinions = Opinions()
    seen(opinions, 1, {ACCEPTED: 40_000, UNKNOWN: 10_000})
    seen(opinions, 1, {ACCEPTED: 40_000, UNKNOWN: 10_000}, mail("b.example", pool="own"))
    opinions.move(2)
    shared, own = harm(opinions, POOL, "shared"), harm(opinions, POOL, "own")
    assert 0.0 < shared < own / 5


def shuffled(order: Random | None) -> bytes:
    """What is known after five minutes of the same things, each minute's in another order."""
    opinions = Opinions(WorldSettings(cold=tuple(f"{number}.example" for number in range(90))))
    plan = Random(4)
    for minute in range(5):
        opinions.move(1_400 + minute * 20)  # over the end of a day
        things = [
            (
                mail(f"{plan.randrange(90)}.example", pool=plan.choice("xyz"), content=plan.choice("12")),
                plan.choice((ACCEPTED, UNKNOWN, TRAPPED, COMPLAINTS, OPENS, INBOX, WANTED, DEFERRED)),
            )
            for _ in range(300)
        ]
        if order is not None:
            order.shuffle(things)
        for envelope, what in things:
            opinions.count(opinions.track("gmail", envelope), what)
    opinions.move(1_500)
    return opinions.keep()


def test_the_order_within_a_minute_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    for most in (opinions_module.MOST_CONTENTS, 1):  # if there is no room for all contents, too
        monkeypatch.setattr(opinions_module, "MOST_CONTENTS", most)
        plain = shuffled(None)
        assert plain.count(b'"kind":"content"') == min(2, most)
        for seed in range(3):
            assert shuffled(Random(seed)) == plain


def test_what_was_kept_goes_on_the_same() -> None:
    first, second = Opinions(), Opinions()
    seen(first, 1_000, {ACCEPTED: 50, UNKNOWN: 3, WANTED: 53})
    seen(first, 1_001, {COMPLAINTS: 2})
    second.restore(first.keep())
    assert second.keep() == first.keep()
    for opinions in (first, second):
        seen(opinions, 3_000, {ACCEPTED: 5})
        opinions.move(3_001)
    assert second.keep() == first.keep()
    assert harm(second) == harm(first) > 0


def test_what_was_not_seen_for_long_is_forgotten() -> None:
    opinions = Opinions(WorldSettings(cold=("a.example",)))
    seen(opinions, 1, {ACCEPTED: 100, COMPLAINTS: 5})
    opinions.move(30 * DAY)
    assert opinions.find("gmail", CONTENT, "a.example") is not None
    opinions.move(31 * DAY)
    assert opinions.find("gmail", CONTENT, "a.example") is None
    assert opinions.find("gmail", DOMAIN, "a.example") is not None
    opinions.move(181 * DAY)
    assert list(opinions.all()) == []
    seen(opinions, 182 * DAY, {ACCEPTED: 1})
    opinions.move(183 * DAY)
    found = opinions.find("gmail", DOMAIN, "a.example")
    assert found is not None
    assert (found.first, found.volume) == (182 * DAY, 1)


def test_a_provider_gets_used_to_the_largest_day() -> None:
    opinions = Opinions(WorldSettings(cold=("a.example", "own")))
    envelope = mail(pool="own")
    for day, accepted, used_to in ((0, 400, 500.0), (1, 800, 800.0), (2, 100, 1600.0)):
        seen(opinions, day * DAY + 600, {ACCEPTED: accepted, WANTED: accepted}, envelope)
        opinions.move(day * DAY + 700)
        found = opinions.find("gmail", DOMAIN, "a.example")
        assert found is not None
        assert opinions.load(found, GMAIL)[0] == pytest.approx(accepted / used_to)
    opinions.move(3 * DAY)
    assert opinions.load(found, GMAIL) == (0.0, 0.0, 0.0)


def test_a_day_of_far_too_much_lingers() -> None:
    opinions = Opinions(WorldSettings(cold=("a.example",)))
    seen(opinions, 600, {WANTED: 5_000, ACCEPTED: 600})
    opinions.move(700)
    found = opinions.find("gmail", DOMAIN, "a.example")
    assert found is not None
    assert opinions.load(found, GMAIL)[1:] == (10.0, 1.0)
    days = 5
    opinions.move(days * DAY)
    assert opinions.load(found, GMAIL)[2] == pytest.approx(0.5)
    seen(opinions, days * DAY + 1, {ACCEPTED: 1})
    opinions.move(days * DAY + 2)
    assert opinions.load(found, GMAIL)[2] == pytest.approx(0.5), "the end of the day is counted once"


def test_block_lists_hear_of_traps_at_any_provider_and_forget_in_days() -> None:
    opinions = Opinions()
    for provider in ("gmail", "yahoo"):
        opinions.count(opinions.track(provider, mail()), TRAPPED, 20)
    opinions.move(1)
    found = opinions.find(LISTS, DOMAIN, "a.example")
    assert found is not None
    assert found.traps == 40
    opinions.move(3 * DAY)
    assert opinions.traps(found, measures_of(LISTS)) == pytest.approx(10, rel=1e-3)


def test_a_listing_ends_three_days_after_the_last_trap_however_many_there_were() -> None:
    opinions, of_lists = Opinions(), measures_of(LISTS)
    opinions.count(opinions.track("gmail", mail(pool="own")), TRAPPED, 5_000)
    opinions.count(opinions.track("gmail", mail()), TRAPPED, 5_000)
    opinions.move(3 * DAY)
    own, shared = opinions.find(LISTS, POOL, "own"), opinions.find(LISTS, POOL, "shared")
    assert own is not None
    assert shared is not None
    assert opinions.traps(own, of_lists) == pytest.approx(of_lists.listed, rel=1e-3)
    assert opinions.traps(shared, of_lists) == pytest.approx(1250, rel=1e-3), (
        "far from being listed, so nothing is cut"
    )


def test_tracks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opinions_module, "_MOST_TRACKS", 3)
    opinions = Opinions()
    for number in range(10):
        seen(opinions, 0, {ACCEPTED: 1}, mail(content=str(number)))
    opinions.move(1)
    found = opinions.find("gmail", DOMAIN, "a.example")
    assert found is not None
    assert found.volume == 10


def test_block_lists_hear_of_nothing_but_traps() -> None:
    """And of each: two rescues weigh as much as one trap point, and take none away."""
    opinions, of_lists = Opinions(), measures_of(LISTS)
    seen(opinions, 0, {ACCEPTED: 4, INBOX: 2, COMPLAINTS: 1, TRAPPED: 1, NOT_SPAM: 2, UNKNOWN: 3})
    opinions.move(1)
    found = opinions.find(LISTS, DOMAIN, "a.example")
    assert found is not None
    assert opinions.traps(found, of_lists) == pytest.approx(1, rel=1e-3)
    assert (found.volume, found.today, found.complaints, found.dead) == (0, 0, 0, 0)


def test_traps_are_counted_in_a_world_in_which_all_are_new() -> None:
    opinions = Opinions(WorldSettings(known=0))
    for day in range(3):
        seen(opinions, day * DAY, {ACCEPTED: 1, TRAPPED: 1}, mail(pool="own"))
    opinions.move(3 * DAY)
    found = opinions.find(LISTS, POOL, "own")
    assert found is not None
    assert 1 < opinions.traps(found, measures_of(LISTS)) < 3
