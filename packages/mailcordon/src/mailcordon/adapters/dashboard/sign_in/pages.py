"""The pages with which people sign in and out, and the address of tenants' view links."""

import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import structlog
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from mailcordon.adapters.dashboard.application import NO_SESSION, OPEN
from mailcordon.adapters.dashboard.rest import Problem
from mailcordon.adapters.dashboard.sign_in import people
from mailcordon.adapters.dashboard.sign_in.cookies import Cookies
from mailcordon.adapters.dashboard.sign_in.next_page import FIRST, own_path
from mailcordon.adapters.dashboard.site import CSRF, PageRequest, Site, form
from mailcordon.control.people import tokens
from mailcordon.control.people.sessions import PENDING_SECONDS, Sessions, Started
from mailcordon.control.people.view_links import LONGEST, ViewLinks
from mailcordon.core.errors import Forbidden, NotFound, Unauthorised, Unavailable
from mailcordon.door.client_address import counted_as
from mailcordon.door.failed_logins import FailedLogins
from mailcordon.messages import sign_in as messages

if TYPE_CHECKING:
    from mailcordon.adapters.dashboard.sign_in.provider import Provider

_FORM_SECONDS = 3600
_COOKIE_SECONDS = 7 * 86_400  #: longer than any session: the server ends them

SIGNED_OUT = "signed-out"

T = TypeVar("T")

_log = structlog.get_logger("mailcordon.dashboard")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    sessions: Sessions
    view_links: ViewLinks
    cookies: Cookies
    provider: "Provider | None"  #: None: people sign in by links only
    #: By client address, of this process: guesses at tokens, and ways to the OpenID provider that did not come back.
    guesses: FailedLogins = field(default_factory=FailedLogins)
    departures: FailedLogins = field(default_factory=FailedLogins)


def routes(site: Site, sign_in: SignIn) -> list[HTTPRouteHandler]:
    return [*_pages(site, sign_in), *_links(site, sign_in), *_oidc(site, sign_in), *_views(sign_in)]


def _pages(site: Site, sign_in: SignIn) -> list[HTTPRouteHandler]:
    @get("/sign-in", opt={OPEN: True})
    async def page(request: PageRequest) -> Response[str]:
        target = own_path(request.query_params.get("next", ""))
        return site.page(
            request,
            "sign_in/page.html",
            title="Sign in",
            oidc=None if sign_in.provider is None else f"/sign-in/oidc?next={quote(target, safe='')}",
            sign_out="/sign-out/provider" if request.query_params.get("did") == SIGNED_OUT else None,
            next=target,
        )

    @post("/sign-out", status_code=303)
    async def sign_out(request: PageRequest) -> Redirect:
        cookies = sign_in.cookies
        await sign_in.sessions.sign_out(request.cookies.get(cookies.session, ""))
        response = site.done("/sign-in", SIGNED_OUT)
        cookies.drop(response, cookies.session)
        cookies.drop(response, cookies.view)
        return response

    return [page, sign_out]


def _links(site: Site, sign_in: SignIn) -> list[HTTPRouteHandler]:
    cookies = sign_in.cookies

    def asked(request: PageRequest, *, wrong: str = "", status_code: int = 200) -> Response[str]:
        secret = secrets.token_urlsafe(32)
        response = site.page(
            request,
            "sign_in/link.html",
            title="Sign in",
            form_token=tokens.derived(secret, CSRF),
            wrong=wrong,
            status_code=status_code,
        )
        cookies.set(response, cookies.form, secret, seconds=_FORM_SECONDS)
        return response

    @get("/sign-in/link/{token:str}", opt={OPEN: True})
    async def link(request: PageRequest, token: FromPath[str]) -> Response[str]:
        """Only shows a button, the same for every token: programs that look at links in chats and mails use none up."""
        return asked(request)

    @post("/sign-in/link/{token:str}", opt={NO_SESSION: True}, status_code=303)
    async def use_link(request: PageRequest, token: FromPath[str]) -> Response[str]:
        secret = request.cookies.get(cookies.form, "")
        given = (await form(request)).get(CSRF, "")
        if not secret or not tokens.is_same(tokens.derived(secret, CSRF), given):
            raise Problem(403, messages.form_refused(), "csrf")
        started = await _attempt(request, sign_in, lambda: sign_in.sessions.start_by_link(token))
        if isinstance(started, Unauthorised):
            return asked(request, wrong=str(started), status_code=401)
        return await _signed_in(request, sign_in, started, FIRST)

    return [link, use_link]


def _oidc(site: Site, sign_in: SignIn) -> list[HTTPRouteHandler]:
    found = sign_in.provider
    if found is None:
        return []
    cookies, sessions = sign_in.cookies, sign_in.sessions

    @get("/sign-in/oidc", opt={OPEN: True})
    async def set_out(request: PageRequest) -> Response[str]:
        target = own_path(request.query_params.get("next", ""))
        # A redirect to the provider cannot follow a form: the content security policy would stop it. So this is a link, and a
        # link on another site leads to our own page with the button.
        if request.headers.get("sec-fetch-site") not in (None, "same-origin", "none"):
            return Redirect(f"/sign-in?next={quote(target, safe='')}", status_code=303)
        address = _address(request)
        _wait(sign_in.departures, address)
        sign_in.departures.fail(address, time.monotonic())
        browser, state = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        url = await _answered(
            found.authorization_url(
                state=state, nonce=_nonce(browser, state), verifier=_verifier(browser, state)
            )
        )
        await sessions.set_out(state, browser, target)
        response = Redirect(url, status_code=303)
        cookies.set(response, cookies.oidc, browser, seconds=PENDING_SECONDS)
        return response

    @get("/sign-in/oidc/callback", opt={OPEN: True})
    async def callback(request: PageRequest) -> Response[str]:
        query = request.query_params
        browser, state = request.cookies.get(cookies.oidc, ""), query.get("state", "")
        target = await _attempt(request, sign_in, lambda: sessions.come_back(state, browser))
        if isinstance(target, Unauthorised):
            raise Problem(401, str(target), target.code)
        if "code" not in query:
            error = query.get("error", "")
            shown = error if found.is_error_code(error) else "it gave no reason"
            raise Problem(403, messages.provider_refused(shown), "provider-refused")
        claims = await _answered(
            found.claims(
                query["code"],
                nonce=_nonce(browser, state),
                verifier=_verifier(browser, state),
                issuer=query.get("iss"),
            )
        )
        try:
            person = people.person_of(claims, found.settings)
        except Forbidden as problem:
            _log.warning("somebody was not let in", code=problem.code, problem=str(problem))
            raise Problem(403, str(problem), problem.code) from None
        sign_in.departures.succeed(_address(request))
        response = await _signed_in(request, sign_in, await sessions.start(person), own_path(target))
        cookies.drop(response, cookies.oidc)
        return response

    @get("/sign-out/provider", opt={OPEN: True})
    async def leave(request: PageRequest) -> Response[str]:
        # By a link, not after the form: only who wants it is signed out of all else there. Another site must not do it for them.
        if request.headers.get("sec-fetch-site") not in (None, "same-origin", "none"):
            return Redirect("/sign-in", status_code=303)
        address = _address(request)
        _wait(sign_in.departures, address)
        try:
            url = await _answered(found.sign_out_url(found.home))
        except NotFound as problem:
            raise Problem(404, str(problem), problem.code) from None
        return Redirect(url, status_code=303)

    return [set_out, callback, leave]


def _views(sign_in: SignIn) -> list[HTTPRouteHandler]:
    cookies = sign_in.cookies

    @get("/view/{token:str}", opt={OPEN: True})
    async def view(request: PageRequest, token: FromPath[str]) -> Response[str]:
        """The token goes into a cookie, so that no address that is copied from a page has it."""
        found = await _attempt(request, sign_in, lambda: sign_in.view_links.principal(token, opened=True))
        if isinstance(found, Unauthorised):
            raise Problem(401, str(found), found.code)
        response = Redirect(f"/tenants/{quote(found.tenant_slug or '', safe='')}", status_code=303)
        cookies.set(response, cookies.view, token, seconds=int(LONGEST.total_seconds()))
        return response

    return [view]


def _verifier(browser: str, state: str) -> str:
    """RFC 7636 4.1. Only the browser's cookie and the state together give it, so nothing of it is stored."""
    return tokens.derived(browser, f"pkce {state}")


def _nonce(browser: str, state: str) -> str:
    return tokens.derived(browser, f"nonce {state}")


def _address(request: PageRequest) -> str:
    return counted_as(request.client.host if request.client else "")


def _wait(failures: FailedLogins, address: str) -> None:
    """Raises Problem if the address has to wait."""
    seconds = failures.wait(address, time.monotonic())
    if seconds > 0:
        raise Problem(429, messages.too_many_attempts(int(seconds) + 1), "too-many-attempts", retryable=True)


async def _attempt(
    request: PageRequest, sign_in: SignIn, trying: Callable[[], Awaitable[T]]
) -> T | Unauthorised:
    """What `trying` returns, or the Unauthorised that it raises: a guess, of which an address has a few. Raises Problem."""
    address = _address(request)
    _wait(sign_in.guesses, address)
    try:
        return await trying()
    except Unauthorised as problem:
        sign_in.guesses.fail(address, time.monotonic())
        return problem
    except Forbidden as problem:
        sign_in.guesses.fail(address, time.monotonic())
        raise Problem(403, str(problem), problem.code) from None


async def _answered(asking: Awaitable[T]) -> T:
    """What the OpenID provider says. Raises Problem."""
    try:
        return await asking
    except (Forbidden, Unavailable) as problem:
        _log.warning("the sign-in service did not let somebody in", code=problem.code, problem=str(problem))
        status = 503 if problem.retryable else 403
        raise Problem(status, str(problem), problem.code, retryable=problem.retryable) from None


async def _signed_in(request: PageRequest, sign_in: SignIn, started: Started, target: str) -> Response[str]:
    """A new session under a new token. The one that this browser had ends: whoever knew its token gets nothing."""
    cookies = sign_in.cookies
    former = request.cookies.get(cookies.session, "")
    await sign_in.sessions.sign_out(former)
    response = Redirect(target, status_code=303)
    cookies.set(response, cookies.session, started.token, seconds=_COOKIE_SECONDS)
    cookies.drop(response, cookies.form)
    return response
