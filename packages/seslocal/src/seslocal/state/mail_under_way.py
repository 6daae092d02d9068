"""A mail that was accepted and has events to come, and the values that it is written with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec

from seslocal.state.accepted_mail import Mail
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.outcomes import DELIVERS, Outcome, Plan
from seslocal.state.suppression import SuppressionList

_MAIL: Final = tuple(name for name in Mail.__struct_fields__ if name != "written")
_DESTINATION: Final = _MAIL.index("destination")
_of_mail: Final = attrgetter(*_MAIL)
_of_outcome: Final = attrgetter(*Outcome.__dataclass_fields__)


class MailUnderWay(msgspec.Struct, eq=False):
    """What is needed to continue a mail's delivery."""

    mail: Mail
    plans: list[tuple[str, Plan]]
    #: as it was when the mail was accepted, even if it was deleted since
    configuration_set: ConfigurationSet | None
    suppression: SuppressionList  #: in force
    scope: str  #: of that list: TENANT or ACCOUNT
    reasons: tuple[str, ...]  #: for which that list gets new entries
    infected: bool = False
    broken: tuple[str, str] | None = None  #: template and reason of a rendering failure
    done: set[int] = msgspec.field(default_factory=set[int])  #: steps
    left_at: float | None = None  #: time of the Send; None before it


def mail_values(mail: Mail) -> tuple[Any, ...]:
    """Returns what msgpack can write of a mail."""
    return _of_mail(mail)


def mail_of(values: Sequence[Any]) -> Mail:
    given = list(values)
    given[_DESTINATION] = tuple(given[_DESTINATION])
    return Mail(*given)


def plans_values(plans: Iterable[tuple[str, Plan]]) -> list[tuple[str, Any]]:
    return [(recipient, _plan_values(plan)) for recipient, plan in plans]


def plans_of(values: Iterable[Any]) -> list[tuple[str, Plan]]:
    return [(recipient, _plan_of(plan)) for recipient, plan in values]


def _plan_values(plan: Plan) -> list[tuple[Any, ...]] | None:
    """None is the plan of nearly every mail."""
    if plan is DELIVERS:
        return None
    return [_of_outcome(outcome) for outcome in plan]


def _plan_of(values: list[list[Any]] | None) -> Plan:
    return DELIVERS if values is None else tuple(Outcome(*each) for each in values)
