"""The condition operators and keys of IAM that seslocal evaluates. All others are refused when a document is attached: what is
not evaluated must not look as if it allowed or denied something.

Where a key is absent from a call, a negated operator is true and every other one false, as at AWS (IAM User Guide,
reference_policies_elements_condition_operators)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from seslocal import messages

STRING: Final = "string"
ARN: Final = "arn"
LIST: Final = "list"
BOOLEAN: Final = "boolean"
#: condition keys by name in lower case: their name and type. Names in a document may have any letter case.
KEYS: Final[Mapping[str, tuple[str, str]]] = {
    name.lower(): (name, kind)
    for name, kind in (
        ("ses:TenantName", STRING),
        ("ses:FromAddress", STRING),
        ("ses:FromDisplayName", STRING),
        ("ses:FeedbackAddress", STRING),
        ("ses:Recipients", LIST),
        ("ses:ApiVersion", STRING),
        ("aws:PrincipalArn", ARN),
        ("aws:RequestedRegion", STRING),
        # What a service of AWS acts for, in the policies of topics and queues.
        ("aws:SourceArn", ARN),
        ("aws:SourceAccount", STRING),
        ("aws:SourceOwner", STRING),
        ("aws:SecureTransport", BOOLEAN),
    )
}
#: the keys of a call with their values; a key that is absent has none
Context = Mapping[str, Sequence[str]]


class Unknown(Exception):
    """A document has something that is not evaluated here. The text is a sentence."""


@dataclass(frozen=True, slots=True)
class Operator:
    matches: Callable[[str, str], bool]  #: pattern, value
    negated: bool = False
    kind: str = STRING  #: of the keys it is for; an ARN is a string too


def _equals(pattern: str, value: str) -> bool:
    return pattern == value


def _equals_ignoring_case(pattern: str, value: str) -> bool:
    return pattern.casefold() == value.casefold()


@lru_cache(1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Takes time in proportion to pattern and value: the first place where a part fits is kept, whatever follows it."""
    first, *parts = (
        "".join("." if char == "?" else re.escape(char) for char in part) for part in pattern.split("*")
    )
    if not parts:
        return re.compile(first, re.DOTALL)
    between = "".join(f"(?>.*?{part})" for part in parts[:-1])
    return re.compile(f"{first}{between}.*{parts[-1]}", re.DOTALL)


def like(pattern: str, value: str) -> bool:
    """Whether the value fits: `*` is any text, `?` any character."""
    return _compiled(pattern).fullmatch(value) is not None


def arn_like(pattern: str, value: str) -> bool:
    """Whether the ARN fits, part by part: a wildcard stays within its part."""
    wanted, given = pattern.split(":", 5), value.split(":", 5)
    return len(wanted) == len(given) and all(map(like, wanted, given))


OPERATORS: Final[Mapping[str, Operator]] = {
    "StringEquals": Operator(_equals),
    "StringNotEquals": Operator(_equals, negated=True),
    "StringEqualsIgnoreCase": Operator(_equals_ignoring_case),
    "StringNotEqualsIgnoreCase": Operator(_equals_ignoring_case, negated=True),
    "StringLike": Operator(like),
    "StringNotLike": Operator(like, negated=True),
    "Bool": Operator(_equals_ignoring_case, kind=BOOLEAN),
    # ArnEquals and ArnLike are the same (IAM User Guide).
    "ArnEquals": Operator(arn_like, kind=ARN),
    "ArnLike": Operator(arn_like, kind=ARN),
    "ArnNotEquals": Operator(arn_like, negated=True, kind=ARN),
    "ArnNotLike": Operator(arn_like, negated=True, kind=ARN),
}
NULL: Final = "Null"
_IF_EXISTS: Final = "IfExists"
_SETS: Final = ("ForAnyValue", "ForAllValues")


@dataclass(frozen=True, slots=True)
class Test:
    """One operator on one key."""

    key: str
    operator: Operator | None  #: None: Null
    values: tuple[str, ...]
    over: str = ""  #: ForAnyValue, ForAllValues or empty
    if_exists: bool = False

    def holds(self, context: Context) -> bool:
        found = context.get(self.key, ())
        if self.operator is None:
            return (not found) == (self.values[0] == "true")
        if not found:
            return self.if_exists or self.over == "ForAllValues" or (self.operator.negated and not self.over)
        every = all if self.over == "ForAllValues" else any
        return every(self._fits(self.operator, value) for value in found)

    def _fits(self, operator: Operator, value: str) -> bool:
        return any(operator.matches(pattern, value) for pattern in self.values) != operator.negated


def read(operator: str, key: str, values: Sequence[str]) -> Test:
    """Raises Unknown."""
    known = KEYS.get(key.lower())
    if known is None:
        raise Unknown(messages.policy_key_unknown(key, [name for name, _ in KEYS.values()]))
    name, kind = known
    if operator == NULL:
        if [value.lower() for value in values] not in (["true"], ["false"]):
            raise Unknown(messages.policy_needs_boolean(operator, name))
        return Test(name, None, (values[0].lower(),))
    over, colon, plain = operator.rpartition(":")
    if_exists = plain.endswith(_IF_EXISTS)
    plain = plain.removesuffix(_IF_EXISTS)
    found = OPERATORS.get(plain)
    if found is None or (colon and over not in _SETS):
        raise Unknown(messages.policy_operator_unknown(operator, [*OPERATORS, NULL]))
    if found.kind != kind and (BOOLEAN in (found.kind, kind) or found.kind == ARN):
        raise Unknown(messages.policy_operator_not_for_key(operator, name, found.kind))
    if found.kind == BOOLEAN and not {value.lower() for value in values} <= {"true", "false"}:
        raise Unknown(messages.policy_needs_boolean(operator, name))
    if found.kind == ARN and not all(value.count(":") >= 5 for value in values):
        raise Unknown(messages.policy_arn_incomplete(next(v for v in values if v.count(":") < 5)))
    if kind == LIST and not over:
        raise Unknown(messages.policy_key_has_many_values(name))
    return Test(name, found, tuple(values), over, if_exists)
