"""Checks the files of a message: names, types, sizes, and that their content is base64.

Which file types SES refuses is in its Developer Guide (ses.md 3.3). SES would refuse such a message after it was accepted, so
it is refused at the door.
"""

import binascii
import mimetypes
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mailcordon.core import text as texts
from mailcordon.core.errors import Fault
from mailcordon.messages import content
from mailcordon.send.texts import LongText, Text

MAX_ATTACHMENTS = 100
LONGEST_FILENAME = 255  #: characters (ses.md 3.3), as the three below
LONGEST_TYPE = 78
LONGEST_ID = 78
#: As the Developer Guide lists them.
REFUSED_ENDINGS = frozenset(
    (
        "ade", "adp", "app", "asp", "bas", "bat", "cer", "chm", "cmd", "com", "cpl", "crt", "csh", "der", "exe",
        "fxp", "gadget", "hlp", "hta", "inf", "ins", "isp", "its", "js", "jse", "ksh", "lib", "lnk", "mad", "maf",
        "mag", "mam", "maq", "mar", "mas", "mat", "mau", "mav", "maw", "mda", "mdb", "mde", "mdt", "mdw", "mdz",
        "msc", "msh", "msh1", "msh2", "mshxml", "msh1xml", "msh2xml", "msi", "msp", "mst", "ops", "pcd", "pif", "plg",
        "prf", "prg", "ps1", "ps1xml", "ps2", "ps2xml", "psc1", "psc2", "reg", "scf", "scr", "sct", "shb", "shs",
        "sys", "tmp", "url", "vb", "vbe", "vbs", "vps", "vsmacros", "vss", "vst", "vsw", "vxd", "ws", "wsc", "wsf",
        "wsh", "xnk",
    )
)  # fmt: skip

_PART = 76 * 800  #: characters of base64 in one part: whole lines of MIME, and short enough for one call
_WORD = r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]+"
_TYPE = re.compile(rf"({_WORD})/({_WORD})(?:\s*;\s*{_WORD}=(?:{_WORD}|\"[ !#-\[\]-~]*\"))*", re.ASCII)
#: Parameters that name a file, or that belong to types that are refused.
_OWN_PARAMETERS = re.compile(r";\s*(?:name|filename|boundary)\b", re.IGNORECASE)
_CONTENT_ID = re.compile(r"[!-;=?-~]+", re.ASCII)
_BLANKS = b"\r\n\t "
#: The table of the standard library alone: what the host has installed must not change a message.
_types = mimetypes.MimeTypes(filenames=())


class Attachment(NamedTuple):
    """A file that was checked."""

    filename: str
    data: tuple[
        bytes, ...
    ]  #: base64 in parts of whole lines, without line breaks; only the last part may end in padding
    size: int  #: bytes of the file
    content_type: str  #: type and subtype, maybe with parameters; ASCII
    content_id: str | None = None  #: without the angle brackets
    inline: bool = False  #: shown in the HTML, which names it by its Content-ID

    @property
    def encoded_size(self) -> int:
        """Bytes of base64."""
        return sum(map(len, self.data))


class Given(NamedTuple):
    """A file as it was handed in."""

    filename: str
    content: Text  #: base64
    content_type: str | None = None
    content_id: str | None = None
    disposition: str | None = None


def refused_ending(filename: str) -> str | None:
    """The ending by which SES refuses a file. Windows leaves out dots and spaces at the end of a name."""
    ending = filename.rstrip(". ").rpartition(".")[2].lower()
    return ending if ending in REFUSED_ENDINGS and "." in filename else None


def check(given: Sequence[Given], faults: list[Fault]) -> tuple[Attachment, ...]:
    """Adds a fault for each field that cannot be taken. The sizes are not checked here."""
    if len(given) > MAX_ATTACHMENTS:
        faults.append(Fault("attachments", content.too_many_attachments(MAX_ATTACHMENTS)))
        return ()
    made: list[Attachment] = []
    ids: set[str] = set()
    for place, one in enumerate(given):
        field = f"attachments[{place}]"
        _check_filename(f"{field}.filename", one.filename, faults)
        kind = _content_type(f"{field}.content_type", one, faults)
        content_id = _content_id(f"{field}.content_id", one.content_id, ids, faults)
        if one.disposition not in (None, "attachment", "inline"):
            faults.append(Fault(f"{field}.disposition", content.bad_disposition()))
        inline = one.disposition == "inline" or (one.disposition is None and content_id is not None)
        try:
            data, size = decoded(one.content)
        except ValueError:
            faults.append(Fault(f"{field}.content", content.not_base64()))
            continue
        made.append(Attachment(one.filename, data, size, kind, content_id, inline))
    return tuple(made)


def decoded(text: Text) -> tuple[tuple[bytes, ...], int]:
    """Base64 without its blanks in parts as in Attachment.data, and the bytes that it stands for. Raises ValueError."""
    parts: list[bytes] = []
    size, ended = 0, False
    for part in _regrouped(text):
        found = len(binascii.a2b_base64(part, strict_mode=True))
        if ended:
            raise ValueError("text after the padding")
        ended = found * 4 != len(part) * 3
        size += found
        parts.append(part)
    return tuple(parts), size


def octets(text: Text) -> bytes:
    """What base64 stands for. Raises ValueError."""
    parts, _ = decoded(text)
    return b"".join([binascii.a2b_base64(part) for part in parts])


def _regrouped(text: Text) -> Iterator[bytes]:
    rest = b""
    for piece in text if isinstance(text, LongText) else _slices(text):
        rest += piece.encode("ascii").translate(None, _BLANKS)  # UnicodeEncodeError is a ValueError
        start = 0
        while len(rest) - start >= _PART:
            yield rest[start : start + _PART]
            start += _PART
        rest = rest[start:]
    if rest:
        yield rest


def _slices(text: str) -> Iterator[str]:
    return (text[start : start + _PART] for start in range(0, len(text), _PART))


def _check_filename(field: str, name: str, faults: list[Fault]) -> None:
    if not name.strip() or len(name) > LONGEST_FILENAME:
        faults.append(Fault(field, content.bad_filename(LONGEST_FILENAME)))
    elif texts.has_control(name):
        faults.append(Fault(field, content.filename_has_line_breaks(), "header-injection"))
    elif texts.has_disguise(name):
        faults.append(Fault(field, content.filename_has_hidden_letters()))
    elif (ending := refused_ending(name)) is not None:
        faults.append(Fault(field, content.refused_file_type(ending), "refused-file-type"))


def _content_type(field: str, one: Given, faults: list[Fault]) -> str:
    if one.content_type is None:
        return _types.guess_type(one.filename, strict=False)[0] or "application/octet-stream"
    kind = one.content_type
    if len(kind) > LONGEST_TYPE or not (found := _TYPE.fullmatch(kind)) or _OWN_PARAMETERS.search(kind):
        faults.append(Fault(field, content.bad_content_type(LONGEST_TYPE)))
    elif found[1].lower() in ("multipart", "message"):
        faults.append(Fault(field, content.composite_content_type(found[1].lower())))
    return kind


def _content_id(field: str, given: str | None, seen: set[str], faults: list[Fault]) -> str | None:
    if given is None:
        return None
    bare = given[1:-1] if given.startswith("<") and given.endswith(">") else given
    if len(bare) > LONGEST_ID or not _CONTENT_ID.fullmatch(bare):
        faults.append(Fault(field, content.bad_content_id(LONGEST_ID)))
    elif bare in seen:
        faults.append(Fault(field, content.content_id_twice()))
    seen.add(bare)
    return bare
