"""Three decisions about how a tenant sends, each by itself: its identity, its configuration sets, its IP addresses. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mailcordon.control.isolation import Decision
from mailcordon.control.platform import Platform, Tenant
from mailcordon.control.steps import Step
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard.dedicated import Count, Day

DAYS = 28  #: of which the tenant's and the platform's mail are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Mail of the last `DAYS` days."""

    sent: int = 0
    bad: int = 0  #: hard bounces, complaints, and bounces whose reason is spam, reputation or policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What advice about one tenant is made from."""

    platform: Platform  #: with this tenant
    tenant: Tenant
    today: int  #: UTC day since 1970
    days: Mapping[Class, Sequence[Day]]  #: of its mail
    others: Mapping[Provider, Count]  #: others' mail from the shared addresses
    own: int  #: mails of the last `DAYS` days
    all: int  #: the same of every tenant
    minimums: Mapping[str, int] = field(default_factory=dict[str, int])  #: of the pools, by name


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What following an advice costs."""

    monthly: float | None  #: more than now, in the currency of the price file; None: a price is not known
    unknown: tuple[str, ...] = ()  #: prices that the file does not have
    unchecked: tuple[str, ...] = ()  #: prices in it that nobody looked up
    calls: int = 0  #: to SES; `Advisor` counts them
    days: int = 0  #: until it has its effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    decision: Decision
    change: bool  #: whether to change what there is
    says: str
    buys: str
    cost: Cost
    evidence: tuple[str, ...]
    mistake: str  #: the common one
    rung: str  #: the one after it
    steps: tuple[Step, ...] = ()  #: of a plan that follows it
    command: str | None = None  #: what a person does first, where no plan can
