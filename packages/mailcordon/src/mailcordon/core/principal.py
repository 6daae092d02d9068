"""Who makes a request: the API key, with its scopes and its tenant.

A platform key works for every tenant, and each request names the tenant. A tenant's key works for its own tenant only: a request
to send for another tenant is forbidden, a request to read another tenant's data gets "not found", so that nobody learns which
tenants exist.
"""

import functools
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from mailcordon.core import names
from mailcordon.core.errors import Fault, Forbidden, Invalid
from mailcordon.core.key_limits import UNLIMITED_BY_KEY, KeyLimits
from mailcordon.messages import keys

SEND = "send"
READ = "read"
OPERATE = "operate"
ADMIN = "admin"
EVENTS = "events"  #: hands in events of SES that came through Firehose or EventBridge
SCOPES = (SEND, READ, OPERATE, ADMIN, EVENTS)
TENANT_SCOPES = (SEND, READ)  #: the scopes that a tenant's key can have


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    key_id: int
    prefix: str  #: identifies the key in logs and in the audit trail
    name: str
    holder: str  #: the person or the part of a system that uses the key
    tenant_id: int | None  #: None: a platform key
    tenant_slug: str | None
    scopes: frozenset[str]
    types: frozenset[str] | None = None  #: the message types that it may send and cancel; None: all
    networks: tuple[IPv4Network | IPv6Network, ...] = ()  #: client addresses that it works from; empty: any
    limits: KeyLimits = UNLIMITED_BY_KEY
    default_type: str | None = None  #: of mail whose door has no other word for it: SMTP and the SES door
    also_mints: frozenset[str] = frozenset()  #: scopes that it may give to other keys without holding them

    @property
    def is_platform(self) -> bool:
        return self.tenant_id is None

    @property
    def gives(self) -> frozenset[str]:
        """The scopes that it may give to another key."""
        return self.scopes | self.also_mints

    @property
    def actor(self) -> str:
        """Who acts with this key, as the audit trail names it."""
        return names.actor(self.holder, self.name, self.prefix)

    def require(self, scope: str) -> None:
        """Raises Forbidden."""
        if scope not in self.scopes:
            problem = keys.scope_missing(scope, self.prefix, sorted(self.scopes))
            raise Forbidden(problem, code="scope-missing")

    def require_type(self, type: str) -> None:
        """For what a key does to mail: sending it and cancelling it. Raises Forbidden."""
        if self.types is not None and type not in self.types:
            problem = keys.type_not_allowed(self.prefix, ascii(type[:64])[1:-1], sorted(self.types))
            raise Forbidden(problem, code="type-not-allowed")

    def require_network(self, client: str) -> None:
        """Raises Forbidden for a client whose address is outside of the key's ranges, or is no address."""
        if self.networks and not _is_within(client, self.networks):
            problem = keys.address_not_allowed(self.prefix, ascii(client[:64])[1:-1])
            raise Forbidden(problem, code="address-not-allowed")

    def require_platform(self) -> None:
        """Raises Forbidden for a tenant's key."""
        if not self.is_platform:
            raise Forbidden(keys.platform_key_needed(), code="platform-only")

    def tenant_for(self, slug: str | None, *, field: str = "tenant") -> str:
        """The tenant (slug) that a request is for. Raises Forbidden if it is not the key's own, Invalid if none is named."""
        if self.tenant_slug is not None:
            if slug is not None and slug != self.tenant_slug:
                problem = keys.key_of_another_tenant(self.prefix, self.tenant_slug)
                raise Forbidden(problem, code="foreign-tenant")
            return self.tenant_slug
        if slug is None:
            raise Invalid(Fault(field, keys.tenant_missing(), "missing"))
        if not names.is_slug(slug):
            raise Invalid(Fault(field, keys.bad_tenant_name(ascii(slug[:64])[1:-1]), "unknown-tenant"))
        return slug

    def sees(self, slug: str) -> bool:
        """Whether this key may read the data of this tenant."""
        return self.tenant_slug is None or self.tenant_slug == slug


@functools.lru_cache(maxsize=4096)
def _is_within(client: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        address = ip_address(client)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # an IPv4 client of a socket for both
    return any(address in network for network in networks)
