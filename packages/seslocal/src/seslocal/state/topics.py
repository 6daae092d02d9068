"""SNS topics and subscriptions. A topic that was not created through SNS feeds the queue of the same name; one that was created
through SNS has only its subscriptions."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Subscription:
    arn: str
    topic: str  #: name
    protocol: str  #: sqs, http or https
    endpoint: str  #: queue ARN or URL
    token: str  #: confirms it
    confirmed: bool = False
    raw: bool = False  #: RawMessageDelivery


@dataclass(slots=True, eq=False)
class Topic:
    name: str
    arn: str
    signature_version: str = "1"  #: 1 is SHA-1, 2 is SHA-256
    display_name: str = ""
    subscriptions: dict[str, Subscription] = field(default_factory=dict[str, Subscription])  #: by ARN
    attributes: dict[str, str] = field(
        default_factory=dict[str, str]
    )  #: stored and shown; `Policy` is asked when SES publishes
