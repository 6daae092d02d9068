"""The document of tenants: what it takes, what it refuses and where it says so."""

import json
from dataclasses import replace
from importlib import resources
from typing import Any

import jsonschema_rs
import pytest

from mailcordon.control import document
from mailcordon.control.document import Document, DomainSpec, LaneSpec, TenantSpec
from mailcordon.control.platform import SHARED_IPS, Domain, IpPool, Lane, Platform, Tenant
from mailcordon.control.steps import after as complete_platform
from mailcordon.core.errors import Invalid
from mailcordon.core.priority import Class

SCHEMA = jsonschema_rs.validator_for(
    json.loads(resources.files("mailcordon.control").joinpath("tenants.schema.json").read_text())
)
FULL: dict[str, Any] = {
    "version": 1,
    "tenants": {
        "acme": {
            "dedicated": True,
            "ses_tenants": "per-class",
            "pools": {"transactional": "receipts", "marketing": "ses-shared-pool"},
            "retired": False,
            "domains": {
                "mail.acme.example": {"mail_from": "bounce.mail.acme.example"},
                "old.acme.example": None,
            },
            "types": {
                "invoice": "mail.acme.example",
                "newsletter": {"domain": "news.acme.example", "retired": True},
            },
        },
        "zen": {},
    },
}


def parse(data: object) -> Document:
    return document.parse(data, local=True)


def faults(data: object) -> dict[str, str]:
    with pytest.raises(Invalid) as raised:
        parse(data)
    return {fault.field: fault.problem for fault in raised.value.faults}


def with_acme(**members: object) -> dict[str, Any]:
    return {"tenants": {"acme": members}}


def test_every_member_is_read():
    read = parse(FULL)
    assert read.tenants["acme"] == TenantSpec(
        types={
            "invoice": LaneSpec(domain="mail.acme.example"),
            "newsletter": LaneSpec(domain="news.acme.example", retired=True),
        },
        domains={
            "mail.acme.example": DomainSpec(mail_from="bounce.mail.acme.example"),
            "old.acme.example": DomainSpec(),
        },
        dedicated=True,
        ses_tenants="per-class",
        pools={Class.TRANSACTIONAL: "receipts", Class.MARKETING: SHARED_IPS},
    )
    assert read.tenants["zen"] == TenantSpec()


def test_domains_are_written_as_dns_has_them():
    read = parse(with_acme(types={"invoice": "Mail.ACME.example"}, domains={"MÜNCHEN.example": {}}))
    assert read.tenants["acme"].types["invoice"].domain == "mail.acme.example"
    assert list(read.tenants["acme"].domains) == ["xn--mnchen-3ya.example"]


WRONG: dict[str, tuple[object, str]] = {
    "no mapping": ([], "document"),
    "no tenants": ({}, "tenants"),
    "tenants as a list": ({"tenants": ["acme"]}, "tenants"),
    "another version": ({"version": 2, "tenants": {}}, "version"),
    "true is not version 1": ({"version": True, "tenants": {}}, "version"),
    "an unknown member at the top": ({"tenants": {}, "tenant": {}}, "tenant"),
    "a bad slug": ({"tenants": {"Acme Inc": {}}}, 'tenants["Acme Inc"]'),
    "an unknown member": (with_acme(dedicatd=True), "tenants.acme.dedicatd"),
    "a word for a flag": (with_acme(dedicated="yes"), "tenants.acme.dedicated"),
    "a number for a flag": (with_acme(retired=0), "tenants.acme.retired"),
    "unknown ses_tenants": (with_acme(ses_tenants="two"), "tenants.acme.ses_tenants"),
    "pools as a list": (with_acme(pools=["bulk"]), "tenants.acme.pools"),
    "a pool of no class": (with_acme(pools={"bulk": "bulk"}), "tenants.acme.pools.bulk"),
    "a pool that is no text": (with_acme(pools={"marketing": True}), "tenants.acme.pools.marketing"),
    "a bad type": (with_acme(types={"News letter": "a.example"}), 'tenants.acme.types["News letter"]'),
    "no domain": (with_acme(types={"invoice": "acme"}), "tenants.acme.types.invoice"),
    "a list for a lane": (with_acme(types={"invoice": ["a.example"]}), "tenants.acme.types.invoice"),
    "nothing for a lane": (with_acme(types={"invoice": None}), "tenants.acme.types.invoice"),
    "a lane without its domain": (
        with_acme(types={"invoice": {"retired": True}}),
        "tenants.acme.types.invoice.domain",
    ),
    "a MAIL FROM that is no text": (
        with_acme(domains={"a.example": {"mail_from": 5}}),
        'tenants.acme.domains["a.example"].mail_from',
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_fault_names_its_member_and_the_schema_refuses_it_too(case: str):
    data, where = WRONG[case]
    assert list(faults(data)) == [where]
    assert not SCHEMA.is_valid(data)


def test_what_the_schema_cannot_say_is_still_refused():
    assert list(faults(with_acme(domains={"a.example": {"mail_from": "b.example"}}))) == [
        'tenants.acme.domains["a.example"].mail_from'
    ]
    assert list(faults(with_acme(domains={"a.example": {}, "A.example": {}}))) == [
        'tenants.acme.domains["A.example"]'
    ]
    assert list(faults(with_acme(types={"invoice": "mail.acme.invalid"}))) == ["tenants.acme.types.invoice"]


def test_the_schema_takes_what_is_taken():
    assert SCHEMA.is_valid(FULL)


def test_all_faults_are_said_at_once_up_to_a_bound():
    found = faults({"tenants": {f"t{n}": {"dedicated": n} for n in range(3)}})
    assert list(found) == [f"tenants.t{n}.dedicated" for n in range(3)]
    assert len(faults({"tenants": {f"t{n}": {"x": n} for n in range(500)}})) == document.MOST_FAULTS


def test_too_many_tenants_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(document, "MOST_TENANTS", 2)
    assert list(faults({"tenants": {"a": {"x": 1}, "b": {}, "c": {}}})) == ["tenants"]


PLATFORM = Platform(
    revision=7,
    types={"invoice": Class.TRANSACTIONAL, "newsletter": Class.MARKETING},
    pools={
        "receipts": IpPool(name="receipts", managed=False, marketing=False),
        "bulk": IpPool(name="bulk", managed=True, marketing=True),
    },
    tenants={
        "acme": Tenant(
            slug="acme",
            key="mc-a",
            dedicated=True,
            ses_tenants="per-class",
            pools={Class.TRANSACTIONAL: "receipts", Class.MARKETING: SHARED_IPS},
            domains={
                "mail.acme.example": Domain(name="mail.acme.example", mail_from="b.mail.acme.example"),
                "news.acme.example": Domain(name="news.acme.example"),
                "old.acme.example": Domain(name="old.acme.example", retired=True),
            },
            lanes={
                "invoice": Lane(type="invoice", class_=Class.TRANSACTIONAL, domain="mail.acme.example"),
                "newsletter": Lane(
                    type="newsletter", class_=Class.MARKETING, domain="news.acme.example", retired=True
                ),
            },
        ),
        "zen": Tenant(slug="zen", key="mc-z", retired=True),
    },
)


def test_what_is_exported_is_a_document_and_says_everything():
    data = document.of_platform(PLATFORM)
    assert SCHEMA.is_valid(data)
    read = parse(data).tenants["acme"]
    assert read.types["newsletter"].retired
    assert read.domains == {
        "mail.acme.example": DomainSpec(mail_from="b.mail.acme.example"),
        "old.acme.example": DomainSpec(retired=True),
    }
    assert (read.dedicated, read.ses_tenants) == (True, "per-class")
    assert read.pools == {Class.TRANSACTIONAL: "receipts"}, "that it was in one once is no wish"
    assert parse(data).tenants["zen"].retired


def test_tenants_can_be_exported_one_by_one():
    assert list(document.of_platform(PLATFORM, ["zen"])["tenants"]) == ["zen"]


def test_what_a_document_does_not_name_is_told():
    named = Document(tenants={"acme": TenantSpec()})
    assert list(document.beyond(named, PLATFORM)) == [("acme", "invoice")]
    assert list(document.beyond(Document(tenants={}), PLATFORM)) == [("acme", None)]


def steps(acme: dict[str, Any], *, prune: bool = False) -> list[tuple[str, str]]:
    read = parse(with_acme(**acme))
    return [
        (
            " ".join(
                word
                for word in (
                    placed.step.kind,
                    placed.step.tenant,
                    placed.step.type,
                    placed.step.domain,
                    placed.step.to,
                    placed.step.mail,
                )
                if word
            ),
            placed.path,
        )
        for placed in document.steps(read, PLATFORM, prune=prune)
    ]


AS_IS: dict[str, Any] = document.of_platform(PLATFORM)["tenants"]["acme"]


def test_what_was_exported_asks_for_no_step():
    assert document.steps(parse(document.of_platform(PLATFORM)), PLATFORM, prune=True) == []


def test_a_new_tenant_is_added_with_its_lanes():
    read = parse({"tenants": {"neu": {"dedicated": True, "types": {"invoice": "m.neu.example"}}}})
    added, lane = document.steps(read, PLATFORM)
    assert (added.step.kind, added.step.to, added.path) == ("add-tenant", "dedicated one", "tenants.neu")
    assert (lane.step.kind, lane.step.to, lane.path) == (
        "add-lane",
        "m.neu.example",
        "tenants.neu.types.invoice",
    )


def test_what_is_retired_and_does_not_exist_is_not_made():
    read = parse(
        {
            "tenants": {
                "neu": {"retired": True, "types": {"invoice": "m.neu.example"}},
                "alt": {"types": {"invoice": {"domain": "m.alt.example", "retired": True}}},
            }
        }
    )
    assert [placed.step.kind for placed in document.steps(read, PLATFORM)] == ["add-tenant"]


def test_each_difference_is_a_step_at_its_member():
    where = "tenants.acme"
    assert steps({**AS_IS, "dedicated": False}) == [
        ("set-topology acme shared per-class", f"{where}.dedicated")
    ]
    assert steps({**AS_IS, "ses_tenants": "one"}) == [
        ("set-topology acme dedicated one", f"{where}.ses_tenants")
    ]
    assert steps({**AS_IS, "retired": True}) == [("retire-tenant acme drain", f"{where}.retired")]
    types = AS_IS["types"]
    assert steps({**AS_IS, "types": {**types, "invoice": "new.acme.example"}}) == [
        ("move-lane acme invoice new.acme.example", f"{where}.types.invoice")
    ]
    assert steps({**AS_IS, "types": {**types, "newsletter": "news.acme.example"}}) == [
        ("unretire-lane acme newsletter", f"{where}.types.newsletter")
    ]
    retired = {"domain": "mail.acme.example", "retired": True}
    assert steps({**AS_IS, "types": {**types, "invoice": retired}}) == [
        ("retire-lane acme invoice drain", f"{where}.types.invoice")
    ]


def test_each_difference_of_a_domain_is_a_step_at_its_member():
    where = "tenants.acme.domains"
    domains = AS_IS["domains"]
    assert steps({**AS_IS, "domains": {**domains, "mail.acme.example": None}}) == [
        ("set-mail-from acme mail.acme.example", f'{where}["mail.acme.example"].mail_from')
    ]
    assert steps({**AS_IS, "domains": {**domains, "old.acme.example": {}}}) == [
        ("unretire-domain acme old.acme.example", f'{where}["old.acme.example"]')
    ]
    own = {"mail_from": "b.x.acme.example"}
    assert steps({**AS_IS, "domains": {**domains, "x.acme.example": own}}) == [
        ("add-domain acme x.acme.example", f'{where}["x.acme.example"]'),
        ("set-mail-from acme x.acme.example b.x.acme.example", f'{where}["x.acme.example"].mail_from'),
    ]


def test_a_domain_is_retired_after_its_lanes_have_moved():
    types = {**AS_IS["types"], "invoice": "new.acme.example"}
    domains = {**AS_IS["domains"], "mail.acme.example": {"retired": True}}
    kinds = [step.split()[0] for step, _ in steps({**AS_IS, "types": types, "domains": domains})]
    assert kinds == ["move-lane", "retire-domain"]


def test_what_is_not_named_is_retired_only_with_prune():
    fewer = {**AS_IS, "types": {"newsletter": AS_IS["types"]["newsletter"]}}
    assert steps(fewer) == []
    assert steps(fewer, prune=True) == [("retire-lane acme invoice drain", "tenants.acme.types")]
    read = parse({"tenants": {"zen": {"retired": True}}})
    assert [placed.step.tenant for placed in document.steps(read, PLATFORM, prune=True)] == ["acme"]


def test_steps_that_cannot_be_applied_are_faults_of_their_members():
    read = parse(
        {
            "tenants": {
                "neu": {"types": {"invoice": "mail.acme.example", "no-such": "m.neu.example"}},
                "alt": {"types": {"invoice": "m.alt.example"}},
            }
        }
    )
    with pytest.raises(Invalid) as raised:
        document.complete(read, PLATFORM)
    assert [(fault.field, fault.code) for fault in raised.value.faults] == [
        ("tenants.neu.types.invoice", "domain-taken"),
        ("tenants.neu.types.no-such", "unknown-type"),
    ]


def test_completed_steps_add_the_domains_that_lanes_need():
    read = parse({"tenants": {"neu": {"types": {"invoice": "m.neu.example"}}}})
    assert [step.kind for step in document.complete(read, PLATFORM)] == [
        "add-tenant",
        "add-domain",
        "add-lane",
    ]


def test_a_lane_may_have_a_shared_path_beside_its_own():
    def lane(**members: object) -> dict[str, Any]:
        return with_acme(types={"invoice": {"domain": "mail.acme.example", **members}})

    shared = lane(shared_path="platform")
    SCHEMA.validate(shared)
    new = Platform(
        revision=1, tenants={}, types={"invoice": Class.TRANSACTIONAL}, shared_paths=frozenset({"platform"})
    )
    done = document.complete(parse(shared), new)
    assert [step.kind for step in done][-2:] == ["add-lane", "add-path"]
    made = complete_platform(new, done)
    assert document.of_platform(made)["tenants"]["acme"]["types"] == {
        "invoice": {"domain": "mail.acme.example", "shared_path": "platform"}
    }
    assert document.complete(parse(document.of_platform(made)), made) == []
    [drop] = document.complete(parse(lane()), made)
    assert (drop.kind, drop.was) == ("drop-path", "platform")
    assert list(faults(lane(shared_path=7))) == ["tenants.acme.types.invoice.shared_path"]
    with pytest.raises(Invalid, match="there is no shared path other") as refused:
        document.complete(parse(lane(shared_path="other")), new)
    assert refused.value.faults[0].field == "tenants.acme.types.invoice.shared_path"


def test_pools_go_through_a_file_and_come_back_on_another_platform():
    data = document.of_platform(PLATFORM, ["acme"])
    del data["tenants"]["acme"]["types"]["newsletter"]  # a retired lane is not made anew
    empty = replace(PLATFORM, tenants={})
    made = complete_platform(empty, document.complete(parse(data), empty))
    assert made.tenants["acme"].pools == {Class.TRANSACTIONAL: "receipts"}
    assert document.complete(parse(document.of_platform(made)), made) == []
    without = replace(empty, pools={})
    with pytest.raises(Invalid) as refused:
        document.complete(parse(data), without)
    assert [fault.field for fault in refused.value.faults] == ["tenants.acme.pools.transactional"]


def test_each_difference_of_pools_is_a_step_at_its_class():
    where = "tenants.acme.pools"
    kept = {name: value for name, value in AS_IS.items() if name != "pools"}
    assert steps(kept) == [], "without the member a tenant keeps its pools"
    assert steps({**kept, "pools": {}}) == [("set-pool acme transactional ses-shared-pool", where)]
    assert steps({**kept, "pools": {"transactional": SHARED_IPS}}) == [
        ("set-pool acme transactional ses-shared-pool", f"{where}.transactional")
    ]
    assert steps({**AS_IS, "pools": {**AS_IS["pools"], "marketing": "bulk"}}) == [
        ("set-pool acme marketing bulk", f"{where}.marketing")
    ]
    # Out of its pool first: the shared sets are in none.
    out, changed = document.complete(parse(with_acme(**{**kept, "pools": {}, "dedicated": False})), PLATFORM)
    assert (out.kind, changed.kind) == ("set-pool", "set-topology")
    other = {**AS_IS, "pools": {"transactional": "bulk"}}
    with pytest.raises(Invalid) as refused:
        document.complete(parse(with_acme(**other)), PLATFORM)
    assert [fault.field for fault in refused.value.faults] == [f"{where}.transactional"]
