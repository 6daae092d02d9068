"""A route: which parts of SES a lane's mail goes through. Resolution gives it; there is no default route."""

from dataclasses import dataclass

from mailcordon.core.lane import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    lane: Lane
    turn: int  #: the tenant's turn in the class
    path: str  #: shared or isolated
    ses_tenant: str
    domain: str  #: the From identity
    configuration_set: str
    ip_pool: str | None = None  #: None: SES's shared addresses
    unsubscribe_host: str | None = (
        None  #: of the tenant's own, for links to unsubscribe; None: the shared one
    )
