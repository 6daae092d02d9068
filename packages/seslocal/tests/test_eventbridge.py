"""EventBridge with a real boto3 client: the rule that feeds the queue of management events can be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from botocore.exceptions import ClientError

from seslocal_fixtures.world import ACCOUNT, REGION, SESSION, World


@pytest.fixture
def events(world: World) -> Iterator[Any]:
    with closing(SESSION.client("events", endpoint_url=world.local.url)) as client:
        yield client


def refusal(act: Any, **given: Any) -> str:
    with pytest.raises(ClientError) as refused:
        act(**given)
    said: Any = refused.value.response
    return said["Error"]["Code"]


def test_the_rule_reads_as_what_feeds_the_queue(world: World, events: Any) -> None:
    assert refusal(events.describe_rule, Name="changes") == "ResourceNotFoundException"
    world.sqs.create_queue(QueueName="changes")
    world.admin("PUT", "/account", {"management_queue": "changes"})
    rule = events.describe_rule(Name="changes")
    assert (rule["State"], rule["EventPattern"]) == ("ENABLED", '{"source":["aws.ses"]}')
    assert rule["Arn"] == f"arn:aws:events:{REGION}:{ACCOUNT}:rule/changes"
    [target] = events.list_targets_by_rule(Rule="changes")["Targets"]
    assert target["Arn"] == f"arn:aws:sqs:{REGION}:{ACCOUNT}:changes"
    assert refusal(events.describe_rule, Name="other") == "ResourceNotFoundException"
    assert refusal(events.describe_rule, Name="changes", EventBusName="own") == "ResourceNotFoundException"
    assert refusal(events.put_rule, Name="changes", State="DISABLED") == "UnknownOperationException"


def test_a_key_reads_the_rule_only_with_a_policy_for_it(world: World) -> None:
    world.sqs.create_queue(QueueName="changes")
    world.admin("PUT", "/account", {"management_queue": "changes"})
    world.admin("PUT", "/keys/app", {"secret": "hidden"})
    for rule, allowed in (("changes", True), ("other", False)):
        statement = {
            "Effect": "Allow",
            "Action": "events:DescribeRule",
            "Resource": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}",
        }
        document = {"Version": "2012-10-17", "Statement": [statement]}
        world.admin("PUT", "/keys/app/policies", {"policies": [{"document": document}]})
        client = SESSION.client(
            "events",
            endpoint_url=world.local.url,
            aws_access_key_id="app",
            aws_secret_access_key="hidden",
        )
        with closing(client):
            if allowed:
                assert client.describe_rule(Name="changes")["State"] == "ENABLED"
            else:
                assert refusal(client.describe_rule, Name="changes") == "AccessDeniedException"
