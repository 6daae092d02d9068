"""boto3, unchanged, against `python -m seslocal`: each operation that is said to act answers a minimal valid call as SES does,
in the model's shape; and nothing malformed makes it fail."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from conformance import probe
from conformance.server import Server, seslocal

ACTING = probe.acting()
#: What no member takes, by turns; each is put in place of each member.
HOSTILE: tuple[Any, ...] = (
    None,
    True,
    -1,
    1e400,
    "",
    "x" * 3000,
    "\x00\ud800",
    [],
    [None],
    {},
    {"x": {"y": []}},
)


@dataclass
class Probed:
    """What one run of the probe found."""

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
            told: Any = error.response
            status = told["ResponseMetadata"]["HTTPStatusCode"]
            return probe.Refusal(told["Error"]["Code"], status, told["Error"]["Message"])

    answers = probe.run(ACTING, call)
    return Probed(answers, departures, server.log())


def test_most_of_ses_acts():
    assert len(ACTING) >= 48


@pytest.mark.parametrize("operation", ACTING)
def test_a_minimal_call_is_answered(probed: Probed, operation: str):
    probe.judge(operation, probed.answers[operation])


def test_answers_hold_what_the_model_says_and_nothing_else(probed: Probed):
    assert probed.departures == []


def test_the_probe_meets_no_exception_of_the_server(probed: Probed):
    assert "Traceback" not in probed.log


def test_nothing_malformed_makes_it_fail(server: Server):
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    bad: list[str] = []
    for operation in ACTING:
        http_form = probe.model().operation_model(operation).http
        for body in _bodies(operation):
            status, answer = _post(connection, server.url, http_form["method"], _path(http_form), body)
            if status >= 500:
                bad.append(f"{operation} {body[:200]!r}: {status} {answer[:200]!r}")
    connection.close()
    assert bad == []
    assert "Traceback" not in server.log()


def _bodies(operation: str) -> Iterator[bytes]:
    yield from (b"", b"{", b"[]", b"null", b"1", b'"x"', b"\xff\xfe", b'{"a":' * 2000)
    given = json.loads(json.dumps(probe.minimal(operation), default=lambda moment: moment.timestamp()))
    for place in _places(given):
        for hostile in HOSTILE:
            yield json.dumps(_replaced(given, place, hostile)).encode()


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*place, key)
        yield from _places(one, (*place, key))


def _replaced(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    copy = value.copy()
    copy[place[0]] = _replaced(copy[place[0]], place[1:], new)
    return copy


def _path(http_form: dict[str, Any]) -> str:
    path = http_form["requestUri"]
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + "probe" + rest.partition("}")[2]
    return path


def _post(
    connection: http.client.HTTPConnection, url: str, method: str, path: str, body: bytes
) -> tuple[int, bytes]:
    request = AWSRequest(method, url + path, {"content-type": "application/json"}, body)
    SigV4Auth(Credentials("test", "test"), "ses", probe.REGION).add_auth(request)
    connection.request(method, path, body, dict(request.headers.items()))
    answer = connection.getresponse()
    return answer.status, answer.read()
