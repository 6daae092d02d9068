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
    other: "Route | None" = None  #: of a lane with two paths, the other one; it names none itself
    of_two: bool = False  #: whether its lane has two paths

    def of(self, path: str) -> "Route":
        """The lane's route of this path. A path that was retired meanwhile has no mail that was called; it takes what is left."""
        return self if self.other is None or path == self.path else self.other
