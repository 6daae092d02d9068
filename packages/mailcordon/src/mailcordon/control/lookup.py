"""Finds tenants and lanes by name for a request, and says whose rows the request may read."""

from typing import Protocol

from mailcordon.control.views import IdentityView, Viewer
from mailcordon.core import domain as domains
from mailcordon.core import names, text
from mailcordon.core.errors import NotFound
from mailcordon.core.principal import READ, Principal
from mailcordon.messages import api, identities

NO_TENANT = "no-such-tenant"
NO_LANE = "no-such-lane"


class TenantNames(Protocol):
    async def tenant_id(self, slug: str) -> int | None: ...


class LaneNames(TenantNames, Protocol):
    async def lane_id(self, tenant: int, type: str) -> int | None: ...


class Identities(Protocol):
    async def identities(
        self, viewer: Viewer, *, domain: str | None, after: int, limit: int
    ) -> list[IdentityView]: ...


async def tenant_id(tenants: TenantNames, slug: str, *, code: str = NO_TENANT) -> int:
    """Raises NotFound."""
    found = await tenants.tenant_id(slug) if names.is_slug(slug) else None
    if found is None:
        raise no_tenant(slug, code=code)
    return found


async def lane_id(lanes: LaneNames, tenant: int, slug: str, type: str, *, code: str = NO_LANE) -> int:
    """Raises NotFound."""
    found = await lanes.lane_id(tenant, type) if names.is_slug(type) else None
    if found is None:
        raise no_lane(slug, type, code=code)
    return found


async def viewer(tenants: TenantNames, principal: Principal, slug: str | None) -> Viewer:
    """Whose rows the principal reads: of the tenant `slug`, or without one of all it may see.

    Raises Forbidden without the scope `read`, NotFound for an unknown tenant. To a tenant's key every other tenant is unknown.
    """
    principal.require(READ)
    if principal.tenant_id is not None:
        if slug is not None and not principal.sees(slug):
            raise no_tenant(slug)
        return Viewer(principal.tenant_id, as_tenant=True)
    if slug is None:
        return Viewer(None)
    return Viewer(await tenant_id(tenants, slug))


async def identity(identities: Identities, viewer: Viewer, domain: str) -> IdentityView:
    """Raises NotFound, also for another tenant's domain."""
    try:
        found = await identities.identities(viewer, domain=domains.parse(domain), after=0, limit=1)
    except ValueError:
        found = []
    if not found:
        raise NotFound(api.no_identity(text.harmless(domain, 253)), code="no-such-identity")
    return found[0]


def no_tenant(slug: str, *, code: str = NO_TENANT) -> NotFound:
    return NotFound(api.no_tenant(text.harmless(slug, 64)), code=code)


def no_shared_parent(domain: str) -> NotFound:
    return NotFound(identities.no_shared_parent(text.harmless(domain, 253)), code="no-such-shared-parent")


def no_lane(slug: str, type: str, *, code: str = NO_LANE) -> NotFound:
    return NotFound(api.no_lane(text.harmless(slug, 64), text.harmless(type, 64)), code=code)
