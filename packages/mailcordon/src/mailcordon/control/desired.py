"""What should exist at SES for the onboarded tenants, as values; control/plan.py compares them with what exists.

A tenant has one SES tenant with its own suppression list, switched on in the call that creates it; the domains it sends from; and
the configuration sets of the classes it uses, either shared by class or its own. Names that SES, tags and IAM see are opaque.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from mailcordon.core.errors import Refused
from mailcordon.core.priority import CLASS_DEFAULTS, Class
from mailcordon.messages import api

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"

UNGOVERNED = "ungoverned"  #: the set of mail that is sent from our identities without Mailcordon
OUTCOME = "outcome"
ENGAGEMENT = "engagement"
OUTCOME_EVENTS = (
    "SEND",
    "DELIVERY",
    "BOUNCE",
    "COMPLAINT",
    "REJECT",
    "RENDERING_FAILURE",
    "DELIVERY_DELAY",
)
ENGAGEMENT_EVENTS = ("OPEN", "CLICK")
CAP = 10_000  #: configuration sets of one account and region, not adjustable (ses.md 6)
MOST_SETS = CAP * 8 // 10  #: a plan that needs more is refused; the rest is a reserve for emergencies


class Kind(IntEnum):
    """In the order of creation: an association needs all others."""

    CONFIGURATION_SET = 1
    EVENT_DESTINATION = 2
    IDENTITY = 3
    TENANT = 4
    POLICY = 5
    ASSOCIATION = 6

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")


def parse_kind(word: str) -> Kind:
    return Kind[word.upper().replace("-", "_")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings that apply to every resource."""

    outcome_topic_arn: str
    engagement_topic_arn: str
    local: bool  #: whether the local SES is used, which verifies domains that are reserved for tests
    policy: str = "standard"  #: the reputation policy: standard, strict or none (ses.md 1.7)


@dataclass(frozen=True, slots=True)
class Resource:
    kind: Kind
    name: str  #: of an event destination: SET/NAME; of a policy or association: the SES tenant
    want: Mapping[str, Json]
    shared: bool = False  #: used by every tenant

    def __str__(self) -> str:
        return f"{self.kind.word} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationSet:
    name: str
    class_: Class | None  #: None: the ungoverned set
    dedicated: bool = False

    @property
    def kind(self) -> str:
        if self.class_ is None:
            return "ungoverned"
        return "dedicated" if self.dedicated else "shared"


def set_for(class_: Class, tenant_key: str, *, dedicated: bool) -> ConfigurationSet:
    name = f"{tenant_key}-{class_.word}" if dedicated else f"mc-{class_.word}"
    return ConfigurationSet(name=name, class_=class_, dedicated=dedicated)


def of_set(one: ConfigurationSet, settings: Settings) -> tuple[Resource, ...]:
    """A set and its two event destinations.

    Subscribing to opens and clicks makes SES rewrite links and add a pixel (ses.md 4.1): that destination exists on every set
    and is enabled for marketing only. The suppression scope stays unset on all sets: the tenant's applies.
    """
    want: dict[str, Json] = {"suppression_scope": None, "suppressed_reasons": None}
    if one.class_ is not None:
        defaults = CLASS_DEFAULTS[one.class_]
        want["suppressed_reasons"] = list(defaults.ses_reasons) if defaults.ses_reasons is not None else None
        want["max_delivery_seconds"] = defaults.max_delivery_seconds
    return (
        Resource(Kind.CONFIGURATION_SET, one.name, want, not one.dedicated),
        _destination(one, OUTCOME, OUTCOME_EVENTS, settings.outcome_topic_arn, enabled=True),
        _destination(
            one,
            ENGAGEMENT,
            ENGAGEMENT_EVENTS,
            settings.engagement_topic_arn,
            enabled=one.class_ == Class.MARKETING,
        ),
    )


def of_tenant(
    key: str, domains: Iterable[str], sets: Iterable[str], settings: Settings
) -> tuple[Resource, ...]:
    """The tenant's own resources, without its sets: those come from `of_set`."""
    domains = sorted(set(domains))
    resources = [f"identity/{domain}" for domain in domains]
    resources += [f"configuration-set/{name}" for name in sorted(set(sets))]
    return (
        *(Resource(Kind.IDENTITY, domain, {"configuration_set": UNGOVERNED}) for domain in domains),
        # Both in the create call: otherwise the tenant uses the account's list for a moment (ses.md 2.3).
        Resource(
            Kind.TENANT, key, {"suppression_scope": "TENANT", "suppressed_reasons": ["BOUNCE", "COMPLAINT"]}
        ),
        # Set even though it is documented as the default: live runs have seen `none` (ses.md 1.7).
        Resource(Kind.POLICY, key, {"policy": settings.policy}),
        Resource(Kind.ASSOCIATION, key, {"resources": resources}),
    )


def check_sets(existing: int, more: int) -> None:
    """Raises Refused for a plan that would use up the account's configuration sets."""
    if more and existing + more > MOST_SETS:
        problem = api.too_many_configuration_sets(existing, more, MOST_SETS, CAP)
        raise Refused(problem, code="too-many-configuration-sets")


def _destination(
    of: ConfigurationSet, name: str, events: Sequence[str], topic_arn: str, *, enabled: bool
) -> Resource:
    want: dict[str, Json] = {"events": sorted(events), "topic": topic_arn, "enabled": enabled}
    return Resource(Kind.EVENT_DESTINATION, f"{of.name}/{name}", want, not of.dedicated)
