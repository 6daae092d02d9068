"""The policies of topics and queues, as they are asked when a service of AWS writes: SES to a topic, a topic to a queue.

Without a policy everything may write, so that nothing has to be set up; at AWS nothing but the owner may. These policies say
nothing of calls with an access key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

from seslocal import messages
from seslocal.iam import documents
from seslocal.iam.conditions import Unknown
from seslocal.iam.documents import Statement

SES: Final = "ses.amazonaws.com"
SNS: Final = "sns.amazonaws.com"


@dataclass(frozen=True, slots=True)
class _Grant:
    services: frozenset[str]  #: `*`: everybody
    statement: Statement


def check(text: str) -> None:
    """Raises Unknown for a policy that is not evaluated here."""
    _read(text)


def allows(text: str, service: str, action: str, resource: str, *, source: str, account: str) -> bool:
    """Whether a service may do this on behalf of `source`, an ARN. Not by a policy that `check` refuses."""
    context = {
        "aws:SourceArn": (source,),
        "aws:SourceAccount": (account,),
        "aws:SourceOwner": (account,),
        "aws:SecureTransport": ("true",),
    }
    try:
        grants = _read(text)
    except Unknown:
        return False
    effects = {
        grant.statement.allows
        for grant in grants
        if grant.services & {"*", service} and grant.statement.covers(action.lower(), resource, context)
    }
    return True in effects and False not in effects


@lru_cache(256)
def _read(text: str) -> tuple[_Grant, ...]:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise Unknown(messages.policy_not_an_object()) from None
    if not isinstance(found, dict):
        raise Unknown(messages.policy_not_an_object())
    policy = cast("dict[str, Any]", found)
    given: Any = policy.get("Statement")
    statements = cast("list[Any]", given if isinstance(given, list) else [given])
    principals: list[frozenset[str]] = []
    bare: list[Any] = []
    for one in statements:
        if isinstance(one, dict):
            statement = dict(cast("dict[str, Any]", one))
            principals.append(_services(statement.pop("Principal", None)))
            bare.append(statement)
    if len(bare) < len(statements):
        raise Unknown(messages.policy_statement_not_an_object())
    read = documents.read({**policy, "Statement": bare})
    return tuple(_Grant(*each) for each in zip(principals, read, strict=True))


def _services(principal: object) -> frozenset[str]:
    """`*` and the services that a Principal names. Accounts, users and roles are no services."""
    if principal == "*":
        return frozenset({"*"})
    if not isinstance(principal, dict) or not principal:
        raise Unknown(messages.policy_without_principal())
    found: set[str] = set()
    for kind, values in cast("dict[str, Any]", principal).items():
        texts = cast("list[Any]", values if isinstance(values, list) else [values])
        if kind not in ("Service", "AWS", "Federated", "CanonicalUser") or not all(
            isinstance(each, str) for each in texts
        ):
            raise Unknown(messages.policy_without_principal())
        found.update(each for each in texts if kind == "Service" or each == "*")
    return frozenset(found)
