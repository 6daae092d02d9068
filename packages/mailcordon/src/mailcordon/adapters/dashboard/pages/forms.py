"""The page of a form: fields, what it will do, one button, and the command that does the same.

Unlike the page of an action (actions.py) there is no preview in between, so what is typed is only ever in the body of a POST: no
address and no log has it. The POST leads to another page, or is answered with one that shows what is shown once.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from mailcordon.adapters.dashboard.pages import actions
from mailcordon.adapters.dashboard.pages.actions import BECAUSE, MAX_REASON, NEEDS, Given
from mailcordon.adapters.dashboard.rest import FieldProblem, Problem, Rest
from mailcordon.adapters.dashboard.site import CSRF, MAX_FORM, PageRequest, Site, form
from mailcordon.core.principal import ADMIN
from mailcordon.messages import dashboard_forms as messages

#: Never kept, also not for the way back: with it a browser shows a page again without asking the server.
NOT_KEPT = "no-store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One thing to type or to choose. `name` is what the API calls it, so that what the API says of it stands beside it."""

    name: str
    label: str
    value: str = ""
    #: `text`, `email`, `url`, `password`, `number`, `select`, `textarea`, `document`, `file`, `hidden`, `check`, or `checks`: any
    #: of the options. A password is not shown again after a refusal.
    kind: str = "text"
    options: Sequence[tuple[str, str]] = ()  #: value and words
    required: bool = False
    hint: str = ""
    limit: int = 400  #: characters
    rows: int = 0  #: of a textarea or a document; 0: as usual
    of: Sequence[str] = ()  #: other names of the API whose problems belong to this field
    is_exact: bool = False  #: white space around it, which is cut off otherwise, belongs to it
    is_secret: bool = False  #: taken from no address, as a password is not
    file: str = ""  #: the field of a file that is taken instead, if one is chosen
    is_rare: bool = False  #: stands in the part that is folded


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What the page says before anything is done."""

    title: str
    back: str  #: the page that it was reached from
    says: Sequence[str] = ()
    warnings: Sequence[str] = ()
    ways: Sequence[
        tuple[str, str, bool]
    ] = ()  #: forms of the same with other fields: path, words, whether it is this
    fields: Sequence[Input] = ()
    button: str = "Save it"
    also: Sequence[tuple[str, str]] = ()  #: more buttons, which change nothing: a value of `DO`, and words
    leave: str = "Leave it as it is"  #: the way back
    is_dangerous: bool = False
    needs_reason: bool = True
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownOnce:
    """The answer to a form that made something secret."""

    title: str
    says: Sequence[str] = ()
    secrets: Sequence[tuple[str, str]] = ()  #: what it is, and the secret itself
    after: Sequence[str] = ()  #: what to do with it
    commands: Sequence[str] = ()
    back: str = "/"  #: the page to go on to
    back_words: str = "Go on"


#: The field that says which of several buttons was clicked. The main one sends none.
DO = "do"

Ask = Callable[[Rest, Given], Awaitable[Form]]
#: Acts. Returns the path of the page to go to, or the page itself.
Perform = Callable[[Rest, Given], Awaitable[str | ShownOnce]]


def routes(
    site: Site,
    path: str,
    *,
    section: str,
    ask: Ask,
    perform: Perform,
    done: str = "saved",
    needs: str = ADMIN,
    most_bytes: int = MAX_FORM,
) -> list[HTTPRouteHandler]:
    """`done` is a code of messages.dashboard.done. `most_bytes`: of the posted form, if it may be larger than others."""

    @get(path, opt={NEEDS: needs})
    async def empty(request: PageRequest) -> Response[str]:
        actions.require(request, needs)
        return await asked_for(site, request, section, ask)

    @post(path, status_code=303, opt={NEEDS: needs}, request_max_body_size=most_bytes)
    async def act(request: PageRequest) -> Response[str] | Redirect:
        actions.require(request, needs)
        given, rest = await sent(request), site.rest(request)
        try:
            done_with = await perform(rest, given)
        except Problem as problem:
            if problem.status == 401:
                raise
            # If what the path names is not there, asking says so in its turn.
            return shown(site, request, section, await ask(rest, given), given, problem)
        if isinstance(done_with, str):
            return site.done(done_with, done)
        return _once(site, request, section, done_with)

    return [empty, act]


async def asked_for(
    site: Site, request: PageRequest, section: str, ask: Ask, template: str = "actions/form.html"
) -> Response[str]:
    """The form before it is sent, with what the address says of its fields, but for secrets."""
    given = Given(request.path_params, dict(request.query_params))
    asked = await ask(site.rest(request), given)
    secret = {one.name for one in asked.fields if one.is_secret or one.kind == "password"}
    fields = {name: value for name, value in given.fields.items() if name not in secret}
    return shown(site, request, section, asked, replace(given, fields=fields), template=template)


async def sent(request: PageRequest) -> Given:
    """What the posted form says."""
    fields = {name: value for name, value in (await form(request)).items() if name != CSRF}
    return Given(request.path_params, {**fields, _SENT: "yes"})


def shown(
    site: Site,
    request: PageRequest,
    section: str,
    asked: Form,
    given: Given,
    wrong: Problem | None = None,
    *,
    template: str = "actions/form.html",
    **more: Any,
) -> Response[str]:
    """The form with what was typed into it; `wrong`: what was refused. `template` extends that of forms, and gets `more`."""
    beside, above = _placed(asked, wrong)
    return site.page(
        request,
        template,
        title=asked.title,
        section=section,
        status_code=200 if wrong is None else wrong.status,
        asked=asdict(asked),
        usual=[_shown(one, given, beside) for one in asked.fields if not one.is_rare],
        rare=[_shown(one, given, beside) for one in asked.fields if one.is_rare],
        has_file=any(one.kind == "file" for one in asked.fields),
        because=given.because,
        because_wrong=beside.get(BECAUSE, []),
        reason_limit=MAX_REASON,
        action=request.url.path,
        above=above,
        is_wrong=wrong is not None,
        **more,
    )


#: A field that no form has: what a form without it shows is what was there before.
_SENT = "\0sent"


def _once(site: Site, request: PageRequest, section: str, made: ShownOnce) -> Response[str]:
    answer = site.page(
        request, "actions/shown_once.html", title=made.title, section=section, made=asdict(made)
    )
    answer.headers["cache-control"] = NOT_KEPT
    return answer


def _shown(one: Input, given: Given, beside: Mapping[str, list[str]]) -> dict[str, Any]:
    """The field with what was typed into it, and what is wrong with that."""
    sent = _SENT in given.fields
    typed = exactly if one.is_exact else Given.get
    value = "" if one.kind == "password" else typed(given, one.name, "" if sent else one.value)
    if one.file and given.get(one.file):
        value = given.get(one.file)
    return {
        **asdict(one),
        "value": value,
        "chosen": [word for word, _ in one.options if given.get(f"{one.name}.{word}")]
        if sent or any(name.startswith(f"{one.name}.") for name in given.fields)
        else one.value.split(),
        "wrong": beside.get(one.name, []),
    }


def _placed(asked: Form, wrong: Problem | None) -> tuple[dict[str, list[str]], list[str]]:
    """What stands beside each field, and what stands above them all."""
    if wrong is None:
        return {}, []
    homes = {name: one.name for one in asked.fields for name in (one.name, *one.of)}
    if asked.needs_reason:
        homes[BECAUSE] = BECAUSE
    beside: dict[str, list[str]] = {}
    above: list[str] = []
    for fault in wrong.fields:
        home = homes.get(fault.field) or homes.get(fault.field.partition("[")[0].partition(".")[0])
        if home is None:
            above.append(f"{fault.field}: {fault.problem}" if fault.field else fault.problem)
        else:
            beside.setdefault(home, []).append(fault.problem[:1].upper() + fault.problem[1:])
    return beside, above if beside or above else [wrong.sentence]


def chosen(given: Given, name: str, options: Sequence[str]) -> list[str]:
    """Those of the options that are checked."""
    return [one for one in options if given.get(f"{name}.{one}")]


def exactly(given: Given, name: str, default: str = "") -> str:
    """With its white space. Browsers send every line break as CR LF, whatever the text had."""
    return given.fields.get(name, default).replace("\r\n", "\n")


def words(given: Given, name: str) -> list[str]:
    """What was typed with commas, spaces or lines between."""
    return given.get(name).replace(",", " ").split()


def number(given: Given, name: str) -> float | None:
    """None for what is empty. Raises Problem for what is no number, beside its field."""
    text = given.get(name)
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1e12:
        raise refused(name, messages.not_a_number())
    return found


def whole(given: Given, name: str) -> int | None:
    """None for what is empty. Raises Problem for what is no whole number, beside its field."""
    text = given.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise refused(name, messages.not_whole())
    return int(text)


def refused(name: str, problem: str) -> Problem:
    return Problem(422, problem, "invalid", fields=(FieldProblem(name, problem),))


def changed(wanted: Mapping[str, Any], is_now: Mapping[str, Any], **also: Any) -> dict[str, Any]:
    """What a form changes: of `wanted` what differs, and `also`. Raises Problem if that is nothing."""
    found = {name: value for name, value in wanted.items() if value != is_now.get(name)} | also
    if not found:
        raise Problem(422, messages.nothing_changed(), "nothing-to-change")
    return found


def given_only(**values: Any) -> dict[str, Any]:
    """The body of a request, without what was left empty."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def option(name: str, value: str | None) -> str:
    """An option of a command, if it has a value."""
    return f" --{name} {actions.shell(value)}" if value else ""


def options(name: str, values: Sequence[str]) -> str:
    return "".join(option(name, one) for one in values)
