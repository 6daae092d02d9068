"""The parts of a raw mail, as SES checks them: boundaries, their number, names of files. A mail is parsed only if something in it
may be refused, since parsing is slow. Pure."""

from __future__ import annotations

import email.errors
import email.message
import email.parser
import email.policy
import re
from collections.abc import Mapping, Sequence
from typing import Final

from seslocal.errors import ApiError, bad_request
from seslocal.mail import headers, refusals

MOST_PARTS: Final = 500  #: MIME parts of one message (ses.md 3.3)
#: endings of file names that are refused, as the Developer Guide lists them (ses.md 3.3)
REFUSED_FILES: Final = frozenset(
    (
        "ade", "adp", "app", "asp", "bas", "bat", "cer", "chm", "cmd", "com", "cpl", "crt", "csh", "der",
        "exe", "fxp", "gadget", "hlp", "hta", "inf", "ins", "isp", "its", "js", "jse", "ksh", "lib", "lnk",
        "mad", "maf", "mag", "mam", "maq", "mar", "mas", "mat", "mau", "mav", "maw", "mda", "mdb", "mde",
        "mdt", "mdw", "mdz", "msc", "msh", "msh1", "msh2", "mshxml", "msh1xml", "msh2xml", "msi", "msp",
        "mst", "ops", "pcd", "pif", "plg", "prf", "prg", "reg", "scf", "scr", "sct", "shb", "shs", "sys",
        "ps1", "ps1xml", "ps2", "ps2xml", "psc1", "psc2", "tmp", "url", "vb", "vbe", "vbs", "vps",
        "vsmacros", "vss", "vst", "vsw", "vxd", "ws", "wsc", "wsf", "wsh", "xnk",
    )
)  # fmt: skip
#: what follows `name` where raw mail can name a file
_NAMED: Final = re.compile(rb"(\*?)[0-9*]{0,9}\s*=\s*\"?([^\"\r\n;]{0,255})")
_TYPE: Final = re.compile(r"[^\s/;()<>@,\\\":\[\]?=]+[ \t]*(.?)")
#: before and after the media type of a header, which may be folded
_BEFORE: Final = re.compile(rb"(?:\A|\n)content-type:[ \t\r\n]*\Z")
_REST: Final = re.compile(rb"(?:[^\n]|\n[ \t])*")
_BOUNDARY: Final = re.compile(rb";[ \t\r\n]*boundary[ \t\r\n]*=[ \t\r\n]*(?:\"([^\"]*)\"|([^\s;\"]+))")


def check(data: bytes, by_name: Mapping[str, Sequence[str]]) -> None:
    """Checks a raw mail with these headers. Raises ApiError."""
    _check_type(headers.first(by_name, "content-type"))
    lowered = data.lower()
    # The message is a part itself; every other part starts with a boundary, or is a message in a message.
    most = 1 + data.count(b"\n--") + lowered.count(b"message/")
    if most <= MOST_PARTS and not _may_hold_refused(lowered) and not _may_lack_boundary(lowered):
        return
    try:
        message = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(data)
        parts = list(message.walk())
    except RecursionError:  # parts nested too deeply
        raise too_many_parts() from None
    if len(parts) > MOST_PARTS:
        raise too_many_parts()
    for part in parts:
        _check_boundary(part)
        check_file(headers.decoded(part.get_filename() or ""))


def check_file(name: str) -> None:
    """Raises ApiError if SES takes no file of this name."""
    stem, _, ending = name.rpartition(".")
    if (stem or "." in name) and ending.strip().lower() in REFUSED_FILES:
        raise bad_request(f"Illegal filename '{name}'.")


def too_many_parts() -> ApiError:
    return bad_request(f"The message has more than {MOST_PARTS} MIME parts.")


def _check_type(content_type: str) -> None:
    found = _TYPE.match(content_type)
    if found and found[1] != "/":
        raise refusals.NO_SLASH.error(found=found[1] or "null")


def _check_boundary(part: email.message.Message) -> None:
    """Without a boundary parameter any line that looks like a boundary is one, as in JavaMail."""
    if part.get_content_maintype() != "multipart" or part.is_multipart():
        return
    missing = (email.errors.StartBoundaryNotFoundDefect, email.errors.NoBoundaryInMultipartDefect)
    body: object = part.get_payload()
    named = any(isinstance(defect, missing[0]) for defect in part.defects)
    guessed = isinstance(body, str) and re.search(r"^--", body, re.MULTILINE)
    if named or (not guessed and any(isinstance(defect, missing[1]) for defect in part.defects)):
        raise refusals.NO_START_BOUNDARY.error()


def _may_lack_boundary(data: bytes) -> bool:
    """Whether a multipart has no line after it that is its boundary. `data` is in lower case."""
    at = count = 0
    while (at := data.find(b"multipart/", at)) >= 0:
        if _BEFORE.search(data, max(0, at - 80), at):
            found = _REST.match(data, at)
            assert found is not None  # it matches nothing too
            boundary = _BOUNDARY.search(found[0])
            count += 1
            if not boundary or count > MOST_PARTS:
                return True
            name = (boundary[1] or boundary[2] or b"").rstrip()
            line = rb"\n--" + re.escape(name) + rb"[ \t]*(?:\r?\n|\Z)"
            if re.compile(line).search(data, found.end()) is None:
                return True
        at += 10
    return False


def _may_hold_refused(data: bytes) -> bool:
    """Four times as fast as one regular expression, and linear, because a match consumes all that it read."""
    at = 0
    while (at := data.find(b"name", at)) >= 0:
        at += 4
        if found := _NAMED.match(data, at):
            if found[1] or _perhaps_refused(found[2]):
                return True
            at = found.end()
    return False


def _perhaps_refused(name: bytes) -> bool:
    ending = name.rstrip().rpartition(b".")[2]
    return b"=?" in name or ending.decode("ascii", "replace") in REFUSED_FILES
