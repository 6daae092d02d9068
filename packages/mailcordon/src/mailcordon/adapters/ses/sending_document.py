"""Reads how a mail without our tags was sent, in a second pass over its event: events of our own mail pay nothing for it."""

import json
from typing import Any, cast

from mailcordon.core.event import Sending

_MAILERS = ("x-mailer", "user-agent", "x-php-originating-script")
_MOST_HEADERS = 200
_LONGEST = 500


def read(document: str | bytes) -> Sending | None:
    """None: the document cannot be read. A member of another type counts as absent."""
    try:
        whole = json.loads(document, strict=False)
    except (ValueError, RecursionError):
        return None
    mail = _mapping(_mapping(whole).get("mail"))
    common = _mapping(mail.get("commonHeaders"))
    return Sending(
        source_arn=_text(mail.get("sourceArn")),
        account=_text(mail.get("sendingAccountId")),
        caller=_text(mail.get("callerIdentity")),
        source_ip=_text(mail.get("sourceIp")),
        subject=_text(common.get("subject")),
        mailer=_mailer(mail.get("headers")),
    )


def _mailer(headers: object) -> str | None:
    if not isinstance(headers, list):
        return None
    for header in cast("list[Any]", headers)[:_MOST_HEADERS]:
        name, value = _text(_mapping(header).get("name")), _text(_mapping(header).get("value"))
        if name and value and name.lower() in _MAILERS:
            return value
    return None


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value[:_LONGEST] if isinstance(value, str) and value else None
