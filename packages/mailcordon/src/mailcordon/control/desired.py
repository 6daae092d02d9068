"""What should exist at SES for a platform, as values; control/plan.py compares them with what exists.

A tenant has one SES tenant, or one per class, with its own suppression list, switched on in the call that creates it; the domains
it sends from; and the configuration sets of the classes it uses, either shared by class or its own. What is retired is not
wanted. Names that SES, tags and IAM see are opaque.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from mailcordon.control.platform import Domain, IpPool, Platform, Tenant
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

    IP_POOL = 0
    CONFIGURATION_SET = 1
    EVENT_DESTINATION = 2
    IDENTITY = 3
    TENANT = 4
    POLICY = 5
    ASSOCIATION = 6
    ACCOUNT = 7  #: nothing is desired of it; what changes there is reported

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
    mail_from_label: str = ""  #: of the MAIL FROM domain of a new domain, such as `bounce`; empty: SES's own
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


def of_set(one: ConfigurationSet, settings: Settings, pool: str | None = None) -> tuple[Resource, ...]:
    """A set and its two event destinations.

    Subscribing to opens and clicks makes SES rewrite links and add a pixel (ses.md 4.1): that destination exists on every set
    and is enabled for marketing only. The suppression scope stays unset on all sets: the tenant's applies. `pool`: the IP
    pool that its mail leaves from; None: what SES has is left as it is.
    """
    want: dict[str, Json] = {
        "suppression_scope": None,
        "suppressed_reasons": None,
        "sending_enabled": True,
    }
    # Marketing is tracked: under which domain, and whether VDM counts too, is the platform's choice.
    if one.class_ != Class.MARKETING:
        want |= {"tracking_domain": None, "engagement": False}
    if one.class_ is not None:
        defaults = CLASS_DEFAULTS[one.class_]
        want["suppressed_reasons"] = list(defaults.ses_reasons) if defaults.ses_reasons is not None else None
        want["max_delivery_seconds"] = defaults.max_delivery_seconds
    if pool is not None:
        want["sending_pool"] = pool
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


def shared_sets() -> tuple[ConfigurationSet, ...]:
    """Every platform has these, whoever uses them."""
    shared = (set_for(class_, "", dedicated=False) for class_ in Class)
    return (ConfigurationSet(name=UNGOVERNED, class_=None), *shared)


def sets_of(tenant: Tenant) -> tuple[ConfigurationSet, ...]:
    """The sets that the tenant's lanes use, shared or its own."""
    return tuple(set_for(each, tenant.key, dedicated=tenant.dedicated) for each in tenant.classes)


def of_platform(platform: Platform, settings: Settings) -> dict[str | None, tuple[Resource, ...]]:
    """Everything that should exist, by the tenant's slug; None: what all tenants share."""
    pools = tuple(of_pool(pool) for _, pool in sorted(platform.pools.items()))
    wanted: dict[str | None, tuple[Resource, ...]] = {None: (*pools, *of_shared(settings))}
    for slug, tenant in platform.tenants.items():
        wanted[slug] = of_tenant(tenant, settings)
    return wanted


def of_pool(pool: IpPool) -> Resource:
    """A pool of dedicated IPs. Standard ones are leased by AWS support, and put into it there or by hand (ses.md 7)."""
    return Resource(Kind.IP_POOL, pool.name, {"mode": "MANAGED" if pool.managed else "STANDARD"}, shared=True)


def of_shared(settings: Settings) -> tuple[Resource, ...]:
    """The sets that all tenants share, with their destinations."""
    return tuple(resource for one in shared_sets() for resource in of_set(one, settings))


def of_tenant(tenant: Tenant, settings: Settings) -> tuple[Resource, ...]:
    """The tenant's own resources: its domains, its SES tenants, and its sets unless they are the shared ones."""
    if tenant.retired:
        return ()
    own_sets = [one for one in sets_of(tenant) if one.dedicated]
    return (
        *(resource for one in own_sets for resource in of_set(one, settings, _pool(tenant, one))),
        *(_identity(domain) for domain in tenant.active_domains),
        *(resource for name in tenant.used_ses_tenants for resource in _ses_tenant(tenant, name, settings)),
    )


def _pool(tenant: Tenant, of: ConfigurationSet) -> str | None:
    return None if of.class_ is None else tenant.pools.get(of.class_)


def _identity(domain: Domain) -> Resource:
    """Unless a plan chose the MAIL FROM, what SES has is left as it is: somebody may have set it before."""
    want: dict[str, Json] = {
        "configuration_set": UNGOVERNED,
        "dkim_signing": True,
        "feedback_forwarding": False,
        "mail_from": domain.mail_from,
    }
    if domain.mail_from is not None or domain.mail_from_chosen:
        # Mail goes on leaving while the MX is not found; DMARC then depends on DKIM alone (ses.md 5.4).
        want["mail_from_behavior"] = "USE_DEFAULT_VALUE"
    return Resource(Kind.IDENTITY, domain.name, want)


def _ses_tenant(tenant: Tenant, name: str, settings: Settings) -> Iterator[Resource]:
    """One SES tenant, its policy, and what it may send with: the sets and domains of the classes that it serves."""
    sets = sorted(
        one.name
        for one in sets_of(tenant)
        if one.class_ is not None and tenant.ses_tenant(one.class_) == name
    )
    resources = [f"identity/{domain}" for domain in tenant.domains_of(name)]
    resources += [f"configuration-set/{each}" for each in sets]
    # Both in the create call: otherwise the tenant uses the account's list for a moment (ses.md 2.3).
    yield Resource(
        Kind.TENANT, name, {"suppression_scope": "TENANT", "suppressed_reasons": ["BOUNCE", "COMPLAINT"]}
    )
    # Set even though it is documented as the default: live runs have seen `none` (ses.md 1.7).
    yield Resource(Kind.POLICY, name, {"policy": settings.policy})
    yield Resource(Kind.ASSOCIATION, name, {"resources": resources})


def of_shared_path(domain: str, ses_tenant: str) -> Resource:
    """What a shared path's SES tenant may send with. It and its domain are the platform's: taken over as they are."""
    sets = [one.name for one in shared_sets() if one.class_ is not None]
    resources = [f"identity/{domain}", *(f"configuration-set/{each}" for each in sets)]
    return Resource(Kind.ASSOCIATION, ses_tenant, {"resources": resources, "keeps_others": True}, shared=True)


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
