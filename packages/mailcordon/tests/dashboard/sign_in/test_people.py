"""Whom claims describe, and which role they give."""

from typing import Any

import pytest

from mailcordon.adapters.dashboard.sign_in.people import person_of
from mailcordon.control.people.oidc_settings import OidcSettings
from mailcordon.control.people.roles import Role, RoleMap
from mailcordon.core.errors import Forbidden

ROLES = RoleMap(
    claim="groups",
    values={
        Role.VIEWER: frozenset({"staff"}),
        Role.OPERATOR: frozenset({"on-call"}),
        Role.ADMIN: frozenset({"Mail Ops"}),
    },
)
SETTINGS = OidcSettings(issuer="https://idp.example", client_id="dashboard", roles=ROLES)
KIM: dict[str, Any] = {"sub": "u1", "email": "kim@example.com", "groups": ["others", "on-call", "staff"]}


def test_the_highest_role_counts_and_only_what_gives_it_is_kept():
    found = person_of(KIM, SETTINGS)
    assert (found.name, found.role, found.subject) == ("kim@example.com", Role.OPERATOR, "u1")
    assert found.values == ("on-call", "staff")
    assert person_of({**KIM, "groups": "Mail Ops"}, SETTINGS).role is Role.ADMIN


@pytest.mark.parametrize(
    "groups", [[], ["others"], ["STAFF"], ["staff "], {"staff": True}, None, 1, [["staff"]], "staff,on-call"]
)
def test_nothing_but_the_named_values_gives_a_role(groups: object):
    with pytest.raises(Forbidden, match="may not use this dashboard") as refused:
        person_of({**KIM, "groups": groups}, SETTINGS)
    assert refused.value.code == "no-role"


def test_a_claim_may_be_within_a_claim_or_have_dots_in_its_name():
    roles = RoleMap(claim="realm_access.roles", values=ROLES.values)
    settings = OidcSettings(issuer="https://idp.example", client_id="dashboard", roles=roles)
    assert person_of({**KIM, "realm_access": {"roles": ["staff"]}}, settings).role is Role.VIEWER
    assert person_of({**KIM, "realm_access.roles": ["on-call"]}, settings).role is Role.OPERATOR
    with pytest.raises(Forbidden):
        person_of({**KIM, "realm_access": ["roles"]}, settings)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"email": None}, "did not say who you are"),
        ({"email": ""}, "did not say who you are"),
        ({"email": "kim\x00"}, "did not say who you are"),
        ({"email": "k" * 101}, "did not say who you are"),
        ({"email": ["kim@example.com"]}, "did not say who you are"),
        ({"sub": None}, "did not say who you are"),
        ({"sub": "x" * 256}, "did not say who you are"),
        ({"sub": "\x00"}, "did not say who you are"),
        ({"email_verified": False}, "is not verified"),
        ({"email_verified": None}, "is not verified"),
        ({"email_verified": "false"}, "is not verified"),
    ],
)
def test_who_is_not_named_or_not_verified_is_not_let_in(claims: dict[str, Any], said: str):
    with pytest.raises(Forbidden, match=said):
        person_of({**KIM, **claims}, SETTINGS)


def test_a_verified_address_or_one_of_a_provider_that_does_not_say_is_taken():
    for verified in ({}, {"email_verified": True}, {"email_verified": "true"}):
        assert person_of({**KIM, **verified}, SETTINGS).name == "kim@example.com"
