"""The SMTP door, with Python's smtplib: what SES's SMTP interface answers, and that its mail is sent like that of the API."""

from __future__ import annotations

import base64
import builtins
import json
import os
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

import seslocal
from seslocal.mail.content import MOST_BYTES
from seslocal.mail.sending import PAUSED
from seslocal.smtp import session
from seslocal.smtp.submission import without_own_headers
from seslocal.testing import Server, SesLocal, SmtpDoor, serving
from seslocal.wire.protocol import Limits
from seslocal.wire.smtp_password import smtp_password
from seslocal_fixtures.world import SESSION

KIM = "kim@example.com"
SENDER = "shop@acme.example"


@pytest.fixture(scope="module")
def server() -> Generator[Server]:
    with serving(seslocal.Settings(smtp_port=0, other_regions=("eu-west-1",))) as server:
        yield server


@pytest.fixture(scope="module")
def without_tls() -> Generator[Server]:
    with serving(
        seslocal.Settings(smtp_port=0, smtp_without_tls=True, limits=Limits(connections=2))
    ) as server:
        yield server


@contextmanager
def emptied(server: Server) -> Generator[SesLocal]:
    server.reset()
    local = server.seslocal
    ses = SESSION.client("sesv2", endpoint_url=local.url)
    ses.create_email_identity(EmailIdentity="acme.example")
    ses.close()
    yield local
    local.close()


@pytest.fixture
def local(server: Server) -> Generator[SesLocal]:
    with emptied(server) as local:
        yield local


@pytest.fixture
def plain(without_tls: Server) -> Generator[SesLocal]:
    with emptied(without_tls) as local:
        yield local


@contextmanager
def signed_in(door: SmtpDoor) -> Generator[smtplib.SMTP]:
    with smtplib.SMTP(door.host, door.port, timeout=60) as client:
        if door.needs_tls:
            client.starttls(context=door.tls())
        client.login(door.user, door.password)
        yield client


def mail(**headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, KIM, "Hi"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("Hello\n.with a dot\n")
    return message


def refusal(
    client: smtplib.SMTP, message: EmailMessage, sender: str = SENDER, to: str = KIM
) -> tuple[int, str]:
    with pytest.raises(smtplib.SMTPDataError) as error:
        client.send_message(message, sender, [to])
    code, text = error.value.smtp_code, error.value.smtp_error
    return code, text if isinstance(text, str) else text.decode()


# signing in


@pytest.mark.parametrize(
    ("secret", "region", "password"),
    [
        ("some+secret+key", "eu-central-1", "BMXhUYlu5Z3gSXVQORxlVa7XPaz91aGWdfHxvkOZdWZ2"),
        ("another+secret+key", "eu-central-1", "BBbphbrQmrKMx42d1N6+C7VINYEBGI5v9VsZeTxwskfh"),
        ("some+secret+key", "us-west-1", "BH+jbMzper5WwlwUar9E1ySBqHa9whi0GPo+sJ0mVYJj"),
    ],
)
def test_the_password_is_the_one_that_ses_derives(secret: str, region: str, password: str) -> None:
    """The values are those of hashicorp/terraform-provider-aws, TestSESSMTPPasswordFromSecretKeySigV4."""
    assert smtp_password(secret, region) == password


def test_a_session_is_like_that_of_ses(local: SesLocal) -> None:
    door = local.smtp
    with smtplib.SMTP(door.host, door.port, timeout=60) as client:
        said = client.ehlo("shop")[1].decode().splitlines()
        assert said == [
            "email-smtp.amazonaws.com",
            "8BITMIME",
            f"SIZE {MOST_BYTES}",
            "STARTTLS",
            "AUTH PLAIN LOGIN",
            "Ok",
        ]
        assert client.docmd("AUTH", "LOGIN") == (530, b"Must issue a STARTTLS command first")
        assert client.docmd("MAIL", f"FROM:<{SENDER}>") == (530, b"Must issue a STARTTLS command first")
        assert client.starttls(context=door.tls()) == (220, b"Ready to start TLS")
        assert client.ehlo("shop")[1].decode().splitlines() == said
        assert client.docmd("STARTTLS")[0] == 503
        assert client.docmd("MAIL", f"FROM:<{SENDER}>") == (530, b"Authentication required")
        assert client.docmd("AUTH", "login") == (334, b"VXNlcm5hbWU6")
        assert client.docmd(base64.b64encode(b"test").decode()) == (334, b"UGFzc3dvcmQ6")
        assert client.docmd(base64.b64encode(b"test").decode()) == (
            535,
            b"Authentication Credentials Invalid",
        )
        assert client.login(door.user, door.password) == (235, b"Authentication successful.")
        assert client.rset() == (250, b"Ok")
        assert client.quit() == (221, b"Bye")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_both_mechanisms_sign_in(local: SesLocal, mechanism: str) -> None:
    door = local.smtp
    with smtplib.SMTP(door.host, door.port, timeout=60) as client:
        client.starttls(context=door.tls())
        client.ehlo()
        client.user, client.password = door.user, door.password  # type: ignore[attr-defined]
        act: Any = client.auth_plain if mechanism == "PLAIN" else client.auth_login
        assert client.auth(mechanism, act) == (235, b"Authentication successful.")


@pytest.mark.parametrize(
    ("user", "password", "line"),
    [
        ("nobody", "x", "nobody: it is no access key"),
        ("test", "test", "its secret is not its SMTP password"),
        ("test", smtp_password("test", "ap-south-1"), "not the one derived from its secret"),
        ("a\x1b[31m", "x", r"'a\\x1b[31m'"),
    ],
    ids=["user", "secret", "region", "control"],
)
def test_wrong_credentials_are_refused_and_the_log_says_why(
    local: SesLocal, user: str, password: str, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    door = local.smtp
    with smtplib.SMTP(door.host, door.port, timeout=60) as client:
        client.starttls(context=door.tls())
        with pytest.raises(smtplib.SMTPAuthenticationError) as error:
            client.login(user, password)
        assert (error.value.smtp_code, error.value.smtp_error) == (535, b"Authentication Credentials Invalid")
        assert client.docmd("MAIL", f"FROM:<{SENDER}>")[0] == 530
    assert line.replace("\\\\", "\\") in caplog.text


def test_the_password_of_another_region_of_the_server_signs_in(local: SesLocal) -> None:
    door = local.smtp
    with signed_in(replace(door, password=smtp_password("test", "eu-west-1"))) as client:
        client.send_message(mail())
    assert len(local.sent()) == 1


def test_a_client_that_does_not_trust_the_certificate_does_not_send(local: SesLocal) -> None:
    door = local.smtp
    with (
        smtplib.SMTP(door.host, door.port, timeout=60) as client,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        client.starttls(context=ssl.create_default_context())
    assert local.sent() == []


# mail


def test_a_tenants_mail_is_sent_with_its_set_and_tags(local: SesLocal) -> None:
    ses = local.client("sesv2")
    ses.create_configuration_set(ConfigurationSetName="news")
    ses.create_tenant(TenantName="acme")
    for kind in ("identity/acme.example", "configuration-set/news"):
        arn = f"arn:aws:ses:{local.region}:{local.account_id}:{kind}"
        ses.create_tenant_resource_association(TenantName="acme", ResourceArn=arn)
    message = mail(
        X_SES_TENANT="acme", X_SES_CONFIGURATION_SET="news", X_SES_MESSAGE_TAGS="campaign=spring, kind=news"
    )
    with signed_in(local.smtp) as client:
        client.mail(SENDER)
        client.rcpt(KIM)
        code, text = client.data(message.as_string())
    assert code == 250
    [sent] = local.sent(tenant="acme", configuration_set="news", tags={"campaign": "spring"})
    assert text.decode() == f"Ok {sent['message_id']}"
    [event] = local.events("Send", KIM)
    tags = event["mail"]["tags"]
    assert (tags["campaign"], tags["kind"], tags["ses:configuration-set"]) == (["spring"], ["news"], ["news"])
    assert (tags["ses:operation"], tags["ses:caller-identity"]) == (["SendSmtpEmail"], ["test"])
    assert event["mail"]["source"] == SENDER
    kept = local.eml(sent["message_id"])
    assert b"x-ses" not in kept.lower()
    assert b"Subject: Hi\r\n" in kept
    assert b"\r\n.with a dot\r\n" in kept


def test_the_recipients_are_those_of_the_envelope(local: SesLocal) -> None:
    with signed_in(local.smtp) as client:
        client.send_message(mail(), SENDER, ["lee@example.com"])
    assert local.sent()[0]["recipients"] == ["lee@example.com"]


def test_a_sender_that_is_not_verified_is_refused(local: SesLocal) -> None:
    with signed_in(local.smtp) as client:
        message = mail()
        message.replace_header("From", "x@other.example")
        assert refusal(client, message, "x@other.example") == (
            554,
            "Message rejected: Email address is not verified. The following identities failed the check in region US-EAST-1: "
            "x@other.example",
        )
        client.send_message(mail())  # the connection can go on
    assert len(local.sent()) == 1


def test_a_suppressed_recipient_is_accepted_and_bounces(local: SesLocal) -> None:
    local.client("sesv2").put_suppressed_destination(EmailAddress=KIM, Reason="BOUNCE")
    with signed_in(local.smtp) as client:
        client.send_message(mail())
    [bounce] = local.events("Bounce", KIM)
    assert bounce["bounce"]["bounceSubType"] == "OnAccountSuppressionList"


def test_51_recipients_are_refused(local: SesLocal) -> None:
    with signed_in(local.smtp) as client:
        to = [f"kim{number}@example.com" for number in range(51)]
        client.mail(SENDER)
        assert {client.rcpt(address)[0] for address in to} == {250}
        assert client.data(mail().as_string()) == (554, b"Transaction failed: Recipient count exceeds 50.")
        client.send_message(mail(), SENDER, to[:50])
    assert len(local.sent()) == 1


@pytest.mark.parametrize(
    ("to", "text"),
    [
        ("kim", "Missing final '@domain'"),
        ("k im@example.com", "Local address contains control or whitespace"),
    ],
)
def test_a_recipient_that_is_no_address_is_refused_in_ses_words(local: SesLocal, to: str, text: str) -> None:
    with signed_in(local.smtp) as client:
        client.mail(SENDER)
        client.docmd("RCPT", f"TO:<{to}>")
        assert client.data(mail().as_string()) == (554, f"Transaction failed: {text}".encode())


def test_a_sender_that_is_no_address_is_refused_at_once(local: SesLocal) -> None:
    with signed_in(local.smtp) as client:
        for sender in ("", "shop"):
            assert client.docmd("MAIL", f"FROM:<{sender}>") == (501, b"Invalid MAIL FROM address provided")


def test_what_the_api_refuses_smtp_refuses(local: SesLocal) -> None:
    with signed_in(local.smtp) as client:
        local.fault("throttle", count=1)
        assert refusal(client, mail()) == (454, "Throttling failure: Maximum sending rate exceeded.")
        local.fault("error_503", count=1)
        assert refusal(client, mail()) == (451, "Temporary service failure")
        assert refusal(client, mail(X_SES_CONFIGURATION_SET="none"))[1].startswith(
            "Transaction failed: Configuration set"
        )
        assert refusal(client, mail(X_SES_TENANT="none"))[1].startswith("Transaction failed: Tenant none")
        local.client("sesv2").put_account_sending_attributes(SendingEnabled=False)
        assert refusal(client, mail()) == (554, f"Message rejected: {PAUSED}")
        local.admin("PUT", "/account", {"behaviour": {"old_pause_error": "AccountSendingPausedException"}})
        assert refusal(client, mail()) == (554, "Message rejected: Sending paused for this account.")
    assert local.sent() == []


def test_a_foreign_identity_is_refused(local: SesLocal) -> None:
    arn = "arn:aws:ses:us-east-1:999999999999:identity/other.example"
    with signed_in(local.smtp) as client:
        code, text = refusal(client, mail(X_SES_SOURCE_ARN=arn))
    assert code == 554
    assert text.startswith("Access denied: User")
    assert arn in text


def test_an_answer_that_is_lost_leaves_the_mail_accepted(local: SesLocal) -> None:
    local.fault("accept_lose_answer", count=1)
    with pytest.raises(smtplib.SMTPServerDisconnected), signed_in(local.smtp) as client:
        client.send_message(mail())
    assert len(local.sent()) == 1


# what an attacker sends


def test_no_header_can_be_injected_by_the_envelope(local: SesLocal) -> None:
    with signed_in(local.smtp) as client:
        for command in (
            f"MAIL FROM:<{SENDER}>\rX-SES-TENANT: other",
            "MAIL FROM:<shop\rX-SES-TENANT: other@acme.example>",
        ):
            client.send((command + "\r\n").encode())
            code, text = client.getreply()
            assert code >= 500
            assert b"\r" not in text
            assert b"\n" not in text
        client.rset()
        client.mail(SENDER)
        client.send(b"RCPT TO:<kim\rX-SES-TENANT: other@example.com>\r\n")
        client.getreply()
        client.rcpt(KIM)
        assert client.data(mail().as_string())[0] == 554
    assert local.sent() == []


def test_only_crlf_dot_crlf_ends_a_mail(plain: SesLocal) -> None:
    door = plain.smtp
    with signed_in(door) as client:
        client.mail(SENDER)
        client.rcpt(KIM)
        assert client.docmd("DATA")[0] == 354
        smuggled = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<lee@example.com>\r\nDATA\r\n"
        head = f"From: {SENDER}\r\nTo: {KIM}\r\nSubject: Hi\r\n\r\n"
        client.send((head + "Hello\n.\r\n" + smuggled + head + "Second\r\n.\r\n").encode())
        assert client.getreply()[0] == 250
        assert client.noop()[0] == 250
    [sent] = plain.sent()
    assert sent["recipients"] == [KIM]


def test_a_reply_does_not_repeat_line_breaks(plain: SesLocal) -> None:
    door = plain.smtp
    with socket.create_connection((door.host, door.port), 60) as raw, raw.makefile("rb") as lines:
        assert lines.readline().startswith(b"220 email-smtp.amazonaws.com ESMTP SimpleEmailService")
        raw.sendall(b"FOO\r250\r\nQUIT\r\n")
        assert lines.readline() == b'500 Error: command "FOO 250" not recognized\r\n'
        assert lines.readline() == b"221 Bye\r\n"


def test_what_follows_starttls_in_clear_text_is_dropped(local: SesLocal) -> None:
    door = local.smtp
    with socket.create_connection((door.host, door.port), 60) as raw:
        raw.recv(1000)
        raw.sendall(b"STARTTLS\r\nRSET\r\n")
        raw.settimeout(5)
        assert raw.recv(1000) == b"220 Ready to start TLS\r\n"


def test_a_mail_that_is_too_large_is_refused(plain: SesLocal) -> None:
    with signed_in(plain.smtp) as client:
        assert client.mail(SENDER, [f"size={MOST_BYTES + 1}"]) == (552, b"5.3.4 Message is too long.")
        client.mail(SENDER)
        client.rcpt(KIM)
        assert client.docmd("DATA")[0] == 354
        line = b"x" * (1 << 19) + b"\r\n"
        client.send(mail().as_bytes().replace(b"\n", b"\r\n"))
        for _ in range(MOST_BYTES // len(line) + 1):
            client.send(line)
        client.send(b".\r\n")
        assert client.getreply() == (552, b"5.3.4 Message is too long.")
        client.send_message(mail())
    assert len(plain.sent()) == 1


def test_a_line_without_an_end_closes_the_connection(
    plain: SesLocal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MAX_BODY", 1 << 20)
    with signed_in(plain.smtp) as client:
        client.mail(SENDER)
        client.rcpt(KIM)
        client.docmd("DATA")
        with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
            client.send(b"x" * (64 << 20))
        client.close()
    assert plain.sent() == []


def test_too_many_connections_are_refused(plain: SesLocal) -> None:
    door = plain.smtp
    with signed_in(door), signed_in(door):
        with pytest.raises(smtplib.SMTPConnectError) as error:
            smtplib.SMTP(door.host, door.port, timeout=60)
        assert (error.value.smtp_code, error.value.smtp_error) == (
            421,
            b"Too many concurrent SMTP connections",
        )


# switches


def test_without_tls_passwords_are_still_checked(plain: SesLocal) -> None:
    door = plain.smtp
    with smtplib.SMTP(door.host, door.port, timeout=60) as client:
        assert client.docmd("EHLO", "x")[0] == 250
        assert client.docmd("MAIL", f"FROM:<{SENDER}>") == (530, b"Authentication required")
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("test", "test")
    with signed_in(door) as client:
        client.send_message(mail())
    assert len(plain.sent()) == 1


def test_without_signatures_nobody_has_to_sign_in() -> None:
    settings = seslocal.Settings(smtp_port=0, smtp_without_tls=True, check_signatures=False)
    with serving(settings) as server, emptied(server) as local:
        with smtplib.SMTP(local.smtp.host, local.smtp.port, timeout=60) as client:
            client.send_message(mail())
        assert local.events("Send", KIM)[0]["mail"]["tags"]["ses:caller-identity"] == ["anonymous"]


def test_the_door_opens_when_a_test_asks_for_it() -> None:
    with serving() as server, emptied(server) as local:
        with pytest.raises(AssertionError, match="--smtp-port"):
            local.admin("GET", "/smtp")
        with signed_in(local.smtp) as client:
            client.send_message(mail())
        assert len(local.sent()) == 1
        server.reset()
        assert server.seslocal.smtp.port == local.smtp.port


def test_the_admin_api_does_not_show_a_password_that_is_secret(local: SesLocal) -> None:
    assert local.admin("GET", "/smtp")["password"] == local.smtp.password
    local.admin("PUT", "/keys/test", {"secret": "another"})
    assert local.admin("GET", "/smtp")["password"] is None


def test_mail_is_kept_when_the_server_is_killed(tmp_path: Path) -> None:
    settings = seslocal.Settings(smtp_port=0, state=str(tmp_path / "state"))
    with serving(settings) as server:
        local = server.seslocal
        local.client("sesv2").create_email_identity(EmailIdentity="acme.example")
        with signed_in(local.smtp) as client:
            client.send_message(mail())
        shutil.copytree(tmp_path / "state", tmp_path / "at-the-kill")
        local.close()
    with serving(replace(settings, state=str(tmp_path / "at-the-kill"))) as server:
        [sent] = server.seslocal.sent()
        assert sent["recipients"] == [KIM]


def test_the_server_stops_while_clients_are_connected() -> None:
    with serving(seslocal.Settings(smtp_port=0)) as server, emptied(server) as local:
        door = local.smtp
        local.fault("time_out")
        client = smtplib.SMTP(door.host, door.port, timeout=60)
        client.starttls(context=door.tls())
        client.login(door.user, door.password)
        client.mail(SENDER)
        client.rcpt(KIM)
        client.docmd("DATA")
        client.send(mail().as_string().replace("\n", "\r\n") + "\r\n.\r\n")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.noop()
    client.close()


def test_a_policy_that_allows_the_api_alone_denies_smtp(local: SesLocal) -> None:
    allows = {"Effect": "Allow", "Action": "ses:SendEmail", "Resource": "*"}
    local.admin("PUT", "/keys/api", {"secret": "s"})
    document = {"Version": "2012-10-17", "Statement": [allows]}
    local.admin("PUT", "/keys/api/policies", {"policies": [{"document": document}]})
    with signed_in(replace(local.smtp, user="api", password=smtp_password("s", local.region))) as client:
        code, text = refusal(client, mail())
    assert code == 554
    assert text.startswith("Access denied: User")
    assert "ses:SendRawEmail" in text


def test_in_the_sandbox_recipients_have_to_be_verified(local: SesLocal) -> None:
    local.admin("PUT", "/account", {"production": False})
    with signed_in(local.smtp) as client:
        assert refusal(client, mail())[1].endswith(f"failed the check in region US-EAST-1: {KIM}")


def test_without_aiosmtpd_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **others: Any) -> Any:
        if name.partition(".")[0] == "aiosmtpd":
            raise ModuleNotFoundError(f"No module named {name!r}", name="aiosmtpd")
        return real(name, *more, **others)

    for name in [name for name in sys.modules if name.startswith(("aiosmtpd", "seslocal.smtp."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with serving() as server, emptied(server) as local:
        with pytest.raises(ModuleNotFoundError, match=r"pip install \"seslocal\[smtp\]\""):
            _ = local.smtp
        with pytest.raises(AssertionError, match="--smtp-port"):
            local.admin("GET", "/smtp")


def test_the_command_opens_the_door() -> None:
    """With the loop that the command runs on."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "seslocal", "--port=0", "--smtp-port=0", f"--ready-fd={writing}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, pass_fds=(writing,)) as process:
        os.close(writing)
        try:
            with os.fdopen(reading) as ready:
                told = json.loads(ready.readline())
            with urllib.request.urlopen(told["url"] + "/_seslocal/smtp", timeout=60) as response:
                shown = json.loads(response.read())
            with smtplib.SMTP("localhost", told["smtp_port"], timeout=60) as client:
                client.starttls(context=ssl.create_default_context(cadata=shown["certificate"]))
                client.login(shown["user"], shown["password"])
                assert refusal(client, mail())[1].startswith(
                    "Message rejected: Email address is not verified."
                )
        finally:
            process.terminate()
            printed, errors = process.communicate(timeout=60)
    assert f"Send by SMTP: 127.0.0.1:{told['smtp_port']}. " in printed
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (
            b"A: 1\r\nX-SES-TENANT: t\r\nB: 2\r\n\r\nx-ses-tenant: body\r\n",
            b"A: 1\r\nB: 2\r\n\r\nx-ses-tenant: body\r\n",
        ),
        (b"x-ses-message-tags: a=1,\r\n\tb=2\r\nB: 2\r\n\r\n", b"B: 2\r\n\r\n"),
        (b"B: 2\nX-SES-TENANT: t\n\nHi", b"B: 2\n\nHi"),
        (b"B: 2\r\n X-SES-TENANT: folded\r\n\r\n", b"B: 2\r\n X-SES-TENANT: folded\r\n\r\n"),
        (b"B: 2\r\nX-SES-TENANT: t", b"B: 2\r\n"),
    ],
    ids=["between", "folded", "lf", "continues", "no-body"],
)
def test_own_headers_are_taken_out(given: bytes, left: bytes) -> None:
    assert without_own_headers(given) == left
