"""The platform as it is desired: tenants, their domains and lanes, as values. Steps and SES's resources derive from it.

A lane is retired by itself, with its domain or with its tenant; `retired` says it of each by itself, so that what was retired
together comes back together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mailcordon.core.priority import Class

SesTenants = Literal["one", "per-class"]
SHARED_IPS = "ses-shared-pool"  #: SES's name for its shared addresses, whoever has dedicated ones (ses.md 7)


def topology(dedicated: bool, ses_tenants: SesTenants) -> str:
    """As steps have it: `shared one`, `dedicated per-class`."""
    return f"{'dedicated' if dedicated else 'shared'} {ses_tenants}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IpPool:
    """Dedicated IP addresses at SES. Marketing and other mail never share one."""

    name: str
    managed: bool  #: SES leases, scales and warms its addresses (ses.md 7)
    marketing: bool  #: which mail it is for


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    name: str
    mail_from: str | None = None  #: custom MAIL FROM; None: SES's own
    mail_from_chosen: bool = False  #: a plan chose it, SES's own as well; else what SES has is left as it is
    retired: bool = False
    freed: bool = False  #: it is not the tenant's any more; mail that was sent from it is. Retired, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    type: str
    class_: Class
    domain: str
    retired: bool = False
    shared_path: str | None = None  #: name of the shared path that it has beside its own
    #: Number of the rollout that moves its mail (docs/migration.md); None: there is none, or its old path may be dropped.
    rollout: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    slug: str
    key: str  #: what SES, tags and IAM see
    dedicated: bool = False  #: has its own configuration sets
    ses_tenants: SesTenants = "one"
    domains: Mapping[str, Domain] = field(default_factory=dict[str, Domain])
    lanes: Mapping[str, Lane] = field(default_factory=dict[str, Lane])  #: by type
    #: The IP pool of its own configuration set of a class. SHARED_IPS: it has left its pool. No entry: a plan never chose one,
    #: and what SES has is left as it is.
    pools: Mapping[Class, str] = field(default_factory=dict[Class, str])
    retired: bool = False

    @property
    def active_lanes(self) -> list[Lane]:
        """Those that take mail."""
        return [lane for _, lane in sorted(self.lanes.items()) if self.uses(lane)]

    @property
    def active_domains(self) -> list[Domain]:
        return [] if self.retired else [each for _, each in sorted(self.domains.items()) if not each.retired]

    def uses(self, lane: Lane) -> bool:
        """Whether the lane takes mail: not if it, its domain or the tenant is retired."""
        domain = self.domains.get(lane.domain)
        return not (self.retired or lane.retired or (domain is not None and domain.retired))

    @property
    def classes(self) -> list[Class]:
        """The classes of its lanes."""
        return sorted({lane.class_ for lane in self.active_lanes})

    @property
    def used_ses_tenants(self) -> list[str]:
        """Its SES tenants. With one for all classes it exists from the start, with one per class each with its first lane."""
        if self.ses_tenants == "one":
            return [] if self.retired else [self.key]
        return [self.ses_tenant(class_) for class_ in self.classes]

    @property
    def topology(self) -> str:
        """`shared one`, `dedicated per-class`: its configuration sets, and its SES tenants."""
        return topology(self.dedicated, self.ses_tenants)

    def ses_tenant(self, class_: Class) -> str:
        """The SES tenant of the lanes of this class."""
        return self.key if self.ses_tenants == "one" else f"{self.key}-{class_.word}"

    def domains_of(self, ses_tenant: str) -> list[str]:
        """The domains that this SES tenant of it may send from: all, or those of the lanes of its class."""
        if self.ses_tenants == "one":
            return [domain.name for domain in self.active_domains]
        lanes = [lane for lane in self.active_lanes if self.ses_tenant(lane.class_) == ses_tenant]
        return sorted({lane.domain for lane in lanes})


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    revision: int  #: of the desired state
    tenants: Mapping[str, Tenant]  #: by slug
    types: Mapping[str, Class]
    #: If only some tenants were read: domains of the others that are equal to, above or below one that was asked for.
    elsewhere: frozenset[str] = frozenset()
    shared_parents: frozenset[str] = frozenset()  #: domains of the platform, below which tenants send
    pools: Mapping[str, IpPool] = field(default_factory=dict[str, IpPool])  #: by name
    shared_paths: frozenset[str] = frozenset()  #: names
