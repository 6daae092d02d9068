"""What differs at SES from what is desired, as findings: pure, from one look at one resource (docs/drift.md).

A difference is drift if SES had what is desired before, or if it is about something that nothing desires. A difference that
follows from a change of what is desired is no drift: it is what the change is for.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from mailcordon.control import observed, plan
from mailcordon.control.desired import OUTCOME, Json, Kind, Resource
from mailcordon.control.difference import EXTRA, Facts, Found, Look, difference, texts, unknown
from mailcordon.control.plan import Change
from mailcordon.control.uncovered import uncovered
from mailcordon.core.drift import ADDITION, Drift, Policy, policy_of


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
        found += uncovered(look, look.accepted, members)
    return found


def extras(look: Look) -> list[str]:
    """What the tenant is associated with beside what is desired."""
    if look.resource.kind != Kind.ASSOCIATION or look.whole is None:
        return []
    return sorted(set(texts(look.whole.get("resources"))) - set(texts(look.resource.want.get("resources"))))


def applies(change: Change, repairs: Found, policies: Mapping[str, Policy]) -> bool:
    """Whether the policies let the repair of a finding be made by itself."""
    kind = ADDITION if change.action in (plan.CREATE, plan.ASSOCIATE) else repairs.kind.value
    return all(policy_of(each, policies).act == "apply" for each in (kind, repairs.kind.value))


def _missing(resource: Resource) -> Found:
    repair = (Change(resource, plan.CREATE),)
    if resource.kind == Kind.EVENT_DESTINATION:
        set_name, _, own = resource.name.partition("/")
        detail: dict[str, Json] = {"set_name": set_name, "destination": own}
        return difference(Drift.MISSING_DESTINATION, resource, detail=detail, repair=repair)
    detail = {"kind": resource.kind.word.replace("-", " "), "name": resource.name}
    return difference(Drift.MISSING_RESOURCE, resource, detail=detail, repair=repair)


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
        return difference(kind, resource, member=member, detail=detail, repair=(change,))

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
            if off("sending_pool"):
                yield found(
                    Drift.SENDING_POOL, set_name=name, want=want["sending_pool"], has=has["sending_pool"]
                )
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
                wanted, given = set(texts(want["events"])), set(texts(has["events"]))
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
            yield unknown(resource, change.member or "", None, json.dumps(change.was))


def _statuses(look: Look, members: Mapping[str, Json], facts: Facts) -> Iterator[Found]:
    """States that SES gives and that stop or weaken sending."""
    resource = look.resource
    if resource.kind == Kind.IDENTITY and members["mail_from_status"] in ("FAILED", "TEMPORARY_FAILURE"):
        detail = {
            "domain": resource.name,
            "mail_from": members["mail_from"],
            "status": members["mail_from_status"],
        }
        yield difference(Drift.MAIL_FROM_FAILED, resource, detail=detail)
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
        yield difference(Drift.TENANT_DISABLED, resource, detail=detail, repair=repair)


def _others(look: Look, facts: Facts) -> Iterator[Found]:
    """What stands beside: destinations of the set and associations of the tenant that nothing desires."""
    resource = look.resource
    accepted = set(texts((look.accepted or {}).get(EXTRA)))
    if resource.kind == Kind.EVENT_DESTINATION and resource.name.endswith(f"/{OUTCOME}"):
        set_name = resource.name.partition("/")[0]
        for name in look.beside:
            if name not in accepted:
                other = Resource(Kind.EVENT_DESTINATION, f"{set_name}/{name}", {}, resource.shared)
                detail: dict[str, Json] = {"set_name": set_name, "destination": name}
                repair = (Change(other, plan.DELETE),)
                yield difference(Drift.EXTRA_DESTINATION, other, detail=detail, repair=repair)
    if resource.kind == Kind.ASSOCIATION and look.whole is not None:
        wanted = {*texts(resource.want.get("resources")), *accepted}
        for name in sorted(set(texts(look.whole.get("resources"))) - wanted):
            found = _extra_association(resource, name, facts)
            if found.key in look.open or found.repair[0].key not in look.leaving:
                yield found


def _extra_association(resource: Resource, name: str, facts: Facts) -> Found:
    repair = (Change(resource, plan.DISASSOCIATE, name),)
    tenant, owner = facts.slug or resource.name, facts.owners.get(name)
    if owner is None or owner.tenant is None or owner.slug == facts.slug:
        detail: dict[str, Json] = {"tenant": tenant, "resource": name, "known": owner is not None}
        return difference(Drift.EXTRA_ASSOCIATION, resource, member=name, detail=detail, repair=repair)
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
