"""SNS's nouns: topics and who subscribed to them. A topic that nobody made by hand feeds the queue of its own name;
one made through SNS has the subscriptions it was given and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Subscription:
    arn: str
    topic: str  #: name
    protocol: str  #: sqs, http or https
    endpoint: str  #: queue ARN or URL
    token: str  #: that confirms it
    confirmed: bool = False
    raw: bool = False  #: RawMessageDelivery


@dataclass(slots=True, eq=False)
class Topic:
    name: str
    arn: str
    signature_version: str = "1"  #: 1 is SHA-1, 2 is SHA-256
    display_name: str = ""
    subscriptions: dict[str, Subscription] = field(default_factory=dict[str, Subscription])  #: by ARN
    attributes: dict[str, str] = field(default_factory=dict[str, str])  #: kept and shown, of no effect
