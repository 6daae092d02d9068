"""What a lane shares, by dimension: with its own tenant's lanes, with other tenants, and which decision ends it."""

from typing import Any

import pytest

from mailcordon.control import isolation
from mailcordon.control.isolation import Dimension, Others, SendingKey, Surroundings
from mailcordon.control.sharing import UsedRoute
from mailcordon.core.lane import Lane
from mailcordon.core.priority import Class
from mailcordon.core.route import Route

ORGANISATIONS = {
    "news.acme.example": "acme.example",
    "acme.example": "acme.example",
    "other.example": "other.example",
}


def lane(
    type: str, domain: str, *, dedicated: bool = False, class_: Class = Class.MARKETING, **over: Any
) -> UsedRoute:
    values: dict[str, Any] = {
        "path": "isolated",
        "turn": 1,
        "ses_tenant": "mc-acme",
        "domain": domain,
        "configuration_set": f"mc-{'acme-' if dedicated else ''}{class_.word}",
    }
    made = Lane(id=hash(type) % 1000, tenant=1, tenant_key="mc-acme", type=type, class_=class_)
    return UsedRoute(
        route=Route(lane=made, **(values | over)), set_kind="dedicated" if dedicated else "shared"
    )


def dimensions(
    one: UsedRoute, *others: UsedRoute, around: Surroundings | None = None, links: str | None = None
) -> dict[str, Dimension]:
    found = isolation.of_lane(
        "acme", one, [one, *others], ORGANISATIONS, around or Surroundings(), topic="arn:topic", links=links
    )
    return {each.name: each for each in found}


def test_a_lane_with_everything_of_its_own_shares_nothing_but_what_only_an_account_ends() -> None:
    found = dimensions(lane("newsletter", "other.example", dedicated=True, ip_pool="mine"))
    assert {name for name, each in found.items() if each.shared} == set()
    alone = dimensions(lane("newsletter", "other.example", dedicated=True))
    assert {name for name, each in alone.items() if each.shared} == {"pool"}
    assert "every sender of SES" in alone["pool"].says
    assert all(each.mistake is None for each in found.values())


def test_lanes_on_one_domain_share_it_and_a_move_ends_that() -> None:
    found = dimensions(lane("newsletter", "acme.example"), lane("invoice", "acme.example"))["domain"]
    assert (found.shared, found.types, found.decision) == (True, ("invoice",), "identity")
    assert found.command == "mailcordon lane move acme newsletter --to NEW.DOMAIN --because TEXT"
    assert found.mistake is not None
    assert "convenience" in found.mistake


def test_a_sub_domain_shares_the_organisational_domain() -> None:
    found = dimensions(lane("newsletter", "news.acme.example"), lane("invoice", "acme.example"))
    assert not found["domain"].shared
    assert (found["organisation"].value, found["organisation"].types) == ("acme.example", ("invoice",))


def test_a_class_set_is_shared_with_other_tenants_and_an_own_one_is_not() -> None:
    around = Surroundings(sets={"mc-marketing": Others(3, ("umbra", "zen"))})
    found = dimensions(lane("newsletter", "acme.example"), around=around)["set"]
    assert (found.tenants, found.named, found.decision) == (3, ("umbra", "zen"), "configuration set")
    assert found.says == "umbra, zen and 1 more tenant"
    assert found.command == "mailcordon tenant topology acme --dedicated --because TEXT"
    own = dimensions(
        lane("newsletter", "acme.example", dedicated=True),
        lane("announcement", "acme.example", dedicated=True),
        around=around,
    )["set"]
    assert (own.shared, own.types, own.tenants, own.command) == (True, ("announcement",), 0, None)


def test_the_set_of_a_class_is_shared_even_while_no_other_tenant_uses_it() -> None:
    one, other = lane("newsletter", "acme.example"), lane("announcement", "acme.example")
    found = dimensions(one)["set"]
    assert (found.shared, found.says) == (True, "nobody now; it is for the marketing lanes of every tenant")
    found = dimensions(one, other)["set"]
    assert found.says.startswith("announcement, and no other tenant now")


def test_a_tenants_key_gets_numbers_and_no_names() -> None:
    around = Surroundings(sets={"mc-marketing": Others(3)}, account=Others(4))
    found = dimensions(lane("newsletter", "acme.example"), around=around)
    assert found["set"].says == "3 other tenants"
    assert found["account"].says == "4 other tenants"


def test_what_none_of_the_three_decisions_ends_says_what_does() -> None:
    found = dimensions(lane("newsletter", "acme.example"), around=Surroundings(account=Others(1, ("zen",))))
    for name in ("topic", "account"):
        assert found[name].shared
        assert (found[name].decision, found[name].command) == (None, None)
        assert found[name].ends
    assert found["pool"].decision == "IP"
    assert found["pool"].command == "mailcordon pool add POOL acme --class marketing --because TEXT"


def test_a_domain_below_a_shared_parent_is_marked_shared_even_while_nobody_else_uses_it() -> None:
    around = Surroundings(parents=("acme.example",))
    found = dimensions(lane("newsletter", "news.acme.example"), around=around)["domain"]
    assert found.shared
    assert found.says.startswith("acme.example: shared, not isolated")


@pytest.mark.parametrize(
    ("keys", "shared"),
    [
        ((), False),
        ((SendingKey(platform=False, types=frozenset({"newsletter"})),), False),
        ((SendingKey(platform=False, types=frozenset({"invoice"})),), False),
        ((SendingKey(platform=False, types=frozenset({"newsletter", "invoice"})),), True),
        ((SendingKey(platform=False, types=None),), True),
        ((SendingKey(platform=True, types=None),), True),
        ((SendingKey(platform=True, types=frozenset({"newsletter"})),), True),
        ((SendingKey(platform=True, types=frozenset({"invoice"})),), False),
    ],
)
def test_keys_that_can_send_for_other_lanes_too_are_shared(
    keys: tuple[SendingKey, ...], shared: bool
) -> None:
    found = dimensions(lane("newsletter", "acme.example"), around=Surroundings(keys=keys))["keys"]
    assert found.shared is shared


def test_every_shared_dimension_names_its_mistake_and_a_way_out() -> None:
    around = Surroundings(
        sets={"mc-marketing": Others(1)},
        account=Others(1),
        domains={"acme.example": Others(1)},
        organisations={"acme.example": Others(1)},
        keys=(SendingKey(platform=True, types=None),),
    )
    links = "https://links.platform.example"
    lanes = lane("newsletter", "acme.example"), lane("invoice", "acme.example")
    found = dimensions(*lanes, around=around, links=links)
    assert found["links"].value == links
    every = {"domain", "organisation", "ses-tenant", "set", "topic", "pool", "account", "keys", "links"}
    assert set(found) == every
    for each in found.values():
        assert each.shared
        assert each.mistake
        assert each.command or each.ends


def test_a_tenant_with_a_host_name_of_its_own_shares_no_links() -> None:
    around = Surroundings(unsubscribe_host="links.acme.example")
    found = dimensions(lane("newsletter", "acme.example"), around=around, links="https://x.example")["links"]
    assert (found.value, found.shared) == ("https://links.acme.example", False)
