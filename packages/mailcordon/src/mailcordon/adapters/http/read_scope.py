"""Whose rows a request to the routes of the observability plane reads."""

from mailcordon.control import lookup
from mailcordon.core.errors import NotFound
from mailcordon.core.principal import READ, Principal
from mailcordon.observe.view import ReadScope

#: The code of these routes for an unknown tenant or lane. The routes of the control plane have more specific ones.
UNKNOWN = NotFound.code


async def of_one_tenant(
    names: lookup.TenantNames, principal: Principal, slug: str | None
) -> tuple[str, ReadScope]:
    """The slug of the one tenant that is read, and how. Raises NotFound for another tenant than the key's."""
    principal.require(READ)
    if slug is not None and not principal.sees(slug):
        raise lookup.no_tenant(slug, code=UNKNOWN)
    named = principal.tenant_for(slug)
    if principal.tenant_id is not None:
        return named, ReadScope(tenant=principal.tenant_id, as_tenant=True)
    tenant = await lookup.tenant_id(names, named, code=UNKNOWN)
    return named, ReadScope(tenant=tenant, as_tenant=False)
