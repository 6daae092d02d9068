"""Worlds and mails by chance: the order within a minute, a restart at any moment and what strangers send change nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection
from random import Random
from typing import Any, Final

import msgspec
import pytest

from seslocal.world.envelope import Envelope
from seslocal.world.settings import Rule, Weather, WorldSettings
from seslocal.world.world import World
from seslocal_fixtures.world_senders import HOSTS, LISTS, START, letter

SEEDS: Final = range(8)
_encode = msgspec.json.encode

Attempt = tuple[Envelope, int, float]  #: the mail, which attempt, when
#: what became of each mail, and what providers think in the end
Played = tuple[dict[str, bytes], dict[tuple[str, str, str], bytes]]


def settings(chance: Random) -> WorldSettings:
    def start() -> float:
        return chance.uniform(-1e5, 3e5)

    return WorldSettings(
        seed=chance.randrange(10**6),
        lists=LISTS,
        known=chance.choice([0, 0, 300, 50_000]),
        cold=tuple(chance.sample(["d0", "d1", "d2", "p0", "p1"], chance.randint(0, 4))),
        shared=chance.choice([(), ("p0",), ("p0", "p1")]),
        background_weather=chance.random() < 0.5,
        weather=tuple(
            Weather(
                provider=chance.choice(["gmail", "small"]), start=start(), seconds=5e4, defers=chance.random()
            )
            for _ in range(chance.randint(0, 3))
        ),
        rules=tuple(
            Rule(provider="yahoo", start=start(), kind="needs_dmarc", refuses=chance.random())
            for _ in range(chance.randint(0, 2))
        ),
    )


def mails(chance: Random, strangers: bool) -> list[list[Attempt]]:
    """Of each minute. With `strangers` nobody shares anything with another."""
    minutes = sorted({chance.randrange(chance.choice([60, 4_320, 600_000])) for _ in range(40)})
    kinds = ["good", "stale", "codes", "bought", "bought", "bought"]  # bought ones have the traps
    found: list[list[Attempt]] = []
    for minute in minutes:
        batch: list[Attempt] = []
        for number in range(chance.choice([1, 5, 30])):
            domain = f"d{chance.randrange(4)}"
            signed_by = chance.choice([domain, domain, None, domain if strangers else "d1"])
            other: dict[str, Any] = {
                "signed_by": signed_by,
                "aligned": signed_by == domain,
                "spf": chance.random() < 0.8,
                "pool": f"p{domain}" if strangers else f"p{chance.randrange(3)}",
                "content": domain if strangers else chance.choice(["", "one", domain]),
                "dmarc": chance.choice(["absent", "none", "reject", "quarantine"]),
                "one_click": chance.random() < 0.5,
            }
            host = chance.choice(list(HOSTS.values()))
            recipient = f"{chance.choice(kinds)}.{chance.randrange(300)}@{host}"
            at = START + minute * 60 + chance.random() * 59
            batch.append(
                (letter(f"{minute} {number}", recipient, domain, **other), chance.choice([1, 1, 2]), at)
            )
        found.append(batch)
    return found


def play(
    made: WorldSettings,
    batches: list[list[Attempt]],
    order: Callable[[list[Attempt]], list[Attempt]] = list,
    restarts: Collection[tuple[int, int]] = (),
) -> Played:
    world, became = World(made, START), dict[str, bytes]()
    for minute, batch in enumerate(batches):
        for number, (envelope, attempt, at) in enumerate(order(batch)):
            if (minute, number) in restarts:
                kept, world = world.opinions.keep(), World(made, START)
                world.opinions.restore(kept)
                assert world.opinions.keep() == kept
            verdict = world.attempt(envelope, attempt, at)
            reactions = world.react(envelope, verdict, at)
            for reaction in reactions:
                world.happened(envelope, verdict, reaction, at)
            became[envelope.key] = _encode((verdict, reactions))
    world.move(START + 500 * 86_400)
    return became, {(name, one.kind, one.name): _encode(one) for name, one in world.opinions.all()}


@pytest.mark.parametrize("seed", SEEDS)
def test_neither_the_order_within_a_minute_nor_a_restart_changes_anything(seed: int) -> None:
    chance = Random(seed)
    made, batches = settings(chance), mails(chance, strangers=False)
    became = play(made, batches)
    assert play(made, batches, lambda batch: chance.sample(batch, len(batch))) == became
    moments = {(minute, number) for minute in range(40) for number in range(30) if chance.random() < 0.1}
    assert play(made, batches, restarts=moments) == became


@pytest.mark.parametrize("seed", SEEDS)
def test_strangers_change_nothing_to_the_bit(seed: int) -> None:
    chance = Random(seed)
    made, batches = settings(chance), mails(chance, strangers=True)
    became, opinions = play(made, batches)
    for domain in {envelope.from_domain for batch in batches for envelope, _, _ in batch}:
        own = [[one for one in batch if one[0].from_domain == domain] for batch in batches]
        alone, thought = play(made, own)
        assert alone.items() <= became.items()
        assert thought.items() <= opinions.items()
