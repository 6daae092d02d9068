"""When a sender tries again."""

from seslocal.world import retries
from seslocal.world.draws import Draws
from seslocal.world.envelope import Envelope
from seslocal_fixtures.world_senders import plain


def test_pauses_grow_to_the_last_one_and_stay_there() -> None:
    pauses = [retries.pause(number, 0.5) for number in range(1, 9)]
    assert pauses == sorted(pauses)
    assert pauses[0] == 340
    assert pauses[4:] == [3600] * 4


def test_chance_makes_a_pause_up_to_a_fifth_shorter_or_longer() -> None:
    assert round(retries.pause(1, 0.0), 6) == 272
    assert round(retries.pause(1, 1.0), 6) == 408


def test_the_pause_of_a_mail_depends_on_its_key_recipient_and_attempt() -> None:
    draws = Draws(1)
    mail = envelope("k", "anna@gmail.com")
    first = retries.drawn(draws, mail, 1)
    assert 272 <= first <= 408
    assert retries.drawn(draws, envelope("k", "anna@gmail.com"), 1) == first
    others = (envelope("other", "anna@gmail.com"), 1), (envelope("k", "bert@gmail.com"), 1), (mail, 2)
    assert all(retries.drawn(draws, one, number) != first for one, number in others)
    assert retries.drawn(Draws(2), mail, 1) != first


def envelope(key: str, recipient: str) -> Envelope:
    return plain(key, recipient)
