"""Suppression lists of other senders as CSV, and ours: pure."""

import pytest

from mailcordon.core import suppression_csv
from mailcordon.core.suppression import Scope
from mailcordon.core.suppression_csv import Form, Parsed, Said, Unreadable

NOW = 1_800_000_000_000


def read(text: str, form: Form | None = None) -> Parsed:
    return suppression_csv.read(text, form, now=NOW)


def said(parsed: Parsed) -> list[tuple[str, str]]:
    return [(str(line.address), line.said.value) for line in parsed.lines]


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("ses", "kim@example.com,BOUNCE\r\nLee@example.com,COMPLAINT\r\n", ["bounced", "complained"]),
        (
            "ses",
            "EmailAddress,Reason,LastUpdateTime\nkim@example.com,BOUNCE,2026-11-01T10:00:00Z\n",
            ["bounced"],
        ),
        ("mailchimp", "Email Address,First Name,CLEAN_TIME\nkim@example.com,Kim,2026-01-02\n", ["bounced"]),
        (
            "mailchimp",
            "Email Address,UNSUB_TIME,UNSUB_REASON\nkim@example.com,2026-01-02,N/A (Unsubscribed by admin)\n"
            "lee@example.com,2026-01-03,Abuse complaint\n",
            ["unsubscribed", "complained"],
        ),
        (
            "sendgrid",
            'status,reason,email,created\n5.1.1,"550 no, such user",kim@example.com,1700000000\n',
            ["bounced"],
        ),
        ("sendgrid", "email,ip,created\nkim@example.com,192.0.2.1,1700000000\n", ["complained"]),
        ("sendgrid", "email,created\nkim@example.com,1700000000\n", ["unsubscribed"]),
        (
            "postmark",
            "EmailAddress,SuppressionReason,Origin,CreatedAt\na@example.com,HardBounce,Recipient,2026-01-01\n"
            "b@example.com,SpamComplaint,Recipient,2026-01-01\nc@example.com,ManualSuppression,Recipient,2026-01-01\n"
            "d@example.com,ManualSuppression,Customer,2026-01-01\n",
            ["bounced", "complained", "unsubscribed", "listed"],
        ),
        ("plain", "kim@example.com\nlee@example.com\n", ["listed", "listed"]),
        ("plain", "\ufeffEmail\nkim@example.com\n", ["listed"]),
    ],
)
def test_the_header_tells_whose_file_it_is(form: str, text: str, expected: list[str]) -> None:
    parsed = read(text)
    assert (parsed.form.value, [line.said.value for line in parsed.lines]) == (form, expected)
    assert parsed.bad_lines == 0


def test_bad_lines_are_named_with_their_number_and_reason() -> None:
    parsed = read(
        'EmailAddress,Reason\nkim@example.com,BOUNCE\n\nno address,BOUNCE\n"a\nb@example.com",BOUNCE\nlee@example.com,BLOCK\n'
    )
    assert said(parsed) == [("kim@example.com", "bounced")]
    assert [number for number, _ in parsed.bad] == [4, 5, 7]
    assert "BLOCK is none of BOUNCE, COMPLAINT" in parsed.bad[2][1]
    many = read("address\n" + "x\n" * 300)
    assert (many.bad_lines, len(many.bad)) == (300, suppression_csv.MOST_NAMED)


def test_forms_of_one_mailbox_count_once() -> None:
    parsed = read("address\nKim@müller.example\nkim@xn--mller-kva.example\n")
    assert (len(parsed.lines), parsed.doubled) == (1, 1)


def test_soft_bounces_of_a_file_are_left_out_and_counted() -> None:
    parsed = read("status,reason,email,created\n4.2.2,full,kim@example.com,1\n")
    assert (parsed.lines, sum(parsed.left_out.values()), parsed.bad_lines) == ([], 1, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "Name,Phone\nKim,1\n",
        'address\n"kim@example.com\n',
        "address\n" + "a@b.example\n" * 100_001,
    ],
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)


def test_a_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(Unreadable, match="6 MB"):
        read("address\n" + "x" * suppression_csv.MOST_BYTES)


def test_no_cell_that_is_written_is_a_formula_and_what_is_read_back_is_the_same() -> None:
    rows = [
        ("=cmd@example.com", "tenant", "", "", "manual", "2026-01-01", "", "Ana", '=HYPERLINK("http://x")'),
        ("'=odd@example.com", "class", "marketing", "", "complaint", "", "2099-01-01T00:00:00Z", "ses", "-1"),
        ("kim@example.com", "lane", "", "newsletter", "imported", "", "2001-01-01T00:00:00Z", "ses", ""),
        ("erased", "tenant", "", "", "hard-bounce", "", "", "ses", ""),
    ]
    text = suppression_csv.written([suppression_csv.COLUMNS, *rows])
    assert not any(
        cell.startswith(tuple("=+-@\t\r")) for line in text.split("\r\n") for cell in line.split(",")
    )
    parsed = read(text)
    assert parsed.form is Form.MAILCORDON
    assert [(str(line.address), line.scope, line.mail) for line in parsed.lines] == [
        ("=cmd@example.com", Scope.TENANT, ""),
        ("'=odd@example.com", Scope.CLASS, "marketing"),
    ]
    assert parsed.lines[0].reason == 'manual: =HYPERLINK("http://x")'
    assert parsed.lines[0].said is Said.LISTED
    assert sum(parsed.left_out.values()) == 2, "one has ended, one was erased"


def test_words_of_a_mail_server_drive_no_terminal() -> None:
    text = suppression_csv.written([("kim@example.com", "550 \x1b]0;owned\x07 \x9b2J\u202e=1")])
    assert not any(sign in text for sign in "\x1b\x07\x9b\u202e")
