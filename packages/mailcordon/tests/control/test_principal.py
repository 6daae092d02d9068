"""What a key may do: pure."""

import pytest

from mailcordon.control import keys
from mailcordon.core.errors import Forbidden, Invalid
from mailcordon.core.principal import Principal


def principal(tenant: str | None, *scopes: str) -> Principal:
    return Principal(
        key_id=1,
        prefix="abcdefgh",
        name="ci",
        holder="Kim Lee",
        tenant_id=None if tenant is None else 1,
        tenant_slug=tenant,
        scopes=frozenset(scopes),
    )


def test_a_platform_key_must_name_the_tenant_and_serves_any() -> None:
    assert principal(None, "send").tenant_for("acme") == "acme"
    with pytest.raises(Invalid, match="must name the tenant"):
        principal(None, "send").tenant_for(None)


def test_a_tenants_key_serves_its_own_and_refuses_another() -> None:
    own = principal("acme", "send")
    assert own.tenant_for(None) == own.tenant_for("acme") == "acme"
    with pytest.raises(Forbidden, match="no other tenant"):
        own.tenant_for("zen")
    assert own.sees("acme")
    assert not own.sees("zen")


def test_a_scope_is_not_implied_by_another() -> None:
    for scope in ("send", "read", "operate", "admin"):
        others = {"send", "read", "operate", "admin"} - {scope}
        with pytest.raises(Forbidden, match=scope):
            principal(None, *others).require(scope)
        principal(None, scope).require(scope)


def test_keys_are_256_random_bits_and_never_shown_by_accident() -> None:
    minted = [keys.mint() for _ in range(100)]
    assert len({one.text for one in minted}) == 100
    for one in minted:
        assert keys.bearer(f"Bearer {one.text}") == one.text
        assert len(one.text.removeprefix(f"mck_{one.prefix}_")) == 43  # 256 bits in base 64
        assert one.text not in repr(one)
