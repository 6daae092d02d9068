"""What `mailcordon doctor --aws` asks of the way of events: queues, topics, and EventBridge's rule for management events."""

import json
from collections.abc import Mapping
from typing import Any, cast

from botocore.exceptions import ClientError

from mailcordon.adapters.ses import boto_calls, queue_policy
from mailcordon.config import MANAGEMENT_QUEUE, Config
from mailcordon.messages import doctor_aws as messages
from mailcordon.run.aws_account import Aws, is_denied
from mailcordon.run.finding import Finding

RULE = "EventBridge rule"
LEAST_RETENTION = 7 * 86_400


async def queue(aws: Aws, kind: str) -> list[Finding]:
    about = f"{kind} queue attributes"
    url = getattr(aws.config, f"{kind}_queue_url")
    said = await aws.call("sqs", "observe", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])
    has: Mapping[str, str] = said.get("Attributes", {})
    found: list[Finding] = []
    if has.get("RedrivePolicy"):
        found.append(Finding(about, "bad", messages.queue_redrives(kind=kind), False))
    keeps = int(has.get("MessageRetentionPeriod", 0))
    if keeps < LEAST_RETENTION:
        found.append(Finding(about, "warn", messages.queue_forgets(kind=kind, seconds=keeps), False))
    waiting = int(has.get("ApproximateNumberOfMessages", 0))
    return found or [
        Finding(about, "ok", messages.queue_ok(kind=kind, days=keeps // 86_400, waiting=waiting))
    ]


def topic_do(config: Config, kind: str) -> str:
    if kind == "outcome":
        return "create it (docs/aws.md), or give the role administer what `mailcordon iam administer` prints"
    arn = config.engagement_topic_arn
    return f"look with a login that may: aws sns list-subscriptions-by-topic --topic-arn {arn}"


async def topic(aws: Aws, kind: str) -> list[Finding]:
    """Whether it exists and feeds the queue. No role may read the engagement topic: that it cannot be read is a warning."""
    about = f"{kind} topic"
    arn, url = getattr(aws.config, f"{kind}_topic_arn"), getattr(aws.config, f"{kind}_queue_url")
    try:
        await aws.call("sns", "administer", "get_topic_attributes", TopicArn=arn)
        subscribed: list[str] = []
        more: dict[str, str] = {}
        while True:
            page = await aws.call("sns", "administer", "list_subscriptions_by_topic", TopicArn=arn, **more)
            subscribed += [str(one["Endpoint"]) for one in page.get("Subscriptions", ())]
            if not page.get("NextToken"):
                break
            more = {"NextToken": page["NextToken"]}
    except ClientError as error:
        if kind == "outcome" or not is_denied(error):
            raise
        says = messages.cannot(
            what=about, why="no role of Mailcordon may read it", do=topic_do(aws.config, kind)
        )
        return [Finding(about, "warn", says, False)]
    queue = queue_policy.queue_arn(url, region=aws.config.region, topic=arn)
    if queue not in subscribed:
        return [Finding(about, "bad", messages.topic_unsubscribed(kind=kind, topic=arn, queue=queue), False)]
    return [Finding(about, "ok", messages.topic_ok(kind=kind, subscriptions=len(subscribed)))]


async def rule(aws: Aws) -> list[Finding]:
    """Whether the rule that feeds the queue of management events exists, is on, takes SES's events, and has the queue as target.

    The printed policies do not allow these two calls: no process needs them. Without the right, the answer is how to look.
    """
    config = aws.config
    url = config.management_queue_url
    if url is None:
        return [Finding(RULE, "warn", messages.no_rule(), False)]
    fed = queue_policy.queue_arn(url, region=config.region, topic=config.outcome_topic_arn or "arn:aws")
    arn = queue_policy.rule_arn(fed, MANAGEMENT_QUEUE)
    try:
        said = await aws.call("events", "administer", "describe_rule", Name=MANAGEMENT_QUEUE)
        targets = await aws.call("events", "administer", "list_targets_by_rule", Rule=MANAGEMENT_QUEUE)
    except ClientError as error:
        if is_denied(error):
            return [Finding(RULE, "warn", messages.rule_not_read(rule=arn), False)]
        if boto_calls.failure(error).error.code == "ResourceNotFoundException":
            return [Finding(RULE, "bad", messages.rule_missing(rule=arn), False)]
        raise
    if said.get("State") == "DISABLED":
        return [Finding(RULE, "bad", messages.rule_off(rule=MANAGEMENT_QUEUE), False)]
    found = [] if _takes_ses(said.get("EventPattern")) else [messages.rule_of_others(rule=MANAGEMENT_QUEUE)]
    if fed not in [one.get("Arn") for one in targets.get("Targets", ())]:
        found.append(messages.rule_without_target(rule=MANAGEMENT_QUEUE, queue=fed))
    if found:
        return [Finding(RULE, "bad", says, False) for says in found]
    return [Finding(RULE, "ok", messages.rule_ok(rule=MANAGEMENT_QUEUE))]


def _takes_ses(pattern: str | None) -> bool:
    """Whether the pattern asks for events of SES at all. What it takes of them is not judged."""
    try:
        read: Any = json.loads(pattern or "")
    except ValueError:
        return False
    return isinstance(read, dict) and "aws.ses" in cast("dict[str, Any]", read).get("source", ())
