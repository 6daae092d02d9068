"""Opinions put together."""

from __future__ import annotations

import pytest

from seslocal.world.envelope import Envelope
from seslocal.world.measures import (
    ACCEPTED,
    DAY,
    INBOX,
    OPENS,
    TRAPPED,
    UNKNOWN,
    WANTED,
    measures_of,
)
from seslocal.world.opinion import Opinions
from seslocal.world.settings import WorldSettings
from seslocal.world.standing import Standing, Standings, curve
from seslocal_fixtures.world_senders import HOSTS, letter

PROVIDERS = sorted(HOSTS)


def stand(opinions: Opinions, provider: str = "gmail", envelope: Envelope | None = None) -> Standing:
    track = opinions.track(provider, envelope or letter("k", "good.1@gmail.com"))
    return Standings(opinions).find(track)


def count(opinions: Opinions, counts: dict[int, int], provider: str = "gmail", **other: str) -> None:
    """Counts, and ends the minute."""
    track = opinions.track(provider, letter("k", "good.1@gmail.com", **other))
    for what, number in counts.items():
        opinions.count(track, what, number)
    opinions.move(opinions.minute + 1)


def test_the_curve() -> None:
    assert curve(0.0, 1.0, 2.0) == 0.0
    assert curve(3.0, 3.0, 4.0, 0.5) == 0.25
    assert curve(1e9, 3.0, 4.0, 0.5) == pytest.approx(0.5)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_unknown_but_established_sender_is_trusted(provider: str) -> None:
    found = stand(Opinions(), provider)
    assert found.harm == found.slows == found.refuses == found.defers == 0
    assert found.spam == measures_of(provider).base
    assert 0.01 <= found.spam <= 0.05


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_new_sender_is_doubted_a_little_at_first(provider: str) -> None:
    opinions = Opinions(WorldSettings(cold=("a.example",)))
    first = stand(opinions, provider).spam
    assert first > measures_of(provider).base + 0.03
    count(opinions, {ACCEPTED: 1_000}, provider)
    assert stand(opinions, provider).spam < first - 0.03


@pytest.mark.parametrize(
    ("worse", "better"), [("microsoft", "gmail"), ("gmx", "gmail"), ("small", "gmail"), ("telco", "yahoo")]
)
def test_some_providers_judge_by_the_address_more_than_others(worse: str, better: str) -> None:
    """A clean domain on the bad pool of somebody else."""
    harms: dict[str, float] = {}
    for provider in (worse, better):
        opinions = Opinions()
        count(opinions, {ACCEPTED: 5_000, UNKNOWN: 1_000}, provider, domain="bad.example", pool="own")
        harms[provider] = stand(opinions, provider, letter("k", "x@y.example", pool="own")).harm
    assert harms[worse] > 1.5 * harms[better] > 0


def test_a_list_that_nobody_reads_is_held_against_it_at_gmail_most() -> None:
    harms: dict[str, float] = {}
    for provider in ("gmail", "yahoo"):
        opinions = Opinions()
        count(opinions, {ACCEPTED: 1_000, INBOX: 1_000, OPENS: 10}, provider)
        assert stand(opinions, provider).harm == 0, "opens are looked at when the day has ended"
        opinions.move(DAY)
        count(opinions, {ACCEPTED: 1}, provider)
        harms[provider] = stand(opinions, provider).harm
    assert harms["gmail"] > 0.4 > 0.2 > harms["yahoo"] > 0.1


def test_a_known_domain_is_slowed_down_on_a_new_pool_and_never_for_a_shared_one() -> None:
    opinions = Opinions(WorldSettings(cold=("own", "shared")))
    for pool in ("own", "shared"):
        count(opinions, {WANTED: 3_000, ACCEPTED: 1_300}, domain=f"{pool}.example", pool=pool)
    own = stand(opinions, envelope=letter("k", "x@gmail.com", "mate.example", pool="own"))
    assert own.slow_pool
    assert own.slows == pytest.approx(0.99)
    assert 0 < dict(own.parts)["too much at once"] < 0.3
    shared = stand(opinions, envelope=letter("k", "x@gmail.com", "mate.example"))
    assert (shared.slows, shared.slow_pool, shared.harm) == (0, False, 0)


def test_content_is_held_against_new_domains_only() -> None:
    settings = WorldSettings(cold=tuple(f"{number}.example" for number in range(80)))
    opinions = Opinions(settings)
    for number in range(40):
        count(
            opinions,
            {ACCEPTED: 80, UNKNOWN: 20, TRAPPED: 5},
            domain=f"{number}.example",
            content="one",
        )
    new, old = (
        stand(opinions, envelope=letter("k", "x@gmail.com", domain, content="one", pool="other"))
        for domain in ("79.example", "old.example")
    )
    assert new.bad_content
    assert new.spam > 0.7
    assert dict(new.parts)["content of 40 new domains"] > 1.0
    assert old.harm == 0
    assert not old.bad_content
    other = stand(opinions, envelope=letter("k", "x@gmail.com", "79.example", content="two", pool="other"))
    assert other.spam < 0.1


def test_many_domains_with_one_content_are_suspicious_by_themselves() -> None:
    opinions = Opinions(WorldSettings(cold=tuple(f"{number}.example" for number in range(80))))
    harms: list[float] = []
    for number in range(70):
        count(opinions, {ACCEPTED: 1}, domain=f"{number}.example", content="one")
        harms.append(stand(opinions, envelope=letter("k", "x@gmail.com", "79.example", content="one")).harm)
    assert harms[9] < 0.3, "a sender may have some brands"
    assert harms[30] > 1.0


def test_it_takes_five_thousand_mails_on_one_day_to_be_a_bulk_sender_for_good() -> None:
    opinions = Opinions()
    count(opinions, {ACCEPTED: 4_999})
    assert not stand(opinions).bulk
    opinions.move(DAY)
    count(opinions, {ACCEPTED: 4_999})
    assert not stand(opinions).bulk
    count(opinions, {ACCEPTED: 1})
    assert stand(opinions).bulk
    opinions.move(100 * DAY)
    assert stand(opinions).bulk
    unsigned = letter("k", "good.1@gmail.com", signed_by="ses.example")
    assert stand(opinions, envelope=unsigned).bulk, "the domain in From counts, whoever signs"
    assert not stand(opinions, "apple").bulk


def test_bulk_mail_with_anothers_signature_counts_for_the_domain_in_from() -> None:
    opinions = Opinions()
    unsigned = letter("k", "good.1@gmail.com", signed_by="ses.example")
    opinions.count(opinions.track("gmail", unsigned), ACCEPTED, 5_000)
    opinions.move(1)
    assert stand(opinions, envelope=unsigned).bulk
    assert not stand(opinions, envelope=letter("k", "x@gmail.com", "b.example")).bulk


def test_traps_put_domain_and_own_pool_on_block_lists_for_days() -> None:
    opinions = Opinions()
    count(opinions, {TRAPPED: 26, ACCEPTED: 30}, pool="own")
    found = stand(opinions, "gateways", letter("k", "x@y.example", pool="own"))
    assert (found.listed, found.listed_pool) == ("a.example", False)
    mate = stand(opinions, "gateways", letter("k", "x@y.example", "b.example", pool="own"))
    assert (mate.listed, mate.listed_pool) == ("own", True)
    assert stand(opinions, "gmail").listed == "", "it does not ask"
    shared = stand(opinions, "gateways", letter("k", "x@y.example", "b.example"))
    assert shared.listed == ""
    opinions.move(3 * DAY)
    assert stand(opinions, "gateways").listed == ""


def test_a_standing_is_worked_out_once_a_minute() -> None:
    opinions = Opinions()
    standings = Standings(opinions)
    track = opinions.track("gmail", letter("k", "x@gmail.com"))
    found = standings.find(track)
    assert standings.find(track) is found
    opinions.count(track, UNKNOWN, 100)
    assert standings.find(track) is found
    opinions.move(1)
    assert standings.find(opinions.track("gmail", letter("k", "x@gmail.com"))).harm > 0


def test_what_is_seen_later_of_a_known_sender_is_found() -> None:
    """Its pair is known already when its new content, or its first mail with another's signature, is counted."""
    opinions = Opinions(WorldSettings(cold=("a.example",)))
    count(opinions, {ACCEPTED: 1})
    new = letter("k", "good.1@gmail.com", content="new")
    assert len(stand(opinions, envelope=new).parts) == 4
    count(opinions, {UNKNOWN: 50}, content="new")
    assert stand(opinions, envelope=new).parts[-1][0] == "content of 1 new domains"
    assert stand(opinions, envelope=new).parts[-1][1] > 0
    foreign = letter("k", "good.1@gmail.com", signed_by="b.example", content="")
    for _ in range(2):
        opinions.count(opinions.track("gmail", foreign), ACCEPTED, 5_000)
        opinions.move(opinions.minute + 1)
    assert stand(opinions, envelope=foreign).bulk
