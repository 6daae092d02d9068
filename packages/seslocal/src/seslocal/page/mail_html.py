"""A mail's HTML as the frame shows it: as delivered, with its pixel and rewritten links, embedded pictures inlined, and links
that open in a new tab. The content security policy that it is served with makes it safe."""

from __future__ import annotations

import base64
import re
from typing import Final
from urllib.parse import unquote

from seslocal.mail.parts import Parts
from seslocal.mail.tracking import as_delivered
from seslocal.state.account import Account
from seslocal.state.ledger import LedgerEntry

_CID: Final = re.compile(r"""cid:([^"'\s)>]+)""", re.IGNORECASE)
_PICTURES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp")
_REFRESH: Final = re.compile(r"<meta\b[^>]*http-equiv\s*=\s*[\"']?\s*refresh[^>]*>", re.IGNORECASE)


def policy(*, remote: bool) -> str:
    """Allows no scripts, no origin and no forms, and remote pictures, styles and fonts only if `remote`."""
    always = (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; frame-ancestors 'self'; "
    )
    if remote:
        return always + "img-src * data:; style-src * 'unsafe-inline'; font-src * data:; media-src *"
    return always + "img-src data:; style-src 'unsafe-inline'; font-src data:"


def html(account: Account, entry: LedgerEntry, parts: Parts, base: str) -> str:
    text = as_delivered(account, entry.message_id, parts.html or "", base)
    pictures = {file.content_id: file for file in parts.files if file.content_id and file.kind in _PICTURES}

    def embedded(match: re.Match[str]) -> str:
        file = pictures.get(unquote(match[1]))
        if file is None:
            return match[0]
        return f"data:{file.kind};base64,{base64.b64encode(file.data).decode()}"

    text = _CID.sub(embedded, text)
    return '<base target="_blank">' + _REFRESH.sub("", text)
