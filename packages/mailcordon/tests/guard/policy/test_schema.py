"""The JSON Schema of a policy's document says what the document's reader takes."""

import json
from importlib import resources
from typing import Any

import jsonschema_rs
import pytest

from mailcordon.core.errors import Invalid
from mailcordon.guard.policy import document, fields

SOURCE = json.loads(resources.files("mailcordon.control").joinpath("policy.schema.json").read_text())
SCHEMA = jsonschema_rs.validator_for(SOURCE)
FULL: dict[str, Any] = {
    "version": 1,
    "default_tier": "trusted",
    "classes": {
        "urgent": {"because": "codes", "caps": {"recipient": {"hour": 8}, "class": {"day": 5000}}},
        "transactional": {"caps": {"repeat": {"hour": None, "day": {"mails": 40, "refuses": True}}}},
    },
    "tiers": {
        "careful": {"like": "strict", "because": "new", "breaker": {"mode": "shadow", "sensitivity": 0.5}}
    },
    "tenants": {
        "zen": "trusted",
        "acme": {
            "tier": "careful",
            "caps": {"tenant": {"day": 50000}, "key": {"minute": 100}, "each-provider": {"day": 7000}},
            "new_sender": {"first": 100, "growth": 1.2},
            "objectives": {"delivered": None, "providers": ["gmail"]},
            "types": {
                "newsletter": {
                    "caps": {
                        "lane": {"day": {"mails": 4000, "mode": "enforce"}},
                        "campaign": {"may": {"hour": 100}},
                        "each-campaign": {"hour": 900},
                        "provider": {"gmail": {"day": 700}},
                    },
                    "warm_up": {"steps": {"gmail": [100, 200]}, "others": [50]},
                    "release": {"first": 100, "canary_share": 0.1},
                }
            },
        },
    },
}
WRONG: list[dict[str, Any]] = [
    {"version": 2},
    {"tenant": {}},
    {"classes": {"bulk": {}}},
    {"classes": {"urgent": {"caps": {"tenant": {"day": 1}}}}},
    {"classes": {"urgent": {"caps": {"campaign": {"may": {"day": 1}}}}}},
    {"classes": {"urgent": {"caps": {"recipient": {"hour": {"mails": 5, "mode": "shadow"}}}}}},
    {"tenants": {"acme": {"caps": {"lane": {"week": 1}}}}},
    {"tenants": {"acme": {"caps": {"lane": {"day": -1}}}}},
    {"tenants": {"acme": {"caps": {"lane": {"day": {"mode": "shadow"}}}}}},
    {"tenants": {"acme": {"breaker": {"sensitivity": 0}}}},
    {"tenants": {"acme": {"breaker": {"mode": "off"}}}},
    {"tenants": {"acme": {"warm_up": {"others": []}}}},
    {"tenants": {"acme": {"types": {"newsletter": {"caps": {"class": {"day": 1}}}}}}},
    {"tenants": {"acme": {"types": {"newsletter": {"tier": "strict"}}}}},
]


def test_what_the_reader_takes_the_schema_takes() -> None:
    for whole in ({}, FULL):
        document.parse(whole)
        assert SCHEMA.is_valid(whole), [str(one) for one in SCHEMA.iter_errors(whole)]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_the_reader_refuses_the_schema_refuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        document.parse(wrong)
    assert not SCHEMA.is_valid(wrong)


def test_it_has_every_value_that_a_policy_has() -> None:
    definitions = SOURCE["$defs"]
    for part, values in fields.FIELDS.items():
        own = set(definitions[part]["properties"]) - ({"steps"} if part == "warm_up" else set())
        assert own == set(values)
    every = {str(scope) for scope in fields.SCOPES}
    of_class, of_lane = (
        every - {str(each) for each in fields.BEYOND_A_CLASS},
        every - {"tenant", "key", "class"},
    )
    tenant = definitions["tenant"]["anyOf"][1]
    for part, scopes in (
        (definitions["class_part"], of_class - {"campaign"}),
        (definitions["lane_part"], of_lane),
        (definitions["tier"], every - {"campaign"}),
        (tenant, every - {"campaign"}),
    ):
        assert set(part["properties"]["caps"]["properties"]) == scopes
