"""The two paths of a lane: the one that tenants share, and the tenant's own (docs/paths.md).

Who takes which is decided at accept (core/path_choice.py). Here their shares are set, and mail that still waits is moved back.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mailcordon.core import domain as domains
from mailcordon.core import names, text
from mailcordon.core.errors import Conflict, Fault, Invalid, NotFound, parse_into
from mailcordon.core.path_choice import ISOLATED
from mailcordon.messages import paths, rollouts

_SES_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  #: of a tenant or a pool (ses.md 1.1)
#: Deliveries that one statement looks at.
MOVE_AT_ONCE = 2000
MOST_LANES = 10_000  #: of a tenant that are looked through for one


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedPath:
    """What tenants share: a domain and a SES tenant of the platform's. We neither create nor delete them."""

    name: str
    domain: str
    ses_tenant: str
    ip_pool: str | None  #: None: SES's shared addresses
    since: int  #: milliseconds since 1970
    lanes: int = 0  #: that have it
    tenants: int = 0  #: whose lanes have it


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSharedPath:
    name: str
    domain: str
    ses_tenant: str
    ip_pool: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePath:
    """One path of a lane."""

    path: str  #: shared or isolated
    share: int  #: percent of the lane's recipients
    domain: str
    ses_tenant: str
    configuration_set: str
    ip_pool: str | None
    shared_path: str | None  #: name of the shared path; None on an isolated one
    waiting: int  #: deliveries of the lane that still wait for it, counted to `WAITING_AT_MOST`


WAITING_AT_MOST = 100_000  #: the rest is not counted


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePaths:
    lane: int
    tenant: str  #: slug
    type: str
    paths: tuple[LanePath, ...]
    rollout: int | None = None  #: number of the one that sets its shares

    @property
    def share(self) -> int:
        """Percent of the recipients on the isolated path."""
        return sum(one.share for one in self.paths if one.path == ISOLATED)


class Moved(NamedTuple):
    """What one batch did."""

    upto: int | None  #: where the next batch begins; None: there are no more
    moved: int
    kept: int  #: deliveries whose From cannot be changed: raw messages, and messages whose recipients see each other


class PathStore(Protocol):
    async def shared_paths(self) -> Sequence[SharedPath]: ...

    async def add_shared(self, new: NewSharedPath, *, actor: str, because: str) -> SharedPath:
        """Raises Conflict if its name or its domain is in use. SES follows: our sets are associated with its SES tenant."""
        ...

    async def remove_shared(self, name: str, *, actor: str, because: str, dry_run: bool) -> SharedPath:
        """Forgets a shared path that no lane has any more, and audits it. At SES nothing changes. `dry_run`: only asks.

        Raises NotFound, or Conflict while a lane has it."""
        ...

    async def note_move(self, lane: int, to: str, moved: Moved, *, actor: str, because: str) -> None:
        """Audits what was moved."""
        ...

    async def lanes(
        self, tenant: str | None = None, *, waiting: bool = False, after: int = 0, limit: int
    ) -> Sequence[LanePaths]:
        """Lanes that take mail or still have some: of a tenant (its slug), or all; `limit` of them, by id, after lane `after`.
        `waiting`: counts what waits for each path."""
        ...

    async def set_shares(self, shares: Mapping[int, int], *, actor: str, because: str) -> None:
        """By lane, the percent of its recipients on the isolated path, all in one transaction. New mail follows at once.

        Raises Conflict if a lane does not have both paths, or a rollout sets its shares; nothing is changed then."""
        ...

    async def move_back(self, lane: int, to: str, after: int = 0, most: int = MOVE_AT_ONCE) -> Moved:
        """Moves the lane's mail that waits and was never called to the path `to`, one batch. What is on the wire, was called
        before or has no clear outcome stays on its path. A batch may be repeated at no harm."""
        ...


async def move_all_back(store: PathStore, lane: int, to: str) -> tuple[int, int]:
    """All of the lane's waiting mail, batch by batch. Returns how many deliveries were moved, and how many keep their path."""
    after: int | None = 0
    moved = kept = 0
    while after is not None:
        after, of_batch, kept_of_batch = await store.move_back(lane, to, after)
        moved += of_batch
        kept += kept_of_batch
    return moved, kept


def parse_shared(name: str, domain: str, ses_tenant: str, ip_pool: str | None) -> NewSharedPath:
    """Raises Invalid with every fault."""
    faults: list[Fault] = []
    parse_into(faults, "name", names.slug, name)
    parsed = parse_into(faults, "domain", domains.parse, domain)
    for field, value in (("ses_tenant", ses_tenant), ("ip_pool", ip_pool)):
        if value is not None and not _SES_NAME.fullmatch(value):
            faults.append(Fault(field, paths.bad_ses_name()))
    if faults or parsed is None:
        raise Invalid(*faults)
    return NewSharedPath(name=name, domain=parsed, ses_tenant=ses_tenant, ip_pool=ip_pool)


async def lane(store: PathStore, tenant: str, type: str) -> LanePaths:
    """Raises NotFound."""
    found = await store.lanes(tenant, limit=MOST_LANES) if names.is_slug(tenant) else ()
    for one in found:
        if one.type == type:
            return one
    raise NotFound(paths.no_lane(text.harmless(tenant, 64), text.harmless(type, 64)), code="no-such-lane")


async def move(store: PathStore, of: LanePaths, to: str, *, actor: str, because: str) -> tuple[int, int]:
    """Moves all of the lane's waiting mail to one path and audits it. Raises Conflict if the lane does not have that path, or if
    a rollout lets other mail take the other one."""
    if len(of.paths) < 2:
        raise Conflict(paths.not_two_paths(1), code="not-two-paths")
    if of.rollout is not None and of.share != (100 if to == ISOLATED else 0):
        raise Conflict(rollouts.shares_under_way(of.tenant, of.type, of.rollout), code="lane-in-rollout")
    moved, kept = await move_all_back(store, of.lane, to)
    await store.note_move(of.lane, to, Moved(None, moved, kept), actor=actor, because=because)
    return moved, kept
