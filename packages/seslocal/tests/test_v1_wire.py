"""SES v1's wire protocol: forms in bodies and queries, XML responses, and its own error codes."""

from __future__ import annotations

import logging
from base64 import encodebytes
from typing import Any
from urllib.parse import quote_plus

import boto3
import pytest

from seslocal.sesv1 import table
from seslocal_fixtures.world import REGION, World

VERSION = b"&Version=2010-12-01"


def test_signature_errors_have_v1_codes(world: World, background: Any) -> None:
    stranger = boto3.client(
        "ses",
        endpoint_url=background.local.url,
        region_name=REGION,
        aws_access_key_id="nobody",
        aws_secret_access_key="x",
    )
    assert world.refused(stranger.get_send_quota)[:2] == (403, "InvalidClientTokenId")
    stranger.close()
    status, answer = world.http("POST", "/", b"Action=GetSendQuota&Version=2010-12-01")
    assert status == 403
    assert b"<Code>MissingAuthenticationToken</Code>" in answer


@pytest.mark.parametrize(
    ("form", "code"),
    [
        (b"Action=Nothing&Version=2010-12-01", b"InvalidAction"),
        (b"Action=SendEmail&Version=2009-01-01", b"InvalidAction"),
        (b"Action=ListIdentities&Version=2010-12-01&MaxItems=x", b"MalformedInput"),
        (b"Action=SendEmail&Version=2010-12-01&Source=a&Source.b=c", b"MalformedInput"),
        (b"Action=SendEmail&Version=2010-12-01&Destination.ToAddresses.member.x=a", b"MalformedInput"),
        (b"Action=SendEmail&Version=2010-12-01&Source=%FF", b"MalformedInput"),
        (b"Action=SendRawEmail&Version=2010-12-01&RawMessage.Data=%25", b"MalformedInput"),
        (b"Action=DeleteIdentity&Version=2010-12-01", b"ValidationError"),
        (b"Action=DeleteIdentity&Version=2010-12-01&Identity.a=b", b"MalformedInput"),
        (b"Action=" + b"a." * 50 + b"b=1", b"InvalidAction"),
    ],
)
def test_malformed_requests_are_refused(world: World, form: bytes, code: bytes) -> None:
    world.admin("PUT", "/account", {"check_signatures": False})
    status, answer = world.http("POST", "/", form)
    assert status == 400
    assert b"<Code>" + code + b"</Code>" in answer
    assert b"<Type>Sender</Type>" in answer


def test_a_post_can_have_parameters_in_its_query(world: World) -> None:
    world.admin("PUT", "/account", {"check_signatures": False})
    status, answer = world.http(
        "POST", "/?Action=VerifyDomainIdentity&Version=2010-12-01", b"Domain=acme.example"
    )
    assert status == 200
    assert b"<VerificationToken>" in answer
    assert world.http("GET", "/?Action=ListIdentities&Version=2010-12-01")[0] == 200


def test_base64_can_have_line_breaks(world: World) -> None:
    world.domain()
    world.admin("PUT", "/account", {"check_signatures": False})
    raw = b"From: a@mail.acme.example\r\nTo: kim@example.com\r\nSubject: s\r\n\r\n" + b"Hello\r\n" * 20
    data = quote_plus(encodebytes(raw)).encode()
    assert world.http("POST", "/", b"Action=SendRawEmail" + VERSION + b"&RawMessage.Data=" + data)[0] == 200
    assert world.sent()[0]["recipients"] == ["kim@example.com"]


def test_unimplemented_operations_are_refused_by_name(world: World, v1: Any) -> None:
    code = world.refused(
        v1.send_bounce, OriginalMessageId="x", BounceSender="a@x.example", BouncedRecipientInfoList=[]
    )
    assert code[:2] == (400, "NotImplemented")
    assert "SendBounce" in code[2]


def test_the_management_rate_applies_with_v1_codes_but_not_to_sending(world: World, v1: Any) -> None:
    world.domain()
    world.admin("PUT", "/clock", {"frozen": True})
    world.admin("PUT", "/account", {"management_rate": 0.5})
    v1.get_send_quota()
    assert world.refused(v1.get_send_quota) == (400, "Throttling", "Rate exceeded")
    raw = b"From: a@mail.acme.example\r\nTo: kim@example.com\r\nSubject: s\r\n\r\nHello\r\n"
    for _ in range(3):
        v1.send_raw_email(RawMessage={"Data": raw})


def test_a_throttle_storm_has_v1_codes_for_calls_that_do_not_send(world: World, v1: Any) -> None:
    world.fault("throttle_storm", count=1, operation="*", seconds=1)
    assert world.refused(v1.get_send_quota) == (400, "Throttling", "Rate exceeded")


def test_an_unexpected_exception_is_xml_too(
    world: World, v1: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: Any) -> Any:
        raise RuntimeError("on purpose")

    monkeypatch.setitem(table.IMPLEMENTED, "GetSendQuota", breaks)
    with caplog.at_level(logging.CRITICAL, "seslocal"):
        assert world.refused(v1.get_send_quota)[:2] == (500, "InternalFailure")
