"""What a recipient gets of each form of content: who sees whom, files, pictures, whole messages, the unsubscribe link."""

import base64
import email
import email.header
import email.policy
import json
import urllib.parse
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.core import ids
from mailcordon.core.errors import Invalid
from mailcordon.core.event import Attempt
from mailcordon.send import attachments, compose, slots, submission, texts
from mailcordon.send.attachments import Given
from mailcordon.send.slots import Unsubscribe
from mailcordon.send.submission import Named, Place, Raw, Submission
from mailcordon.send.texts import LongText

FIRST = ids.IdGenerator(1).next(1_790_000_000_000)
LINK = Unsubscribe(
    (
        ("List-Unsubscribe", "<https://mail.example/u/AbC-d_9x>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ),
    "https://mail.example/u/AbC-d_9x?a=1&b=2",
)
OWN_LINK = {
    "List-Unsubscribe": "<https://acme.example/u/1>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}
PICTURE = Given("logo.png", base64.b64encode(bytes(range(256))).decode(), None, "logo@acme", None)
PDF = Given("Rechnung Ä.pdf", base64.b64encode(b"%PDF-1.7 " * 5000).decode(), "application/pdf", None, None)


def checked(**over: Any) -> Submission:
    return submission.check(
        **{
            "type": "receipt",
            "sender": "Jörg <hello@acme.example>",
            "to": ["Kim Ä <kim@example.com>", "lee@example.com"],
            "subject": "Your receipt",
            "text": "Thank you.\n",
            "html": None,
            "reply_to": [],
            "headers": {},
            "campaign": None,
            "list": None,
            **over,
        }
    )


def call(
    stored: bytes, number: int = 1, unsubscribe: Unsubscribe | None = None, to: str = "x@example.com"
) -> dict[str, Any]:
    body = compose.call(
        stored,
        to=to,
        ses_tenant="mc-a",
        configuration_set="mc-b",
        key=b"k" * 32,
        attempt=Attempt(
            installation="main",
            tenant_key="mc-a",
            type="receipt",
            delivery=FIRST + number,
            attempt=1,
            called_at=1_790_000_000_123,
        ),
        unsubscribe=unsubscribe,
    )
    return json.loads(body)


def raw(stored: bytes, number: int = 1, unsubscribe: Unsubscribe | None = None) -> bytes:
    data = call(stored, number, unsubscribe)["Content"]["Raw"]["Data"]
    return base64.b64decode(data, validate=True)


def mail(stored: bytes, number: int = 1, unsubscribe: Unsubscribe | None = None) -> Any:
    return email.message_from_bytes(raw(stored, number, unsubscribe), policy=email.policy.default)


def simple(stored: bytes, number: int = 1, unsubscribe: Unsubscribe | None = None) -> dict[str, Any]:
    return call(stored, number, unsubscribe)["Content"]["Simple"]


def headers(content: dict[str, Any]) -> dict[str, str]:
    listed = content.get("Headers", [])
    assert len({one["Name"].lower() for one in listed}) == len(listed)
    return {one["Name"]: one["Value"] for one in listed}


def tree(part: Any) -> Any:
    """Types, and what a reader sees of the leaves."""
    if part.is_multipart():
        return part.get_content_type(), [tree(one) for one in part.iter_parts()]
    found = part.get_payload(decode=True)
    return (
        part.get_content_type(),
        found.decode() if part.get_content_maintype() == "text" and not part.get_filename() else found,
        part.get_filename(),
        part["content-id"],
        part.get_content_disposition(),
    )


# Who sees whom -------------------------------------------------------------------------------------------------------------


def test_everybody_sees_to_and_cc_as_written_and_bcc_is_seen_by_nobody():
    stored = compose.content(
        checked(cc=[Named("Kollege, Ö", "cc@example.com")], bcc=["bcc@example.com", "KIM@example.com"])
    )
    sent = {raw(stored, number) for number in (1, 2, 3, 4)}
    assert len(sent) == 1
    (message,) = sent
    assert b"bcc" not in message.lower()
    made = mail(stored)
    assert str(made["to"]) == "Kim Ä <kim@example.com>, lee@example.com"
    assert [(one.display_name, one.addr_spec) for one in made["cc"].addresses] == [
        ("Kollege, Ö", "cc@example.com")
    ]
    assert str(made["from"]) == "Jörg <hello@acme.example>"
    assert call(stored, 4, to="bcc@example.com")["Destination"] == {"ToAddresses": ["bcc@example.com"]}


def test_an_address_in_two_fields_gets_one_delivery():
    found = checked(cc=["LEE@example.com", "cc@example.com"], bcc=["cc@example.com", "kim@example.com"])
    assert [str(one) for one in found.envelope] == ["kim@example.com", "lee@example.com", "cc@example.com"]


def test_of_a_mailing_each_sees_only_themselves():
    for over in ({"individually": True}, {"own_headers": [{"X-A": "1"}, None]}):
        stored = compose.content(checked(**over))
        assert call(stored, 1)["Destination"]["ToAddresses"] == ["=?utf-8?b?S2ltIMOE?= <kim@example.com>"]
        assert call(stored, 2, to="lee@example.com")["Destination"]["ToAddresses"] == ["lee@example.com"]
        assert b"lee@" not in json.dumps(call(stored, 1)).encode()


def test_a_mailing_has_no_copies():
    for field in ("cc", "bcc"):
        for mailing in ({"individually": True}, {"own_headers": [{"X-A": "1"}]}):
            with pytest.raises(Invalid) as caught:
                checked(**{"to": ["kim@example.com"], field: ["cc@example.com"], **mailing})
            assert [(one.field, one.code) for one in caught.value.faults] == [(field, "mailing-with-copies")]


def test_without_a_visible_recipient_the_header_says_so():
    made = mail(compose.content(checked(to=[], bcc=["bcc@example.com"])))
    assert str(made["to"]) == "undisclosed-recipients:;"
    assert mail(compose.content(checked(to=[], cc=["cc@example.com"])))["to"] is None


def test_fifty_recipients_are_the_most_in_all_fields_together():
    many = [f"r{n}@example.com" for n in range(25)]
    assert len(checked(to=many, cc=[f"c{n}@example.com" for n in range(25)]).envelope) == 50
    with pytest.raises(Invalid):
        checked(to=many, cc=[f"c{n}@example.com" for n in range(25)], bcc=["b@example.com"])


# Files ---------------------------------------------------------------------------------------------------------------------


def test_simple_and_raw_content_of_the_same_message_give_the_reader_the_same_parts():
    """Built by us, and by a builder of parts as SES is known to build them (seslocal's; a scenario compares what arrives)."""
    given = {"text": "Danke, Jörg\nBye", "html": "<p>Danke</p>", "attachments": [PDF]}
    alone = simple(compose.content(checked(to=["kim@example.com"], **given)))
    made = mail(compose.content(checked(**given)))
    kind, (body, file) = tree(made)
    assert kind == "multipart/mixed"
    assert body == (
        "multipart/alternative",
        [
            ("text/plain", alone["Body"]["Text"]["Data"].replace("\n", "\r\n"), None, None, None),
            ("text/html", alone["Body"]["Html"]["Data"], None, None, None),
        ],
    )
    (attached,) = alone["Attachments"]
    assert attached["ContentTransferEncoding"] == "BASE64"  # SES's default corrupts files (ses.md 3.3)
    assert file == (
        attached["ContentType"],
        base64.b64decode(attached["RawContent"]),
        attached["FileName"],
        None,
        attached["ContentDisposition"].lower(),
    )
    assert made["subject"] == alone["Subject"]["Data"]


def test_a_picture_of_the_html_has_its_content_id_in_either_form():
    html = '<img src="cid:logo@acme">'
    (picture, _) = simple(
        compose.content(checked(to=["kim@example.com"], html=html, attachments=[PICTURE, PDF]))
    )["Attachments"]
    assert (picture["ContentId"], picture["ContentDisposition"]) == ("logo@acme", "INLINE")
    kind, (body, shown, file) = tree(mail(compose.content(checked(html=html, attachments=[PICTURE, PDF]))))
    assert (kind, file[0], file[2]) == ("multipart/mixed", "application/pdf", "Rechnung Ä.pdf")
    assert body[1][1] == ("text/html", html, None, None, None)
    assert shown == ("image/png", bytes(range(256)), "logo.png", "<logo@acme>", "inline")


def test_the_sdk_would_send_the_same_call():
    shape = botocore.session.get_session().get_service_model("sesv2").operation_model("SendEmail").input_shape
    assert shape is not None
    for message in (
        checked(to=["Kim <kim@example.com>"], attachments=[PDF, PICTURE]),
        checked(attachments=[PICTURE]),
    ):
        said = call(compose.content(message), 1, LINK)
        content = said["Content"]
        for one in content.get("Simple", {}).get("Attachments", [content.get("Raw", {})]):
            one |= {name: base64.b64decode(one[name]) for name in ("RawContent", "Data") if name in one}
        report = ParamValidator().validate(said, shape)
        assert not report.has_errors(), report.generate_report()


def test_large_files_are_base64_in_lines_and_stay_what_they_were():
    data = bytes(range(256)) * 1000
    encoded = base64.encodebytes(data).decode()
    for content in (encoded, LongText(encoded[at : at + 4099] for at in range(0, len(encoded), 4099))):
        message = checked(attachments=[Given("x.bin", content), Given("y.bin", "")])
        assert [one.size for one in message.attachments] == [len(data), 0]
        sent = raw(compose.content(message))
        assert max(map(len, sent.split(b"\r\n"))) <= 76
        assert tree(email.message_from_bytes(sent, policy=email.policy.default))[1][1][1] == data


@pytest.mark.parametrize(
    "name", ["a" * 200 + ".pdf", "Ä" * 200 + ".pdf", 'a"b\\c.txt', "日本.txt", "a;b=c.txt", "x"]
)
def test_a_file_keeps_its_name(name):
    sent = raw(compose.content(checked(attachments=[Given(name, "aGk=")])))
    assert max(map(len, sent.split(b"\r\n"))) < 250
    assert tree(email.message_from_bytes(sent, policy=email.policy.default))[1][1][2] == name


FAULTY = [
    ({"filename": "a.exe"}, "filename", "refused-file-type"),
    ({"filename": "a.pdf.JS"}, "filename", "refused-file-type"),
    ({"filename": "a.scr. ."}, "filename", "refused-file-type"),
    ({"filename": ""}, "filename", "invalid"),
    ({"filename": "a" * 256}, "filename", "invalid"),
    ({"filename": "a\r\nX-SES-TENANT: b.pdf"}, "filename", "header-injection"),
    ({"filename": "invoice\u202efdp.png"}, "filename", "invalid"),
    ({"content": "aGk"}, "content", "invalid"),
    ({"content": "aGk=aGk="}, "content", "invalid"),
    ({"content": "aG_="}, "content", "invalid"),
    ({"content": "ä"}, "content", "invalid"),
    ({"content_type": "pdf"}, "content_type", "invalid"),
    ({"content_type": "a/b\r\nX: y"}, "content_type", "invalid"),
    ({"content_type": "a/b; name=x.exe"}, "content_type", "invalid"),
    ({"content_type": "a/" + "b" * 77}, "content_type", "invalid"),
    ({"content_type": "message/rfc822"}, "content_type", "invalid"),
    ({"content_type": "multipart/mixed"}, "content_type", "invalid"),
    ({"content_id": "a b"}, "content_id", "invalid"),
    ({"content_id": "a>\r\nX: y"}, "content_id", "invalid"),
    ({"content_id": "a" * 79}, "content_id", "invalid"),
    ({"disposition": "hidden"}, "disposition", "invalid"),
]


@pytest.mark.parametrize(("over", "field", "code"), FAULTY)
def test_each_fault_of_a_file_is_named_with_its_field(over, field, code):
    with pytest.raises(Invalid) as caught:
        checked(
            attachments=[Given("ok.txt", "aGk="), Given(**{"filename": "b.txt", "content": "aGk=", **over})]
        )
    assert [(one.field, one.code) for one in caught.value.faults] == [(f"attachments[1].{field}", code)]


def test_two_files_have_not_one_content_id():
    with pytest.raises(Invalid) as caught:
        checked(attachments=[PICTURE, PICTURE._replace(content_id="<logo@acme>")])
    assert caught.value.faults[0].field == "attachments[1].content_id"


def test_files_that_need_parameters_have_them():
    given = Given("invite.ics", "aGk=", 'text/calendar; method=REQUEST; charset="utf-8"')
    assert b"method=REQUEST" in mail(compose.content(checked(attachments=[given]))).as_bytes()


def test_a_message_is_as_large_as_ses_takes_and_no_larger(monkeypatch):
    monkeypatch.setattr(compose, "MAX_ENCODED", 100_000)
    for to in (["kim@example.com"], ["kim@example.com", "lee@example.com"]):
        compose.content(
            checked(to=to, attachments=[Given("a.bin", base64.b64encode(bytes(50_000)).decode())])
        )
        with pytest.raises(Invalid) as caught:
            compose.content(
                checked(to=to, attachments=[Given("a.bin", base64.b64encode(bytes(80_000)).decode())])
            )
        assert (caught.value.faults[0].field, caught.value.faults[0].code) == ("attachments", "too-large")


# Texts ---------------------------------------------------------------------------------------------------------------------

BODY = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\r\n\t= .{}"), min_size=1, max_size=300
)


@given(text=BODY, html=BODY, parts=st.integers(1, 50))
def test_every_text_arrives_as_it_was_written(text, html, parts):
    """Line breaks are CRLF, as they are in every mail."""
    for form in (str, lambda one: LongText(one[at : at + parts] for at in range(0, len(one), parts))):
        made = mail(compose.content(checked(text=form(text), html=form(html))))
        sent = [one.get_payload(decode=True).decode() for one in made.iter_parts()]
        expected = [
            one.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n") for one in (text, html)
        ]
        assert sent == expected
    assert max(map(len, raw(compose.content(checked(text=text, html=html))).split(b"\r\n"))) < 998


SUBJECTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Cf"]), min_size=1, max_size=200
).filter(lambda one: "=?" not in one and one.strip() == one)


@given(subject=SUBJECTS)
def test_every_subject_arrives_as_it_was_written(subject):
    sent = raw(compose.content(checked(subject=subject)))
    decoded = email.header.make_header(email.header.decode_header(email.message_from_bytes(sent)["subject"]))
    assert str(decoded) == subject
    assert max(map(len, sent.split(b"\r\n"))) < 998


# The unsubscribe link ------------------------------------------------------------------------------------------------------

PLACED = "Hi {{unsubscribe_url}} and {{amazonSESUnsubscribeUrl}}{{unsubscribe_url}}"
FILLED = f"Hi {LINK.link} and {LINK.link}{LINK.link}"


@pytest.mark.parametrize("length", range(12))
def test_a_link_is_filled_in_at_the_call_in_every_form(length):
    """Whatever its length is: base64 stands for three bytes at once."""
    link = LINK._replace(link=LINK.link + "x" * length)
    filled = FILLED.replace(LINK.link, link.link)
    escaped = filled.replace("&", "&amp;")
    given = {"text": PLACED, "html": f'<a href="{PLACED}">Ä</a>', "individually": True}
    alone = compose.content(checked(**given))
    body = simple(alone, 2, link)["Body"]
    assert (body["Text"]["Data"], body["Html"]["Data"]) == (filled, f'<a href="{escaped}">Ä</a>')
    built = compose.content(checked(**{**given, "individually": False}, attachments=[PICTURE]))
    text, html = (one for one in mail(built, 1, link).walk() if one.get_content_maintype() == "text")
    assert _same(text.get_payload(decode=True).decode(), filled)
    assert _same(html.get_payload(decode=True).decode(), f'<a href="{escaped}">Ä</a>')
    # Without a link, the app's words stay.
    assert simple(alone, 1)["Body"]["Text"]["Data"] == PLACED
    text, _ = (one for one in mail(built).walk() if one.get_content_maintype() == "text")
    assert text.get_payload(decode=True).decode() == PLACED


def _same(found: str, expected: str) -> bool:
    """Percent-encoded letters are the letters themselves (RFC 3986 section 6.2.2.2)."""
    return urllib.parse.unquote(found) == expected


def test_a_placeholder_may_begin_in_one_part_of_a_text_and_end_in_the_next():
    for size in range(1, 30):
        long = LongText(PLACED[at : at + size] for at in range(0, len(PLACED), size))
        assert texts.split(long)[1] == texts.split(PLACED)[1]
        body = simple(compose.content(checked(to=["kim@example.com"], text=long)), 1, LINK)["Body"]
        assert body["Text"]["Data"] == FILLED


NEWS = {"List-Unsubscribe": "<mailto:u@acme.example>", "X-A": "1"}


@pytest.mark.parametrize("shared", [{}, NEWS, OWN_LINK])
@pytest.mark.parametrize("own", [(), (None, {"X-B": "2"})])
@pytest.mark.parametrize("name", ["", "Kim "])
def test_a_recipient_gets_our_link_unless_the_app_gives_one(shared, own, name):
    to = [f"{name}<kim@example.com>" if name else "kim@example.com", "lee@example.com"]
    if shared == OWN_LINK:
        shared, own = {}, [OWN_LINK, {**OWN_LINK, "List-Unsubscribe": "<https://acme.example/u/2>"}]
    stored = compose.content(checked(to=to, headers=shared, own_headers=own, individually=True))
    for number in (1, 2):
        mine = {**shared, **((own[number - 1] if own else None) or {})}
        assert headers(simple(stored, number)) == mine
        ours = mine if "List-Unsubscribe-Post" in mine else {**mine, **dict(LINK.headers)}
        assert headers(simple(stored, number, LINK)) == ours


@pytest.mark.parametrize("shared", [{}, NEWS, OWN_LINK])
def test_so_it_is_in_a_message_that_several_see(shared):
    stored = compose.content(
        checked(bcc=["bcc@example.com"], to=["kim@example.com"])._replace(headers=tuple(shared.items()))
    )
    for unsubscribe in (None, LINK):
        found = {k: str(v) for k, v in mail(stored, 1, unsubscribe).items() if k.startswith(("List-", "X-"))}
        ours = unsubscribe is not None and "List-Unsubscribe-Post" not in shared
        assert found == ({**shared, **dict(LINK.headers)} if ours else shared)


def test_a_message_has_a_hundred_placeholders_at_most():
    """Each is a slot that every call fills: their number bounds the time of the event loop."""
    one = "x{{unsubscribe_url}}"
    for made in (str, lambda text: LongText([text[start : start + 7] for start in range(0, len(text), 7)])):
        checked(text=made(one * 60), html=made(one * 40))
        with pytest.raises(Invalid, match="at most 100 times"):
            checked(text=made(one * 60), html=made(one * 41))


def test_a_placeholder_is_filled_in_beside_a_link_of_the_apps_own():
    stored = compose.content(checked(text=PLACED, to=["kim@example.com"], headers=OWN_LINK))
    assert compose.wants_link(stored, 1, one_click=False)
    found = simple(stored, 1, LINK)
    assert (found["Body"]["Text"]["Data"], headers(found)) == (FILLED, OWN_LINK)
    body = b"Bye: {{unsubscribe_url}}"
    head = HEAD + "".join([f"{name}: {value}\r\n" for name, value in OWN_LINK.items()]).encode()
    whole = checked(to=["kim@example.com"])._replace(
        raw=Raw(head, body, (Place(5, len(body), False, False),)), to=()
    )
    sent = raw(compose.content(whole), 1, LINK)
    assert sent.startswith(head + b"\r\nBye: ")
    assert _same(sent.rpartition(b" ")[2].decode(), LINK.link)


def test_who_needs_a_link_of_ours_is_known_in_every_form():
    each = [OWN_LINK, None]
    forms = [
        (checked(to=["kim@example.com"]), [True]),
        (checked(to=["kim@example.com"], headers=OWN_LINK), [False]),
        (checked(to=["kim@example.com", "lee@example.com"], own_headers=each), [False, True]),
        (checked(to=["Kim <kim@example.com>", "lee@example.com"], own_headers=each), [False, True]),
    ]
    for message, wanted in forms:
        stored = compose.content(message)
        found = [compose.wants_link(stored, n, one_click=True) for n in range(1, len(wanted) + 1)]
        assert found == wanted
        assert not compose.wants_link(stored, 1, one_click=False)


def test_an_app_may_forbid_our_link():
    for over in ({}, {"individually": True}, {"own_headers": [{"X-A": "1"}, None]}):
        stored = compose.content(checked(text=PLACED, unsubscribe=False, **over))
        assert call(stored, 1, LINK) == call(stored, 1)


# Whole messages ------------------------------------------------------------------------------------------------------------

HEAD = b"From: a@acme.example\r\nSubject: \xe4\r\n"
BODY_OF_RAW = b"one {{unsubscribe_url}}\r\ntwo=\r\n"


@pytest.mark.parametrize("before", range(3))
@pytest.mark.parametrize("unsubscribe", [b"", b"List-Unsubscribe:\r\n <mailto:u@acme.example>\r\nX-B: 2\r\n"])
def test_a_whole_message_keeps_every_byte(before, unsubscribe):
    head = HEAD + b"X" * (before + 1) + b": 1\r\n" + unsubscribe + b"X-A: 1\r\n"
    at = BODY_OF_RAW.index(b"{{")
    place = Place(at, at + len("{{unsubscribe_url}}"), False, False)
    given = checked(to=["kim@example.com"])
    message = given._replace(raw=Raw(head, memoryview(BODY_OF_RAW), (place,)), to=())
    stored = compose.content(message)
    assert raw(stored) == head + b"\r\n" + BODY_OF_RAW
    assert raw(compose.content(message._replace(raw=Raw(head, BODY_OF_RAW)))) == head + b"\r\n" + BODY_OF_RAW
    filled = raw(stored, 1, LINK)
    made = email.message_from_bytes(filled, policy=email.policy.default)
    assert [made["List-Unsubscribe"], made["X-A"]] == [LINK.headers[0][1], "1"]
    assert len(made.get_all("List-Unsubscribe", [])) == 1
    assert (b"X-B: 2\r\n" in filled) is bool(unsubscribe)
    assert _same(
        filled.partition(b"\r\n\r\n")[2].decode(),
        BODY_OF_RAW.decode().replace("{{unsubscribe_url}}", LINK.link),
    )


def test_a_whole_message_with_a_link_of_its_own_stays_as_it_is():
    head = HEAD + "".join([f"{name}: {value}\r\n" for name, value in OWN_LINK.items()]).encode()
    stored = compose.content(checked(to=["kim@example.com"])._replace(raw=Raw(head, b"x"), to=()))
    assert raw(stored, 1, LINK) == raw(stored) == head + b"\r\nx"


@given(pieces=st.lists(st.binary(max_size=8) | st.just("slot"), max_size=12), link=st.integers(10, 14))
def test_slots_fit_wherever_they_are(pieces, link):
    out = slots.Encoder(0)
    expected = b""
    for one in pieces:
        if isinstance(one, str):
            out.slot(slots.Kind.TEXT, "{{unsubscribe_url}}")
            expected += b"{{unsubscribe_url}}"
        else:
            out.write(one)
            expected += one
    out.end()
    if b"{{unsubscribe_url}}" in b"".join(one for one in pieces if isinstance(one, bytes)):
        return
    stored = slots.stored(slots.Frame(True, 0, True, out.slots), [], out.pieces)
    assert base64.b64decode(b"".join(slots.fill(stored, 1, None).members), validate=True) == expected
    ours = Unsubscribe((), "https://" + "a" * link)
    sent = base64.b64decode(b"".join(slots.fill(stored, 1, ours).members), validate=True)
    assert sent.replace(b"%61", b"a") == expected.replace(b"{{unsubscribe_url}}", ours.link.encode())


def test_the_forms_are_told_apart_by_their_first_byte():
    assert attachments.refused_ending("a.pdf") is None
    for message in (checked(), checked(individually=True), checked(to=["Kim <kim@example.com>"])):
        assert compose.content(message)[0] == slots.FRAME
    assert compose.content(checked(to=["kim@example.com"])).startswith(b'"')
