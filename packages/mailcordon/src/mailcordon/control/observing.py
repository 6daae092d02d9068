"""Rules that say whose mail is that did not pass through us, and the mail that none names (docs/observe-only.md).

A rule may name a tenant that does not exist: it is made, observed only. Nothing of it is at SES, none of its lanes has a route,
and onboarding it later makes it one that sends. A rule silences nothing: where we send too, its mail stays ungoverned.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from mailcordon.core import address as addresses
from mailcordon.core import domain as domains
from mailcordon.core import names, text
from mailcordon.core.errors import Fault, Invalid, parse_into
from mailcordon.core.observing import LONGEST_VALUE, By, Rule
from mailcordon.messages import observing as messages

MOST_AT_ONCE = 1000
MOST_RULES = 100_000  #: each observer keeps them all in memory
MOST_DAYS = 90

_SET = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_:.-]{1,256}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRule:
    """A rule that somebody asks for. Its names are not checked yet."""

    by: By
    name: str | None
    value: str
    tenant: str
    type: str | None
    type_tag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """What became of new rules."""

    rules: Sequence[Rule]  #: in the order in which they were asked for
    added: int
    replaced: int  #: those that named another tenant or type before
    unchanged: int
    new_tenants: Sequence[str]  #: slugs of tenants that are observed only


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmappedMail:
    """Mail of one origin that no rule names, of some days."""

    identity: str
    from_domain: str
    configuration_set: str
    events: int
    mails: int  #: Send events
    why: str  #: no-rule or no-type
    tags: Sequence[str]  #: of the last one, as name=value
    first_at: int  #: milliseconds since 1970
    last_at: int


class ObservingStore(Protocol):
    async def add(self, rules: Sequence[NewRule], *, replace: bool, actor: str) -> Mapped:
        """All or none, in one transaction with its audit rows. Raises Invalid for an unknown type, Conflict for a tenant that is
        retired, for too many rules, and, unless `replace`, for a rule that exists and names another tenant or type."""
        ...

    async def remove(self, id: int, *, actor: str) -> Rule:
        """Returns what it was. Raises NotFound."""
        ...

    async def rules(self, *, tenant: str | None, after: int, limit: int) -> list[Rule]:
        """By number. `tenant`: a slug."""
        ...

    async def unmapped(self, *, since: date, limit: int) -> list[UnmappedMail]:
        """The most mail first."""
        ...

    async def today(self) -> date: ...


def check(rules: Sequence[NewRule]) -> list[NewRule]:
    """Returns them with their values in the form in which events are compared. Raises Invalid with every fault."""
    faults: list[Fault] = []
    if not 1 <= len(rules) <= MOST_AT_ONCE:
        raise Invalid(Fault("rules", messages.rules_at_once(most=MOST_AT_ONCE)))
    made = [_checked(rule, f"rules[{place}]", faults) for place, rule in enumerate(rules)]
    seen: dict[tuple[By, str | None, str], int] = {}
    for place, rule in enumerate(made):
        first = seen.setdefault((rule.by, rule.name, rule.value), place)
        if first != place:
            faults.append(Fault(f"rules[{place}]", messages.rule_twice(first=first)))
    if faults:
        raise Invalid(*faults)
    return made


def _checked(rule: NewRule, field: str, faults: list[Fault]) -> NewRule:
    parse_into(faults, f"{field}.tenant", names.slug, rule.tenant)
    if rule.type is None and rule.type_tag is None:
        faults.append(Fault(f"{field}.type", messages.type_missing(), "missing"))
    if rule.type is not None:
        parse_into(faults, f"{field}.type", names.message_type, rule.type)
    if rule.type_tag is not None:
        parse_into(faults, f"{field}.type_tag", _tag, rule.type_tag)
    if (rule.name is not None) != (rule.by is By.TAG):
        faults.append(Fault(f"{field}.name", messages.tag_name_wrong(), "missing"))
    elif rule.name is not None:
        parse_into(faults, f"{field}.name", _tag, rule.name)
    parse = {By.TAG: _value, By.SET: _set, By.FROM: _sender, By.IDENTITY: _sender}[rule.by]
    value = parse_into(faults, f"{field}.value", parse, rule.value)
    return NewRule(
        by=rule.by,
        name=rule.name,
        value=value or rule.value,
        tenant=rule.tenant,
        type=rule.type,
        type_tag=rule.type_tag,
    )


def _tag(name: str) -> str:
    if _TAG.fullmatch(name) is None:
        raise ValueError(messages.bad_tag_name())
    return name


def _value(value: str) -> str:
    if not 1 <= len(value) <= LONGEST_VALUE:
        raise ValueError(messages.bad_tag_value(longest=LONGEST_VALUE))
    text.check_shown(value)
    return value


def _set(name: str) -> str:
    if _SET.fullmatch(name) is None:
        raise ValueError(messages.bad_set_name())
    return name


def _sender(value: str) -> str:
    """A domain or an address, as SES reports it: lower case, punycode."""
    if "@" not in value:
        return domains.parse(value)
    return str(addresses.parse(value)).lower()
