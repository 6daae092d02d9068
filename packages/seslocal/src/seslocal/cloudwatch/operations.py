"""ListMetrics and GetMetricData: what SES tells CloudWatch by itself (state/ses_metrics.py), what CloudWatch destinations count
(state/cloudwatch.py), and the account's reputation. Counts are kept by hour, so a shorter period has its sum at the hour's start;
a reputation is known as it is now, at the hour that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from seslocal.errors import ApiError
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.hourly_counts import HOUR, Dimensions, HourlyCounts
from seslocal.state.ses_metrics import SET, TENANT
from seslocal.wire import paging
from seslocal.wire.params import Params

NAMESPACE: Final = "AWS/SES"
MOST_QUERIES: Final = 500
MOST_POINTS: Final = 100_800
_PAGE: Final = 500
_WEEK: Final = 7 * 86400
_TENANT_ID: Final = "TenantId"
_RATES: Final = {"Reputation.BounceRate": "Bounce", "Reputation.ComplaintRate": "Complaint"}
_ONE: Final = ("Average", "Maximum", "Minimum")  #: SES sends a sample of 1 for each recipient


def list_metrics(account: Account, params: Params, caller: Caller) -> Params:
    wanted: list[Params] = params.get("Dimensions", [])
    found = [
        {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": _shown(dimensions)}
        for metric, dimensions in _series(account)
        if params.get("Namespace", NAMESPACE) == NAMESPACE
        and params.get("MetricName", metric) == metric
        and all(_has(dimensions, each) for each in wanted)
    ]
    shown, more = paging.page(
        "metrics", found, _key, {"PageSize": _PAGE, **params}, most=_PAGE, refusal="InvalidNextToken"
    )
    return {"Metrics": shown, **more}


def get_metric_data(account: Account, params: Params, caller: Caller) -> Params:
    queries: list[Params] = params["MetricDataQueries"]
    if len(queries) > MOST_QUERIES:
        raise _wrong(f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}.")
    if len({query["Id"] for query in queries}) < len(queries):
        raise _wrong("The values for parameter id in MetricDataQueries must be unique.")
    start, end = params["StartTime"], params["EndTime"]
    if start >= end:
        raise _wrong("The parameter StartTime must be less than the parameter EndTime.")
    newest_first = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    results = [_result(account, query, start, end, newest_first) for query in queries]
    if sum(len(result["Values"]) for result in results) > MOST_POINTS:
        raise _wrong(f"seslocal answers at most {MOST_POINTS:,} data points in one call: ask for fewer.")
    return {"MetricDataResults": results, "Messages": []}


def _result(account: Account, query: Params, start: float, end: float, newest_first: bool) -> Params:
    stat: Params | None = query.get("MetricStat")
    if stat is None:
        raise ApiError("NotImplementedException", "seslocal computes no expressions of CloudWatch.")
    metric: Params = stat["Metric"]
    period: int = stat["Period"]
    if period % 60:
        raise _wrong("The parameter Period must be a multiple of 60.")
    points: dict[float, float] = {}
    if metric.get("Namespace") == NAMESPACE:
        dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", ())}
        points = _points(account, metric.get("MetricName", ""), dimensions, stat["Stat"], start, end, period)
    shown = sorted(points.items(), reverse=newest_first)
    return {
        "Id": query["Id"],
        "Label": query.get("Label") or metric.get("MetricName", ""),
        "Timestamps": [at for at, _ in shown],
        "Values": [float(value) for _, value in shown],
        "StatusCode": "Complete",
    }


def _points(
    account: Account, name: str, given: dict[str, str], stat: str, start: float, end: float, period: float
) -> dict[float, float]:
    if name in _RATES:
        rate = _reputation(account, name, tuple(sorted(given.items())))
        at = account.clock.now() // HOUR * HOUR
        return {} if rate is None or not start <= at < end else {at // period * period: rate}
    tenant = account.tenants.get(given.get(TENANT, ""))
    if tenant is not None and given.pop(_TENANT_ID, None) not in (None, tenant.id):
        return {}
    series = name, tuple(sorted(given.items()))
    found: dict[float, float] = {}
    for counts in _counts(account):
        for at, count in counts.sums(series, start, end, period).items():
            found[at] = found.get(at, 0) + count
    match stat:
        case "Sum" | "SampleCount":
            return found
        case _ if stat in _ONE:
            return dict.fromkeys(found, 1.0)
        case _:
            raise ApiError("NotImplementedException", f"seslocal has no statistic {stat[:32]}.")


def _counts(account: Account) -> tuple[HourlyCounts, HourlyCounts]:
    return account.mail.ses_metrics.counts, account.events.cloudwatch.hours


def _series(account: Account) -> Iterator[tuple[str, Dimensions]]:
    for counts in _counts(account):
        for metric, dimensions in counts.series():
            name = dict(dimensions).get(TENANT)
            if name is not None and (tenant := account.tenants.get(name)) is not None:
                dimensions = ((_TENANT_ID, tenant.id), *dimensions)
            yield metric, dimensions
    for metric in _RATES:
        for dimensions in ((), *(((SET, name),) for name in account.configuration_sets)):
            if _reputation(account, metric, dimensions) is not None:
                yield metric, dimensions


def _reputation(account: Account, metric: str, dimensions: Dimensions) -> float | None:
    """None: it is not published. A set's is of its mail of the last seven days."""
    if not dimensions:
        review = account.sending.review
        review.move(account.clock.now())
        volume = review.bounces if _RATES[metric] == "Bounce" else review.complaints
        return volume.rate if volume.mails else None
    [(name, value), *more] = dimensions
    found = account.configuration_sets.get(value) if name == SET and not more else None
    if found is None or not found.options["ReputationOptions"]["ReputationMetricsEnabled"]:
        return None
    now = account.clock.now()
    sent, bad = (
        sum(
            account.mail.ses_metrics.of_sets.sums((event, dimensions), now - _WEEK, now + HOUR, HOUR).values()
        )
        for event in ("Send", _RATES[metric])
    )
    return bad / sent if sent else None


def _key(metric: Params) -> str:
    return "\n".join(
        [metric["MetricName"], *(f"{each['Name']}={each['Value']}" for each in metric["Dimensions"])]
    )


def _shown(dimensions: Dimensions) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions]


def _has(dimensions: Dimensions, wanted: Params) -> bool:
    return any(name == wanted["Name"] and wanted.get("Value", value) == value for name, value in dimensions)


def _wrong(message: str) -> ApiError:
    return ApiError("ValidationError", message)


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], dict[str, Any]]]] = {
    "GetMetricData": get_metric_data,
    "ListMetrics": list_metrics,
}
