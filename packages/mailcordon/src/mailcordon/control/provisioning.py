"""One row of the observed-state table, what a check of it came to, and what the reconciler needs from the database."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from mailcordon.control.desired import Json, Resource
from mailcordon.control.difference import Facts, Found
from mailcordon.control.plan import Change
from mailcordon.control.resources import Reading
from mailcordon.control.scan import Size
from mailcordon.control.work import Work
from mailcordon.core.drift import Policy

Key: TypeAlias = "tuple[str, str, str, str]"  #: `Found.key`


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the observed-state table."""

    resource: Resource
    tenant: int | None
    attempts: int  #: since the last success
    age: float  #: seconds since it was first wanted
    #: Changes whenever the row does. What was made due while it was read stays due.
    version: int | None = None
    wanted: bool = True  #: False: an applied plan detaches and deletes it
    work: Work = Work.BULK  #: whose share of the calls it uses
    before: Mapping[str, Json] | None = None  #: the members when SES last had it
    accepted: Mapping[str, Any] | None = (
        None  #: what no check covers, as it was last accepted (`uncovered.baseline`)
    )
    allowed: frozenset[str] = frozenset()  #: `Change.key` of its changes in plans that a person applied
    later: frozenset[str] = (
        frozenset()
    )  #: as `allowed`, of changes that wait until no mail needs the old state
    open: frozenset[Key] = frozenset()  #: keys of its open findings

    @property
    def seen(self) -> bool:
        """Whether SES had it before."""
        return self.before is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one check found and did."""

    reading: Reading  #: at the end
    members: Mapping[str, Json] | None  #: of the reading
    done: Sequence[Change] = ()
    failed: Sequence[tuple[Change, str]] = ()
    unread: str | None = None  #: why what SES has after the changes could not be read
    found: Sequence[Found] = ()  #: before the changes, and what only shows after them
    fought: frozenset[Key] = frozenset()  #: keys of findings that come back whenever they are repaired
    left: frozenset[Key] = frozenset()  #: keys of what is still found after them
    proposed: Sequence[Change] = ()  #: repairs that wait for a person


class ProvisionStore(Protocol):
    async def due(
        self,
        limit: int,
        work: Work | None = None,
        busy: Iterable[int] = (),
        *,
        newest: bool = False,
        shared: bool = False,
    ) -> list[Row]:
        """Rows of one kind of work that are due, or of all kinds, the most pressing first. Tenant by tenant in the order in which
        they came; `newest`: a tenant onboarded in the last minute first; `shared`: what all tenants share first. Each only when
        the resources it depends on exist. Without rows of the tenants `busy` (0: what all share)."""
        ...

    async def kinds_due(self) -> Sequence[Work]:
        """The kinds of work in which rows are due, whether or not what they depend on exists."""
        ...

    async def size(self) -> Size:
        """The number of rows."""
        ...

    async def applied(self, row: Row, outcome: Outcome, *, again_in: float, work: Work = Work.SCAN) -> None:
        """Records what SES has now, the findings, and an audit row per change. Rows that depend on a new resource become due.
        `work`: as what the row is due again."""
        ...

    async def failed(self, row: Row, error: str, outcome: Outcome | None, *, again_in: float) -> None:
        """Records SES's error, and what was read and done before it. What the row depends on becomes due."""
        ...

    async def interrupted(
        self, row: Row, done: Sequence[Change], failed: Sequence[tuple[Change, str]] = ()
    ) -> None:
        """Records what was done, and what SES refused, before the process was stopped or the rest has to wait."""
        ...

    async def put_off(self, row: Row) -> None:
        """A resource that is no longer wanted is looked at again when no mail needs it any more (control/plans.py)."""
        ...

    async def gone(self, row: Row, done: Sequence[Change]) -> None:
        """Records that a resource that is no longer wanted does not exist any more."""
        ...

    async def identity(self, domain: str, status: str, records: Sequence[Mapping[str, str]]) -> int | None:
        """Returns the tenant if the status changed."""
        ...

    async def tenant_arn(self, key: str) -> str | None:
        """The ARN of an SES tenant that was seen; of any if the key is empty."""
        ...

    async def facts(self, row: Row, extras: Sequence[str]) -> Facts:
        """`extras`: what its tenant is associated with beside what is desired."""
        ...

    async def policies(self) -> Mapping[str, Policy]: ...

    async def repaired(self, row: Row) -> Mapping[Key, int]:
        """How often each finding of this resource was repaired in the last hour, by key."""
        ...
