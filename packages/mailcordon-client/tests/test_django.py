"""The Django backend: what it asks of the API for each kind of message."""

import base64
import email
import email.policy
import json
from email.mime.image import MIMEImage
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection, send_mail, send_mass_mail
from django.test.utils import override_settings

from mailcordon_client import MailcordonError, Refused

if not settings.configured:
    settings.configure()

ACCEPTED = (202, {}, b'{"id": "msg_1", "tenant": "acme", "type": "notice", "deliveries": []}')
REFUSED = (422, {}, b'{"detail": "from: not verified", "code": "identity", "retryable": false}')
BACKEND = "mailcordon_client.django.EmailBackend"


@pytest.fixture(autouse=True)
def backend(server):
    server.answers = [ACCEPTED] * 4
    with override_settings(
        EMAIL_BACKEND=BACKEND, MAILCORDON_URL=server.url, MAILCORDON_KEY="mck_x", MAILCORDON_TYPE="notice"
    ):
        yield


def bodies(server) -> list[dict[str, object]]:
    return [json.loads(one.body) for one in server.asked]


def mime(body: dict[str, object]) -> Any:
    return email.message_from_bytes(base64.b64decode(str(body["raw"])), policy=email.policy.default)


def test_a_text_with_html_goes_as_fields(server):
    message = EmailMultiAlternatives(
        "Grüße",
        "Hallo",
        "Acme, Inc. <a@acme.example>",
        ['"Kim" <kim@example.com>', '"Lee, \\"L\\"" <lee@example.com>'],
        bcc=["boss@acme.example"],
        cc=["=?utf-8?q?Zo=C3=AB?= <zoe@example.com>"],
        reply_to=["help@acme.example"],
        headers={"References": "<1@x> <2@x>", "X-Order": "4711"},
    )
    message.attach_alternative("<p>Hallo</p>", "text/html")
    assert message.send() == 1
    assert bodies(server) == [
        {
            "type": "notice",
            "from": "Acme, Inc. <a@acme.example>",
            "to": ['"Kim" <kim@example.com>', '"Lee, \\"L\\"" <lee@example.com>'],
            "cc": ['"Zoë" <zoe@example.com>'],
            "bcc": ["boss@acme.example"],
            "reply_to": ["help@acme.example"],
            "subject": "Grüße",
            "text": "Hallo",
            "html": "<p>Hallo</p>",
            "headers": {"References": "<1@x> <2@x>", "X-Order": "4711"},
        }
    ]
    assert message.mailcordon_accepted.id == "msg_1"  # pyright: ignore[reportAttributeAccessIssue]


def test_what_fields_cannot_say_goes_as_the_message_that_django_makes(server):
    attached = EmailMessage("Invoice", "Here.", "a@acme.example", ["kim@example.com"], ["boss@acme.example"])
    attached.attach("invoice.pdf", b"%PDF", "application/pdf")
    inline = EmailMultiAlternatives("Logo", "x", "a@acme.example", ["kim@example.com"])
    inline.mixed_subtype = "related"
    picture = MIMEImage(b"\x89PNG", "png")
    picture.add_header("Content-ID", "<logo>")
    inline.attach(picture)
    meeting = EmailMultiAlternatives("Meeting", "x", "a@acme.example", ["kim@example.com"])
    meeting.attach_alternative("BEGIN:VCALENDAR", "text/calendar")
    other = EmailMessage(
        "Other", "naïve", "a@acme.example", ["kim@example.com"], headers={"Organization": "A"}
    )
    other.encoding = "iso-8859-1"  # pyright: ignore[reportAttributeAccessIssue]
    server.answers = [ACCEPTED] * 4
    assert get_connection().send_messages([attached, inline, meeting, other]) == 4
    first, second, third, fourth = bodies(server)
    assert first["to"] == ["kim@example.com", "boss@acme.example"]
    assert "Bcc" not in mime(first)
    assert [part.get_content_type() for part in mime(first).iter_parts()] == ["text/plain", "application/pdf"]
    assert mime(second).get_content_type() == "multipart/related"
    assert "text/calendar" in [part.get_content_type() for part in mime(third).walk()]
    assert mime(fourth)["Organization"] == "A"
    assert mime(fourth).get_content_charset() == "iso-8859-1"
    assert b"\r\n" in base64.b64decode(str(first["raw"]))


def test_a_message_with_files_has_the_same_bytes_each_time_that_it_is_sent_with_its_key(server):
    def made() -> EmailMultiAlternatives:
        message = EmailMultiAlternatives("Invoice", "Here.", "a@acme.example", ["kim@example.com"])
        message.attach_alternative("<p>Here.</p>", "text/html")
        message.attach("invoice.pdf", b"%PDF", "application/pdf")
        message.mailcordon = {"idempotency_key": "invoice-4711"}  # pyright: ignore[reportAttributeAccessIssue]
        return message

    server.answers = [ACCEPTED] * 2
    assert get_connection().send_messages([made(), made()]) == 2
    first, second = bodies(server)
    assert first == second
    kinds = [part.get_content_type() for part in mime(first).walk()]
    assert kinds == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/pdf"]


def test_an_address_that_stands_twice_gets_one_mail(server):
    twice = ["Kim <kim@example.com>", "lee@example.com", "KIM@example.com"]
    plain = EmailMessage("Hello", "Here.", "a@acme.example", twice)
    attached = EmailMessage("Hello", "Here.", "a@acme.example", twice[:2], cc=["kim@example.com"])
    attached.attach("invoice.pdf", b"%PDF", "application/pdf")
    server.answers = [ACCEPTED] * 2
    assert get_connection().send_messages([plain, attached]) == 2
    first, second = bodies(server)
    assert first["to"] == ['"Kim" <kim@example.com>', "lee@example.com"]
    assert second["to"] == ["kim@example.com", "lee@example.com"]


def test_more_headers_than_the_api_takes_go_in_the_message(server):
    headers = {f"X-Order-{number}": "1" for number in range(16)}
    EmailMessage("Hello", "Here.", "a@acme.example", ["kim@example.com"], headers=headers).send()
    [body] = bodies(server)
    assert mime(body)["X-Order-15"] == "1"


def test_a_message_says_its_type_by_attribute_or_by_header_and_no_reader_sees_it(server):
    by_attribute = EmailMessage("a", "b", "a@acme.example", ["kim@example.com"])
    by_attribute.mailcordon = {"type": "invoice", "campaign": "november", "idempotency_key": "invoice-4711"}  # pyright: ignore[reportAttributeAccessIssue]
    headers = {"x-mailcordon-type": "receipt", "X-Mailcordon-Tenant": "zen", "Organization": "A"}
    by_header = EmailMessage("a", "b", "a@acme.example", ["kim@example.com"], headers=headers)
    get_connection().send_messages([by_attribute, by_header])
    first, second = bodies(server)
    assert (first["type"], first["campaign"]) == ("invoice", "november")
    assert server.asked[0].headers["idempotency-key"] == "invoice-4711"
    assert (second["type"], second["tenant"]) == ("receipt", "zen")
    assert [name for name in mime(second) if name.lower().startswith("x-mailcordon")] == []
    by_attribute.mailcordon = {"typ": "invoice"}  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValueError, match="typ"):
        by_attribute.send()


def test_the_arguments_of_a_connection_take_the_place_of_the_settings(server):
    connection = get_connection(type="receipt", tenant="zen", key="mck_y")
    EmailMessage("a", "b", "a@acme.example", ["kim@example.com"], connection=connection).send()
    send_mail("a", "b", "a@acme.example", ["kim@example.com"], auth_user="acme+alert", auth_password="mck_z")
    assert [(one["type"], one.get("tenant")) for one in bodies(server)] == [
        ("receipt", "zen"),
        ("alert", "acme"),
    ]
    assert [one.headers["authorization"][-5:] for one in server.asked] == ["mck_y", "mck_z"]


def test_a_mass_mail_is_one_message_each_over_one_connection(server):
    one = ("a", "b", "a@acme.example", ["kim@example.com"])
    assert send_mass_mail([one, one, ("a", "b", "a@acme.example", [])]) == 2
    assert len(server.asked) == 2


def test_a_refusal_is_raised_unless_it_should_be_silent(server):
    server.answers = [REFUSED, REFUSED, ACCEPTED]
    one = EmailMessage("a", "b", "a@acme.example", ["kim@example.com"])
    with pytest.raises(Refused, match="not verified"):
        one.send()
    assert get_connection(fail_silently=True).send_messages([one, one]) == 1


def test_a_missing_type_or_key_says_what_to_set(monkeypatch: pytest.MonkeyPatch):
    for name in ("MAILCORDON_URL", "MAILCORDON_KEY"):
        monkeypatch.delenv(name, raising=False)
    for missing in ("MAILCORDON_TYPE", "MAILCORDON_KEY", "MAILCORDON_URL"):
        with override_settings(**{missing: None}), pytest.raises(ValueError, match=missing):
            send_mail("a", "b", "a@acme.example", ["kim@example.com"], fail_silently=True)


def test_a_line_break_in_a_header_is_djangos_own_error(server):
    for fields in (
        {"subject": "a\nBcc: x@example.com"},
        {"from_email": "a@acme.example\r\nBcc: x@example.com"},
        {"to": ["kim@example.com\nx"]},
        {"headers": {"X-A": "b\nc"}},
    ):
        message = EmailMessage(**{"subject": "a", "body": "b", "to": ["kim@example.com"], **fields})
        with pytest.raises(ValueError, match="newline|linefeed"):
            message.send()
    assert server.asked == []


def test_a_subclass_that_makes_its_own_message_is_believed(server):
    class Signed(EmailMessage):
        def message(self):
            made = super().message()
            made["X-Signed"] = "yes"
            return made

    Signed("a", "b", "a@acme.example", ["kim@example.com"]).send()
    assert mime(bodies(server)[0])["X-Signed"] == "yes"


def test_nothing_is_asked_for_nobody(server):
    assert EmailMessage("a", "b", "a@acme.example", []).send() == 0
    assert mail.get_connection().send_messages([]) == 0
    assert server.asked == []
    assert issubclass(Refused, MailcordonError)
