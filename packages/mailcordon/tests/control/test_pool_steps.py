"""The step that lets a tenant's mail of a class leave from an IP pool. Pure."""

from dataclasses import replace

import pytest

from mailcordon.control import desired, steps
from mailcordon.control.desired import Kind
from mailcordon.control.platform import SHARED_IPS, Domain, IpPool, Lane, Platform, Tenant
from mailcordon.core.errors import Conflict, Invalid
from mailcordon.core.priority import Class

SETTINGS = desired.Settings(outcome_topic_arn="arn:o", engagement_topic_arn="arn:e", local=True)
ACME = Tenant(
    slug="acme",
    key="mc-abc",
    dedicated=True,
    domains={"acme.example": Domain(name="acme.example")},
    lanes={
        "invoice": Lane(type="invoice", class_=Class.TRANSACTIONAL, domain="acme.example"),
        "newsletter": Lane(type="newsletter", class_=Class.MARKETING, domain="acme.example"),
    },
)
PLATFORM = Platform(
    revision=7,
    tenants={"acme": ACME},
    types={"invoice": Class.TRANSACTIONAL, "newsletter": Class.MARKETING},
    pools={
        "bulk": IpPool(name="bulk", managed=True, marketing=True),
        "receipts": IpPool(name="receipts", managed=False, marketing=False),
    },
)
JOIN = steps.set_pool("acme", Class.MARKETING, "bulk")
LEAVE = steps.set_pool("acme", Class.MARKETING, None)


def sets(tenant: Tenant) -> dict[str, object]:
    """The pool that each of its sets wants; a missing one: what SES has is left as it is."""
    found = desired.of_tenant(tenant, SETTINGS)
    return {
        each.name: each.want["sending_pool"]
        for each in found
        if each.kind == Kind.CONFIGURATION_SET and "sending_pool" in each.want
    }


def with_acme(tenant: Tenant) -> Platform:
    return replace(PLATFORM, tenants={"acme": tenant})


def test_only_the_set_of_that_class_gets_the_pool() -> None:
    [done] = steps.complete(PLATFORM, [JOIN])
    assert done.was == f"marketing {SHARED_IPS}"
    assert sets(ACME) == {}
    assert sets(steps.after(PLATFORM, [done]).tenants["acme"]) == {"mc-abc-marketing": "bulk"}


def test_what_leaves_a_pool_is_sent_to_the_shared_addresses_by_name() -> None:
    """A set without a pool uses unassigned dedicated addresses of the account, if there are any (ses.md 7)."""
    inside = steps.after(PLATFORM, [JOIN])
    [done] = steps.complete(inside, [LEAVE])
    assert done.was == "marketing bulk"
    assert sets(steps.after(inside, [done]).tenants["acme"]) == {"mc-abc-marketing": SHARED_IPS}


def test_a_choice_that_is_made_already_is_no_step() -> None:
    assert steps.complete(steps.after(PLATFORM, [JOIN]), [JOIN]) == []
    assert steps.complete(PLATFORM, [LEAVE]) == []


@pytest.mark.parametrize(("class_", "pool"), [(Class.TRANSACTIONAL, "bulk"), (Class.MARKETING, "receipts")])
def test_marketing_and_other_mail_never_share_a_pool(class_: Class, pool: str) -> None:
    with pytest.raises(Conflict, match=f"The IP pool {pool} is for"):
        steps.after(PLATFORM, [steps.set_pool("acme", class_, pool)])


def test_the_shared_sets_of_a_class_are_in_no_pool_of_one_tenant() -> None:
    shared = with_acme(replace(ACME, dedicated=False))
    with pytest.raises(Conflict, match="mailcordon tenant topology acme --dedicated"):
        steps.after(shared, [JOIN])
    own = steps.set_topology("acme", dedicated=True, ses_tenants="one")
    assert sets(steps.after(shared, [own, JOIN]).tenants["acme"]) == {"mc-abc-marketing": "bulk"}


def test_a_tenant_in_a_pool_keeps_its_own_sets() -> None:
    inside = steps.after(PLATFORM, [JOIN])
    back = steps.set_topology("acme", dedicated=False, ses_tenants="one")
    with pytest.raises(Conflict, match="Mail of acme leaves from bulk"):
        steps.after(inside, [back])
    assert not steps.after(inside, [LEAVE, back]).tenants["acme"].dedicated


def test_a_pool_or_a_class_that_is_not_there_is_named() -> None:
    with pytest.raises(Invalid, match="no IP pool gone"):
        steps.after(PLATFORM, [steps.set_pool("acme", Class.MARKETING, "gone")])
    with pytest.raises(Invalid, match="no lane of the class urgent"):
        steps.after(PLATFORM, [steps.set_pool("acme", Class.URGENT, "receipts")])


@pytest.mark.parametrize("to", ["bulk", "marketing", "marketing bulk more", "weekly bulk", ""])
def test_a_choice_of_an_unknown_form_is_refused(to: str) -> None:
    with pytest.raises(Invalid):
        steps.parse(replace(JOIN, to=to))


def test_pools_are_what_all_tenants_share_and_come_before_the_sets() -> None:
    [first, second, *_] = desired.of_platform(PLATFORM, SETTINGS)[None]
    assert (first.kind, first.name, first.want) == (Kind.IP_POOL, "bulk", {"mode": "MANAGED"})
    assert second.want == {"mode": "STANDARD"}
    assert first.shared
    assert min(kind for kind in Kind if kind is not Kind.IP_POOL) > Kind.IP_POOL
