"""What differs from what was accepted last, in members that no check covers by itself: pure (control/drift.py)."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from mailcordon.control import observed, plan, ses_members
from mailcordon.control.administration import Whole
from mailcordon.control.desired import Json, Kind, Resource
from mailcordon.control.difference import EXTRA, Found, Look, cut, difference, unknown
from mailcordon.control.plan import Change
from mailcordon.core.drift import Drift


def baseline(kind: Kind, whole: Whole, accepted: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is kept as accepted of a whole response: all that no check covers. Names accepted before stay accepted."""
    kept: dict[str, Any] = dict(observed.rest(kind, whole))
    if accepted and accepted.get(EXTRA):
        kept[EXTRA] = accepted[EXTRA]
    return kept


def uncovered(look: Look, accepted: Mapping[str, Any], members: Mapping[str, Json]) -> Iterator[Found]:
    """Members that no check covers, and that are others than when they were accepted."""
    resource, whole = look.resource, cast("Whole", look.whole)
    now = observed.rest(resource.kind, whole)
    was = {path: value for path, value in accepted.items() if path != EXTRA}
    off = [
        path
        for path in sorted({*now, *was})
        if now.get(path) != was.get(path)
        # One that the table lacks comes and goes with the SDK, on every resource at once (`new_members`).
        and (ses_members.knows(resource.kind, path) or (path in now and path in was))
    ]
    grouped: dict[str, list[str]] = {}
    for path in off:
        grouped.setdefault(_group_of(resource, path), []).append(path)
    for key, paths in grouped.items():
        yield from _of_group(look, key, paths, was, now)


def new_members(kind: Kind, whole: Whole, accepted: Mapping[str, Any] | None) -> dict[str, str]:
    """Members that no table of this version has and that were not there when the resource was accepted: the SDK is newer."""
    if accepted is None:
        return {}
    now = observed.rest(kind, whole)
    return {
        path: value
        for path, value in now.items()
        if path not in accepted and not ses_members.knows(kind, path)
    }


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
        case Kind.CONFIGURATION_SET, "DeliveryOptions", "SendingPoolName" if plan.wants(
            resource, "sending_pool"
        ):
            return "desired"
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
            yield difference(Drift.DKIM_KEY, resource, detail=detail)
        case "mail_from":
            domain, on_failure = "MailFromAttributes.MailFromDomain", "MailFromAttributes.BehaviorOnMxFailure"
            repair = back(
                "mail_from",
                mail_from=before(domain),
                mail_from_behavior=before(on_failure) or "USE_DEFAULT_VALUE",
            )
            detail = {"domain": name, "was": before(domain), "has": after(domain)}
            yield difference(Drift.MAIL_FROM, resource, detail=detail, repair=repair)
        case "policies":
            policy = key.partition(" ")[2]
            yield difference(
                Drift.IDENTITY_POLICY, resource, member=policy, detail={"domain": name, "policy": policy}
            )
        case "tls_policy":
            path = paths[0]
            detail = {"set_name": name, "was": before(path), "has": after(path)}
            repair = back("tls_policy", tls_policy=before(path) or "OPTIONAL")  # SES's default
            yield difference(Drift.TLS_POLICY, resource, detail=detail, repair=repair)
        case "suppression":
            path = "SuppressionAttributes.SuppressedReasons"
            detail = {"was": _list(before(path)), "reasons": _list(after(path))}
            repair = back("suppression", suppressed_reasons=_list(before(path)) or [])
            yield difference(Drift.ACCOUNT_SUPPRESSION, resource, detail=detail, repair=repair)
        case "vdm":
            repair = back(
                "vdm",
                vdm=_nested({p: before(p) for p in was if p.startswith("VdmAttributes.")}, "VdmAttributes"),
            )
            yield difference(Drift.ACCOUNT_TRACKING, resource, repair=repair)
        case "tags":
            repair = back("tags", tags=_list(before("Tags")) or [])
            detail = {"resource": f"{resource.kind.word.replace('-', ' ')} {name}"}
            yield difference(Drift.TAGS, resource, detail=detail, repair=repair)
        case _:
            for path in paths:
                yield unknown(resource, path, was.get(path), now.get(path))


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


def _shown(value: Any) -> str | None:
    return None if value is None else value if isinstance(value, str) else cut(json.dumps(value))
