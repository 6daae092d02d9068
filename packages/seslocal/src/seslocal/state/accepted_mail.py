"""An accepted mail, with everything that its events contain."""

from __future__ import annotations

from typing import Final

import msgspec

from seslocal.clock import iso
from seslocal.state.dedicated_ips import SHARED_IP
from seslocal.wire.params import Params

_MOST_HEADER_BYTES: Final = 10 * 1024
_encode = msgspec.json.Encoder().encode

#: headersTruncated, headers and commonHeaders, the latter two as JSON
Written = tuple[bool, msgspec.Raw, msgspec.Raw]


class Mail(msgspec.Struct, frozen=True):
    """An accepted mail, as its events show it."""

    message_id: str
    accepted_at: float
    source: str
    source_arn: str
    account_id: str
    destination: tuple[str, ...]
    headers: list[dict[str, str]]
    common: Params  #: commonHeaders
    tags: dict[str, list[str]]  #: SES's own and the caller's
    tenant: str | None
    max_delivery_seconds: float | None  #: of the configuration set
    outgoing_ip: str = SHARED_IP
    written: Written | None = None  #: headers and common, encoded once for all events

    def shown(self, extra_tags: dict[str, list[str]], *, with_headers: bool = True) -> Params:
        shown: Params = {
            "timestamp": iso(self.accepted_at),
            "source": self.source,
            "sourceArn": self.source_arn,
            "sendingAccountId": self.account_id,
            "messageId": self.message_id,
            "destination": self.destination,
            "headersTruncated": False,
        }
        if with_headers:
            written = self.written or write_headers(self.headers, self.common)
            shown["headersTruncated"], shown["headers"], shown["commonHeaders"] = written
        shown["tags"] = {**self.tags, **extra_tags} if extra_tags else self.tags
        return shown


def write_headers(headers: list[dict[str, str]], common: Params) -> Written:
    """Encodes a mail's headers, up to ten kilobytes, and its common headers (ses.md 4.2)."""
    kept, truncated = _within(headers)
    return truncated, msgspec.Raw(_encode(kept)), msgspec.Raw(_encode(common))


def _within(headers: list[dict[str, str]]) -> tuple[list[dict[str, str]], bool]:
    size = 0
    for index, header in enumerate(headers):
        size += len(header["name"]) + len(header["value"]) + 4
        if size > _MOST_HEADER_BYTES:
            return headers[:index], True
    return headers, False
