"""What the control plane shows: tenants, lanes, identities, provisioning, holds and keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mailcordon.control.catalogue import MessageType
from mailcordon.control.keys import Key
from mailcordon.control.platform import SesTenants
from mailcordon.control.sharing import UsedRoute
from mailcordon.control.steps import Mail
from mailcordon.core.health import Outflow
from mailcordon.core.hold import Hold
from mailcordon.core.route import Route
from mailcordon.core.stop import Stop


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose rows are read. With a tenant's key the database's row-level security applies as well."""

    tenant: int | None  #: None: of every tenant
    as_tenant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantView:
    id: int
    slug: str
    key: str
    dedicated: bool
    ses_tenants: SesTenants
    created_at: datetime
    retiring_at: datetime | None  #: takes no mail since then
    retired_at: datetime | None  #: its mail has left
    observed: bool = False  #: known from its mail alone: nothing of it is at SES (docs/observe-only.md)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantRow(TenantView):
    """A tenant as a list shows it."""

    tier: str  #: of its policy
    state: str | None  #: of its worst lane; None: it has none
    lanes: int
    stopped_lanes: Sequence[int]
    waiting: int  #: deliveries; counting of each lane stops somewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantFilter:
    """Which tenants a list shows. None: whatever theirs is."""

    prefix: str | None = None  #: of the slug
    state: str | None = None  #: of the worst lane
    tier: str | None = None


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
    tenant: str  #: slug
    route: Route
    state: str
    rate: float | None  #: deliveries per second, in force
    own_rate: float | None  #: the lane's own limit; a slowing hold can lower the rate below it
    deliveries: int  #: waiting to leave; expired ones are not counted
    oldest_at: int | None  #: milliseconds since 1970
    identity_status: str
    retiring_at: datetime | None = None  #: takes no mail since then
    retire_mail: Mail | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopView:
    stop: Stop
    tenant: str | None  #: slug; None: it belongs to no single tenant
    type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityView:
    id: int
    tenant: str
    domain: str
    status: str
    records: Sequence[Mapping[str, str]]
    checked_at: datetime | None
    created_at: datetime
    retiring_at: datetime | None = None  #: its lanes take no mail since then
    retired_at: datetime | None = None
    mail_from: str | None = None  #: the custom MAIL FROM domain; None: SES's own
    proof: str | None = None  #: how the tenant's claim was proved (control/claims.py)
    contended: bool = False  #: another tenant contends for it
    claim_token: str | None = None  #: to publish while it is contended
    lapsed_at: int | None = None  #: since when it lacks records that it had, milliseconds since 1970
    shared_parent: str | None = None  #: a domain of the platform that it is below: shared, not isolated


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One resource at SES, and its state."""

    kind: str
    name: str
    state: str  #: pending, applied or failing
    error: str | None
    attempts: int
    observed_at: datetime | None


class Reads(Protocol):
    """`limit` bounds each list; `after` is the last id of the page before, 0 for the first page."""

    async def now_ms(self) -> int: ...

    async def tenant_id(self, slug: str) -> int | None: ...

    async def lane_id(self, tenant: int, type: str) -> int | None: ...

    async def observed_only(self, tenant: int, lane: int | None) -> bool:
        """Whether none of the tenant's mail, or none of the lane's, passes through us."""
        ...

    async def tenant(self, viewer: Viewer, slug: str) -> TenantView | None: ...

    async def tenants(
        self, viewer: Viewer, wanted: TenantFilter, *, after: int, limit: int, count_to: int
    ) -> list[TenantRow]: ...

    async def lanes(
        self, viewer: Viewer, *, type: str | None, state: str | None, after: int, limit: int, count_to: int
    ) -> list[LaneView]: ...

    async def facts(self, viewer: Viewer, tenants: Sequence[int]) -> dict[int, list[UsedRoute]]:
        """The parts that each tenant's lanes use, for what they share."""
        ...

    async def outflow(self, viewer: Viewer) -> Outflow:
        """Whether mail can leave at all."""
        ...

    async def open_holds(self, viewer: Viewer, tenants: Sequence[int]) -> list[HoldView]: ...

    async def holds(
        self, viewer: Viewer, *, is_open: bool | None, before: int | None, limit: int
    ) -> list[HoldView]: ...

    async def stops_on(self, viewer: Viewer, lanes: Sequence[int]) -> dict[int, list[Stop]]:
        """The open stops that keep mail of each of these lanes from leaving."""
        ...

    async def stops(
        self, viewer: Viewer, *, is_open: bool | None, before: int | None, limit: int
    ) -> list[StopView]:
        """Those that cover lanes of the viewer's tenant, or all."""
        ...

    async def stops_by_id(self, ids: Sequence[int]) -> list[StopView]: ...

    async def holds_by_id(self, ids: Sequence[int]) -> list[HoldView]: ...

    async def identities(
        self, viewer: Viewer, *, domain: str | None, after: int, limit: int
    ) -> list[IdentityView]: ...

    async def provisioning(self, viewer: Viewer, tenant: int) -> list[StepView]: ...

    async def key_prefix(self, tenant: int) -> str | None: ...

    async def types(self) -> list[MessageType]: ...

    async def keys(self, tenant: int | None, *, after: int, limit: int) -> list[Key]: ...
