"""Findings as people see them: listed with who did it and what repairs them, accepted, and governed by a policy for each kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from mailcordon.control import difference, observed, uncovered
from mailcordon.control.administration import Whole
from mailcordon.control.desired import Json, Resource
from mailcordon.control.difference import EXTRA
from mailcordon.control.governor import Governor, require_because
from mailcordon.core.drift import ADDITION, TABLE, Act, Drift, Policy, Severity
from mailcordon.core.errors import Conflict, Fault, Invalid, NotFound
from mailcordon.core.hold import NewHold
from mailcordon.core.target import Target
from mailcordon.messages import drift as messages

POLICY = "policy"  #: the owner of the holds
_ASSOCIATIONS = (Drift.FOREIGN_ASSOCIATION, Drift.SHARED_ASSOCIATION, Drift.EXTRA_ASSOCIATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who made a difference, as SES's management event tells it."""

    arn: str | None
    access_key: str | None
    source_ip: str | None
    user_agent: str | None
    event: str | None  #: the operation
    at: datetime | None

    @property
    def name(self) -> str | None:
        """`role X`, `user Kim`, `root`, or what else identifies the caller."""
        kind, _, rest = (self.arn or "").rpartition(":")[2].partition("/")
        match kind:
            case "assumed-role" | "role":
                return f"role {rest.partition('/')[0]}"
            case "user":
                return f"user {rest.rpartition('/')[2]}"
            case "root":
                return "root"
            case _:
                return self.arn or (f"access key {self.access_key}" if self.access_key else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    id: int
    kind: Drift
    severity: Severity
    resource_kind: str
    resource: str
    member: str
    tenant: str | None  #: slug; None: what all tenants share
    detail: Mapping[str, Json]
    by: By | None
    act: Act  #: what the policy does with its repair
    repair: Sequence[Mapping[str, str]]  #: the calls: kind, name, action, member
    plan: int | None
    hold: int | None
    found_by: str  #: scan or event
    since: datetime
    seen_at: datetime
    ended_at: datetime | None
    ended_because: str | None

    @property
    def sentence(self) -> str:
        said = difference.says(self.kind, self.detail)
        if self.by is None or self.by.at is None or self.by.name is None:
            return said
        return messages.with_origin(said, self.what, f"{self.by.at:%H:%M}", self.by.name)

    @property
    def what(self) -> str:
        return "association" if self.kind in _ASSOCIATIONS else "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindPolicy:
    """What happens to differences of one kind, and who decided that."""

    kind: str  #: of a difference, or `addition`
    severity: Severity | None
    isolation: bool
    policy: Policy
    is_default: bool
    by: str | None = None
    because: str | None = None
    at: datetime | None = None


class FindingStore(Protocol):
    async def findings(
        self,
        *,
        tenant: str | None,
        kind: str | None,
        severity: str | None,
        is_open: bool | None,
        before: int | None,
        limit: int,
    ) -> list[Finding]: ...

    async def finding(self, id: int) -> Finding | None: ...

    async def accept(self, id: int, *, actor: str, because: str) -> bool:
        """Accepts what the finding is about, ends it and writes the audit row. False if there is nothing to accept, since a value
        is desired; it stays open then."""
        ...

    async def stored_policies(self) -> dict[str, KindPolicy]: ...

    async def set_policy(self, kind: str, policy: Policy, *, actor: str, because: str) -> None: ...

    async def to_hold(self, kinds: Sequence[str]) -> list[tuple[int, int]]:
        """Findings that should hold a tenant's mail and do not yet."""
        ...

    async def set_hold(self, finding: int, hold: int) -> None: ...

    async def purge(self, days: int) -> None:
        """Deletes what ended longer ago."""
        ...

    async def to_lift(self) -> list[tuple[int, int]]:
        """Tenants and holds of findings that are over."""
        ...


class Findings:
    def __init__(self, store: FindingStore, governor: Governor, *, keep_days: int = 90) -> None:
        """`keep_days`: for how long findings that ended are kept."""
        self._store = store
        self._governor = governor
        self._keep_days = keep_days

    async def purge(self) -> None:
        await self._store.purge(self._keep_days)

    async def newest(
        self,
        *,
        tenant: str | None = None,
        kind: str | None = None,
        severity: str | None = None,
        is_open: bool | None = True,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Finding]:
        return await self._store.findings(
            tenant=tenant, kind=kind, severity=severity, is_open=is_open, before=before, limit=limit
        )

    async def get(self, id: int) -> Finding:
        """Raises NotFound."""
        found = await self._store.finding(id)
        if found is None:
            raise NotFound(messages.no_finding(id), code="no-such-finding")
        return found

    async def accept(self, id: int, *, actor: str, because: str) -> Finding:
        """Makes what SES has now what is compared with from here on. Raises Conflict if a value is desired there, or if it is
        over."""
        require_because(because)
        found = await self.get(id)
        if found.ended_at is not None:
            raise Conflict(messages.finding_over(id), code="finding-over")
        if not TABLE[found.kind].acceptable or not await self._store.accept(id, actor=actor, because=because):
            raise Conflict(messages.not_acceptable(id), code="not-acceptable")
        return await self.get(id)

    async def policies(self) -> list[KindPolicy]:
        stored = await self._store.stored_policies()
        return [stored.get(kind) or _default(kind) for kind in (*TABLE, ADDITION)]

    async def policy(self, kind: str) -> KindPolicy:
        """Raises NotFound."""
        if kind != ADDITION and kind not in set(map(str, TABLE)):
            raise NotFound(messages.no_kind(kind), code="no-such-kind")
        return (await self._store.stored_policies()).get(kind) or _default(kind)

    async def set_policy(self, kind: str, policy: Policy, *, actor: str, because: str) -> KindPolicy:
        """Raises NotFound or Invalid. Findings that are open follow it."""
        require_because(because)
        found = await self.policy(kind)
        if policy.hold and not found.isolation:
            raise Invalid(Fault("hold", messages.hold_needs_isolation(kind)))
        if policy.act == "apply" and kind != ADDITION and not TABLE[Drift(kind)].repairable:
            raise Invalid(Fault("act", messages.nothing_to_apply(kind)))
        if policy.act == "apply" and kind != ADDITION and TABLE[Drift(kind)].removes:
            raise Invalid(Fault("act", messages.a_person_removes(kind)))
        await self._store.set_policy(kind, policy, actor=actor, because=because)
        return await self.policy(kind)

    async def align_holds(self) -> int:
        """Places the holds that policies ask for, and lifts those whose finding is over. Returns how many changed. A process that
        dies in between does it again: a hold is placed once for a finding."""
        changed = 0
        isolating = [kind.value for kind, rule in TABLE.items() if rule.isolation]
        for finding, tenant in await self._store.to_hold(isolating):
            new = NewHold(
                target=Target(tenant=tenant),
                owner=POLICY,
                because=messages.hold_because(str(finding)),
                evidence={"finding": finding},
            )
            hold = await self._governor.place(new, actor=POLICY, once=True)
            await self._store.set_hold(finding, hold.id)
            changed += 1
        for tenant, hold in await self._store.to_lift():
            await self._governor.lift([hold], tenant=tenant, actor=POLICY, because=messages.hold_over())
            changed += 1
        return changed


def accepted_after(
    kind: Drift, member: str, name: str, resource: Resource, whole: Whole | None, accepted: Mapping[str, Any]
) -> dict[str, Any] | None:
    """What is accepted of a resource once a person has accepted a finding about it. None if a value is desired there."""
    after = dict(accepted)
    if kind in (Drift.SHARED_ASSOCIATION, Drift.EXTRA_ASSOCIATION, Drift.EXTRA_DESTINATION):
        extra = name.partition("/")[2] if kind is Drift.EXTRA_DESTINATION else member
        after[EXTRA] = sorted({*accepted.get(EXTRA, ()), extra})
        return after
    if whole is None:
        return None
    now = observed.rest(resource.kind, whole)
    paths = [
        path
        for path in {*now, *accepted}
        if path != EXTRA
        and now.get(path) != accepted.get(path)
        and uncovered.belongs_to(resource, path, kind, member)
    ]
    for path in paths:
        if path in now:
            after[path] = now[path]
        else:
            after.pop(path, None)
    return after if paths else None


def _default(kind: str) -> KindPolicy:
    if kind == ADDITION:
        return KindPolicy(
            kind=kind, severity=None, isolation=False, policy=Policy(act="apply"), is_default=True
        )
    rule = TABLE[Drift(kind)]
    return KindPolicy(
        kind=kind,
        severity=rule.severity,
        isolation=rule.isolation,
        policy=Policy(act=rule.act),
        is_default=True,
    )
