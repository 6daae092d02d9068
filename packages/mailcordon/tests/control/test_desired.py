"""What should exist at SES, and the changes when something else exists: pure."""

from typing import Any

import pytest

from mailcordon.control import desired, plan
from mailcordon.control.desired import ConfigurationSet, Kind, Resource
from mailcordon.core.errors import Refused
from mailcordon.core.priority import Class

SETTINGS = desired.Settings(outcome_topic_arn="arn:o", engagement_topic_arn="arn:e", local=True)
TENANT = desired.of_tenant("mc-abc", ["b.example", "a.example", "a.example"], ["mc-urgent"], SETTINGS)


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
    expected = {"configuration_set": "ungoverned"}
    assert wanted(Kind.IDENTITY, TENANT) == {"a.example": expected, "b.example": expected}


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
    assert want == {"suppression_scope": None, "suppressed_reasons": reasons, "max_delivery_seconds": seconds}


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


def test_associations_of_others_are_left_alone() -> None:
    actual = actual_of(TENANT)
    association = actual[Kind.ASSOCIATION, "mc-abc"]
    assert association is not None
    association["resources"] = [*association["resources"], "template/theirs"]
    assert changes_of(TENANT, actual) == []


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
