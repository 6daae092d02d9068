"""Sign-in with an API key. Sessions are in memory: they end with the process."""

import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from mailcordon.adapters.dashboard.application import NO_SESSION, OPEN
from mailcordon.adapters.dashboard.site import PageRequest, Site, form
from mailcordon.adapters.dashboard.visitor import Visitor
from mailcordon.core.errors import Forbidden, MailcordonError, Unauthorised
from mailcordon.core.principal import READ, Principal
from mailcordon.messages import dashboard as messages

COOKIE = "mailcordon"
_MOST = 1000  #: sessions of one process; the oldest ends
_SECONDS = 12 * 3600.0

Authenticate = Callable[[str | None], Awaitable[Principal]]


@dataclass(frozen=True, slots=True)
class _Session:
    authorization: str
    csrf: str
    until: float


class KeySessions:
    def __init__(self, authenticate: Authenticate) -> None:
        self._authenticate = authenticate
        self._sessions: dict[str, _Session] = {}

    async def visitor(self, cookies: dict[str, str]) -> Visitor | None:
        session = self._sessions.get(cookies.get(COOKIE, ""))
        if session is None or session.until < time.monotonic():
            return None
        try:
            principal = await self._authenticate(session.authorization)
        except Unauthorised:
            return None
        return Visitor(principal=principal, csrf=session.csrf)

    async def open(self, key: str) -> str:
        """A new session's token. Raises Unauthorised or Forbidden."""
        principal = await self._authenticate(f"Bearer {key}")
        principal.require(READ)
        if len(self._sessions) >= _MOST:
            self._sessions.pop(next(iter(self._sessions)))
        token = secrets.token_urlsafe(32)
        self._sessions[token] = _Session(
            f"Bearer {key}", secrets.token_urlsafe(32), time.monotonic() + _SECONDS
        )
        return token

    def close(self, token: str) -> None:
        self._sessions.pop(token, None)


def routes(site: Site, sessions: KeySessions) -> list[HTTPRouteHandler]:
    @get("/sign-in", opt={OPEN: True})
    async def sign_in_page(request: PageRequest) -> Response[str]:
        target = _own_path(request.query_params.get("next", ""))
        return site.page(request, "sign_in.html", title="Sign in", next=target, wrong="")

    @post("/sign-in", opt={NO_SESSION: True})
    async def sign_in(request: PageRequest) -> Response[str] | Redirect:
        fields = await form(request)
        target = _own_path(fields.get("next", ""))
        try:
            token = await sessions.open(fields.get("key", "").strip())
        except (Unauthorised, Forbidden):
            return site.page(
                request,
                "sign_in.html",
                title="Sign in",
                status_code=401,
                next=target,
                wrong=messages.key_not_taken(),
            )
        except MailcordonError:
            raise
        cookie = Cookie(
            key=COOKIE, value=token, httponly=True, samesite="lax", secure=site.is_secure, path="/"
        )
        return Redirect(target, status_code=303, cookies=[cookie])

    @post("/sign-out")
    async def sign_out(request: PageRequest) -> Redirect:
        sessions.close(request.cookies.get(COOKIE, ""))
        return Redirect(
            "/sign-in?did=signed-out", status_code=303, cookies=[Cookie(key=COOKIE, value="", max_age=0)]
        )

    return [sign_in_page, sign_in, sign_out]


def _own_path(target: str) -> str:
    """A path of ours: where to go after the sign-in. Anything else becomes the first page."""
    if target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable():
        return target
    return "/now"
