"""The dashboard's cookies. No script can read one, and over TLS no other host can set one (`__Host-`, RFC 6265bis)."""

from dataclasses import dataclass

from litestar import Response
from litestar.datastructures import Cookie


@dataclass(frozen=True, slots=True)
class Cookies:
    """`is_secure`: people reach the dashboard over TLS."""

    is_secure: bool

    @property
    def session(self) -> str:
        """Has a session's token."""
        return self._name("mailcordon")

    @property
    def view(self) -> str:
        """Has the token of a tenant's view link."""
        return self._name("mailcordon-view")

    @property
    def form(self) -> str:
        """Has the random text by which a form is known before anybody is signed in."""
        return self._name("mailcordon-form")

    @property
    def oidc(self) -> str:
        """Has the random text by which a browser is known that comes back from the OpenID provider."""
        return self._name("mailcordon-oidc")

    def _name(self, name: str) -> str:
        return f"__Host-{name}" if self.is_secure else name

    def set(self, response: Response[str], name: str, value: str, *, seconds: int) -> None:
        """Lax: a link from a chat or from the OpenID provider arrives signed in, and another site's form does not."""
        response.set_cookie(
            Cookie(
                key=name,
                value=value,
                path="/",
                max_age=seconds,
                httponly=True,
                secure=self.is_secure,
                samesite="lax",
            )
        )

    def drop(self, response: Response[str], name: str) -> None:
        self.set(response, name, "", seconds=0)
