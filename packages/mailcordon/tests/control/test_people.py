"""Roles, tokens and principals of people, without a database."""

from itertools import combinations

import pytest

from mailcordon.control.people import roles, tokens
from mailcordon.control.people.roles import Role
from mailcordon.control.people.sessions import principal_of
from mailcordon.control.people.tokens import Kind
from mailcordon.core.errors import Forbidden
from mailcordon.core.principal import ADMIN, EVENTS, OPERATE, READ, SEND


def test_each_role_may_what_the_one_below_may_and_more_and_none_sends():
    assert [roles.scopes_of(role) for role in Role] == [{READ}, {READ, OPERATE}, {READ, OPERATE, ADMIN}]
    for role in Role:
        for scope in (SEND, EVENTS):
            with pytest.raises(Forbidden):
                principal_of(1, "aaaaaaaa", "kim", role).require(scope)


def test_only_an_admin_gives_programs_keys_that_send():
    for role in Role:
        gives = principal_of(1, "aaaaaaaa", "kim", role).gives
        assert (SEND in gives, EVENTS in gives) == (role is Role.ADMIN, role is Role.ADMIN)


def test_nobody_gives_a_role_above_their_own():
    for giver in Role:
        principal = principal_of(1, "aaaaaaaa", "kim", giver)
        for given in Role:
            if roles.scopes_of(given) <= roles.scopes_of(giver):
                roles.require_to_give(principal, given)
            else:
                with pytest.raises(Forbidden, match="operate|admin"):
                    roles.require_to_give(principal, given)


def test_a_token_is_long_new_each_time_and_of_one_kind():
    minted = {kind: tokens.mint(kind) for kind in Kind}
    for kind, one in minted.items():
        assert len(one.text) == 47
        assert [other for other in Kind if tokens.is_token(other, one.text)] == [kind]
        assert tokens.is_prefix(one.prefix)
        assert one.prefix not in one.text
        assert one.text not in repr(one)
        assert tokens.mint(kind).text != one.text
    for text in (
        "",
        "mcs_",
        "mcs_" + "a" * 42,
        "mcs_" + "a" * 44,
        "MCS_" + "a" * 43,
        "mcs_" + "ä" * 43,
        "mcs_" + "a" * 43 + "\n",
    ):
        assert not tokens.is_token(Kind.SESSION, text)


def test_what_is_derived_from_a_token_does_not_show_it_and_differs_by_purpose():
    token = tokens.mint(Kind.SESSION).text
    derived = [tokens.derived(token, purpose) for purpose in ("csrf", "pkce", "nonce")]
    derived.append(tokens.derived(tokens.mint(Kind.SESSION).text, "csrf"))
    for one, other in combinations(derived, 2):
        assert one != other
    for one in derived:
        assert len(one) == 43  # what RFC 7636 4.1 asks of a verifier at least
        assert one not in token
    assert tokens.derived(token, "csrf") == derived[0]
