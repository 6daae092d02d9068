"""Sending authorization policies of identities: kept as they are given, once they are JSON of a policy's shape."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec

from seslocal.errors import already_exists, bad_request, limit_exceeded, not_found
from seslocal.sesv2.identities import identity_of
from seslocal.state import Account, Caller, Params

MOST_POLICIES: Final = 20  # of one identity
MOST_BYTES: Final = 4096  # of one policy
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def create(account: Account, params: Params, caller: Caller) -> Params:
    identity, name = identity_of(account, params["EmailIdentity"]), params["PolicyName"]
    check(name, params["Policy"])
    if name in identity.policies:
        raise already_exists(f"Policy {name} already exists for the identity {identity.name}.")
    if len(identity.policies) >= MOST_POLICIES:
        raise limit_exceeded(
            f"The identity {identity.name} has {MOST_POLICIES} policies, which is its limit."
        )
    identity.policies[name] = params["Policy"]
    return {}


def update(account: Account, params: Params, caller: Caller) -> Params:
    identity, name = identity_of(account, params["EmailIdentity"]), params["PolicyName"]
    if name not in identity.policies:
        raise not_found(f"Policy {name} does not exist for the identity {identity.name}.")
    check(name, params["Policy"])
    identity.policies[name] = params["Policy"]
    return {}


def delete(account: Account, params: Params, caller: Caller) -> Params:
    """Of one that is not there it says the same."""
    identity_of(account, params["EmailIdentity"]).policies.pop(params["PolicyName"], None)
    return {}


def get_all(account: Account, params: Params, caller: Caller) -> Params:
    return {"Policies": identity_of(account, params["EmailIdentity"]).policies}


def check(name: str, policy: str) -> None:
    """Raises ApiError where this cannot be a policy."""
    if not _NAME.fullmatch(name):
        raise bad_request(
            f"Invalid policy name <{name}>: letters, digits, '_' and '-' are allowed, 1 to 64 of them."
        )
    if len(policy.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise bad_request(f"Policy {name} is longer than {MOST_BYTES} bytes.")
    try:
        read: Any = msgspec.json.decode(policy)
    except (ValueError, RecursionError):
        read = None
    statements: Any = cast("dict[str, Any]", read).get("Statement") if isinstance(read, dict) else None
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise bad_request(f"Policy {name} is not valid: it is not a JSON policy with a Statement.")
    for statement in cast("list[Any]", statements):
        if not isinstance(statement, dict) or not {"Effect", "Principal", "Action"} <= statement.keys():
            raise bad_request(
                f"Policy {name} is not valid: a Statement has an Effect, a Principal and an Action."
            )


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "CreateEmailIdentityPolicy": create,
    "UpdateEmailIdentityPolicy": update,
    "DeleteEmailIdentityPolicy": delete,
    "GetEmailIdentityPolicies": get_all,
}
