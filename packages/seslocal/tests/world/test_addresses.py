"""Addresses of made-up lists."""

from collections import Counter

import pytest

from seslocal.world.addresses import DOMAINS, Addresses
from seslocal.world.draws import Draws
from seslocal.world.people import People
from seslocal.world.providers import PROVIDERS, provider_of
from seslocal.world.settings import ListRule, WorldSettings


def providers(addresses: Addresses, name: str, numbers: range) -> Counter[str]:
    return Counter(provider_of(addresses.address(name, number)) for number in numbers)


def test_an_address_is_always_the_same_and_each_is_another() -> None:
    one, other = Addresses(), Addresses()
    made = [one.address("spring", number) for number in range(2_000)]
    assert [other.address("spring", number) for number in reversed(range(2_000))] == made[::-1]
    assert len(set(made)) == 2_000
    assert made[7].startswith("spring.000007@")


def test_each_domain_is_of_the_provider_that_it_stands_for() -> None:
    assert set(DOMAINS) == set(PROVIDERS)
    for provider, domains in DOMAINS.items():
        assert {provider_of(f"a@{domain}") for domain in domains} == {provider}


def test_each_stretch_of_a_list_has_the_mix_of_its_readers() -> None:
    for addresses, gmail, gateways in (
        (Addresses("consumers"), 0.36, 0.06),
        (Addresses("businesses"), 0.32, 0.33),
    ):
        for start in (0, 5_000, 400_000):
            found = providers(addresses, "spring", range(start, start + 1_000))
            assert abs(found["gmail"] / 1_000 - gmail) < 0.01
            assert abs(found["gateways"] / 1_000 - gateways) < 0.01


def test_two_lists_are_not_at_the_same_providers_in_step() -> None:
    addresses = Addresses()
    same = sum(
        provider_of(addresses.address("spring", number)) == provider_of(addresses.address("autumn", number))
        for number in range(1_000)
    )
    assert same < 700


def test_the_address_is_on_the_list_that_it_names() -> None:
    settings = WorldSettings(lists=(ListRule(name="spring", quality="bought"),))
    person = People(settings, Draws(1)).find(Addresses().address("spring", 12))
    assert (person.list, person.quality) == ("spring", "bought")


@pytest.mark.parametrize("name", ["", "a.b", "a@b"])
def test_a_name_that_would_be_another_list_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="take another"):
        Addresses().address(name, 1)
