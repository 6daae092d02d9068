"""Looking into the content of a mail. Only people and programs of the platform that may operate it, and each look is audited."""

import asyncio
import json
from typing import Annotated, Literal

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.message_endpoint import MessageEndpoint
from mailcordon.core import ids
from mailcordon.core.principal import OPERATE
from mailcordon.core.priority import Class
from mailcordon.messages import previews as messages
from mailcordon.send import content_preview
from mailcordon.send.content_preview import Contents, Part, Preview
from mailcordon.send.view import MessageRecords

_MB = 1024 * 1024
_ERASED = "erased"  #: what `erase_deliveries` puts in the place of addresses

WhyNot = Literal["urgent", "observed", "erased", "deleted", "too-large", "unreadable"]


class PartItem(msgspec.Struct):
    content: str | None  #: its beginning; null: the other part was asked for
    shown: int  #: characters of its beginning
    characters: int  #: of all of it
    cut: bool


class FileItem(msgspec.Struct):
    name: str
    content_type: str
    size: int  #: bytes


class ContentItem(msgspec.Struct):
    """As the recipient gets it. Placeholders for links to unsubscribe are not filled in."""

    from_: str = msgspec.field(name="from")
    to: str
    cc: str
    subject: str
    text: PartItem | None  #: null: it has none
    html: PartItem | None
    files: list[FileItem]  #: never their content
    more_files: int  #: that are not listed


class MessagePreview(msgspec.Struct):
    """The content, or why it is not shown."""

    id: str
    delivery: str  #: whose mail it is: content can differ from recipient to recipient
    content: ContentItem | None
    why_not: WhyNot | None
    detail: str | None  #: the same as a sentence


def routes(endpoint: MessageEndpoint, contents: Contents, *, kept_days: int) -> list[HTTPRouteHandler]:
    """`kept_days`: days until content is deleted."""

    @get(
        "/v1/messages/{id:str}/preview",
        summary="Look into the content of a mail that is not urgent; the audit trail records it",
        tags=["messages"],
    )
    async def preview_message(
        request: AnyRequest,
        id: FromPath[str],
        part: Annotated[
            Literal["text", "html"] | None,
            QueryParameter(description="Only the content of this part. Default: of both."),
        ] = None,
    ) -> MessagePreview:
        principal = platform_principal(request, OPERATE)
        records = await endpoint.records(id, principal)
        principal.require_type(records.message.type)
        number = _number(id, records)
        message, delivery = records.message.id, ids.delivery_id(records.message.id + number)

        def refused(why: WhyNot, detail: str) -> MessagePreview:
            return MessagePreview(ids.message_id(message), delivery, None, why, detail)

        if records.class_ is Class.URGENT:
            return refused("urgent", messages.urgent(records.message.type))
        if records.message.observed:
            return refused("observed", messages.observed())
        if records.message.from_address == _ERASED:
            return refused("erased", messages.erased())
        stored = await contents.look(
            message,
            largest=content_preview.MAX_STORED,
            tenant=records.message.tenant,
            actor=principal.actor,
            object=f"message {ids.message_id(message)}",
            said=json.dumps({"delivery": delivery, "part": part or "all"}),
        )
        if stored is None:
            is_old = records.now - ids.ms_of(message) > kept_days * 86_400_000
            return refused("deleted", messages.deleted(kept_days) if is_old else messages.never_kept())
        if stored.content is None:
            most = content_preview.MAX_STORED // _MB
            return refused("too-large", messages.too_large(round(stored.size / _MB, 1), most))
        try:
            to = records.message.recipients[number - 1]
            found = await asyncio.to_thread(content_preview.read, stored.content, to, number)
        except ValueError:
            return refused("unreadable", messages.unreadable())
        return MessagePreview(ids.message_id(message), delivery, _content(found, part), None, None)

    return [preview_message]


def _number(id: str, records: MessageRecords) -> int:
    """Of the recipient whose delivery is named, else of the first one."""
    named = ids.decode(id.partition("_")[2]) - records.message.id if id.startswith("dlv_") else 1
    return named if 1 <= named <= len(records.message.recipients) else 1


def _content(found: Preview, only: str | None) -> ContentItem:
    return ContentItem(
        from_=found.from_,
        to=found.to,
        cc=found.cc,
        subject=found.subject,
        text=_part(found.text, only in (None, "text")),
        html=_part(found.html, only in (None, "html")),
        files=[FileItem(one.name, one.content_type, one.size) for one in found.files],
        more_files=found.more_files,
    )


def _part(found: Part | None, shown: bool) -> PartItem | None:
    if found is None:
        return None
    return PartItem(found.content if shown else None, len(found.content), found.characters, found.is_cut)
