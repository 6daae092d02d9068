"""What the world needs to know of a mail's content: its fingerprint, and the HTML whose pixel and links its readers fetch."""

from __future__ import annotations

import email.parser
import email.policy
import re
from hashlib import blake2b
from typing import Final

from seslocal.wire.params import Params

_MOST: Final = 64 * 1024  # characters that the fingerprint reads
_LONG: Final = 40  # characters of a passage that is not just a greeting or a name
_LINK: Final = re.compile(r"(https?://[^/\s\"'<>]+)[^\s\"'<>]*", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\d+")
_BREAK: Final = re.compile(r"<[^>]*>|[\r\n]+|(?<=[.!?]) ")


def fingerprint(content: Params) -> str:
    """Returns the fingerprint of a content as a call or the ledger has it. Mails that differ only in short passages (a name, a
    greeting), in numbers, or in links to the same hosts have the same one."""
    text, html = _bodies(content)
    body = html if html is not None else text or ""
    body = _NUMBER.sub("0", _LINK.sub(r"\1", body[:_MOST]))
    passages = [passage for part in _BREAK.split(body) if len(passage := part.strip()) >= _LONG]
    said = "\n".join(passages) or body
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def html_of(content: Params) -> str | None:
    return _bodies(content)[1]


def _bodies(content: Params) -> tuple[str | None, str | None]:
    """Returns text and HTML."""
    if "Raw" in content:
        return _of_raw(content["Raw"]["Data"])
    message: Params | None = content.get("Simple") or content.get("Rendered")
    if message is None:
        return None, None
    body: Params = message["Body"]
    return body.get("Text", {}).get("Data"), body.get("Html", {}).get("Data")


def _of_raw(data: bytes) -> tuple[str | None, str | None]:
    found: dict[str, str] = {}
    try:
        message = email.parser.BytesParser(policy=email.policy.default).parsebytes(data)
        for part in message.walk():
            kind = part.get_content_type()
            if kind in ("text/plain", "text/html") and kind not in found and not part.get_filename():
                octets: object = part.get_payload(decode=True)
                found[kind] = octets.decode("utf-8", "replace") if isinstance(octets, bytes) else ""
    except Exception:
        # The email package fails on some malformed mail in various ways. Nobody can read such mail either.
        return None, None
    return found.get("text/plain"), found.get("text/html")
