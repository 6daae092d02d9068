"""The part of a claim that obeys limits (docs/limits.md). Far from limits, mail is taken as if there were none, and counted when
the claim ends; near them a claim looks at the heads of the lanes, judges, and takes what is admitted.

One instance belongs to one dispatcher's claims. It keeps the limits of each tenant until their version or the control epoch
changes.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from typing import NamedTuple

import asyncpg

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.count_arguments import counted
from mailcordon.adapters.db.limit_row import limit_from_row
from mailcordon.core.limit import EACH, MOST_EACH, OF_AN_ADDRESS, SIMULATOR_DOMAIN
from mailcordon.core.priority import Class
from mailcordon.core.reason import Reason
from mailcordon.guard.limits import rules as limit_rules
from mailcordon.guard.limits import sentences
from mailcordon.guard.limits.admission import Judged, Mail, Over, judge
from mailcordon.guard.limits.counts import Counts, leaves_room
from mailcordon.guard.limits.rules import Kind, LaneRules
from mailcordon.guard.limits.sentences import LaneName
from mailcordon.guard.limits.windows import Use
from mailcordon.send.rotation import Plan, Visit

_SQL = queries.load("limited_claim.sql")
_LOOKS = 4  #: of one claim
_PARK_WINDOW = 500  #: deliveries of a lane that a claim looks at for mail over a used-up limit
_CLOSED_SECONDS = (
    1.0  #: in which a lane that is over a limit is not looked at: what requeued mail gives back shows then
)
_FULL_SECONDS = 60.0  #: in which a lane that has limits for the most campaigns asks for no more
_MOST_TENANTS = 5_000  #: whose limits are kept
_MOST_EXEMPT = 10_000
_MOST_NEAR = 100_000
_NEAR_SECONDS = 1.0  #: in which a lane that was near a limit is not taken to be far from it
_FAR = 4  #: claims like this one that a limit must have room for
_PLAIN = Kind(None, None, None, None)

TakeAll = Callable[[Sequence[Visit]], Awaitable[tuple[list[asyncpg.Record], float]]]
Refuse = Callable[[engine.Connection, Sequence[Visit], int], Awaitable[None]]


class Taken(NamedTuple):
    rows: list[asyncpg.Record]
    took_ms: float  #: by the server's clock
    counts: Counts | None  #: None: no limit is about any of it
    closed: Mapping[
        int, int | None
    ]  #: by lane over a limit, when it opens in ms since 1970; None: when the limit grows


class Overtaken(Exception):
    """More was taken than a limit has room for, without a look at it. The claim is rolled back, and made again with a look."""


class Unmet(Exception):
    """Lanes whose campaigns or providers have each a limit of their own meet new ones. The claim is rolled back, and made again
    once `meet` has made the limits."""

    def __init__(self, kinds: Sequence[tuple[int, Kind]]) -> None:
        super().__init__(kinds)
        self.kinds = kinds


class _Tenant(NamedTuple):
    version: int
    epoch: int
    lanes: Mapping[int, LaneRules]
    names: Mapping[int, LaneName]


class LimitedClaim:
    def __init__(self) -> None:
        self._tenants: dict[int, _Tenant] = {}
        #: By lane: when it opens, and until when (by the host's clock) that is believed.
        self._closed: dict[int, tuple[int | None, float]] = {}
        self._exempt: set[bytes] = set()
        #: By lane, the campaigns and providers that limits were asked for.
        self._asked: dict[int, set[Kind]] = {}
        #: By lane that has limits for the most campaigns: when it asks again.
        self._full_until: dict[int, float] = {}
        #: Lanes that were near a limit, and when that was last seen: a claim of one looks at what is counted.
        self._near: dict[int, float] = {}

    async def meet(self, connection: engine.Connection, unmet: Unmet) -> None:
        """Makes the limits; the next claim reads them."""
        await connection.fetchval(
            _SQL.meet,
            [lane for lane, _ in unmet.kinds],
            [kind.campaign for _, kind in unmet.kinds],
            [kind.provider for _, kind in unmet.kinds],
            MOST_EACH,
        )

    def _look_for_unmet(self, rows: Sequence[asyncpg.Record], rules: Mapping[int, LaneRules]) -> None:
        """Raises Unmet, once for each."""
        found: dict[tuple[int, Kind], None] = {}
        now = time.monotonic()
        for lane, of_lane in rules.items():
            full = len(of_lane.campaigns) >= MOST_EACH
            if not of_lane.each or (full and self._full_until.get(lane, 0.0) > now):
                continue
            for row in rows:
                if row["lane"] == lane:
                    kind = Kind(row["provider"], row["campaign"], None, None)
                    asked = self._asked.get(lane, ())
                    found |= {(lane, one): None for one in of_lane.unmet(kind) if one not in asked}
            if full:
                self._full_until[lane] = now + _FULL_SECONDS
        if found:
            for lane, one in found:
                self._asked.setdefault(lane, set()).add(one)
            raise Unmet(list(found))

    async def read(self, connection: engine.Connection, versions: Mapping[int, int], epoch: int) -> bool:
        """Reads what has changed. `versions`: of the tenants with limits. Returns whether any lane of theirs has a limit."""
        stale = [
            tenant
            for tenant, version in versions.items()
            if (kept := self._tenants.get(tenant)) is None or kept.version != version or kept.epoch != epoch
        ]
        if stale:
            if len(self._tenants) > _MOST_TENANTS:
                self._tenants.clear()
            limits = {tenant: limit_rules.TenantLimits() for tenant in stale}
            for row in await connection.fetch(_SQL.limits_of, stale):
                limits[row["tenant"]].add(limit_from_row(row), row["use"])
            lanes: dict[int, dict[int, LaneRules]] = {}
            names: dict[int, dict[int, LaneName]] = {}
            for row in await connection.fetch(_SQL.lanes_of, stale):
                tenant, lane = row["tenant"], row["id"]
                found = limit_rules.of_lane(
                    lane, Class(row["class"]), row["domains"], limits[tenant].of(lane)
                )
                self._closed.pop(lane, None)
                self._asked.pop(lane, None)
                if found is not None:
                    lanes.setdefault(tenant, {})[lane] = found
                    names.setdefault(tenant, {})[lane] = LaneName(row["slug"], row["type"])
            for tenant in stale:
                self._tenants[tenant] = _Tenant(
                    versions[tenant], epoch, lanes.get(tenant, {}), names.get(tenant, {})
                )
        return any(self._tenants[tenant].lanes for tenant in versions)

    def far(
        self, versions: Mapping[int, int], epoch: int, visits: Sequence[Visit]
    ) -> dict[int, LaneRules] | None:
        """The rules of these lanes, from memory. None if they must be read, or one may be near a limit: then `take` looks."""
        rules: dict[int, LaneRules] = {}
        now = time.monotonic()
        for visit in visits:
            version = versions.get(visit.tenant)
            if version is None:
                continue
            kept = self._tenants.get(visit.tenant)
            if kept is None or kept.version != version or kept.epoch != epoch:
                return None
            found = kept.lanes.get(visit.lane)
            if found is None:
                continue
            if (
                not found.by_row
                or visit.lane in self._near
                or self._closed.get(visit.lane, (0, 0.0))[1] > now
            ):
                return None
            rules[visit.lane] = found
        return rules

    async def take(
        self,
        connection: engine.Connection,
        plan: Plan,
        visits: Sequence[Visit],
        now: int,
        worker: int,
        unclear: set[int],
        take_all: TakeAll,
        refuse_suppressed: Refuse,
    ) -> Taken:
        """As `claim` for lanes without limits, which is `take_all`. `unclear` gets the turns whose lanes have mail behind what
        was looked at. `return_turns` counts what was taken."""
        closed: dict[int, int | None] = {}
        rules: dict[int, LaneRules] = {}
        left: list[Visit] = []
        believed = time.monotonic()
        for visit in visits:
            if not visit.budget:
                continue
            known = self._closed.get(visit.lane)
            if known is not None and known[1] > believed and (known[0] is None or known[0] > now):
                closed[visit.lane] = known[0]
                continue
            left.append(visit)
            tenant = self._tenants.get(visit.tenant)
            found = tenant and tenant.lanes.get(visit.lane)
            if found:
                rules[visit.lane] = found
        if not left:
            return Taken([], 0.0, None, closed)
        if all(of_lane.by_row and lane not in self._near for lane, of_lane in rules.items()):
            rows, took_ms = await take_all(left)
            return Taken(rows, took_ms, self.count(rows, rules), closed)
        claim = _Claim(connection, now, worker)
        budgets = dict(plan.budgets)
        over: set[int] = set()
        for look in range(_LOOKS):
            if not left:
                break
            rows, suppressed = await claim.look(left, budgets, rules)
            self._look_for_unmet(rows, rules)
            judged = await claim.judge(rows, rules, self._exempt)
            over |= {one.lane for one in judged.over}
            again = {row["turn"] for row in suppressed}
            of_lane = {visit.lane: visit for visit in left}
            shut = [one for one in judged.over if one.bound.wide and not one.bound.limit.refuses]
            for one in shut:
                closed[one.lane] = one.opens_at
                self._closed[one.lane] = (one.opens_at, believed + _CLOSED_SECONDS)
                again.add(of_lane[one.lane].turn)
            parks = [one for one in judged.over if one.lane not in closed]
            again |= {of_lane[one.lane].turn for one in parks}
            taken = await claim.take(rows, judged)
            if not again:
                break
            if look == _LOOKS - 1:
                unclear |= again
                break
            if suppressed:
                dead = {row["turn"] for row in suppressed}
                await refuse_suppressed(connection, [visit for visit in left if visit.turn in dead], now)
            if parks:
                await self._park(connection, parks, of_lane)
            by_lane = Counter(row["lane"] for row in taken)
            for visit in left:
                budgets[visit.turn] -= by_lane[visit.lane]
            left = [
                visit._replace(budget=visit.budget - by_lane[visit.lane])
                for visit in left
                if visit.turn in again and visit.lane not in closed
            ]
            left = [visit for visit in left if visit.budget > 0 and budgets[visit.turn] > 0]
        self._note_near(claim, rules, over, believed)
        return Taken(claim.taken, claim.took_ms, claim.counts, closed)

    def count(self, rows: Sequence[asyncpg.Record], rules: Mapping[int, LaneRules]) -> Counts | None:
        """What this mail counts in, of lanes that are far from their limits. Raises Unmet."""
        if not rules:
            return None
        self._look_for_unmet(rows, rules)
        counts = Counts()
        for row in rows:
            of_lane = rules.get(row["lane"])
            if of_lane is not None:
                hash = row["hash"]
                about = (row["provider"], row["campaign"], row["list"])
                counts.add(of_lane, row["lane"], row["id"], about, None if hash in self._exempt else hash)
        return counts

    def _note_near(self, claim: "_Claim", rules: Mapping[int, LaneRules], over: Set[int], at: float) -> None:
        """After a claim that looked. A lane is far again when one that comes later finds room for much more than was taken."""
        if len(self._near) > _MOST_NEAR:
            self._near.clear()
        self._near.update(dict.fromkeys(over, at))
        for lane, of_lane in rules.items():
            if self._near.get(lane, at) + _NEAR_SECONDS < at and claim.is_far(lane, of_lane):
                del self._near[lane]

    async def return_turns(
        self,
        connection: engine.Connection,
        returned: Sequence[object],
        counts: Counts,
        asked: Sequence[object],
    ) -> list[asyncpg.Record]:
        """Counts what was taken, beside the queue's `return_turns`, whose arguments are `returned` and `asked`, and returns what
        that does. Raises Overtaken."""
        found = await connection.fetch(
            _SQL.return_turns,
            *returned,
            *counted(counts),
            *asked,
            counts.in_shadow,
        )
        over = [row for row in found if row["id"] is None]
        if over:
            near = {row["lane"] for row in over if row["lane"] is not None}
            near |= counts.lanes_of({row["use"] for row in over})
            self._near.update(dict.fromkeys(near, time.monotonic()))
            raise Overtaken
        return found

    async def _park(
        self, connection: engine.Connection, overs: Sequence[Over], visits: Mapping[int, Visit]
    ) -> None:
        lanes = sorted({over.lane for over in overs})
        # Limits of an address first: their mail would meet them again.
        overs = sorted(overs, key=lambda over: (over.hash is None, over.repeat is not None))
        about = [_about(over) for over in overs]
        await connection.fetchval(
            _SQL.park,
            lanes,
            [visits[lane].cutoff for lane in lanes],
            _PARK_WINDOW,
            [over.lane for over in overs],
            [over.bound.limit.id for over in overs],
            [kind.provider for kind in about],
            [kind.campaign for kind in about],
            [kind.list for kind in about],
            [kind.api_key for kind in about],
            [over.hash for over in overs],
            [over.opens_at for over in overs],
            [self._sentence(over, visits[over.lane].tenant) for over in overs],
            [_code(over) for over in overs],
            [over.bound.limit.refuses for over in overs],
            [over.repeat for over in overs],
            [self._domain(over, visits[over.lane].tenant) for over in overs],
        )

    def _domain(self, over: Over, tenant: int) -> str | None:
        """Of the mail that is parked: in a lane with one path, all mail has the domain."""
        by_domain = over.hash is None and self._tenants[tenant].lanes[over.lane].by_domain
        return over.bound.limit.domain if by_domain else None

    def _sentence(self, over: Over, tenant: int) -> str:
        name = self._tenants[tenant].names[over.lane]
        limit = over.bound.limit
        return sentences.refused(limit, name) if limit.refuses else sentences.over(limit, name, over.opens_at)


class _Claim:
    """What one claim has seen and taken."""

    def __init__(self, connection: engine.Connection, now: int, worker: int) -> None:
        self._connection = connection
        self._now = now
        self._worker = worker
        self._uses: dict[int, Use] = {}
        self._addresses: dict[tuple[int, bytes], Use] = {}
        self.taken: list[asyncpg.Record] = []
        self.took_ms = 0.0
        self.counts = Counts()

    async def look(
        self,
        visits: Sequence[Visit],
        budgets: Mapping[int, int],
        rules: Mapping[int, LaneRules],
    ) -> tuple[list[asyncpg.Record], list[asyncpg.Record]]:
        """The live mail, and the suppressed mail."""
        rows = await self._connection.fetch(
            _SQL.look,
            [visit.lane for visit in visits],
            [visit.budget for visit in visits],
            [visit.cutoff for visit in visits],
            [visit.turn for visit in visits],
            [budgets[visit.turn] for visit in visits],
            [visit.class_ for visit in visits],
            [_asks(rules.get(visit.lane)) for visit in visits],
            self._now,
        )
        live: list[asyncpg.Record] = []
        suppressed: list[asyncpg.Record] = []
        for row in rows:
            if row["turn"] is not None:
                (suppressed if row["dead"] else live).append(row)
                if row["used"] is not None:
                    self._addresses.setdefault((row["lane"], row["hash"]), Use(*row["used"]))
                if row["repeat_used"] is not None:
                    self._addresses.setdefault((row["lane"], row["repeat"]), Use(*row["repeat_used"]))
            else:
                self.took_ms += row["took"]
        return live, suppressed

    async def judge(
        self, rows: Sequence[asyncpg.Record], rules: Mapping[int, LaneRules], exempt: set[bytes]
    ) -> Judged:
        mails: list[Mail] = []
        for row in rows:
            lane: int = row["lane"]
            kind = _PLAIN
            if lane in rules:
                kind = Kind(row["provider"], row["campaign"], row["list"], row["api_key"], row["domain"])
            mails.append(Mail(lane, row["id"], kind, row["hash"], row["repeat"]))
        await self._read_uses(mails, rules)
        if any(of_lane.recipient or of_lane.repeat for of_lane in rules.values()):
            await self._exempt(mails, rules, exempt)
        return judge(mails, rules, self._uses, self._addresses, exempt, self._now)

    async def _read_uses(self, mails: Sequence[Mail], rules: Mapping[int, LaneRules]) -> None:
        """Reads what is counted, once. Rows that several turns share are locked."""
        scopes = {
            scope.use: scope
            for lane, kind in {(mail.lane, mail.kind) for mail in mails if mail.lane in rules}
            for scope in rules[lane].of(kind)
            if scope.use not in self._uses
        }
        if not scopes:
            return
        shared = sorted(use for use in scopes if scopes[use].shared)
        own = sorted(use for use in scopes if not scopes[use].shared)
        for row in await self._connection.fetch(_SQL.uses, shared, own):
            self._uses[row["id"]] = Use(*list(row.values())[1:])
        if ahead := [use for use in scopes if use in self._uses and self._uses[use].is_far_ahead(self._now)]:
            await self._connection.execute(_SQL.bring_back, ahead, self._now)

    def is_far(self, lane: int, rules: LaneRules) -> bool:
        """Whether what the lane's mail counts in leaves room for a few more claims, as far as this claim has seen it."""
        n = _FAR * sum(1 for row in self.taken if row["lane"] == lane)
        return all(
            leaves_room(self._uses[use], caps, n, self._now)
            for use, caps in rules.caps.items()
            if use in self._uses
        )

    async def _exempt(
        self, mails: Sequence[Mail], rules: Mapping[int, LaneRules], exempt: set[bytes]
    ) -> None:
        """Learns which addresses are SES's simulator's, of those that have reached a limit."""
        keys = {
            mail.id: rules[mail.lane].apart(mail.hash, mail.repeat)
            for mail in mails
            if mail.hash is not None and mail.hash not in exempt
        }
        times = Counter((mail.lane, key) for mail in mails for key, _ in keys.get(mail.id, ()))
        asked: dict[bytes, int] = {}
        for mail in mails:
            for key, bounds in keys.get(mail.id, ()):
                use, n = self._addresses.get((mail.lane, key)) or Use(), times[mail.lane, key]
                if mail.hash is not None and any(
                    use.room(bound.limit.cap, bound.limit.per, self._now) < n for bound in bounds
                ):
                    asked[mail.hash] = mail.id
        if not asked:
            return
        found = await self._connection.fetch(_SQL.addresses, list(asked.values()))
        simulators = {
            row["id"] for row in found if (row["address"] or "").lower().endswith("@" + SIMULATOR_DOMAIN)
        }
        if len(exempt) > _MOST_EXEMPT:
            exempt.clear()
        exempt.update(hash for hash, id in asked.items() if id in simulators)

    async def take(self, rows: Sequence[asyncpg.Record], judged: Judged) -> list[asyncpg.Record]:
        if not judged.admitted:
            return []
        admitted = {mail.id for mail in judged.admitted}
        wanted = [row for row in rows if row["id"] in admitted]
        found = await self._connection.fetch(
            _SQL.take, [row["row"] for row in wanted], self._now, self._worker
        )
        if judged.shadow:
            await self._connection.execute(
                _SQL.shadow, list(judged.shadow), list(judged.shadow.values()), self._now
            )
        # Without mail that was cancelled since the look.
        ids = {row["id"] for row in found}
        self.counts.add_judged(judged, ids)
        taken = [row for row in wanted if row["id"] in ids]
        self.taken += taken
        return taken


def _asks(rules: LaneRules | None) -> int:
    if rules is None:
        return 0
    return bool(rules.recipient) + 2 * rules.by_key + 4 * bool(rules.repeat) + 8 * rules.by_domain


def _about(over: Over) -> Kind:
    """Of the mail that is parked, what its limit is about; the rest of a lane's mail goes on."""
    if over.hash is not None:
        return _PLAIN
    limit = over.bound.limit
    if limit.scope in EACH and over.kind is not None:
        return Kind(None, over.kind.campaign, None, None)
    return Kind(limit.provider, limit.campaign, limit.list, limit.api_key)


def _code(over: Over) -> Reason:
    if over.bound.limit.refuses:
        return Reason.LIMIT_REFUSED
    return Reason.RECIPIENT_LIMIT if over.bound.limit.scope in OF_AN_ADDRESS else Reason.LIMIT
