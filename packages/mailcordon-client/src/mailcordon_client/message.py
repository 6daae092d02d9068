"""A message as an app writes it, and its JSON for POST /v1/messages.

Nothing is checked here: the server does, and names each field that it cannot accept.
"""

import base64
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A recipient with a name, or with headers of their own: the message is then a mailing, and each sees only themselves."""

    address: str
    name: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def json(self) -> dict[str, Any]:
        return _given(address=self.address, name=self.name, headers=dict(self.headers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    filename: str
    content: bytes
    content_type: str = ""  #: by the file name's ending if empty
    content_id: str = ""  #: without <>, for `<img src="cid:...">`; the attachment is then shown inline

    @classmethod
    def of_file(cls, path: str | Path, *, content_type: str = "", content_id: str = "") -> "Attachment":
        path = Path(path)
        return cls(
            filename=path.name,
            content=path.read_bytes(),
            content_type=content_type,
            content_id=content_id,
        )

    def json(self) -> dict[str, Any]:
        guessed, encoding = mimetypes.guess_type(self.filename)
        # `report.csv.gz` is not a CSV.
        by_name = guessed if guessed and encoding is None else "application/octet-stream"
        return _given(
            filename=self.filename,
            content=base64.b64encode(self.content).decode(),
            content_type=self.content_type or by_name,
            content_id=self.content_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to its recipients. docs/sending.md describes each field.

    An address is text: `kim@example.com`, or with a name, `"Kim" <kim@example.com>`. To and Cc are seen by all recipients, Bcc
    by nobody; with `individually`, each recipient of `to` sees only themselves.

    `raw` is a whole MIME message, in the place of the subject, the texts, the headers and the attachments. `to` then says who
    gets it; if that is empty, its headers do.
    """

    type: str  #: of the platform's message types, for example `invoice`
    from_: str = ""
    to: str | Sequence[str | Recipient] = ()
    cc: str | Sequence[str | Recipient] = ()
    bcc: str | Sequence[str | Recipient] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None
    reply_to: str | Sequence[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    attachments: Sequence[Attachment] = ()
    raw: bytes | None = None
    template: str = ""  #: in the place of subject, text and html; a name, or with a version, `receipt@3`
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])  #: for the template
    individually: bool = False
    unsubscribe: bool = True  #: whether Mailcordon may add an unsubscribe link to marketing mail
    send_at: datetime | None = None  #: with a time zone; at most 30 days ahead
    campaign: str = ""
    list: str = ""  #: the list or import that the recipients come from
    tags: Mapping[str, str] = field(
        default_factory=dict[str, str]
    )  #: the app's own; shown in search and webhooks
    tenant: str = ""  #: needed with a platform's key; a tenant's key sends for its tenant

    def json(self) -> dict[str, Any]:
        """The body of POST /v1/messages. Raises ValueError if `send_at` has no time zone."""
        if self.send_at is not None and self.send_at.tzinfo is None:
            raise ValueError("send_at has no time zone.")
        body = _given(
            type=self.type,
            to=_people(self.to),
            cc=_people(self.cc),
            bcc=_people(self.bcc),
            subject=self.subject,
            text=self.text,
            html=self.html,
            reply_to=[self.reply_to]
            if isinstance(self.reply_to, str) and self.reply_to
            else list_(self.reply_to),
            headers=dict(self.headers),
            attachments=[one.json() for one in self.attachments],
            raw=None if self.raw is None else base64.b64encode(self.raw).decode(),
            template=self.template,
            data=dict(self.data),
            individually=self.individually,
            send_at=None if self.send_at is None else self.send_at.isoformat(),
            campaign=self.campaign,
            list=self.list,
            tags=dict(self.tags),
            tenant=self.tenant,
        )
        if not self.unsubscribe:
            body["unsubscribe"] = False
        if self.from_:
            body["from"] = self.from_
        return body


list_ = list  # `list` is a field of the API above


def _people(given: str | Sequence[str | Recipient]) -> list_[Any]:
    if isinstance(given, str):
        return [given] if given else []
    return [one if isinstance(one, str) else one.json() for one in given]


def _given(**members: Any) -> dict[str, Any]:
    """The members that say something: the server's defaults hold for the others."""
    return {name: value for name, value in members.items() if value not in (None, "", False, [], {})}
