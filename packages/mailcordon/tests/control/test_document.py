"""The document of tenants: what it takes, what it refuses and where it says so."""

import json
from importlib import resources
from typing import Any

import jsonschema_rs
import pytest

from mailcordon.control import document
from mailcordon.control.document import Document, DomainSpec, LaneSpec, TenantSpec
from mailcordon.control.platform import Domain, Lane, Platform, Tenant
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
    tenants={
        "acme": Tenant(
            slug="acme",
            key="mc-a",
            dedicated=True,
            ses_tenants="per-class",
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
    assert parse(data).tenants["zen"].retired


def test_tenants_can_be_exported_one_by_one():
    assert list(document.of_platform(PLATFORM, ["zen"])["tenants"]) == ["zen"]


def test_what_a_document_does_not_name_is_told():
    named = Document(tenants={"acme": TenantSpec()})
    assert list(document.beyond(named, PLATFORM)) == [("acme", "invoice")]
    assert list(document.beyond(Document(tenants={}), PLATFORM)) == [("acme", None)]
