"""Who may do what for whom: a tenant's key serves its tenant, a platform's key names the one it means."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from mailcordon.core.errors import Forbidden, Invalid
from mailcordon.core.principal import Principal


def principal(tenant: str | None, *scopes: str) -> Principal:
    return Principal(
        key_id=1,
        prefix="abcdefgh",
        name="ci",
        holder="Kim Lee",
        tenant_id=None if tenant is None else 7,
        tenant_slug=tenant,
        scopes=frozenset(scopes),
    )


def test_a_tenants_key_means_its_tenant_named_or_not():
    assert principal("acme").tenant_for(None) == "acme"
    assert principal("acme").tenant_for("acme") == "acme"


@pytest.mark.parametrize("slug", ["zen", "", "ACME", "acme "])
def test_a_tenants_key_cannot_name_another_tenant(slug):
    with pytest.raises(Forbidden) as caught:
        principal("acme").tenant_for(slug)
    assert caught.value.code == "foreign-tenant"


@pytest.mark.parametrize("slug", ["", "-acme", "ACME", "a b", "a\x00b", "a" * 64, "ä", "acme\n"])
def test_a_name_that_no_tenant_can_have_never_reaches_the_database(slug):
    with pytest.raises(Invalid) as caught:
        principal(None).tenant_for(slug)
    assert caught.value.code == "unknown-tenant"


def test_a_tenants_key_is_no_platform_key():
    principal(None).require_platform()
    with pytest.raises(Forbidden) as caught:
        principal("acme").require_platform()
    assert caught.value.code == "platform-only"


def test_other_tenants_are_not_found_with_a_tenants_key():
    assert principal("acme").sees("acme")
    assert not principal("acme").sees("zen")
    assert principal(None).sees("zen")


@pytest.mark.parametrize("client", ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::7"])
def test_a_key_works_from_the_addresses_in_its_ranges(client: str):
    networks = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    replace(principal("acme"), networks=networks).require_network(client)


@pytest.mark.parametrize(
    "client", ["11.0.0.1", "::ffff:11.0.0.1", "2001:db9::7", "", "unknown", "10.1.2.3\n"]
)
def test_a_key_does_not_work_from_another_address_or_from_none(client: str):
    networks = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    with pytest.raises(Forbidden) as caught:
        replace(principal("acme"), networks=networks).require_network(client)
    assert caught.value.code == "address-not-allowed"
    principal("acme").require_network(client)
