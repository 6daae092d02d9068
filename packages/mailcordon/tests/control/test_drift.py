"""The table of kinds, and how SES's responses are compared."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from mailcordon.control import desired, difference, drift, observed, uncovered
from mailcordon.control.desired import Kind, Resource
from mailcordon.control.difference import Facts, Look
from mailcordon.control.plan import DISASSOCIATE
from mailcordon.core.drift import TABLE, Drift
from mailcordon.messages import drift as messages

DOCS = Path(__file__).parents[4] / "docs" / "drift.md"
SET: dict[str, Any] = {
    "ConfigurationSetName": "mc-urgent",
    "SuppressionOptions": {"SuppressedReasons": ["BOUNCE"]},
    "DeliveryOptions": {"MaxDeliverySeconds": 900},
    "ReputationOptions": {"ReputationMetricsEnabled": False, "LastFreshStart": "2026-01-01T00:00:00+00:00"},
    "SendingOptions": {"SendingEnabled": True},
}
WANT = Resource(
    Kind.CONFIGURATION_SET,
    "mc-urgent",
    {
        "suppression_scope": None,
        "suppressed_reasons": ["BOUNCE"],
        "max_delivery_seconds": 900,
        "sending_enabled": True,
        "tracking_domain": None,
        "engagement": False,
    },
    True,
)


def look(whole: dict[str, Any], before: dict[str, Any] | None = None, **more: Any) -> list[difference.Found]:
    first = before or SET
    given = Look(
        resource=more.pop("resource", WANT),
        whole=whole,
        before=observed.members(Kind.CONFIGURATION_SET, "mc-urgent", first),
        accepted=uncovered.baseline(Kind.CONFIGURATION_SET, first, None),
        **more,
    )
    return drift.find(given, Facts())


@pytest.mark.parametrize("kind", Drift)
def test_every_kind_has_a_rule_a_sentence_and_a_row_in_the_docs(kind: Drift) -> None:
    message = getattr(messages, kind.value.replace("-", "_"))
    meaning = (inspect.getdoc(message) or "").split("\n", maxsplit=1)[0].rstrip(".")
    rule = TABLE[kind]
    act = rule.act if rule.repairable else "report"
    isolation = "breaks" if rule.isolation else ""
    assert f"| `{kind.value}` | {rule.severity} | {isolation} | {act} | {meaning} |" in DOCS.read_text()
    assert rule.repairable or rule.act == "propose"


def test_what_is_as_it_was_is_no_difference() -> None:
    assert look(SET) == []


def test_a_member_that_only_a_newer_sdk_returns_is_kept_and_no_difference_until_its_value_changes() -> None:
    newer = {**SET, "BrandNewOptions": {"Inner": {"Mode": "ON"}}}
    assert look(newer) == []
    accepted = uncovered.baseline(Kind.CONFIGURATION_SET, SET, None)
    new = uncovered.new_members(Kind.CONFIGURATION_SET, newer, accepted)
    assert new == {"BrandNewOptions.Inner.Mode": '"ON"'}
    assert uncovered.new_members(Kind.CONFIGURATION_SET, newer, {**accepted, **new}) == {}
    assert uncovered.new_members(Kind.CONFIGURATION_SET, newer, None) == {}  # accepted as it is first read
    (found,) = look({**SET, "BrandNewOptions": {"Inner": {"Mode": "OFF"}}}, newer)
    assert (found.kind, found.member) == (Drift.UNKNOWN, "BrandNewOptions.Inner.Mode")
    assert look(SET, newer) == []  # an older SDK does not return it


def test_a_member_that_no_check_knows_is_reported_and_never_dropped() -> None:
    (found,) = look({**SET, "ArchivingOptions": {"ArchiveArn": "arn:x"}})
    assert (found.kind, found.member) == (Drift.UNKNOWN, "ArchivingOptions.ArchiveArn")
    assert 'was not set and is "arn:x" now' in found.sentence
    (gone,) = look({name: value for name, value in SET.items() if name != "ReputationOptions"})
    assert gone.member == "ReputationOptions.ReputationMetricsEnabled"


def test_what_changes_by_itself_and_empty_lists_are_no_difference() -> None:
    fresh = {**SET["ReputationOptions"], "LastFreshStart": "2026-02-02T00:00:00+00:00"}
    assert look({**SET, "ReputationOptions": fresh, "Tags": []}) == []


def test_two_differences_in_one_group_of_options_are_two_findings() -> None:
    found = look({**SET, "DeliveryOptions": {"MaxDeliverySeconds": 300, "TlsPolicy": "REQUIRE"}})
    assert {each.kind for each in found} == {Drift.MAX_DELIVERY, Drift.TLS_POLICY}


def test_what_differed_before_is_a_pending_change_and_no_drift_unless_it_is_found_already() -> None:
    off = {**SET, "SuppressionOptions": {"SuppressedReasons": ["COMPLAINT"]}}
    assert look(off, before=off) == []
    key = (Drift.SET_SUPPRESSION.value, "configuration-set", "mc-urgent", "")
    (found,) = look(off, before=off, open=frozenset({key}))
    assert found.key == key


def test_a_foreign_association_names_both_tenants_and_proposes_only_to_detach() -> None:
    resource = Resource(Kind.ASSOCIATION, "mc-zen", {"resources": ["identity/zen.example"]})
    given = Look(
        resource=resource,
        whole={"resources": ["identity/zen.example", "identity/acme.example"]},
        before={"resources": ["identity/zen.example"]},
        accepted={},
    )
    facts = Facts(slug="zen", owners={"identity/acme.example": difference.Owner(tenant=1, slug="acme")})
    (found,) = drift.find(given, facts)
    assert found.sentence == "zen can send as acme.example, which belongs to acme."
    assert [change.action for change in found.repair] == [DISASSOCIATE]
    assert found.tenant == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"TrackingOptions": {"CustomRedirectDomain": "click.acme.example"}},
        {"VdmOptions": {"DashboardOptions": {"EngagementMetrics": "ENABLED"}}},
    ],
)
def test_tracking_is_repaired_where_it_must_not_be_and_reported_where_it_may(changed: dict[str, Any]) -> None:
    [urgent] = look(SET | changed)
    assert (urgent.kind, urgent.repair[0].action) == (Drift.TRACKING, "update")
    free = {name: value for name, value in WANT.want.items() if name not in ("tracking_domain", "engagement")}
    marketing = Resource(Kind.CONFIGURATION_SET, "mc-marketing", free, True)
    [found] = look(SET | changed, resource=marketing)
    assert found.kind is Drift.UNKNOWN


def test_only_marketing_may_be_tracked() -> None:
    settings = desired.Settings(
        outcome_topic_arn="arn:aws:sns:us-east-1:1:a",
        engagement_topic_arn="arn:aws:sns:us-east-1:1:b",
        local=True,
    )
    sets = [each for each in desired.of_shared(settings) if each.kind is Kind.CONFIGURATION_SET]
    free = {each.name for each in sets if "tracking_domain" not in each.want or "engagement" not in each.want}
    assert free == {"mc-marketing"}
