"""A lane: a tenant's mail of one message type, the unit of isolation."""

from dataclasses import dataclass

from mailcordon.core.priority import Class


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    id: int  #: implies the tenant
    tenant: int
    tenant_key: str  #: what SES and the tags see
    type: str
    class_: Class
