"""SES's templates: stored with every other template, in SES's own language, as versions that never change.

A template that SES's words change gets a new version; one that is deleted is retired.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import msgspec

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.ses_door import mail
from mailcordon.adapters.http.ses_door.errors import SesError, bad_request
from mailcordon.adapters.http.ses_door.services import Services
from mailcordon.adapters.http.ses_door.v2 import Parts
from mailcordon.control.templates import Owner, Shown
from mailcordon.core import text as texts
from mailcordon.core.errors import Fault, Invalid, NotFound
from mailcordon.core.principal import READ, Principal
from mailcordon.core.template import SES, Rendered, Source
from mailcordon.messages import mail as mail_messages
from mailcordon.messages import ses_door as messages
from mailcordon.send.submission import MAX_SUBJECT

_MOST = 100  #: templates of a page


class Create(msgspec.Struct, rename="pascal"):
    template_name: str
    template_content: Parts


class Update(msgspec.Struct, rename="pascal"):
    template_content: Parts


class Render(msgspec.Struct, rename="pascal"):
    template_data: str


def owner(principal: Principal) -> Owner:
    """A platform key has the platform's templates here: SES's requests name no tenant for a template."""
    if principal.tenant_id is None:
        return Owner(tenant=None, slug=None)
    return Owner(tenant=principal.tenant_id, slug=principal.tenant_slug, as_tenant=True)


async def create(services: Services, principal: Principal, call: Create) -> dict[str, Any]:
    of = owner(principal)
    try:
        found = await services.templates.get(of, call.template_name, None)
    except NotFound:
        found = None
    if found is not None and found.owner == of.slug and found.retired_at is None:
        shown = texts.harmless(call.template_name, 64)
        raise SesError("AlreadyExistsException", messages.template_exists(shown))
    await services.templates.put(
        principal, of, call.template_name, _source(call.template_content), because=None
    )
    return {}


async def get(services: Services, principal: Principal, name: str) -> dict[str, Any]:
    principal.require(READ)
    source = (await _known(services, owner(principal), name)).source
    content = {"Subject": source.subject, "Text": source.text, "Html": source.html}
    return {
        "TemplateName": name,
        "TemplateContent": {part: text for part, text in content.items() if text is not None},
        "Tags": [],
    }


async def update(services: Services, principal: Principal, name: str, call: Update) -> dict[str, Any]:
    of = owner(principal)
    found = await _known(services, of, name)
    if found.owner != of.slug:
        raise _absent(name)
    await services.templates.put(principal, of, name, _source(call.template_content), because=None)
    return {}


async def delete(services: Services, principal: Principal, name: str) -> dict[str, Any]:
    await services.templates.retire(principal, owner(principal), name, because=None)
    return {}


async def list_all(
    services: Services, principal: Principal, query: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    principal.require(READ)
    size = (query.get("PageSize") or ["10"])[0]
    if not (size.isascii() and size.isdigit()) or not 1 <= int(size[:6]) <= _MOST:
        raise bad_request(messages.bad_page_size(_MOST))
    token = (query.get("NextToken") or [None])[0]
    if token is not None and not (token.isascii() and token.isdigit() and len(token) < 10):
        raise bad_request(messages.bad_token())
    after = int(token or 0)
    found = await services.templates.page(owner(principal), after=after, limit=int(size))
    shown = [
        {"TemplateName": one.name, "CreatedTimestamp": one.made_at / 1000}
        for one in found
        if one.retired_at is None
    ]
    following = shapes.next_of([one.id for one in found], int(size))
    return {"TemplatesMetadata": shown, **({} if following is None else {"NextToken": following})}


async def render(services: Services, principal: Principal, name: str, call: Render) -> dict[str, Any]:
    """The whole mail, as text."""
    principal.require(READ)
    data = mail.template_data(call.template_data)
    found, _ = await services.templates.preview(owner(principal), name, None, data)
    if (
        len(found.subject) > MAX_SUBJECT
    ):  # as when it is sent; the standard library folds a long one for minutes
        raise Invalid(Fault("subject", mail_messages.bad_length(MAX_SUBJECT)))
    return {"RenderedTemplate": await asyncio.to_thread(_mime, found)}


def _mime(found: Rendered) -> str:
    made = EmailMessage()
    made["Date"] = format_datetime(datetime.now(UTC))
    made["Subject"] = found.subject
    if found.text is not None:
        made.set_content(found.text)
    if found.html is not None:
        if found.text is not None:
            made.add_alternative(found.html, subtype="html")
        else:
            made.set_content(found.html, subtype="html")
    return made.as_string()


async def _known(services: Services, of: Owner, name: str) -> Shown:
    """Raises SesError also for a template that is retired: to SES it is deleted."""
    found = await services.templates.get(of, name, None)
    if found.retired_at is not None:
        raise _absent(name)
    return found


def _absent(name: str) -> SesError:
    return SesError("NotFoundException", messages.template_absent(texts.harmless(name, 64)), 404)


def _source(parts: Parts) -> Source:
    return Source(dialect=SES, subject=parts.subject or "", text=parts.text, html=parts.html)
