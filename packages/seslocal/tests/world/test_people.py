"""Who is behind addresses: shares by the quality of the list, and what they depend on."""

from collections import Counter
from functools import cache

import pytest

from seslocal.world.draws import Draws
from seslocal.world.parameters import Parameters, WrongParameter
from seslocal.world.people import QUALITIES, People, Person, mix
from seslocal.world.settings import ListRule, Quality, WorldSettings

LISTS = tuple(ListRule(name=quality.replace("-", ""), quality=quality) for quality in QUALITIES)


def people(seed: int = 1, quality: Quality = "opted-in") -> People:
    return People(WorldSettings(seed=seed, quality=quality, lists=LISTS), Draws(seed))


@cache
def kinds(quality: Quality) -> Counter[str]:
    found, name = people(), quality.replace("-", "")
    return Counter(found.find(f"{name}.{number:06d}@gmail.com").who for number in range(50_000))


def share(quality: Quality, *who: str) -> float:
    return sum(kinds(quality)[one] for one in who) / 50_000


@pytest.mark.parametrize(
    ("quality", "least", "most"),
    [
        ("opted-in", 0.003, 0.01),
        ("stale", 0.06, 0.15),
        ("bought", 0.15, 0.35),
        ("transactional", 0.003, 0.01),
    ],
)
def test_as_many_bounce_as_lists_of_the_quality_do(quality: Quality, least: float, most: float) -> None:
    assert least <= share(quality, "nobody", "moved", "full") <= most


def test_traps_are_on_lists_that_had_to_meet_them() -> None:
    assert kinds("opted-in")["pristine_trap"] == kinds("transactional")["pristine_trap"] == 0
    assert kinds("opted-in")["recycled_trap"] <= 10
    assert 0.001 <= share("stale", "recycled_trap") <= 0.01
    assert share("stale", "pristine_trap") <= 0.001
    assert 0.002 <= share("bought", "pristine_trap") <= 0.02
    assert 0.005 <= share("bought", "recycled_trap") <= 0.03


def test_nobody_on_a_list_that_was_asked_for_was_bought_and_few_on_a_bought_one_read() -> None:
    assert not any(kinds(quality)["bought"] for quality in QUALITIES if quality != "bought")
    assert 0.4 <= share("bought", "bought") <= 0.6
    assert share("bought", "active") <= 0.01
    assert share("opted-in", "active") >= 0.5
    assert share("transactional", "active") >= 0.9


@pytest.mark.parametrize("quality", QUALITIES)
def test_the_shares_drawn_are_those_of_the_file(quality: Quality) -> None:
    for who, expected in mix(quality).items():
        assert abs(share(quality, who) - expected) < 4 * (expected * (1 - expected) / 50_000) ** 0.5 + 1e-9


def test_an_address_is_always_the_same_person_in_any_order_and_case() -> None:
    addresses = [f"bought.{number}@aol.com" for number in range(200)]
    one, other = people(), people()
    found = {address: one.find(address) for address in addresses}
    assert {address: other.find(address) for address in reversed(addresses)} == found
    assert other.find("BOUGHT.7@AOL.com") == found["bought.7@aol.com"]


def test_another_seed_makes_other_people() -> None:
    addresses = [f"bought.{number}@aol.com" for number in range(200)]
    assert [people(1).find(one) for one in addresses] != [people(2).find(one) for one in addresses]


def test_the_local_part_up_to_its_first_dot_names_the_list() -> None:
    found = people(quality="stale")

    def of(address: str) -> tuple[str, str]:
        person = found.find(address)
        return person.list, person.quality

    assert of("bought.000123@gmail.com") == ("bought", "bought")
    assert of("Bought.a.b@gmail.com") == ("bought", "bought")
    assert of("bought@gmail.com") == ("bought", "bought")
    assert of("boughtx.1@gmail.com") == ("", "stale")
    assert of("ada.bought@bought.example") == ("", "stale")


def test_an_office_is_read_by_several_if_anybody_reads_it() -> None:
    found = people()
    offices = Counter(found.find(f"info@host{number}.example").who for number in range(5_000))
    assert offices["role"] > 4_500
    assert not {"active", "dormant"} & set(offices)
    assert offices["nobody"] > 0
    assert Counter(found.find(f"infos@host{number}.example").who for number in range(5_000))["role"] < 200


def test_traps_are_traps() -> None:
    assert Person("pristine_trap", "bought", "").trap
    assert Person("recycled_trap", "stale", "").trap
    assert not Person("abandoned", "stale", "").trap


def test_shares_that_do_not_add_up_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    number = Parameters.number
    monkeypatch.setattr(
        Parameters, "number", lambda self, name: number(self, name) + (0.1 if name == "stale.full" else 0)
    )
    with pytest.raises(WrongParameter, match=r"people: the shares of stale add up to 1\.1"):
        people()
