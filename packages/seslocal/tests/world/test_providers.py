"""Which provider and which mail system receive the mail of a domain."""

from collections import Counter

import pytest

from seslocal.world.providers import PROVIDERS, SYSTEMS, provider_of, system_of, system_of_domain


@pytest.mark.parametrize(
    ("domain", "system"),
    [
        ("gmail.com", "gmail"),
        ("googlemail.com", "gmail"),
        ("hotmail.co.uk", "outlook"),
        ("aol.com", "yahoo"),
        ("att.net", "yahoo"),
        ("me.com", "apple"),
        ("web.de", "gmx"),
        ("comcast.net", "comcast"),
        ("wanadoo.fr", "orange"),
        ("t-online.de", "telekom"),
        ("posteo.de", "postfix"),
    ],
)
def test_public_domains_have_the_system_of_their_provider(domain: str, system: str) -> None:
    found = system_of(f"Anna@{domain.upper()}")
    assert (found.name, found.provider, found.public) == (system, SYSTEMS[system], True)


@pytest.mark.parametrize(
    ("domain", "provider"),
    [
        ("telco.example", "telco"),
        ("corp07.example", "gateways"),
        ("host39.example", "small"),
        ("gateways.example", "gateways"),
        ("acme.small2.example", "small"),
        ("microsoft.example", "microsoft"),
    ],
)
def test_made_up_domains_have_the_provider_that_they_name(domain: str, provider: str) -> None:
    assert provider_of(f"a@{domain}") == provider


def test_made_up_domains_may_name_a_system() -> None:
    for name in SYSTEMS:
        assert system_of_domain(f"acme.{name}3.example").name == name
    assert system_of_domain("acme.exchange-online.example").name == "exchange_online"


def test_other_domains_are_of_organisations_with_the_systems_that_organisations_have() -> None:
    counts = Counter(system_of_domain(f"firm{number}.de").name for number in range(5_000))
    assert {SYSTEMS[name] for name in counts} == {"gmail", "gateways", "small"}
    assert 0.25 < counts["exchange_online"] / 5_000 < 0.31
    assert 0.08 < counts["gmail"] / 5_000 < 0.12
    assert counts["mimecast"] < counts["proofpoint"] < counts["postfix"]
    assert not any(system_of_domain(f"firm{number}.de").public for number in range(100))


def test_every_system_belongs_to_a_provider_and_every_provider_has_one() -> None:
    assert set(SYSTEMS.values()) == set(PROVIDERS)


def test_gmail_apple_and_gmx_report_no_complaints() -> None:
    assert {name for name, one in PROVIDERS.items() if one.complaints} == {"microsoft", "yahoo", "telco"}


@pytest.mark.parametrize(
    "recipient", ["", "@", "anna", "anna@", "a@.example", "a@example", "a@..", "a@ü.example"]
)
def test_odd_addresses_have_a_provider_too(recipient: str) -> None:
    assert provider_of(recipient) in PROVIDERS
