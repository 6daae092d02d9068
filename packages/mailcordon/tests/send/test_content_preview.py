"""What people see of an accepted mail: of each form in which content is stored, and of MIME that means harm."""

import base64

import msgspec
import pytest

from mailcordon.send import compose, content_preview, raw_mail, submission
from mailcordon.send.attachments import Given
from mailcordon.send.content_preview import File, Preview

FROM = b"From: Acme <billing@acme.example>\r\n"
PDF = Given("Rechnung \u00c4.pdf", base64.b64encode(b"%PDF-1.7").decode(), "application/pdf", None, None)


def shown(number: int = 1, **over: object) -> Preview:
    given: dict[str, object] = {
        "type": "receipt", "sender": "Acme <hello@acme.example>", "to": ["kim@example.com"], "subject": "Gr\u00fc\u00dfe",
        "text": "Thank\r\nyou.", "html": None, "reply_to": [], "headers": {}, "campaign": None, "list": None, **over,
    }  # fmt: skip
    found = submission.check(**given)  # pyright: ignore[reportArgumentType]
    return content_preview.read(compose.content(found), str(found.envelope[number - 1]), number)


def of_mime(raw: bytes) -> Preview:
    found = raw_mail.check(raw, type="invoice")
    return content_preview.read(compose.content(found), str(found.envelope[0]), 1)


def in_parts(*parts: bytes, kind: bytes = b"mixed") -> bytes:
    head = (
        FROM
        + b"To: kim@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/%b; boundary=bb\r\n\r\n"
        % kind
    )
    return head + b"".join(b"--bb\r\n%b\r\n" % one for one in parts) + b"--bb--\r\n"


def test_each_form_of_stored_content_is_read_as_its_recipient_gets_it():
    plain = shown()
    assert (plain.subject, plain.to, plain.from_) == (
        "Gr\u00fc\u00dfe",
        "kim@example.com",
        "Acme <hello@acme.example>",
    )
    assert plain.text == ("Thank\nyou.", 11, False)
    assert (plain.html, plain.files) == (None, [])
    both = shown(html="<b>Thank you</b>", attachments=[PDF])
    assert both.html is not None
    assert both.html.content == "<b>Thank you</b>"
    assert both.files == [File("Rechnung \u00c4.pdf", "application/pdf", 8)]
    named = shown(to=["Kim <kim@example.com>"], text="Hello {{unsubscribe}}")
    assert named.to == "Kim <kim@example.com>"
    two = {"to": ["kim@example.com", "lee@example.com"], "individually": True}
    assert [shown(number, **two).to for number in (1, 2)] == ["kim@example.com", "lee@example.com"]
    visible = shown(2, to=["kim@example.com", "lee@example.com"], html="<b>x</b>", attachments=[PDF])
    assert visible.to == "kim@example.com, lee@example.com"
    assert visible.text is not None
    assert visible.text.content.strip() == "Thank\nyou."
    assert visible.files == [File("Rechnung \u00c4.pdf", "application/pdf", 8)]


def test_a_link_to_unsubscribe_is_not_filled_in():
    found = shown(text="Hello", html='<a href="{{unsubscribe_url}}">no more</a>')
    assert found.html is not None
    assert found.html.content == '<a href="{{unsubscribe_url}}">no more</a>'


def test_of_mime_the_first_text_and_html_are_shown_and_everything_else_is_a_file():
    inner = b"Content-Type: message/rfc822\r\n\r\nFrom: x@y.example\r\nSubject: inner\r\n\r\n<script>inner</script>\r\n"
    found = of_mime(
        in_parts(
            b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n",
            b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+eDwvYj4=\r\n",
            b"Content-Type: text/html\r\n\r\n<i>second</i>\r\n",
            b'Content-Type: text/html\r\nContent-Disposition: attachment; filename="a.html"\r\n\r\n<i>file</i>\r\n',
            b"Content-Type: application/octet-stream; name*=utf-8''%C3%84.bin\r\n\r\nabc\r\n",
            inner,
        )
    )
    assert found.text is not None
    assert found.html is not None
    assert (found.text.content.strip(), found.html.content) == ("Gr\u00fc\u00dfe", "<b>x</b>")
    assert [(one.name, one.content_type) for one in found.files] == [
        ("", "text/html"), ("a.html", "text/html"), ("\u00c4.bin", "application/octet-stream"), ("", "message/rfc822"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "part",
    [
        b"Content-Type: text/html; charset=zip\r\n\r\n<b>x</b>\r\n",
        b"Content-Type: text/html; charset=no-such\r\n\r\n<b>x</b>\r\n",
        b"Content-Type: text/html; charset=base64\r\n\r\n<b>x</b>\r\n",
        b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n",
        b"Content-Type: text/html\r\nContent-Transfer-Encoding: x-none\r\n\r\n\xff\xfe\r\n",
        b"Content-Type: text/html; name*=x'y; name*0*=zip''%ff\r\n\r\n<b>x</b>\r\n",
        b"Content-Type: multipart/alternative; boundary=cc\r\n\r\nno part\r\n",
        b"Content-Type: \xff/\xfe\r\nContent-Disposition: attachment; filename=\xff\xfe\r\n\r\nx\r\n",
    ],
)
def test_no_part_breaks_it(part: bytes):
    found = content_preview._of_mime(in_parts(part))  # pyright: ignore[reportPrivateUsage]
    assert msgspec.json.encode([found.text, found.html, list(found.files)])


def test_sizes_are_bounded():
    found = shown(text="x" * (content_preview.MAX_TEXT + 5), html="y" * (content_preview.MAX_HTML + 7))
    assert found.text is not None
    assert found.html is not None
    assert (len(found.text.content), found.text.is_cut) == (content_preview.MAX_TEXT, True)
    assert found.text.characters == content_preview.MAX_TEXT + 5
    assert (len(found.html.content), found.html.is_cut) == (content_preview.MAX_HTML, True)
    files = of_mime(in_parts(*[b"Content-Type: image/png\r\n\r\nx\r\n"] * 120))
    assert (len(files.files), files.more_files) == (content_preview.MAX_FILES, 20)
    long = content_preview._of_mime(FROM + b"Subject: " + b"x" * 5000 + b"\r\n\r\nx")  # pyright: ignore[reportPrivateUsage]
    assert len(long.subject) == content_preview.MAX_HEADER + 1


def test_what_is_no_stored_content_is_a_value_error():
    for stored in (
        b"",
        b'"Content":{}',
        b'"Content":{"Raw":{"Data":"***"}}',
        b"nothing",
        b'"Content":{"Simple":{"Body":3}}',
    ):
        with pytest.raises(ValueError, match=r"."):
            content_preview.read(stored, "kim@example.com", 1)
