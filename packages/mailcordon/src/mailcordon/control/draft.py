"""What steps, or changed settings, would change on the platform and at SES, as a value: pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, cast

from mailcordon.control import approval, claimable, desired, plan, steps
from mailcordon.control.approval import TooBig, Wish
from mailcordon.control.authentication.alignment import Suffixes
from mailcordon.control.desired import Json, Kind, Resource, Settings
from mailcordon.control.plan import Change
from mailcordon.control.platform import Platform
from mailcordon.control.steps import Step, StepKind
from mailcordon.control.work import Work
from mailcordon.core.errors import Fault, Invalid
from mailcordon.messages import plans as words

Key = tuple[Kind, str]
#: Tenants of a plan that somebody waits for; a larger one leaves the shares of newcomers alone (control/work.py).
FEW_TENANTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Have(Wish):
    """What a resource should be by now, and what SES was last seen to have of it."""

    tenant: str | None  #: slug; None: all share it
    observed: Mapping[str, Json] | None = None  #: None: missing at SES, or never read


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted(Wish):
    """What a resource is to become."""

    tenant: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A change of a plan: one call to SES, and what became of it."""

    change: Change
    tenant: str | None  #: slug
    waits: str | None = None  #: why a person has to approve it; None: it would apply by itself
    state: Literal["pending", "done", "failed", "needless"] = "pending"
    outcome: str | None = None  #: SES's words, if it refused
    at: datetime | None = None  #: of the outcome
    for_mail: bool = False  #: approved, but mail on its way needs what it takes away

    @property
    def key(self) -> Key:
        return self.change.resource.kind, self.change.resource.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What steps would change."""

    revision: int
    steps: tuple[Step, ...]
    calls: tuple[Call, ...]
    after: Platform
    wishes: Mapping[Key, Wanted]  #: the desired state of resources that changes
    notes: tuple[str, ...] = ()  #: what else happens, and to whom

    @property
    def changes_nothing(self) -> bool:
        return not self.steps and not self.calls

    @property
    def tenants(self) -> list[str]:
        return _touched(self.steps, self.calls)


def _touched(done: Iterable[Step], calls: Iterable[Call]) -> list[str]:
    """Whom steps and calls touch, by slug."""
    named = {call.tenant for call in calls if call.tenant is not None}
    return sorted(named | {step.tenant for step in done})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a draft is made from."""

    platform: Platform
    have: Mapping[Key, Have]
    sets: int  #: configuration sets that exist or should


def why(change: Change) -> str:
    """Why a call is needed, in a few words."""
    match change.action:
        case plan.CREATE:
            return words.missing()
        case plan.ASSOCIATE:
            return words.not_associated()
        case plan.UPDATE:
            was = cast("Mapping[str, Json]", change.was or {})
            want = {name: change.resource.want.get(name) for name in was}
            return words.differs({name: (_word(value), _word(want[name])) for name, value in was.items()})
        case plan.DISASSOCIATE:
            return words.not_wanted_there()
        case _:
            return words.not_wanted()


def _word(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def of_steps(
    platform: Platform,
    asked: Iterable[Step],
    have: Mapping[Key, Have],
    settings: Settings,
    suffixes: Suffixes | None = None,
) -> Draft:
    """What the steps change. `have` has the resources of the tenants that they name, and those that all share. Changed settings
    reach what exists by `derived` alone, where too large a change waits for a person. Raises Invalid or Conflict."""
    done = tuple(steps.complete(platform, asked, mail_from_label=settings.mail_from_label))
    _refuse_unclaimable(done, settings, suffixes)
    after = steps.after(platform, done)
    slugs = set(steps.tenants_of(done))
    was: dict[Key, Wanted] = {}
    want: dict[Key, Wanted] = {}
    if done:
        shared = (each for each in desired.of_shared(settings) if (each.kind, each.name) not in have)
        want |= _wanted(shared, None)
    for slug in sorted(slugs):
        want |= _wanted(desired.of_tenant(after.tenants[slug], settings), slug)
        if (tenant := platform.tenants.get(slug)) is not None:
            was |= _wanted(desired.of_tenant(tenant, settings), slug)
    gone = {
        key: Wanted(resource=row.resource, wanted=False, tenant=row.tenant)
        for key, row in have.items()
        if key in was and row.wanted and key not in want
    }
    want = {
        key: wish
        for key, wish in want.items()
        if was.get(key) != wish or (row := have.get(key)) is None or not row.wanted
    }
    wishes = {key: wish for key, wish in want.items() if _differs(have.get(key), wish)} | gone
    calls = [call for key, wish in (want | gone).items() for call in _calls(have.get(key), wish)]
    return Draft(
        revision=platform.revision,
        steps=done,
        calls=tuple(_in_order(_with_reasons(calls, approval.guard(have, wishes)))),
        after=after,
        wishes=wishes,
        notes=tuple(_notes(done, have)),
    )


def _refuse_unclaimable(done: Iterable[Step], settings: Settings, suffixes: Suffixes | None) -> None:
    for step in done:
        if step.kind is StepKind.ADD_DOMAIN and (
            found := claimable.refusal(step.domain or "", local=settings.local, suffixes=suffixes)
        ):
            raise Invalid(Fault("domain", found.sentence, found.code))


def pending(platform: Platform, have: Mapping[Key, Have]) -> Draft:
    """What differs at SES from what is desired."""
    calls = [
        Call(change=change, tenant=row.tenant)
        for row in have.values()
        for change in plan.changes(
            row.resource, row.observed and _filled(row, row.resource), wanted=row.wanted
        )
    ]
    return Draft(
        revision=platform.revision,
        steps=(),
        calls=tuple(_in_order(_with_reasons(calls, ()))),
        after=platform,
        wishes={},
    )


def derived(platform: Platform, have: Mapping[Key, Have], settings: Settings) -> Draft:
    """What these settings make of the desired state. Calls that wait for a person say so."""
    want: dict[Key, Wanted] = {}
    for slug, resources in desired.of_platform(platform, settings).items():
        want |= _wanted(resources, slug)
    wishes = {key: wish for key, wish in want.items() if _differs(have.get(key), wish)}
    calls = [call for key, wish in wishes.items() for call in _calls(have.get(key), wish)]
    return Draft(
        revision=platform.revision,
        steps=(),
        calls=tuple(_in_order(_with_reasons(calls, approval.guard(have, wishes)))),
        after=platform,
        wishes=wishes,
    )


def rewired(have: Mapping[Key, Have], wishes: Mapping[Key, Wanted]) -> frozenset[Key]:
    """The resources of which a change of the desired state takes something away, if it does so to too many; else none."""
    if not approval.guard(have, wishes):
        return frozenset()
    return frozenset(
        key for key, wish in wishes.items() if (row := have.get(key)) and approval.rewires(row, wish)
    )


def _wanted(resources: Iterable[Resource], slug: str | None) -> dict[Key, Wanted]:
    return {(each.kind, each.name): Wanted(resource=each, tenant=slug) for each in resources}


def _differs(row: Have | None, wish: Wanted) -> bool:
    return (
        row is None
        or row.wanted != wish.wanted
        or row.tenant != wish.tenant
        or row.resource.want != wish.resource.want
    )


def _calls(row: Have | None, wish: Wanted) -> list[Call]:
    """The calls that this wish adds to those that are needed already."""
    observed = row and row.observed and _filled(row, wish.resource)
    needed = [each for each in plan.changes(wish.resource, observed, wanted=wish.wanted) if not each.removes]
    if row is not None:
        needed += [
            each for each in plan.changes(wish.resource, _may_have(row), wanted=wish.wanted) if each.removes
        ]
    if row is not None and row.wanted and wish.wanted:
        same = row.resource.want == wish.resource.want
        due = {change.key for change in plan.changes(row.resource, observed)}
        needed = [each for each in needed if each.key not in due or (each.action == plan.UPDATE and not same)]
    return [Call(change=change, tenant=wish.tenant) for change in needed]


def _may_have(row: Have) -> Mapping[str, Json] | None:
    """What SES has, or may have by now: what is desired is perhaps being made."""
    if not row.wanted:
        return row.observed
    if row.resource.kind != Kind.ASSOCIATION:
        return row.observed or row.resource.want
    lists = (of.get("resources") for of in (row.observed or {}, row.resource.want))
    return {"resources": sorted({str(name) for each in lists for name in cast("Sequence[str]", each or ())})}


def _filled(row: Have, resource: Resource) -> Mapping[str, Json]:
    """What SES has, with members that were never read taken to be as they should have been: a newer version governs more."""
    return {**resource.want, **row.resource.want, **(row.observed or {})}


def _notes(done: Iterable[Step], have: Mapping[Key, Have]) -> Iterable[str]:
    """What else the steps do, and to whom."""
    for step in done:
        if step.kind is StepKind.MOVE_LANE:
            identity = have.get((Kind.IDENTITY, step.to or ""))
            verified = bool(identity and identity.observed and identity.observed.get("verified"))
            yield words.lane_moves(
                step.tenant, step.type or "", step.was or "", step.to or "", verified=verified
            )
        elif step.kind is StepKind.SET_TOPOLOGY:
            yield words.topology_moves(step.tenant)


def _with_reasons(calls: Iterable[Call], too_big: Iterable[TooBig]) -> list[Call]:
    big = {each.kind: words.too_much(each.kind.word, each.touched, each.existing) for each in too_big}
    said: list[Call] = []
    for call in calls:
        change = call.change
        waits = words.takes_away() if change.removes else None
        if change.action == plan.UPDATE or change.removes:
            waits = big.get(change.resource.kind, waits)
        said.append(replace(call, waits=waits))
    return said


def _in_order(calls: Iterable[Call]) -> list[Call]:
    """Additions and repairs first, each after what it needs; then what is detached, and at last what is deleted."""

    def place(call: Call) -> tuple[bool, int, str, str]:
        change = call.change
        kind = int(change.resource.kind)
        return change.removes, -kind if change.removes else kind, change.resource.name, change.member or ""

    return sorted(calls, key=place)


def share(made: Draft) -> Work:
    """Whose share of the calls a plan uses."""
    if not made.steps:
        return Work.REPAIR
    return Work.ONBOARDING if len(made.tenants) <= FEW_TENANTS else Work.BULK
