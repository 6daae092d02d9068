"""What should exist at SES, and the changes when something else exists: pure."""

from dataclasses import replace
from typing import Any

import pytest

from mailcordon.control import desired, plan
from mailcordon.control.desired import ConfigurationSet, Kind, Resource
from mailcordon.control.platform import Domain, Lane, Platform, Tenant
from mailcordon.core.errors import Refused
from mailcordon.core.priority import Class

SETTINGS = desired.Settings(outcome_topic_arn="arn:o", engagement_topic_arn="arn:e", local=True)
ACME = Tenant(
    slug="acme",
    key="mc-abc",
    domains={name: Domain(name=name) for name in ("b.example", "a.example")},
    lanes={"password-reset": Lane(type="password-reset", class_=Class.URGENT, domain="a.example")},
)
TENANT = desired.of_tenant(ACME, SETTINGS)


def wanted(kind: Kind, resources: tuple[Resource, ...]) -> dict[str, Any]:
    return {each.name: dict(each.want) for each in resources if each.kind == kind}


def of_class(class_: Class | None, *, dedicated: bool = False) -> tuple[Resource, ...]:
    one = (
        ConfigurationSet(name=desired.UNGOVERNED, class_=None)
        if class_ is None
        else desired.set_for(class_, "mc-abc", dedicated=dedicated)
    )
    return desired.of_set(one, SETTINGS)


def test_a_tenant_has_its_own_suppression_list_with_both_reasons() -> None:
    assert wanted(Kind.TENANT, TENANT) == {
        "mc-abc": {"suppression_scope": "TENANT", "suppressed_reasons": ["BOUNCE", "COMPLAINT"]}
    }


def test_the_reputation_policy_is_set_even_where_it_is_the_default() -> None:
    assert wanted(Kind.POLICY, TENANT) == {"mc-abc": {"policy": "standard"}}


def test_every_identity_falls_back_to_the_ungoverned_set() -> None:
    wants = wanted(Kind.IDENTITY, TENANT)
    assert {name: want["configuration_set"] for name, want in wants.items()} == {
        "a.example": "ungoverned",
        "b.example": "ungoverned",
    }


def test_a_tenant_is_not_associated_with_the_ungoverned_set() -> None:
    """A send that names the tenant and no set must fail instead of using the default set."""
    resources = wanted(Kind.ASSOCIATION, TENANT)["mc-abc"]
    assert resources == {
        "resources": ["identity/a.example", "identity/b.example", "configuration-set/mc-urgent"]
    }


@pytest.mark.parametrize(
    ("class_", "reasons", "seconds"),
    [
        (Class.URGENT, ["BOUNCE"], 900),
        (Class.TRANSACTIONAL, ["BOUNCE"], 14_400),
        (Class.MARKETING, None, 50_400),
    ],
)
def test_a_newsletter_complaint_never_stops_a_password_reset(
    class_: Class, reasons: list[str] | None, seconds: int
) -> None:
    (want,) = wanted(Kind.CONFIGURATION_SET, of_class(class_)).values()
    governed = ("suppression_scope", "suppressed_reasons", "max_delivery_seconds")
    assert [want.get(member) for member in governed] == [None, reasons, seconds]


@pytest.mark.parametrize("class_", [None, *Class])
def test_opens_and_clicks_are_tracked_for_marketing_only(class_: Class | None) -> None:
    to = {
        name.rpartition("/")[2]: want
        for name, want in wanted(Kind.EVENT_DESTINATION, of_class(class_)).items()
    }
    assert to["outcome"]["enabled"]
    assert to["engagement"]["enabled"] == (class_ == Class.MARKETING)
    assert not {"OPEN", "CLICK"} & set(desired.OUTCOME_EVENTS)


def test_a_tenants_own_sets_carry_its_key_and_the_shared_ones_only_the_class() -> None:
    assert desired.set_for(Class.URGENT, "mc-abc", dedicated=True).name == "mc-abc-urgent"
    assert desired.set_for(Class.URGENT, "mc-abc", dedicated=False).name == "mc-urgent"
    assert all(not each.shared for each in of_class(Class.URGENT, dedicated=True))
    assert all(each.shared for each in of_class(Class.URGENT))


def test_a_plan_that_would_fill_the_accounts_sets_is_refused() -> None:
    desired.check_sets(7_997, 3)
    desired.check_sets(9_999, 0)
    with pytest.raises(Refused, match="8,000"):
        desired.check_sets(7_998, 3)


# Planning ----------------------------------------------------------------------------------------------------------------


def changes_of(
    resources: tuple[Resource, ...], actual: dict[tuple[Kind, str], dict[str, Any] | None]
) -> list[plan.Change]:
    return [change for each in resources for change in plan.changes(each, actual.get((each.kind, each.name)))]


def actual_of(resources: tuple[Resource, ...]) -> dict[tuple[Kind, str], dict[str, Any] | None]:
    return {(each.kind, each.name): dict(each.want) for each in resources}


def test_if_nothing_exists_all_is_created_each_after_what_it_needs() -> None:
    kinds = [change.resource.kind for change in changes_of(TENANT, {})]
    assert kinds == sorted(kinds)
    assert [str(c) for c in changes_of(TENANT, {})] == [
        "create identity a.example",
        "create identity b.example",
        "create tenant mc-abc",
        "create policy mc-abc",
        "associate identity/a.example with tenant mc-abc",
        "associate identity/b.example with tenant mc-abc",
        "associate configuration-set/mc-urgent with tenant mc-abc",
    ]


def test_no_change_if_ses_agrees_in_any_order_of_its_lists() -> None:
    every = (*TENANT, *of_class(Class.MARKETING))
    actual = actual_of(every)
    tenant = actual[Kind.TENANT, "mc-abc"]
    assert tenant is not None
    tenant["suppressed_reasons"] = ["COMPLAINT", "BOUNCE"]
    assert changes_of(every, actual) == []


def test_an_association_that_is_not_wanted_is_a_change_that_takes_away() -> None:
    actual = actual_of(TENANT)
    association = actual[Kind.ASSOCIATION, "mc-abc"]
    assert association is not None
    association["resources"] = [*association["resources"], "template/theirs"]
    (change,) = changes_of(TENANT, actual)
    assert (str(change), change.key, change.removes) == (
        "disassociate template/theirs from tenant mc-abc",
        "disassociate template/theirs",
        True,
    )


def test_what_is_not_wanted_is_detached_and_deleted_and_what_is_part_of_it_goes_with_it() -> None:
    every = (*of_class(Class.URGENT, dedicated=True), *TENANT)
    actual = actual_of(every)
    keys = [
        (change.resource.kind, change.key)
        for each in every
        for change in plan.changes(each, actual.get((each.kind, each.name)), wanted=False)
    ]
    assert keys == [
        (Kind.CONFIGURATION_SET, "delete"),
        (Kind.IDENTITY, "delete"),
        (Kind.IDENTITY, "delete"),
        (Kind.TENANT, "delete"),
        (Kind.ASSOCIATION, "disassociate configuration-set/mc-urgent"),
        (Kind.ASSOCIATION, "disassociate identity/a.example"),
        (Kind.ASSOCIATION, "disassociate identity/b.example"),
    ]
    assert [plan.changes(each, None, wanted=False) for each in every] == [[]] * len(every)


# Topologies --------------------------------------------------------------------------------------------------------------

BOTH = replace(
    ACME,
    lanes={**ACME.lanes, "newsletter": Lane(type="newsletter", class_=Class.MARKETING, domain="b.example")},
)


def test_a_tenant_per_class_has_that_classs_sets_and_domains_only() -> None:
    resources = desired.of_tenant(replace(BOTH, ses_tenants="per-class"), SETTINGS)
    assert set(wanted(Kind.TENANT, resources)) == {"mc-abc-urgent", "mc-abc-marketing"}
    assert set(wanted(Kind.POLICY, resources)) == {"mc-abc-urgent", "mc-abc-marketing"}
    assert wanted(Kind.ASSOCIATION, resources) == {
        "mc-abc-urgent": {"resources": ["identity/a.example", "configuration-set/mc-urgent"]},
        "mc-abc-marketing": {"resources": ["identity/b.example", "configuration-set/mc-marketing"]},
    }


def test_dedicated_sets_are_the_tenants_own_and_only_for_the_classes_of_its_lanes() -> None:
    resources = desired.of_tenant(replace(BOTH, dedicated=True), SETTINGS)
    assert set(wanted(Kind.CONFIGURATION_SET, resources)) == {"mc-abc-urgent", "mc-abc-marketing"}
    assert len(wanted(Kind.EVENT_DESTINATION, resources)) == 4


def test_nothing_is_wanted_for_what_is_retired() -> None:
    assert desired.of_tenant(replace(BOTH, retired=True), SETTINGS) == ()
    lanes = {**BOTH.lanes, "newsletter": replace(BOTH.lanes["newsletter"], retired=True)}
    domains = {**BOTH.domains, "b.example": Domain(name="b.example", retired=True)}
    resources = desired.of_tenant(replace(BOTH, lanes=lanes, domains=domains, dedicated=True), SETTINGS)
    assert set(wanted(Kind.CONFIGURATION_SET, resources)) == {"mc-abc-urgent"}
    assert set(wanted(Kind.IDENTITY, resources)) == {"a.example"}


def test_a_platform_wants_what_all_share_once_and_each_tenants_own_under_its_name() -> None:
    zen = Tenant(slug="zen", key="mc-zen", dedicated=True)
    platform = Platform(revision=1, tenants={"acme": ACME, "zen": zen}, types={})
    everything = desired.of_platform(platform, SETTINGS)
    assert set(everything) == {None, "acme", "zen"}
    assert everything["acme"] == TENANT
    assert set(wanted(Kind.CONFIGURATION_SET, everything[None])) == {
        "ungoverned",
        "mc-urgent",
        "mc-transactional",
        "mc-marketing",
    }


def test_a_suppression_scope_on_a_set_is_removed_since_it_overrides_the_tenants() -> None:
    resources = of_class(Class.MARKETING)
    actual = actual_of(resources)
    one = actual[Kind.CONFIGURATION_SET, "mc-marketing"]
    assert one is not None
    one["suppression_scope"] = "ACCOUNT"
    (change,) = changes_of(resources, actual)
    assert (str(change), change.was) == (
        "update configuration-set mc-marketing: suppression",
        {"suppression_scope": "ACCOUNT"},
    )


def test_an_empty_list_of_reasons_differs_from_an_unset_one() -> None:
    """An empty list suppresses nobody; an unset one uses the tenant's (ses.md 2.2)."""
    resources = of_class(Class.MARKETING)
    actual = actual_of(resources)
    one = actual[Kind.CONFIGURATION_SET, "mc-marketing"]
    assert one is not None
    one["suppressed_reasons"] = []
    assert len(changes_of(resources, actual)) == 1
