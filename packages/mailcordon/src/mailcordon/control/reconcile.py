"""Makes SES agree: reads one resource, plans, applies one call at a time, reads back what it set, and records it with its age.

Each row of the observed-state table is checked when it is due: new rows at once, failures with back-off, unverified identities
often. Everything else is read again in a rolling check, which finds and repairs drift: within a minute what all tenants share,
and the rest as often as the rate of management calls allows. If SES refuses a lane's mail, what is on the lane's route is due at
once; if a resource fails, so is what it depends on; if one is created again, so is what depends on it. If the process is killed,
it starts again from what SES returns, so nothing is created twice and nothing is left out.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from mailcordon.control import plan
from mailcordon.control.administration import Administration, SesDestination, SesError, SesIdentity, SesTenant
from mailcordon.control.desired import Json, Kind, Resource
from mailcordon.control.governor import Governor
from mailcordon.control.plan import Change
from mailcordon.control.work import Work
from mailcordon.messages import reasons

OLD_DKIM_ZONE = "dkim.amazonses.com"  #: if SES returns no zone of the region (ses.md 5.3)
_SLOWEST_RETRY = 300.0  #: seconds
_LONGEST_RECHECK = 86_400.0
_CHECKS_PER_COUNT = 100  #: checks for which a count of the resources is used


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the observed-state table."""

    resource: Resource
    tenant: int | None
    seen: bool  #: whether SES had it before
    attempts: int  #: since the last success
    age: float  #: seconds since it was first wanted
    #: Changes whenever the row does. What was made due while it was read stays due.
    version: int | None = None
    wanted: bool = True  #: False: an approved plan deletes it
    work: Work = Work.REPAIR  #: whose share of the calls it uses
    allowed: frozenset[str] = frozenset()  #: keys of changes that a person has approved (control/plan.py)
    accepted: Mapping[str, Json] | None = None  #: what no check covers, as it was when it was last accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often rows are checked, in seconds."""

    retry: float = 1.0  #: after a first failure; doubles
    identity: float = 60.0  #: an unverified domain at first; later a tenth of its age, at most an hour
    shared: float = 45.0  #: what all tenants use
    rest: float = 45.0  #: everything else, at least
    each: float = 3.0  #: everything else: multiplied by the number of resources, at most a day

    def recheck(self, *, shared: bool, resources: int) -> float:
        """The seconds until a resource that is as wanted is read again."""
        return self.shared if shared else min(max(self.rest, self.each * resources), _LONGEST_RECHECK)


#: The local SES is fast, and a developer who changes something there by hand waits for the result.
LOCAL = Pace(retry=0.5, identity=1.0, shared=15.0, rest=45.0, each=0.1)


class ProvisionStore(Protocol):
    async def due(
        self, limit: int, work: Work | None = None, busy: Iterable[int] = (), *, newest: bool = False
    ) -> list[Row]:
        """Rows of one kind of work that are due, or of all kinds, the most pressing first. Tenant by tenant in the order in which
        they came; `newest`: a tenant onboarded in the last minute first. Each only when the resources it depends on exist.
        Without rows of the tenants `busy` (0: what all share)."""
        ...

    async def kinds_due(self) -> Sequence[Work]:
        """The kinds of work in which rows are due, whether or not what they depend on exists."""
        ...

    async def size(self) -> int:
        """The number of rows."""
        ...

    async def applied(
        self, row: Row, observed: Mapping[str, Json], changes: Sequence[Change], *, again_in: float
    ) -> None:
        """Records what SES has now, with an audit row per change. Rows that depend on a new resource become due."""
        ...

    async def failed(self, row: Row, error: str, changes: Sequence[Change], *, again_in: float) -> None:
        """Records SES's error. What the row depends on becomes due."""
        ...

    async def identity(self, domain: str, status: str, records: Sequence[Mapping[str, str]]) -> int | None:
        """Returns the tenant if the status changed."""
        ...

    async def tenant_arn(self, key: str) -> str | None: ...


class Reconciler:
    def __init__(
        self, store: ProvisionStore, ses: Administration, governor: Governor, pace: Pace | None = None
    ) -> None:
        self._store = store
        self._ses = ses
        self._governor = governor
        self._pace = pace or Pace()
        self._resources = 0
        self._checks = 0
        self._next_count = 0  #: number of checks at which the resources are counted again

    async def step(self, limit: int = 20) -> int:
        """Checks up to `limit` rows that are due. Returns how many."""
        rows = await self._store.due(limit)
        for row in rows:
            await self._count()
            await self.check(row)
        return len(rows)

    async def kinds_due(self) -> Sequence[Work]:
        """The kinds of work in which rows are due. Some may wait for what they depend on."""
        return await self._store.kinds_due()

    async def check_next(self, work: Work, busy: set[int], *, newest: bool = False) -> bool:
        """Checks the row whose turn it is in one kind of work. False if none is due. While it is checked its tenant is in `busy`,
        which the loops of one kind share."""
        rows = await self._store.due(1, work, busy, newest=newest)
        if not rows:
            return False
        tenant = rows[0].tenant or 0
        if tenant in busy:  # another loop was faster
            return True
        busy.add(tenant)
        try:
            await self._count()
            await self.check(rows[0])
        finally:
            busy.discard(tenant)
        return True

    async def _count(self) -> None:
        if self._checks >= self._next_count:
            self._resources = await self._store.size()
            self._next_count = self._checks + _CHECKS_PER_COUNT
        self._checks += 1

    async def check(self, row: Row) -> None:
        """Reconciles one resource. Errors of SES are recorded in its row, not raised."""
        done: list[Change] = []
        try:
            observed = await self._agree(row, done)
        except SesError as error:
            wait = min(self._pace.retry * 2 ** min(row.attempts, 10), _SLOWEST_RETRY)
            await self._store.failed(row, str(error), done, again_in=wait * random.uniform(0.8, 1.2))
            return
        again = self._pace.recheck(shared=row.resource.shared, resources=self._resources)
        again *= random.uniform(0.9, 1.1)
        if row.resource.kind == Kind.IDENTITY:
            again = await self._verification(row, observed, again)
        await self._store.applied(row, observed, done, again_in=again)
        if done and row.seen:
            # A repair of a shared resource concerns lanes of every tenant.
            await self._governor.stops.probe_soon()

    async def _agree(self, row: Row, done: list[Change]) -> Mapping[str, Json]:
        """Applies the changes and returns what SES has then. Raises SesError."""
        resource = row.resource
        actual = await self._read(resource)
        failed: SesError | None = None
        for change in _automatic(resource, actual):
            try:
                await self._apply(change, actual)
            except SesError as error:  # one refused domain must not keep the others from being associated
                failed = failed or error
            else:
                done.append(change)
        if failed is not None:
            raise failed
        if done:
            actual = await self._read(resource)
        if left := _automatic(resource, actual):
            raise SesError("NotAsSet", reasons.not_as_set([str(change) for change in left]))
        assert actual is not None
        return actual

    async def _verification(self, row: Row, observed: Mapping[str, Json], again: float) -> float:
        """Records whether a domain is verified and aligns its lanes. Returns the seconds until the next check."""
        status = (
            "verified" if observed["verified"] else "failed" if observed["status"] == "FAILED" else "pending"
        )
        records = cast("Sequence[Mapping[str, str]]", observed["records"])
        tenant = await self._store.identity(row.resource.name, status, records)
        if tenant is not None:
            await self._governor.align(tenant)
        if status == "verified":
            return again
        return min(max(self._pace.identity, row.age / 10), 3600.0)

    # Reading ------------------------------------------------------------------------------------------------------------

    async def _read(self, resource: Resource) -> Mapping[str, Json] | None:
        name = resource.name
        match resource.kind:
            case Kind.CONFIGURATION_SET:
                return await self._read_set(name)
            case Kind.EVENT_DESTINATION:
                return await self._read_destination(name)
            case Kind.IDENTITY:
                identity = await self._ses.get_identity(name)
                return None if identity is None else _identity(identity)
            case Kind.TENANT:
                tenant = await self._ses.get_tenant(name)
                return None if tenant is None else _tenant(tenant)
            case Kind.POLICY:
                policy = await self._ses.get_policy(await self._arn(name))
                return {"policy": policy}
            case Kind.ASSOCIATION:
                arns = await self._ses.get_associations(name)
                return None if arns is None else {"resources": sorted(arn.split(":", 5)[-1] for arn in arns)}

    async def _read_set(self, name: str) -> Mapping[str, Json] | None:
        found = await self._ses.get_configuration_set(name)
        if found is None:
            return None
        return {
            "suppression_scope": found.suppression.get("SuppressionScope"),
            "suppressed_reasons": found.suppression.get("SuppressedReasons"),
            "max_delivery_seconds": found.delivery.get("MaxDeliverySeconds"),
            "groups": {"suppression": dict(found.suppression), "delivery": dict(found.delivery)},
        }

    async def _read_destination(self, name: str) -> Mapping[str, Json] | None:
        set_name, _, own = name.partition("/")
        for each in await self._ses.get_destinations(set_name):
            if each.name == own:
                return {"events": list(each.events), "topic": each.topic, "enabled": each.enabled}
        return None

    async def _arn(self, key: str) -> str:
        arn = await self._store.tenant_arn(key)
        if arn is None:
            raise SesError("NotYet", reasons.ses_tenant_missing(key))
        return arn

    # Applying -----------------------------------------------------------------------------------------------------------

    async def _apply(self, change: Change, actual: Mapping[str, Json] | None) -> None:
        resource = change.resource
        name, want = resource.name, cast("Mapping[str, Any]", resource.want)
        match resource.kind:
            case Kind.CONFIGURATION_SET:
                await self._apply_set(change, actual or {}, want)
            case Kind.EVENT_DESTINATION:
                set_name, _, own = name.partition("/")
                destination = SesDestination(
                    name=own, events=tuple(want["events"]), topic=want["topic"], enabled=want["enabled"]
                )
                await self._ses.put_destination(set_name, destination, create=change.action == plan.CREATE)
            case Kind.IDENTITY if change.action == plan.CREATE:
                await self._ses.create_identity(name, configuration_set=want["configuration_set"])
            case Kind.IDENTITY:
                await self._ses.put_identity_set(name, want["configuration_set"])
            case Kind.TENANT:
                put = (
                    self._ses.create_tenant
                    if change.action == plan.CREATE
                    else self._ses.put_tenant_suppression
                )
                await put(name, scope=want["suppression_scope"], reasons=want["suppressed_reasons"])
            case Kind.POLICY:
                await self._ses.put_policy(await self._arn(name), want["policy"])
            case Kind.ASSOCIATION:
                # arn:aws:ses:REGION:ACCOUNT: only the tenant's own ARN has both (ses.md 1.2).
                where = (await self._arn(name)).split(":", 5)[:5]
                await self._ses.associate(name, ":".join([*where, change.member or ""]))

    async def _apply_set(self, change: Change, actual: Mapping[str, Any], want: Mapping[str, Any]) -> None:
        name = change.resource.name
        if change.action == plan.CREATE:
            await self._ses.create_configuration_set(
                name,
                reasons=want["suppressed_reasons"],
                max_delivery_seconds=want.get("max_delivery_seconds"),
            )
            return
        # A PUT replaces its group: values in it that are not ours are sent back unchanged (ses.md 6).
        group = dict(actual["groups"][change.member])
        if change.member == "delivery":
            await self._ses.put_delivery(name, group | {"MaxDeliverySeconds": want["max_delivery_seconds"]})
            return
        group.pop("SuppressionScope", None)
        group.pop("SuppressedReasons", None)
        if want["suppressed_reasons"] is not None:
            group["SuppressedReasons"] = want["suppressed_reasons"]
        await self._ses.put_suppression(name, group)


def _automatic(resource: Resource, actual: Mapping[str, Json] | None) -> list[Change]:
    return [change for change in plan.changes(resource, actual) if not change.removes]


def _tenant(tenant: SesTenant) -> Mapping[str, Json]:
    reasons = tenant.suppressed_reasons
    return {
        "arn": tenant.arn,
        "status": tenant.status,
        "suppression_scope": tenant.suppression_scope,
        "suppressed_reasons": list(reasons) if reasons is not None else None,
    }


def _identity(identity: SesIdentity) -> Mapping[str, Json]:
    zone = identity.dkim_zone or OLD_DKIM_ZONE
    records: list[Json] = [
        {"type": "CNAME", "name": f"{token}._domainkey.{identity.domain}", "value": f"{token}.{zone}"}
        for token in identity.dkim_tokens
    ]
    return {
        "configuration_set": identity.configuration_set,
        "verified": identity.verified,
        "status": identity.status,
        "records": records,
    }
