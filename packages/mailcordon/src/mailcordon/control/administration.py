"""The control plane's port to SES: every call but sending, with values in our own terms and one error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mailcordon.control.work import Work


class SesError(Exception):
    """SES refused, or did not respond. The text is SES's own message; `tenant show` displays it."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class SesTenant:
    name: str
    arn: str
    status: str  #: ENABLED, DISABLED or REINSTATED
    suppression_scope: str | None
    suppressed_reasons: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SesSet:
    """A configuration set. Each group of options is kept whole, since a PUT replaces the group (ses.md 6)."""

    name: str
    suppression: Mapping[str, Any]
    delivery: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SesDestination:
    name: str
    events: tuple[str, ...]
    topic: str | None  #: ARN of an SNS topic
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SesIdentity:
    domain: str
    verified: bool
    status: str  #: PENDING, SUCCESS, FAILED, TEMPORARY_FAILURE or NOT_STARTED
    configuration_set: str | None
    dkim_tokens: tuple[str, ...]
    dkim_zone: str | None  #: the zone that the tokens' CNAMEs point to; it differs by region


@dataclass(frozen=True, slots=True, kw_only=True)
class SesAccount:
    max_send_rate: float  #: recipients a second
    max_24h: float  #: recipients in 24 hours; below 0: no limit
    sent_24h: float
    sending_enabled: bool
    enforcement: str  #: HEALTHY, PROBATION or SHUTDOWN


class Administration(Protocol):
    """Each method is one call to SES, or one per page. Raises SesError. Creating what exists is not an error."""

    def doing(self, work: Work, tenant: int | None) -> "Administration":
        """The same client, with calls that use the share of that work and wait in the turn of that tenant."""
        ...

    async def get_configuration_set(self, name: str) -> SesSet | None: ...

    async def create_configuration_set(
        self, name: str, *, reasons: Sequence[str] | None, max_delivery_seconds: int | None
    ) -> None: ...

    async def put_suppression(self, name: str, group: Mapping[str, Any]) -> None: ...

    async def put_delivery(self, name: str, group: Mapping[str, Any]) -> None: ...

    async def get_destinations(self, set_name: str) -> list[SesDestination]: ...

    async def put_destination(self, set_name: str, destination: SesDestination, *, create: bool) -> None: ...

    async def get_identity(self, domain: str) -> SesIdentity | None: ...

    async def create_identity(self, domain: str, *, configuration_set: str) -> None: ...

    async def put_identity_set(self, domain: str, configuration_set: str) -> None: ...

    async def get_tenant(self, name: str) -> SesTenant | None: ...

    async def create_tenant(self, name: str, *, scope: str, reasons: Sequence[str]) -> None: ...

    async def put_tenant_suppression(self, name: str, *, scope: str, reasons: Sequence[str]) -> None: ...

    async def get_policy(self, tenant_arn: str) -> str | None:
        """standard, strict or none; None if SES has no policy for it."""
        ...

    async def put_policy(self, tenant_arn: str, policy: str) -> None: ...

    async def get_associations(self, tenant: str) -> list[str] | None:
        """ARNs; None if the tenant does not exist."""
        ...

    async def associate(self, tenant: str, arn: str) -> None: ...

    async def tenants_with_status(self, status: str) -> dict[str, str]:
        """ARN by name."""
        ...

    async def status_cause(self, tenant_arn: str) -> str | None: ...

    async def delete_suppressed(self, address: str, *, tenant: str) -> None:
        """Deleting a missing entry is not an error."""
        ...

    async def get_account(self) -> SesAccount: ...
