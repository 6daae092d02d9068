"""Sending authorization policies of identities. Like SES, it checks that they have a policy's shape and stores them without white
space. They have no effect, because no other account sends through this one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec

from seslocal.errors import already_exists, bad_request, limit_exceeded, not_found
from seslocal.sesv2.identities import identity_of
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.wire.params import Params

MOST_POLICIES: Final = 20  # of one identity
MOST_BYTES: Final = 4096  # of one policy
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def create(account: Account, params: Params, caller: Caller) -> Params:
    identity, name = identity_of(account, params["EmailIdentity"]), params["PolicyName"]
    policy = checked(name, params["Policy"])
    if name in identity.policies:
        raise already_exists(f"Policy <{name}> already exists")
    if len(identity.policies) >= MOST_POLICIES:
        raise limit_exceeded(
            f"Number of policies for <{identity.name}> exceeds max allowed number of policies per resource"
        )
    identity.policies[name] = policy
    return {}


def update(account: Account, params: Params, caller: Caller) -> Params:
    identity, name = identity_of(account, params["EmailIdentity"]), params["PolicyName"]
    policy = checked(name, params["Policy"])
    if name not in identity.policies:
        raise _absent(name)
    identity.policies[name] = policy
    return {}


def delete(account: Account, params: Params, caller: Caller) -> Params:
    policies, name = identity_of(account, params["EmailIdentity"]).policies, params["PolicyName"]
    if name not in policies:
        raise _absent(name)
    del policies[name]
    return {}


def get_all(account: Account, params: Params, caller: Caller) -> Params:
    return {"Policies": identity_of(account, params["EmailIdentity"]).policies}


def checked(name: str, policy: str) -> str:
    """Returns the policy as it is stored. Raises ApiError if it is invalid."""
    if not _NAME.fullmatch(name):
        raise bad_request(
            "PolicyName is invalid. Policy names must only include alpha-numeric characters, dashes, and underscores.",
            kind="policy_invalid",
        )
    if len(policy.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise bad_request(f"Policy {name} is longer than {MOST_BYTES} bytes.", kind="policy_invalid")
    try:
        # msgspec is stricter than json, but only json keeps long numbers unchanged.
        read: Any = msgspec.json.decode(policy)
        kept = json.dumps(json.loads(policy), separators=(",", ":"), ensure_ascii=False)
    except (ValueError, RecursionError):
        read, kept = None, ""
    statements: Any = cast("dict[str, Any]", read).get("Statement") if isinstance(read, dict) else None
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise bad_request(
            f"Policy {name} is not valid: it is not a JSON policy with a Statement.", kind="policy_invalid"
        )
    for statement in cast("list[Any]", statements):
        if not isinstance(statement, dict) or not {"Effect", "Principal", "Action"} <= statement.keys():
            raise bad_request(
                f"Policy {name} is not valid: a Statement has an Effect, a Principal and an Action.",
                kind="policy_invalid",
            )
    return kept


def _absent(name: str) -> Exception:
    return not_found(f"Policy <{name}> does not exist")


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "CreateEmailIdentityPolicy": create,
    "UpdateEmailIdentityPolicy": update,
    "DeleteEmailIdentityPolicy": delete,
    "GetEmailIdentityPolicies": get_all,
}
