"""Looks at what is between a configuration set and the observer: the SNS topic, its subscription and the SQS queue's policy.

Read through boto3 in worker threads, and only when events of a proof or of other mail did not come. What this login may not read
is returned as unread, and the proof or the loss says so.
"""

import asyncio
import threading
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from mailcordon.adapters.ses import queue_policy
from mailcordon.control.proofs import Fault
from mailcordon.messages import proofs as messages

_MISSING = ("NotFound", "NotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


class EventRoad:
    """Implements `control.proving.RoadLook` for one topic and queue. `profile` is an AWS profile to sign with, instead of keys.

    `local`: a topic that nobody created leads to the queue of the same name (seslocal).
    """

    def __init__(
        self,
        *,
        topic: str,
        queue_url: str | None,
        region: str,
        sns_endpoint: str | None,
        sqs_endpoint: str | None,
        credentials: tuple[str | None, str | None],
        local: bool,
        profile: str | None = None,
    ) -> None:
        self._topic, self._queue_url, self._region, self._local = topic, queue_url, region, local
        self._endpoints = {"sns": sns_endpoint, "sqs": sqs_endpoint}
        self._credentials = credentials if profile is None else (None, None)
        self._profile = profile
        self._clients: dict[str, Any] = {}
        self._making = threading.Lock()

    async def faults(self, configuration_set: str) -> tuple[list[Fault], list[str]]:
        return await asyncio.to_thread(self._look, configuration_set)

    async def waiting(self) -> tuple[int | None, str | None]:
        """How many messages the queue has, those in an observer's hands included; or why that could not be read. Not exact at
        AWS."""
        return await asyncio.to_thread(self._waiting)

    def _waiting(self) -> tuple[int | None, str | None]:
        if self._queue_url is None:
            return None, None
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        try:
            found = self._client_of("sqs").get_queue_attributes(
                QueueUrl=self._queue_url, AttributeNames=names
            )
        except (ClientError, BotoCoreError) as error:
            return None, str(error)[:300]
        return sum(int(found.get("Attributes", {}).get(name, 0)) for name in names), None

    def _look(self, configuration_set: str) -> tuple[list[Fault], list[str]]:
        found: list[Fault] = []
        unread: list[str] = []
        for look in (self._topic_faults, self._queue_faults):
            try:
                found += look(configuration_set)
            except (ClientError, BotoCoreError, ValueError) as error:
                unread.append(str(error)[:300])
        return found, unread

    def _topic_faults(self, configuration_set: str) -> list[Fault]:
        sns, topic = self._client_of("sns"), self._topic
        try:
            attributes: dict[str, str] = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
        except ClientError as error:
            if not _is_missing(error):
                raise
            return [] if self._local else [Fault("topic", messages.no_topic(topic))]
        account = topic.split(":")[4]
        source = (
            f"arn:{topic.split(':')[1]}:ses:{self._region}:{account}:configuration-set/{configuration_set}"
        )
        policy = attributes.get("Policy")
        if policy and not queue_policy.lets_ses_publish(policy, topic=topic, source=source, account=account):
            return [Fault("topic-policy", messages.topic_policy(topic))]
        if self._queue_url is None:
            return []
        queue = queue_policy.queue_arn(self._queue_url, region=self._region, topic=topic)
        token = ""
        while True:
            more = {"NextToken": token} if token else {}
            page: dict[str, Any] = sns.list_subscriptions_by_topic(TopicArn=topic, **more)
            if any(one["Endpoint"] == queue for one in page["Subscriptions"]):
                return []
            token = page.get("NextToken") or ""
            if not token:
                return [Fault("subscription", messages.no_subscription(topic, queue))]

    def _queue_faults(self, configuration_set: str) -> list[Fault]:
        if self._queue_url is None:
            return []
        queue = queue_policy.queue_arn(self._queue_url, region=self._region, topic=self._topic)
        sqs = self._client_of("sqs")
        try:
            found = sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["Policy"])
        except ClientError as error:
            if not _is_missing(error):
                raise
            return [Fault("queue", messages.no_queue(queue))]
        policy: str | None = found.get("Attributes", {}).get("Policy")
        if not policy and self._local:
            return []  # the local queue takes what any topic writes
        if not queue_policy.lets_topic_write(policy, queue=queue, topic=self._topic):
            return [Fault("queue-policy", messages.queue_policy(queue, self._topic))]
        return []

    def _client_of(self, service: str) -> Any:
        """A client that later looks use again: boto3 takes a tenth of a second to make one. Safe in threads."""
        with self._making:
            if service not in self._clients:
                self._clients[service] = self._new_client(service)
            return self._clients[service]

    def _new_client(self, service: str) -> Any:
        key, secret = self._credentials
        session: Any = boto3.session.Session(
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            region_name=self._region,
            profile_name=self._profile,
        )
        config = Config(retries={"total_max_attempts": 2}, connect_timeout=3, read_timeout=5)
        return session.client(service, endpoint_url=self._endpoints[service], config=config)


def _is_missing(error: ClientError) -> bool:
    code: str = error.response.get("Error", {}).get("Code", "")
    return code in _MISSING or code.endswith("NonExistentQueue")
