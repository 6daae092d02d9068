"""Who looks at the dashboard."""

import hmac
from dataclasses import dataclass
from typing import Protocol

from mailcordon.core.principal import ADMIN, OPERATE, Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who has signed in."""

    principal: Principal
    csrf: str  #: the token that each of this session's forms carries

    @property
    def name(self) -> str:
        return self.principal.holder

    @property
    def role(self) -> str:
        """`admin`, `operator`, `viewer`, or `tenant`: sees one tenant only."""
        if not self.principal.is_platform:
            return "tenant"
        if self.may_administer:
            return "admin"
        return "operator" if self.may_operate else "viewer"

    @property
    def may_operate(self) -> bool:
        return self.principal.is_platform and OPERATE in self.principal.scopes

    @property
    def may_administer(self) -> bool:
        return self.principal.is_platform and ADMIN in self.principal.scopes

    def owns(self, csrf: str) -> bool:
        """Whether a form with this token was made for this session."""
        return hmac.compare_digest(self.csrf.encode(), csrf.encode("utf-8", "replace"))


class Visitors(Protocol):
    async def visitor(self, cookies: dict[str, str]) -> Visitor | None:
        """Who has the session of these cookies; None: nobody is signed in, or the session has ended."""
        ...
