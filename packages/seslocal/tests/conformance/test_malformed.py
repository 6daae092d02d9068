"""No request makes the server fail: every operation of each protocol, with each member in turn replaced by unexpected values,
and with malformed bodies, paths and queries. Each gets a response below 500."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from conformance import probe
from conformance.server import Server, seslocal

#: Values that almost no member accepts, used in turn.
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
#: Percent-encoded in capitals, as AWS signs them; botocore signs paths unchanged.
QUERIES = (
    "",
    "PageSize=x&NextToken=%FF",
    "PageSize=-1&PageSize=0",
    "NextToken=AAAA&Reason=&StartDate=never",
    "ResourceArn=x&TagKeys=%00&&=&",
)

#: Raw texts that are not JSON, or truncated JSON.
TEXTS = (
    b"NaN",
    b"-Infinity",
    b"1e999999",
    b"9" * 5000,
    b"-0",
    b"0.%s1" % (b"0" * 4000),
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\xed\xa0\x80"',
    b'"\xc0\x80"',
    b'"a\nb"',
    b"[" * 3000,
    b"[" * 900 + b"]" * 900,
    b"'x'",
    b'"x","x":1',
    b"{} {}",
    b"/**/1",
    b"\x00",
    b"",
)
KINDS = (
    "text/plain",
    "application/xml",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-16",
    "application/x-amz-json-1.1",
    ";",
)
MANGLED = int(os.environ.get("SESLOCAL_ODD_CALLS", "1000"))
SEED = os.environ.get("SESLOCAL_ODD_SEED", "1")

Sent = tuple[str, str, bytes, dict[str, str]]  #: method, path with query, body, headers


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with seslocal("--account", probe.ACCOUNT) as running:
        yield running


def unanswered(server: Server, service: str, requests: Iterable[Sent]) -> list[str]:
    """Returns the requests that got a 5xx, no response, or a refused signature."""
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
    keys = Credentials("test", "test")
    bad: list[str] = []
    for method, path, body, headers in requests:
        request = AWSRequest(method, server.url + path, headers, body)
        SigV4Auth(keys, service, probe.REGION).add_auth(request)
        described = f"{method} {path[:200]} {body[:300]!r}"
        try:
            connection.request(method, path, body, dict(request.headers.items()))
            answer = connection.getresponse()
            text = answer.read()
        except (http.client.HTTPException, OSError) as error:
            bad.append(f"{described}: {error!r}")
            connection.close()
            continue
        # A request whose signature is refused would test nothing.
        if answer.status >= 500 or (answer.status == 403 and b"ignature" in text):
            bad.append(f"{described}: {answer.status} {text[:200]!r}")
    connection.close()
    if "Traceback" in (log := server.log()):
        bad.append(log[-3000:])
    return bad


def test_unexpected_members_of_sesv2_cause_no_5xx(server: Server):
    requests: list[Sent] = []
    for operation in probe.model().operation_names:
        form = probe.model().operation_model(operation).http
        given = json.loads(json.dumps(probe.minimal(operation), default=lambda moment: moment.timestamp()))
        bodies = [*BODIES, *(json.dumps(bad).encode() for bad in spoiled(given))]
        path = filled(form["requestUri"], "probe")
        requests += [(form["method"], path, body, {"content-type": "application/json"}) for body in bodies]
    assert unanswered(server, "ses", requests) == []


def test_unexpected_paths_and_queries_of_sesv2_cause_no_5xx(server: Server):
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


def test_unexpected_members_of_sqs_cause_no_5xx(server: Server):
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
def test_malformed_forms_of_the_query_protocols_cause_no_5xx(server: Server, service: str):
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


def test_randomly_mangled_requests_cause_no_5xx(server: Server):
    random = Random(SEED)
    pool = [*_of_ses(), *_of_sqs(server), *_of_forms("sns"), *_of_forms("ses")]
    mangled: dict[str, list[Sent]] = {"ses": [], "sqs": [], "sns": []}
    for _ in range(MANGLED):
        service, (method, path, body, headers) = random.choice(pool)
        for _ in range(random.choice((1, 1, 1, 3))):
            body = _mangled(random, body)
        if random.random() < 0.1:
            headers = headers | {"content-type": random.choice(KINDS)}
        mangled[service].append((method, path, body, headers))
    assert [
        bad for service, requests in mangled.items() for bad in unanswered(server, service, requests)
    ] == []


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 50\r\n\r\n{",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 99999999999999999999999\r\n\r\n",
        b"Content-Length: x\r\n\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: gzip\r\n\r\n{}",
        b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        b"X-Amz-Target: AmazonSQS.SendMessage\r\nContent-Length: 9\r\n\r\n{",
    ],
)
def test_truncated_bodies_and_bodies_without_length_cause_no_5xx(server: Server, rest: bytes):
    address = urlsplit(server.url)
    for path in (b"/v2/email/tenants", b"/"):
        with socket.create_connection((str(address.hostname), address.port or 0), timeout=60) as sock:
            sock.sendall(b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + rest)
            sock.shutdown(socket.SHUT_WR)
            received = b""
            while some := sock.recv(65536):
                received += some
        assert b"HTTP/1.1 5" not in received
    assert "Traceback" not in server.log()


def _of_ses() -> Iterator[tuple[str, Sent]]:
    for operation in probe.model().operation_names:
        form = probe.model().operation_model(operation).http
        body = json.dumps(probe.minimal(operation), default=lambda moment: moment.timestamp()).encode()
        yield (
            "ses",
            (form["method"], filled(form["requestUri"], "probe"), body, {"content-type": "application/json"}),
        )


def _of_sqs(server: Server) -> Iterator[tuple[str, Sent]]:
    model = botocore.session.get_session().get_service_model("sqs")
    known = {"QueueUrl": f"{server.url}/{probe.ACCOUNT}/probe", "QueueName": "probe", "MessageBody": "x"}
    known |= {"Attributes": {"DelaySeconds": "0"}, "Entries": [{"Id": "a", "MessageBody": "x"}]}
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        assert shape is not None
        body = json.dumps({name: value for name, value in known.items() if name in shape.members}).encode()
        kind = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{operation}"}
        yield "sqs", ("POST", "/", body, kind)


def _of_forms(service: str) -> Iterator[tuple[str, Sent]]:
    model = botocore.session.get_session().get_service_model(service)
    kind = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        given = dict.fromkeys(shape.members if shape is not None else (), "probe")
        form = {"Action": operation, "Version": model.api_version, **given}
        yield service, ("POST", "/", urlencode(form).encode(), kind)


def _mangled(random: Random, body: bytes) -> bytes:
    at = random.randrange(len(body) + 1)
    match random.randrange(5):
        case 0:
            return body[:at]
        case 1:
            return body[:at] + random.randbytes(random.choice((1, 4))) + body[at:]
        case 2:
            return body[:at] + random.choice(TEXTS) + body[at:]
        case 3:
            return body[:at] + body[at + random.choice((1, 8)) :]
        case _:
            return _with_a_text(random, body)


def _with_a_text(random: Random, body: bytes) -> bytes:
    """Replaces one value of the JSON, or one field of a form, by one of the texts."""
    text = random.choice(TEXTS)
    try:
        given = json.loads(body)
        places = list(_places(given))
    except (ValueError, RecursionError):
        fields = body.split(b"&")
        chosen = random.randrange(len(fields))
        fields[chosen] = fields[chosen].partition(b"=")[0] + b"=" + quote(text).encode()
        return b"&".join(fields)
    if not places:
        return b'{"TenantName": ' + text + b"}"
    return json.dumps(_replaced(given, random.choice(places), "<text>")).encode().replace(b'"<text>"', text)


def spoiled(given: Any) -> Iterator[Any]:
    """Yields the value with each of its parts in turn replaced by each hostile value."""
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
