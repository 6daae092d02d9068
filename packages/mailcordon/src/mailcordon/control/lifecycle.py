"""Moving, retiring and bringing back lanes, domains and tenants: each verb is a plan, and says beforehand what it will do.

A verb makes a plan of one step (control/plans.py), which changes nothing until it is applied. What it will do, whom it touches
and what stays are sentences, the same in the API and on the command line.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from mailcordon.control import lookup, retirement, steps
from mailcordon.control.desired import Kind
from mailcordon.control.draft import Call as PlannedCall
from mailcordon.control.plan import DELETE
from mailcordon.control.plan import Change as Call
from mailcordon.control.plans import Plan, Plans
from mailcordon.control.platform import SesTenants
from mailcordon.control.steps import Mail, Step, StepKind
from mailcordon.core import names
from mailcordon.core.errors import Conflict, Fault, Invalid
from mailcordon.core.priority import Class
from mailcordon.messages import lifecycle as words
from mailcordon.messages import paths

Verb = Literal[
    "retire-lane",
    "unretire-lane",
    "move-lane",
    "retire-domain",
    "unretire-domain",
    "set-topology",
    "retire-tenant",
    "unretire-tenant",
    "add-path",
    "drop-path",
]


MOST_SHOWN = 3  #: calls to SES that a sentence names


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFacts:
    type: str
    class_: Class
    domain: str
    verified: bool  #: whether SES has verified the domain
    configuration_set: str
    ses_tenant: str
    retired_with: Literal["lane", "domain", "tenant"] | None  #: None: it takes mail
    retire_mail: Mail | None
    ended: bool  #: it is retired, and nothing needs it any more
    hold: str | None  #: names a hold that stops the whole lane
    queued: int  #: ready or waiting
    sending: int  #: on the wire or outcome unknown
    expires_seconds: float  #: after its acceptance


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A tenant as it is, with its retired lanes."""

    slug: str
    lanes: Sequence[LaneFacts]
    gone: frozenset[str]  #: domains that were retired to the end: SES may have them no more
    verified: frozenset[str]  #: domains
    keys: int  #: that are valid
    dedicated: bool
    ses_tenants: SesTenants

    @property
    def active(self) -> list[LaneFacts]:
        return [lane for lane in self.lanes if lane.retired_with is None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Sentences."""

    does: tuple[str, ...]
    touches: tuple[str, ...]
    stays: tuple[str, ...]
    lanes: tuple[LaneFacts, ...]  #: whose mail it concerns


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    plan: Plan
    preview: Preview


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What somebody asks for, in words of the verb."""

    verb: Verb
    tenant: str
    type: str | None = None
    domain: str | None = None  #: of a move: the new one
    mail: Mail = "drain"
    dedicated: bool | None = None  #: None: as it is
    ses_tenants: SesTenants | None = None
    path: str | None = None  #: name of the shared path that a lane gets


class FactsReader(Protocol):
    async def facts(self, slug: str) -> Facts | None:
        """None for an unknown tenant."""
        ...


class Lifecycle:
    def __init__(
        self, plans: Plans, reader: FactsReader, *, local: bool, keep_sets_seconds: float = 0.0
    ) -> None:
        """`keep_sets_seconds`: how long a tenant's own configuration sets are kept for late complaints."""
        self._plans = plans
        self._reader = reader
        self._local = local
        self._keep_sets = keep_sets_seconds

    async def prepare(self, change: Change, *, actor: str, because: str) -> Prepared:
        """A stored plan of this change, and what it means. Raises NotFound for an unknown tenant, Invalid, naming the field, or
        Conflict, also if nothing would change."""
        facts, step = await self._asked(change)
        plan = await self._plans.make([step], actor=actor, because=because)
        if plan.id is None:
            raise _nothing_to_do(change)
        return Prepared(plan=plan, preview=self._means(step, facts, plan.steps, plan.calls))

    async def preview(self, change: Change) -> Preview:
        """What this change would mean. Stores nothing. Raises as `prepare`."""
        facts, step = await self._asked(change)
        drafted = await self._plans.drafted([step])
        if drafted.changes_nothing:
            raise _nothing_to_do(change)
        return self._means(step, facts, drafted.steps, drafted.calls)

    async def _asked(self, change: Change) -> tuple[Facts, Step]:
        facts = await self._reader.facts(change.tenant) if names.is_slug(change.tenant) else None
        if facts is None:
            raise lookup.no_tenant(change.tenant)
        return facts, step_of(change, facts)

    def _means(
        self, step: Step, facts: Facts, completed: Sequence[Step], calls: Sequence[PlannedCall]
    ) -> Preview:
        # The step as it was completed: what it replaces is in it.
        done = next((each for each in completed if each.kind is step.kind), step)
        return preview(
            done, facts, [call.change for call in calls], local=self._local, keep_sets=self._keep_sets
        )

    async def waits(self, slug: str) -> list[str]:
        """What the lanes of a tenant that are being retired wait for."""
        facts = await self._reader.facts(slug)
        return [] if facts is None else waits(facts)


def _nothing_to_do(change: Change) -> Conflict:
    return Conflict(words.nothing_to_do(change.verb, change.tenant), code="nothing-to-do")


# Pure ----------------------------------------------------------------------------------------------------------------------


def preview(
    step: Step, facts: Facts, changes: Sequence[Call], *, local: bool, keep_sets: float = 0.0
) -> Preview:
    """What a step means for a tenant. `changes`: the calls to SES of its plan. `keep_sets`: seconds for which a set is kept after
    its last mail."""
    found = _preview(step, facts, changes, local)
    gone = sorted(_deleted(changes, Kind.CONFIGURATION_SET))
    if not gone:
        return found
    latest = max((retirement.late_seconds(lane.class_, local=local) for lane in found.lanes), default=0.0)
    kept = words.sets_are_kept(gone, max(keep_sets, latest))
    return replace(found, does=(*found.does, kept))


def _preview(step: Step, facts: Facts, changes: Sequence[Call], local: bool) -> Preview:
    match step.kind:
        case StepKind.RETIRE_LANE | StepKind.RETIRE_DOMAIN | StepKind.RETIRE_TENANT:
            return _retire(step, facts, changes, local)
        case StepKind.UNRETIRE_LANE | StepKind.UNRETIRE_DOMAIN | StepKind.UNRETIRE_TENANT:
            return _unretire(step, facts, changes)
        case StepKind.MOVE_LANE:
            return _move(step, facts, changes)
        case StepKind.SET_TOPOLOGY:
            return _topology(facts, changes)
        case StepKind.ADD_PATH | StepKind.DROP_PATH:
            return _path(step, facts, changes)
        case _:
            raise ValueError(step.kind)


def waits(facts: Facts) -> list[str]:
    """What lanes that are being retired wait for, in the order of their types."""
    said: list[str] = []
    for lane in facts.lanes:
        if lane.retire_mail is None or lane.ended:
            continue
        said.append(
            words.mail_of_lane(lane.type, lane.queued, lane.sending, cancels=lane.retire_mail == "cancel")
        )
        if lane.hold is not None and lane.queued:
            said.append(words.held_lane_drains(lane.type, lane.hold, lane.expires_seconds))
        elif not lane.queued and not lane.sending:
            said.append(words.waits_for_ses(lane.type))
    return said


def _retire(step: Step, facts: Facts, changes: Sequence[Call], local: bool) -> Preview:
    whole = step.kind is StepKind.RETIRE_TENANT
    lanes = facts.active if whole else [lane for lane in facts.active if _named(step, lane)]
    cancels = step.mail == "cancel"
    types = _types(lanes)
    does = [words.tenant_takes_none(facts.slug)] if whole else []
    does += [words.takes_no_mail(facts.slug, types)] if lanes and not whole else []
    for lane in lanes:
        does.append(words.mail_of_lane(lane.type, lane.queued, lane.sending, cancels=cancels))
        if lane.hold is not None and lane.queued and not cancels:
            does.append(words.held_lane_drains(lane.type, lane.hold, lane.expires_seconds))
    if whole and facts.keys:
        does.append(words.revokes_keys(facts.keys))
    does += at_ses(changes)
    if any(change.removes for change in changes) and lanes:
        longest = max(retirement.late_seconds(lane.class_, local=local) for lane in lanes)
        does.append(words.waits_for_reports(types, longest))
    does += [words.list_at_ses_goes(name) for name in _deleted_ses_tenants(changes)]
    domains = {lane.domain for lane in lanes} | _own_domain(step)
    others = [lane for lane in facts.active if lane not in lanes]
    return Preview(
        does=tuple(does),
        touches=(*_staying(domains, others), words.others_unchanged(facts.slug, _types(others))),
        stays=(
            words.keeps_records(),
            *(words.domain_reserved(facts.slug, name) for name in _retired_domains(step, lanes)),
        ),
        lanes=tuple(lanes),
    )


def _unretire(step: Step, facts: Facts, changes: Sequence[Call]) -> Preview:
    part = step.kind.value.removeprefix("unretire-")
    named = [lane for lane in facts.lanes if part == "tenant" or _named(step, lane)]
    back = [lane for lane in named if lane.retired_with == part]
    left = [lane for lane in named if lane.retired_with not in (None, part)]
    does = [words.takes_mail_again(facts.slug, _types(back))] if back else []
    domains = {lane.domain for lane in back} | _own_domain(step)
    does += [words.domain_again(name) for name in sorted(domains & facts.gone)]
    does += at_ses(changes)
    stays = [words.keys_stay_revoked(facts.slug)] if part == "tenant" else []
    stays += [words.stay_retired(facts.slug, _types(left))] if left else []
    others = [lane for lane in facts.active if lane not in back]
    return Preview(
        does=tuple(does),
        touches=(words.others_unchanged(facts.slug, _types(others)),),
        stays=tuple(stays),
        lanes=tuple(back),
    )


def _move(step: Step, facts: Facts, changes: Sequence[Call]) -> Preview:
    was, to = step.was or "", step.to or ""
    lanes = [lane for lane in facts.active if lane.type == step.type]
    does = [words.sends_from(facts.slug, lane.type, was, to) for lane in lanes]
    does += [words.keeps_from(lane.type, lane.queued, was) for lane in lanes if lane.queued]
    if to not in facts.verified:
        does.append(words.held_until_verified(to))
    others = [lane for lane in facts.active if lane not in lanes]
    sharing = _types(lane for lane in others if lane.domain == to)
    touches = [words.reputation_shared(to, sharing)] if sharing else []
    touches += _staying({was}, others)
    return Preview(
        does=(*does, *at_ses(changes)),
        touches=(*touches, words.others_unchanged(facts.slug, _types(others))),
        stays=(words.keeps_records(),),
        lanes=tuple(lanes),
    )


def _path(step: Step, facts: Facts, changes: Sequence[Call]) -> Preview:
    lanes = [lane for lane in facts.active if lane.type == step.type]
    if step.kind is StepKind.ADD_PATH:
        does = [paths.stays_until_shared(step.type or "", step.to or "")]
        touches = [paths.shares_with_all(step.to or "")]
    else:
        does, touches = [paths.no_way_back(step.type or "", step.was or "")], list[str]()
    return Preview(
        does=(*does, *at_ses(changes)),
        touches=(*touches, words.others_unchanged(facts.slug, [])),
        stays=(words.keeps_records(),),
        lanes=tuple(lanes),
    )


def _topology(facts: Facts, changes: Sequence[Call]) -> Preview:
    gone = _deleted_ses_tenants(changes)
    does = [words.moves_when_made(_types(facts.active))] if facts.active else []
    does += (
        [words.lists_not_copied(sorted({lane.ses_tenant for lane in facts.active} & set(gone)))]
        if gone
        else []
    )
    return Preview(
        does=(*does, *at_ses(changes)),
        touches=(words.others_unchanged(facts.slug, []),),
        stays=(words.keeps_records(), words.settled_on_old_set()),
        lanes=tuple(facts.active),
    )


def _named(step: Step, lane: LaneFacts) -> bool:
    return lane.type == step.type if step.type is not None else lane.domain == step.domain


def _own_domain(step: Step) -> set[str]:
    return {step.domain} if step.domain else set()


def _types(lanes: Iterable[LaneFacts]) -> list[str]:
    return sorted(lane.type for lane in lanes)


def at_ses(changes: Sequence[Call]) -> list[str]:
    """What the calls of a plan do at SES, in words."""
    if not changes:
        return [words.nothing_at_ses()]
    made = [change for change in changes if not change.removes]
    removed = [change for change in changes if change.removes]
    said = [words.makes_at_ses(_shown(made))] if made else []
    return said + ([words.removes_at_ses(_shown(removed))] if removed else [])


def _shown(changes: Sequence[Call]) -> list[str]:
    """A few calls in full; of more, how many of each kind. The plan has them all."""
    if len(changes) <= MOST_SHOWN:
        return [str(change) for change in changes]
    counted = Counter(f"{change.action} {change.resource.kind.word}" for change in changes)
    return [f"{what} ({number})" for what, number in counted.items()]


def _deleted_ses_tenants(changes: Iterable[Call]) -> list[str]:
    return sorted(_deleted(changes, Kind.TENANT))


def _deleted(changes: Iterable[Call], kind: Kind) -> list[str]:
    return [one.resource.name for one in changes if one.action == DELETE and one.resource.kind == kind]


def _staying(domains: Iterable[str], others: Sequence[LaneFacts]) -> list[str]:
    """Domains that other lanes of the tenant send from as well."""
    said: list[str] = []
    for domain in sorted(domains):
        if types := _types(lane for lane in others if lane.domain == domain):
            said.append(words.domain_stays(domain, types))
    return said


def _retired_domains(step: Step, lanes: Sequence[LaneFacts]) -> list[str]:
    if step.kind is StepKind.RETIRE_DOMAIN:
        return [step.domain or ""]
    return sorted({lane.domain for lane in lanes}) if step.kind is StepKind.RETIRE_TENANT else []


def step_of(change: Change, facts: Facts) -> Step:
    """The step that a change is. Raises Invalid, naming the field that is missing, or that says nothing beside this verb."""
    verb, kind = change.verb, StepKind(change.verb)
    given = {
        "type": change.type is not None,
        "domain": change.domain is not None,
        "dedicated": change.dedicated is not None,
        "ses_tenants": change.ses_tenants is not None,
        "path": change.path is not None,
    }
    needed = _NEEDED[verb]
    faults = [Fault(name, words.missing_for(verb), "missing") for name in needed if not given[name]]
    allowed = {*needed, *(("dedicated", "ses_tenants") if verb == "set-topology" else ())}
    faults += [
        Fault(name, words.not_beside(verb))
        for name, is_given in given.items()
        if is_given and name not in allowed
    ]
    if verb == "set-topology" and not (given["dedicated"] or given["ses_tenants"]):
        faults.append(Fault("dedicated", words.missing_for(verb), "missing"))
    if faults:
        raise Invalid(*faults)
    if verb == "set-topology":
        return steps.set_topology(
            change.tenant,
            dedicated=facts.dedicated if change.dedicated is None else change.dedicated,
            ses_tenants=change.ses_tenants or facts.ses_tenants,
        )
    moves = verb == "move-lane"
    step = Step(
        kind=kind,
        tenant=change.tenant,
        type=change.type,
        domain=None if moves else change.domain,
        to=change.domain if moves else change.path,
        mail=change.mail if verb.startswith("retire-") else None,
    )
    try:
        return steps.parse(step)
    except Invalid as problem:
        # A step has the new domain in another field.
        raise Invalid(
            *(replace(each, field="domain") if each.field == "to" else each for each in problem.faults)
        ) from None


#: The fields that each verb needs.
_NEEDED: Mapping[Verb, tuple[str, ...]] = {
    "retire-lane": ("type",),
    "unretire-lane": ("type",),
    "move-lane": ("type", "domain"),
    "retire-domain": ("domain",),
    "unretire-domain": ("domain",),
    "set-topology": (),
    "retire-tenant": (),
    "unretire-tenant": (),
    "add-path": ("type", "path"),
    "drop-path": ("type",),
}
