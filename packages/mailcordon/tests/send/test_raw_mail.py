"""A whole MIME message: what is kept, what is taken out, what is refused and how it is said."""

import base64
import contextlib
import email
import email.policy
import gzip
import html
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from mailcordon.core.errors import Invalid
from mailcordon.send import compose, mail_headers, mime_parts, raw_head, raw_mail, slots
from mailcordon.send.submission import Submission

FROM = b"From: Acme <billing@acme.example>\r\n"
MAIL = FROM + b"To: Kim <kim@example.com>\r\nSubject: Hello\r\n\r\nHello Kim\r\n"


def checked(raw: bytes, **given: Any) -> Submission:
    return raw_mail.check(raw, **{"type": "invoice", **given})


def refusals(raw: bytes, **given: Any) -> str:
    with pytest.raises(Invalid) as caught:
        checked(raw, **given)
    return str(caught.value)


def with_headers(*lines: str, body: bytes = b"Hello\r\n") -> bytes:
    return FROM + "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body


def content(found: Submission) -> bytes:
    assert found.raw is not None
    return found.raw.head + b"\r\n" + found.raw.body


def test_every_byte_is_kept():
    raw = with_headers(
        "To: kim@example.com",
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=",
        "References: " + "\r\n ".join(f"<{number}@acme.example>" for number in range(300)),
        "X-Own:\tfolded\r\n  twice\r\n\tand again",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        body="Grüße\r\n\r\n .dots\r\n..\r\n".encode(),
    )
    found = checked(raw)
    assert content(found) == raw
    assert found.subject == "Grüße"
    assert [str(one) for one in found.envelope] == ["kim@example.com"]
    assert found.removed == ()


def test_headers_that_are_not_the_apps_to_set_are_taken_out_and_named():
    kept = with_headers(
        "To: kim@example.com", "Date: Mon, 1 Jan 2024 10:00:00 +0000", "Message-ID: <1@acme.example>"
    )
    removed = (
        "Return-Path: <kim@example.com>",
        "Received: from a by b;\r\n\tMon, 1 Jan 2024 10:00:00 +0000",
        "received: from b by c",
        "Bcc: lee@example.com",
        "X-SES-CONFIGURATION-SET: other",
        "x-ses-tenant: zen",
        "Resent-From: lee@example.com",
        "DKIM-Signature: v=1; a=rsa-sha256;\r\n b=",
        "ARC-Seal: i=1",
        "Authentication-Results: mx.example; dkim=pass",
        "Feedback-ID: a:b:c:d",
        "X-Mailcordon-Type: newsletter",
        "X-MS-Exchange-Organization-SCL: -1",
        "X-Google-Smtp-Source: a",
        "X-Spam-Score: 0",
    )
    at = kept.index(b"Date:")
    raw = kept[:at] + "".join(f"{line}\r\n" for line in removed).encode() + kept[at:]
    found = checked(raw)
    assert content(found) == kept
    names = [line.partition(":")[0] for line in removed]
    assert found.removed == tuple(name for name in names if name != "received")
    assert sorted(map(str, found.envelope)) == ["kim@example.com", "lee@example.com"]


def test_what_another_program_could_read_as_a_removed_header_is_refused():
    for line, sentence in (
        ("X-SES-TENANT : zen", "line 2 is not a header"),
        ("X-Own: a\r\n \r\n b", "line 3 is not a header"),
        ("no colon", "line 2 is not a header"),
        (" folds nothing", ""),  # continues From
        (": no name", "line 2 is not a header"),
        ("X-Own: a\rX-SES-TENANT: zen", "carriage return"),
        ("X-Own: a\x0bb", "control characters"),
        ("X-Own: =?utf-8?q?a=0AX-SES-TENANT:_zen?=", "encoded line break"),
    ):
        if sentence:
            assert sentence in refusals(with_headers(line, "To: kim@example.com")), line


def test_line_feeds_alone_end_lines_too():
    raw = MAIL.replace(b"\r\n", b"\n").replace(b"Subject", b"X-SES-TENANT: zen\nSubject")
    found = checked(raw)
    assert content(found) == MAIL.replace(b"Hello Kim\r\n", b"Hello Kim\n")
    assert found.removed == ("X-SES-TENANT",)


def test_from_is_one_strict_mailbox():
    rest = b"To: kim@example.com\r\n\r\nHello\r\n"
    for line, sentence in (
        (b"", "raw.From: is required"),
        (b"From: a@acme.example, b@acme.example\r\n", "raw.From: must have exactly one address"),
        (b"From: a@acme.example\r\nFROM: b@zen.example\r\n", "raw.FROM: appears twice"),
        (b"From: nobody:;\r\n", "raw.From: must have exactly one address"),
        (b"From: <a@acme.example> <b@zen.example>\r\n", "RFC 5322"),
        (b'From: "ceo@bank.com" <a@acme.example>\r\n', "must not show ceo@bank.com"),
        (b"From: =?utf-8?b?Y2VvQGJhbmsuY29t?= <a@acme.example>\r\n", "must not show ceo@bank.com"),
        (b"From: a@acme.example (ceo@bank.com)\r\n", "must not show ceo@bank.com"),
        (b"From: =?x-none?q?a?= <a@acme.example>\r\n", "encoded word"),
        ("From: Käm <a@acme.example>\r\n".encode(), "raw.From: must be ASCII"),
    ):
        assert sentence in refusals(line + rest), line
    assert checked(b"From: =?utf-8?q?K=C3=A4m?=\r\n <a@acme.example>\r\n" + rest).sender.name == "Käm"


def test_sender_is_in_the_domain_of_from():
    assert checked(with_headers("Sender: robot@acme.example", "To: kim@example.com"))
    assert "raw.Sender: must be in the domain of From, acme.example, not in zen.example" in refusals(
        with_headers("Sender: robot@zen.example", "To: kim@example.com")
    )
    assert checked(MAIL, sender="Bounces <b+1@acme.example>")
    assert "from: must be in the domain of From" in refusals(MAIL, sender="billing@zen.example")


def test_reply_to_may_be_anybody_who_shows_their_address():
    assert checked(
        with_headers("Reply-To: Kim <kim@elsewhere.example>, lee@example.com", "To: kim@example.com")
    )
    shown = with_headers('Reply-To: "ceo@bank.com" <kim@example.com>', "To: kim@example.com")
    assert "raw.Reply-To: the name must not show ceo@bank.com" in refusals(shown)
    many = with_headers(
        "Reply-To: " + ",\r\n ".join(f"k{n}@example.com" for n in range(11)), "To: kim@example.com"
    )
    assert "at most 10 addresses" in refusals(many)


def test_the_envelope_comes_from_the_caller_or_from_to_cc_and_bcc():
    raw = with_headers(
        "To: Kim <kim@example.com>, lee@example.com", "Cc: KIM@example.com", "Bcc: Max <max@example.com>"
    )
    assert [str(one) for one in checked(raw).envelope] == [
        "kim@example.com",
        "lee@example.com",
        "max@example.com",
    ]
    given = checked(raw, recipients=["a@example.com", "=?utf-8?q?B=C3=A9?= <b@example.com>", "A@example.com"])
    assert [str(one) for one in given.envelope] == ["a@example.com", "b@example.com"]
    assert b"Bcc" not in content(given)
    assert "names no recipient" in refusals(with_headers("To: undisclosed-recipients:;"))
    assert "raw.Cc: localhost is not a domain" in refusals(
        with_headers("To: kim@example.com", "Cc: kim@localhost")
    )
    assert "to[0]: must be an address" in refusals(raw, recipients=["kim"])
    assert "to[0]: must be one mailbox" in refusals(raw, recipients=["A <a@example.com>, B <b@example.com>"])
    assert "1 to 50 recipients" in refusals(raw, recipients=[])
    assert "1 to 50 recipients" in refusals(
        with_headers("To: " + ",\r\n ".join(f"k{number}@example.com" for number in range(51)))
    )


def test_to_and_cc_are_free_where_the_caller_gives_the_envelope():
    found = checked(with_headers("To: customers of acme"), recipients=["kim@example.com"])
    assert b"To: customers of acme\r\n" in content(found)


def test_a_header_that_ses_takes_once_is_taken_once():
    assert "raw.subject: appears twice" in refusals(
        with_headers("Subject: a", "subject: b", "To: kim@example.com")
    )
    assert checked(with_headers("X-Own: a", "X-Own: b", "Received: a", "Received: b", "To: kim@example.com"))


def test_sizes_have_bounds():
    to = "To: kim@example.com"
    assert "headers must be at most 131,072" in refusals(
        with_headers(to, *(f"X-{number}: {'a' * 900}" for number in range(150)))
    )
    assert "at most 300 headers" in refusals(with_headers(to, *(f"X-{number}: a" for number in range(300))))
    assert "line 4 is longer than 998 bytes" in refusals(with_headers(to, body=b"a" * 999 + b"\r\n"))
    assert checked(with_headers(to, body=b"a" * 998 + b"\r\n" + b"b" * 998))
    assert "line 3 is longer" in refusals(with_headers(to, "X-Own: " + "a" * 992))
    assert "at most 31,457,280 bytes" in refusals(b"a" * (raw_mail.MAX_BYTES + 1))
    assert "a blank line" in refusals(FROM)
    assert "NUL" in refusals(with_headers(to, body=b"a\0b"))
    assert "(CR) without" in refusals(with_headers(to, body=b"a\rb\r\n"))


def test_what_takes_long_to_read_is_bounded():
    to = "To: kim@example.com"
    folded = "\r\n ".join(["=?utf-8?q?a?=" * 70] * 6)
    assert "raw.From: the value must be at most 4096" in refusals(
        f"From: {folded} <a@acme.example>\r\n{to}\r\n\r\n".encode()
    )
    params = "Content-Disposition: attachment; name" + "\r\n ".join(["; " * 400] * 6)
    assert "at most 2,048 bytes" in refusals(with_headers(to, params))
    assert "at most 2,048 bytes" in refusals(
        FROM + b"To: kim@example.com\r\n" + multipart("a", params.encode() + b"\r\n\r\nx")
    )


def test_a_long_line_and_a_bare_cr_are_found_where_two_slices_meet(monkeypatch: pytest.MonkeyPatch):
    to = "To: kim@example.com"
    lines = b"a" * 70 + b"\r\n"
    for before in (906, 907, 908, 909, 910, 911):
        body = lines * before
        assert checked(with_headers(to, body=body + b"b" * 998 + b"\r\n"))
        assert f"line {before + 4} is longer" in refusals(with_headers(to, body=body + b"b" * 999 + b"\r\n"))
        assert "(CR)" in refusals(with_headers(to, body=body + b"b\r" + lines))


def test_own_unsubscribe_headers_count_as_the_apps():
    one_click = ("List-Unsubscribe: <https://acme.example/u/1>,\r\n <mailto:u@acme.example>",)
    post = ("List-Unsubscribe-Post: List-Unsubscribe=One-Click",)
    assert not checked(with_headers(*one_click, "To: kim@example.com")).one_click
    assert checked(with_headers(*one_click, *post, "To: kim@example.com")).one_click
    shared = with_headers(*one_click, *post, "To: kim@example.com, lee@example.com")
    assert "one link for several recipients" in refusals(shared)
    assert mail_headers.UNSUBSCRIBE in refusals(shared)


def test_a_subject_that_hides_what_it_says_is_refused():
    assert "raw.Subject" in refusals(with_headers("Subject: =?utf-8?q?a=E2=80=AEb?=", "To: kim@example.com"))


def test_a_door_reads_single_headers_before_the_check():
    raw = with_headers(
        "X-Mailcordon-Type: invoice", "Message-ID:\r\n <1@acme.example>", "To: kim@example.com"
    )
    assert raw_mail.header_values(raw, "X-Mailcordon-Type", "Message-ID", "X-None") == {
        "x-mailcordon-type": ["invoice"],
        "message-id": ["<1@acme.example>"],
        "x-none": [],
    }
    assert raw_mail.header_values(b"broken", "Message-ID") == {"message-id": []}


# Hostile input ---------------------------------------------------------------------------------------------------------

SHARED = Path(os.environ.get("MAILCORDON_SHARED", "nowhere")) / "data" / "robustness"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="MAILCORDON_SHARED names no folder with hostile mail"
)


@needs_shared
def test_hostile_mime_is_taken_as_it_is_or_refused_with_a_sentence():
    taken = 0
    for path in sorted((SHARED / "mime").iterdir()):
        raw = path.read_bytes()
        try:
            found = checked(raw, recipients=["kim@example.com"])
        except Invalid:
            continue
        taken += 1
        head = raw_head.read(raw)
        assert found.raw is not None
        assert bytes(found.raw.body) == raw[head.end :], path.name
        left = email.message_from_bytes(found.raw.head + b"\r\n", policy=email.policy.compat32).items()
        before = email.message_from_bytes(raw[: head.end], policy=email.policy.compat32).items()
        assert [(name, str(value)) for name, value in left] == [
            (name, str(value).replace("\r\n", "\n").replace("\n", "\r\n"))
            for name, value in before
            if name.lower() not in {one.lower() for one in found.removed}
        ], path.name
    assert taken > 25


@needs_shared
def test_naughty_strings_in_any_header_and_in_the_body_never_fail():
    strings = [json.loads(line) for line in (SHARED / "naughty_strings.jsonl").read_text().splitlines()]
    strings += gzip.decompress((SHARED / "jsontestsuite.jsonl.gz").read_bytes()).decode().splitlines()
    for one in strings:
        text = (one if isinstance(one, str) else json.dumps(one)).encode("utf-8", "surrogatepass")
        for raw in (
            FROM + b"To: kim@example.com\r\nSubject: " + text + b"\r\n\r\n",
            b"From: " + text + b" <billing@acme.example>\r\nTo: kim@example.com\r\n\r\n",
            FROM + b"To: " + text + b"\r\n\r\n",
            FROM
            + b"To: kim@example.com\r\nContent-Type: multipart/mixed; boundary="
            + text
            + b"\r\n\r\n--"
            + text,
            FROM + b"To: kim@example.com\r\nContent-Disposition: attachment; filename*=" + text + b"\r\n\r\n",
            FROM + b"To: kim@example.com\r\n\r\n" + text,
            text,
        ):
            with contextlib.suppress(Invalid):
                checked(raw)


# Parts -----------------------------------------------------------------------------------------------------------------


def parts_of(raw: bytes) -> mime_parts.Parts:
    values = raw_mail.header_values(raw, "content-type", "content-disposition", "content-transfer-encoding")
    head = mime_parts.head_of({name: found[0] for name, found in values.items() if found})
    return mime_parts.read(raw, raw_head.read(raw).end, head)


def multipart(boundary: str, *parts: bytes, kind: str = "mixed") -> bytes:
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()
    inside = b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), part) for part in parts)
    return head + inside + b"--%b--\r\n" % boundary.encode()


TEXT = b"Content-Type: text/plain\r\n\r\nHello"


def test_parts_are_found_as_the_standard_library_finds_them():
    examples = [
        multipart("a", TEXT, TEXT),
        multipart("a", multipart("ab", TEXT, TEXT), TEXT),  # one begins as the other
        multipart("a", multipart("a", TEXT, TEXT), TEXT),  # the same: the outer one's
        multipart("a", b"\r\nno headers", b"--a no separator", TEXT),
        multipart("a", b"Content-Type: message/rfc822\r\n\r\n" + multipart("b", TEXT, TEXT), TEXT),
        multipart("a", b"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nno boundary", TEXT),
        multipart("a", multipart("b", TEXT).removesuffix(b"--b--\r\n"), TEXT),  # no end
        multipart("a b'()+_,-./:=?", TEXT),
        multipart("a", b"not a header\r\n\r\nHello", TEXT),
        multipart("a", TEXT).replace(b"--a--", b"--a-- \t"),
        TEXT,
    ]
    if folder := os.environ.get("MAILCORDON_SHARED"):
        examples += [
            path.read_bytes()
            for path in Path(folder, "data/robustness/mime").iterdir()
            if path.suffix == ".eml"
        ]
    compared = 0
    for raw in examples:
        for one in (raw, raw.replace(b"\r\n", b"\n")):
            try:
                found = parts_of(one)
            except ValueError:
                continue
            walked = list(email.message_from_bytes(one).walk())
            if any(part.get_content_type() == "message/delivery-status" for part in walked):
                continue  # the library counts its blocks of headers
            assert found.number == len(walked), one[:300]
            compared += 1
    assert compared >= 20


def test_multipart_that_ses_refuses_is_refused():
    for raw, sentence in (
        (b"Content-Type: multipart/mixed\r\n\r\nHello", "no valid boundary"),
        (b'Content-Type: multipart/mixed; boundary=""\r\n\r\nHello', "no valid boundary"),
        (b"Content-Type: multipart/mixed; boundary=a\r\n\r\nHello", "lines --a"),
        (b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nHello", "lines --a"),
        (multipart("a", *[TEXT] * 500), "at most 500 MIME parts"),
        (multipart("-", *[b"\r\n"], b"\r\n---_\r\n" * 5000), "at most 500 MIME parts"),
    ):
        assert sentence in refusals(FROM + b"To: kim@example.com\r\n" + raw), sentence
    assert parts_of(multipart("a", *[TEXT] * 499)).number == 500


def test_parts_are_not_nested_without_bound():
    raw = TEXT
    for depth in range(29):
        raw = multipart(f"b{depth}", raw)
    assert parts_of(multipart("top", raw)).number == 31
    with pytest.raises(ValueError, match="at most 30 inside"):
        parts_of(multipart("top", multipart("over", raw)))
    messages = b"Content-Type: message/rfc822\r\n\r\n" * 600 + TEXT
    with pytest.raises(ValueError, match="at most 500"):
        parts_of(messages)


def test_names_of_files_are_read_in_every_form():
    forms = {
        b'Content-Disposition: attachment; filename="a.exe"': "a.exe",
        b"Content-Disposition: attachment; filename=a.exe": "a.exe",
        b"Content-Disposition: attachment; filename*=utf-8''a%2Eexe": "a.exe",
        b'Content-Disposition: attachment;\r\n filename*0="a.e";\r\n filename*1=xe': "a.exe",
        b'Content-Disposition: attachment; filename="=?utf-8?q?a=2Eexe?="': "a.exe",
        b'Content-Type: application/x; name="a.exe"': "a.exe",
        b'content-type: application/x;\r\n\tNAME = "a.exe"': "a.exe",
        b"Content-Type: text/plain": None,
        b"Content-Disposition: attachment; filename*99999999999999999999=a": "a",
    }
    for header, name in forms.items():
        found = parts_of(multipart("a", header + b"\r\n\r\nHello"))
        assert found.names == (() if name is None else (name,)), header


def test_a_file_that_ses_refuses_is_refused():
    named = b"Content-Disposition: attachment; filename*=utf-8''set%75p.EXE\r\n\r\nMZ"
    assert "raw: has the file setup.EXE: SES refuses files that end in .exe" in refusals(
        FROM + b"To: kim@example.com\r\n" + multipart("a", TEXT, named)
    )


def test_placeholders_are_found_in_what_is_read_as_text_alone():
    link = b"{{unsubscribe_url}}"
    parts = (
        b"Content-Type: text/plain\r\n\r\nBye: " + link + b" or " + link,
        b'Content-Type: text/html\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\n<a href=3D"{{unsub=\r\nscribe=5Furl}}">',
        b"Content-Type: text/html\r\n\r\n{{amazonSESUnsubscribeUrl}}",
        b"Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\n" + link,
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + link,
        b"Content-Type: application/json\r\n\r\n" + link,
        b"Content-Type: message/rfc822\r\n\r\nSubject: a\r\n\r\n" + link,
        b"Content-Type: message/rfc822\r\n\r\n" + multipart("b", link, link),
        link,
    )
    found = checked(FROM + b"To: kim@example.com\r\n" + multipart("a", *parts))
    assert found.raw is not None
    places = [
        (bytes(found.raw.body[one.start : one.end]), one.quoted_printable, one.html)
        for one in found.raw.places
    ]
    assert places == [
        (link, False, False),
        (link, False, False),
        (b"{{unsub=\r\nscribe=5Furl}}", True, True),
        (b"{{amazonSESUnsubscribeUrl}}", False, True),
        (link, False, False),
    ]
    whole = checked(FROM + b"To: kim@example.com\r\n\r\n" + b"a" * 70 + b"\r\n" + link)
    assert whole.raw is not None
    assert [(one.start, one.end) for one in whole.raw.places] == [(72, 72 + len(link))]


def test_a_whole_message_has_a_hundred_placeholders_at_most():
    lines = b"{{unsubscribe_url}}\r\n"
    raw = checked(MAIL + lines * 100).raw
    assert raw is not None
    assert len(raw.places) == 100
    assert "at most 100 times" in refusals(MAIL + lines * 101)


def test_a_placeholder_is_found_where_two_slices_meet():
    link = b"{{unsubscribe_url}}"
    for before in range(1024 * 1024 - 24, 1024 * 1024 + 3, 6):
        lines = b"a" * 70 + b"\r\n"
        body = lines * (before // 72) + b"b" * (before % 72) + link + b"\r\n" + lines
        found = checked(with_headers("To: kim@example.com", body=body))
        assert found.raw is not None
        assert [one.start for one in found.raw.places] == [before]


def test_a_placeholder_that_is_written_in_encoded_letters_is_filled_in_at_the_call():
    body = b'<a href=3D"{{unsub=\r\nscribe=5Furl}}">{{unsubscribe=5Furl}}{{unsubscribe_url}}</a>\r\n'
    head = b"To: kim@example.com\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    stored = compose.content(checked(FROM + head + body))
    link = "https://links.example/u/abc=&d"
    pieces = slots.fill(stored, 1, slots.Unsubscribe((), link)).members
    data = json.loads(b"{" + b"".join(bytes(one) for one in pieces) + b"}")["Content"]["Raw"]["Data"]
    found = email.message_from_bytes(base64.b64decode(data)).get_payload(decode=True)
    assert isinstance(found, bytes)
    filled = unquote(html.unescape(found.decode()))
    assert filled == f'<a href="{link}">{link}{link}</a>\r\n'
