"""CloudWatch's metrics of SES (namespace AWS/SES): which are asked for, and what they say of account, tenants, sets, tags. Pure.

SES counts the account by itself, and SES tenants (ses.md 1.9). A configuration set is counted only if it has a CloudWatch
destination, whose dimensions are tags of the mail (ses.md 4.1), so a tag that names a tenant tells tenants apart that share
everything. A bounce of CloudWatch may be a soft one that SES gave up.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from mailcordon.control.assess.account import Account, Count, Days, Reputation, Watched
from mailcordon.control.assess.forecast import SERIES_OF_A_CALL
from mailcordon.control.assess.harm import added
from mailcordon.control.assess.owners import TENANT_TAGS, By, Owners, Rules, slug

NAMESPACE = "AWS/SES"
SET, DOMAIN, TENANT, TENANT_ID = "ses:configuration-set", "ses:from-domain", "TenantName", "TenantId"
#: Of the account and of destinations, and of tenants.
_SENT, _DELIVERED, _BOUNCED, _COMPLAINED = "sent", "delivered", "bounced", "complained"
_COUNTS: Mapping[str, str] = {
    "Send": _SENT,
    "Delivery": _DELIVERED,
    "Bounce": _BOUNCED,
    "Complaint": _COMPLAINED,
    "Sends": _SENT,
    "Bounces": _BOUNCED,
    "Complaints": _COMPLAINED,
}
_OF_ACCOUNT = ("Send", "Delivery", "Bounce", "Complaint")
_RATES = {"Reputation.BounceRate": "bounces", "Reputation.ComplaintRate": "complaints"}
_DAY = 86_400
_RATE_DAYS = 3  #: in which a reputation was published last, or it is not known
MOST_SERIES = 20_000  #: metrics that are read; those of tenants and sets first

Dimensions = tuple[tuple[str, str], ...]  #: sorted by name


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    dimensions: Dimensions


def wanted(listed: Iterable[Mapping[str, Any]] | None, tags: Collection[str] = ()) -> list[Metric]:
    """Those that say something of the account, a tenant, a set, a From domain or a tag that names a tenant. `listed`: None if the
    list could not be read; then only the account's are asked for. `tags`: names of tags of rules."""
    naming = {SET, DOMAIN, TENANT, *tags}
    found = [Metric(name, ()) for name in (*_OF_ACCOUNT, *_RATES)]
    for each in listed or ():
        dimensions = tuple(
            sorted((str(one["Name"]), str(one["Value"])) for one in each.get("Dimensions") or ())
        )
        metric = Metric(str(each.get("MetricName")), dimensions)
        names = {name for name, _ in dimensions}
        if metric.name in _RATES:
            if names == {SET}:
                found.append(metric)
        elif metric.name in _COUNTS and (
            names & naming or any(name.lower() in TENANT_TAGS for name in names)
        ):
            found.append(metric)
    # Series with fewer dimensions say more each.
    return sorted(dict.fromkeys(found), key=lambda one: len(one.dimensions))[:MOST_SERIES]


def batches(metrics: Sequence[Metric], today: date, weeks: int) -> list[dict[str, Any]]:
    """The members of each GetMetricData call: counts by day of the weeks before today, and rates of the last days."""
    end = datetime.combine(today, time(), UTC)
    found: list[dict[str, Any]] = []
    for rates, begins, ends in (
        (False, end - timedelta(weeks=weeks), end),
        (True, end - timedelta(days=_RATE_DAYS), end + timedelta(days=1)),
    ):
        asked = [(place, one) for place, one in enumerate(metrics) if (one.name in _RATES) is rates]
        for at in range(0, len(asked), SERIES_OF_A_CALL):
            queries = [_query(place, one) for place, one in asked[at : at + SERIES_OF_A_CALL]]
            found.append(
                {
                    "MetricDataQueries": queries,
                    "StartTime": int(begins.timestamp()),
                    "EndTime": int(ends.timestamp()),
                    "ScanBy": "TimestampAscending",
                }
            )
    return found


def _query(place: int, metric: Metric) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    of = {"Namespace": NAMESPACE, "MetricName": metric.name, "Dimensions": dimensions}
    stat = "Average" if metric.name in _RATES else "Sum"
    return {"Id": f"m{place}", "MetricStat": {"Metric": of, "Period": _DAY, "Stat": stat}}


#: Numbers of one series, by day and by what was counted.
_Series = dict[date, dict[str, int]]


def watched(
    metrics: Sequence[Metric],
    results: Iterable[Mapping[str, Any]],
    defaults: Mapping[str, Collection[str]],
) -> Watched:
    """`results`: of all calls. `defaults`: values that destinations give to mail without a tag, by the tag's name: nobody's."""
    series: dict[Dimensions, _Series] = defaultdict(lambda: defaultdict(dict))
    rates: dict[str, dict[str, float]] = defaultdict(dict)
    for result in results:
        metric = metrics[int(str(result["Id"])[1:])]
        points = list(zip(result.get("Timestamps") or (), result.get("Values") or (), strict=False))
        if metric.name in _RATES:
            if points:
                rates[dict(metric.dimensions).get(SET, "")][_RATES[metric.name]] = float(points[-1][1])
            continue
        what = _COUNTS[metric.name]
        for at, value in points:
            numbers = series[metric.dimensions][day_of(at)]
            numbers[what] = numbers.get(what, 0) + round(float(value))
    tags = {
        name
        for dimensions in series
        for name, _ in dimensions
        if name not in (SET, DOMAIN, TENANT, TENANT_ID)
    }
    return Watched(
        days=_days([series[()]]) if () in series else {},
        of_tenant=_by(series, TENANT, ()),
        of_set=_by(series, SET, defaults.get(SET, ())),
        of_domain=_by(series, DOMAIN, defaults.get(DOMAIN, ())),
        of_tag={
            (name, value): days
            for name in sorted(tags)
            for value, days in _by(series, name, defaults.get(name, ())).items()
        },
        rates={name: Reputation(**of) for name, of in rates.items()},
    )


def _by(series: Mapping[Dimensions, _Series], name: str, nobody: Collection[str]) -> dict[str, Days]:
    """Days by the values of a dimension. A mail is counted once in each combination of dimensions that a destination has, so one
    combination is taken, and that with most mail."""
    families: dict[str, dict[tuple[str, ...], list[_Series]]] = defaultdict(lambda: defaultdict(list))
    for dimensions, numbers in series.items():
        value = dict(dimensions).get(name)
        if value is not None and value not in nobody:
            families[value][tuple(each for each, _ in dimensions)].append(numbers)
    found: dict[str, Days] = {}
    for value, of in families.items():
        each_way = [_days(each) for each in of.values()]
        found[value] = max(each_way, key=lambda days: sum(count.sent for count in days.values()))
    return found


def _days(of: Iterable[_Series]) -> dict[date, Count]:
    found: dict[date, Count] = {}
    for series in of:
        for day, numbers in series.items():
            bounced = numbers.get(_BOUNCED, 0)
            # A destination may have no Send events: what was delivered or bounced was sent.
            sent = max(numbers.get(_SENT, 0), numbers.get(_DELIVERED, 0) + bounced)
            found[day] = found.get(day, Count()) + Count(sent, bounced, numbers.get(_COMPLAINED, 0))
    return found


def day_of(at: Any) -> date:
    """Of a time as ISO 8601 text, or seconds since 1970."""
    if isinstance(at, str):
        return datetime.fromisoformat(at).astimezone(UTC).date()
    return datetime.fromtimestamp(float(at), UTC).date()


# Tags that name tenants ---------------------------------------------------------------------------------------------------


def tagged(account: Account, rules: Rules) -> dict[str, Days]:
    """Counts by slug, of tags that a rule or their own name says to be a tenant's."""
    found: dict[str, dict[str, Days]] = defaultdict(dict)  # by slug and the tag's name
    for (name, value), days in account.watched.of_tag.items():
        own = _tenant(name, value, rules)
        if own is not None:
            before = found[own].get(name, {})
            found[own][name] = added((before, days))
    # Two tags may name the same mail.
    return {
        own: max(of.values(), key=lambda days: sum(count.sent for count in days.values()))
        for own, of in found.items()
    }


def add_to(found: Owners, account: Account, rules: Rules) -> None:
    """A tenant whose tag only one configuration set counts uses that set, and the identity whose default only it is."""
    sets_of: dict[str, list[str]] = defaultdict(list)
    for each in account.sets:
        for name in {name for one in each.destinations or () for name in one.defaults}:
            sets_of[name].append(each.name)
    identities: dict[str, list[str]] = defaultdict(list)
    for each in account.identities:
        identities[each.configuration_set or ""].append(each.name)
    for name, value in account.watched.of_tag:
        own = _tenant(name, value, rules)
        if own is None or len(sets_of[name]) != 1:
            continue
        [set_name] = sets_of[name]
        by = By.RULE if (name, value) in rules.tags else By.TAG
        _use(found.of_set[set_name], own, by)
        if len(identities[set_name]) == 1:
            _use(found.of_identity[identities[set_name][0]], own, by)


def _use(owned: dict[str, By], own: str, by: By) -> None:
    """Mail that says whose it is is better than a guess by names."""
    for guessed in [
        each for each, how in owned.items() if how in (By.SIBLING, By.ORGANISATION) and each != own
    ]:
        del owned[guessed]
    owned.setdefault(own, by)


def _tenant(name: str, value: str, rules: Rules) -> str | None:
    return rules.tags.get((name, value)) or (slug(value) if name.lower() in TENANT_TAGS else None)
