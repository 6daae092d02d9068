"""No call that the models of SQS and SNS allow makes the server fail, however unusual its names and attributes. The calls come
from the seed `SESLOCAL_ODD_SEED`; `SESLOCAL_ODD_CALLS` is their number."""

from __future__ import annotations

import http.client
import json
import os
from base64 import b64encode
from collections.abc import Iterator
from random import Random
from typing import Any, Final
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import botocore.session
import pytest

from conformance import odd, probe
from conformance.odd import ask
from conformance.server import Server, seslocal

CALLS: Final = int(os.environ.get("SESLOCAL_ODD_CALLS", "1000"))
SEED: Final = os.environ.get("SESLOCAL_ODD_SEED", "1")
_ARN: Final = f"{probe.REGION}:{probe.ACCOUNT}:odd"
#: Values by member or shape: mostly things that exist, and a few that do not.
KNOWN: Final[dict[str, tuple[Any, ...]]] = {
    "QueueName": ("odd", "odd", "odd.fifo", "absent"),
    "Name": ("odd", "odd-two"),
    "TopicArn": (f"arn:aws:sns:{_ARN}", f"arn:aws:sns:{_ARN}", f"arn:aws:sns:{_ARN}-two"),
    "TargetArn": (f"arn:aws:sns:{_ARN}",),
    "ResourceArn": (f"arn:aws:sns:{_ARN}",),
    "protocol": ("sqs", "sqs", "http", "https", "email"),
    "Endpoint": (f"arn:aws:sqs:{_ARN}", "http://127.0.0.1:1/", "https://[::1"),
    "MessageBody": ("x", "y" * 2000),
    "Message": ("x", '{"default": "x"}'),
    "MessageStructure": ("json",),
    "AttributeNames": (["All"], ["QueueArn", "Policy"], ["SentTimestamp"]),
    "MessageSystemAttributeNames": (["All"],),
    "QueueAttributeMap": (
        {"VisibilityTimeout": "0"},
        {"RedrivePolicy": json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:{_ARN}", "maxReceiveCount": 1})},
        {"RedrivePolicy": "[]"},
        {"DelaySeconds": "-1", "Policy": "{"},
    ),
    "MessageBodyAttributeMap": (
        {"a": {"DataType": "String", "StringValue": "x"}},
        {"b": {"DataType": "Binary", "BinaryValue": b"\xff"}},
        {"c": {"DataType": "Number", "StringValue": "x"}},
    ),
    "attributeName": ("RawMessageDelivery", "FilterPolicy", "SignatureVersion", "Policy"),
    "attributeValue": ("true", "2", "{}"),
    "Attributes": ({"SignatureVersion": "2"}, {"RawMessageDelivery": "true"}),
    "Id": ("a", "b"),
}
#: Operations that most others depend on.
_OFTEN: Final = (
    "CreateQueue", "SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage",
    "CreateTopic", "Subscribe", "Publish",
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with seslocal("--account", probe.ACCOUNT, "--no-auth", "--seed", "1") as running:
        yield running


@pytest.fixture
def connection(server: Server) -> Iterator[http.client.HTTPConnection]:
    address = urlsplit(server.url)
    made = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
    yield made
    made.close()


def test_odd_calls_of_queues_and_topics_cause_no_5xx(server: Server, connection: http.client.HTTPConnection):
    bad, accepted = _make_calls(connection, server.url)
    log = server.log()
    assert (bad, log[log.find("Traceback") - 500 :][:4000] if "Traceback" in log else "") == ([], "")
    # If every call were refused, this would test nothing.
    assert [name for name in _OFTEN if name not in accepted] == []


def _make_calls(connection: http.client.HTTPConnection, url: str) -> tuple[list[str], set[str]]:
    """Returns the calls with a response that neither service would give, and the operations that returned 200 at least once."""
    random = Random(SEED)
    queue = f"{url}/{probe.ACCOUNT}/odd"
    known = KNOWN | {"QueueUrl": (queue, queue, queue, f"{url}/{probe.ACCOUNT}/absent")}
    made = odd.Odd(random, known)
    session = botocore.session.get_session()
    models: dict[str, Any] = {name: session.get_service_model(name) for name in ("sqs", "sns")}
    calls = [(service, name) for service, model in models.items() for name in model.operation_names]
    often = [(service, name) for service, name in calls if name in _OFTEN]
    bad: list[str] = []
    accepted: set[str] = set()
    for number in range(CALLS):
        service, name = random.choice(often if random.random() < 0.5 else calls)
        given = made.call(models[service].operation_model(name).input_shape)
        if service == "sqs":
            body, headers = _json(name, given)
        else:
            body, headers = _form(name, models["sns"].api_version, given)
        status, text = ask(connection, "POST", "/", body, headers)
        described = f"call {number}: {name} {body[:700]!r}: {status} {text[:300]!r}"
        if status >= 500:
            bad.append(described)
            continue
        try:
            answer = json.loads(text) if service == "sqs" else ElementTree.fromstring(text.decode())
        except (ValueError, ElementTree.ParseError) as error:
            bad.append(f"{described}: {error}")
            continue
        if status == 200:
            accepted.add(name)
            if name == "ReceiveMessage" and isinstance(answer, dict) and answer.get("Messages"):
                known["ReceiptHandle"] = (answer["Messages"][0]["ReceiptHandle"],)
        if name in ("DeleteQueue", "DeleteTopic"):  # restores what the calls broke
            ask(connection, "POST", "/", *_json("CreateQueue", {"QueueName": "odd"}))
            ask(connection, "POST", "/", *_form("CreateTopic", models["sns"].api_version, {"Name": "odd"}))
    return bad, accepted


def _json(name: str, given: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    if given.get("WaitTimeSeconds", 0) > 0:
        given["WaitTimeSeconds"] = 0  # no long polls in this test
    body = json.dumps(given, default=lambda blob: b64encode(blob).decode()).encode()
    return body, {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{name}"}


def _form(name: str, version: str, given: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    form = "&".join([f"Action={name}", f"Version={version}", *_pairs(given, "")])
    return form.encode("ascii"), {"content-type": "application/x-www-form-urlencoded"}


def _pairs(value: Any, at: str) -> list[str]:
    """Returns a form's pairs, with maps in the outermost structure as entries. A lone surrogate is sent as its bytes."""
    if isinstance(value, dict):
        pairs: list[str] = []
        for n, (key, one) in enumerate(value.items(), 1):
            if at.endswith("ttributes"):
                pairs += [*_pairs(key, f"{at}.entry.{n}.key"), *_pairs(one, f"{at}.entry.{n}.value")]
            else:
                pairs += _pairs(one, f"{at}.{key}" if at else key)
        return pairs
    if isinstance(value, list):
        return [pair for n, one in enumerate(value, 1) for pair in _pairs(one, f"{at}.member.{n}")]
    text = b64encode(value).decode() if isinstance(value, bytes) else str(value)
    return [f"{at}={quote(text, safe='', errors='surrogatepass')}"]
