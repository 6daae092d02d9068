"""Rehearsals over HTTP: what a planned change would do to the coming week. Stores nothing; platform keys only."""

from typing import Any

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from mailcordon.adapters.http import rehearsed, waiting_caller
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.rehearsed import RehearsalView
from mailcordon.control.rehearsals import Rehearsals
from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.principal import READ
from mailcordon.messages import rehearsals as messages


class RehearsalBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A whole document of a change (docs/rehearse.md)."""

    document: dict[str, Any]


def routes(rehearsals: Rehearsals) -> list[HTTPRouteHandler]:
    @post(
        "/v1/rehearsals",
        summary="Say what a planned change would do to the coming week, played over last week's counters. Stores nothing",
        tags=["policy"],
        status_code=200,
    )
    async def rehearse(request: AnyRequest, data: JSONBody[RehearsalBody]) -> RehearsalView:
        platform_principal(request, READ)
        try:
            found = await waiting_caller.while_waiting(
                request.receive, rehearsals.play(data.document), messages.hung_up()
            )
        except Invalid as problem:
            raise Invalid(
                *(Fault(_path(one.field), one.problem, one.code) for one in problem.faults)
            ) from None
        return rehearsed.view(found)

    return [rehearse]


def _path(field: str) -> str:
    return field if field == "document" else f"document.{field}"
