"""Templates as people store, preview and retire them.

A preview sends nothing. Its HTML is shown as that of a mail is (message_preview.py), in a frame that gets it by a POST of what
was typed: no address has the data.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from mailcordon.adapters.dashboard.pages import actions, forms, mail_templates, message_preview
from mailcordon.adapters.dashboard.pages.actions import NEEDS, Asked, Given, because, shell
from mailcordon.adapters.dashboard.pages.forms import DO, Form, Input
from mailcordon.adapters.dashboard.pages.mail_templates import PARENTS, SOURCES, Whose
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.core.principal import ADMIN, READ
from mailcordon.core.template import check_name
from mailcordon.messages import template_pages as messages

#: Of a form: sources and data of the largest size, with up to three bytes for one.
MOST_BYTES = 3 * 1024 * 1024
PREVIEW = "preview"
_TEMPLATE = "mail_templates/form.html"
_DIALECTS = (("jinja", "Jinja"), ("ses", "SES's own"))
_FAULTS = (
    *SOURCES,
    "parts",
    "template",
)  #: what the API names if a version that is stored does not fit the data
_PART = "part."  #: begins the field of a part; its name follows


def routes(site: Site) -> list[HTTPRouteHandler]:
    found: list[HTTPRouteHandler] = []
    for parent in PARENTS:
        one, section = parent + "/templates/{name:str}", _section(parent)
        found += _storing(site, section, parent + "/new-template", _ask_new)
        found += _storing(site, section, one + "/store", _ask_store)
        found += _previewing(site, section, one + "/preview")
        found += actions.routes(
            site,
            one + "/retire",
            section=section,
            ask=_ask_retire,
            perform=_retire,
            done="removed",
            needs=ADMIN,
        )
    return found


def _section(parent: str) -> str:
    return "settings" if parent == PARENTS[1] else "tenants"


def _of(given: Given) -> Whose:
    return mail_templates.whose(given.path)


# Storing a version ---------------------------------------------------------------------------------------------------------


def _storing(site: Site, section: str, path: str, ask: forms.Ask) -> list[HTTPRouteHandler]:
    @get(path, opt={NEEDS: ADMIN})
    async def empty(request: PageRequest) -> Response[str]:
        actions.require(request, ADMIN)
        return await forms.asked_for(site, request, section, ask, _TEMPLATE)

    @post(path, status_code=303, opt={NEEDS: ADMIN}, request_max_body_size=MOST_BYTES)
    async def act(request: PageRequest) -> Response[str] | Redirect:
        actions.require(request, ADMIN)
        given, rest = await forms.sent(request), site.rest(request)
        try:
            if given.get(DO) == PREVIEW:
                made = await _preview(rest, given, _sources(given))
                return _previewed(site, request, section, await ask(rest, given), given, made)
            return site.done(await _store(rest, given), "saved")
        except Problem as problem:
            if problem.status == 401:
                raise
            return forms.shown(
                site, request, section, await ask(rest, given), given, problem, template=_TEMPLATE
            )

    return [empty, act, _frame(site, path + "/html", ADMIN)]


async def _ask_new(rest: Rest, given: Given) -> Form:
    of = _of(given)
    if of.slug is not None:
        await rest.get("/v1/tenants/{}", of.slug)
    return Form(
        title=f"Make a template of {of.slug}" if of.slug else "Make a template of the platform",
        back=of.list,
        says=[messages.new_template(of.slug)],
        fields=[
            Input(
                name="name",
                label="Name",
                required=True,
                limit=64,
                hint="Messages name it, such as `receipt`.",
            ),
            *_fields(None, given),
        ],
        button="Store it",
        also=[(PREVIEW, "Preview it")],
        leave="Make none",
        needs_reason=False,
        command=f"mailcordon template put {shell(given.get('name') or 'NAME')} FOLDER{of.option}",
    )


async def _ask_store(rest: Rest, given: Given) -> Form:
    of, name = _of(given), given["name"]
    version = given.get("version") or None
    one = await rest.get("/v1/templates/{}", name, tenant=of.slug, version=version)
    is_own = one["owner"] == of.slug
    return Form(
        title=f"Store a version of {name}" if is_own else f"Make {name} of {of.slug}'s own",
        back=of.page(name),
        says=[messages.stores_version(one["latest"])]
        if is_own
        else [messages.makes_own(name, of.slug or "")],
        warnings=[messages.older_sources(one["version"], one["latest"])]
        if one["version"] != one["latest"]
        else (),
        fields=[
            Input(name="version", label="", kind="hidden", value=version or ""),
            *_fields(one, given),
        ],
        button="Store it",
        also=[(PREVIEW, "Preview it")],
        needs_reason=False,
        command=f"mailcordon template put {shell(name)} FOLDER{of.option}",
    )


def _fields(one: Any, given: Given) -> list[Input]:
    """`one`: the version whose sources the form begins with."""

    def source(name: str, label: str, rows: int, hint: str = "", **over: Any) -> Input:
        value = "" if one is None else one[name] or ""
        return Input(
            name=name, label=label, kind="document", value=value, rows=rows, hint=hint, is_exact=True, **over
        )

    parts: dict[str, str] = {} if one is None else one["parts"]
    names = sorted({*parts, *(each.removeprefix(_PART) for each in given.fields if each.startswith(_PART))})
    return [
        source("subject", "Subject", 2, required=True),
        source("text", "Text", 8, "Empty: derived from the HTML."),
        source("html", "HTML", 16),
        source("mjml", "MJML", 10, "In place of HTML, which it becomes.", is_rare=True),
        *(
            Input(
                name=_PART + name,
                label=f"Part {name}",
                kind="document",
                value=parts.get(name, ""),
                rows=6,
                hint="Empty: the part is left out.",
                is_exact=True,
                is_rare=True,
            )
            for name in names
        ),
        Input(
            name="new_part",
            label="Another part, which the others include",
            hint="Such as `footer.html`, which escapes what it prints, or `footer.txt`.",
            of=["parts"],
            limit=50,
            is_rare=True,
        ),
        Input(
            name="new_part_source", label="Its source", kind="document", rows=6, is_exact=True, is_rare=True
        ),
        Input(
            name="dialect",
            label="Language",
            kind="select",
            value="jinja" if one is None else one["dialect"],
            options=_DIALECTS,
            hint="SES's own is for templates that come from SES. It escapes nothing.",
        ),
        _data(),
        Input(name="because", label="Reason", hint="For the audit trail. It can be left empty.", limit=500),
    ]


def _data(of: Sequence[str] = ()) -> Input:
    return Input(
        name="data",
        of=of,
        label="Data to preview it with",
        kind="document",
        value="{}",
        rows=6,
        hint='A JSON object, such as `{"name": "Kim"}`. It is not stored.',
        is_exact=True,
    )


def _sources(given: Given) -> dict[str, Any]:
    parts = {
        name.removeprefix(_PART): forms.exactly(given, name)
        for name in sorted(given.fields)
        if name.startswith(_PART)
    }
    if given.get("new_part"):
        parts[given.get("new_part")] = forms.exactly(given, "new_part_source")
    return {
        "subject": forms.exactly(given, "subject"),
        "dialect": given.get("dialect", "jinja"),
        "parts": {name: text for name, text in parts.items() if text},
        **{name: forms.exactly(given, name) or None for name in SOURCES if name != "subject"},
    }


async def _store(rest: Rest, given: Given) -> str:
    of, name = _of(given), given.path.get("name") or _new_name(given)
    if "name" not in given.path:
        found = await rest.found("/v1/templates/{}", name, tenant=of.slug)
        if found is not None and found["owner"] == of.slug and not found["retired_at"]:
            raise forms.refused("name", messages.name_is_taken(name))
    body = {**_sources(given), "because": given.maybe("because")}
    made = await rest.put("/v1/templates/{}", name, tenant=of.slug, body=body)
    if not made["made"]:
        raise Problem(422, messages.same_sources(made["template"]["version"]), "nothing-to-change")
    return of.page(name)


def _new_name(given: Given) -> str:
    """Raises Problem."""
    try:
        return check_name(given.get("name"))
    except ValueError as problem:
        raise forms.refused("name", str(problem)) from None


# Previews ------------------------------------------------------------------------------------------------------------------


def _previewing(site: Site, section: str, path: str) -> list[HTTPRouteHandler]:
    @get(path, opt={NEEDS: READ})
    async def empty(request: PageRequest) -> Response[str]:
        return await forms.asked_for(site, request, section, _ask_preview, _TEMPLATE)

    @post(path, status_code=200, opt={NEEDS: READ}, request_max_body_size=MOST_BYTES)
    async def render(request: PageRequest) -> Response[str]:
        given, rest = await forms.sent(request), site.rest(request)
        asked = await _ask_preview(rest, given)
        try:
            made = await _preview(rest, given)
        except Problem as problem:
            if problem.status == 401:
                raise
            return forms.shown(site, request, section, asked, given, problem, template=_TEMPLATE)
        return _previewed(site, request, section, asked, given, made)

    return [empty, render, _frame(site, path + "/html", READ)]


async def _ask_preview(rest: Rest, given: Given) -> Form:
    of, name = _of(given), given["name"]
    version = given.get("version") or None
    one = await rest.get("/v1/templates/{}", name, tenant=of.slug, version=version)
    return Form(
        title=f"Preview {name}@{one['version']}",
        back=of.page(name),
        says=[messages.previews_template()],
        fields=[Input(name="version", label="", kind="hidden", value=str(one["version"])), _data(_FAULTS)],
        button="Show the mail",
        leave="Back to the template",
        needs_reason=False,
        command=f"mailcordon template preview {shell(name)}{of.option} --version {one['version']} --data FILE",
    )


async def _preview(rest: Rest, given: Given, sources: dict[str, Any] | None = None) -> Any:
    """What the API makes of the data. `sources`: these, in place of a version that is stored. Raises Problem."""
    typed = forms.exactly(given, "data").strip()
    try:
        data: Any = msgspec.json.decode(typed) if typed else {}
    except msgspec.DecodeError as problem:
        raise forms.refused("data", messages.no_json(str(problem))) from None
    if not isinstance(data, dict):
        raise forms.refused("data", messages.no_json_object())
    body: dict[str, Any] = {"data": data}
    if sources is not None:
        body["sources"] = sources
    elif given.get("version"):
        body["version"] = forms.whole(given, "version")
    name = given.path.get("name") or _new_name(given)
    return await rest.post("/v1/templates/{}/preview", name, tenant=_of(given).slug, body=body)


def _previewed(
    site: Site, request: PageRequest, section: str, asked: Form, given: Given, made: Any
) -> Response[str]:
    frame = request.url.path + "/html"
    page = forms.shown(
        site,
        request,
        section,
        asked,
        given,
        template=_TEMPLATE,
        made=made,
        frame=frame,
        sent=[(name, value) for name, value in given.fields.items() if name.isprintable() and name != DO],
        nothing_runs=messages.nothing_runs(),
    )
    page.headers["content-security-policy"] = message_preview.policy_of_page(site, request, frame)
    return page


def _frame(site: Site, path: str, needs: str) -> HTTPRouteHandler:
    @post(path, status_code=200, opt={NEEDS: needs}, request_max_body_size=MOST_BYTES)
    async def framed(request: PageRequest) -> Response[bytes]:
        actions.require(request, needs)
        message_preview.require_frame(request)
        given = await forms.sent(request)
        sources = None if path.endswith("/preview/html") else _sources(given)
        made = await _preview(site.rest(request), given, sources)
        return message_preview.document_of_frame(made["html"] or "")

    return framed


# Retiring one --------------------------------------------------------------------------------------------------------------


async def _ask_retire(rest: Rest, given: Given) -> Asked:
    of, name = _of(given), given["name"]
    await rest.get("/v1/templates/{}", name, tenant=of.slug)
    return Asked(
        title=f"Retire the template {name}",
        back=of.page(name),
        says=[messages.retires_template(name, of.slug)],
        button="Retire it",
        is_dangerous=True,
        command=f"mailcordon template retire {shell(name)}{of.option} {because(given)}",
    )


async def _retire(rest: Rest, given: Given) -> str:
    of = _of(given)
    await rest.delete("/v1/templates/{}", given["name"], tenant=of.slug, because=given.because)
    return of.list
