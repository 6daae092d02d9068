"""The host names of tenants' own for links to unsubscribe, over HTTP. `isolation` shows them."""

from typing import Protocol

import msgspec
from litestar import put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.control import lookup
from mailcordon.core import domain as domains
from mailcordon.core.errors import parse_field
from mailcordon.core.principal import ADMIN
from mailcordon.messages import unsubscribe as messages


class UnsubscribeHosts(Protocol):
    async def set_host(self, tenant: int, slug: str, host: str | None, *, because: str, actor: str) -> None:
        """None: the shared one. Raises Conflict for a name that belongs to another tenant."""
        ...


class UnsubscribeHost(msgspec.Struct, forbid_unknown_fields=True):
    host: str | None  #: null: the shared one
    because: str


class UnsubscribeHostSet(msgspec.Struct):
    tenant: str
    host: str | None
    detail: str


def routes(tenants: lookup.TenantNames, hosts: UnsubscribeHosts) -> list[HTTPRouteHandler]:
    @put(
        "/v1/tenants/{slug:str}/unsubscribe-host",
        status_code=200,
        summary="Give a tenant a host name of its own for links to unsubscribe",
        tags=["control"],
    )
    async def set_host(
        request: AnyRequest, slug: FromPath[str], data: JSONBody[UnsubscribeHost]
    ) -> UnsubscribeHostSet:
        principal = platform_principal(request, ADMIN)
        because = shapes.reason(data.because)
        host = None if data.host is None else parse_field("host", domains.parse, data.host)
        tenant = await lookup.tenant_id(tenants, slug)
        await hosts.set_host(tenant, slug, host, because=because, actor=principal.actor)
        return UnsubscribeHostSet(slug, host, messages.host_set(slug, host))

    return [set_host]
