"""What the operations of the SES door need beside the intake of mail."""

from dataclasses import dataclass
from typing import Protocol

from mailcordon.control import account, lookup
from mailcordon.control.templates import Templates
from mailcordon.core.principal import Principal
from mailcordon.door.buckets import Rates
from mailcordon.observe import metrics_view, suppression_view
from mailcordon.send import view


class Tenants(Protocol):
    async def tenant_id(self, slug: str) -> int | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    suppression_reader: suppression_view.SuppressionReader
    suppressions: suppression_view.Suppressions
    metrics: metrics_view.MetricsReader
    messages: view.MessageReader
    account: account.Reader
    templates: Templates
    tenants: Tenants
    key_rates: Rates  #: of a tenant's key without own limits
    hash_key: bytes  #: of the installation, for the keyed hash of addresses
    region: str  #: of SES


async def tenant_of(services: Services, principal: Principal, named: str | None) -> tuple[str, int]:
    """Slug and id of the tenant that a request is about. Raises Forbidden, Invalid or NotFound."""
    slug = principal.tenant_for(named, field="TenantName")
    if principal.tenant_id is not None:
        return slug, principal.tenant_id
    return slug, await lookup.tenant_id(services.tenants, slug)
