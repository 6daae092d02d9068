"""Malformed input never makes seslocal itself fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

quietly = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
ACTIONS = [
    "CreateTopic",
    "Subscribe",
    "Publish",
    "ConfirmSubscription",
    "Unsubscribe",
    "ListTopics",
    "\x00<&",
    "",
]
ARN = "arn:aws:sns:us-east-1:123456789012:news"
MEMBERS = [
    "Name",
    "TopicArn",
    "Protocol",
    "Endpoint",
    "Token",
    "Message",
    "NextToken",
    "Attributes.entry.1.key",
]
VALUES = st.sampled_from(
    [ARN, "news", "sqs", "https", "https://[::1", "http://x:y:z@", "-1", "SignatureVersion"]
)
PIECES = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=x\r\n",
        b"Content-Type: text/html; charset=\xff\r\n",
        b"Content-Type: ;;;=\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Disposition: attachment; filename*=utf-8''%ff%00../a\r\n",
        b"Content-ID: <\r\n",
        b"Content-ID: <a@[\r\n",
        b"Subject: =?utf-8?b?\xff?= =?x?q?=\r\n",
        b'To: <<>>,;:"\r\n',
        b"\r\n",
        b"--x\r\n",
        b"--x--\r\n",
        b"\x00\x80=\r",
        b"<a href=\"https://x\" ses:tags='a:b'>",
    ]
)


@quietly
@given(
    action=st.sampled_from(ACTIONS),
    form=st.dictionaries(st.sampled_from(MEMBERS), VALUES | st.text(max_size=20), max_size=5),
)
def test_sns_returns_xml_and_no_5xx_for_any_form(world: World, action: str, form: dict[str, str]) -> None:
    text = urlencode({"Action": action, "Version": "2010-03-31", **form}, errors="replace")
    for status, answer in (world.http("POST", "/", text.encode()), world.http("GET", "/?" + text)):
        assert status < 500, answer
        ElementTree.fromstring(answer.decode())


@quietly
@given(data=st.lists(PIECES | st.binary(max_size=12), max_size=14))
def test_the_page_shows_any_raw_mail(world: World, data: list[bytes]) -> None:
    world.admin("POST", "/reset")
    world.ready()
    raw = b"From: a@mail.acme.example\r\nMIME-Version: 1.0\r\n" + b"".join(data)
    try:
        message_id = world.ses.send_email(
            FromEmailAddress="a@mail.acme.example",
            Destination={"ToAddresses": ["kim@example.com"]},
            ConfigurationSetName="acme-reset",
            Content={"Raw": {"Data": raw}},
        )["MessageId"]
    except world.ses.exceptions.BadRequestException:
        return  # SES would refuse it too
    mail = f"/mail/{message_id}"
    for path in ("/", mail, *(f"{mail}?view={view}" for view in ("html", "text", "headers", "source"))):
        assert world.http("GET", path)[0] == 200
    for path in ("body", "source", "files/0", "files/1"):
        assert world.http("GET", f"{mail}/{path}")[0] in (200, 404)


@pytest.mark.parametrize(
    "file",
    [
        {"FileName": "a", "ContentType": "multipart/mixed"},
        {"FileName": "a", "ContentType": "message/rfc822"},
        {"FileName": "a", "ContentType": "text/plain"},
        {"FileName": "a", "ContentType": "///"},
        {"FileName": "ü\r\n☃", "ContentType": "x"},
        {"FileName": "a", "ContentType": "image/png", "ContentId": "<a@[>\r\nX: y"},
    ],
)
def test_the_page_serves_any_attachment(world: World, file: dict[str, Any]) -> None:
    world.ready()
    html = {"Html": {"Data": "<img src='cid:<a@[>'>"}}
    content = {"Subject": {"Data": "x"}, "Body": html, "Attachments": [{**file, "RawContent": b"\xff"}]}
    message_id = world.send("kim@example.com", Content={"Simple": content})
    for view in ("html", "source"):
        assert world.http("GET", f"/mail/{message_id}?view={view}")[0] == 200
    for path in ("body", "files/0", "source"):
        assert world.http("GET", f"/mail/{message_id}/{path}")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/?before=" + "9" * 6000, "/?before=%C2%B2", "/?" + "a&" * 3000, "/?q=%ff%00", "/mail/", "/mail/%00/body",
        "/mail/x/files/" + "9" * 6000, "/I0/", "/I0/x/y", "/L0/a/b/c/d", "/L0/%ff/%00/%0d%0a/x", "/assets/", "/clear",
    ],
)  # fmt: skip
def test_no_address_causes_a_5xx(world: World, path: str) -> None:
    assert world.http("GET", path)[0] < 500
    assert world.http("POST", path, b"\xff")[0] < 500


@quietly
@given(
    path=st.sampled_from(
        [
            "/clock",
            "/dns",
            "/dns/a.example",
            "/dns/faults/a.example",
            "/streams/s",
            "/scenario",
            "/faults",
            "/account",
            "/mailboxes/a@b",
        ]
    ),
    body=st.dictionaries(
        st.sampled_from(
            ["at", "speed", "records", "type", "value", "values", "url", "steps", "fault", "count", "fate"]
        ),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.sampled_from(["TXT", "throttle", "bounces", "http://x", "2026-01-01", '"', "a\\", "☃", "0"])
        | st.lists(st.integers() | st.text(max_size=5), max_size=3),
        max_size=4,
    ),
)
def test_the_admin_api_refuses_malformed_calls_with_a_4xx(
    world: World, path: str, body: dict[str, Any]
) -> None:
    import json

    data = json.dumps(body).encode()
    for method in ("PUT", "POST"):
        status, answer = world.http(method, "/_seslocal" + quote(path, safe="/"), data)
        assert status < 500, answer
    world.admin("POST", "/reset")
