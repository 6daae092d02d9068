"""Configuration sets and event destinations that SES refuses, and CloudWatch counts."""

from __future__ import annotations

from typing import Any

import pytest

from seslocal_fixtures.world import TOPIC, World

SNS = {"SnsDestination": {"TopicArn": TOPIC}}


def dimension(name: str = "stream", default: str = "none", source: str = "MESSAGE_TAG") -> dict[str, str]:
    return {"DimensionName": name, "DimensionValueSource": source, "DefaultDimensionValue": default}


def cloudwatch(*dimensions: dict[str, str]) -> dict[str, Any]:
    return {"CloudWatchDestination": {"DimensionConfigurations": list(dimensions)}}


@pytest.mark.parametrize(
    ("target", "events", "why"),
    [
        (SNS, [], "At least one event type must be specified."),
        ({}, ["SEND"], "Event destination is not provided."),
        (SNS | cloudwatch(dimension()), ["SEND"], "Please provide only one destination with each request."),
        (cloudwatch(), ["SEND"], "CloudWatch metrics dimension configuration list cannot be empty."),
        (cloudwatch(dimension("a b")), ["SEND"], "Invalid dimension name <a b>"),
        (cloudwatch(dimension(default="#")), ["SEND"], "Invalid default dimension value <#>"),
        (cloudwatch(dimension(), dimension()), ["SEND"], "Dimension names must be unique"),
        (cloudwatch(*(dimension(f"d{n}") for n in range(11))), ["SEND"], "at most 10 dimensions"),
    ],
)
def test_an_invalid_event_destination_is_refused(
    world: World, target: dict[str, Any], events: list[str], why: str
) -> None:
    world.ses.create_configuration_set(ConfigurationSetName="s")
    status, _, message = world.refused(
        world.ses.create_configuration_set_event_destination,
        ConfigurationSetName="s",
        EventDestinationName="d",
        EventDestination={"Enabled": True, "MatchingEventTypes": events, **target},
    )
    assert (status, why in message) == (400, True), message


def test_event_destinations_need_different_names(world: World) -> None:
    world.configuration_set("s")
    target: Any = {"Enabled": True, "MatchingEventTypes": ["SEND"], **SNS}
    names: Any = {"ConfigurationSetName": "s", "EventDestinationName": "d-SnsDestination"}
    create = world.ses.create_configuration_set_event_destination
    assert world.refused(create, **names, EventDestination=target) == (
        400,
        "AlreadyExistsException",
        "An event destination with name <d-SnsDestination> already exists for configuration set <s>.",
    )
    names["EventDestinationName"] = "no"
    update = world.ses.update_configuration_set_event_destination
    assert world.refused(update, **names, EventDestination=target) == (
        404,
        "NotFoundException",
        "An event destination with name <no> does not exist for configuration set <s>.",
    )


def test_a_set_name_filter_needs_three_letters(world: World) -> None:
    for name in ("Acme-reset", "other"):
        world.ses.create_configuration_set(ConfigurationSetName=name)
    listed = world.ses.list_configuration_sets
    found = listed(Filter={"CONFIGURATION_SET_NAME_CONTAINS": "aCME"})["ConfigurationSets"]
    assert found == ["Acme-reset"]
    assert world.refused(listed, Filter={"CONFIGURATION_SET_NAME_CONTAINS": "ac"})[0] == 400


def test_tracking_needs_a_domain_for_its_policy(world: World) -> None:
    world.ses.create_configuration_set(ConfigurationSetName="s")
    put = world.ses.put_configuration_set_tracking_options
    refused = world.refused(put, ConfigurationSetName="s", HttpsPolicy="REQUIRE")
    assert refused == (400, "BadRequestException", "CustomRedirectDomain must be specified.")


def test_an_update_keeps_members_that_are_left_out(world: World) -> None:
    world.ses.create_configuration_set(ConfigurationSetName="s")
    scheme: Any = {"SigningScheme": {"DefaultScheme": {}}}
    world.ses.update_configuration_set(ConfigurationSetName="s", MessageSecurityOptions=scheme)
    world.ses.update_configuration_set(ConfigurationSetName="s")
    assert world.ses.get_configuration_set(ConfigurationSetName="s")["MessageSecurityOptions"] == scheme


def test_cloudwatch_counts_by_tags_and_headers_or_else_by_the_default(world: World) -> None:
    world.ready(events=["DELIVERY"])
    dimensions = dimension(), dimension("X-Kind", source="EMAIL_HEADER"), dimension("ses:from-domain")
    world.destination("acme-reset", cloudwatch(*dimensions), ["SEND", "DELIVERY"])
    tags = [{"Name": "stream", "Value": "news"}]
    simple = {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}
    headed = {"Simple": {**simple, "Headers": [{"Name": "X-Kind", "Value": "letter"}]}}
    for _ in range(2):
        world.send("kim@example.com", EmailTags=tags, Content=headed)
    world.send("kim@example.com")
    world.events(3)
    shown = world.admin("GET", "/cloudwatch")
    assert shown["dropped"] == 0
    domain = {"ses:from-domain": "mail.acme.example"}
    sums = [(m["metric"], m["dimensions"], m["sum"]) for m in shown["metrics"]]
    assert sorted(sums, key=str) == sorted(
        [
            (metric, {"stream": stream, "X-Kind": kind, **domain}, count)
            for metric in ("Send", "Delivery")
            for stream, kind, count in (("news", "letter", 2), ("none", "none", 1))
        ],
        key=str,
    )
