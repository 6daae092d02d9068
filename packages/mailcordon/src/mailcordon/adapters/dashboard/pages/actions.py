"""The page of an action: what it will do, the reason for the audit trail, one button, and the command that does the same.

Each action has a URL of its own. GET shows the API's preview for the choices in the query; POST acts. Without JavaScript it works
the same.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from mailcordon.adapters.dashboard.links import link as link
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import CSRF, PageRequest, Site, form, visitor_of
from mailcordon.core.principal import ADMIN, OPERATE
from mailcordon.messages import dashboard as messages

BECAUSE = "because"
#: The option of a handler that needs a scope.
NEEDS = "needs"
MAX_REASON = 500  #: characters, as the API takes them


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A choice that the person makes before the preview."""

    name: str
    label: str
    value: str = ""
    kind: str = "text"  #: of the input, `hidden` included; or `select`, `textarea`, `checkbox`
    options: Sequence[tuple[str, str]] = ()  #: of a select: value and words
    required: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int] = ()  #: the columns that have numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the page says before anything is done."""

    title: str
    back: str  #: the page that it was reached from
    says: Sequence[str] = ()  #: what it will do, whom it touches and whom not: the API's sentences
    warnings: Sequence[str] = ()
    wrong: Sequence[str] = ()  #: why there is no preview of what was chosen: the API's sentences
    tables: Sequence[Table] = ()
    fields: Sequence[Field] = ()
    is_ready: bool = True  #: False: choices are missing, so there is no preview and no button yet
    button: str = "Do it"
    is_dangerous: bool = False
    needs_reason: bool = True
    command: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """What a form or a query says, and the parts of the path."""

    path: Mapping[str, Any]
    fields: Mapping[str, str] = field(default_factory=dict[str, str])

    def __getitem__(self, name: str) -> str:
        """A part of the path."""
        return str(self.path[name])

    def get(self, name: str, default: str = "") -> str:
        return self.fields.get(name, default).strip()

    def maybe(self, name: str) -> str | None:
        """None for what is empty or missing."""
        return self.get(name) or None

    def whole(self, name: str) -> int | None:
        """None for what is empty or missing. Raises Problem for what is no whole number."""
        text = self.get(name)
        if not text:
            return None
        if not (text.isascii() and text.isdecimal() and len(text) <= 6):
            raise Problem(422, messages.not_a_number(name), "not-a-number")
        return int(text)

    @property
    def because(self) -> str:
        return self.get(BECAUSE)


Ask = Callable[[Rest, Given], Awaitable[Asked]]
#: Acts, and returns the path of the page to go to.
Perform = Callable[[Rest, Given], Awaitable[str]]


def routes(
    site: Site,
    path: str,
    *,
    section: str,
    ask: Ask,
    perform: Perform,
    done: str = "saved",
    needs: str = OPERATE,
) -> list[HTTPRouteHandler]:
    """`done` is a code of messages.dashboard.done. Without the scope `needs` the page is refused, as the API refuses the act."""

    def show(request: PageRequest, asked: Asked, given: Given, wrong: Problem | None = None) -> Response[str]:
        return site.page(
            request,
            "actions/page.html",
            title=asked.title,
            section=section,
            status_code=200 if wrong is None else wrong.status,
            asked=asdict(asked),
            chosen={one.name: given.get(one.name) for one in asked.fields},
            because=given.because,
            reason_limit=MAX_REASON,
            action=request.url.path,
            wrong=asked.wrong if wrong is None else [wrong.sentence],
            faults=[]
            if wrong is None
            else [{"field": one.field, "problem": one.problem} for one in wrong.fields],
        )

    @get(path, opt={NEEDS: needs})
    async def preview(request: PageRequest) -> Response[str]:
        require(request, needs)
        given = Given(request.path_params, dict(request.query_params))
        return show(request, await ask(site.rest(request), given), given)

    @post(path, status_code=303, opt={NEEDS: needs})
    async def act(request: PageRequest) -> Response[str] | Redirect:
        require(request, needs)
        fields = {name: value for name, value in (await form(request)).items() if name != CSRF}
        given, rest = Given(request.path_params, fields), site.rest(request)
        try:
            target = await perform(rest, given)
        except Problem as problem:
            if problem.status == 401:
                raise
            # If what the path names is not there, asking says so in its turn.
            return show(request, await ask(rest, given), given, problem)
        return site.done(target, done)

    return [preview, act]


def require(request: PageRequest, scope: str) -> None:
    """Raises Problem for somebody whose role lacks the scope."""
    visitor = visitor_of(request)
    if scope == ADMIN and not visitor.may_administer:
        raise Problem(403, messages.role_needed("admin"), "role")
    if scope == OPERATE and not visitor.may_operate:
        raise Problem(403, messages.role_needed("operator"), "role")


async def preview_of_hold(rest: Rest, body: Mapping[str, Any]) -> tuple[list[str], list[Table], list[str]]:
    """What a hold, its end or a cancellation would do, the lanes with their mail, and why it cannot be done."""
    try:
        found = await rest.post("/v1/holds/preview", body=body)
    except Problem as problem:
        if problem.status not in (400, 404, 409, 422):
            raise
        return [], [], [problem.sentence, *(f"{one.field}: {one.problem}" for one in problem.fields)]
    rows = [
        (
            one["type"],
            one["class"],
            one["state"],
            *(f"{one[name]:,}" for name in ("ready", "waiting", "sending")),
        )
        for one in found["lanes"]
    ]
    heads = ("Lane", "Class", "State", "Ready", "Waiting", "Being sent")
    says = [found["effect"], messages.not_touched(found["untouched"])]
    return says, [Table(heads=heads, rows=rows, numbers=(3, 4, 5))] if rows else [], []


def reason(given: Given) -> str:
    """The reason as a word of a command line; what stands for it while none is given."""
    return shell(given.because) if given.because else '"..."'


def because(given: Given) -> str:
    """The option of a command that gives the reason."""
    return f"--because {reason(given)}"


def shell(text: str) -> str:
    """A word of a command line, quoted if it needs to be."""
    if text and all(one.isalnum() or one in "-_.@:/+=%," for one in text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"
