"""Who asks: an API key as the rest of the system sees it, with what it may do and for whom.

A platform key serves every tenant and names the one it means; a tenant's key serves its own tenant only. Naming another
tenant in what is sent is forbidden; asking for another tenant's things finds nothing, so that nobody learns what exists.
"""

import re
from dataclasses import dataclass

from mailcordon.core.errors import Fault, Forbidden, Invalid

SEND = "send"
READ = "read"
OPERATE = "operate"
ADMIN = "admin"
SCOPES = (SEND, READ, OPERATE, ADMIN)
TENANT_SCOPES = (SEND, READ)  #: all that a tenant's own key can have

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    key_id: int
    prefix: str  #: names the key in logs and in the audit trail
    name: str
    tenant_id: int | None  #: None: a platform key
    tenant_slug: str | None
    scopes: frozenset[str]

    @property
    def is_platform(self) -> bool:
        return self.tenant_id is None

    @property
    def actor(self) -> str:
        """How the audit trail names whoever used this key."""
        return f"{self.name} (key {self.prefix})"

    def require(self, scope: str) -> None:
        """Raises Forbidden."""
        if scope not in self.scopes:
            have = ", ".join(sorted(self.scopes))
            raise Forbidden(
                f"This needs the scope {scope}; the key {self.prefix} has {have}.", code="scope-missing"
            )

    def require_platform(self) -> None:
        """Raises Forbidden for a tenant's own key."""
        if not self.is_platform:
            raise Forbidden(
                "This needs a platform key; a tenant's own key cannot do it.", code="platform-only"
            )

    def tenant_for(self, slug: str | None, *, field: str = "tenant") -> str:
        """The slug of the tenant that a request means. Raises Forbidden for a foreign one, Invalid for none at all."""
        if self.tenant_slug is not None:
            if slug is not None and slug != self.tenant_slug:
                raise Forbidden(
                    f"The key {self.prefix} belongs to {self.tenant_slug} and serves no other tenant.",
                    code="foreign-tenant",
                )
            return self.tenant_slug
        if slug is None:
            raise Invalid(Fault(field, "a platform key must name the tenant", "missing"))
        if _SLUG.fullmatch(slug) is None:
            raise Invalid(
                Fault(
                    field, f"no tenant can be named {ascii(slug[:64])[1:-1] or 'nothing'}", "unknown-tenant"
                )
            )
        return slug

    def sees(self, slug: str) -> bool:
        """Whether objects of this tenant exist for this key at all."""
        return self.tenant_slug is None or self.tenant_slug == slug
