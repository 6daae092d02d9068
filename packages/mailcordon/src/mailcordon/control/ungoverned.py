"""Ungoverned senders as people see them: listed, shown with the policy that stops them, and declared as expected for some time
(docs/ungoverned.md). Nothing here holds or stops mail."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mailcordon.control.governor import require_because
from mailcordon.core import text as texts
from mailcordon.core import ungoverned
from mailcordon.core.errors import Fault, Invalid, NotFound
from mailcordon.core.installation import Installation
from mailcordon.core.ungoverned import Fact, Facts, SentCall, Sighting
from mailcordon.messages import ungoverned as messages

#: Every action that sends, of SES v1 and v2, SMTP (ses:SendRawEmail), and those that SES adds later.
ALL_SENDS = "ses:Send*"
_ACCOUNT = re.compile(r"\d{12}")
ANYTHING = "*"  #: as an identity: mail that no net names
MOST_DAYS = 90
LEAST_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """Times are milliseconds since 1970."""

    id: int
    identity: str
    caller: str | None  #: None: every caller
    since: int
    until: int
    because: str
    by: str
    ended_at: int | None = None
    ended_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    id: int
    identity: str
    caller: str
    tenant: int | None  #: whose domain the identity is, or lies below
    tenant_slug: str | None
    first_at: int
    last_at: int
    since: int
    seen_at: int
    mails: int
    recipients: int
    bounces: int
    complaints: int
    day_mails: int  #: of the last 24 hours
    facts: Facts
    expected: Expectation | None = None  #: that is valid now, or was last

    @property
    def arn(self) -> str | None:
        return next(iter(ungoverned.by_count(self.facts, Fact.ARN)), None)

    @property
    def account(self) -> str | None:
        return next(iter(ungoverned.by_count(self.facts, Fact.ACCOUNT)), None)

    @property
    def is_our_role(self) -> bool:
        """Whether it has the name of the role with which Mailcordon sends."""
        return self.caller.startswith(ungoverned.SEND_ROLE)

    @property
    def who(self) -> str:
        return messages.caller(self.caller, self.arn)

    @property
    def whose(self) -> str:
        return messages.identity(self.identity, self.tenant_slug)

    def expected_at(self, now: int) -> Expectation | None:
        found = self.expected
        return found if found is not None and found.ended_at is None and found.until > now else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """SES's count of a cell, as it was judged last."""

    cell: str
    at: int
    sent: int
    excess: int
    compared: bool  #: False: it has just begun
    over_since: int | None
    grew_at: int | None
    identities: Sequence[str] = ()  #: of the account that are not ours, at most ten
    expected: bool = False  #: what no net names, or each of these identities, is expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the source of alarms reads each second."""

    now: int
    senders: Sequence[Sender] = ()
    counts: Sequence[Count] = ()


class Store(Protocol):
    async def now(self) -> int: ...

    async def senders(
        self, *, id: int | None = None, tenant: int | None = None, before: int | None = None, limit: int = 100
    ) -> list[Sender]:
        """The highest id first."""
        ...

    async def counts(self) -> list[Count]: ...

    async def expectations(self, *, before: int | None, limit: int) -> list[Expectation]: ...

    async def expect(
        self, identity: str, caller: str | None, *, until_seconds: float, because: str, actor: str
    ) -> Expectation:
        """One that is valid for the same ends."""
        ...

    async def unexpect(self, id: int, *, actor: str, because: str) -> Expectation | None: ...


class Ungoverned:
    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, id: int) -> Sender:
        """Raises NotFound."""
        found = await self.store.senders(id=id, limit=1)
        if not found:
            raise NotFound(messages.no_sender(id), code="no-such-sender")
        return found[0]

    async def expect(
        self, identity: str, caller: str | None, *, until_seconds: float, because: str, actor: str
    ) -> Expectation:
        """Raises Invalid."""
        require_because(because)
        name = identity.strip().lower()
        if name != ANYTHING and not (
            0 < len(name) <= ungoverned.LONGEST_IDENTITY and "." in name and texts.harmless(name) == name
        ):
            raise Invalid(Fault("identity", messages.bad_identity()))
        if caller is not None and name == ANYTHING:
            raise Invalid(Fault("caller", messages.caller_of_all()))
        if caller is not None and not 0 < len(caller) <= ungoverned.LONGEST_CALLER:
            raise Invalid(Fault("caller", messages.bad_identity()))
        if not LEAST_SECONDS <= until_seconds <= MOST_DAYS * 86_400:
            raise Invalid(Fault("until_seconds", messages.bad_until(MOST_DAYS)))
        return await self.store.expect(
            name, caller, until_seconds=until_seconds, because=because, actor=actor
        )

    async def unexpect(self, id: int, *, actor: str, because: str) -> Expectation:
        """Raises Invalid or NotFound."""
        require_because(because)
        found = await self.store.unexpect(id, actor=actor, because=because)
        if found is None:
            raise NotFound(messages.no_expectation(id), code="no-such-expectation")
        return found


class SentCalls:
    """Calls that sent mail, as CloudTrail's data events report them: what Mailcordon did not make is counted."""

    def __init__(self, record: Callable[[Sequence[Sighting]], Awaitable[None]], ours: Installation) -> None:
        self._record = record
        self._ours = ours

    async def take(self, calls: Sequence[SentCall]) -> Mapping[str, int]:
        foreign = [call.sighting for call in calls if not ungoverned.is_ours(call, self._ours)]
        if foreign:
            await self._record(foreign)
        return {"sent-by-us": len(calls) - len(foreign), "ungoverned": len(foreign)}


def policy(sender: Sender, send_role: str = "mailcordon-send-*") -> Mapping[str, Any] | None:
    """The policy document that would have stopped this mail: a statement for the caller's own policies, or a service control
    policy, that changes nothing for others. Of a caller that nothing names: a service control policy that leaves sending to our
    role. None: the caller is our own role, and a policy would stop our mail. `send_role`: that role's name."""
    if sender.is_our_role:
        return None
    account = sender.account or ""
    account = account if _ACCOUNT.fullmatch(account) else "*"
    if sender.caller:
        sid, operator, arns = "NoSendingPastMailcordon", "ArnLike", _principals(sender, account)
    else:
        sid, operator, arns = (
            "OnlyMailcordonSends",
            "ArnNotLike",
            [f"arn:aws:iam::{account}:role/{send_role}"],
        )
    statement = {
        "Sid": sid,
        "Effect": "Deny",
        "Action": [ALL_SENDS],
        "Resource": ["*"],
        "Condition": {operator: {"aws:PrincipalArn": arns}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _principals(sender: Sender, account: str) -> list[str]:
    """The caller as `aws:PrincipalArn` has it: the role, not its session, whose ARN leaves out the role's path. If only the name
    is known it is a user or a role."""
    head, _, resource = (sender.arn or "").rpartition(":")
    partition = head.split(":")[1] if head.count(":") == 4 else "aws"
    iam = f"arn:{partition}:iam::{account}"
    kind, _, rest = resource.partition("/")
    rest, name = _literal(rest), _literal(sender.caller)
    match kind:
        case "root":
            return [f"{iam}:root"]
        case "user":
            return [f"{iam}:user/{rest}"]
        case "assumed-role" | "role":
            return [f"{iam}:role/{name}", f"{iam}:role/*/{name}"]
        case _:
            return [f"{iam}:*/{name}"]


def _literal(name: str) -> str:
    """A name in a pattern of IAM. CloudTrail's records prove nothing, and a caller `*` would be everybody."""
    return re.sub(r"[$*?]", lambda sign: f"${{{sign[0]}}}", name)
