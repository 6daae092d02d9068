"""Daily metrics: what is counted, by which dimensions, and how much is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from seslocal.state.vdm_metrics import DAY, Metrics, Series
from seslocal_fixtures.world import World

DAY_1 = datetime(2026, 3, 1, tzinfo=UTC)
DAY_2 = datetime(2026, 3, 2, tzinfo=UTC)
DAY_3 = datetime(2026, 3, 3, tzinfo=UTC)
VDM: Any = {"VdmEnabled": "ENABLED", "DashboardAttributes": {"EngagementMetrics": "ENABLED"}}
HTML: Any = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Html": {"Data": "<p>Hi</p>"}}}}


@pytest.fixture
def watched(world: World) -> World:
    world.admin("PUT", "/clock", {"at": "2026-03-01T12:00:00Z", "frozen": True})
    world.ready(events=["SEND"])
    world.ses.put_account_vdm_attributes(VdmAttributes=VDM)
    return world


def query(metric: str, start: datetime = DAY_1, end: datetime = DAY_3, **dimensions: str) -> dict[str, Any]:
    asked: dict[str, Any] = {"Id": metric, "Namespace": "VDM", "Metric": metric, "StartDate": start}
    return {**asked, "EndDate": end, **({"Dimensions": dimensions} if dimensions else {})}


def counts(world: World, *queries: dict[str, Any]) -> list[list[int]]:
    answer = world.ses.batch_get_metric_data(Queries=list(queries))
    assert answer["Errors"] == []
    return [result["Values"] for result in answer["Results"]]


def advance(world: World, seconds: float = 10) -> None:
    world.admin("PUT", "/clock", {"advance": seconds})


def test_each_day_has_a_sum_and_the_end_date_is_excluded(watched: World) -> None:
    watched.send("kim@example.com")
    advance(watched, DAY)
    for _ in range(2):
        watched.send("kim@example.com")
    advance(watched)
    [result] = watched.ses.batch_get_metric_data(Queries=[query("SEND")])["Results"]
    assert (result["Id"], result["Timestamps"], result["Values"]) == ("SEND", [DAY_1, DAY_2], [1, 2])
    assert counts(watched, query("SEND", end=DAY_2), query("COMPLAINT")) == [[1], []]


def test_each_outcome_has_its_own_metric(watched: World) -> None:
    watched.mailbox("gone@example.com", "bounces")
    watched.mailbox("full@example.com", "bounces", subtype="MailboxFull")
    watched.mailbox("angry@example.com", "complains")
    for name in ("gone", "full", "angry", "kim"):
        watched.send(f"{name}@example.com")
    watched.send("kim@gmail.com")
    advance(watched)
    watched.send("gone@example.com")  # suppressed now: counts as sent but not as a bounce
    watched.send("kim@example.com", "lee@example.com")
    watched.send("bounce@simulator.amazonses.com")
    advance(watched)
    names = ["SEND", "DELIVERY", "PERMANENT_BOUNCE", "TRANSIENT_BOUNCE", "COMPLAINT", "DELIVERY_COMPLAINT"]
    assert counts(watched, *map(query, names)) == [[6], [3], [1], [1], [1], [2]]


def test_opens_count_once_per_mail_and_deliveries_by_tracking(watched: World) -> None:
    message_id = watched.send("kim@example.com", Content=HTML)
    watched.send("kim@example.com", tenant=None, configuration_set=None)  # no set: nothing is tracked
    advance(watched)
    html = watched.http("GET", f"/_seslocal/sent/{message_id}/html")[1].decode()
    pixel = html.partition('src="')[2].partition('"')[0].partition(watched.host)[2]
    for _ in range(2):
        watched.http("GET", pixel)
    names = ["DELIVERY", "DELIVERY_OPEN", "DELIVERY_CLICK", "OPEN", "CLICK"]
    assert counts(watched, *map(query, names)) == [[2], [1], [1], [1], []]


def test_dimensions_filter_the_counts(watched: World) -> None:
    watched.domain("other.example")
    watched.send("kim@gmail.com")
    watched.send("kim@example.com", sender="a@other.example", tenant=None, configuration_set=None)
    advance(watched)
    for dimensions, wanted in (
        ({"TENANT_NAME": "acme"}, [1]),
        ({"TENANT_NAME": "no"}, []),
        ({"EMAIL_IDENTITY": "other.example"}, [1]),
        ({"CONFIGURATION_SET": "acme-reset", "ISP": "Gmail", "TENANT_NAME": "acme"}, [1]),
        ({"CONFIGURATION_SET": "acme-reset", "ISP": "UNKNOWN_ISP"}, []),
    ):
        asked = {**query("SEND"), "Dimensions": dimensions}
        assert counts(watched, asked) == [wanted], dimensions


@pytest.mark.parametrize(
    ("queries", "why"),
    [
        ([query("SEND"), query("SEND")], "All queries must have a unique identifier."),
        ([query("SEND", end=DAY_1)], "Expected start date to be before the end date."),
        ([query("SEND", end=datetime(2026, 5, 1, tzinfo=UTC))], "Invalid interval, can request at most 60"),
        ([query("SEND", EMAIL_IDENTITY="@x")], "Invalid email identity provided."),
        ([query("SEND", ISP="a b")], "Invalid ISP name provided."),
        ([query("SEND", CONFIGURATION_SET="")], "The configuration set name must be specified."),
        ([query("SEND", TENANT_NAME="a b")], "Invalid tenant name <a b>: only alphanumeric"),
    ],
)
def test_invalid_metric_queries_are_refused(watched: World, queries: Any, why: str) -> None:
    refused = watched.refused(watched.ses.batch_get_metric_data, Queries=queries)
    assert (refused[0], refused[2].startswith(why)) == (400, True), refused


def test_nothing_is_counted_while_vdm_is_off(world: World) -> None:
    assert world.refused(world.ses.batch_get_metric_data, Queries=[query("SEND")])[:2] == (
        404,
        "NotFoundException",
    )


def test_the_oldest_day_is_dropped_beyond_the_limit() -> None:
    metrics = Metrics(most=3)
    series = [Series(f"{n}.example", None, "Gmail", None) for n in range(5)]
    metrics.count("SEND", series[0], 0)
    for one in series[1:3]:
        metrics.count("SEND", one, DAY)
    metrics.count("SEND", series[3], DAY)  # drops day 0
    assert list(metrics.by_day("SEND", {}, 0, 9 * DAY).items()) == [(DAY, 3)]
    metrics.count("SEND", series[4], DAY)  # one day alone is beyond the limit
    metrics.count("SEND", series[3], DAY)
    assert metrics.by_day("SEND", {}, 0, 9 * DAY) == {DAY: 4}
    assert metrics.dropped == 1


def test_a_domain_identity_includes_its_addresses() -> None:
    own = Series("kim@acme.example", None, "Gmail", None)
    assert own.fits({"EMAIL_IDENTITY": ("acme.example",)})
    assert own.fits({"EMAIL_IDENTITY": ("kim@acme.example",)})
    assert not own.fits({"EMAIL_IDENTITY": ("lee@acme.example",)})
    assert not own.fits({"TENANT_NAME": ("*",)})
