"""Checks of domains, now and on a schedule: what SES says of a domain, what its DNS shows, and whether the mail that each lane
really sends passes DMARC.

A check reads and judges (control/authentication) and is recorded with what all checks add up to (control/lapses.py) in one
transaction. The holds that a lapse asks for follow from what is recorded, so a process that dies in between loses nothing. Nobody
can make us flood the DNS: a domain is checked once in `APART_MS`, a tenant's domains `PER_MINUTE` times a minute, and a process
runs `AT_ONCE` checks at a time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from mailcordon.control import lapses, lookup, observed
from mailcordon.control.administration import Whole
from mailcordon.control.authentication.alignment import Suffixes
from mailcordon.control.authentication.judgement import (
    Domain,
    Judgement,
    Mail,
    judge,
)
from mailcordon.control.authentication.lookup import Lookup
from mailcordon.control.governor import Governor, require_because, require_rate
from mailcordon.control.lapses import Effect, Policy, Rules, Ses, State
from mailcordon.control.views import IdentityView, Viewer
from mailcordon.core.errors import Conflict, NotFound, TooMuch, Unavailable
from mailcordon.core.hold import NewHold
from mailcordon.core.priority import Class
from mailcordon.core.target import Target
from mailcordon.messages import identities as messages

_LOG = logging.getLogger(__name__)

Asked = Literal["now", "schedule"]

#: For the look-ups of one check. Somebody who waits for it is not kept for as long as the schedule can wait.
SECONDS: Mapping[Asked, float] = {"now": 20.0, "schedule": 30.0}
APART_MS = 10_000  #: between two checks of one domain that are asked for
PER_MINUTE = 30  #: domains of one tenant
AT_ONCE = 8  #: checks of one process
WAITING = 32  #: that wait for their turn; more are refused
LEASE_MS = 300_000  #: a check takes seconds; a process that died with it lets another one begin after this
KEPT = 20  #: checks of a domain
POLICY = "policy"  #: the owner of the holds
CONTROL = "control"  #: the actor of the schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneOf:
    """A lane that sends from a domain."""

    id: int
    type: str
    class_: Class
    domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    identity: int
    tenant: int
    domain: str
    status: str
    mail_from: str | None  #: as desired
    created_at: int
    retired: bool
    whole: Whole | None  #: what GetEmailIdentity returned last; None: it was not read yet
    observed_at: int | None
    public_key: str | None  #: of the DKIM key of ours that SES signs with; None: a key of SES's
    lanes: tuple[LaneOf, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check, as it is stored."""

    at: int
    asked: Asked
    authoritative: bool
    complete: bool
    passes: bool
    result: Mapping[str, Any]  #: {ses, faults, lanes}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The newest check of a domain, and what all of them add up to."""

    domain: str
    tenant: str
    check: Check
    state: State
    next_check_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LapsedLane:
    tenant: int
    lane: int
    class_: Class
    domain: str
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class LapseHold:
    id: int
    tenant: int
    lane: int | None
    evidence: Mapping[str, Any]
    lifted: bool = False  #: by a person, who takes the risk: it is not placed again


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPolicy:
    """What a lapse does to the lanes of a class, and who decided that."""

    class_: Class
    effect: Effect
    policy: Policy
    is_default: bool
    by: str | None = None
    because: str | None = None
    at: datetime | None = None


class IdentityReads(Protocol):
    async def identities(
        self, viewer: Viewer, *, domain: str | None, after: int, limit: int
    ) -> list[IdentityView]: ...


class CheckStore(Protocol):
    async def now_ms(self) -> int: ...

    async def facts(self, identity: int) -> Facts | None: ...

    async def ask(
        self, identity: int, tenant: int, *, now: int, apart_ms: int, per_minute: int
    ) -> tuple[bool, int]:
        """Notes that a check begins. Else returns whether the tenant asked too much, and the seconds to wait for the domain."""
        ...

    async def look_at_ses(self, domain: str) -> None: ...

    async def claim_due(self, now: int, *, lease_ms: int, limit: int) -> list[int] | None:
        """Domains to check. None: nothing is due."""
        ...

    async def record(
        self,
        identity: int,
        check: Check,
        fold: Callable[[State], State],
        next_check: Callable[[State], int],
        *,
        keep: int,
    ) -> State | None:
        """Stores the check and the state after it in one transaction. None: the domain is gone."""
        ...

    async def last(self, viewer: Viewer, identity: int) -> tuple[Check | None, State, int] | None: ...

    async def lapsed_lanes(self) -> list[LapsedLane]: ...

    async def lapse_holds(self) -> list[LapseHold]: ...

    async def policies(self) -> dict[tuple[Class, Effect], SetPolicy]: ...

    async def set_policy(
        self, class_: Class, effect: Effect, policy: Policy, *, actor: str, because: str
    ) -> None: ...


class IdentityChecks:
    def __init__(
        self,
        store: CheckStore,
        reads: IdentityReads,
        governor: Governor,
        look: Callable[[float], Lookup],
        suffixes: Suffixes,
        *,
        region: str,
        rules: Rules | None = None,
        clock: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        """`look`: begins the look-ups of one check, which take so many seconds at most. `region`: of SES, which is part of some
        records. `clock`: milliseconds since 1970; None: the database's."""
        self._store = store
        self._reads = reads
        self._governor = governor
        self._look = look
        self._suffixes = suffixes
        self._region = region
        self._rules = rules or Rules()
        self._clock = clock or store.now_ms
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def now(self, viewer: Viewer, domain: str, *, reread: bool) -> Checked:
        """Checks a domain now. `reread`: also has SES's view read again soon. Raises NotFound, TooMuch or Unavailable."""
        view = await lookup.identity(self._reads, viewer, domain)
        facts = await self._store.facts(view.id)
        if facts is None:  # it went between the two statements
            return await self.last(viewer, domain)
        if facts.retired:
            raise Conflict(messages.not_checked_retired(view.domain), code="domain-retired")
        if self._waiting >= WAITING:
            raise Unavailable(messages.checks_busy(), code="checks-busy", retry_after=5)
        too_often, wait = await self._store.ask(
            view.id, facts.tenant, now=await self._clock(), apart_ms=APART_MS, per_minute=PER_MINUTE
        )
        if too_often:
            raise TooMuch(messages.too_many_checks(PER_MINUTE), code="too-many-checks", retry_after=60)
        if wait:
            raise TooMuch(messages.checked_just_now(view.domain), code="checked-just-now", retry_after=wait)
        if reread:
            await self._store.look_at_ses(view.domain)
        self._waiting += 1
        try:
            async with self._turn:
                await self._check(facts, "now")
        finally:
            self._waiting -= 1
        await self.align_holds()
        return await self.last(viewer, view.domain)

    async def last(self, viewer: Viewer, domain: str) -> Checked:
        """The newest check. Raises NotFound, also if there is none yet."""
        view = await lookup.identity(self._reads, viewer, domain)
        found = await self._store.last(viewer, view.id)
        check, state, next_check_at = found or (None, State(), 0)
        if check is None:
            raise NotFound(messages.never_checked(view.domain), code="never-checked")
        return Checked(
            domain=view.domain, tenant=view.tenant, check=check, state=state, next_check_at=next_check_at
        )

    async def run_due(self, stop: asyncio.Event) -> int:
        """Checks what is due. Returns how many; soon after `stop` is set, since what was begun is due again later."""
        checked = 0
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                due = await self._store.claim_due(await self._clock(), lease_ms=LEASE_MS, limit=AT_ONCE)
                if due is None:
                    break
                work = asyncio.gather(*(self._scheduled(each) for each in due))
                await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not work.done():
                    work.cancel()
                    await asyncio.gather(work, return_exceptions=True)
                    break
                checked += sum(work.result())
        finally:
            stopping.cancel()
        return checked

    async def _scheduled(self, identity: int) -> bool:
        """One that fails is due again after its lease, and keeps no other from being checked."""
        try:
            facts = await self._store.facts(identity)
            if facts is None:
                return False
            async with self._turn:
                await self._check(facts, "schedule")
        except Exception as error:
            _LOG.warning("could not check the domain %d: %s", identity, error or type(error).__name__)
            _LOG.debug("traceback", exc_info=True)
            return False
        return True

    async def _check(self, facts: Facts, asked: Asked) -> None:
        domain = _domain(facts, self._region)
        mails = [Mail(lane=lane.type, from_domain=lane.domain) for lane in facts.lanes]
        # Without lanes, what mail of the domain would do.
        mails = mails or [Mail(lane="", from_domain=facts.domain)]
        judgement = await judge(domain, mails, self._look(SECONDS[asked]), self._suffixes)
        at = await self._clock()
        seen = lapses.seen(judgement, _ses(facts), at)
        check = Check(
            at=at,
            asked=asked,
            authoritative=judgement.authoritative,
            complete=judgement.complete,
            passes=judgement.passes,
            result=_result(facts, judgement),
        )

        def next_check(state: State) -> int:
            return lapses.next_check(
                state,
                at,
                self._rules,
                read=facts.whole is not None,
                verified=facts.status == "verified" and _is_complete(facts),
                complete=judgement.complete,
                age_ms=max(0, at - facts.created_at),
                identity=facts.identity,
            )

        await self._store.record(
            facts.identity,
            check,
            lambda state: lapses.fold(state, seen, self._rules),
            next_check,
            keep=KEPT,
        )

    async def align_holds(self) -> int:
        """Places the holds that lapses ask for, and lifts those whose reason is gone. Returns how many changed. A process that
        dies in between does it again: a hold is placed once for the same evidence, and not again after a person lifted it."""
        lanes = await self._store.lapsed_lanes()
        held = await self._store.lapse_holds()
        if not lanes and not held:
            return 0
        policies = {key: each.policy for key, each in (await self._store.policies()).items()}
        wanted = {
            lane.lane: (lane, hold)
            for lane in lanes
            if (hold := lapses.wanted(lane.domain, lane.state, lane.class_, policies)) is not None
        }
        changed = 0
        for lane, hold in wanted.values():
            if any(each.lane == lane.lane and each.evidence == hold.evidence for each in held):
                continue
            new = NewHold(
                target=Target(tenant=lane.tenant, lane=lane.lane),
                owner=POLICY,
                because=hold.because,
                stops=hold.stops,
                rate=hold.rate,
                evidence=hold.evidence,
            )
            try:
                await self._governor.place(new, actor=POLICY, once=True)
            except NotFound:  # the lane was retired meanwhile
                continue
            changed += 1
        for each in (one for one in held if not one.lifted):
            still = wanted.get(each.lane or 0)
            if still is None or still[1].evidence != each.evidence:
                domain = str(each.evidence.get("lapse"))
                await self._governor.lift(
                    [each.id], tenant=each.tenant, actor=POLICY, because=messages.lapse_over(domain)
                )
                changed += 1
        return changed

    async def policies(self) -> list[SetPolicy]:
        stored = await self._store.policies()
        return [
            stored.get(key) or SetPolicy(class_=key[0], effect=key[1], policy=default, is_default=True)
            for key, default in lapses.DEFAULTS.items()
        ]

    async def set_policy(
        self, class_: Class, effect: Effect, policy: Policy, *, actor: str, because: str
    ) -> SetPolicy:
        """Takes effect at once, for what has lapsed too. Raises Invalid."""
        require_because(because)
        if policy.action == "slow":
            policy = Policy(action="slow", rate=lapses.DEFAULT_SLOW if policy.rate is None else policy.rate)
            require_rate(policy.rate or 0.0)
        else:
            policy = Policy(action=policy.action)
        await self._store.set_policy(class_, effect, policy, actor=actor, because=because)
        await self.align_holds()
        return next(each for each in await self.policies() if each.class_ is class_ and each.effect is effect)


def _ses(facts: Facts) -> Ses:
    dkim = observed.group(facts.whole, "DkimAttributes")
    mail_from = observed.group(facts.whole, "MailFromAttributes")
    return Ses(
        status=(facts.whole or {}).get("VerificationStatus") or dkim.get("Status"),
        dkim_status=dkim.get("Status"),
        keys=tuple(dkim.get("Tokens") or ()),
        mail_from=mail_from.get("MailFromDomain"),
        mail_from_status=mail_from.get("MailFromDomainStatus"),
    )


def _is_complete(facts: Facts) -> bool:
    """Whether SES signs mail of the domain, and uses the MAIL FROM that it is to use."""
    ses = _ses(facts)
    return ses.dkim_status == "SUCCESS" and (facts.mail_from is None or ses.mail_from_status == "SUCCESS")


def _domain(facts: Facts, region: str) -> Domain:
    """A domain as the mail that leaves now uses it: by what SES has, not by what is desired."""
    dkim = observed.group(facts.whole, "DkimAttributes")
    mail_from = observed.group(facts.whole, "MailFromAttributes")
    tokens: Sequence[str] = tuple(dkim.get("Tokens") or ())
    external = dkim.get("SigningAttributesOrigin") == "EXTERNAL"
    return Domain(
        name=facts.domain,
        region=region,
        tokens=() if external else tuple(tokens),
        signing_zone=dkim.get("SigningHostedZone") or observed.OLD_DKIM_ZONE,
        selector=tokens[0] if external and tokens else None,
        public_key=facts.public_key if external else None,
        signing=bool(dkim.get("SigningEnabled", True)),
        dkim_status=dkim.get("Status"),
        mail_from=mail_from.get("MailFromDomain") or facts.mail_from,
        mail_from_status=mail_from.get("MailFromDomainStatus"),
    )


def _result(facts: Facts, judgement: Judgement) -> dict[str, Any]:
    ses, domain = _ses(facts), _domain(facts, "")
    classes = {lane.type: lane.class_.word for lane in facts.lanes}
    return {
        "ses": {
            "status": ses.status,
            "dkim_status": ses.dkim_status,
            "signing_zone": domain.signing_zone if domain.tokens else None,
            "tokens": list(domain.tokens),
            "mail_from": ses.mail_from,
            "mail_from_status": ses.mail_from_status,
            "observed_at": facts.observed_at,
        },
        "faults": [
            {
                "code": fault.code.value,
                "what": what.value if (what := lapses.area_of(fault)) is not None else None,
                "severity": fault.severity,
                "says": fault.sentence,
                "record": fault.record,
                "publish": None
                if fault.publish is None
                else {
                    "type": fault.publish.type,
                    "name": fault.publish.name,
                    "value": fault.publish.value,
                },
                "unsure": fault.unsure,
            }
            for fault in judgement.faults
        ],
        "lanes": [
            {
                "type": answer.mail.lane or None,
                "class": classes.get(answer.mail.lane),
                "from_domain": answer.mail.from_domain,
                "result": answer.result.value,
                "says": answer.sentence,
                "organisation": answer.organisation,
                "policy": answer.policy,
                "dkim": answer.dkim,
                "spf": answer.spf,
            }
            for answer in judgement.mails
        ],
    }
