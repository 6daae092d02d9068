"""Reads one resource at SES, and makes one change of it: the calls behind control/reconcile.py.

What a call returns stands for a read where SES returns the resource. A PUT replaces its group, so values in it that are not ours
are sent back as they were read (ses.md 6).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from mailcordon.control import observed, plan
from mailcordon.control.administration import Administration, SesError, Whole
from mailcordon.control.desired import ENGAGEMENT, OUTCOME, Json, Kind, Resource
from mailcordon.control.plan import Change
from mailcordon.core.clock import boot_time
from mailcordon.messages import reasons

_FRESH_SECONDS = 30.0
_OURS = frozenset({OUTCOME, ENGAGEMENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    whole: Whole | None  #: None: it does not exist
    complete: bool = True  #: False: a create call returned it, which leaves members out
    beside: tuple[str, ...] = ()  #: event destinations of the same set that are not ours

    def members(self, resource: Resource) -> dict[str, Json] | None:
        return None if self.whole is None else observed.members(resource.kind, resource.name, self.whole)


class Listed:
    """The destinations of sets as the scan has just read them for one: the others need not be read by themselves."""

    def __init__(self, clock: Callable[[], float] = boot_time) -> None:
        self._clock = clock
        self._found: dict[str, tuple[str, float, Mapping[str, Whole]]] = {}

    def keep(self, set_name: str, read_for: str, found: Mapping[str, Whole]) -> None:
        now = self._clock()
        self._found = {name: each for name, each in self._found.items() if now - each[1] <= _FRESH_SECONDS}
        self._found[set_name] = read_for, now, found

    def take(self, set_name: str, name: str) -> Mapping[str, Whole] | None:
        """None if they were not read for another destination of the set just now. They are taken once."""
        read_for, at, found = self._found.pop(set_name, ("", 0.0, {}))
        return found if read_for not in ("", name) and self._clock() - at <= _FRESH_SECONDS else None


class Resources:
    """`arn_of` gives the ARN of an SES tenant: known once it was seen, and never built (ses.md 1.2)."""

    def __init__(
        self,
        ses: Administration,
        arn_of: Callable[[str], Awaitable[str | None]],
        listed: "Listed | None" = None,
    ) -> None:
        self._ses = ses
        self._arn_of = arn_of
        self._listed = listed

    async def read(self, resource: Resource) -> Reading:
        """Raises SesError."""
        ses, name = self._ses, resource.name
        match resource.kind:
            case Kind.IP_POOL:
                return Reading(whole=await ses.get_ip_pool(name))
            case Kind.CONFIGURATION_SET:
                return Reading(whole=await ses.get_configuration_set(name))
            case Kind.EVENT_DESTINATION:
                set_name, _, own = name.partition("/")
                found = None if self._listed is None else self._listed.take(set_name, own)
                if found is None:
                    listed = await ses.get_destinations(set_name) or ()
                    found = {str(each.get("Name")): each for each in listed}
                    if self._listed is not None:
                        self._listed.keep(set_name, own, found)
                return Reading(whole=found.get(own), beside=tuple(sorted(set(found) - _OURS)))
            case Kind.IDENTITY:
                return Reading(whole=await ses.get_identity(name))
            case Kind.TENANT:
                return Reading(whole=await ses.get_tenant(name))
            case Kind.POLICY:
                return Reading(whole=await ses.get_entity(await self._arn(name)) or {})
            case Kind.ASSOCIATION:
                arns = await ses.get_associations(name)
                return Reading(whole=None if arns is None else {"resources": [_suffix(arn) for arn in arns]})
            case Kind.ACCOUNT:
                return Reading(whole=await ses.get_whole_account())

    async def create(self, resource: Resource) -> Reading | None:
        """Creates it without reading it first. Returns what it is then, or None if it existed. Raises SesError.

        A policy is set; associations are made by `apply`.
        """
        ses, name, want = self._ses, resource.name, cast("Mapping[str, Any]", resource.want)
        match resource.kind:
            case Kind.IP_POOL:
                if not await ses.create_ip_pool(name, mode=want["mode"]):
                    return None
                return Reading(whole={"PoolName": name, "ScalingMode": want["mode"]}, complete=False)
            case Kind.CONFIGURATION_SET:
                created = await ses.create_configuration_set(
                    name,
                    reasons=want["suppressed_reasons"],
                    max_delivery_seconds=want.get("max_delivery_seconds"),
                    sending_pool=want.get("sending_pool"),
                )
                if not created:
                    return None
                members: dict[str, Any] = {"ConfigurationSetName": name}
                if want["suppressed_reasons"] is not None:
                    members["SuppressionOptions"] = {"SuppressedReasons": want["suppressed_reasons"]}
                delivery = {
                    "MaxDeliverySeconds": want.get("max_delivery_seconds"),
                    "SendingPoolName": want.get("sending_pool"),
                }
                if given := {member: value for member, value in delivery.items() if value is not None}:
                    members["DeliveryOptions"] = given
                return Reading(whole=members, complete=False)
            case Kind.EVENT_DESTINATION:
                set_name, _, own = name.partition("/")
                members = _destination(want)
                if not await ses.create_destination(set_name, own, members):
                    return None
                return Reading(whole={"Name": own, **members}, complete=False)
            case Kind.IDENTITY:
                given = want["configuration_set"]
                whole = await ses.create_identity(name, configuration_set=given)
                if whole is None:
                    return None
                return Reading(whole={**whole, "ConfigurationSetName": given}, complete=False)
            case Kind.TENANT:
                whole = await ses.create_tenant(
                    name, scope=want["suppression_scope"], reasons=want["suppressed_reasons"]
                )
                return None if whole is None else Reading(whole=whole, complete=False)
            case _:
                return None

    async def apply(self, change: Change, whole: Whole | None) -> None:
        """Makes one change. `whole` is what was read before. Raises SesError."""
        resource, name = change.resource, change.resource.name
        match change.action:
            case plan.CREATE:
                await self.create(resource)
            case plan.ASSOCIATE:
                await self._ses.associate(name, await self._near(name, change.member or ""))
            case plan.DISASSOCIATE:
                await self._ses.disassociate(name, await self._near(name, change.member or ""))
            case plan.DELETE:
                await self._delete(resource)
            case _:
                await self._update(change, whole or {})

    async def _update(self, change: Change, whole: Whole) -> None:
        ses, resource, group = self._ses, change.resource, change.member
        name, want = resource.name, cast("Mapping[str, Any]", resource.want)
        match resource.kind, group:
            case Kind.CONFIGURATION_SET, "tags":
                await self._tags(await self._near(None, f"configuration-set/{name}"), want["tags"], whole)
            case Kind.CONFIGURATION_SET, _:
                await self._update_set(name, group or "", resource, whole)
            case Kind.EVENT_DESTINATION, _:
                set_name, _, own = name.partition("/")
                await ses.put_destination(set_name, own, _destination(want))
            case Kind.IDENTITY, "configuration_set":
                await ses.put_identity_set(name, want["configuration_set"])
            case Kind.IDENTITY, "dkim":
                await ses.put_dkim(name, signing=want["dkim_signing"])
            case Kind.IDENTITY, "mail_from":
                await ses.put_mail_from(name, want["mail_from"], behavior=want["mail_from_behavior"])
            case Kind.IDENTITY, "feedback":
                await ses.put_feedback(name, forwarding=want["feedback_forwarding"])
            case Kind.IDENTITY, "tags":
                await self._tags(await self._near(None, f"identity/{name}"), want["tags"], whole)
            case Kind.TENANT, "tags":
                await self._tags(await self._arn(name), want["tags"], whole)
            case Kind.TENANT, _:
                await ses.put_tenant_suppression(
                    name, scope=want["suppression_scope"], reasons=want["suppressed_reasons"]
                )
            case Kind.POLICY, "status":
                await ses.put_status(await self._arn(name), "ENABLED")
            case Kind.POLICY, _:
                await ses.put_policy(await self._arn(name), want["policy"])
            case Kind.ACCOUNT, "suppression":
                members = dict(observed.group(whole, "SuppressionAttributes"))
                await ses.put_account_suppression(
                    {**members, "SuppressedReasons": want["suppressed_reasons"]}
                )
            case Kind.ACCOUNT, "vdm":
                await ses.put_account_vdm(want["vdm"] or {"VdmEnabled": "DISABLED"})
            case _:
                raise SesError("NotPossible", reasons.no_call_for(str(change)))

    async def _update_set(self, name: str, group: str, resource: Resource, whole: Whole) -> None:
        want = cast("Mapping[str, Any]", resource.want)
        match group:
            case "suppression":
                members = dict(observed.group(whole, "SuppressionOptions"))
                members.pop("SuppressionScope", None)
                members.pop("SuppressedReasons", None)
                if want["suppressed_reasons"] is not None:
                    members["SuppressedReasons"] = want["suppressed_reasons"]
            case "delivery" | "tls_policy":
                group = "delivery"
                members = dict(observed.group(whole, "DeliveryOptions"))
                if (seconds := want.get("max_delivery_seconds")) is not None:
                    members["MaxDeliverySeconds"] = seconds
                if (tls_policy := want.get("tls_policy")) is not None:
                    members["TlsPolicy"] = tls_policy
                if (pool := want.get("sending_pool")) is not None:
                    members["SendingPoolName"] = pool
            case "sending":
                members = {"SendingEnabled": want["sending_enabled"]}
            case "tracking":
                # Neither member: the set has no redirect domain of its own.
                domain = want["tracking_domain"]
                members = {} if domain is None else {"CustomRedirectDomain": domain}
            case _:
                vdm = observed.group(whole, "VdmOptions")
                on = "ENABLED" if want["engagement"] else "DISABLED"
                dashboard = {**observed.group(vdm, "DashboardOptions"), "EngagementMetrics": on}
                members = {**vdm, "DashboardOptions": dashboard}
        await self._ses.put_set_group(name, group, members)

    async def _delete(self, resource: Resource) -> None:
        ses, name = self._ses, resource.name
        match resource.kind:
            case Kind.IP_POOL:
                await ses.delete_ip_pool(name)
            case Kind.CONFIGURATION_SET:
                await ses.delete_configuration_set(name)
            case Kind.EVENT_DESTINATION:
                set_name, _, own = name.partition("/")
                await ses.delete_destination(set_name, own)
            case Kind.IDENTITY:
                await ses.delete_identity(name)
            case Kind.TENANT:
                await ses.delete_tenant(name)
            case _:
                raise SesError("NotPossible", reasons.no_call_for(str(Change(resource, plan.DELETE))))

    async def _tags(self, arn: str, want: Sequence[Mapping[str, str]], whole: Whole) -> None:
        """One call for what is missing or different, one for what is too much."""
        wanted = {each["Key"]: each["Value"] for each in want}
        has = {each["Key"]: each["Value"] for each in whole.get("Tags") or ()}
        if missing := {key: value for key, value in wanted.items() if has.get(key) != value}:
            await self._ses.tag(arn, missing)
        if extra := sorted(set(has) - set(wanted)):
            await self._ses.untag(arn, extra)

    async def _arn(self, tenant: str) -> str:
        arn = await self._arn_of(tenant)
        if arn is None:
            raise SesError("NotYet", reasons.ses_tenant_missing(tenant))
        return arn

    async def _near(self, tenant: str | None, suffix: str) -> str:
        """The ARN of a resource, from the account and region in a tenant's ARN: of this one, else of any."""
        known = await self._arn_of(tenant) if tenant is not None else None
        known = known or await self._arn_of("")
        if known is None:
            raise SesError("NotYet", reasons.ses_tenant_missing(tenant or ""))
        return ":".join([*known.split(":", 5)[:5], suffix])


def _destination(want: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Enabled": want["enabled"],
        "MatchingEventTypes": list(want["events"]),
        "SnsDestination": {"TopicArn": want["topic"]},
    }


def _suffix(arn: str) -> str:
    """Such as identity/acme.example."""
    return arn.split(":", 5)[-1]
