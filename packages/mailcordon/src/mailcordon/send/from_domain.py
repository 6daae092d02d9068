"""Gives a stored content the From domain of the path that its mail takes (docs/paths.md).

While a lane has two paths, the app writes From with either domain, and a mail may be moved to the other path while it waits. Name
and local part stay. Only what we composed is changed (compose.py), never a raw message of the app.
"""

import base64
import re
from collections.abc import Sequence

_SIMPLE = b'"FromEmailAddress":"'
_END = b'","'  #: in JSON, a quote of a text is always escaped
_RAW = b'"Content":{"Raw":{"Data":"'
_FROM = re.compile(rb"^From:[^\r]*(?:\r\n[ \t][^\r]*)*\r\n", re.MULTILINE)
_HEAD = 16384  #: base64 of the beginning of a MIME message: what it says of unsubscribing, and From
_BEFORE = 3  #: members that this beginning is in: SES's own, the slot for unsubscribing, and what follows it


def changed(members: Sequence[bytes | memoryview], domain: str) -> Sequence[bytes | memoryview]:
    """The members of a call with From in this domain. As they are if it is in it already."""
    first = bytes(members[0])
    if first.startswith(_SIMPLE):
        end = first.index(_END, len(_SIMPLE))
        value = _in_domain(first[len(_SIMPLE) : end], domain)
        return (_SIMPLE + value + first[end:], *members[1:])
    if first.startswith(_RAW):
        begin = b"".join(members[:_BEFORE])
        return (_RAW + _in_mime(begin[len(_RAW) :], domain), *members[_BEFORE:])
    return members


def _in_mime(encoded: bytes, domain: str) -> bytes:
    """Spaces are added, so that what comes after it in base64 stays as it is."""
    head = base64.b64decode(encoded[:_HEAD])
    found = _FROM.search(head)
    if found is None:
        return encoded
    line = _in_domain(found[0].removesuffix(b"\r\n"), domain) + b"\r\n"
    line = line.replace(b":", b":" + b" " * (-(len(line) - len(found[0])) % 3), 1)
    return base64.b64encode(head[: found.start()] + line + head[found.end() :]) + encoded[_HEAD:]


def _in_domain(mailbox: bytes, domain: str) -> bytes:
    before, _, now = mailbox.rpartition(b"@")
    return b"%b@%b%b" % (before, domain.encode(), b">" if now.endswith(b">") else b"")
