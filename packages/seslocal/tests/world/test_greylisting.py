"""Hosts that put off whom they do not know."""

from seslocal.world import retries
from seslocal.world.draws import Draws
from seslocal.world.envelope import Envelope
from seslocal.world.greylisting import Greylist, Greylists, puts_off
from seslocal.world.providers import system_of
from seslocal.world.settings import WorldSettings
from seslocal.world.verdict import Verdict
from seslocal.world.world import World
from seslocal_fixtures.world_senders import plain

START = 1_790_000_040.0
STRICT = Greylist(window=300, known_after=100, knows_shared=False)


def test_a_first_attempt_of_an_unknown_sender_is_put_off_and_a_known_one_passes() -> None:
    assert puts_off(STRICT, 1, 0, 0, False, 0.9)
    assert puts_off(STRICT, 1, 0, 99, False, 0.9)
    assert not puts_off(STRICT, 1, 0, 100, False, 0.9)


def test_it_passes_when_the_window_has_passed() -> None:
    assert puts_off(STRICT, 2, 299, 0, False, 0.9)
    assert not puts_off(STRICT, 2, 300, 0, False, 0.9)


def test_a_retry_from_another_network_is_put_off_again_but_not_for_ever() -> None:
    assert puts_off(STRICT, 3, 900, 0, True, 0.1)
    assert not puts_off(STRICT, 3, 900, 0, True, 0.9)
    assert not puts_off(STRICT, 3, 900, 0, False, 0.1)
    assert not puts_off(STRICT, 7, 9_000, 0, True, 0.1)


def test_some_hosts_have_exceptions_for_shared_pools() -> None:
    kind = Greylist(window=300, known_after=100, knows_shared=True)
    assert not puts_off(kind, 1, 0, 0, True, 0.1)
    assert puts_off(kind, 1, 0, 0, False, 0.1)


def test_a_share_of_small_hosts_greylists_always_the_same_ones_and_gmail_does_not() -> None:
    domains = [f"{number}.postfix.example" for number in range(2_000)]

    def which(seed: int) -> list[str]:
        greylists = Greylists(Draws(seed))
        return [one for one in domains if greylists.find(system_of(f"a@{one}"), f"a@{one}") is not None]

    assert 0.22 < len(which(1)) / len(domains) < 0.28
    assert which(1) == which(1)
    assert which(1) != which(2)
    assert Greylists(Draws(1)).find(system_of("a@gmail.com"), "a@gmail.com") is None


def mail(number: int, *, pool: str) -> Envelope:
    # Each to another host, so that all of them together make the sender known.
    return plain(
        f"k{number}",
        f"anna@h{number}.postfix.example",
        from_domain="new.example",
        signed_by="new.example",
        mail_from="bounce.new.example",
        pool=pool,
    )


def greylisted(world: World, envelope: Envelope, number: int, at: float) -> Verdict | None:
    found = world.peek(envelope, number, at)
    return found if found.cause == "greylisted" else None


def test_a_new_sender_is_greylisted_by_small_hosts_and_arrives_minutes_later() -> None:
    world = World(WorldSettings(cold=("new.example", "own"), known=50_000), START)
    put_off = [
        envelope
        for number in range(600)
        if (envelope := mail(number, pool="own"))
        and (found := greylisted(world, envelope, 1, START)) is not None
        and found.code in (450, 451)
        and "reylisted" in found.text
    ]
    assert 0.15 < len(put_off) / 600 < 0.3
    second = [
        one
        for one in put_off
        if greylisted(world, one, 2, START + retries.drawn(world.draws, one, 1)) is not None
    ]
    assert {retries.drawn(world.draws, one, 1) < 300 for one in second} == {True}
    assert 0 < len(second) < len(put_off) / 2
    assert not [one for one in put_off if greylisted(world, one, 3, START + 1_000)]


def test_a_sender_that_is_known_is_greylisted_by_few() -> None:
    new, known = (World(WorldSettings(cold=cold), START) for cold in (("new.example", "own"), ()))
    counts = [
        sum(greylisted(world, mail(number, pool="own"), 1, START) is not None for number in range(600))
        for world in (new, known)
    ]
    assert 0 < counts[1] < counts[0] / 4


def test_a_sender_that_is_known_stays_so_when_it_sends() -> None:
    world = World(WorldSettings(seed=1), START)
    found = [world.attempt(mail(number, pool="own"), 1, START + number * 60) for number in range(600)]
    assert 0 < sum(one.cause == "greylisted" for one in found) < 0.04 * 600
