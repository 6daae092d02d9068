"""Who may write to an event queue: the policy that it should have, and what is wrong with the one it has. Pure.

Without SNS's signatures this policy is all that proves an event (sns_signature.py). It must let the topics write, by
`aws:SourceArn`: the service's name alone lets every account's topics write. A queue's policy does not limit the account's own
users and roles, whose IAM policies may allow them to write; a denial of everybody but the topics does.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from mailcordon.messages import queues

_SEND = "sqs:sendmessage"
_ALLOWED_BY = ("ArnEquals", "ArnLike", "StringEquals", "StringLike")
_DENIED_UNLESS = ("ArnNotEquals", "ArnNotLike", "StringNotEquals", "StringNotLike")
_SOURCE = "aws:sourcearn"
#: What else is known of a call that an AWS service makes.
_OF_A_SERVICE = {
    "aws:securetransport": "true",
    "aws:principalisawsservice": "true",
    "aws:viaawsservice": "false",
}
_RULE = re.compile(r"arn:[a-z-]+:events:[a-z0-9-]+:\d+:rule/[^*?]+")


def queue_arn(url: str, *, region: str, topic: str) -> str:
    """The ARN of the queue with this URL, in the partition of `topic`. Raises ValueError."""
    account, name = urlsplit(url).path.strip("/").rsplit("/", 2)[-2:]
    return f"arn:{topic.split(':')[1]}:sqs:{region}:{account}:{name}"


def rule_arn(queue: str, name: str) -> str:
    """The ARN of EventBridge's rule of this name, in the queue's account and region."""
    _, partition, _, region, account, _ = queue.split(":", 5)
    return f"arn:{partition}:events:{region}:{account}:rule/{name}"


def policy(queue: str, topics: Iterable[str]) -> dict[str, Any]:
    """A policy by which these topics alone write to the queue."""
    return _policy(queue, sorted(topics), "TopicsSend", "sns.amazonaws.com")


def rule_policy(queue: str, rule: str) -> dict[str, Any]:
    """A policy by which this rule of EventBridge alone writes to the queue."""
    return _policy(queue, [rule], "RuleSends", "events.amazonaws.com")


def _policy(queue: str, sources: Sequence[str], sid: str, service: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": sid,
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "sqs:SendMessage",
                "Resource": queue,
                "Condition": {"ArnEquals": {"aws:SourceArn": sources}},
            },
            {
                "Sid": "NobodyElseSends",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sqs:SendMessage",
                "Resource": queue,
                "Condition": {"ArnNotEquals": {"aws:SourceArn": sources}},
            },
        ],
    }


@dataclass(frozen=True, slots=True)
class Fault:
    """`missing`: events do not arrive. `open`: others may write. `users`: only IAM keeps the account's users and roles out."""

    kind: Literal["missing", "open", "users"]
    says: str


def faults(
    text: str | None, *, needed: Iterable[str], allowed: Iterable[str], queue: str | None = None
) -> list[Fault]:
    """What is wrong with a queue's policy. `needed`: topics that must write; `allowed`: all that may; `queue`: its ARN, since a
    statement about another queue has no effect. None: it is not known."""
    try:
        statements = _about(queue, _statements(text))
        return _judge(statements, list(needed), set(allowed))
    except (ValueError, AttributeError, TypeError):
        return [Fault("open", queues.queue_policy_unreadable())]


def rule_faults(text: str | None, *, queue: str | None = None) -> list[Fault]:
    """What is wrong with the policy of a queue that some rule of EventBridge must write to, and rules alone may. `queue`: as in
    `faults`."""
    try:
        statements = _about(queue, _statements(text))
        found = _judge(statements, [], set())
        lets = any(
            one.get("Effect") == "Allow" and _covers_send(one) and _lets_a_rule(one) for one in statements
        )
        return found if lets else [Fault("missing", queues.queue_policy_lacks_rule()), *found]
    except (ValueError, AttributeError, TypeError):
        return [Fault("open", queues.queue_policy_unreadable())]


def lets_ses_publish(text: str, *, topic: str, source: str, account: str) -> bool:
    """Whether a topic's policy lets SES publish the events of a configuration set (`source`, its ARN). A policy that cannot be
    read, or has a condition that is not known here, does not."""
    request = {_SOURCE: source, "aws:sourceaccount": account, "aws:sourceowner": account, **_OF_A_SERVICE}
    return _allows(text, "sns:publish", topic, "ses.amazonaws.com", request)


def lets_topic_write(text: str | None, *, queue: str, topic: str) -> bool:
    """Whether a queue's policy lets this topic write to it. Without a policy it does not."""
    request = {_SOURCE: topic, "aws:sourceaccount": topic.split(":")[4], **_OF_A_SERVICE}
    return bool(text) and _allows(text, _SEND, queue, "sns.amazonaws.com", request)


def _allows(text: str, action: str, resource: str, service: str, request: Mapping[str, str]) -> bool:
    try:
        fits = [
            one
            for one in _statements(text)
            if _names(one, "Action", action)
            and _is_about(one, resource)
            and {"*", service} & set(_principals(one))
            and _holds(one, request)
        ]
    except (ValueError, AttributeError, TypeError):
        return False
    return any(one.get("Effect") == "Allow" for one in fits) and not any(
        one.get("Effect") == "Deny" for one in fits
    )


def _names(statement: Mapping[str, Any], member: str, value: str) -> bool:
    if f"Not{member}" in statement:
        return not any(fnmatchcase(value.lower(), one.lower()) for one in _texts(statement[f"Not{member}"]))
    return any(fnmatchcase(value.lower(), one.lower()) for one in _texts(statement.get(member)))


def _is_about(statement: Mapping[str, Any], resource: str) -> bool:
    """As IAM compares ARNs: `*` and `?` are wildcards, and case counts."""
    member = "NotResource" if "NotResource" in statement else "Resource"
    patterns = [one.replace("[", "[[]") for one in _texts(statement.get(member))]
    return any(fnmatchcase(resource, one) for one in patterns) == (member == "Resource")


def _about(queue: str | None, statements: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one for one in statements if queue is None or _is_about(one, queue)]


def _holds(statement: Mapping[str, Any], request: Mapping[str, str]) -> bool:
    """Whether all conditions of a statement hold. One that is not known counts as the worse: it holds in a denial."""
    conditions: Any = statement.get("Condition") or {}
    return all(
        _condition(
            operator, request.get(key.lower()), _texts(values), denies=statement.get("Effect") == "Deny"
        )
        for operator, keys in conditions.items()
        for key, values in keys.items()
    )


def _condition(operator: str, has: str | None, wanted: Sequence[str], *, denies: bool) -> bool:
    name = operator.removesuffix("IfExists")
    if name == "Null":
        return str(has is None).lower() in [one.lower() for one in wanted]
    if name not in (*_ALLOWED_BY, *_DENIED_UNLESS, "Bool"):
        return denies
    if has is None:
        return operator != name or name in _DENIED_UNLESS
    if name == "Bool":
        return has in [one.lower() for one in wanted]
    exact = name in ("StringEquals", "StringNotEquals")
    matches = any(has == one if exact else fnmatchcase(has, one) for one in wanted)
    return matches == (name in _ALLOWED_BY)


def _judge(statements: Sequence[Mapping[str, Any]], needed: list[str], topics: set[str]) -> list[Fault]:
    closed = any(_denies_others(one, topics) for one in statements)
    allowing = [one for one in statements if one.get("Effect") == "Allow" and _covers_send(one)]
    found = [
        Fault("missing", queues.queue_policy_lacks_topic(topic=topic))
        for topic in needed
        if not any(_lets(one, topic) for one in allowing)
    ]
    if not closed:
        found += [Fault("open", says) for one in allowing for says in _too_open(one, topics)]
        found.append(Fault("users", queues.queue_policy_leaves_users()))
    return found


def _statements(text: str | None) -> list[Mapping[str, Any]]:
    found = _list(cast("dict[str, Any]", json.loads(text)).get("Statement")) if text else []
    return [cast("dict[str, Any]", one) for one in found if isinstance(one, dict)]


def _covers_send(statement: Mapping[str, Any]) -> bool:
    if "NotAction" in statement:
        return not any(fnmatchcase(_SEND, one.lower()) for one in _texts(statement["NotAction"]))
    return any(fnmatchcase(_SEND, one.lower()) for one in _texts(statement.get("Action")))


def _sources(statement: Mapping[str, Any], operators: Sequence[str]) -> list[str]:
    """The values of aws:SourceArn in a statement's conditions."""
    conditions: Any = statement.get("Condition") or {}
    wanted = {name.lower() for name in operators}
    return [
        value
        for operator, keys in conditions.items()
        if operator.lower() in wanted
        for key, values in keys.items()
        if key.lower() == _SOURCE
        for value in _texts(values)
    ]


def _principals(statement: Mapping[str, Any]) -> list[str]:
    if "NotPrincipal" in statement:
        return ["*"]
    found: Any = statement.get("Principal")
    if isinstance(found, Mapping):
        return [one for values in cast("dict[str, Any]", found).values() for one in _texts(values)]
    return _texts(found)


def _lets(statement: Mapping[str, Any], topic: str) -> bool:
    if not {"*", "sns.amazonaws.com"} & set(_principals(statement)):
        return False
    sources = _sources(statement, _ALLOWED_BY)
    return not sources or any(fnmatchcase(topic, one) for one in sources)


def _lets_a_rule(statement: Mapping[str, Any]) -> bool:
    if not {"*", "events.amazonaws.com"} & set(_principals(statement)):
        return False
    sources = _sources(statement, _ALLOWED_BY)
    return not sources or any(_RULE.fullmatch(one) for one in sources)


def _too_open(statement: Mapping[str, Any], topics: set[str]) -> Iterator[str]:
    name = str(statement.get("Sid") or "")
    for principal in _principals(statement):
        if principal not in ("*", "sns.amazonaws.com", "events.amazonaws.com"):
            yield queues.queue_policy_lets_others(sid=name, who=principal[:200])
            return
    sources = _sources(statement, _ALLOWED_BY)
    if not sources:
        yield queues.queue_policy_without_source(sid=name)
    for source in sources:
        if not _may_write(source, topics):
            yield queues.queue_policy_lets_others(sid=name, who=source[:200])


def _denies_others(statement: Mapping[str, Any], topics: set[str]) -> bool:
    conditions: Any = statement.get("Condition") or {}
    sources = _sources(statement, _DENIED_UNLESS)
    return (
        statement.get("Effect") == "Deny"
        and _covers_send(statement)
        and _principals(statement) == ["*"]
        and "NotPrincipal" not in statement
        and sum(len(keys) for keys in conditions.values()) == 1
        and bool(sources)
        and all(_may_write(one, topics) for one in sources)
    )


def _may_write(source: str, topics: set[str]) -> bool:
    """One of the topics, or a rule of EventBridge in their account. A queue without topics has rules only."""
    if source in topics:
        return True
    accounts = {topic.split(":")[4] for topic in topics}
    return _RULE.fullmatch(source) is not None and (not accounts or source.split(":")[4] in accounts)


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _texts(value: object) -> list[str]:
    return [one for one in _list(value) if isinstance(one, str)]
