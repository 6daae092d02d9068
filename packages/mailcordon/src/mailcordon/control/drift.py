"""What differs at SES from what is desired, as findings: pure, from one look at one resource (docs/drift.md).

A difference is drift if SES had what is desired before, or if it is about something that nothing desires. A difference that
follows from a change of what is desired is no drift: it is what the change is for.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from mailcordon.control import observed, plan
from mailcordon.control.administration import Whole
from mailcordon.control.desired import OUTCOME, Json, Kind, Resource
from mailcordon.control.plan import Change
from mailcordon.core.drift import ADDITION, TABLE, Drift, Policy, Rule, policy_of
from mailcordon.messages import drift as messages

EXTRA = "extra"  #: in `accepted`: names that were accepted beside what is desired


#: The member that a management event names, where it is not the whole resource.
_TOUCHED: Mapping[Drift, str] = {
    Drift.TENANT_SUPPRESSION: "suppression",
    Drift.SET_SUPPRESSION: "suppression",
    Drift.ACCOUNT_SUPPRESSION: "suppression",
    Drift.REPUTATION_POLICY: "policy",
    Drift.TENANT_DISABLED: "status",
    Drift.SENDING_OFF: "sending",
    Drift.DKIM_OFF: "dkim_signing",
    Drift.DKIM_KEY: "dkim_key",
    Drift.MAIL_FROM: "mail_from",
    Drift.MAIL_FROM_FAILED: "mail_from",
    Drift.DEFAULT_SET: "configuration_set",
    Drift.IDENTITY_POLICY: "policies",
    Drift.FEEDBACK_FORWARDING: "feedback_forwarding",
    Drift.TLS_POLICY: "delivery",
    Drift.MAX_DELIVERY: "delivery",
    Drift.ACCOUNT_TRACKING: "vdm",
    Drift.TAGS: "tags",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One difference."""

    kind: Drift
    resource_kind: str
    resource: str
    member: str = ""  #: the association, destination or member that differs
    tenant: int | None = None  #: whom it concerns; None: the owner of the resource that was looked at
    detail: Mapping[str, Json] = field(default_factory=dict[str, Json])  #: parameters of its sentence
    repair: tuple[Change, ...] = ()

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.kind.value, self.resource_kind, self.resource, self.member)

    @property
    def touched(self) -> tuple[str, str, str]:
        """What somebody touched who made this difference: kind, name and member, as in control/hints.py."""
        if self.kind in (Drift.SHARED_ASSOCIATION, Drift.EXTRA_ASSOCIATION, Drift.MISSING_ASSOCIATION):
            return (Kind.ASSOCIATION.word, self.resource, self.member)
        if self.kind is Drift.FOREIGN_ASSOCIATION:
            return (Kind.ASSOCIATION.word, self.member, f"{self.resource_kind}/{self.resource}")
        if self.kind is Drift.TRACKING and self.resource_kind == Kind.CONFIGURATION_SET.word:
            return (self.resource_kind, self.resource, self.member)
        return (self.resource_kind, self.resource, _TOUCHED.get(self.kind, ""))

    @property
    def rule(self) -> Rule:
        return TABLE[self.kind]

    @property
    def sentence(self) -> str:
        return says(self.kind, self.detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose resource something is. `tenant` None: shared by all."""

    tenant: int | None
    slug: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What sentences need, and what only the database knows."""

    slug: str | None = None  #: of the tenant whose resource is looked at
    owners: Mapping[str, Owner] = field(default_factory=dict[str, Owner])  #: by kind/name; ours only


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at one resource."""

    resource: Resource
    whole: Whole | None  #: None: it does not exist
    before: Mapping[str, Json] | None  #: the members when it was last read; None: never
    accepted: Mapping[str, Any] | None  #: `baseline` of what was last accepted; None: nothing yet
    open: frozenset[tuple[str, str, str, str]] = frozenset()  #: keys of findings that are open
    beside: Sequence[str] = ()  #: destinations of the same set that are not ours
    leaving: frozenset[str] = frozenset()  #: `Change.key` of what applied plans take away


def says(kind: Drift, detail: Mapping[str, Json]) -> str:
    """The sentence of a finding of this kind."""
    message = cast("Callable[..., str]", getattr(messages, kind.value.replace("-", "_")))
    return message(**detail)


def baseline(kind: Kind, whole: Whole, accepted: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is kept as accepted of a whole response: all that no check covers. Names accepted before stay accepted."""
    kept: dict[str, Any] = dict(observed.rest(kind, whole))
    if accepted and accepted.get(EXTRA):
        kept[EXTRA] = accepted[EXTRA]
    return kept


def find(look: Look, facts: Facts) -> list[Found]:
    """The differences of one resource that are drift."""
    resource, whole = look.resource, look.whole
    found: list[Found] = []
    if whole is None:
        if look.before is not None and resource.kind not in (Kind.ASSOCIATION, Kind.POLICY, Kind.ACCOUNT):
            found.append(_missing(resource))
        return found
    members = observed.members(resource.kind, resource.name, whole)
    found += _expected(look, members, facts)
    found += _statuses(look, members, facts)
    found += _others(look, facts)
    if look.accepted is not None:
        found += _uncovered(look, look.accepted, members)
    return found


def extras(look: Look) -> list[str]:
    """What the tenant is associated with beside what is desired."""
    if look.resource.kind != Kind.ASSOCIATION or look.whole is None:
        return []
    return sorted(set(_texts(look.whole.get("resources"))) - set(_texts(look.resource.want.get("resources"))))


def applies(change: Change, repairs: Found, policies: Mapping[str, Policy]) -> bool:
    """Whether the policies let the repair of a finding be made by itself."""
    kind = ADDITION if change.action in (plan.CREATE, plan.ASSOCIATE) else repairs.kind.value
    return all(policy_of(each, policies).act == "apply" for each in (kind, repairs.kind.value))


def _missing(resource: Resource) -> Found:
    repair = (Change(resource, plan.CREATE),)
    if resource.kind == Kind.EVENT_DESTINATION:
        set_name, _, own = resource.name.partition("/")
        detail: dict[str, Json] = {"set_name": set_name, "destination": own}
        return _found(Drift.MISSING_DESTINATION, resource, detail=detail, repair=repair)
    detail = {"kind": resource.kind.word.replace("-", " "), "name": resource.name}
    return _found(Drift.MISSING_RESOURCE, resource, detail=detail, repair=repair)


def _expected(look: Look, members: Mapping[str, Json], facts: Facts) -> Iterator[Found]:
    """Members that differ from what is desired, and did not before."""
    resource = look.resource
    if look.before is None:
        return
    pending = {change.key for change in plan.changes(resource, look.before)}
    for change in plan.changes(resource, members):
        if change.removes:  # what stands beside what is desired: `_others`
            continue
        for found in _of_change(change, members, facts):
            if found.key in look.open or change.key not in pending:
                yield found


def _of_change(change: Change, has: Mapping[str, Json], facts: Facts) -> Iterator[Found]:
    """The differences that one change repairs."""
    resource, want, name = (
        change.resource,
        cast("Mapping[str, Any]", change.resource.want),
        change.resource.name,
    )
    tenant = facts.slug or name

    def found(kind: Drift, member: str = "", **detail: Json) -> Found:
        return _found(kind, resource, member=member, detail=detail, repair=(change,))

    def off(member: str) -> bool:
        return plan.wants(resource, member) and not plan.same(want[member], has.get(member))

    match resource.kind, change.member:
        case Kind.CONFIGURATION_SET, "suppression":
            yield found(
                Drift.SET_SUPPRESSION,
                set_name=name,
                scope=has["suppression_scope"],
                reasons=has["suppressed_reasons"],
            )
        case Kind.CONFIGURATION_SET, "delivery":
            if off("max_delivery_seconds"):
                yield found(
                    Drift.MAX_DELIVERY,
                    set_name=name,
                    want=want["max_delivery_seconds"],
                    has=has["max_delivery_seconds"],
                )
            if off("tls_policy"):
                yield found(Drift.TLS_POLICY, set_name=name, was=want["tls_policy"], has=has["tls_policy"])
        case Kind.CONFIGURATION_SET, "sending":
            yield found(Drift.SENDING_OFF, set_name=name)
        case Kind.CONFIGURATION_SET, "tracking":
            how = f"redirect domain {has['tracking_domain']}"
            yield found(Drift.TRACKING, "tracking", set_name=name, how=how)
        case Kind.CONFIGURATION_SET, "vdm":
            yield found(Drift.TRACKING, "vdm", set_name=name, how="engagement metrics")
        case Kind.EVENT_DESTINATION, _:
            set_name, _, own = name.partition("/")
            if off("enabled") and want["enabled"]:
                yield found(Drift.DESTINATION_DISABLED, set_name=set_name, destination=own)
            elif off("enabled"):
                yield found(Drift.TRACKING, set_name=set_name, how=f"event destination {own}")
            if off("topic"):
                yield found(
                    Drift.DESTINATION_REDIRECTED, set_name=set_name, destination=own, topic=has["topic"]
                )
            if off("events"):
                wanted, given = set(_texts(want["events"])), set(_texts(has["events"]))
                fewer, more = sorted(wanted - given), sorted(given - wanted)
                yield found(
                    Drift.DESTINATION_EVENTS, set_name=set_name, destination=own, fewer=fewer, more=more
                )
        case Kind.IDENTITY, "configuration_set":
            yield found(
                Drift.DEFAULT_SET, domain=name, want=want["configuration_set"], has=has["configuration_set"]
            )
        case Kind.IDENTITY, "dkim":
            yield found(Drift.DKIM_OFF, domain=name)
        case Kind.IDENTITY, "mail_from":
            yield found(Drift.MAIL_FROM, domain=name, was=want["mail_from"], has=has["mail_from"])
        case Kind.IDENTITY, "feedback":
            yield found(Drift.FEEDBACK_FORWARDING, domain=name)
        case Kind.TENANT, _:
            yield found(
                Drift.TENANT_SUPPRESSION,
                tenant=tenant,
                scope=has["suppression_scope"],
                reasons=has["suppressed_reasons"],
            )
        case Kind.POLICY, _:
            yield found(Drift.REPUTATION_POLICY, tenant=tenant, has=has["policy"], want=want["policy"])
        case Kind.ASSOCIATION, member:
            shown = (member or "").replace("/", " ", 1)
            yield found(Drift.MISSING_ASSOCIATION, member or "", tenant=tenant, resource=shown)
        case _:
            yield _unknown(resource, change.member or "", None, json.dumps(change.was))


def _statuses(look: Look, members: Mapping[str, Json], facts: Facts) -> Iterator[Found]:
    """States that SES gives and that stop or weaken sending."""
    resource = look.resource
    if resource.kind == Kind.IDENTITY and members["mail_from_status"] in ("FAILED", "TEMPORARY_FAILURE"):
        detail = {
            "domain": resource.name,
            "mail_from": members["mail_from"],
            "status": members["mail_from_status"],
        }
        yield _found(Drift.MAIL_FROM_FAILED, resource, detail=detail)
    if resource.kind == Kind.POLICY and members["status"] == "DISABLED":
        aws, ours = (
            observed.group(look.whole, name) for name in ("AwsSesManagedStatus", "CustomerManagedStatus")
        )
        by_aws = aws.get("Status") == "DISABLED"
        detail = {
            "tenant": facts.slug or resource.name,
            "status": "DISABLED",
            "cause": (aws if by_aws else ours).get("Cause"),
            "by_aws": by_aws,
        }
        # Only the customer-managed status can be set from here (ses.md 1.6).
        repair = () if by_aws else (Change(resource, plan.UPDATE, "status", "DISABLED"),)
        yield _found(Drift.TENANT_DISABLED, resource, detail=detail, repair=repair)


def _others(look: Look, facts: Facts) -> Iterator[Found]:
    """What stands beside: destinations of the set and associations of the tenant that nothing desires."""
    resource = look.resource
    accepted = set(_texts((look.accepted or {}).get(EXTRA)))
    if resource.kind == Kind.EVENT_DESTINATION and resource.name.endswith(f"/{OUTCOME}"):
        set_name = resource.name.partition("/")[0]
        for name in look.beside:
            if name not in accepted:
                other = Resource(Kind.EVENT_DESTINATION, f"{set_name}/{name}", {}, resource.shared)
                detail: dict[str, Json] = {"set_name": set_name, "destination": name}
                repair = (Change(other, plan.DELETE),)
                yield _found(Drift.EXTRA_DESTINATION, other, detail=detail, repair=repair)
    if resource.kind == Kind.ASSOCIATION and look.whole is not None:
        wanted = {*_texts(resource.want.get("resources")), *accepted}
        for name in sorted(set(_texts(look.whole.get("resources"))) - wanted):
            found = _extra_association(resource, name, facts)
            if found.key in look.open or found.repair[0].key not in look.leaving:
                yield found


def _extra_association(resource: Resource, name: str, facts: Facts) -> Found:
    repair = (Change(resource, plan.DISASSOCIATE, name),)
    tenant, owner = facts.slug or resource.name, facts.owners.get(name)
    if owner is None or owner.tenant is None or owner.slug == facts.slug:
        detail: dict[str, Json] = {"tenant": tenant, "resource": name, "known": owner is not None}
        return _found(Drift.EXTRA_ASSOCIATION, resource, member=name, detail=detail, repair=repair)
    return Found(
        kind=Drift.SHARED_ASSOCIATION,
        resource_kind=resource.kind.word,
        resource=resource.name,
        member=name,
        tenant=owner.tenant,
        detail={
            "tenant": tenant,
            "domain": name.partition("/")[2],
            "owner": owner.slug,
            "is_set": name.startswith(f"{Kind.CONFIGURATION_SET.word}/"),
        },
        repair=repair,
    )


def _uncovered(look: Look, accepted: Mapping[str, Any], members: Mapping[str, Json]) -> Iterator[Found]:
    """Members that no check covers, and that are others than when they were accepted."""
    resource, whole = look.resource, cast("Whole", look.whole)
    now = observed.rest(resource.kind, whole)
    was = {path: value for path, value in accepted.items() if path != EXTRA}
    off = [path for path in sorted({*now, *was}) if now.get(path) != was.get(path)]
    grouped: dict[str, list[str]] = {}
    for path in off:
        grouped.setdefault(_group_of(resource, path), []).append(path)
    for key, paths in grouped.items():
        yield from _of_group(look, key, paths, was, now)


def _group_of(resource: Resource, path: str) -> str:
    """What a path belongs to: paths of one group are one finding, or none if it is desired by value."""
    first, _, second = path.partition(".")
    match resource.kind, first, second:
        case Kind.IDENTITY, "DkimAttributes", _:
            return "dkim"
        case Kind.IDENTITY, "MailFromAttributes", _:
            return "desired" if plan.wants(resource, "mail_from") else "mail_from"
        case Kind.IDENTITY, "Policies", _:
            return f"policies {second.partition('.')[0]}"
        case Kind.CONFIGURATION_SET, "DeliveryOptions", "TlsPolicy":
            return "desired" if plan.wants(resource, "tls_policy") else "tls_policy"
        case Kind.CONFIGURATION_SET, "TrackingOptions", "CustomRedirectDomain":
            return "desired" if plan.wants(resource, "tracking_domain") else f"unknown {path}"
        case Kind.CONFIGURATION_SET, "VdmOptions", "DashboardOptions.EngagementMetrics":
            return "desired" if plan.wants(resource, "engagement") else f"unknown {path}"
        case Kind.ACCOUNT, "SuppressionAttributes", "SuppressedReasons":
            return "suppression"
        case Kind.ACCOUNT, "VdmAttributes", _:
            return "vdm"
        case _, "Tags", _:
            return "tags"
        case _:
            return f"unknown {path}"


#: The groups of `_group_of` whose paths a finding of a kind is about.
_GROUPS: Mapping[Drift, str] = {
    Drift.DKIM_KEY: "dkim",
    Drift.MAIL_FROM: "mail_from",
    Drift.IDENTITY_POLICY: "policies",
    Drift.TLS_POLICY: "tls_policy",
    Drift.ACCOUNT_SUPPRESSION: "suppression",
    Drift.ACCOUNT_TRACKING: "vdm",
    Drift.TAGS: "tags",
    Drift.UNKNOWN: "unknown",
}


def belongs_to(resource: Resource, path: str, kind: Drift, member: str) -> bool:
    """Whether a path of the whole response is what a finding of this kind is about."""
    group, _, rest = _group_of(resource, path).partition(" ")
    return group == _GROUPS.get(kind) and (not rest or rest == member)


def _of_group(
    look: Look, key: str, paths: Sequence[str], was: Mapping[str, str], now: Mapping[str, str]
) -> Iterator[Found]:
    resource, name = look.resource, look.resource.name

    def before(path: str) -> Any:
        return json.loads(was[path]) if path in was else None

    def after(path: str) -> Any:
        return json.loads(now[path]) if path in now else None

    def back(group: str, **want: Json) -> tuple[Change, ...]:
        """The change that restores what was accepted."""
        given = Resource(resource.kind, name, {**resource.want, **want}, resource.shared)
        return (Change(given, plan.UPDATE, group, {path: after(path) for path in paths}),)

    match key.partition(" ")[0]:
        case "desired":
            return
        case "dkim":
            member = next((p for p in paths if p.endswith("SigningAttributesOrigin")), paths[0])
            detail: dict[str, Json] = {
                "domain": name,
                "member": member.rpartition(".")[2],
                "was": _shown(before(member)),
                "has": _shown(after(member)),
            }
            yield _found(Drift.DKIM_KEY, resource, detail=detail)
        case "mail_from":
            domain, on_failure = "MailFromAttributes.MailFromDomain", "MailFromAttributes.BehaviorOnMxFailure"
            repair = back(
                "mail_from",
                mail_from=before(domain),
                mail_from_behavior=before(on_failure) or "USE_DEFAULT_VALUE",
            )
            detail = {"domain": name, "was": before(domain), "has": after(domain)}
            yield _found(Drift.MAIL_FROM, resource, detail=detail, repair=repair)
        case "policies":
            policy = key.partition(" ")[2]
            yield _found(
                Drift.IDENTITY_POLICY, resource, member=policy, detail={"domain": name, "policy": policy}
            )
        case "tls_policy":
            path = paths[0]
            detail = {"set_name": name, "was": before(path), "has": after(path)}
            repair = back("tls_policy", tls_policy=before(path) or "OPTIONAL")  # SES's default
            yield _found(Drift.TLS_POLICY, resource, detail=detail, repair=repair)
        case "suppression":
            path = "SuppressionAttributes.SuppressedReasons"
            detail = {"was": _list(before(path)), "reasons": _list(after(path))}
            repair = back("suppression", suppressed_reasons=_list(before(path)) or [])
            yield _found(Drift.ACCOUNT_SUPPRESSION, resource, detail=detail, repair=repair)
        case "vdm":
            repair = back(
                "vdm",
                vdm=_nested({p: before(p) for p in was if p.startswith("VdmAttributes.")}, "VdmAttributes"),
            )
            yield _found(Drift.ACCOUNT_TRACKING, resource, repair=repair)
        case "tags":
            repair = back("tags", tags=_list(before("Tags")) or [])
            detail = {"resource": f"{resource.kind.word.replace('-', ' ')} {name}"}
            yield _found(Drift.TAGS, resource, detail=detail, repair=repair)
        case _:
            for path in paths:
                yield _unknown(resource, path, was.get(path), now.get(path))


def _unknown(resource: Resource, path: str, was: str | None, has: str | None) -> Found:
    detail: dict[str, Json] = {
        "resource": str(resource),
        "member": path,
        "was": _cut(was),
        "has": _cut(has),
    }
    return _found(Drift.UNKNOWN, resource, member=path, detail=detail)


def _found(
    kind: Drift,
    resource: Resource,
    *,
    member: str = "",
    detail: Mapping[str, Json] | None = None,
    repair: tuple[Change, ...] = (),
) -> Found:
    return Found(
        kind=kind,
        resource_kind=resource.kind.word,
        resource=resource.name,
        member=member,
        detail=detail or {},
        repair=repair,
    )


def _nested(values: Mapping[str, Any], under: str) -> dict[str, Any]:
    """Paths and values as the structure that they come from, below one member."""
    made: dict[str, Any] = {}
    for path, value in values.items():
        at = made
        *inner, last = path.removeprefix(f"{under}.").split(".")
        for name in inner:
            at = at.setdefault(name, {})
        at[last] = value
    return made


def _list(value: Any) -> list[Json] | None:
    """A list as `observed.rest` keeps it: each item is JSON."""
    return None if value is None else [json.loads(each) for each in cast("Iterable[str]", value)]


def _texts(value: Any) -> list[str]:
    return list(map(str, cast("Iterable[object]", value or ())))


def _shown(value: Any) -> str | None:
    return None if value is None else value if isinstance(value, str) else _cut(json.dumps(value))


def _cut(text: str | None, most: int = 200) -> str | None:
    return text if text is None or len(text) <= most else f"{text[:most]}..."
