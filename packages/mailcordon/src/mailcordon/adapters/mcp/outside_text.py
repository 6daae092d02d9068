"""Answers of the API as bounded data for a model: who wrote each text is said beside it, and nothing in it is hidden.

A subject, a diagnostic or the name of a campaign may hold sentences that want to be obeyed. They cannot be told from others, so
no text is left without its origin: {"outside": TEXT, "from": WHO}. Only what has the form of a code, a number or a time, in a
member that Mailcordon itself fills, stands alone. Control, bidirectional and invisible characters are shown as <U+202E>.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

from mailcordon.adapters.mcp.ports import Document
from mailcordon.messages import mcp as messages

MOST = 24_000  #: characters of a whole answer
#: Items of a list and characters of a text; the next pair is tried where the answer is still too long.
_BOUNDS = ((50, 500), (25, 300), (10, 200), (5, 120), (2, 80), (1, 40))
_DEEPEST = 10
_MOST_MEMBERS = 60  #: of an object
_MOST_NOTES = 12  #: about what was cut

#: Who writes the text of a member, by its name. Others are sentences of Mailcordon, which may quote any of these.
_WRITERS = {
    "mail": "subject from to address recipient cc bcc reply_to headers header rfc_message_id message_id preview",
    "recipient's server": "diagnostic smtp said response remote_mta reply action_text",
    "sending app": "campaign list tags name_of_list",
    "person": "because text lifted_because closed_because opened_because ended_because reason_given note holder by"
    " lifted_by closed_by acknowledged_by mitigated_by actor author",
    "unknown": "evidence raw event object name culprit value before after",
}
_WRITER = {name: writer for writer, names in _WRITERS.items() for name in names.split()}
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,63}")
_KEY = re.compile(r"[a-z][a-z0-9_ .-]{0,39}")
#: Shown as nothing, though Unicode counts them as letters, marks or signs.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def visible(text: str, longest: int) -> str:
    """The text with each character that shows as nothing, or changes what is shown, as its code point; cut to `longest`."""
    shown: list[str] = []
    length = 0
    for place, sign in enumerate(text):
        part = f"<U+{ord(sign):04X}>" if _is_hidden(sign) else sign
        length += len(part)
        if length > longest:
            return "".join(shown) + messages.text_cut(characters=len(text) - place)
        shown.append(part)
    return "".join(shown)


def _is_hidden(sign: str) -> bool:
    return not sign.isprintable() or (not sign.isascii() and _BLANK.match(sign) is not None)


def answer(tool: str, server: str, found: Document) -> str:
    """The one JSON document that a tool returns. It is never longer than `MOST`."""
    for items, characters in _BOUNDS:
        written = _written(tool, server, found, items, characters)
        if len(written) <= MOST:
            return written
    return json.dumps(_frame(tool, server, None, [messages.all_cut()]), ensure_ascii=False)


def _written(tool: str, server: str, found: Document, items: int, characters: int) -> str:
    bounded = _Bounded(items, characters)
    data = bounded.value(found, "", None, 0)
    return json.dumps(_frame(tool, server, data, bounded.notes()), ensure_ascii=False)


def _frame(tool: str, server: str, data: object, cut: list[str]) -> Document:
    return {
        "mailcordon": {
            "tool": tool,
            "server": server,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "notice": messages.data_notice(),
            "cut": cut,
        },
        "data": data,
    }


class _Bounded:
    """One pass over an answer with these bounds."""

    def __init__(self, items: int, characters: int) -> None:
        self._items = items
        self._characters = characters
        self._cut: list[str] = []

    def notes(self) -> list[str]:
        more = len(self._cut) - _MOST_NOTES
        return self._cut if more <= 0 else [*self._cut[:_MOST_NOTES], messages.more_cut(count=more)]

    def value(self, found: object, where: str, writer: str | None, depth: int) -> object:
        """`writer`: of the texts below, where the member around them says it."""
        if found is None or isinstance(found, bool | int | float):
            return found
        if depth > _DEEPEST:
            self._cut.append(messages.depth_cut(where=where))
            return None
        if isinstance(found, Mapping):
            return self._object(cast("Mapping[str, object]", found), where, writer, depth)
        if isinstance(found, list | tuple):
            listed = list(cast("list[object]", found))
            if len(listed) > self._items:
                self._cut.append(
                    messages.list_cut(where=where or "data", shown=self._items, count=len(listed))
                )
            return [self.value(one, f"{where}[]", writer, depth + 1) for one in listed[: self._items]]
        return self._text(str(found), writer)

    def _object(self, found: Mapping[str, object], where: str, writer: str | None, depth: int) -> Document:
        shown: Document = {}
        for name, inner in list(found.items())[:_MOST_MEMBERS]:
            key = name if _KEY.fullmatch(name) else visible(name, 40)
            shown[key] = self.value(inner, f"{where}.{key}".strip("."), _WRITER.get(name, writer), depth + 1)
        if len(found) > _MOST_MEMBERS:
            self._cut.append(messages.list_cut(where=where or "data", shown=_MOST_MEMBERS, count=len(found)))
        return shown

    def _text(self, text: str, writer: str | None) -> object:
        if writer is None and _CODE.fullmatch(text):
            return text
        return {"outside": visible(text, self._characters), "from": writer or messages.own_sentence()}
