"""What is in an accepted mail, for people who look into it: headers, first text, first HTML, and what files it has.

Nothing here makes the HTML harmless. Who shows it must keep it from running and from loading anything.
"""

import email
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from mailcordon.core import encoded_words
from mailcordon.send import compose

T = TypeVar("T")

MAX_STORED = 8 * 1024 * 1024  #: bytes of stored content; the library's parser takes several times as many
MAX_TEXT = 256 * 1024  #: characters of the text that are shown
MAX_HTML = 1024 * 1024  #: and of the HTML
MAX_HEADER = 1000  #: characters of one header, or of one name of a file
MAX_FILES = 100  #: listed

_FOLD = re.compile(r"\r?\n[ \t]*")


class Part(NamedTuple):
    content: str  #: its beginning
    characters: int  #: of all of it
    is_cut: bool


class File(NamedTuple):
    name: str  #: empty: it has none
    content_type: str
    size: int  #: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """As one recipient gets it, but for links of ours: placeholders for them stay as the app wrote them."""

    from_: str
    to: str
    cc: str
    subject: str
    text: Part | None
    html: Part | None
    files: Sequence[File]  #: at most MAX_FILES
    more_files: int


class Stored(NamedTuple):
    size: int  #: bytes
    content: bytes | None  #: None if it has more bytes than were asked for


class Contents(Protocol):
    async def look(
        self, message: int, *, largest: int, tenant: int, actor: str, object: str, said: str
    ) -> Stored | None:
        """The content of a message that is not urgent; None: there is none (any more).

        If it is returned, the audit trail has a row with `object` and `said` (JSON)."""
        ...


def read(stored: bytes, to: str, number: int) -> Preview:
    """Takes milliseconds for each MB: not for an event loop. `number`: the recipient's, counted from 1.

    Raises ValueError for what no accept has stored.
    """
    to, members = compose.shown(stored, to, number)
    call = msgspec.json.decode(b"{%b}" % members)
    try:
        content = call["Content"]
        if "Raw" in content:
            return _of_mime(_base64(content["Raw"]["Data"]))
        return _of_simple(call, content["Simple"], to)
    except (KeyError, TypeError) as error:
        raise ValueError("the stored content is no mail") from error


def _of_simple(call: dict[str, Any], simple: dict[str, Any], to: str) -> Preview:
    body = simple["Body"]
    files = [
        File(_short(one["FileName"]), one["ContentType"], _decoded_size(one["RawContent"]))
        for one in simple.get("Attachments", ())
    ]
    return Preview(
        from_=_header(call["FromEmailAddress"]),
        to=_header(to),
        cc="",
        subject=_short(simple["Subject"]["Data"]),
        text=_part(body["Text"]["Data"], MAX_TEXT) if "Text" in body else None,
        html=_part(body["Html"]["Data"], MAX_HTML) if "Html" in body else None,
        files=files[:MAX_FILES],
        more_files=max(len(files) - MAX_FILES, 0),
    )


def _of_mime(raw: bytes) -> Preview:
    message = email.message_from_bytes(raw)
    headers = {name.lower(): value for name, value in reversed(list(message.raw_items()))}
    text: Part | None = None
    html: Part | None = None
    files: list[File] = []
    for part in _leaves(message):
        kind: str = _told(part.get_content_type, "application/octet-stream")
        is_file = _told(part.get_content_disposition, "attachment") == "attachment"
        if text is None and kind == "text/plain" and not is_file:
            text = _part(_text(part), MAX_TEXT)
        elif html is None and kind == "text/html" and not is_file:
            html = _part(_text(part), MAX_HTML)
        else:
            files.append(File(_file_name(part), _short(_clean(kind)), _size(part)))
    return Preview(
        from_=_header(headers.get("from", "")),
        to=_header(headers.get("to", "")),
        cc=_header(headers.get("cc", "")),
        subject=_header(headers.get("subject", "")),
        text=text,
        html=html,
        files=files[:MAX_FILES],
        more_files=max(len(files) - MAX_FILES, 0),
    )


def _leaves(message: Any) -> Iterator[Any]:
    """Parts that have no parts. A message in the message is one file."""
    waiting = [message]
    while waiting:
        one = waiting.pop()
        if one.get_content_maintype() == "multipart" and isinstance(one.get_payload(), list):
            waiting += reversed(one.get_payload())
        else:
            yield one


def _text(part: Any) -> str:
    raw: bytes = part.get_payload(decode=True) or b""
    return encoded_words.decode_bytes(raw, _told(part.get_content_charset, None) or "utf-8")


def _size(part: Any) -> int:
    if part.get_content_maintype() == "message":
        return len(part.as_bytes())
    return len(part.get_payload(decode=True) or b"")


def _file_name(part: Any) -> str:
    return _header(_told(part.get_filename, None) or "")


def _told(ask: Callable[[], T], otherwise: T) -> T:
    """What the library makes of a header. It fails in many ways for parameters in no known form."""
    try:
        return ask()
    except (LookupError, ValueError, TypeError, AttributeError):
        return otherwise


def _part(text: str, most: int) -> Part:
    return Part(_clean(text[:most]).replace("\r\n", "\n"), len(text), len(text) > most)


def _header(text: object) -> str:
    return _short(encoded_words.decode(_FOLD.sub(" ", _clean(str(text)))))


def _short(text: str) -> str:
    return text if len(text) <= MAX_HEADER else text[:MAX_HEADER] + "…"


def _clean(text: str) -> str:
    """Without lone surrogates, which the library makes of bytes beyond ASCII, and which are no UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if _is_odd(text) else text


def _is_odd(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= one <= "\udfff" for one in text)


def _decoded_size(encoded: str) -> int:
    return len(encoded) // 4 * 3 - encoded[-2:].count("=")


def _base64(encoded: str) -> bytes:
    return msgspec.convert(encoded, bytes)
