"""The document of a policy: what it takes, what it refuses, where it says so, and which of its parts wins."""

from typing import Any

import pytest

from mailcordon.core.errors import Invalid
from mailcordon.core.limit import LimitScope, Mode, Per
from mailcordon.core.priority import Class
from mailcordon.guard.policy import check, document, layers
from mailcordon.guard.policy.document import PolicyDocument
from mailcordon.guard.policy.effective import Explained

FULL: dict[str, Any] = {
    "version": 1,
    "default_tier": "strict",
    "classes": {"urgent": {"because": "codes are asked for twice", "caps": {"recipient": {"hour": 8}}}},
    "tiers": {
        "careful": {
            "like": "strict",
            "because": "no contract yet",
            "breaker": {"sensitivity": "0.5"},
            "classes": {"marketing": {"release": {"first": 250}}},
        }
    },
    "tenants": {
        "zen": "trusted",
        "acme": {
            "tier": "careful",
            "because": "its first list bounced",
            "caps": {"tenant": {"day": 50_000}, "key": {"minute": 100}},
            "classes": {"marketing": {"caps": {"class": {"day": {"mails": 9000, "mode": "enforce"}}}}},
            "types": {
                "newsletter": {
                    "because": "derived from four weeks",
                    "caps": {
                        "lane": {"day": 4000},
                        "provider": {"gmail": {"day": 700}},
                        "campaign": {"v1.2": {"day": 90}},
                    },
                    "warm_up": {"steps": {"gmail": [100, 200]}},
                    "objectives": {"delivered_seconds": None},
                }
            },
        },
    },
}


def faults(data: object, known: check.Known | None = None) -> dict[str, str]:
    with pytest.raises(Invalid) as raised:
        check.check(document.parse(data), known)
    return {fault.field: fault.problem for fault in raised.value.faults}


def policy(tenant: str, type: str, class_: Class, data: object = FULL) -> Explained:
    return layers.effective(document.parse(data), 7, tenant, type, class_)


def test_each_value_says_which_part_of_the_document_set_it() -> None:
    found = policy("acme", "newsletter", Class.MARKETING)
    said = {path: (one.value, one.origin, one.because) for path, one in found.values.items()}
    assert said["tier"] == ("careful", "tenant acme", "its first list bounced")
    assert said["breaker.sensitivity"] == (0.5, "tier careful", "no contract yet")
    assert said["release.first"][:2] == (250, "class marketing of tier careful")
    assert said["new_sender.first"][:2] == (200, "tier strict")
    assert said["caps.lane.day"][1:] == ("lane acme/newsletter", "derived from four weeks")
    assert said["release.factor"][:2] == (3.0, "built in")
    assert found.policy.warm_up.steps["gmail"] == (100, 200)


def test_caps_are_shadow_unless_they_say_otherwise_but_one_recipients_always_enforces() -> None:
    caps = {
        (cap.scope, cap.provider or cap.campaign, cap.per): (cap.mails, cap.mode)
        for cap in policy("acme", "newsletter", Class.MARKETING).policy.caps
    }
    assert caps == {
        (LimitScope.TENANT, None, Per.DAY): (50_000, Mode.SHADOW),
        (LimitScope.KEY, None, Per.MINUTE): (100, Mode.SHADOW),
        (LimitScope.CLASS, None, Per.DAY): (9000, Mode.ENFORCE),
        (LimitScope.LANE, None, Per.DAY): (4000, Mode.SHADOW),
        (LimitScope.CAMPAIGN, "v1.2", Per.DAY): (90, Mode.SHADOW),
        (LimitScope.PROVIDER, "gmail", Per.DAY): (700, Mode.SHADOW),
    }
    (runaway,) = policy("zen", "password-reset", Class.URGENT).policy.caps
    assert (runaway.mails, runaway.mode) == (8, Mode.ENFORCE)


def test_a_tenant_that_the_document_does_not_name_has_the_default_tier() -> None:
    assert policy("nobody", "invoice", Class.TRANSACTIONAL).policy.tier == "strict"
    assert policy("zen", "invoice", Class.TRANSACTIONAL).policy.tier == "trusted"


@pytest.mark.parametrize(
    ("data", "member"),
    [
        ({"tenants": {"acme": {"tier": "golden"}}}, "tenants.acme.tier"),
        ({"default_tier": "golden"}, "default_tier"),
        ({"tiers": {"a": {"like": "a"}}}, "tiers.a.like"),
        ({"tenants": {"acme": {"breaker": {"colour": "red"}}}}, "tenants.acme.breaker.colour"),
        ({"tenants": {"acme": {"breaker": {"sensitivity": 0}}}}, "tenants.acme.breaker.sensitivity"),
        ({"tenants": {"acme": {"breaker": {"mode": "maybe"}}}}, "tenants.acme.breaker.mode"),
        ({"classes": {"bulk": {}}}, "classes.bulk"),
        ({"tenants": {"acme": {"caps": {"lane": {"week": 3}}}}}, "tenants.acme.caps.lane.week"),
        ({"tenants": {"acme": {"caps": {"provider": {"hour": 3}}}}}, "tenants.acme.caps.provider.hour"),
        ({"tenants": {"acme": {"caps": {"campaign": {"v1": {"day": 3}}}}}}, "tenants.acme.caps.campaign"),
        ({"tenants": {"acme": {"caps": {"list": {"day": 3}}}}}, "tenants.acme.caps.list"),
        ({"tenants": {"acme": {"caps": {"lane": {"day": -1}}}}}, "tenants.acme.caps.lane.day"),
        ({"tenants": {"acme": {"caps": {"lane": {"day": True}}}}}, "tenants.acme.caps.lane.day"),
        (
            {"tenants": {"acme": {"caps": {"recipient": {"hour": {"mails": 5, "mode": "shadow"}}}}}},
            "tenants.acme.caps.recipient.hour",
        ),
        (
            {"tenants": {"acme": {"types": {"news": {"caps": {"tenant": {"day": 3}}}}}}},
            "tenants.acme.types.news.caps.tenant",
        ),
        (
            {"tenants": {"acme": {"classes": {"urgent": {"caps": {"key": {"day": 3}}}}}}},
            "tenants.acme.classes.urgent.caps.key",
        ),
        ({"tenants": {"acme": {"warm_up": {"others": [100, 50]}}}}, "tenants.acme.warm_up.others"),
        ({"tenants": {"acme": {"warm_up": {"steps": {"gmial": [100]}}}}}, "tenants.acme.warm_up.steps.gmial"),
        ({"tenants": {"Acme": {}}}, "tenants.Acme"),
        ({"tenants": {"acme": {"because": 3}}}, "tenants.acme.because"),
        (
            {"classes": {"urgent": {"breaker": {"sensitivity": 10**400}}}},
            "classes.urgent.breaker.sensitivity",
        ),
        ({"classes": {"urgent": {"release": {"first": "9" * 5000}}}}, "classes.urgent.release.first"),
        ({"version": 2}, "version"),
        ([], "document"),
    ],
)
def test_a_fault_names_its_member(data: object, member: str) -> None:
    assert list(faults(data)) == [member]


def test_what_the_platform_does_not_have_is_a_fault() -> None:
    known = check.Known(tenants=frozenset({"zen"}), types={"invoice": Class.TRANSACTIONAL})
    found = faults({"tenants": {"acme": "strict", "zen": {"types": {"invoce": {}}}}}, known)
    assert found == {
        "tenants.acme": "there is no tenant acme",
        "tenants.zen.types.invoce": "there is no message type invoce: there are invoice",
    }


# The document as a whole -------------------------------------------------------------------------------------------------


def test_a_lanes_cap_is_compared_with_the_lowest_first_step() -> None:
    def written(mails: int) -> object:
        lane = {
            "types": {"news": {"caps": {"lane": {"day": mails}}}},
            "warm_up": {"steps": {"gmail": [80, 90]}},
        }
        return {"tenants": {"acme": lane}}

    check.check(document.parse(written(70)))  # Microsoft and Yahoo start at the built-in 50
    assert list(faults(written(40))) == ["tenants.acme.types.news.caps.lane.day"]


def test_both_members_of_a_cap_and_the_step_above_it_have_a_fault() -> None:
    found = faults(
        {
            "tenants": {
                "acme": {
                    "caps": {"provider": {"gmail": {"day": 60}}},
                    "warm_up": {"steps": {"gmail": [100, 200]}},
                }
            }
        }
    )
    assert found == {
        "tenants.acme.caps.provider.gmail.day": "60 mails a day are below the first step of"
        " `tenants.acme.warm_up.steps.gmail`, 100 mails: the domain would never warm up",
        "tenants.acme.warm_up.steps.gmail": "the first step, 100 mails a day, is above"
        " `tenants.acme.caps.provider.gmail.day`, 60 mails: the domain would never warm up",
    }


def test_a_cap_below_the_built_in_warm_up_is_a_fault_as_well() -> None:
    found = faults({"tiers": {"tiny": {"new_sender": {"first": 20}}}})
    assert list(found) == ["tiers.tiny.new_sender.first"]
    assert "the built-in warm-up" in found["tiers.tiny.new_sender.first"]


def test_an_hour_that_can_never_be_used_up_is_a_fault_across_layers() -> None:
    found = faults(
        {
            "tiers": {"careful": {"caps": {"lane": {"day": 600}}}},
            "tenants": {"acme": {"tier": "careful", "types": {"news": {"caps": {"lane": {"hour": 700}}}}}},
        }
    )
    assert list(found) == ["tenants.acme.types.news.caps.lane.hour"]
    assert "`tiers.careful.caps.lane.day` allows 600 a day" in found["tenants.acme.types.news.caps.lane.hour"]


def test_the_whole_example_has_no_fault() -> None:
    check.check(document.parse(FULL))
    assert document.parse({}) == PolicyDocument()
