"""With a frozen clock, one client and a seed, the same calls give the same responses and events, byte for byte: every
implemented operation is called on two servers, and only signatures and the Date header differ."""

from __future__ import annotations

import hashlib
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

import seslocal
from conformance import probe
from seslocal_fixtures.world import ALL_EVENTS, Background

EVENTS = [*ALL_EVENTS, "RENDERING_FAILURE", "SUBSCRIPTION"]


def run() -> tuple[list[tuple[str, int, str]], list[str]]:
    """Returns operation, status and digest of each response, and the bodies in the event queue."""
    settings = seslocal.Settings(account_id=probe.ACCOUNT, seed=7, event_delay=0)
    server = Background(settings, seslocal.Clock(1_767_225_600.0, 0))
    where: dict[str, Any] = {"endpoint_url": server.local.url, "region_name": probe.REGION}
    where |= {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    config = Config(retries={"total_max_attempts": 1})
    client: Any = boto3.client("sesv2", config=config, **where)
    queues: Any = boto3.client("sqs", config=config, **where)
    answers: list[tuple[str, int, str]] = []

    def note(http_response: Any, model: Any, **_: Any) -> None:
        content = http_response.content.replace(server.local.url.encode(), b"http://here")
        content += http_response.headers["x-amzn-RequestId"].encode()
        answers.append((model.name, http_response.status_code, hashlib.sha256(content).hexdigest()))

    client.meta.events.register("after-call.sesv2", note)

    def call(operation: str, given: dict[str, Any]) -> dict[str, Any] | probe.Refusal:
        try:
            answer = getattr(client, xform_name(operation))(**given)
        except ClientError as refused:
            said: Any = refused.response
            return probe.Refusal(
                said["Error"]["Code"], said["ResponseMetadata"]["HTTPStatusCode"], str(refused)
            )
        if operation == "CreateConfigurationSet":
            target = {"TopicArn": f"arn:aws:sns:{probe.REGION}:{probe.ACCOUNT}:events"}
            client.create_configuration_set_event_destination(
                ConfigurationSetName=given["ConfigurationSetName"],
                EventDestinationName="told",
                EventDestination={"Enabled": True, "MatchingEventTypes": EVENTS, "SnsDestination": target},
            )
        return answer

    try:
        probe.run(probe.acting(), call)
        url = queues.get_queue_url(QueueName="events")["QueueUrl"]
        bodies: list[str] = []
        while got := queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            bodies += [message["Body"].replace(server.local.url, "http://here") for message in got]
        return answers, bodies
    finally:
        client.close()
        queues.close()
        server.stop()


def test_every_operation_gives_the_same_responses_and_events_on_two_servers() -> None:
    first, second = run(), run()
    assert {operation for operation, _, _ in first[0]} >= set(probe.acting())
    assert first[0] == second[0]
    assert len(first[1]) >= 3  # at least the topic's plain-text message, a Send and a Delivery
    assert first[1] == second[1]
