"""The platform as it is desired: tenants, their domains and lanes, as values. Steps and SES's resources derive from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mailcordon.core.priority import Class

SesTenants = Literal["one", "per-class"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    name: str
    mail_from: str | None = None  #: custom MAIL FROM; None: SES's own
    retired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    type: str
    class_: Class
    domain: str
    retired: bool = False  #: takes no new mail; `lane.retiring_at`
    #: Retired, and its mail still leaves or SES may still report on it: what its route names is needed (`lane.retired_at` null).
    draining: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    slug: str
    key: str  #: what SES, tags and IAM see
    dedicated: bool = False  #: has its own configuration sets
    ses_tenants: SesTenants = "one"
    domains: Mapping[str, Domain] = field(default_factory=dict[str, Domain])
    lanes: Mapping[str, Lane] = field(default_factory=dict[str, Lane])  #: by type
    retired: bool = False

    def ses_tenant(self, class_: Class) -> str:
        """The SES tenant of the lanes of this class."""
        return self.key if self.ses_tenants == "one" else f"{self.key}-{class_.word}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    revision: int  #: of the desired state
    tenants: Mapping[str, Tenant]  #: by slug
    types: Mapping[str, Class]
