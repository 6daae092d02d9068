"""Who may do what for whom: a tenant's key serves its tenant, a platform's key names the one it means."""

import pytest

from mailcordon.core.errors import Forbidden, Invalid
from mailcordon.core.principal import Principal


def principal(tenant: str | None, *scopes: str) -> Principal:
    return Principal(
        key_id=1,
        prefix="abcdefgh",
        name="ci",
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
