"""Makes SES agree: reads one resource, plans, applies one call at a time, reads back what it set, and records it with its age.

Every row of the observed-state table is looked at when it is due: new wishes at once, failures with back-off, identities that are
not verified yet often, and everything else about once a day, which is how drift is found and repaired. Killed anywhere, it begins
again from what SES says, so nothing is made twice and nothing is left out.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from mailcordon.control import plan
from mailcordon.control.administration import Administration, SesDestination, SesError, SesIdentity, SesTenant
from mailcordon.control.desired import Json, Kind, Resource
from mailcordon.control.governor import Governor
from mailcordon.control.plan import Change

OLD_DKIM_ZONE = "dkim.amazonses.com"  #: where SES names no zone of the region's own (ses.md 5.3)
_SLOWEST_RETRY = 300.0  #: seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A resource as the observed-state table has it."""

    resource: Resource
    tenant: int | None
    seen: bool  #: whether SES has had it before
    attempts: int  #: in a row without success
    age: float  #: seconds since it was first wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often things are looked at, in seconds."""

    retry: float = 1.0  #: after a first failure; doubles
    identity: float = 60.0  #: an unverified domain, at first; later a tenth of its age, at most an hour
    recheck: float = 86_400.0  #: everything else


#: The local SES answers at once, and whoever sets a domain's status there by hand is waiting for it.
LOCAL = Pace(retry=0.5, identity=1.0, recheck=3_600.0)


class ProvisionStore(Protocol):
    async def due(self, limit: int) -> list[Row]:
        """Rows that are due, wishes before re-checks, each only when what it needs of its tenant is there."""
        ...

    async def applied(
        self, row: Row, observed: Mapping[str, Json], changes: Sequence[Change], *, again_in: float
    ) -> None:
        """Records what SES has now; an audit row for each change. Dependants of what was made anew become due."""
        ...

    async def failed(self, row: Row, error: str, changes: Sequence[Change], *, again_in: float) -> None: ...

    async def identity(self, domain: str, status: str, records: Sequence[Mapping[str, str]]) -> int | None:
        """Answers the tenant if the status changed."""
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

    async def step(self, limit: int = 20) -> int:
        """Looks at what is due, up to `limit` rows. Answers how many there were."""
        rows = await self._store.due(limit)
        for row in rows:
            await self.look_at(row)
        return len(rows)

    async def look_at(self, row: Row) -> None:
        """One resource, from reading to recording. Errors of SES end in its row, not here."""
        done: list[Change] = []
        try:
            observed = await self._agree(row, done)
        except SesError as error:
            wait = min(self._pace.retry * 2 ** min(row.attempts, 10), _SLOWEST_RETRY)
            await self._store.failed(row, str(error), done, again_in=wait * random.uniform(0.8, 1.2))
            return
        again = self._pace.recheck * random.uniform(0.9, 1.1)
        if row.resource.kind == Kind.IDENTITY:
            again = await self._verification(row, observed, again)
        await self._store.applied(row, observed, done, again_in=again)
        if done and row.seen and row.tenant is not None:
            await self._release(row.tenant, done)

    async def _release(self, tenant: int, repaired: Sequence[Change]) -> None:
        """What SES refused because of this can go again; should it still refuse, the dispatcher holds it again."""
        holds = await self._governor.open_holds(tenant)
        ids = [hold.id for hold in holds if hold.owner == "ses" and hold.lane is not None]
        if ids:
            because = f"repaired at SES: {'; '.join(map(str, repaired))}"
            await self._governor.lift(ids, tenant=tenant, actor="control", because=because)

    async def _agree(self, row: Row, done: list[Change]) -> Mapping[str, Json]:
        """What SES has once it agrees. Raises SesError."""
        resource = row.resource
        actual = await self._read(resource)
        failed: SesError | None = None
        for change in plan.changes(resource, actual):
            try:
                await self._apply(change, actual)
            except (
                SesError
            ) as error:  # one domain that SES refuses must not keep the others from being associated
                failed = failed or error
            else:
                done.append(change)
        if failed is not None:
            raise failed
        if done:
            actual = await self._read(resource)
        if left := plan.changes(resource, actual):
            raise SesError(
                "NotAsSet", f"SES took the call but reads back otherwise: {'; '.join(map(str, left))}"
            )
        assert actual is not None
        return actual

    async def _verification(self, row: Row, observed: Mapping[str, Json], again: float) -> float:
        """Tells the lanes of a domain what SES says of it. Answers when to ask again, in seconds."""
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
            raise SesError("NotYet", f"the tenant {key} is not there yet")
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
                # arn:aws:ses:REGION:ACCOUNT: the tenant's own ARN is the only place that tells us both (ses.md 1.2).
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
        # A PUT replaces its group: what is in it and not ours goes back as it was (ses.md 6).
        group = dict(actual["groups"][change.member])
        if change.member == "delivery":
            await self._ses.put_delivery(name, group | {"MaxDeliverySeconds": want["max_delivery_seconds"]})
            return
        group.pop("SuppressionScope", None)
        group.pop("SuppressedReasons", None)
        if want["suppressed_reasons"] is not None:
            group["SuppressedReasons"] = want["suppressed_reasons"]
        await self._ses.put_suppression(name, group)


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
