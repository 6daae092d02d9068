"""What the policy of a topic or queue does not let a service do: SES publishing to a topic, a topic writing to a queue."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config

from seslocal.iam import resource_policies
from seslocal.iam.conditions import Unknown
from seslocal_fixtures.world import SESSION, World

ACCOUNT = "123456789012"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:outcome"
SET = f"arn:aws:ses:us-east-1:{ACCOUNT}:configuration-set/mc-urgent"


def policy(*, effect: str = "Allow", principal: Any = None, condition: Any = None, **over: Any) -> str:
    statement = {
        "Effect": effect,
        "Principal": principal or {"Service": "ses.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": TOPIC,
        **({"Condition": condition} if condition else {}),
        **over,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def may(text: str) -> bool:
    return resource_policies.allows(
        text, resource_policies.SES, "sns:Publish", TOPIC, source=SET, account=ACCOUNT
    )


@pytest.mark.parametrize(
    "text",
    [
        policy(),
        policy(principal="*"),
        policy(principal={"Service": ["events.amazonaws.com", "ses.amazonaws.com"]}),
        policy(condition={"StringEquals": {"AWS:SourceAccount": ACCOUNT}}),
        policy(
            condition={"ArnLike": {"aws:SourceArn": "arn:aws:ses:us-east-1:123456789012:configuration-set/*"}}
        ),
        policy(principal={"AWS": "*"}, condition={"StringEquals": {"AWS:SourceOwner": ACCOUNT}}),
    ],
)
def test_ses_may_publish_where_a_statement_names_it_and_its_source(text: str) -> None:
    assert may(text)


@pytest.mark.parametrize(
    "text",
    [
        policy(principal={"Service": "sns.amazonaws.com"}),
        policy(principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
        policy(Action="sns:Subscribe"),
        policy(Resource=f"arn:aws:sns:us-east-1:{ACCOUNT}:other"),
        policy(condition={"StringEquals": {"aws:SourceAccount": "111111111111"}}),
        policy(condition={"ArnEquals": {"aws:SourceArn": SET + "-other"}}),
        policy(
            condition={"StringEquals": {"ses:TenantName": "mc-acme"}}
        ),  # a key that the call does not have
        policy(effect="Deny", principal="*"),
    ],
)
def test_ses_may_not_publish_where_no_statement_allows_it(text: str) -> None:
    assert not may(text)


def test_a_denial_wins_over_what_allows() -> None:
    both = json.loads(policy())["Statement"] + json.loads(policy(effect="Deny", principal="*"))["Statement"]
    assert not may(json.dumps({"Statement": both}))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        json.dumps({"Statement": [{"Effect": "Allow", "Action": "sns:Publish", "Resource": TOPIC}]}),
        policy(condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
        policy(condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
        json.dumps({"Statement": [None]}),
    ],
)
def test_what_is_not_evaluated_is_refused_and_allows_nothing(text: str) -> None:
    with pytest.raises(Unknown):
        resource_policies.check(text)
    assert not may(text)


@pytest.fixture
def sns(world: World) -> Iterator[Any]:
    client = SESSION.client(
        "sns", endpoint_url=world.local.url, config=Config(retries={"total_max_attempts": 1})
    )
    yield client
    client.close()


@pytest.mark.parametrize(
    ("publishes", "writes", "arrives"),
    [(True, True, True), (False, True, False), (True, False, False), (None, None, True)],
)
def test_a_mails_events_reach_a_queue_only_where_both_policies_let_them(
    world: World, sns: Any, publishes: bool | None, writes: bool | None, arrives: bool
) -> None:
    """None: without a policy."""
    world.ready()
    topic: str = sns.create_topic(Name="events")["TopicArn"]
    url = world.sqs.create_queue(QueueName="events")["QueueUrl"]
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:events"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    if publishes is not None:
        text = policy(Resource=topic, Action="sns:Publish" if publishes else "sns:Subscribe")
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=text)
    if writes is not None:
        text = policy(
            principal={"Service": "sns.amazonaws.com"},
            condition={"ArnEquals": {"aws:SourceArn": topic if writes else topic + "-other"}},
            Action="sqs:SendMessage",
            Resource=queue,
        )
        world.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": text})
    world.send("kim@example.com")
    if arrives:
        assert world.kinds(2) == ["Send", "Delivery"]
    else:
        assert world.silent()


def test_a_policy_that_is_not_evaluated_cannot_be_set(world: World, sns: Any) -> None:
    topic: str = sns.create_topic(Name="events")["TopicArn"]
    with pytest.raises(sns.exceptions.ClientError, match="aws:SourceIp"):
        sns.set_topic_attributes(
            TopicArn=topic,
            AttributeName="Policy",
            AttributeValue=policy(condition={"StringEquals": {"aws:SourceIp": "10.0.0.1"}}),
        )
    url = world.sqs.create_queue(QueueName="events")["QueueUrl"]
    with pytest.raises(world.sqs.exceptions.ClientError, match="Policy"):
        world.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": "{"})
