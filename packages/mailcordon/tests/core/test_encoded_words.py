"""Encoded words as RFC 2047 has them: short, whole letters, and read back as what was written."""

import email.header
import re
from email.utils import formataddr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailcordon.core import encoded_words

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=200)


@given(TEXT)
@example("日" * 100)
@example("Südost & Söhne " * 12)
def test_a_text_is_words_of_at_most_75_characters_that_each_hold_whole_letters(text: str) -> None:
    words = encoded_words.encode(text).split(" ")
    assert max(map(len, words)) <= 75
    read: list[str] = []
    for word in words:
        assert re.fullmatch(r"=\?utf-8\?[qb]\?[!-<>@-~=]+\?=", word)
        ((raw, charset),) = email.header.decode_header(word)
        assert isinstance(raw, bytes)
        read.append(raw.decode(charset or "ascii"))
    assert "".join(read) == text


@given(TEXT)
def test_a_short_name_is_encoded_as_it_always_was(text: str) -> None:
    """The digests of idempotency keys are computed from it."""
    old = formataddr((text, "a@b.example")).removesuffix(" <a@b.example>")
    if not text.isascii() and len(old) <= 75:
        assert encoded_words.encode(text) == old


@pytest.mark.parametrize(
    "text",
    [
        "=?utf-8?q?A=0D=0ABcc:_e=40x?=",
        "=?UTF-8?Q?A=0a?=",
        "=?utf-8?b?QQ0KQmNjOiBl?=",
        "=?utf-8?B?QQ0KQmNjOiBl=?=",
        "=?utf-8?b?QQ 0KQmNjOiBl?=",
        "=?utf-8?b?QQ0KQmNjOiBlA?=",
        "=?iso-8859-1*en?q?=0D?=",
        "=??q?=0A?=",
        "=?us-ascii?q?a=00b?=",
        "=?utf-8?q?=E2=80=A8?=",
        "=?utf-16be?b?AA0ACg==?=",
        "=?utf-7?q?+AA0ACg-?=",
        "Hello =?x?q?y?= and =?x?b?DQo=?=",
    ],
)
def test_an_encoded_line_break_is_found_however_it_is_encoded(text: str) -> None:
    assert encoded_words.hide_line_break(text)


@pytest.mark.parametrize(
    "text",
    [
        "What is =?",
        "=?utf-8?q?J=C3=B6rg?=",
        "=?utf-8?b?TcO8bGxlcg==?=",
        "=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=",  # has escapes, as that charset does
        "100 % =0D=0A off",
        "=?utf-8?x?=0D?=",
    ],
)
def test_other_encoded_words_hide_no_line_break(text: str) -> None:
    assert not encoded_words.hide_line_break(text)


def test_codecs_that_are_no_charset_of_mail_are_not_used():
    """Python's punycode takes seconds for a header, and unicode-escape makes line breaks of letters."""
    for charset in ("punycode", "idna", "unicode_escape", "raw-unicode-escape", "undefined", "x-unknown"):
        word = rf"=?{charset}?q?a\n-b?="
        assert encoded_words.decode(word) == word
    assert encoded_words.decode("=?koi8-u?b?8NLJ18XU?=") == "Привет"
