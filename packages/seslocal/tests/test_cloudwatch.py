"""CloudWatch's API with a real boto3 client: what SES counts by itself and by configuration set, and who may read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from seslocal.state.hourly_counts import HOUR, HourlyCounts
from seslocal_fixtures.world import SESSION, World

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
START, END = NOON - timedelta(days=2), NOON + timedelta(days=2)
DAY = 86_400
SET = [{"Name": "ses:configuration-set", "Value": "acme-reset"}]


@pytest.fixture
def watch(world: World) -> Iterator[Any]:
    with closing(SESSION.client("cloudwatch", endpoint_url=world.local.url)) as client:
        yield client


def query(
    name: str, dimensions: list[dict[str, str]], stat: str = "Sum", period: int = DAY
) -> dict[str, Any]:
    metric = {"Namespace": "AWS/SES", "MetricName": name, "Dimensions": dimensions}
    return {"Id": "q0", "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}}


def points(watch: Any, *asked: Any, **more: Any) -> dict[datetime, float]:
    given: dict[str, Any] = {"StartTime": START, "EndTime": END, **more}
    [found] = watch.get_metric_data(MetricDataQueries=[query(*asked)], **given)["MetricDataResults"]
    assert found["StatusCode"] == "Complete"
    return dict(zip(found["Timestamps"], found["Values"], strict=True))


def test_what_ses_counts_can_be_read_by_account_tenant_set_and_tag(world: World, watch: Any) -> None:
    world.admin("PUT", "/clock", {"at": NOON.isoformat(), "frozen": True})
    world.admin("PUT", "/account", {"account_review": {"on": True}})
    world.ready(ReputationOptions={"ReputationMetricsEnabled": True})
    dimensions = [
        {"DimensionName": name, "DimensionValueSource": "MESSAGE_TAG", "DefaultDimensionValue": "none"}
        for name in ("ses:configuration-set", "customer")
    ]
    events = ["SEND", "BOUNCE"]
    for number, chosen in enumerate((dimensions[:1], dimensions[1:])):
        world.ses.create_configuration_set_event_destination(
            ConfigurationSetName="acme-reset",
            EventDestinationName=f"counts-{number}",
            EventDestination={
                "Enabled": True,
                "MatchingEventTypes": events,
                "CloudWatchDestination": {"DimensionConfigurations": chosen},
            },
        )
    world.bad_mailboxes()
    tag = [{"Name": "customer", "Value": "7"}]
    world.send("kim@bounces.example", EmailTags=tag)
    for name in ("kim", "lee", "ann"):
        world.send(f"{name}@good.example")
    world.admin("PUT", "/clock", {"advance": 60})
    day = NOON.replace(hour=0)
    assert points(watch, "Send", []) == {day: 4}
    assert points(watch, "Delivery", []) == {day: 3}
    assert points(watch, "Send", [], "Sum", HOUR) == {NOON: 4}
    assert points(watch, "Send", SET) == {day: 4}
    assert points(watch, "Send", tag) == {day: 1}
    assert points(watch, "Bounce", tag) == {day: 1}
    assert points(watch, "Send", [{"Name": "customer", "Value": "none"}]) == {day: 3}
    assert points(watch, "Reputation.BounceRate", [], "Average", HOUR) == {NOON: 0.25}
    assert points(watch, "Reputation.BounceRate", SET, "Average", HOUR) == {NOON: 0.25}
    assert points(watch, "Send", [], StartTime=END - timedelta(days=1)) == {}

    metrics = watch.list_metrics(Namespace="AWS/SES", MetricName="Sends")["Metrics"]
    [tenant] = [each["Dimensions"] for each in metrics]
    assert {each["Name"] for each in tenant} == {"TenantId", "TenantName"}
    assert points(watch, "Sends", tenant) == {day: 4}
    assert points(watch, "Bounces", tenant) == {day: 1}
    assert points(watch, "Sends", [{"Name": "TenantId", "Value": "tn-other"}, tenant[1]]) == {}
    [one] = watch.list_metrics(MetricName="Send", Dimensions=tag)["Metrics"]
    assert (one["Namespace"], one["Dimensions"]) == ("AWS/SES", tag)
    assert watch.list_metrics(Namespace="AWS/EC2")["Metrics"] == []


def refusal(watch: Any, **given: Any) -> str:
    with pytest.raises(ClientError) as refused:
        watch.get_metric_data(
            **{"MetricDataQueries": [query("Send", [])], "StartTime": START, "EndTime": END, **given}
        )
    return refused.value.response.get("Error", {}).get("Code", "")


def test_what_is_wrong_or_not_there_is_refused_as_cloudwatch_does(world: World, watch: Any) -> None:
    assert refusal(watch, EndTime=START) == "ValidationError"
    assert refusal(watch, MetricDataQueries=[query("Send", []), query("Send", [])]) == "ValidationError"
    expression = {"Id": "e", "Expression": "SUM(METRICS())"}
    assert refusal(watch, MetricDataQueries=[expression]) == "NotImplemented"
    with pytest.raises(ClientError, match="does not implement DescribeAlarms"):
        watch.describe_alarms()
    with pytest.raises(ClientError, match="InvalidNextToken"):
        watch.list_metrics(NextToken="what")
    world.admin("PUT", "/keys/reader", {"secret": "hidden"})
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "cloudwatch:ListMetrics", "Resource": "*"}],
    }
    world.admin("PUT", "/keys/reader/policies", {"policies": [{"document": document}]})
    reader = SESSION.client(
        "cloudwatch",
        endpoint_url=world.local.url,
        aws_access_key_id="reader",
        aws_secret_access_key="hidden",
    )
    with closing(reader):
        assert reader.list_metrics()["Metrics"] == []
        assert refusal(reader) == "AccessDenied"


def test_hours_are_bounded_and_the_oldest_goes_first() -> None:
    counts = HourlyCounts(most=2)
    one, other = ("Send", ()), ("Bounce", ())
    for at in (0.0, 10.0, HOUR):
        counts.add(one, at)
    assert counts.sums(one, 0, DAY, HOUR) == {0.0: 2, HOUR: 1}
    counts.add(other, HOUR)
    assert counts.sums(one, 0, DAY, HOUR) == {HOUR: 1}
    counts.add(("Open", ()), HOUR)
    assert counts.dropped == 1
