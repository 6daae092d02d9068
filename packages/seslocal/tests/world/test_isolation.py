"""Who suffers from a bought list: those who share the sender's domain much, those who share a shared pool a little, others not at
all, to the bit."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import msgspec
import pytest

from seslocal.world.verdict import Verdict
from seslocal_fixtures.world_senders import HOSTS, START, Senders, letter

OTHERS = ("other.example", "poolmate.example", "mate.example")
encode = msgspec.json.Encoder().encode


class Played(NamedTuple):
    verdicts: dict[str, list[tuple[float, str, Verdict]]]  #: of each sender
    opinions: dict[str, bytes]  #: by kind and name
    spam: float  #: share of the accepted mail of a sharer of the pool that would go to spam at the end


@cache
def played(provider: str, bought: int) -> Played:
    """Three days of four senders, of which `a.example` sends to a bought list from the second day on."""
    senders = Senders()
    for day in range(3):
        senders.send(200, "good", provider, day, "a.example", sender="culprit")
        if day:
            senders.send(bought, "bought", provider, day, "a.example", sender="culprit")
        senders.send(300, "good", provider, day, "other.example", pool="other")
        senders.send(700, "good", provider, day, "poolmate.example")
        # a mate of the same domain, with its own keys and addresses
        senders.send(300, "codes", provider, day, "a.example", sender="mate")
    senders.end(3)
    verdicts = {name: senders.verdicts[name] for name in ("a.example", "other.example", "poolmate.example")}
    verdicts["mate.example"] = [one for one in verdicts["a.example"] if " codes " in one[1]]
    opinions = {f"{one.kind} {one.name}": encode(one) for _, one in senders.world.opinions.all()}
    letter_of_mate = letter("k", f"good.1@{HOSTS[provider]}", "poolmate.example")
    return Played(verdicts, opinions, senders.world.standing(letter_of_mate).spam)


def inbox(verdicts: list[tuple[float, str, Verdict]]) -> set[str]:
    return {key for at, key, one in verdicts if one.kind == "inbox" and at >= START + 86_400}


@pytest.mark.parametrize("provider", ["gmail", "microsoft"])
def test_those_who_share_nothing_lose_nothing_to_the_bit(provider: str) -> None:
    (with_it, opinions, _), (without, quiet, _) = played(provider, 3_000), played(provider, 0)
    assert encode(with_it["other.example"]) == encode(without["other.example"])
    for name in ("domain other.example", "pool other", "pair other.example other"):
        assert opinions[name] == quiet[name]
    assert opinions["domain a.example"] != quiet["domain a.example"], "the culprit was noticed"


@pytest.mark.parametrize("provider", ["gmail", "microsoft"])
def test_sharers_of_the_domain_lose_much_and_sharers_of_a_shared_pool_a_little(provider: str) -> None:
    (with_it, _, spam), (without, _, quiet) = played(provider, 3_000), played(provider, 0)
    lost = {
        name: len(inbox(without[name]) - inbox(with_it[name])) / len(inbox(without[name])) for name in OTHERS
    }
    assert lost["mate.example"] > 0.3
    assert lost["poolmate.example"] < 0.02
    assert quiet + 0.0002 < spam < quiet + 0.02
    assert not inbox(with_it["poolmate.example"]) - inbox(without["poolmate.example"])
