"""What a process remembers of recipients' domains: a dictionary's answer, bounded, and never a wait."""

from collections.abc import Mapping

import pytest

from mailcordon.core.errors import Unavailable
from mailcordon.core.provider import Provider
from mailcordon.send import provider_table
from mailcordon.send.provider_table import Answer, ProviderTable

MINUTE_MS = 60_000


class Feed:
    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.wanted: list[str] = []
        self.away = False

    async def newest_since(self, most: int) -> int:
        times = [one.asked_at for one in self._there()]
        return times[-most - 1] if len(times) > most else 0

    async def asked_since(self, since: int, most: int) -> list[Answer]:
        return [one for one in self._there() if one.asked_at >= since][:most]

    async def want(self, wanted: Mapping[str, str]) -> None:
        self._there()
        self.wanted += list(wanted)

    def _there(self) -> list[Answer]:
        if self.away:
            raise Unavailable("the database does not respond")
        return self.answers

    def learn(self, domain: str, whose: Provider, asked_at: int, *, minutes: int = 60) -> None:
        self.answers.append(Answer(domain, whose, asked_at + minutes * MINUTE_MS, asked_at))


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def clock() -> list[float]:
    return [1_000_000_020.0]


@pytest.fixture
def table(feed: Feed, clock: list[float]) -> ProviderTable:
    return ProviderTable(feed, most=100, now=lambda: clock[0])


def ms(clock: list[float]) -> int:
    return int(clock[0] * 1000)


async def test_an_unknown_domain_is_asked_for_once_and_known_after_it_was_learnt(
    table: ProviderTable, feed: Feed, clock: list[float]
) -> None:
    assert table.of("acme.example") == Provider.UNKNOWN
    assert table.of("acme.example") == Provider.UNKNOWN
    await table.read()
    assert table.of("acme.example") == Provider.UNKNOWN
    await table.read()
    assert feed.wanted == ["acme.example"]
    feed.learn("acme.example", Provider.GMAIL, ms(clock))
    await table.read()
    assert table.of("acme.example") == Provider.GMAIL


async def test_a_domain_that_is_offered_to_the_public_needs_no_look_up(
    table: ProviderTable, feed: Feed
) -> None:
    assert table.of("gmail.com") == Provider.GMAIL
    await table.read()
    assert feed.wanted == []


async def test_an_expired_answer_still_counts_and_is_asked_for_again(
    table: ProviderTable, feed: Feed, clock: list[float]
) -> None:
    feed.learn("acme.example", Provider.GMAIL, ms(clock), minutes=5)
    await table.read()
    table.of("acme.example")
    await table.read()
    assert feed.wanted == []
    clock[0] += 6 * 60
    await table.read()
    assert table.of("acme.example") == Provider.GMAIL
    await table.read()
    assert feed.wanted == ["acme.example"]


async def test_a_failed_look_up_is_not_asked_for_with_every_mail(
    table: ProviderTable, feed: Feed, clock: list[float]
) -> None:
    feed.learn("acme.example", Provider.UNKNOWN, ms(clock), minutes=30)
    await table.read()
    assert table.of("acme.example") == Provider.UNKNOWN
    await table.read()
    assert feed.wanted == []


async def test_a_wish_that_was_lost_is_repeated(table: ProviderTable, feed: Feed, clock: list[float]) -> None:
    for _ in range(2):
        table.of("acme.example")
        await table.read()
        clock[0] += provider_table.FORGET_EVERY + 1
        await table.read()
    assert feed.wanted == ["acme.example"] * 2


async def test_the_memory_is_bounded(table: ProviderTable, feed: Feed, clock: list[float]) -> None:
    for number in range(250):
        feed.learn(f"d{number}.example", Provider.OTHER, ms(clock) + number)
    await table.read()
    feed.learn("late.example", Provider.GMAIL, ms(clock) + 300)
    await table.read()
    assert len(table) == 100
    assert table.of("late.example") == Provider.GMAIL
    assert table.of("d0.example") == Provider.UNKNOWN


async def test_wishes_are_bounded_while_the_database_is_away(
    table: ProviderTable, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_table, "MOST_WANTED", 5)
    feed.away = True
    for number in range(50):
        assert table.of(f"d{number}.example") == Provider.UNKNOWN
    with pytest.raises(Unavailable):
        await table.read()
    feed.away = False
    await table.read()
    assert feed.wanted == [f"d{number}.example" for number in range(5)]


async def test_what_is_committed_late_is_read_all_the_same(
    table: ProviderTable, feed: Feed, clock: list[float]
) -> None:
    feed.learn("first.example", Provider.GMAIL, ms(clock))
    await table.read()
    feed.answers.insert(0, Answer("late.example", Provider.YAHOO, ms(clock) + MINUTE_MS, ms(clock) - 3_000))
    await table.read()
    assert table.of("late.example") == Provider.YAHOO


async def test_more_answers_than_a_page_are_all_read(
    table: ProviderTable, feed: Feed, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    await table.read()
    monkeypatch.setattr(provider_table, "PAGE", 7)
    for number in range(60):
        feed.learn(f"d{number}.example", Provider.GMAIL, ms(clock) + number)
    await table.read()
    assert all(table.of(f"d{number}.example") == Provider.GMAIL for number in range(60))
