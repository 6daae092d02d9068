"""Content from a template, stored or in the call, rendered with the call's data. A template that cannot be rendered is accepted
and reported by an event later (ses.md 3.3), so rendering never raises; a template that cannot be parsed raises ApiError."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import msgspec

from seslocal.errors import bad_request, not_found
from seslocal.mail.content import Letter, read_letter
from seslocal.rendering import parser, renderer
from seslocal.state.account import Account
from seslocal.state.settings import Behaviour
from seslocal.state.templates import StoredTemplate, Template
from seslocal.wire.params import Params

MOST_BYTES: Final = 500 * 1024  #: of a stored template (ses.md 3.3)
MOST_INLINE: Final = 1024 * 1024  #: of one in the call
MOST_LEVELS: Final = 100  #: of nesting in the data
PARTS: Final = ("Subject", "Text", "Html")
INLINE: Final = "inline"  #: the name of a template in the call, in its failures
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class RenderedTemplate:
    """A Simple message, or the reason why the template could not be rendered."""

    template: str  #: its name
    message: Params
    failure: str | None = None


def read_template(name: str, parts: dict[str, str], most: int = MOST_BYTES) -> Template:
    """Raises ApiError if a part cannot be parsed or all together are too long."""
    if sum(len(text.encode("utf-8", "surrogatepass")) for text in parts.values()) > most:
        raise bad_request(f"The template is larger than {most // 1024} KB.", kind="template_too_large")
    trees: dict[str, tuple[parser.Node, ...]] = {}
    for part, text in parts.items():
        try:
            trees[part] = parser.parse(text)
        except parser.TemplateError as error:
            raise bad_request(
                f"The {part.lower()} of the template is not valid: {error}.", kind="template_invalid"
            ) from None
    return Template(name, parts, trees)


def template_of(account: Account, name: str) -> StoredTemplate:
    found = account.templates.get(name)
    if found is None:
        raise not_found(f"Template {name} does not exist.", kind="template_absent")
    return found


def check_shape(given: Params) -> None:
    """Checks a call's Template for what SES rejects before it looks up anything, including the tenant. Raises ApiError."""
    sources = [name for name in ("TemplateName", "TemplateArn", "TemplateContent") if name in given]
    if ("TemplateContent" in sources and len(sources) > 1) or not sources:
        raise bad_request("A template is given by its TemplateName, its TemplateArn or its TemplateContent.")
    if "TemplateContent" in given:
        content: dict[str, str] = given["TemplateContent"]
        if not content.get("Subject") or not (content.get("Text") or content.get("Html")):
            raise bad_request("TemplateContent must hold a Subject, and Text or Html.")


def named_by(account: Account, given: Params) -> Template:
    """Returns the template that a call's checked Template names or contains. Raises ApiError."""
    if "TemplateContent" in given:
        template = read_template(INLINE, given["TemplateContent"], MOST_INLINE)
        _check_operations(template, plain_names=account.behaviour.inline_plain_names)
        return template
    if "TemplateArn" not in given:
        return template_of(account, given["TemplateName"])
    arn: str = given["TemplateArn"]
    name = arn.rpartition(":template/")[2]
    if account.arn(f"template/{name}") != arn or given.get("TemplateName", name) != name:
        raise bad_request(f"Invalid template ARN {arn}.")
    return template_of(account, name)


def _check_operations(template: Template, *, plain_names: bool) -> None:
    """In a template in the call SES supports simple substitution only, in live tests only of names of letters and digits."""
    for tree in template.trees.values():
        for node in tree:
            if isinstance(node, parser.Text):
                continue
            name = node.of.text if isinstance(node, parser.Value) and isinstance(node.of, parser.Path) else ""
            if not name or (plain_names and not _PLAIN.fullmatch(name)):
                raise bad_request("Template contains unsupported operations.", kind="template_invalid")


def read_data(text: str | None) -> dict[str, Any]:
    """Parses TemplateData. Raises ApiError."""
    if not text:
        return {}
    try:
        data = msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        data = None
    if not isinstance(data, dict):
        raise bad_request(
            "Template rendering data is invalid: it must be a JSON object.", kind="data_invalid"
        )
    if text.count("[") + text.count("{") > MOST_LEVELS and _levels(data) > MOST_LEVELS:
        raise bad_request(
            f"Template rendering data is invalid: it is more than {MOST_LEVELS} levels deep.",
            kind="data_invalid",
        )
    return cast("dict[str, Any]", data)


def _levels(data: Any) -> int:
    level, inner = 0, [data]
    while inner and level <= MOST_LEVELS:
        level += 1
        inner = [one for group in inner for one in _members(group)]
    return level


def _members(group: Any) -> list[Any]:
    if isinstance(group, dict):
        return list(cast("dict[str, Any]", group).values())
    return cast("list[Any]", group) if isinstance(group, list) else []


def render(template: Template, data: dict[str, Any], given: Params) -> RenderedTemplate:
    """Returns the message of `given`, a call's Template."""
    message: Params = {"Subject": {"Data": ""}, "Body": {"Text": {"Data": ""}}}
    message.update({name: given[name] for name in ("Headers", "Attachments") if name in given})
    try:
        filled = renderer.render(template.trees, data)
    except renderer.RenderingError as error:
        return RenderedTemplate(template.name, message, str(error))
    message["Subject"] = {"Data": _CONTROL.sub(" ", filled.get("Subject", ""))}
    message["Body"] = {part: {"Data": filled[part]} for part in ("Text", "Html") if part in filled}
    return RenderedTemplate(template.name, message)


def letter_of(params: Params, filled: RenderedTemplate, behaviour: Behaviour) -> Letter:
    """Returns the letter of a call with that message as its content. Raises ApiError."""
    letter = read_letter({**params, "Content": {"Simple": filled.message}}, behaviour)
    return letter if filled.failure is None else replace(letter, broken=(filled.template, filled.failure))


def ledger_content(filled: RenderedTemplate, given: Params) -> Params:
    """Returns what the ledger stores: the template and data, and the message as delivered or why it cannot be rendered."""
    made = {
        name: given[name]
        for name in ("TemplateName", "TemplateArn", "TemplateContent", "TemplateData")
        if name in given
    }
    if filled.failure is not None:
        return {"Template": made, "Failure": filled.failure}
    return {"Rendered": filled.message, "Template": made}
