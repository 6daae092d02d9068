"""The dashboard's ASGI application: who may see a page, which forms are taken, and what every answer carries."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import structlog
from litestar import Litestar, Response, get
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from mailcordon.adapters.dashboard.rest import Problem
from mailcordon.adapters.dashboard.site import CSRF, MAX_FORM, SECURITY_HEADERS, PageRequest, Site, form, here
from mailcordon.adapters.dashboard.visitor import Visitor, Visitors
from mailcordon.core.errors import MailcordonError
from mailcordon.messages import dashboard as messages

OPEN = "open"  #: the option of a handler that needs nobody to be signed in
#: The option of a handler that is the same for everybody. It is not asked who looks, so it needs no database.
ANYBODY = "anybody"
#: The option of a handler that has a proof of its own that its form is ours; nobody is signed in there.
NO_SESSION = "no_session"
_READS = ("GET", "HEAD")

_log = structlog.get_logger("mailcordon.dashboard")


def build(site: Site, visitors: Visitors, handlers: Sequence[HTTPRouteHandler]) -> Litestar:
    async def admit(request: PageRequest) -> Response[Any] | None:
        """Finds who looks. Without anybody a page leads to the sign-in, and back."""
        opt = request.route_handler.opt
        if opt.get(ANYBODY):
            return None
        visitor = await visitors.visitor(dict(request.cookies))
        request.state.visitor = visitor
        if request.method not in _READS:
            _same_site(request, site)
        if visitor is None:
            if opt.get(OPEN) or opt.get(NO_SESSION):
                return None
            if request.method in _READS and "hx-request" not in request.headers:
                return Redirect(f"/sign-in?next={quote(here(request), safe='')}", status_code=303)
            raise Problem(401, messages.sign_in_first(), "unauthorised")
        if request.method not in _READS and not opt.get(NO_SESSION):
            await _own_form(request, visitor)
        return None

    @get("/static/{digest:str}/{name:path}", opt={ANYBODY: True})
    async def static(digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
        found = site.static.find(digest, str(name).lstrip("/"))
        if found is None:
            return Response(b"", status_code=404, media_type="text/plain")
        headers = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(found.body, media_type=found.media_type, headers=headers)

    @get("/health", opt={ANYBODY: True})
    async def health() -> Response[bytes]:
        return Response(b"ok\n", media_type="text/plain")

    def handle(request: PageRequest, error: Exception) -> Response[Any]:
        return protected(
            site.problem(request, _as_problem(error))
        )  # of a path without a route, `protect` does not see it

    async def protect(response: Response[Any]) -> Response[Any]:
        return protected(response)

    def protected(response: Response[Any]) -> Response[Any]:
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("cache-control", "no-store")
        if site.is_secure:
            response.headers.setdefault("strict-transport-security", "max-age=31536000")
        return response

    return Litestar(
        route_handlers=[static, health, *handlers],
        before_request=admit,
        after_request=protect,
        exception_handlers={Exception: handle},
        request_max_body_size=MAX_FORM,
        logging_config=None,
        openapi_config=None,
    )


def _same_site(request: PageRequest, site: Site) -> None:
    """Raises Problem for a form that another site made the browser send: browsers say so in these headers."""
    fetched = request.headers.get("sec-fetch-site")
    if fetched is not None and fetched not in ("same-origin", "none"):
        raise Problem(403, messages.other_site(), "other-site")
    origin = request.headers.get("origin")
    if origin is None or origin == site.url:
        return
    if urlsplit(origin).netloc != request.headers.get("host"):
        raise Problem(403, messages.other_site(), "other-site")


async def _own_form(request: PageRequest, visitor: Visitor) -> None:
    if not visitor.owns((await form(request)).get(CSRF, "")):
        raise Problem(403, messages.stale_form(), "csrf")


def _as_problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        sentence = messages.no_such_page() if error.status_code in (404, 405) else str(error.detail)
        return Problem(error.status_code, sentence, f"http-{error.status_code}")
    if isinstance(error, MailcordonError):
        return Problem(503 if error.retryable else 422, str(error), error.code, retryable=error.retryable)
    _log.error("unexpected error", error=type(error).__name__, exc_info=error)
    return Problem(500, messages.unexpected(), "internal", retryable=True)
