"""Unmodified boto3 against `python -m seslocal`: a minimal valid call of each implemented operation has the outcome that SES
documents, and a response of the model's shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from conformance import probe
from conformance.server import Server, seslocal

ACTING = probe.acting()


@dataclass
class Probed:
    """The results of calling every operation once."""

    answers: dict[str, dict[str, Any] | probe.Refusal]
    departures: list[str] = field(default_factory=list[str])
    log: str = ""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with seslocal("--account", probe.ACCOUNT) as running:
        yield running


@pytest.fixture(scope="module")
def probed(server: Server) -> Probed:
    server.reset()
    client: Any = boto3.client(
        "sesv2",
        endpoint_url=server.url,
        region_name=probe.REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    departures: list[str] = []

    def check(http_response: Any, model: Any, **_: Any) -> None:
        if http_response.status_code == 200:
            try:
                probe.check_answer(model.name, json.loads(http_response.content))
            except probe.Departure as departure:
                departures.append(str(departure))

    client.meta.events.register("after-call.sesv2", check)

    def call(operation: str, given: dict[str, Any]) -> dict[str, Any] | probe.Refusal:
        try:
            return client._make_api_call(operation, given)
        except ClientError as error:
            response: Any = error.response
            status = response["ResponseMetadata"]["HTTPStatusCode"]
            return probe.Refusal(response["Error"]["Code"], status, response["Error"]["Message"])

    answers = probe.run(ACTING, call)
    return Probed(answers, departures, server.log())


def test_most_operations_are_implemented():
    assert len(ACTING) >= 48


@pytest.mark.parametrize("operation", ACTING)
def test_a_minimal_call_succeeds_or_is_refused_as_documented(probed: Probed, operation: str):
    probe.check_outcome(operation, probed.answers[operation])


def test_responses_match_the_model(probed: Probed):
    assert probed.departures == []


def test_the_server_logs_no_exception(probed: Probed):
    assert "Traceback" not in probed.log
