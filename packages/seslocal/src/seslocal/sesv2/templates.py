"""Email templates: storing, listing and test rendering (ses.md 3.3). Sending with them is in `mail/templated.py`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from seslocal.errors import already_exists, bad_request, limit_exceeded
from seslocal.mail import mime, templated
from seslocal.mail.templated import PARTS
from seslocal.sesv2.tenants import refuse_while_associated
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.templates import StoredTemplate
from seslocal.tagging import tags_in, tags_out
from seslocal.wire.paging import page
from seslocal.wire.params import Params

MOST_TEMPLATES: Final = 20_000
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def create(account: Account, params: Params, caller: Caller) -> Params:
    name: str = params["TemplateName"]
    if not _NAME.fullmatch(name):
        raise bad_request(
            f"Invalid template name <{name}>: only alphanumeric ASCII characters, '_', and '-' are allowed, 1 to 64 of them."
        )
    read = templated.read_template(name, _parts(params["TemplateContent"]))
    if name in account.templates:
        raise already_exists(f"Template {name} already exists.")
    if len(account.templates) >= MOST_TEMPLATES:
        raise limit_exceeded(f"The account has {MOST_TEMPLATES} templates, which is its limit.")
    arn, now = account.arn(f"template/{name}"), account.clock.now()
    account.templates[name] = StoredTemplate(
        name, read.parts, read.trees, arn, now, tags_in(params.get("Tags", []))
    )
    return {}


def get(account: Account, params: Params, caller: Caller) -> Params:
    found = templated.template_of(account, params["TemplateName"])
    return {
        "TemplateName": found.name,
        "TemplateContent": found.parts,
        "Tags": tags_out(found.tags),
    }


def update(account: Account, params: Params, caller: Caller) -> Params:
    found = templated.template_of(account, params["TemplateName"])
    read = templated.read_template(found.name, _parts(params["TemplateContent"]))
    account.templates[found.name] = replace(found, parts=read.parts, trees=read.trees)
    return {}


def delete(account: Account, params: Params, caller: Caller) -> Params:
    found = templated.template_of(account, params["TemplateName"])
    refuse_while_associated(account, found.arn)
    del account.templates[found.name]
    return {}


def list_all(account: Account, params: Params, caller: Caller) -> Params:
    chosen, more = page("templates", account.templates.values(), lambda t: t.name, params)
    shown = [{"TemplateName": one.name, "CreatedTimestamp": one.created} for one in chosen]
    return {"TemplatesMetadata": shown, **more}


def test_render(account: Account, params: Params, caller: Caller) -> Params:
    """Returns the whole rendered MIME message. Raises ApiError where a sent mail would get a Rendering Failure event."""
    found = templated.template_of(account, params["TemplateName"])
    filled = templated.render(found, templated.read_data(params["TemplateData"]), {})
    if filled.failure is not None:
        raise bad_request(filled.failure, kind="attribute_missing")
    date = format_datetime(datetime.fromtimestamp(int(account.clock.now()), UTC))
    texts = [filled.message["Body"].get(part, {}).get("Data") for part in ("Text", "Html")]
    made = mime.head([("Date", date), ("Subject", filled.message["Subject"]["Data"])])
    made += mime.body(texts[0], texts[1], (), account.ids.uuid().replace("-", "")[:16])
    return {"RenderedTemplate": made.decode("utf-8", "replace")}


def _parts(content: dict[str, str]) -> dict[str, str]:
    if not content.get("Subject"):
        raise bad_request("The subject must be specified.", kind="template_invalid")
    if not ("Text" in content or "Html" in content):
        raise bad_request("The template must hold Text, Html or both.", kind="template_invalid")
    return {part: content[part] for part in PARTS if part in content}


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "CreateEmailTemplate": create,
    "GetEmailTemplate": get,
    "UpdateEmailTemplate": update,
    "DeleteEmailTemplate": delete,
    "ListEmailTemplates": list_all,
    "TestRenderEmailTemplate": test_render,
}
