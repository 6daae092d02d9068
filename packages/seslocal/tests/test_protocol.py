"""The wire protocol beyond what boto3 sends: malformed input gets a 4xx in SES's shape and never a 5xx, and HTTP works for
clients that pipeline, send chunked bodies or expect 100-continue."""

from __future__ import annotations

import json
import random
import socket
from typing import TYPE_CHECKING, Any

import pytest
from botocore.loaders import Loader

from seslocal.sesv2.table import IMPLEMENTED
from seslocal.wire.model import read_input, ses_routes
from seslocal_fixtures import signing

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

SEND = "/v2/email/outbound-emails"
MAIL: dict[str, Any] = {
    "FromEmailAddress": "a@mail.acme.example",
    "Destination": {"ToAddresses": ["kim@example.com"]},
    "Content": {"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}},
}


def post(world: World, body: object, path: str = SEND) -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, answer = world.http("POST", path, data)
    return status, json.loads(answer)


def talk(world: World, data: bytes, *, until_closed: bool = True) -> bytes:
    with socket.create_connection((world.local.host, world.local.port), timeout=60) as sock:
        sock.sendall(data)
        if until_closed:
            sock.shutdown(socket.SHUT_WR)
        got = b""
        while chunk := sock.recv(65536):
            got += chunk
        return got


def with_changes(**changes: Any) -> dict[str, Any]:
    return {**MAIL, **changes}


def simple(**changes: Any) -> dict[str, Any]:
    return with_changes(Content={"Simple": {**MAIL["Content"]["Simple"], **changes}})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "SerializationException"),
        (b"\xff\xfe", "SerializationException"),
        (b"[]", "SerializationException"),
        (b"null", "SerializationException"),
        (b'"x"', "SerializationException"),
        (b"[" * 200_000, "SerializationException"),
        (b'{"a":' * 200_000, "SerializationException"),
        (b"", "BadRequestException"),
        (b"{}", "BadRequestException"),
        (with_changes(Content=[]), "SerializationException"),
        (with_changes(Content="x"), "SerializationException"),
        (with_changes(Content=None), "BadRequestException"),
        (with_changes(Content={}), "BadRequestException"),
        (with_changes(FromEmailAddress=1), "SerializationException"),
        (with_changes(FromEmailAddress=None), "BadRequestException"),
        (with_changes(FromEmailAddress="nobody"), "BadRequestException"),
        (with_changes(FromEmailAddress="a@mail.acme.example\r\nBcc: x@y.example"), "BadRequestException"),
        (with_changes(FromEmailAddress="Grüße <a@mail.acme.example>"), "BadRequestException"),
        (with_changes(Destination={}), "BadRequestException"),
        (with_changes(Destination={"ToAddresses": "kim@example.com"}), "SerializationException"),
        (with_changes(Destination={"ToAddresses": [{"a": 1}]}), "SerializationException"),
        (with_changes(Destination={"ToAddresses": ["kim"]}), "BadRequestException"),
        (with_changes(Destination={"ToAddresses": ["@example.com"]}), "BadRequestException"),
        (with_changes(Destination={"ToAddresses": ["k im@example.com"]}), "BadRequestException"),
        (with_changes(Destination={"ToAddresses": ["kim@exa mple.com"]}), "BadRequestException"),
        (with_changes(Destination={"ToAddresses": ["küm@example.com"]}), "BadRequestException"),
        (with_changes(Destination={"ToAddresses": ["kim@exämple.com"]}), "BadRequestException"),
        (with_changes(Destination={"ToAddresses": ["k@x.example", "nonsense"]}), "BadRequestException"),
        (
            with_changes(Destination={"ToAddresses": [f"k{i}@x.example" for i in range(51)]}),
            "BadRequestException",
        ),
        (with_changes(ReplyToAddresses=["nonsense"]), "BadRequestException"),
        (with_changes(EmailTags=[{"Name": "a b", "Value": "x"}]), "BadRequestException"),
        (with_changes(EmailTags=[{"Name": "a", "Value": "kim@example.com"}]), "BadRequestException"),
        (with_changes(EmailTags=[{"Name": "a", "Value": ""}]), "BadRequestException"),
        (with_changes(EmailTags=[{"Name": "ses:tenant-name", "Value": "x"}]), "BadRequestException"),
        (with_changes(EmailTags=[{"Name": "a"}]), "BadRequestException"),
        (with_changes(EmailTags=[{"Name": "x" * 257, "Value": "x"}]), "BadRequestException"),
        (with_changes(Content={**MAIL["Content"], "Raw": {"Data": ""}}), "BadRequestException"),
        (with_changes(Content={"Raw": {"Data": "%%%"}}), "SerializationException"),
        (with_changes(Content={"Raw": {"Data": "ü"}}), "SerializationException"),
        (with_changes(Content={"Raw": {"Data": ""}}), "BadRequestException"),
        (with_changes(Content={"Raw": {"Data": "AAAA"}}), "BadRequestException"),
        (with_changes(Content={"Template": {"TemplateName": "t"}}), "NotFoundException"),
        (with_changes(ListManagementOptions={"ContactListName": "x"}), "NotFoundException"),
        (simple(Body={}), "BadRequestException"),
        (simple(Subject={"Data": "a\nBcc: x"}), "BadRequestException"),
        (simple(Headers=[{"Name": "Bcc", "Value": "x@y.example"}]), "BadRequestException"),
        (simple(Headers=[{"Name": "X-A", "Value": "a\r\nBcc: x"}]), "BadRequestException"),
        (simple(Headers=[{"Name": "X A", "Value": "a"}]), "BadRequestException"),
        (simple(Headers=[{"Name": "List-Id", "Value": "a"}] * 2), "BadRequestException"),
        (simple(Headers=[{"Name": f"X-{i}", "Value": "a"} for i in range(16)]), "BadRequestException"),
        (simple(Headers=[{"Name": "X" * 100, "Value": "a" * 950}]), "BadRequestException"),
        (simple(Attachments=[{"FileName": "run.exe", "RawContent": "AAAA"}]), "BadRequestException"),
        (simple(Attachments=[{"FileName": "a.txt"}]), "BadRequestException"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_malformed_mail_is_refused_in_ses_shape(world: World, body: object, code: str) -> None:
    world.domain()
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = signing.wire("POST", SEND, data, {"Connection": "close"})
    top, _, answer = talk(world, sent).partition(b"\r\n\r\n")
    assert top.split()[1][:1] == b"4", top
    assert f"x-amzn-ErrorType: {code}" in top.decode()
    assert list(json.loads(answer)) == ["message"]
    assert world.sent() == []


def test_validation_lists_every_broken_member_by_its_path(world: World) -> None:
    broken = with_changes(EmailTags=[{"Name": "a"}, {"Value": "b"}], TenantName="")
    status, answer = post(world, broken)
    assert status == 400
    assert answer["message"] == (
        "4 validation errors detected: "
        "Value null at 'emailTags.1.member.value' failed to satisfy constraint: Member must not be null; "
        "Value null at 'emailTags.2.member.name' failed to satisfy constraint: Member must not be null; "
        "Value '' at 'tenantName' failed to satisfy constraint: Member must have length greater than or equal to 1; "
        "Value '' at 'tenantName' failed to satisfy constraint: Member must satisfy regular expression pattern: "
        "^[a-zA-Z0-9_-]+$"
    )


def test_unknown_members_are_ignored_and_not_kept(world: World) -> None:
    world.domain()
    status, answer = post(world, with_changes(Colour={"deep": [1e300, None]}))
    assert status == 200
    assert "Colour" not in world.admin("GET", f"/sent/{answer['MessageId']}")["content"]


def test_an_unknown_path_or_method_is_404_unknown_operation(world: World) -> None:
    for method, path in (
        ("GET", "/v3/email"),
        ("GET", "/v2/email"),
        ("PATCH", SEND),
        ("GET", "/v2/email/nonsense"),
        ("POST", "/v2/email/outbound-emails/x"),
        ("GET", "/v2/email/identities//dkim"),
        ("GET", "/%ff%00"),
        ("GET", "/_seslocalx"),
        ("OPTIONS", "*"),
    ):
        answer = talk(
            world, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        assert answer.startswith(b"HTTP/1.1 404 "), answer
        assert b"x-amzn-ErrorType: UnknownOperationException" in answer


def test_every_operation_of_the_model_routes_and_checks(world: World) -> None:
    model = Loader().load_service_model("sesv2", "service-2")
    routes = ses_routes()
    for name, spec in model["operations"].items():
        path = spec["http"]["requestUri"].replace("{", "").replace("}", "")
        found = routes.find(spec["http"]["method"], path)
        assert found is not None, name
        assert found.name == name
        status, answer = world.http(
            spec["http"]["method"], path, b"{}" if spec["http"]["method"] != "GET" else None
        )
        assert status < 500, (name, answer)
        if name not in IMPLEMENTED and status == 400:
            assert (
                b"NotImplemented" in answer
                or b"does not implement" in answer
                or b"validation error" in answer
            ), name


def test_every_implemented_operation_is_in_the_model() -> None:
    assert set(IMPLEMENTED) <= set(ses_routes().operations)


def test_random_bodies_never_break_the_server(world: World) -> None:
    """Each operation gets values of every JSON type in its own members."""
    world.ready()
    pick = random.Random(7)
    shapes = Loader().load_service_model("sesv2", "service-2")
    junk: list[Any] = [
        None,
        True,
        0,
        -1,
        1e308,
        10**30,
        "",
        "x",
        "\x00",
        "é",
        [],
        {},
        [None],
        {"a": None},
        [{}],
        "a@b.example",
    ]

    def value(shape: str, depth: int) -> Any:
        spec = shapes["shapes"][shape]
        if pick.random() < 0.15 or depth > 5:
            return pick.choice(junk)
        match spec["type"]:
            case "structure":
                return {
                    m: value(r["shape"], depth + 1) for m, r in spec["members"].items() if pick.random() < 0.7
                }
            case "list":
                return [value(spec["member"]["shape"], depth + 1) for _ in range(pick.randint(0, 3))]
            case "map":
                return {str(value(spec["key"]["shape"], depth + 1)): value(spec["value"]["shape"], depth + 1)}
            case "string":
                return pick.choice(
                    [*spec.get("enum", []), "acme", "acme-reset", "mail.acme.example", "a@mail.acme.example"]
                )
            case "boolean":
                return True
            case "blob":
                return "RnJvbTogYUBtYWlsLmFjbWUuZXhhbXBsZQpUbzoga0B4LmV4YW1wbGUKCmI="
            case _:
                return pick.choice([0, 1, 300, 1e9])

    for name, spec in shapes["operations"].items():
        for _ in range(8):
            path = spec["http"]["requestUri"]
            for member in shapes["shapes"][spec["input"]["shape"]]["members"]:
                path = path.replace(
                    "{" + member + "}", pick.choice(["acme-reset", "mail.acme.example", "%C3", "RESOURCE"])
                )
            query = "?" + pick.choice(
                ["", "PageSize=x", "TenantName=acme", "ResourceArn=%ff", "StartDate=9", "PageSize=3"]
            )
            body = json.dumps(value(spec["input"]["shape"], 0)).encode()
            status, answer = world.http(spec["http"]["method"], path + query, body)
            assert status < 500, (name, path, body, answer)


def test_random_sqs_bodies_never_break_the_server(world: World) -> None:
    url = world.sqs.create_queue(QueueName="q")["QueueUrl"]
    pick = random.Random(7)
    junk: list[Any] = [None, True, 0, -1, 10**30, "", "x", "a#1", [], {}, [None], {"a": {}}, [{"Id": "a"}]]
    shapes = Loader().load_service_model("sqs", "service-2")
    for name, spec in shapes["operations"].items():
        for _ in range(25):
            members = shapes["shapes"][spec["input"]["shape"]]["members"]
            body = {m: pick.choice(junk) for m in members if pick.random() < 0.7}
            body["QueueUrl"] = url if pick.random() < 0.8 else "x"
            body.pop("WaitTimeSeconds", None)
            if name == "DeleteQueue":
                continue
            data = json.dumps(body).encode()
            status, answer = world.http("POST", "/", data, {"X-Amz-Target": f"AmazonSQS.{name}"})
            assert status < 500, (name, body, answer)


def test_an_unknown_sqs_operation_is_refused(world: World) -> None:
    status, answer = world.http("POST", "/", b"{}", {"X-Amz-Target": "AmazonSQS.Fly"})
    assert (status, json.loads(answer)["__type"]) == (400, "com.amazonaws.sqs#UnknownOperationException")


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /v2/x HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X-A: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\nx",
    ],
    ids=range(11),
)
def test_non_http_input_gets_a_4xx_or_nothing_and_the_server_keeps_running(world: World, data: bytes) -> None:
    answer = talk(world, data)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert world.admin("GET", "/health")["status"] == "ok"


def test_a_body_beyond_the_limit_is_413(world: World) -> None:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 80000000\r\n\r\n"
    with socket.create_connection((world.local.host, world.local.port), timeout=60) as sock:
        sock.sendall(head)
        answer = b""
        try:
            for _ in range(1300):
                sock.sendall(b"x" * 65536)
            answer = sock.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            pass  # closed while we were still sending, which is fine too
        assert answer[:12] in (b"", b"HTTP/1.1 413")
    assert world.admin("GET", "/health")["status"] == "ok"


def test_a_message_beyond_40_mb_is_refused(world: World) -> None:
    world.domain()
    data = b"From: a@mail.acme.example\r\nTo: kim@example.com\r\n\r\n" + (b"x" * 62 + b"\r\n") * (512 * 1024)
    status, code, message = world.refused(
        lambda: world.send(Content={"Raw": {"Data": data}}, tenant=None, configuration_set=None)
    )
    assert (status, code) == (400, "BadRequestException")
    assert message.startswith("Message length is more than 41943040 bytes long")


def test_pipelined_requests_are_answered_in_their_order(world: World) -> None:
    url = world.sqs.create_queue(QueueName="q")["QueueUrl"]
    wait = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 1}).encode()
    slow = signing.wire("POST", "/", wait, {"X-Amz-Target": "AmazonSQS.ReceiveMessage"}, service="sqs")
    quick = b"GET /v2/email/nonsense HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100
    last = b"GET /_seslocal/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = talk(world, slow + quick + last, until_closed=False)
    starts = [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ") or b"HTTP/1.1 " in line]
    assert len(starts) == 102
    assert starts[0] == b"HTTP/1.1 200 OK"
    assert all(b"404" in line for line in starts[1:101])
    assert answer.endswith(b"}")
    assert b'"status":"ok"' in answer.rpartition(b"\r\n\r\n")[2]


def test_chunked_and_slow_bodies_are_read(world: World) -> None:
    world.domain()
    body = json.dumps(MAIL).encode()
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(body[i : i + 7]), body[i : i + 7]) for i in range(0, len(body), 7)
    )
    head = signing.wire("POST", SEND, body, {"Transfer-Encoding": "chunked", "Connection": "close"})
    data = head.removesuffix(body) + chunks + b"0\r\n\r\n"
    with socket.create_connection((world.local.host, world.local.port), timeout=60) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(0, len(data), 11):
            sock.sendall(data[i : i + 11])
        got = b""
        while chunk := sock.recv(65536):
            got += chunk
    assert got.startswith(b"HTTP/1.1 200 OK")
    assert len(world.sent()) == 1


def test_expect_100_continue_is_answered_before_the_body(world: World) -> None:
    world.domain()
    body = json.dumps(MAIL).encode()
    head = signing.wire("POST", SEND, body, {"Expect": "100-continue"}).removesuffix(body)
    with socket.create_connection((world.local.host, world.local.port), timeout=60) as sock:
        sock.sendall(head)
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK")


def test_http_1_0_and_connection_close_are_closed_after_the_answer(world: World) -> None:
    for head in (
        b"GET /_seslocal/health HTTP/1.0\r\n\r\n",
        b"GET /_seslocal/health HTTP/1.1\r\nConnection: close\r\n\r\n",
    ):
        answer = talk(world, head, until_closed=False)
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"Connection: close" in answer


def test_a_head_request_gets_no_body(world: World) -> None:
    answer = talk(world, b"HEAD /_seslocal/health HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n")


def test_path_parameters_are_decoded_after_they_are_split(world: World) -> None:
    world.ses.put_suppressed_destination(EmailAddress="a/b+c@example.com", Reason="BOUNCE")
    found = world.ses.get_suppressed_destination(EmailAddress="a/b+c@example.com")["SuppressedDestination"]
    assert found["EmailAddress"] == "a/b+c@example.com"


def test_located_members_come_from_path_and_query_only() -> None:
    operation = ses_routes().operations["GetSuppressedDestination"]
    params = read_input(
        operation,
        "/v2/email/suppression/addresses/kim%40example.com",
        "TenantName=acme&Other=1",
        b'{"EmailAddress":"forged@example.com","TenantName":"forged"}',
    )
    assert params == {"EmailAddress": "kim@example.com", "TenantName": "acme"}
