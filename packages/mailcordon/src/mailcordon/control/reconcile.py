"""Makes SES agree: reads one resource, compares, applies one call at a time, reads back what it set, and records all that SES
returned with its age.

Each row of the observed-state table is checked when it is due: new rows at once, failures with back-off, unverified identities
often. Everything else is read again in a rolling check: within a minute what all tenants share, and the rest as often as the rate
of management calls allows. If SES refuses a lane's mail, what is on the lane's route is due at once; if a resource fails, so is
what it depends on; if one is created again, so is what depends on it. If the process is killed, it starts again from what SES
returns, so nothing is created twice and nothing is left out.

A difference that SES did not have before is a finding (control/drift.py). Its policy says whether the change that repairs it is
applied or proposed. What is desired is applied; nothing is detached or deleted without a plan that a person applied.
"""

import random
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from mailcordon.control import approval, drift, observed, plan
from mailcordon.control.administration import Administration, SesError
from mailcordon.control.approval import Act
from mailcordon.control.call_budget import Rates, Stopped
from mailcordon.control.desired import Json, Kind, Resource
from mailcordon.control.difference import Facts, Found, Look
from mailcordon.control.governor import Governor
from mailcordon.control.plan import Change
from mailcordon.control.provisioning import Key, Outcome, ProvisionStore, Row
from mailcordon.control.resources import Listed, Reading, Resources
from mailcordon.control.scan import Scan
from mailcordon.control.work import Work
from mailcordon.core.drift import TABLE, Drift, Policy
from mailcordon.messages import drift as messages
from mailcordon.messages import reasons

_SLOWEST_RETRY = 300.0  #: seconds
#: Repairs of one finding in an hour, unless it breaks isolation. Somebody else, such as a second installation, wants another
#: value: a person decides.
_MOST_REPAIRS = 5
_WAITED_FOR = 3600.0  #: seconds in which somebody who has just added a domain waits for its verification
_VERIFIED_WITHIN = 72 * 3600.0  #: seconds; SES stops looking for the DNS records then (ses.md 5.2)
_CHECKS_PER_COUNT = 100  #: checks for which a count of the resources is used


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often rows are tried again, in seconds. Those that are as wanted: control/scan.py."""

    retry: float = 1.0  #: after a first failure; doubles
    identity: float = 60.0  #: an unverified domain at first; later a tenth of its age, at most an hour


#: The local SES is fast, and a developer who changes something there by hand waits for the result.
LOCAL = Pace(retry=0.5, identity=1.0)


class Reconciler:
    def __init__(
        self,
        store: ProvisionStore,
        ses: Administration,
        governor: Governor,
        pace: Pace | None = None,
        scan: Scan | None = None,
    ) -> None:
        self._store = store
        self._ses = ses
        self._governor = governor
        self._pace = pace or Pace()
        self._scan = scan or Scan(Rates(per_second=None))
        self._listed = Listed()
        self._shared_first = False  #: every other row of the scan: its queue may be hours long
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
        if work is Work.SCAN:
            self._shared_first = not self._shared_first
        shared = work is Work.SCAN and self._shared_first
        rows = await self._store.due(1, work, busy, newest=newest, shared=shared)
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
            self._scan.size = await self._store.size()
            self._next_count = self._checks + _CHECKS_PER_COUNT
        self._checks += 1

    async def check(self, row: Row) -> None:
        """Reconciles one resource. Errors of SES are recorded in its row, not raised."""
        listed = self._listed if row.work is Work.SCAN else None
        calls = Resources(self._ses.doing(row.work, row.tenant), self._store.tenant_arn, listed)
        done: list[Change] = []
        try:
            if not row.wanted:
                await self._remove(row, calls, done)
                return
            outcome = await self._agree(row, calls, done)
        except Stopped:  # the next process goes on: the row is still due
            await self._store.interrupted(row, done)
            return
        except SesError as error:
            if done:
                await self._store.interrupted(row, done)
            await self._store.failed(row, str(error), None, again_in=self._retry(row))
            return
        again = self._scan.again_in(shared=row.resource.shared)
        again *= _spread(row.resource)
        work = Work.SCAN
        if row.resource.kind == Kind.IDENTITY and outcome.members is not None:
            again, work = await self._verification(
                row, outcome.members, again, whole=outcome.reading.complete
            )
        if problem := _problem(row, outcome):
            await self._store.failed(row, problem, outcome, again_in=self._retry(row))
        else:
            await self._store.applied(row, outcome, again_in=again, work=work)
        if outcome.done and row.seen:
            # A repair of a shared resource concerns lanes of every tenant.
            await self._governor.stops.probe_soon()

    def _retry(self, row: Row) -> float:
        return min(self._pace.retry * 2 ** min(row.attempts, 10), _SLOWEST_RETRY) * random.uniform(0.8, 1.2)

    async def _agree(self, row: Row, calls: Resources, done: list[Change]) -> Outcome:
        """Applies the changes, and adds them to `done`. Raises SesError if the resource cannot be read."""
        failed: list[tuple[Change, str]] = []
        reading = await self._create(row, calls, done, failed)
        if reading is None:
            reading = await calls.read(row.resource)
        found = await self._find(row, reading)
        policies: Mapping[str, Policy] = await self._store.policies() if found else {}
        fought = await self._fought(row) if found else frozenset[Key]()
        needed = _changes(row, reading, found)
        now = [
            change
            for change, repairs in needed
            if _judge(row, change, repairs, policies, fought) is Act.APPLY
        ]
        tried = {change.key for change, _ in failed}  # not again at once
        before = len(done) + len(failed)
        for change in now:
            if change.key in tried:
                continue
            try:
                await calls.apply(change, reading.whole)
            except SesError as error:  # one refused domain must not keep the others from being associated
                failed.append((change, str(error)))
            else:
                done.append(change)
        after, left, unread = reading, found, None
        if len(done) + len(failed) > before:
            try:
                after = await self._read_back(row, calls, reading, done)
            except SesError as error:  # what was found and done is recorded all the same
                unread = str(error)
            else:
                left = await self._find(row, after) if found or row.open else []
        known = {each.key for each in found}
        found = [*found, *(each for each in left if each.key not in known)]
        return Outcome(
            reading=after,
            members=after.members(row.resource),
            done=done,
            failed=failed,
            unread=unread,
            found=found,
            fought=fought,
            left=frozenset(each.key for each in left),
            proposed=[change for change, _ in needed if change not in now],
        )

    async def _create(
        self, row: Row, calls: Resources, done: list[Change], failed: list[tuple[Change, str]]
    ) -> Reading | None:
        """Makes a resource that SES has not had, without reading it first. None: it has to be read."""
        resource = row.resource
        if row.seen or row.attempts:
            return None
        match resource.kind:
            case Kind.ASSOCIATION:
                changes = plan.changes(resource, None)
            case Kind.POLICY:  # set even if it is the default: live runs have seen `none` (ses.md 1.7)
                changes = plan.changes(resource, {})
            case _:
                reading = await calls.create(resource)
                if reading is not None:
                    done.append(Change(resource, plan.CREATE))
                return reading
        for change in changes:
            try:
                await calls.apply(change, None)
            except SesError as error:
                failed.append((change, str(error)))
            else:
                done.append(change)
        if resource.kind == Kind.ASSOCIATION and not failed:  # each call's success says what there is
            return Reading(whole={"resources": [change.member for change in changes]}, complete=False)
        return None

    async def _read_back(
        self, row: Row, calls: Resources, reading: Reading, done: Sequence[Change]
    ) -> Reading:
        """What SES has after the changes. For a new identity its success counts: it is read again soon, for its verification."""
        if reading.complete or row.resource.kind != Kind.IDENTITY or reading.whole is None:
            return reading if not reading.complete else await calls.read(row.resource)
        groups = {change.member for change in done if change.action == plan.UPDATE}
        whole = dict(reading.whole)
        if "feedback" in groups:
            whole["FeedbackForwardingStatus"] = row.resource.want["feedback_forwarding"]
        if "mail_from" in groups:
            whole["MailFromAttributes"] = {
                "MailFromDomain": row.resource.want["mail_from"],
                "BehaviorOnMxFailure": row.resource.want["mail_from_behavior"],
                "MailFromDomainStatus": "PENDING" if row.resource.want["mail_from"] else None,
            }
        return Reading(whole=whole, complete=False)

    async def _fought(self, row: Row) -> frozenset[Key]:
        repaired = await self._store.repaired(row)
        return frozenset(
            key
            for key, times in repaired.items()
            if times >= _MOST_REPAIRS and not TABLE[Drift(key[0])].isolation
        )

    async def _find(self, row: Row, reading: Reading) -> list[Found]:
        """The findings. Asks the database for names only if there is something to say."""
        look = Look(
            resource=row.resource,
            whole=reading.whole,
            before=row.before,
            accepted=row.accepted if reading.complete else None,
            open=row.open,
            beside=reading.beside,
            leaving=row.allowed | row.later,
        )
        found = drift.find(look, Facts())
        if not found:
            return []
        return drift.find(look, await self._store.facts(row, drift.extras(look)))

    async def _remove(self, row: Row, calls: Resources, done: list[Change]) -> None:
        """Detaches and deletes a resource that is no longer wanted, as far as applied plans allow. Raises SesError."""
        resource = row.resource
        if resource.kind in (Kind.POLICY, Kind.EVENT_DESTINATION):  # they go with their tenant or their set
            await self._store.gone(row, done)
            return
        reading = await calls.read(resource)
        for change in plan.changes(resource, reading.members(resource), wanted=False):
            # No plan takes away a pool: a person did, when nothing used it (control/ip_pools.py).
            is_pool = resource.kind is Kind.IP_POOL
            act = Act.APPLY if is_pool else _judge(row, change, (), {}, frozenset())
            if act is not Act.APPLY and done:
                await self._store.interrupted(row, done)
            if act is Act.WAIT:
                await self._store.put_off(row)
                return
            if act is not Act.APPLY:
                problem = messages.not_allowed(str(change))
                await self._store.failed(row, problem, None, again_in=_SLOWEST_RETRY)
                return
            try:
                await calls.apply(change, reading.whole)
            except SesError as error:
                await self._store.interrupted(row, done, [(change, str(error))])
                done.clear()
                raise
            done.append(change)
        await self._store.gone(row, done)

    async def _verification(
        self, row: Row, members: Mapping[str, Json], again: float, *, whole: bool
    ) -> tuple[float, Work]:
        """Records whether a domain is verified and aligns its lanes. Returns the seconds until the next check, and as what it is
        made: a tenant waits for its domain, so that is not behind all that the scan reads again. `whole`: everything that SES has
        of it was read. Until then it is not known with which keys SES signs, as checks of the domain need it."""
        status = (
            "verified" if members["verified"] else "failed" if members["status"] == "FAILED" else "pending"
        )
        records = list(cast("Sequence[Mapping[str, str]]", members["records"]))
        mail_from = members["mail_from"]
        if mail_from and (arn := await self._store.tenant_arn("")):  # any tenant's ARN names the region
            records += observed.mail_from_records(str(mail_from), arn.split(":")[3])
        tenant = await self._store.identity(row.resource.name, status, records)
        if tenant is not None:
            await self._governor.align(tenant)
        if status == "verified" and whole:
            return again, Work.SCAN
        again = min(max(self._pace.identity, row.age / 10), 3600.0)
        if row.age < _WAITED_FOR:
            return again, Work.REPAIR
        return again, Work.BULK if row.age < _VERIFIED_WITHIN else Work.SCAN


def _spread(resource: Resource) -> float:
    """Spreads rechecks. The destinations of one set stay together, as one call lists them."""
    name = resource.name.partition("/")[0] if resource.kind == Kind.EVENT_DESTINATION else str(resource)
    return 0.9 + 0.2 * (zlib.crc32(name.encode()) / 2**32)


def _changes(row: Row, reading: Reading, found: Sequence[Found]) -> list[tuple[Change, Sequence[Found]]]:
    """What would make SES agree, each with the findings that it repairs."""
    by_key: dict[str, list[Found]] = {}
    for each in found:
        for change in each.repair:
            by_key.setdefault(change.key, []).append(each)
    desired = plan.changes(row.resource, reading.members(row.resource))
    more = [change for each in found for change in each.repair if change.resource.kind == row.resource.kind]
    unique: dict[str, Change] = {}
    for change in (*desired, *more):
        if change.resource.name == row.resource.name:  # other resources' changes: control/beside.py
            unique.setdefault(change.key, change)
    return [(change, by_key.get(change.key, ())) for change in unique.values()]


def _judge(
    row: Row,
    change: Change,
    repairs: Sequence[Found],
    policies: Mapping[str, Policy],
    fought: frozenset[Key],
) -> Act:
    """What a changed desire needs is made; a repair follows the policies of all that it repairs."""

    def policy(change: Change) -> Act:
        if all(drift.applies(change, each, policies) and each.key not in fought for each in repairs):
            return Act.APPLY
        return Act.PROPOSE

    return approval.judge(change, allowed=row.allowed, later=row.later, policy=policy)


def _problem(row: Row, outcome: Outcome) -> str | None:
    """Why the row is not as desired, if nothing proposed explains it."""
    if outcome.failed:
        return outcome.failed[0][1]
    if outcome.unread is not None:
        return outcome.unread
    proposed = {change.key for change in outcome.proposed}
    needed = plan.changes(row.resource, outcome.members)
    if left := [str(change) for change in needed if change.key not in proposed]:
        return f"NotAsSet: {reasons.not_as_set(left)}"
    if outcome.members is None and row.resource.kind != Kind.ACCOUNT:
        return messages.not_allowed(str(Change(row.resource, plan.CREATE)))
    return None
