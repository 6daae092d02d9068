"""What each lane of a tenant shares, dimension by dimension. Pure, but for the service that reads.

Three decisions are separate, and each has its own price: the identity (the From domain), the configuration set, and the IP
addresses. What none of them ends is said as well. The platform sees who the other tenants are, a tenant's key how many.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from mailcordon.control.authentication.alignment import Suffixes
from mailcordon.control.sharing import UsedRoute
from mailcordon.control.views import Reads, Viewer
from mailcordon.core import domain as domains
from mailcordon.core.priority import CLASS_DEFAULTS
from mailcordon.messages import isolation as messages

Decision = Literal["identity", "configuration set", "IP"]
MOST_NAMED = 20  #: other tenants that are named; the rest is counted


@dataclass(frozen=True, slots=True)
class Others:
    """Other tenants that use the same."""

    number: int = 0
    named: tuple[str, ...] = ()  #: some of their slugs, in order


NOBODY = Others()


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingKey:
    """A key that can send for the tenant."""

    platform: bool
    types: frozenset[str] | None  #: None: all


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What other tenants and keys use, by the names of what a tenant's lanes use."""

    sets: Mapping[str, Others] = field(default_factory=dict[str, Others])
    pools: Mapping[str, Others] = field(default_factory=dict[str, Others])
    domains: Mapping[str, Others] = field(default_factory=dict[str, Others])
    organisations: Mapping[str, Others] = field(default_factory=dict[str, Others])
    parents: tuple[str, ...] = ()  #: domains that the platform shares among tenants
    account: Others = NOBODY
    keys: tuple[SendingKey, ...] = ()
    unsubscribe_host: str | None = None  #: of the tenant's own, for links to unsubscribe


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    name: str
    value: str  #: what the lane uses
    shared: bool
    says: str  #: with whom
    types: tuple[str, ...] = ()  #: the tenant's own other lanes
    tenants: int = 0
    named: tuple[str, ...] = ()  #: of these; empty for a tenant's key
    decision: Decision | None = None  #: which of the three ends it
    command: str | None = None
    ends: str | None = None  #: what ends it instead

    @property
    def mistake(self) -> str | None:
        return messages.mistake(self.name) if self.shared else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneIsolation:
    lane: int
    type: str
    dimensions: tuple[Dimension, ...]


class IsolationStore(Protocol):
    async def surroundings(
        self,
        tenant: int,
        *,
        sets: Sequence[str],
        pools: Sequence[str],
        domains: Sequence[str],
        organisations: Sequence[str],
        most_named: int,
    ) -> Surroundings: ...


class Isolation:
    """`topic`: where SES publishes the outcomes of all mail. `links`: what links to unsubscribe begin with, for tenants that
    have no host name of their own."""

    def __init__(
        self, reads: Reads, store: IsolationStore, suffixes: Suffixes, *, topic: str, links: str | None = None
    ) -> None:
        self._reads = reads
        self._store = store
        self._suffixes = suffixes
        self._topic = topic
        self._links = links

    async def of(self, viewer: Viewer, slug: str) -> list[LaneIsolation]:
        """Of each lane of the viewer's tenant, in the order of their types."""
        assert viewer.tenant is not None
        lanes = (await self._reads.facts(viewer, [viewer.tenant]))[viewer.tenant]
        routes = [lane.route for lane in lanes]
        organisation = {route.domain: self._organisation(route.domain) for route in routes}
        around = await self._store.surroundings(
            viewer.tenant,
            sets=sorted({route.configuration_set for route in routes}),
            pools=sorted({route.ip_pool for route in routes if route.ip_pool is not None}),
            domains=sorted(organisation),
            organisations=sorted(set(organisation.values())),
            most_named=0 if viewer.as_tenant else MOST_NAMED,
        )
        return [
            LaneIsolation(
                lane=lane.route.lane.id,
                type=lane.route.lane.type,
                dimensions=of_lane(
                    slug, lane, lanes, organisation, around, topic=self._topic, links=self._links
                ),
            )
            for lane in sorted(lanes, key=lambda one: one.route.lane.type)
        ]

    def _organisation(self, domain: str) -> str:
        return self._suffixes.registrable(domain) or domain


def of_lane(
    slug: str,
    lane: UsedRoute,
    lanes: Sequence[UsedRoute],
    organisation: Mapping[str, str],
    around: Surroundings,
    *,
    topic: str,
    links: str | None = None,
) -> tuple[Dimension, ...]:
    """`organisation`: the organisational domain of each domain that `lanes`, all of the tenant, send from."""
    route = lane.route
    others = [one.route for one in lanes if one.route.lane.type != route.lane.type]
    type, org = route.lane.type, organisation[route.domain]

    def own(same: Sequence[bool]) -> tuple[str, ...]:
        return tuple(sorted(other.lane.type for other, is_same in zip(others, same, strict=True) if is_same))

    move = f"mailcordon lane move {slug} {type} --to NEW.DOMAIN --because TEXT"
    parent = next((each for each in around.parents if domains.covers(each, route.domain)), None)
    of_class = lane.set_kind == "shared"
    sets = around.sets.get(route.configuration_set, NOBODY) if of_class else NOBODY
    same_set = own([other.configuration_set == route.configuration_set for other in others])
    return (
        _dimension(
            "domain",
            route.domain,
            own([other.domain == route.domain for other in others]),
            around.domains.get(route.domain, NOBODY),
            decision="identity",
            command=move,
            says=None if parent is None else messages.shared_parent(parent),
        ),
        _dimension(
            "organisation",
            org,
            own([other.domain != route.domain and organisation[other.domain] == org for other in others]),
            around.organisations.get(org, NOBODY),
            decision="identity",
            command=move,
        ),
        _dimension(
            "ses-tenant",
            route.ses_tenant,
            own([other.ses_tenant == route.ses_tenant for other in others]),
            NOBODY,
            command=f"mailcordon tenant topology {slug} --ses-tenants per-class --because TEXT",
        ),
        _dimension(
            "set",
            route.configuration_set,
            same_set,
            sets,
            says=messages.class_set(same_set, route.lane.class_.word)
            if of_class and not sets.number
            else None,
            decision="configuration set",
            command=f"mailcordon tenant topology {slug} --dedicated --because TEXT" if of_class else None,
        ),
        _dimension("topic", topic, own([True] * len(others)), around.account),
        _dimension(
            "pool",
            route.ip_pool or "SES",
            own([other.ip_pool == route.ip_pool for other in others]),
            around.account if route.ip_pool is None else around.pools.get(route.ip_pool, NOBODY),
            decision="IP",
            says=messages.everybody_in_region() if route.ip_pool is None else None,
            command=f"mailcordon pool add POOL {slug} --class {route.lane.class_.word} --because TEXT",
        ),
        _dimension("account", "", own([True] * len(others)), around.account),
        _keys(slug, type, around.keys),
        *([_links(slug, around, links)] if CLASS_DEFAULTS[route.lane.class_].one_click else []),
    )


def _links(slug: str, around: Surroundings, links: str | None) -> Dimension:
    own = around.unsubscribe_host is not None
    return Dimension(
        name="links",
        value=f"https://{around.unsubscribe_host}" if own else links or "",
        shared=not own and links is not None,
        says=messages.links(own=own, shared=links is not None),
        command=None if own else f"mailcordon tenant unsubscribe-host {slug} HOST.DOMAIN --because TEXT",
    )


def _dimension(
    name: str,
    value: str,
    types: tuple[str, ...],
    others: Others,
    *,
    decision: Decision | None = None,
    command: str | None = None,
    says: str | None = None,
) -> Dimension:
    """`says`: instead of the names, where it is shared whoever uses it now."""
    shared = bool(types or others.number or says)
    return Dimension(
        name=name,
        value=value,
        shared=shared,
        says=says or messages.shared_with(types, others.number, others.named),
        types=types,
        tenants=others.number,
        named=others.named,
        decision=decision if shared else None,
        command=command if shared else None,
        ends=messages.ends(name) or None if shared else None,
    )


def _keys(slug: str, type: str, keys: Sequence[SendingKey]) -> Dimension:
    platform = sum(key.platform and (key.types is None or type in key.types) for key in keys)
    own = sum(
        not key.platform and (key.types is None or (type in key.types and len(key.types) > 1)) for key in keys
    )
    shared = bool(platform or own)
    return Dimension(
        name="keys",
        value="",
        shared=shared,
        says=messages.keys(platform, own),
        command=f"mailcordon key create {slug} --scope send --type {type}" if shared else None,
    )
