"""Nothing that a client can send makes the server fail: every operation of each protocol, with each member in turn replaced by
what does not belong there, and bodies, paths and queries that are none. Each gets an answer below 500."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from conformance import probe
from conformance.server import Server, seslocal

#: What hardly any member takes, by turns.
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
BODIES = (b"", b"{", b"[]", b"null", b"1", b'"x"', b"\xff\xfe", b'{"a":' * 2000, b'{"a":1,"a":2}')
PATHS = (
    "probe",
    "%00",
    "%ff%fe",
    "%",
    "..%2f..",
    "x" * 2000,
    "arn%3Aaws%3Ases%3Aus-east-1%3A1%3Aidentity%2Fx",
    "%F0%9F%92%A9",
)
#: Encoded in capitals, as AWS signs them; botocore signs them as they stand.
QUERIES = (
    "",
    "PageSize=x&NextToken=%FF",
    "PageSize=-1&PageSize=0",
    "NextToken=AAAA&Reason=&StartDate=never",
    "ResourceArn=x&TagKeys=%00&&=&",
)

Sent = tuple[str, str, bytes, dict[str, str]]  #: method, path with query, body, headers


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with seslocal("--account", probe.ACCOUNT) as running:
        yield running


def unanswered(server: Server, service: str, requests: Iterable[Sent]) -> list[str]:
    """What was answered with a 5xx, or not at all, or not looked at."""
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    keys = Credentials("test", "test")
    bad: list[str] = []
    for method, path, body, headers in requests:
        request = AWSRequest(method, server.url + path, headers, body)
        SigV4Auth(keys, service, probe.REGION).add_auth(request)
        told = f"{method} {path[:200]} {body[:300]!r}"
        try:
            connection.request(method, path, body, dict(request.headers.items()))
            answer = connection.getresponse()
            text = answer.read()
        except (http.client.HTTPException, OSError) as error:
            bad.append(f"{told}: {error!r}")
            connection.close()
            continue
        # One whose signature is refused would prove nothing.
        if answer.status >= 500 or (answer.status == 403 and b"ignature" in text):
            bad.append(f"{told}: {answer.status} {text[:200]!r}")
    connection.close()
    if "Traceback" in (log := server.log()):
        bad.append(log[-3000:])
    return bad


def test_members_of_ses_that_do_not_belong(server: Server):
    requests: list[Sent] = []
    for operation in probe.model().operation_names:
        form = probe.model().operation_model(operation).http
        given = json.loads(json.dumps(probe.minimal(operation), default=lambda moment: moment.timestamp()))
        bodies = [*BODIES, *(json.dumps(bad).encode() for bad in spoiled(given))]
        path = filled(form["requestUri"], "probe")
        requests += [(form["method"], path, body, {"content-type": "application/json"}) for body in bodies]
    assert unanswered(server, "ses", requests) == []


def test_paths_and_queries_of_ses_that_are_none(server: Server):
    requests: list[Sent] = []
    for operation in probe.model().operation_names:
        form = probe.model().operation_model(operation).http
        paths = {filled(form["requestUri"], value) for value in PATHS}
        requests += [(form["method"], path, b"{}", {}) for path in sorted(paths)]
        requests += [
            (form["method"], f"{form['requestUri'].partition('{')[0]}?{q}", b"{}", {}) for q in QUERIES
        ]
        requests += [
            (method, form["requestUri"].partition("{")[0], b"", {}) for method in ("PATCH", "HEAD", "OPTIONS")
        ]
    assert unanswered(server, "ses", requests) == []


def test_members_of_sqs_that_do_not_belong(server: Server):
    sqs = botocore.session.get_session().get_service_model("sqs")
    queue = f"{server.url}/{probe.ACCOUNT}/probe"
    requests: list[Sent] = []
    for operation in ("CreateQueue", *(name for name in sqs.operation_names if name != "CreateQueue")):
        kind = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{operation}"}
        given = {"QueueUrl": queue, "QueueName": "probe", "MessageBody": "x", "Entries": [{"Id": "a"}]}
        given |= {
            "ReceiptHandle": "x",
            "MaxNumberOfMessages": 1,
            "WaitTimeSeconds": 0,
            "Attributes": {"a": "b"},
        }
        given |= {"AttributeNames": ["All"], "VisibilityTimeout": 0, "Tags": {"a": "b"}, "TagKeys": ["a"]}
        shape = sqs.operation_model(operation).input_shape
        assert shape is not None
        given = {name: value for name, value in given.items() if name in shape.members}
        bodies = [*BODIES, *(json.dumps(bad).encode() for bad in spoiled(given))]
        requests += [("POST", "/", body, kind) for body in bodies]
    assert unanswered(server, "sqs", requests) == []


@pytest.mark.parametrize("service", ["sns", "ses"])
def test_forms_of_the_query_protocols_that_are_none(server: Server, service: str):
    model = botocore.session.get_session().get_service_model(service)
    kind = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    requests: list[Sent] = [
        ("POST", "/", body, kind) for body in (*BODIES, b"Action", b"Action=%ff&Action=", b"=&&=")
    ]
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        names = list(shape.members) if shape is not None else []
        for value in ("", "x" * 3000, "\x00", "-1", "a@b@c", "arn:aws:sns:::", "<&>"):
            form = {"Action": operation, "Version": model.api_version, **dict.fromkeys(names, value)}
            requests.append(("POST", "/", urlencode(form).encode(), kind))
            nested = {f"{name}.member.1": value for name in names} | {
                f"{name}.entry.x.key": value for name in names
            }
            requests.append(("POST", "/", urlencode({"Action": operation, **nested}).encode(), kind))
            requests.append(("GET", f"/?Action={operation}&X={quote(value)}", b"", {}))
    assert unanswered(server, service, requests) == []


def spoiled(given: Any) -> Iterator[Any]:
    """The value with each of its parts in turn replaced by each hostile one."""
    for place in _places(given):
        for hostile in HOSTILE:
            yield _replaced(given, place, hostile)


def filled(path: str, value: str) -> str:
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + value + rest.partition("}")[2]
    return path


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
