"""All faults of a message are reported at once, each with its field."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.core.errors import Fault, Invalid
from mailcordon.send import submission, texts
from mailcordon.send.submission import Submission

ONE_CLICK = {
    "List-Unsubscribe": "<https://acme.example/u/1>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}


def check(**over) -> Submission:
    return submission.check(
        **{
            "type": "receipt",
            "sender": "Acme <hello@acme.example>",
            "to": ["kim@example.com"],
            "subject": "Your receipt",
            "text": "Thank you.",
            "html": None,
            "reply_to": [],
            "headers": {},
            "campaign": None,
            "list": None,
            **over,
        }
    )


def faults(**over) -> list[Fault]:
    with pytest.raises(Invalid) as caught:
        check(**over)
    return list(caught.value.faults)


def test_a_valid_message_is_accepted():
    taken = check(
        to=["kim@example.com", "lee@example.com"],
        html="<p>Thank you.</p>",
        reply_to=["Help <help@acme.example>"],
        headers={"List-Id": "<news.acme.example>", "X-Campaign": "spring", **ONE_CLICK},
        own_headers=[None, {"List-Unsubscribe": "<https://acme.example/u/2>"}],
        campaign="spring 2026",
        list="import/2026-01.csv",
    )
    assert [str(to) for to in taken.to] == ["kim@example.com", "lee@example.com"]
    assert taken.one_click
    assert taken.own_headers == ((), (("List-Unsubscribe", "<https://acme.example/u/2>"),))


LONG = "x" * (submission.MAX_BYTES + 1)
FAULTS = [
    ({"sender": ""}, "from", "bad-address"),
    ({"sender": "a@acme.example, b@acme.example"}, "from", "bad-address"),
    ({"sender": "Acme <a@acme.example>, Bcme <b@acme.example>"}, "from", "bad-address"),
    ({"sender": "a@acme.example\r\nBcc: eve@example.com"}, "from", "bad-address"),
    ({"sender": '"Acme\r\nBcc: eve@example.com" <a@acme.example>'}, "from", "bad-address"),
    ({"sender": "N" * 320 + " <a@acme.example>"}, "from", "invalid"),
    ({"to": []}, "to", "invalid"),
    ({"to": [f"kim{n}@example.com" for n in range(51)]}, "to", "invalid"),
    ({"to": ["a@example.com", "b@example.com", "c@example.com", "nobody"]}, "to[3]", "bad-address"),
    ({"to": ["kim@example.com", "lee@example.com", "KIM@example.com"]}, "to[2]", "duplicate-recipient"),
    ({"to": ["kim@example.com\nBcc: eve@example.com"]}, "to[0]", "bad-address"),
    ({"to": ["kim@example.com,lee@example.com"]}, "to[0]", "bad-address"),
    ({"reply_to": ["help@acme.example", "x"]}, "reply_to[1]", "bad-address"),
    ({"reply_to": [f"h{n}@acme.example" for n in range(11)]}, "reply_to", "invalid"),
    ({"subject": ""}, "subject", "invalid"),
    ({"subject": "x" * 901}, "subject", "invalid"),
    ({"subject": "Hello\r\nBcc: eve@example.com"}, "subject", "header-injection"),
    ({"subject": "Hello\nthere"}, "subject", "header-injection"),
    ({"subject": "Hello\x00"}, "subject", "header-injection"),
    ({"subject": "Hello\u2028there"}, "subject", "header-injection"),
    ({"subject": "=?utf-8?q?Hello=0d=0aBcc=3a_e=40x?="}, "subject", "header-injection"),
    ({"subject": "Hello =?utf-8?b?DQpCY2M6IGU=?="}, "subject", "header-injection"),
    ({"subject": "invoice\u202efdp.exe"}, "subject", "invalid"),
    ({"sender": '"ceo@bank.com" <a@acme.example>'}, "from", "bad-address"),
    ({"sender": "Ac\u200bme <a@acme.example>"}, "from", "bad-address"),
    ({"sender": "日" * 294 + " <a@acme.example>"}, "from", "bad-address"),
    ({"reply_to": ["日" * 120 + f" <h{n}@acme.example>" for n in range(3)]}, "reply_to", "invalid"),
    ({"reply_to": ["n" * 150 + f" <h{n}@acme.example>" for n in range(10)]}, "reply_to", "invalid"),
    ({"campaign": "Spring sale (UK)!"}, "campaign", "invalid"),
    ({"text": None}, "text", "invalid"),
    ({"text": ""}, "text", "invalid"),
    ({"text": "bell \x07"}, "text", "invalid"),
    ({"html": "<p>\x00</p>"}, "html", "invalid"),
    ({"text": LONG}, "text", "too-large"),
    ({"html": LONG}, "html", "too-large"),
    ({"text": "é" * (submission.MAX_BYTES // 2 + 1)}, "text", "too-large"),
    ({"text": "x" * (submission.MAX_BYTES // 2), "html": "x" * (submission.MAX_BYTES // 2 + 1)}, "html", "too-large"),
    ({"campaign": ""}, "campaign", "invalid"),
    ({"campaign": "x" * 129}, "campaign", "invalid"),
    ({"campaign": "spring\nsummer"}, "campaign", "invalid"),
    ({"campaign": " spring"}, "campaign", "invalid"),
    ({"list": "naïve"}, "list", "invalid"),
    ({"list": "a;b"}, "list", "invalid"),
    ({"headers": {f"X-{n}": "1" for n in range(16)}}, "headers", "invalid"),
    ({"headers": {"X-A": "one\r\nBcc: eve@example.com"}}, "headers.X-A", "header-injection"),
    ({"headers": {"X-A": "one\nBcc: eve@example.com"}}, "headers.X-A", "header-injection"),
    ({"headers": {"X-A\r\nBcc": "eve@example.com"}}, "headers.X-A\r\nBcc", "header-injection"),
    ({"headers": {"": "1"}}, "headers.", "invalid"),
    ({"headers": {"X A": "1"}}, "headers.X A", "invalid"),
    ({"headers": {"X-A:": "1"}}, "headers.X-A:", "invalid"),
    ({"headers": {"Bcc:": "eve@example.com"}}, "headers.Bcc:", "invalid"),
    ({"headers": {"Bcc ": "eve@example.com"}}, "headers.Bcc ", "invalid"),
    ({"headers": {"X-Ä": "1"}}, "headers.X-Ä", "invalid"),
    ({"headers": {"X-A": ""}}, "headers.X-A", "invalid"),
    ({"headers": {"X-A": "ä"}}, "headers.X-A", "invalid"),
    ({"headers": {"X-A": "x" * 996}}, "headers.X-A", "invalid"),
    ({"headers": {"X-" + "a" * 100: "x" * 900}}, "headers.X-" + "a" * 100, "invalid"),
    ({"headers": {"N" * 127: "1"}}, "headers." + "N" * 126, "invalid"),
    ({"headers": {"X-A": "1", "x-a": "2"}}, "headers.x-a", "invalid"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("over", "field", "code"), FAULTS, ids=[f"{n}-{f[1][:24]!r}" for n, f in enumerate(FAULTS)]
)
def test_each_fault_is_named_with_its_field(over, field, code):
    (fault,) = faults(**over)
    assert (fault.field, fault.code) == (field, code)
    assert fault.problem


STEERING = [
    "From", "Sender", "Subject", "To", "Cc", "Bcc", "Reply-To", "Return-Path", "Message-ID", "Date", "Feedback-ID",
    "Resent-From", "Resent-To", "Resent-Bcc", "Resent-Anything", "X-SES-CONFIGURATION-SET", "X-SES-TENANT",
    "X-SES-MESSAGE-TAGS", "X-SES-RETURN-PATH-ARN", "X-SES-LIST-MANAGEMENT-OPTIONS", "Content-Type",
    "Content-Transfer-Encoding", "Content-Disposition", "MIME-Version", "DKIM-Signature",
]  # fmt: skip


def test_no_spelling_of_a_header_lets_a_caller_control_ses():
    spellings = {
        spell(name) for name in STEERING for spell in (str, str.lower, str.upper, str.title, str.swapcase)
    }
    found = {spelled: [fault.code for fault in faults(headers={spelled: "x"})] for spelled in spellings}
    assert len(found) > 70
    assert {spelled: codes for spelled, codes in found.items() if codes != ["reserved-header"]} == {}


def test_all_faults_are_named_at_once():
    named = {
        (f.field, f.code)
        for f in faults(
            sender="x", to=["a@example.com", "b"], subject="", headers={"Bcc": "a"}, campaign="\n"
        )
    }
    assert named == {
        ("from", "bad-address"),
        ("to[1]", "bad-address"),
        ("subject", "invalid"),
        ("headers.Bcc", "reserved-header"),
        ("campaign", "invalid"),
    }


def test_the_limits_themselves_are_allowed():
    taken = check(
        to=[f"kim{n}@example.com" for n in range(50)],
        subject="x" * 900,
        text="x" * submission.MAX_BYTES,
        headers={f"X-{n}": "1" for n in range(15)},
        reply_to=[f"h{n}@acme.example" for n in range(10)],
        campaign="x" * 128,
    )
    assert len(taken.to) == 50


def test_tabs_and_line_breaks_are_text():
    assert check(text="one\r\n\ttwo\n").text == "one\r\n\ttwo\n"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"List-Unsubscribe": ONE_CLICK["List-Unsubscribe"]},
        {"List-Unsubscribe-Post": ONE_CLICK["List-Unsubscribe-Post"]},
        {**ONE_CLICK, "List-Unsubscribe": "<http://acme.example/u/1>"},
        {**ONE_CLICK, "List-Unsubscribe": "<mailto:u@acme.example>"},
        {**ONE_CLICK, "List-Unsubscribe": "https://acme.example/u/1"},
        {**ONE_CLICK, "List-Unsubscribe-Post": "yes"},
    ],
)
def test_an_incomplete_unsubscribe_does_not_count(headers):
    assert not check(headers=headers).one_click


def test_an_unsubscribe_may_also_offer_mailto_in_any_letter_case():
    offered = "<mailto:u@acme.example>, <https://acme.example/u/1>"
    assert check(
        headers={"LIST-UNSUBSCRIBE": offered, "list-unsubscribe-post": "List-Unsubscribe=One-Click"}
    ).one_click


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=30), max_size=4))
def test_accepted_headers_are_single_lines(headers):
    try:
        kept = check(headers=headers).headers
    except Invalid:
        return
    for name, value in kept:
        assert name.isascii()
        assert name.isprintable()
        assert not set(name) & set(" :")
        assert value.isascii()
        assert value.isprintable()


@given(st.text(min_size=1, max_size=60))
def test_an_accepted_subject_is_a_single_line(subject):
    try:
        kept = check(subject=subject).subject
    except Invalid:
        return
    assert len(kept.splitlines()) == 1


@pytest.mark.parametrize("where", [0, texts.SLICE, 3 * texts.SLICE + 7])
def test_a_control_character_anywhere_in_a_large_text_is_refused(where: int) -> None:
    text = "ä" * (3 * texts.SLICE + 7)
    faults: list[Fault] = []
    submission._body(text, None, faults)
    assert faults == []
    submission._body(text[:where] + "\x00" + text[where:], None, faults)
    assert [fault.field for fault in faults] == ["text"]


def test_the_size_of_a_large_text_is_counted_in_bytes() -> None:
    faults: list[Fault] = []
    submission._body("ä" * (submission.MAX_BYTES // 2), None, faults)
    assert faults == []
    submission._body("ä" * (submission.MAX_BYTES // 2 + 1), None, faults)
    assert [fault.code for fault in faults] == ["too-large"]
