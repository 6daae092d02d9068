"""Who looks, by the cookies of a request."""

from mailcordon.adapters.dashboard.sign_in.cookies import Cookies
from mailcordon.adapters.dashboard.visitor import Visitor
from mailcordon.control.people import tokens
from mailcordon.control.people.sessions import Sessions
from mailcordon.control.people.view_links import ViewLinks
from mailcordon.core.errors import Unauthorised

CSRF = "csrf"  #: what the token of a form is derived for


class SignedIn:
    """A person's session comes before a tenant's view link: nobody is signed out by a link that they follow."""

    def __init__(self, sessions: Sessions, view_links: ViewLinks, cookies: Cookies) -> None:
        self._sessions = sessions
        self._view_links = view_links
        self._cookies = cookies

    async def visitor(self, cookies: dict[str, str]) -> Visitor | None:
        token = cookies.get(self._cookies.session)
        if token:
            try:
                principal = await self._sessions.principal(token)
                return Visitor(principal=principal, csrf=tokens.derived(token, CSRF))
            except Unauthorised:
                pass
        token = cookies.get(self._cookies.view)
        if token:
            try:
                principal = await self._view_links.principal(token)
                return Visitor(principal=principal, csrf=tokens.derived(token, CSRF))
            except Unauthorised:
                pass
        return None
