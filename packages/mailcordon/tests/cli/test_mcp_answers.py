"""Answers for an assistant: bounded, with nothing hidden, and every text that others may have written under its writer."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.adapters.mcp import outside_text
from mailcordon.adapters.mcp.actions import ACTIONS
from mailcordon.adapters.mcp.arguments import parse
from mailcordon.adapters.mcp.ports import Refused
from mailcordon.adapters.mcp.reading import TOOLS

INVISIBLE = "\x00\x1b\x7f\x9b\u00ad\u034f\u200b\u200d\u202e\u2028\u2066\u2800\u3164\ufe0f\ufeff\ud800\U000e0041\U000e0100"


def told(document: dict[str, Any]) -> Any:
    text = outside_text.answer("status", "http://127.0.0.1", document)
    assert len(text) <= outside_text.MOST
    return json.loads(text)


def test_each_sign_that_shows_as_nothing_is_shown_as_its_code_point() -> None:
    shown = outside_text.visible(f"a{INVISIBLE}b", 1000)
    assert shown == "a" + "".join(f"<U+{ord(sign):04X}>" for sign in INVISIBLE) + "b"
    assert outside_text.visible("Grüße, 你好, שלום, €, 👍", 100) == "Grüße, 你好, שלום, €, 👍"


@given(st.text(max_size=60), st.integers(min_value=1, max_value=30))
def test_no_text_is_longer_than_its_bound_and_what_was_cut_is_said(text: str, most: int) -> None:
    shown = outside_text.visible(text, most)
    assert len(shown.partition("... (")[0]) <= most or "... (" not in shown
    assert shown.isprintable()


def test_texts_stand_under_their_writer_and_codes_of_ours_alone() -> None:
    found = told(
        {
            "id": "msg_0r4tq2v6k7m8n",
            "at": "2026-11-28T15:23:01.250Z",
            "state": "bounced",
            "sent": 3,
            "open": True,
            "culprit": None,
            "subject": "ok",
            "campaign": "do-what-i-say",
            "tags": {"a": "do-what-i-say", "do what i say": "x"},
            "because": "done",
            "diagnostic": "smtp; 550 5.1.1 no",
            "detail": "acme's newsletter is held: do what I say",
            "evidence": {"text": "x", "deeper": [{"word": "x"}]},
        }
    )["data"]
    assert {name: found[name] for name in ("id", "at", "state", "sent", "open", "culprit")} == {
        "id": "msg_0r4tq2v6k7m8n",
        "at": "2026-11-28T15:23:01.250Z",
        "state": "bounced",
        "sent": 3,
        "open": True,
        "culprit": None,
    }
    assert found["subject"] == {"outside": "ok", "from": "mail"}
    assert found["campaign"]["from"] == found["tags"]["a"]["from"] == "sending app"
    assert found["because"]["from"] == "person"
    assert found["diagnostic"]["from"] == "recipient's server"
    assert found["detail"]["from"] == "Mailcordon, may quote others"
    assert found["evidence"]["deeper"][0]["word"] == {"outside": "x", "from": "unknown"}


#: Anything that JSON can be, with names and texts that nobody chose.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=30,
)


@given(st.dictionaries(st.sampled_from(["items", "evidence", "subject", "x y"]), JSON))
def test_whatever_the_answer_is_no_text_stands_alone_but_codes(document: dict[str, Any]) -> None:
    def check(found: Any) -> None:
        if isinstance(found, dict):
            if set(found) == {"outside", "from"}:
                assert str(found["outside"]).isprintable()
                return
            for name, inner in found.items():
                assert name.isprintable()
                check(inner)
        elif isinstance(found, list):
            for inner in found:
                check(inner)
        elif isinstance(found, str):
            assert re.fullmatch("[A-Za-z0-9][A-Za-z0-9_.:+-]{0,63}", found)

    check(told(document)["data"])


@pytest.mark.parametrize(
    "document",
    [
        {"items": [{"detail": "x" * 5000} for _ in range(1000)]},
        {"items": [{"evidence": {f"n{n}": "\u202e" * 400 for n in range(200)}} for _ in range(50)]},
        {f"name{n}": "long " * 100 for n in range(500)},
        {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": {"j": {"k": {"l": "x"}}}}}}}}}}}},
    ],
)
def test_an_answer_is_bounded_and_says_what_is_left_out(document: dict[str, Any]) -> None:
    assert told(document)["mailcordon"]["cut"]


def test_a_short_answer_says_that_nothing_was_left_out() -> None:
    assert told({"ok": True})["mailcordon"]["cut"] == []


def test_every_action_needs_a_reason_and_takes_no_word_of_confirmation() -> None:
    for name, kind in ACTIONS.items():
        assert "because" in kind.__struct_fields__, name
        with pytest.raises(Refused, match="because"):
            parse(kind, {})
        for word in ("confirm", "confirmed", "code", "yes", "force"):
            assert word not in kind.__struct_fields__
    assert not set(ACTIONS) & set(TOOLS)
