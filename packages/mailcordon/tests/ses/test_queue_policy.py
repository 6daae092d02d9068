"""Who may write to an event queue, as `doctor` judges its policy."""

import json
from typing import Any

import pytest

from mailcordon.adapters.ses.queue_policy import (
    faults,
    lets_ses_publish,
    lets_topic_write,
    policy,
    queue_arn,
    rule_arn,
    rule_faults,
    rule_policy,
)

TOPIC = "arn:aws:sns:eu-west-1:123456789012:outcome"
IDENTITY = "arn:aws:sns:eu-west-1:123456789012:identity"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:outcome"
RULE = "arn:aws:events:eu-west-1:123456789012:rule/ses"


def kinds(*statements: Any) -> list[str]:
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    return [fault.kind for fault in faults(text, needed=[TOPIC], allowed=[TOPIC, IDENTITY])]


def allow(**over: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE,
        "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}},
    } | over


[_, DENY] = policy(QUEUE, [TOPIC, IDENTITY])["Statement"]


def test_the_policy_that_is_printed_has_no_fault() -> None:
    assert kinds(*policy(QUEUE, [TOPIC, IDENTITY])["Statement"]) == []
    assert kinds(*policy(QUEUE, [TOPIC])["Statement"]) == []


@pytest.mark.parametrize(
    "over",
    [
        {},
        {"Condition": {"ArnLike": {"AWS:SourceArn": [TOPIC]}}},
        {"Condition": {"stringequals": {"aws:sourcearn": [TOPIC, IDENTITY]}}},
        {"Action": ["sqs:SendMessage", "sqs:GetQueueUrl"]},
        {"Principal": {"Service": ["sns.amazonaws.com"]}},
        {"Principal": "*"},
    ],
)
def test_only_our_topics_may_write_but_for_the_accounts_own_users(over: dict[str, Any]) -> None:
    assert kinds(allow(**over)) == ["users"]


@pytest.mark.parametrize(
    "over",
    [
        {"Condition": {}},
        {"Condition": None},
        {"Principal": "*", "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}},
        {"Action": "sqs:*", "Condition": {}},
        {"Action": "*", "Condition": {}},
        {"Action": "SQS:Send*", "Condition": {}},
        {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:123456789012:*"}}},
        {"Condition": {"ArnLike": {"aws:SourceArn": [TOPIC, "*"]}}},
    ],
)
def test_without_the_topics_arn_others_may_write(over: dict[str, Any]) -> None:
    assert kinds(allow(**over)) == ["open", "users"]
    assert kinds(allow(**over), DENY) == []


@pytest.mark.parametrize(
    "over",
    [
        {"Principal": {"AWS": "arn:aws:iam::123456789012:role/app"}, "Condition": {}},
        {"Principal": {"AWS": "123456789012"}},
        {"Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:sns:eu-west-1:999999999999:outcome"}}},
        {"NotPrincipal": {"AWS": "1"}, "Principal": None, "Condition": {}},
        {"NotAction": "sqs:ReceiveMessage", "Action": None, "Condition": {}},
    ],
)
def test_a_statement_for_others_is_named(over: dict[str, Any]) -> None:
    assert kinds(allow(), allow(**over)) == ["open", "users"]


def test_a_rule_of_eventbridge_may_write() -> None:
    rule = allow(
        Principal={"Service": "events.amazonaws.com"}, Condition={"ArnEquals": {"aws:SourceArn": RULE}}
    )
    assert kinds(allow(), rule) == ["users"]
    wide = allow(
        Principal={"Service": "events.amazonaws.com"},
        Condition={"ArnLike": {"aws:SourceArn": RULE.replace("ses", "*")}},
    )
    assert kinds(allow(), wide) == ["open", "users"]
    of_another_account = allow(
        Principal={"Service": "events.amazonaws.com"},
        Condition={"ArnEquals": {"aws:SourceArn": RULE.replace("123456789012", "999999999999")}},
    )
    assert kinds(allow(), of_another_account) == ["open", "users"]


@pytest.mark.parametrize(
    "change",
    [
        {"Condition": {"ArnNotEquals": {"aws:SourceArn": ["*"]}}},
        {"Condition": {"ArnNotEquals": {"aws:SourceArn": [TOPIC, "arn:aws:sns:eu-west-1:999999999999:x"]}}},
        {"Condition": {**DENY["Condition"], "Bool": {"aws:SecureTransport": "false"}}},
        {"Condition": {}},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:role/app"}},
        {"Action": "sqs:ReceiveMessage"},
    ],
)
def test_a_denial_of_less_than_everybody_else_closes_nothing(change: dict[str, Any]) -> None:
    assert kinds(allow(Condition={}), DENY | change) == ["open", "users"]


@pytest.mark.parametrize(
    "resource", ["*", QUEUE, QUEUE[:-2] + "*", [QUEUE + "-2", QUEUE], QUEUE.replace("123456789012", "*")]
)
def test_a_policy_about_this_queue_counts(resource: Any) -> None:
    text = json.dumps({"Statement": [allow(Resource=resource), DENY | {"Resource": resource}]})
    assert faults(text, needed=[TOPIC], allowed=[TOPIC, IDENTITY], queue=QUEUE) == []


@pytest.mark.parametrize(
    "resource",
    [QUEUE + "-2", QUEUE.upper(), QUEUE.replace("outcome", "[o]utcome"), QUEUE.replace("2:", "3:")],
)
def test_a_policy_about_another_queue_lets_no_event_arrive_and_closes_nothing(resource: str) -> None:
    def found(*statements: Any) -> list[str]:
        text = json.dumps({"Statement": list(statements)})
        return [one.kind for one in faults(text, needed=[TOPIC], allowed=[TOPIC, IDENTITY], queue=QUEUE)]

    other = {"Resource": resource}
    assert found(allow(**other), DENY) == ["missing"]
    assert found(allow(Condition={}), DENY | other) == ["open", "users"]
    rule = json.dumps({"Statement": [one | other for one in rule_policy(QUEUE, RULE)["Statement"]]})
    assert [one.kind for one in rule_faults(rule, queue=QUEUE)] == ["missing", "users"]


@pytest.mark.parametrize("text", [None, "", '{"Statement": []}'])
def test_without_a_policy_no_event_arrives(text: str | None) -> None:
    found = faults(text, needed=[TOPIC], allowed=[TOPIC])
    assert [fault.kind for fault in found] == ["missing", "users"]
    assert TOPIC in found[0].says


@pytest.mark.parametrize(
    "text", ["{", "[]", "7", '{"Statement": [{"Effect": "Allow", "Action": "*", "Condition": 7}]}']
)
def test_what_is_no_policy_is_said(text: str) -> None:
    assert [fault.kind for fault in faults(text, needed=[TOPIC], allowed=[TOPIC])] == ["open"]


@pytest.mark.parametrize(
    ("url", "arn"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/outcome", QUEUE),
        ("http://127.0.0.1:8005/123456789012/outcome", QUEUE),
    ],
)
def test_the_arn_of_a_queue_is_in_its_url(url: str, arn: str) -> None:
    assert queue_arn(url, region="eu-west-1", topic=TOPIC) == arn


def test_a_url_without_account_has_no_arn() -> None:
    with pytest.raises(ValueError, match="unpack"):
        queue_arn("https://sqs/outcome", region="eu-west-1", topic=TOPIC)


def rule_kinds(*statements: Any) -> list[str]:
    return [fault.kind for fault in rule_faults(json.dumps({"Statement": list(statements)}))]


def test_a_rule_of_eventbridge_must_be_let_in_and_rules_alone_may() -> None:
    events = {"Principal": {"Service": "events.amazonaws.com"}}
    by_rule = {**events, "Condition": {"ArnEquals": {"aws:SourceArn": RULE}}}
    assert rule_arn(QUEUE, "ses") == RULE
    assert rule_kinds(*rule_policy(QUEUE, RULE)["Statement"]) == []
    assert rule_kinds(allow(**by_rule)) == ["users"]
    assert rule_kinds(allow(**events, Condition=None)) == ["open", "users"]
    assert rule_kinds(allow()) == ["missing", "open", "users"]
    assert rule_kinds() == ["missing", "users"]
    assert [fault.kind for fault in rule_faults("no json")] == ["open"]


SET = "arn:aws:ses:eu-west-1:123456789012:configuration-set/mc-urgent"
ACCOUNT = "123456789012"
DENY_PLAIN_HTTP: dict[str, Any] = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sns:*",
    "Resource": TOPIC,
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def publish(**over: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Service": "ses.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": TOPIC,
    } | over


def ses_may(*statements: Any) -> bool:
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    return lets_ses_publish(text, topic=TOPIC, source=SET, account=ACCOUNT)


@pytest.mark.parametrize(
    "statement",
    [
        publish(),
        publish(Condition={"StringEquals": {"AWS:SourceAccount": ACCOUNT}}),
        publish(
            Condition={"ArnLike": {"aws:SourceArn": "arn:aws:ses:*:123456789012:configuration-set/mc-*"}}
        ),
        publish(Principal={"AWS": "*"}, Condition={"StringEquals": {"AWS:SourceOwner": ACCOUNT}}),
        publish(Condition={"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}),
        publish(Action=["sns:Subscribe", "SNS:Publish"]),
    ],
)
def test_a_topic_lets_ses_publish_for_a_set(statement: dict[str, Any]) -> None:
    assert ses_may(statement)
    assert ses_may(statement, DENY_PLAIN_HTTP)


@pytest.mark.parametrize(
    "statement",
    [
        publish(Principal={"Service": "events.amazonaws.com"}),
        publish(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
        publish(Action="sns:Subscribe"),
        publish(Resource=TOPIC + "-other"),
        publish(Condition={"StringEquals": {"aws:SourceAccount": "111111111111"}}),
        publish(Condition={"ArnEquals": {"aws:SourceArn": SET + "-other"}}),
        publish(Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),  # a service has none
        publish(Condition={"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),  # not known here
    ],
)
def test_a_topic_does_not_let_ses_publish_for_a_set(statement: dict[str, Any]) -> None:
    assert not ses_may(statement)


def test_a_denial_and_what_cannot_be_read_let_nobody_publish() -> None:
    assert not ses_may(publish(), publish(Effect="Deny", Condition={"ArnEquals": {"aws:SourceArn": SET}}))
    assert not ses_may(
        publish(), publish(Effect="Deny", Condition={"DateLessThan": {"aws:CurrentTime": "x"}})
    )
    for text in ("", "{", "[]", '{"Statement": [1]}'):
        assert not lets_ses_publish(text, topic=TOPIC, source=SET, account=ACCOUNT)


def test_the_printed_policy_of_a_queue_lets_its_topics_write_and_no_other() -> None:
    text = json.dumps(policy(QUEUE, [TOPIC]))
    assert lets_topic_write(text, queue=QUEUE, topic=TOPIC)
    assert not lets_topic_write(text, queue=QUEUE, topic=IDENTITY)
    assert not lets_topic_write(text, queue=QUEUE + "-other", topic=TOPIC)
    assert not lets_topic_write(None, queue=QUEUE, topic=TOPIC)
