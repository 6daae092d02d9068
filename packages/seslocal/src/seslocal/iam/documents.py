"""Reads IAM's policy documents. What is not evaluated here (a principal, a variable, an unknown operator or key) is refused with
a sentence that names it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, cast

from seslocal import messages
from seslocal.iam import conditions
from seslocal.iam.conditions import Context, Test, Unknown, arn_like, like

MOST_CHARACTERS: Final = 10_240  #: of one document; AWS's limit for all inline policies of a role
_VERSIONS: Final = ("2012-10-17", "2008-10-17")
_TOP: Final = frozenset({"Version", "Id", "Statement"})
_MEMBERS: Final = frozenset(
    {
        "Sid",
        "Effect",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
        "Principal",
        "NotPrincipal",
    }
)
_ACTION: Final = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
ANY: Final = "*"  #: the resource of an action that has none


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    sid: str
    allows: bool  #: False: it denies
    actions: tuple[str, ...]  #: in lower case
    other_actions: bool  #: NotAction: all but these
    resources: tuple[str, ...]
    other_resources: bool  #: NotResource
    tests: tuple[Test, ...]

    def covers(self, action: str, resource: str, context: Context) -> bool:
        """`action` is in lower case; `resource` is an ARN or `*`."""
        return (
            any(like(pattern, action) for pattern in self.actions) != self.other_actions
            and any(_is_resource(pattern, resource) for pattern in self.resources) != self.other_resources
            and all(test.holds(context) for test in self.tests)
        )


Document = tuple[Statement, ...]


def _is_resource(pattern: str, resource: str) -> bool:
    return pattern == ANY or (resource != ANY and arn_like(pattern, resource))


def read(document: object) -> Document:
    """Raises Unknown."""
    if not isinstance(document, dict):
        raise Unknown(messages.policy_not_an_object())
    found = cast("dict[str, Any]", document)
    if extra := sorted(found.keys() - _TOP):
        raise Unknown(messages.policy_element_unknown(extra[0], sorted(_TOP)))
    version = found.get("Version", _VERSIONS[-1])
    if version not in _VERSIONS:
        raise Unknown(messages.policy_version_unknown(str(version)[:100], _VERSIONS))
    given: Any = found.get("Statement")
    if isinstance(given, dict):
        given = [given]
    if not isinstance(given, list) or not given:
        raise Unknown(messages.policy_without_statement())
    read = tuple(_statement(statement) for statement in cast("list[Any]", given))
    sids = [statement.sid for statement in read if statement.sid]
    if len(set(sids)) != len(sids):
        raise Unknown(messages.policy_sid_twice(next(sid for sid in sids if sids.count(sid) > 1)))
    return read


def _statement(value: object) -> Statement:
    if not isinstance(value, dict):
        raise Unknown(messages.policy_statement_not_an_object())
    found = cast("dict[str, Any]", value)
    if extra := sorted(found.keys() - _MEMBERS):
        raise Unknown(messages.policy_element_unknown(extra[0], sorted(_MEMBERS)))
    if principal := sorted(found.keys() & {"Principal", "NotPrincipal"}):
        raise Unknown(messages.policy_with_principal(principal[0]))
    sid, effect = found.get("Sid", ""), found.get("Effect")
    if not isinstance(sid, str) or not re.fullmatch(r"[A-Za-z0-9]*", sid):
        raise Unknown(messages.policy_sid_wrong(str(sid)[:100]))
    if effect not in ("Allow", "Deny"):
        raise Unknown(messages.policy_effect_wrong(str(effect)[:100]))
    actions, other_actions = _either(found, "Action")
    resources, other_resources = _either(found, "Resource")
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise Unknown(messages.policy_action_wrong(action[:200]))
    for resource in resources:
        if resource != ANY and (not resource.startswith("arn:") or resource.count(":") < 5):
            raise Unknown(messages.policy_arn_incomplete(resource[:200]))
    return Statement(
        sid=sid,
        allows=effect == "Allow",
        actions=tuple(action.lower() for action in actions),
        other_actions=other_actions,
        resources=resources,
        other_resources=other_resources,
        tests=_tests(found.get("Condition", {})),
    )


def _either(found: dict[str, Any], name: str) -> tuple[tuple[str, ...], bool]:
    """The values of NAME or NotNAME, of which a statement has one."""
    given = [each for each in (name, f"Not{name}") if each in found]
    if len(given) != 1:
        raise Unknown(messages.policy_needs_one_of(name))
    return _texts(found[given[0]], given[0]), given[0] != name


def _texts(value: object, name: str) -> tuple[str, ...]:
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    texts = tuple(each for each in values if isinstance(each, str) and each)
    if not texts or len(texts) < len(values):
        raise Unknown(messages.policy_needs_texts(name))
    if variable := next((each for each in texts if "${" in each), None):
        raise Unknown(messages.policy_variable(variable[:200]))
    return texts


def _tests(value: object) -> tuple[Test, ...]:
    if not isinstance(value, dict):
        raise Unknown(messages.policy_condition_not_an_object())
    tests: list[Test] = []
    for operator, keys in cast("dict[str, Any]", value).items():
        if not isinstance(keys, dict) or not keys:
            raise Unknown(messages.policy_condition_not_an_object())
        for key, values in cast("dict[str, Any]", keys).items():
            if isinstance(values, bool):  # IAM takes the boolean for its text
                values = str(values).lower()
            tests.append(conditions.read(operator, key, _texts(values, key)))
    return tuple(tests)
