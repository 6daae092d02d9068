"""Proofs of attribution (docs/proofs.md): mails to SES's simulator over a lane's own route, and whether each of their events came
back to that lane.

Asking writes rows, a dispatcher sends (send/proving.py), observe records what comes back, and the control role judges
(proving.py). The judgement is pure. A proof changes no rate, cap, count, suppression or stop of the lane.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from mailcordon.control import lookup
from mailcordon.control.lookup import TenantNames
from mailcordon.control.views import Viewer
from mailcordon.core.errors import NotFound, TooMuch
from mailcordon.core.event import Kind
from mailcordon.core.priority import CLASS_DEFAULTS, Class
from mailcordon.core.proof import ALWAYS, EXPECTED, What
from mailcordon.messages import drift, times
from mailcordon.messages import proofs as messages

MOST_OPEN_OF_TENANT = 50
MOST_OPEN = 200
KEPT_OF_LANE = 20  #: that ended, the newest
LIMIT_SECONDS = 60  #: SES publishes within seconds (ses.md 4)
SHORTEST_LIMIT, LONGEST_LIMIT = 2, 600
DAYS = 7  #: MAILCORDON_PROOF_DAYS
_DAY_MS = 86_400_000
#: How long after its limit a proof may be unjudged: reading SES to find the dead part takes a few calls at one a second.
_JUDGING_MS = 30_000

State = Literal["fresh", "stale", "failed", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSeen:
    kind: Kind
    at: int  #: milliseconds since 1970, by SES
    received_at: int  #: when it was stored
    ses_id: str
    queue: str
    topic: str | None
    configuration_set: str | None
    ses_tenant: str | None
    lane: int | None  #: that its tags name
    tenant_name: str | None = None  #: of that lane: the slug
    type_name: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    id: int
    what: What
    state: str  #: asked, calling, accepted, refused or unknown
    called_at: int | None = None
    answered_at: int | None = None
    ses_id: str | None = None
    said: str | None = None
    ses_tenant: str | None = None  #: what it was sent with
    domain: str | None = None
    configuration_set: str | None = None
    events: tuple[EventSeen, ...] = ()

    @property
    def missing(self) -> tuple[Kind, ...]:
        """The kinds that must come and have not."""
        seen = {event.kind for event in self.events}
        return tuple(kind for kind in EXPECTED[self.what] if kind not in seen)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that keeps a lane from being proved. `code` is stable."""

    code: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What applies to the lane's mail at SES, as read there. None for what SES returned as unset."""

    tenant_exists: bool = True
    tenant_scope: str | None = None
    tenant_reasons: tuple[str, ...] | None = None
    set_exists: bool = True
    set_scope: str | None = None
    set_reasons: tuple[str, ...] | None = None
    road: tuple[str, ...] = ()  #: what was wrong with the set's event destination then
    destination: Mapping[str, Any] | None = None  #: its topic, events and state then; None: there is none
    problem: str | None = None  #: why it could not be read; tried again until the time limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    id: int
    tenant: int
    slug: str
    lane: int
    type: str
    class_: Class
    asked_at: int
    asked_by: str
    limit_ms: int
    scope: Scope | None = None
    ended_at: int | None = None
    proved: bool | None = None
    because: str | None = None
    faults: tuple[Fault, ...] = ()
    mails: tuple[Mail, ...] = ()

    def overdue(self, now: int) -> bool:
        """Whether the time limit has passed: of waiting for a dispatcher, then of waiting for events since the last call."""
        called = [mail.called_at for mail in self.mails if mail.called_at is not None]
        return now > max([self.asked_at, *called]) + self.limit_ms

    @property
    def unjudged_at(self) -> int:
        """From when on an open proof is overdue for its judge too."""
        called = [mail.called_at for mail in self.mails if mail.called_at is not None]
        return max([self.asked_at, *called]) + self.limit_ms + _JUDGING_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What is known of a lane while its proof runs."""

    blocked: str | None  #: the hold or stop that keeps its mail from leaving
    parts: Mapping[str, Any] | None  #: of its route now; None: it has none
    dispatcher: bool  #: one reports


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    proved: bool
    because: str
    faults: tuple[Fault, ...] = ()
    counts: bool = True  #: whether it says something about attribution


# Judging -----------------------------------------------------------------------------------------------------------------


def judge(proof: Proof, lane: Lane, now: int) -> Verdict | None:
    """Returns None while the proof goes on, and when its time is over and the dead part of the way is still to be found: see
    `dead`."""
    unsent = [mail for mail in proof.mails if mail.state == "asked"]
    if unsent and lane.parts is None:
        return _not_sent(messages.lane_closed())
    if unsent and lane.blocked is not None:
        return _not_sent(lane.blocked)
    if wrong := _misattributed(proof):
        return _failed(wrong)
    if _route_changed(proof, lane):
        return Verdict(proved=False, because=messages.route_changed(), counts=False)
    refused = [mail for mail in proof.mails if mail.state == "refused"]
    waits = [mail for mail in proof.mails if mail.missing and mail.state != "refused"]
    if waits or (not refused and (proof.scope is None or proof.scope.problem is not None)):
        return None
    faults = [Fault("refused", messages.refused(mail.what, mail.said or "")) for mail in refused]
    if proof.scope is not None and proof.scope.problem is None:
        faults += _scope_faults(proof, proof.scope)
    if faults:
        return _failed(faults)
    events = sum(len(EXPECTED[mail.what]) for mail in proof.mails)
    return Verdict(proved=True, because=messages.proved(proof.slug, proof.type, events))


def dead(proof: Proof, lane: Lane, road: Sequence[Fault]) -> Verdict:
    """The verdict on a proof whose time is over. `road`: what was found wrong with the way of the events, in its order."""
    unsent = [mail for mail in proof.mails if mail.state == "asked"]
    if len(unsent) == len(proof.mails):
        if not lane.dispatcher:
            return _not_sent(messages.no_dispatcher())
        return _not_sent(messages.no_turn(next((mail.said for mail in unsent if mail.said), None)))
    seconds = proof.limit_ms // 1000
    faults: list[Fault] = []
    silent = False
    for mail in proof.mails:
        match mail.state:
            case "asked":
                faults.append(Fault("not-sent", messages.not_sent(messages.no_turn(mail.said))))
            case "refused":
                faults.append(Fault("refused", messages.refused(mail.what, mail.said or "")))
            case "calling" | "unknown" if not mail.events:
                faults.append(Fault("no-answer", messages.no_answer(mail.what)))
            case _ if mail.missing:
                silent = True
                words = [kind.word.replace("-", " ") for kind in mail.missing]
                faults.append(Fault("missing", messages.missing(mail.what, words, seconds)))
            case _:
                pass
    scope = proof.scope
    if scope is None or scope.problem is not None:
        faults.append(Fault("scope", messages.scope_not_read(scope.problem if scope else None)))
    else:
        faults += _scope_faults(proof, scope)
    return _failed([*(road if silent else ()), *faults])


def needs_road(proof: Proof) -> bool:
    """Whether SES took a mail whose events did not come, so that it is worth looking for the dead part of the way."""
    return any(mail.missing and (mail.state == "accepted" or mail.events) for mail in proof.mails)


def lost_all(proof: Proof) -> bool:
    """Whether no event of any mail came."""
    return not any(mail.events for mail in proof.mails)


def _misattributed(proof: Proof) -> list[Fault]:
    faults: list[Fault] = []
    for mail in proof.mails:
        for event in mail.events:
            word = event.kind.word.replace("-", " ")
            if event.lane != proof.lane:
                faults.append(Fault("misattributed", messages.of_another_lane(mail.what, word)))
            elif event.problem is not None:
                faults.append(Fault("misattributed", messages.contradicted(mail.what, word)))
            elif mail.ses_id is not None and event.ses_id != mail.ses_id:
                faults.append(Fault("misattributed", messages.of_another_mail(mail.what, word)))
    return faults


def _route_changed(proof: Proof, lane: Lane) -> bool:
    parts = lane.parts
    return parts is not None and any(
        mail.configuration_set is not None
        and (mail.ses_tenant, mail.domain, mail.configuration_set)
        != (parts["ses_tenant"], parts["domain"], parts["configuration_set"])
        for mail in proof.mails
    )


def _scope_faults(proof: Proof, scope: Scope) -> list[Fault]:
    """Whether an address of this lane's bounces can block, or be blocked by, another tenant's mail (ses.md 2.2)."""
    said: list[str] = []
    sent = next((mail for mail in proof.mails if mail.ses_tenant is not None), None)
    name = sent.ses_tenant if sent and sent.ses_tenant else ""
    set_name = sent.configuration_set if sent and sent.configuration_set else ""
    if not scope.tenant_exists:
        said.append(messages.no_ses_tenant(name))
    elif (scope.tenant_scope, set(scope.tenant_reasons or ())) != ("TENANT", {"BOUNCE", "COMPLAINT"}):
        reasons = None if scope.tenant_reasons is None else list(scope.tenant_reasons)
        said.append(drift.tenant_suppression(proof.slug, scope.tenant_scope, reasons).rstrip("."))
    wanted = CLASS_DEFAULTS[proof.class_].ses_reasons
    if not scope.set_exists:
        said.append(messages.no_set(set_name))
    elif scope.set_scope is not None or scope.set_reasons != wanted:
        reasons = None if scope.set_reasons is None else list(scope.set_reasons)
        said.append(drift.set_suppression(set_name, scope.set_scope, reasons).rstrip("."))
    return [Fault("scope", each) for each in said]


def _failed(faults: Sequence[Fault]) -> Verdict:
    return Verdict(proved=False, because=faults[0].says, faults=tuple(faults))


def _not_sent(why: str) -> Verdict:
    says = messages.not_sent(why)
    return Verdict(proved=False, because=says, faults=(Fault("not-sent", says),), counts=False)


# Fresh or stale ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """The newest proof of a lane that says something about its attribution."""

    id: int
    ended_at: int
    proved: bool
    because: str
    parts: Mapping[str, Any] | None  #: of the route when it ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """Whether a lane's attribution counts as proved now."""

    state: State
    because: str
    proof: int | None = None
    proved_at: int | None = None
    valid_until: int | None = None  #: of a fresh one

    @property
    def is_fresh(self) -> bool:
        return self.state == "fresh"


def fresh(last: Last | None, parts: Mapping[str, Any] | None, now: int, *, days: int = DAYS) -> Freshness:
    """Whether a lane with this last proof, and these parts of its route now, is proved. Times are milliseconds since 1970."""
    if last is None:
        return Freshness(state="never", because=messages.never())
    at = times.minute(last.ended_at)
    if not last.proved:
        return Freshness(state="failed", because=messages.failed(at, last.because), proof=last.id)
    until = last.ended_at + days * _DAY_MS
    if now >= until:
        because = messages.too_old(at, days)
    elif changed := _changes(last.parts or {}, parts or {}):
        because = messages.changed(at, changed)
    else:
        says = messages.fresh(times.minute(until))
        return Freshness(
            state="fresh", because=says, proof=last.id, proved_at=last.ended_at, valid_until=until
        )
    return Freshness(state="stale", because=because, proof=last.id, proved_at=last.ended_at)


def _changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    names = list(dict.fromkeys((*was, *now)))
    return [
        messages.part(name, was.get(name), now.get(name)) for name in names if was.get(name) != now.get(name)
    ]


# Asking and showing ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneProof:
    """A lane, and what is known of its attribution."""

    lane: int
    tenant: str
    type: str
    last: Last | None
    parts: Mapping[str, Any] | None
    running: int | None  #: the proof that runs

    def freshness(self, now: int, *, days: int) -> Freshness:
        return fresh(self.last, self.parts, now, days=days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A proof that was asked for, or that runs already."""

    proof: Proof
    is_new: bool


@dataclass(frozen=True, slots=True)
class Full:
    """Nothing was asked for: too many proofs run."""

    of_tenant: int | None  #: how many would run; None: too many of all tenants


class ProofStore(TenantNames, Protocol):
    async def now_ms(self) -> int: ...

    async def lanes(self, viewer: Viewer, *, type: str | None, after: int, limit: int) -> list[LaneProof]:
        """Lanes that take mail, in the order of their ids."""
        ...

    async def ask(
        self,
        tenant: int,
        lanes: Sequence[int],
        what: Sequence[What],
        *,
        limit_ms: int,
        actor: str,
        bounds: tuple[int, int],
    ) -> list[tuple[int, bool]] | Full:
        """One transaction. By lane the id of its proof, and whether it is new. `bounds`: most open of the tenant, and of all."""
        ...

    async def proofs(self, viewer: Viewer, ids: Sequence[int]) -> list[Proof]:
        """With their mails and events."""
        ...


class Proofs:
    """What the API does with proofs."""

    def __init__(self, store: ProofStore, *, days: int = DAYS) -> None:
        self._store = store
        self.days = days

    async def ask(
        self, slug: str, types: Sequence[str] | None, *, reject: bool, limit_seconds: int, actor: str
    ) -> list[Asked]:
        """Asks for a proof of each lane, or of those of `types`. Raises NotFound and TooMuch."""
        tenant = await lookup.tenant_id(self._store, slug)
        viewer = Viewer(tenant)
        found = await self._store.lanes(viewer, type=None, after=0, limit=10_000)
        if types is not None:
            by_type = {lane.type: lane for lane in found}
            if unknown := [type for type in types if type not in by_type]:
                raise lookup.no_lane(slug, unknown[0])
            found = [by_type[type] for type in dict.fromkeys(types)]
        if not found:
            raise NotFound(messages.no_lanes(slug), code=lookup.NO_LANE)
        what = list(What) if reject else list(ALWAYS)
        lanes = [lane.lane for lane in found]
        limit_ms = limit_seconds * 1000
        bounds = (MOST_OPEN_OF_TENANT, MOST_OPEN)
        asked = await self._store.ask(tenant, lanes, what, limit_ms=limit_ms, actor=actor, bounds=bounds)
        if isinstance(asked, Full):
            says = (
                messages.too_many(MOST_OPEN)
                if asked.of_tenant is None
                else messages.too_many_of_tenant(MOST_OPEN_OF_TENANT, asked.of_tenant)
            )
            raise TooMuch(says, retry_after=10, code="too-many-proofs")
        proofs = {proof.id: proof for proof in await self._store.proofs(viewer, [id for id, _ in asked])}
        return [Asked(proof=proofs[id], is_new=is_new) for id, is_new in asked]

    async def get(self, viewer: Viewer, id: int) -> Proof:
        """Raises NotFound."""
        found = await self._store.proofs(viewer, [id])
        if not found:
            raise NotFound(messages.no_proof(id), code="no-such-proof")
        return found[0]

    async def lanes(
        self, viewer: Viewer, *, type: str | None, after: int, limit: int
    ) -> list[tuple[LaneProof, Freshness]]:
        """Each lane with what its last proof is worth now."""
        now = await self._store.now_ms()
        found = await self._store.lanes(viewer, type=type, after=after, limit=limit)
        return [(lane, lane.freshness(now, days=self.days)) for lane in found]

    async def now_ms(self) -> int:
        return await self._store.now_ms()
