"""Resolves tenant and message type to a route. There is no default tenant, lane or route.

Routes are cached. Every accept transaction reads the control epoch first: if it has moved, the cache is dropped and the batch
is resolved again, so that a decision is never older than the transaction that stores it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.priority import CLASS_DEFAULTS, Class
from mailcordon.messages import api
from mailcordon.send.submission import Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    lane: int
    turn: int
    tenant: int
    tenant_slug: str
    tenant_key: str
    type: str
    class_: Class
    path: str  #: shared or isolated
    share: int  #: percentage of the lane's traffic on this path
    ses_tenant: str
    domain: str
    configuration_set: str
    policy_version: int
    expiry_ms: int
    backlog_deliveries: int
    backlog_bytes: int
    backlog_age_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """One tenant's routes by message type."""

    tenant: int
    slug: str
    routes: Mapping[str, tuple[Route, ...]]


def resolve(lanes: Lanes | None, slug: str, submission: Submission, spread: int) -> Route:
    """Returns the route of this message. `spread` (0 to 99) chooses among paths by their share.

    Raises Invalid for the field `tenant`, `type`, `from` or `headers.List-Unsubscribe`.
    """
    if lanes is None:
        raise Invalid(Fault("tenant", api.tenant_unknown(slug[:64]), "unknown-tenant"))
    routes = lanes.routes.get(submission.type)
    if not routes:
        problem = api.no_lane_for_type(slug, submission.type[:64], sorted(lanes.routes))
        raise Invalid(Fault("type", problem, "unknown-type"))
    route = _by_share(routes, spread)
    domain = submission.sender.address.domain
    if domain != route.domain:
        problem = api.from_another_domain(slug, route.type, route.domain, domain)
        raise Invalid(Fault("from", problem, "foreign-domain"))
    if CLASS_DEFAULTS[route.class_].one_click and not submission.one_click:
        problem = api.one_click_missing(route.type)
        raise Invalid(Fault("headers.List-Unsubscribe", problem, "one-click-missing"))
    return route


def _by_share(routes: tuple[Route, ...], spread: int) -> Route:
    floor = 0
    for route in routes:
        floor += route.share
        if spread < floor:
            return route
    raise Invalid(Fault("type", api.no_route(routes[0].type), "no-route"))
