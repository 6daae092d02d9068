"""Puts the principal of each request into `request.state`, and checks what it may do.

It is the bearer key's, or for a call within this process the one that the caller names (in_process.py).
"""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from litestar import Request

from mailcordon.control.key_cache import KeyCache
from mailcordon.core.errors import Unauthorised
from mailcordon.core.principal import Principal
from mailcordon.messages import keys

AnyRequest = Request[Any, Any, Any]

#: In the scope of a call within this process: who makes it. A server makes its scopes itself, so no request from outside has it.
PRINCIPAL = "mailcordon.principal"


def before_request(cache: KeyCache) -> Callable[[AnyRequest], Awaitable[None]]:
    """A Litestar hook that looks up the key and sets `request.state.principal`. Handlers with opt `open=True` need no key."""

    async def authenticate(request: AnyRequest) -> None:
        if not request.route_handler.opt.get("open"):
            named = cast("dict[str, Any]", request.scope).get(PRINCIPAL)
            if named is not None:
                request.state.principal = named
                return
            principal = await cache.authenticate(request.headers.get("authorization"))
            principal.require_network(request.client.host if request.client else "")
            request.state.principal = principal

    return authenticate


def principal_of(request: AnyRequest) -> Principal:
    """The principal that `before_request` found. Raises Unauthorised if the hook is missing, so that nobody gets in."""
    principal = getattr(request.state, "principal", None)
    if not isinstance(principal, Principal):
        raise Unauthorised(keys.key_missing())
    return principal


def platform_principal(request: AnyRequest, scope: str) -> Principal:
    """For what belongs to the platform. Raises Forbidden for a tenant's key, or without the scope."""
    principal = principal_of(request)
    principal.require_platform()
    principal.require(scope)
    return principal
