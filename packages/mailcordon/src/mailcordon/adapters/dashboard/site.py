"""What every page has: who looks, the API for them, the template around it, and the headers."""

from dataclasses import dataclass
from typing import Any, cast

from litestar import Request, Response
from litestar.datastructures import UploadFile
from litestar.response import Redirect

from mailcordon.adapters.dashboard.rendering import StaticFiles, Templates
from mailcordon.adapters.dashboard.rest import Calls, Problem, Rest
from mailcordon.adapters.dashboard.visitor import Visitor
from mailcordon.messages import dashboard as messages

PageRequest = Request[Any, Any, Any]

HTML = "text/html"
#: Scripts and styles are files of ours only; nothing is loaded from elsewhere, and no other site may frame a page.
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
MAX_FORM = 256 * 1024  #: bytes of a posted form
CSRF = "csrf"  #: the field of a form that carries the session's token


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    calls: Calls
    templates: Templates
    static: StaticFiles
    installation: str  #: its name, shown in the bar
    is_local: bool  #: mail goes to the local SES: said on every page
    url: str | None = None  #: under which people reach it
    is_secure: bool = False  #: people reach it over TLS

    def rest(self, request: PageRequest) -> Rest:
        """The API with the rights of who looks."""
        return Rest(self.calls, visitor_of(request).principal)

    def page(
        self,
        request: PageRequest,
        template: str,
        *,
        title: str,
        section: str = "",
        status_code: int = 200,
        **data: Any,
    ) -> Response[str]:
        """The whole page. `section` marks the entry of the navigation that it belongs to."""
        visitor = cast("Visitor | None", getattr(request.state, "visitor", None))
        text = self.templates.render(
            template,
            {
                "title": title,
                "section": section,
                "visitor": None if visitor is None else shown(visitor),
                "csrf": "" if visitor is None else visitor.csrf,
                "installation": self.installation,
                "is_local": self.is_local,
                "here": here(request),
                "did": messages.done(request.query_params.get("did", "")),
                **data,
            },
        )
        return Response(text, media_type=HTML, status_code=status_code)

    def done(self, path: str, code: str) -> Redirect:
        """After an action: to the page at `path`, which says what was done (`messages.dashboard.done` has the codes)."""
        base, _, fragment = path.partition("#")
        joined = f"{base}{'&' if '?' in base else '?'}did={code}"
        return Redirect(f"{joined}#{fragment}" if fragment else joined, status_code=303)

    def problem(self, request: PageRequest, problem: Problem) -> Response[str]:
        """A page that says what was refused, and why."""
        return self.page(
            request,
            "problem.html",
            title=messages.problem_title(problem.status, problem.code),
            status_code=problem.status,
            sentence=problem.sentence,
            fields=[{"field": one.field, "problem": one.problem} for one in problem.fields],
            code=problem.code,
            may_go_on=problem.code != "view-link-unusable",  # a tenant's reader has no other way in
            retryable=problem.retryable,
        )


def shown(visitor: Visitor) -> dict[str, Any]:
    """What templates may know of who looks."""
    return {
        "name": visitor.name,
        "role": visitor.role,
        "tenant": visitor.principal.tenant_slug,
        "may_operate": visitor.may_operate,
        "may_administer": visitor.may_administer,
    }


def visitor_of(request: PageRequest) -> Visitor:
    """Raises Problem if nobody is signed in: no page is shown by mistake."""
    visitor = getattr(request.state, "visitor", None)
    if not isinstance(visitor, Visitor):
        raise Problem(401, messages.sign_in_first(), "unauthorised")
    return visitor


async def form(request: PageRequest) -> dict[str, str]:
    """The fields of a posted form, a file as its text. Of a field that comes twice, the last one counts.

    Raises Problem for a file that is no text.
    """
    found = await request.form()
    return {
        name: value if isinstance(value, str) else await _text_of(value)
        for name, value in found.items()
        if isinstance(value, str | UploadFile)
    }


async def _text_of(file: UploadFile) -> str:
    await file.seek(0)  # it was read before, to find the form's token
    try:
        return (await file.read()).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Problem(422, messages.file_is_no_text(), "not-text") from None


def here(request: PageRequest) -> str:
    """The path of this page with its query, as a link: encoded as it came."""
    path, query = request.scope["raw_path"].decode("latin-1"), request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path
