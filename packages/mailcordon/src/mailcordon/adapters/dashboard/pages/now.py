"""Now: what is wrong, what is held, what waits, the account, and all lanes at a glance. Live for people of the platform."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from mailcordon.adapters.dashboard import treemap
from mailcordon.adapters.dashboard.live import Figures, Live
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import PageRequest, Site, visitor_of
from mailcordon.adapters.dashboard.visitor import Visitors
from mailcordon.core.principal import READ, Principal
from mailcordon.messages import dashboard as messages

PIECES = ("sentence", "incidents", "kept", "waiting", "account", "map")
_LANES = 200  #: of the map
#: Between two reads of the status, of the account and of the map, unless an incident, hold or stop changed.
_STATUS_SECONDS, _ACCOUNT_SECONDS, _MAP_SECONDS = 6.0, 15.0, 30.0
_HOLDS, _INCIDENTS = 50, 50
_STATUS = "/v1/status"
#: Of the map, wide and narrow: the width and height that its cells are laid out in.
_SIZES = {"wide": (1200.0, 300.0), "tall": (360.0, 420.0)}
_LEAST_OPEN, _LEAST_OTHER = 0.0006, 0.006  #: of the map's area, so that each lane can be seen and clicked
_CHARACTER = 7.4  #: width of one in a label
_SORTS = ("attention", "volume", "bounces", "complaints", "name")
_CHOICES = ("state", "class", "tenant", "sort")

#: Reads what all people of the platform see. It is nobody's, and may only read.
READER = Principal(
    key_id=0,
    prefix="live",
    name="dashboard",
    holder="live figures",
    tenant_id=None,
    tenant_slug=None,
    scopes=frozenset({READ}),
)


def live(site: Site, stop: asyncio.Event) -> Live:
    return Live(_Reader(Rest(site.calls, READER)), _renderer(site), stop)


class _Reader:
    """All figures of the page."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._slow: dict[str, tuple[float, Any]] = {}  #: what was read, and when
        self._seen: tuple[Any, Any] = None, None  #: what is held, and what else is wrong

    async def __call__(self) -> Figures:
        """What is wrong and what is held is read each time. What costs more at many lanes is read again once that changed: all
        of it if something else is held, the status alone if only an incident says something else, as it may each second."""
        rest = self._rest
        incidents, holds, stops = await asyncio.gather(
            rest.get("/v1/incidents", open=True, limit=_INCIDENTS),
            rest.get("/v1/holds", open=True, limit=_HOLDS),
            rest.get("/v1/stops", open=True, limit=_HOLDS),
        )
        held = [[one["id"] for one in each["items"]] for each in (holds, stops)]
        wrong = [
            (one["id"], one["severity"], one["detail"], one["mitigated_at"]) for one in incidents["items"]
        ]
        if held != self._seen[0]:
            self._slow = {}
        elif wrong != self._seen[1]:
            self._slow.pop(_STATUS, None)
        self._seen = held, wrong
        status, account, lanes = await asyncio.gather(
            self._at_most(_STATUS, _STATUS_SECONDS),
            self._at_most("/v1/account", _ACCOUNT_SECONDS),
            self._at_most("/v1/lanes/map", _MAP_SECONDS, limit=_LANES),
        )
        return {
            "sentence": {"text": status["sentence"], "tone": tone(status, holds, stops)},
            "incidents": status["incidents"],
            "kept": {
                "holds": holds["items"],
                "more_holds": holds["next"] is not None,
                "stops": [_without(one, "last_seen", "hits", "probes") for one in stops["items"]],
            },
            "waiting": [_without(one, "seconds") for one in status["waiting"]],
            "account": {
                "limits": [_without(one, "polled_at") for one in account["limits"]],
                "forecast": account["forecast"],
                "review": account["review"],
            },
            "map": lanes,
        }

    async def _at_most(self, path: str, seconds: float, **query: Any) -> Any:
        """What the API answered so many seconds ago at most."""
        now = asyncio.get_running_loop().time()
        read_at, found = self._slow.get(path, (float("-inf"), None))
        if now - read_at > seconds:
            found = await self._rest.get(path, **query)
            self._slow[path] = now, found
        return found


def routes(site: Site, visitors: Visitors, figures: Live) -> list[HTTPRouteHandler]:
    @get("/now")
    async def now(request: PageRequest) -> Response[str]:
        _platform(request)
        found = dict(await figures.figures())
        chosen = {name: request.query_params.get(name, "") for name in _CHOICES}
        filtered = {name: value for name, value in chosen.items() if value}
        if filtered:
            found["map"] = await site.rest(request).get(
                "/v1/lanes/map", limit=_LANES, **{_parameter(name): value for name, value in filtered.items()}
            )
        return site.page(
            request,
            "now/page.html",
            title="Now",
            section="now",
            pieces={name: _shown(name, value) for name, value in found.items()},
            chosen=chosen,
            filtered=bool(filtered),
            sorts=_SORTS,
            known=figures.known,
        )

    @get("/now/live")
    async def watch(request: PageRequest) -> Stream:
        """Server-sent events with the pieces that changed."""
        _platform(request)
        cookies = dict(request.cookies)

        async def may_read() -> bool:
            visitor = await visitors.visitor(cookies)
            return visitor is not None and visitor.principal.is_platform and READ in visitor.principal.scopes

        known = frozenset(request.query_params.get("known", "").split(","))
        events = figures.stream(may_read, known)
        first = await anext(events)  # refuses before the answer begins
        return Stream(
            _chain(first, events), media_type="text/event-stream", headers={"x-accel-buffering": "no"}
        )

    return [now, watch]


async def _chain(first: str, events: AsyncGenerator[str]) -> AsyncGenerator[str]:
    try:
        yield first
        async for event in events:
            yield event
    finally:
        await events.aclose()


def _platform(request: PageRequest) -> None:
    principal = visitor_of(request).principal
    if not principal.is_platform or READ not in principal.scopes:
        raise Problem(404, messages.no_such_page(), "not-found")


def tone(status: Mapping[str, Any], holds: Mapping[str, Any], stops: Mapping[str, Any]) -> str:
    """`bad`: something does harm. `slow`: something is held or over. `good`: neither."""
    if not status["ok"] or stops["items"] or any(not one["mitigated"] for one in status["incidents"]):
        return "bad"
    return "slow" if status["incidents"] or holds["items"] else "good"


def _renderer(site: Site) -> Any:
    def render(name: str, value: Any) -> str:
        return site.templates.render(
            "now/piece.html", {"name": name, "piece": _shown(name, value), "swap": True}
        )

    return render


def _shown(name: str, value: Any) -> Any:
    """What the template of a piece needs."""
    return {**value, "layouts": layouts(value["items"])} if name == "map" else value


def layouts(lanes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cells of the map, for a wide screen and for a narrow one."""
    total = sum(one["sent"] for one in lanes) or 1
    weights = [
        max(one["sent"] / total, _LEAST_OPEN if one["state"] == "open" else _LEAST_OTHER) for one in lanes
    ]
    return [
        {
            "name": name,
            "width": width,
            "height": height,
            "cells": [
                _cell(lane, cell)
                for lane, cell in zip(lanes, treemap.squarified(weights, width, height), strict=True)
            ],
        }
        for name, (width, height) in _SIZES.items()
    ]


def _cell(lane: dict[str, Any], cell: treemap.Cell) -> dict[str, Any]:
    fits = int((cell.width - 10) / _CHARACTER)
    labels = (lane["tenant"], lane["type"]) if cell.height >= 34 else (lane["tenant"],)
    if fits < 3 or cell.height < 18:
        labels = ()
    return {
        **lane,
        "x": round(cell.x + 0.5, 1),
        "y": round(cell.y + 0.5, 1),
        "width": round(max(cell.width - 1, 0.5), 1),
        "height": round(max(cell.height - 1, 0.5), 1),
        "marked": cell.width >= 14 and cell.height >= 14,
        "labels": [label if len(label) <= fits else f"{label[: fits - 1]}…" for label in labels],
    }


def _parameter(name: str) -> str:
    return "class_" if name == "class" else name


def _without(found: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in names}
