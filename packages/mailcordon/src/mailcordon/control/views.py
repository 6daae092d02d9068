"""What the control plane shows: tenants, lanes with the reasons for their state, identities, provisioning, holds and audit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from mailcordon.control.catalogue import MessageType
from mailcordon.control.keys import Key
from mailcordon.control.sharing import LaneFacts
from mailcordon.core.hold import Hold
from mailcordon.core.priority import Class


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks. A tenant's own key sees by the database's row-level security, whatever it asks for."""

    tenant: int | None  #: only this one's; None: every tenant's
    as_tenant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantView:
    id: int
    slug: str
    key: str
    dedicated: bool
    created_at: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldView:
    hold: Hold
    tenant: str
    type: str | None
    lifted_at: int | None
    lifted_by: str | None
    lifted_because: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    id: int
    tenant_id: int
    tenant: str
    type: str
    class_: Class
    state: str
    rate: float | None  #: deliveries a second, as it is in force
    own_rate: float | None  #: the lane's own, which a slowing hold may undercut
    deliveries: int  #: waiting to leave, those no longer worth sending not counted
    oldest_at: int | None  #: milliseconds since 1970
    facts: LaneFacts
    path: str
    identity_status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityView:
    id: int
    tenant: str
    domain: str
    status: str
    records: Sequence[Mapping[str, str]]
    checked_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One resource at SES, and how far it is."""

    kind: str
    name: str
    state: str  #: pending, applied or failing
    error: str | None
    attempts: int
    observed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    id: int
    at: datetime
    actor: str
    action: str
    tenant: str | None
    object: str
    before: Any
    after: Any
    because: str | None


class Reads(Protocol):
    """Each list is bounded by `limit`; `after` is the last id that was seen, 0 to begin."""

    async def now_ms(self) -> int: ...

    async def tenant_id(self, slug: str) -> int | None: ...

    async def lane_id(self, tenant: int, type: str) -> int | None: ...

    async def tenant(self, viewer: Viewer, slug: str) -> TenantView | None: ...

    async def tenants(self, viewer: Viewer, *, after: int, limit: int) -> list[TenantView]: ...

    async def lanes(
        self, viewer: Viewer, *, type: str | None, state: str | None, after: int, limit: int, count_to: int
    ) -> list[LaneView]: ...

    async def facts(self, viewer: Viewer, tenants: Sequence[int]) -> dict[int, list[LaneFacts]]:
        """What each tenant's lanes go through, for what they share."""
        ...

    async def open_holds(self, viewer: Viewer, tenants: Sequence[int]) -> list[HoldView]: ...

    async def holds(
        self, viewer: Viewer, *, is_open: bool | None, before: int | None, limit: int
    ) -> list[HoldView]: ...

    async def holds_by_id(self, ids: Sequence[int]) -> list[HoldView]: ...

    async def identities(
        self, viewer: Viewer, *, domain: str | None, after: int, limit: int
    ) -> list[IdentityView]: ...

    async def provisioning(self, viewer: Viewer, tenant: int) -> list[StepView]: ...

    async def key_prefix(self, tenant: int) -> str | None: ...

    async def types(self) -> list[MessageType]: ...

    async def keys(self, tenant: int | None, *, after: int, limit: int) -> list[Key]: ...

    async def audit(self, tenant: int | None, *, before: int | None, limit: int) -> list[AuditView]: ...
