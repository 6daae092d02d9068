"""Reads an SES account: first the lists, which say how much there is, then each thing. Only operations of `READS` are asked for.

A right that is missing costs a few calls, is remembered, and leaves what it would have told unknown. Nothing is guessed instead.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from typing import Any, Protocol, TypeVar

from mailcordon.control.administration import SesError, Whole
from mailcordon.control.assess import cloudwatch, forecast
from mailcordon.control.assess.account import (
    CONFIGURATION_SET,
    EMAIL_IDENTITY,
    ISP,
    TENANT_NAME,
    Account,
    ConfigurationSet,
    Count,
    DedicatedIp,
    Destination,
    Identity,
    Missing,
    Pool,
    Recommendation,
    SesTenant,
    State,
    Watched,
    Why,
)
from mailcordon.control.assess.cloudwatch import Metric, day_of
from mailcordon.control.observed import group

T = TypeVar("T")

#: Every operation of SES that an assessment asks for: each reads. `mailcordon iam assess` allows them and no other.
READS = (
    "BatchGetMetricData",
    "GetAccount",
    "GetConfigurationSet",
    "GetConfigurationSetEventDestinations",
    "GetDedicatedIpPool",
    "GetDedicatedIps",
    "GetEmailIdentity",
    "GetSendStatistics",
    "GetTenant",
    "ListConfigurationSets",
    "ListDedicatedIpPools",
    "ListEmailIdentities",
    "ListRecommendations",
    "ListReputationEntities",
    "ListSuppressedDestinations",
    "ListTenantResources",
    "ListTenants",
)
#: And of CloudWatch.
WATCHES = (forecast.WATCH_CALLS, forecast.WATCH_LIST)
WEEKS = 8  #: of counts that are read; VDM answers at most 60 days
PATIENCE = 3  #: refusals of an operation that was never answered, before it is not asked any more
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"})
NOT_RECORDED = "NotRecorded"  #: code of the error of a recording without an answer
_GONE = "NotFoundException"
_KINDS = {
    "SnsDestination": ("SNS", "TopicArn"),
    "EventBridgeDestination": ("EventBridge", "EventBusArn"),
    "KinesisFirehoseDestination": ("Firehose", "DeliveryStreamArn"),
    "CloudWatchDestination": ("CloudWatch", ""),
    "PinpointDestination": ("Pinpoint", "ApplicationArn"),
}
_Which = tuple[tuple[str, str], ...]  #: dimensions and their values


class Source(Protocol):
    """SES, or a recording of it. Raises SesError."""

    async def call(self, operation: str, **members: Any) -> Whole: ...

    async def pages(self, operation: str, member: str, **members: Any) -> Sequence[Any]:
        """All items of a list."""
        ...

    async def suppressed(self) -> Mapping[str, int]:
        """Entries of the account's suppression list by reason. Addresses are counted and not kept."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """What there is. None: the list could not be read."""

    state: State | None
    identities: Sequence[str]
    sets: Sequence[str]
    tenants: Sequence[Whole]
    pools: Sequence[str]
    ips: Sequence[DedicatedIp]
    entities: Mapping[str, Whole]  #: by the tenant's ARN
    recommendations: Sequence[Recommendation]
    suppressed: Mapping[str, int] | None
    metrics: Sequence[Metric] = ()  #: of CloudWatch

    def forecast(self) -> forecast.Forecast:
        vdm = self.state is None or self.state.vdm
        found = forecast.of(
            identities=len(self.identities),
            sets=len(self.sets),
            tenants=len(self.tenants),
            vdm=vdm,
            watch_calls=len(cloudwatch.batches(self.metrics, date.min + timedelta(weeks=2 * WEEKS), WEEKS)),
        )
        return forecast.Forecast(calls={**found.calls, "GetDedicatedIpPool": len(self.pools)})


Say = Callable[[str, int, int], None]  #: operation, calls made of it, calls that it takes


@dataclass(slots=True)
class _Refused:
    missing: Missing
    answered: bool = False


@dataclass(slots=True)
class Reading:
    source: Source
    region: str
    today: date
    say: Say = lambda operation, done, of: None
    tags: frozenset[str] = frozenset()  #: names of tags of rules, which name tenants
    _refused: dict[str, _Refused] = field(default_factory=dict[str, _Refused])
    _answered: set[str] = field(default_factory=set[str])

    async def lists(self) -> Lists:
        whole = await self._ask("GetAccount", self._call("GetAccount"))
        state = None if whole is None else _state(whole)
        identities = await self._listed("ListEmailIdentities", "EmailIdentities")
        sets = await self._listed("ListConfigurationSets", "ConfigurationSets")
        tenants = await self._listed("ListTenants", "Tenants")
        entities: Sequence[Any] = ()
        if tenants:
            entities = await self._listed("ListReputationEntities", "ReputationEntities")
        pools = await self._listed("ListDedicatedIpPools", "DedicatedIpPools")
        ips = await self._listed("GetDedicatedIps", "DedicatedIps")
        advised = await self._listed(
            "ListRecommendations", "Recommendations", Filter={"STATUS": "OPEN"}
        )  # one filter by itself is allowed (ses.md 1.1)
        suppressed = await self._ask("ListSuppressedDestinations", self.source.suppressed)
        metrics = await self._ask(
            forecast.WATCH_LIST,
            lambda: self.source.pages(forecast.WATCH_LIST, "Metrics", Namespace=cloudwatch.NAMESPACE),
        )
        return Lists(
            state=state,
            identities=[each["IdentityName"] for each in identities],
            sets=list(sets),
            tenants=tenants,
            pools=list(pools),
            ips=[_ip(each) for each in ips],
            entities={each["ReputationEntityReference"]: each for each in entities},
            recommendations=[_recommendation(each) for each in advised],
            suppressed=suppressed,
            metrics=cloudwatch.wanted(metrics, self.tags),
        )

    async def read(self, lists: Lists) -> Account:
        """Everything of what is listed."""
        identities = await self._each(lists.identities, self._identity, "GetEmailIdentity")
        sets = await self._each(lists.sets, self._set, "GetConfigurationSet")
        tenants = await self._each(
            lists.tenants, lambda each: self._tenant(each, lists.entities), "ListTenantResources"
        )
        pools = await self._each(lists.pools, self._pool, "GetDedicatedIpPool")
        account = Account(
            region=self.region,
            on=self.today,
            state=lists.state,
            identities=identities,
            sets=sets,
            tenants=tenants,
            pools=pools,
            ips=lists.ips,
            suppressed=lists.suppressed,
            recommendations=lists.recommendations,
        )
        account = await self._with_counts(account)
        account = replace(account, watched=await self._watched(account, lists.metrics))
        return replace(account, missing=[each.missing for each in self._refused.values()])

    # Each thing ---------------------------------------------------------------------------------------------------------

    async def _identity(self, name: str) -> Identity | None:
        whole = await self._ask("GetEmailIdentity", self._call("GetEmailIdentity", EmailIdentity=name))
        if whole is None:
            return None
        dkim, mail_from = group(whole, "DkimAttributes"), group(whole, "MailFromAttributes")
        return Identity(
            name=name,
            verified=bool(whole.get("VerifiedForSendingStatus")),
            configuration_set=whole.get("ConfigurationSetName"),
            signing=bool(dkim.get("SigningEnabled")),
            dkim=str(dkim.get("Status") or "NOT_STARTED"),
            mail_from=mail_from.get("MailFromDomain"),
            mail_from_status=mail_from.get("MailFromDomainStatus"),
            forwarding=bool(whole.get("FeedbackForwardingStatus")),
            policies=tuple(sorted(group(whole, "Policies"))),
            tags=_tags(whole),
        )

    async def _set(self, name: str) -> ConfigurationSet | None:
        named = {"ConfigurationSetName": name}
        whole = await self._ask("GetConfigurationSet", self._call("GetConfigurationSet", **named))
        operation = "GetConfigurationSetEventDestinations"
        found = await self._ask(operation, self._call(operation, **named))
        if whole is None:
            return None
        suppression, delivery = group(whole, "SuppressionOptions"), group(whole, "DeliveryOptions")
        reasons = suppression.get("SuppressedReasons")
        return ConfigurationSet(
            name=name,
            sending=bool(group(whole, "SendingOptions").get("SendingEnabled", True)),
            pool=delivery.get("SendingPoolName"),
            scope=suppression.get("SuppressionScope"),
            reasons=None if reasons is None else frozenset(reasons),
            tags=_tags(whole),
            destinations=None
            if found is None
            else tuple(_destination(each) for each in found.get("EventDestinations") or ()),
        )

    async def _tenant(self, listed: Whole, entities: Mapping[str, Whole]) -> SesTenant:
        name = str(listed["TenantName"])
        whole = await self._ask("GetTenant", self._call("GetTenant", TenantName=name))
        operation = "ListTenantResources"
        resources = await self._ask(
            operation, lambda: self.source.pages(operation, "TenantResources", TenantName=name)
        )
        arns = [str(each["ResourceArn"]) for each in resources or ()]
        entity = entities.get(str(listed.get("TenantArn"))) or {}
        policy = entity.get("ReputationManagementPolicy")
        return SesTenant(
            name=name,
            status=str(listed.get("SendingStatus") or "ENABLED"),
            scope=group(group(whole, "Tenant"), "SuppressionAttributes").get("SuppressionScope"),
            scope_known=whole is not None,
            policy=str(policy).rpartition("/")[2] if policy else None,
            impact=entity.get("ReputationImpact"),
            identities=_named(arns, "identity"),
            sets=_named(arns, "configuration-set"),
            resources_known=resources is not None,
        )

    async def _pool(self, name: str) -> Pool | None:
        whole = await self._ask("GetDedicatedIpPool", self._call("GetDedicatedIpPool", PoolName=name))
        if whole is None:
            return None
        return Pool(name=name, mode=str(group(whole, "DedicatedIpPool").get("ScalingMode") or "STANDARD"))

    # Counts -------------------------------------------------------------------------------------------------------------

    async def _lately(self) -> dict[date, Count]:
        found = await self._ask(forecast.STATISTICS, self._call(forecast.STATISTICS))
        days: dict[date, Count] = {}
        for point in (found or {}).get("SendDataPoints") or ():
            day = day_of(point["Timestamp"])
            count = (int(point.get(name) or 0) for name in ("DeliveryAttempts", "Bounces", "Complaints"))
            days[day] = days.get(day, Count()) + Count(*count)
        return days

    async def _with_counts(self, account: Account) -> Account:
        account = replace(account, lately=await self._lately())
        if account.state is not None and not account.state.vdm:
            self._refused[forecast.METRIC_CALLS] = _Refused(
                Missing(operation=forecast.METRIC_CALLS, why=Why.OFF)
            )
            return account
        whose: list[tuple[str, str]] = [(TENANT_NAME, each.name) for each in account.tenants]
        whose += [(EMAIL_IDENTITY, name) for name in _not_one_tenants(account, "identities")]
        whose += [(CONFIGURATION_SET, name) for name in _not_one_tenants(account, "sets")]
        providers: list[_Which] = [((ISP, name),) for name in forecast.PROVIDERS]
        found = await self._counts_of([(), *providers, *((each,) for each in whose)])
        of: dict[str, dict[str, dict[date, Count]]] = {
            TENANT_NAME: {},
            EMAIL_IDENTITY: {},
            CONFIGURATION_SET: {},
            ISP: {},
        }
        for which, days in found.items():
            for kind, name in which:
                of[kind][name] = days
        # Most tenants mail few providers, and what sent nothing need not be asked for.
        both = await self._counts_of(
            [
                (each, isp)
                for each, isp in product(whose, [one for [one] in providers if one[1] in of[ISP]])
                if each[1] in of[each[0]]
            ]
        )
        of_provider: dict[tuple[str, str], dict[str, Count]] = {}
        for (each, (_, provider)), days in both.items():
            of_provider.setdefault(each, {})[provider] = sum(days.values(), Count())
        return replace(
            account,
            days=found.get((), {}),
            of_tenant=of[TENANT_NAME],
            of_identity=of[EMAIL_IDENTITY],
            of_set=of[CONFIGURATION_SET],
            by_provider={name: sum(days.values(), Count()) for name, days in of[ISP].items()},
            of_provider=of_provider,
        )

    async def _watched(self, account: Account, metrics: Sequence[Metric]) -> Watched:
        defaults: dict[str, set[str]] = {}
        for each in account.sets:
            for destination in each.destinations or ():
                for name, value in destination.defaults.items():
                    defaults.setdefault(name, set()).add(value)
        results: list[Whole] = []
        for members in cloudwatch.batches(metrics, self.today, WEEKS):
            more: Mapping[str, Any] = {}
            while True:
                page = await self._ask(
                    forecast.WATCH_CALLS, self._call(forecast.WATCH_CALLS, **members, **more)
                )
                results += (page or {}).get("MetricDataResults") or ()
                if not (page or {}).get("NextToken"):
                    break
                more = {"NextToken": (page or {})["NextToken"]}
        return cloudwatch.watched(metrics, results, defaults)

    async def _counts_of(self, wanted: Sequence[_Which]) -> dict[_Which, dict[date, Count]]:
        """VDM's counts of each combination of dimensions that has some."""
        queries = [(which, metric) for which in wanted for metric in forecast.METRICS]
        found: dict[_Which, dict[date, Count]] = {}
        batches = [queries[at : at + forecast.QUERIES] for at in range(0, len(queries), forecast.QUERIES)]
        for done, batch in enumerate(batches):
            self.say(forecast.METRIC_CALLS, done, len(batches))
            await self._counts(batch, found)
        return {which: days for which, days in found.items() if days}

    async def _counts(
        self, batch: Sequence[tuple[_Which, str]], found: dict[_Which, dict[date, Count]]
    ) -> None:
        end = datetime.combine(self.today, time(), UTC)
        start = end - timedelta(weeks=WEEKS)
        queries = [
            {
                "Id": f"q{place}",
                "Namespace": "VDM",
                "Metric": metric,
                **({"Dimensions": dict(which)} if which else {}),
                "StartDate": int(start.timestamp()),
                "EndDate": int(end.timestamp()),
            }
            for place, (which, metric) in enumerate(batch)
        ]
        whole = await self._ask(forecast.METRIC_CALLS, self._call(forecast.METRIC_CALLS, Queries=queries))
        for result in (whole or {}).get("Results") or ():
            which, metric = batch[int(str(result["Id"])[1:])]
            days = found.setdefault(which, {})
            for at, value in zip(result.get("Timestamps") or (), result.get("Values") or (), strict=False):
                days[day_of(at)] = days.get(day_of(at), Count()) + _count(metric, int(value))

    # Calls --------------------------------------------------------------------------------------------------------------

    def _call(self, operation: str, **members: Any) -> Callable[[], Awaitable[Whole]]:
        return lambda: self.source.call(operation, **members)

    async def _listed(self, operation: str, member: str, **members: Any) -> Sequence[Any]:
        found = await self._ask(operation, lambda: self.source.pages(operation, member, **members))
        return found or ()

    async def _each(
        self, of: Sequence[Any], read: Callable[[Any], Awaitable[T | None]], operation: str
    ) -> list[T]:
        found: list[T] = []
        for done, each in enumerate(of):
            self.say(operation, done, len(of))
            one = await read(each)
            if one is not None:
                found.append(one)
        return found

    async def _ask(self, operation: str, ask: Callable[[], Awaitable[T]]) -> T | None:
        """None: it is not known why or what, and `missing` says so; or the thing is gone since it was listed."""
        before = self._refused.get(operation)
        if before is not None and before.missing.calls >= PATIENCE and operation not in self._answered:
            before.missing = replace(before.missing, calls=before.missing.calls + 1)
            return None
        try:
            found = await ask()
        except SesError as error:
            if error.code == _GONE and operation.startswith("Get"):
                return None
            why = Why.DENIED if error.code in _DENIED else Why.FAILED
            if error.code == NOT_RECORDED:
                why = Why.NOT_RECORDED
            calls = 1 if before is None else before.missing.calls + 1
            said = str(error).partition(": ")[2]
            self._refused[operation] = _Refused(Missing(operation=operation, why=why, said=said, calls=calls))
            return None
        self._answered.add(operation)
        return found


def _state(whole: Whole) -> State:
    quota = group(whole, "SendQuota")
    return State(
        enforcement=str(whole.get("EnforcementStatus") or "HEALTHY"),
        sending=bool(whole.get("SendingEnabled")),
        production=bool(whole.get("ProductionAccessEnabled")),
        max_24h=float(quota.get("Max24HourSend") or 0),
        max_rate=float(quota.get("MaxSendRate") or 0),
        sent_24h=float(quota.get("SentLast24Hours") or 0),
        reasons=frozenset(group(whole, "SuppressionAttributes").get("SuppressedReasons") or ()),
        vdm=group(whole, "VdmAttributes").get("VdmEnabled") == "ENABLED",
        auto_warm_up=bool(whole.get("DedicatedIpAutoWarmupEnabled")),
    )


def _destination(whole: Whole) -> Destination:
    kind, target = "other", ""
    for member, (name, arn) in _KINDS.items():
        if member in whole:
            kind, target = name, str(group(whole, member).get(arn) or "")
    dimensions = group(whole, "CloudWatchDestination").get("DimensionConfigurations") or ()
    return Destination(
        name=str(whole.get("Name") or ""),
        enabled=bool(whole.get("Enabled")),
        events=frozenset(whole.get("MatchingEventTypes") or ()),
        kind=kind,
        target=target,
        defaults={str(each["DimensionName"]): str(each["DefaultDimensionValue"]) for each in dimensions},
    )


def _ip(whole: Whole) -> DedicatedIp:
    return DedicatedIp(
        ip=str(whole.get("Ip")),
        pool=str(whole.get("PoolName") or ""),
        status=str(whole.get("WarmupStatus") or ""),
        percentage=int(whole.get("WarmupPercentage") or 0),
    )


def _recommendation(whole: Whole) -> Recommendation:
    return Recommendation(
        about=str(whole.get("ResourceArn") or ""),
        type=str(whole.get("Type") or ""),
        impact=str(whole.get("Impact") or ""),
        says=str(whole.get("Description") or ""),
    )


def _tags(whole: Whole) -> dict[str, str]:
    return {str(each.get("Key")): str(each.get("Value") or "") for each in whole.get("Tags") or ()}


def _named(arns: Sequence[str], kind: str) -> tuple[str, ...]:
    """Names of the ARNs of a kind: `arn:aws:ses:REGION:ACCOUNT:identity/acme.example`."""
    parts = [arn.split(":", 5)[-1].partition("/") for arn in arns]
    return tuple(sorted(name for found, _, name in parts if found == kind))


def _not_one_tenants(account: Account, resources: str) -> list[str]:
    """Names of identities or sets whose mail is not that of exactly one SES tenant: their counts are read by themselves."""
    users: dict[str, int] = {}
    for tenant in account.tenants:
        for name in getattr(tenant, resources):
            users[name] = users.get(name, 0) + 1
    return [each.name for each in getattr(account, resources) if users.get(each.name, 0) != 1]


def _count(metric: str, value: int) -> Count:
    match metric:
        case "SEND":
            return Count(sent=value)
        case "COMPLAINT":
            return Count(complained=value)
        case _:
            return Count(bounced=value)
