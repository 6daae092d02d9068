"""One lane: its state with every reason and the way out, its rates over time, and all that decides what leaves."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from mailcordon.adapters.dashboard import lane_charts as charts
from mailcordon.adapters.dashboard.pages import tenant
from mailcordon.adapters.dashboard.rest import Rest
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.adapters.dashboard.time_axis import Axis, By

#: Of the charts: minutes, and the size of each step.
WINDOWS: dict[str, tuple[int, By]] = {
    "24 h": (1440, "hour"),
    "14 d": (14 * 1440, "hour"),
    "90 d": (90 * 1440, "day"),
}


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get("/tenants/{slug:str}/lanes/{type_:str}")
    async def lane(request: PageRequest, slug: FromPath[str], type_: FromPath[str]) -> Response[str]:
        rest = site.rest(request)
        chosen = request.query_params.get("window", "")
        chosen = chosen if chosen in WINDOWS else "24 h"
        minutes, by = WINDOWS[chosen]
        one = {"tenant": slug, "type": type_}
        shown, over_time, rates, by_provider = await asyncio.gather(
            rest.get("/v1/tenants/{}/lanes/{}", slug, type_),
            rest.found("/v1/metrics", by=by, minutes=minutes, **one),
            rest.found("/v1/metrics", by="lane", minutes=minutes, **one),
            rest.found("/v1/metrics", by="provider", minutes=minutes, **one),
        )
        parts = await _parts(rest, slug, type_)
        line = rates["items"][0] if rates and rates["items"] else None
        objectives: list[dict[str, Any]] = shown["objectives"] or []
        drawn = _charts(over_time, minutes, by, line, objectives)
        return tenant.page(
            site,
            request,
            "lanes/lane.html",
            {"slug": slug, "lanes": [shown]},
            "lane",
            title=f"{slug}/{type_}",
            lane=shown,
            lane_type=type_,
            window=chosen,
            windows=list(WINDOWS),
            line=line,
            by_provider=[] if by_provider is None else by_provider["items"],
            charts=drawn,
            objectives=objectives,
            lane_limits=tenant.fullest_first(parts["limits"] or ()),
            reasons=tenant.reasons(request, [shown]),
            halts=tenant.halts([shown]),
            # These are of the whole tenant: what is another lane's is left out.
            lane_warm_ups=[
                one for one in parts["warm_ups"] or () if one["domain"] == shown["route"]["domain"]
            ],
            lane_paths=next((one["paths"] for one in parts["paths"] or () if one["type"] == type_), None),
            lane_rollouts=[one for one in parts["rollouts"] or () if type_ in one["types"]],
            lane_incidents=[one for one in parts["incidents"] or () if one["type"] in (None, type_)],
            **parts,
        )

    return [lane]


async def _parts(rest: Rest, slug: str, type_: str) -> dict[str, Any]:
    """What else is known of the lane. None: the API does not show it to this person."""
    one = {"tenant": slug, "type": type_}
    names = (
        "stops",
        "limits",
        "breaker",
        "decisions",
        "releases",
        "warm_ups",
        "paths",
        "rollouts",
        "incidents",
        "mails",
    )
    answers = await asyncio.gather(
        rest.found("/v1/stops", tenant=slug, open=True),
        rest.found("/v1/limits", limit=100, **one),
        rest.found("/v1/breaker/lanes", limit=1, **one),
        rest.found("/v1/breaker/decisions", limit=5, **one),
        rest.found("/v1/releases", limit=5, **one),
        rest.found("/v1/warm-ups", tenant=slug),
        rest.found("/v1/paths", tenant=slug),
        rest.found("/v1/rollouts", tenant=slug, limit=20),
        rest.found("/v1/incidents", tenant=slug, limit=20),
        rest.found("/v1/messages", limit=10, **one),
    )
    return {
        name: None if answer is None else answer["items"] for name, answer in zip(names, answers, strict=True)
    }


def _charts(
    over_time: dict[str, Any] | None,
    minutes: int,
    by: By,
    line: dict[str, Any] | None,
    objectives: list[dict[str, Any]],
) -> list[charts.Drawn]:
    if over_time is None:
        return []
    now = datetime.now(UTC).timestamp()
    axis = Axis.around(now - 60 * minutes, now, by)
    sent: dict[int, float | None] = {}
    shares: dict[str, dict[int, float | None]] = {"bounces": {}, "complaints": {}}
    for item in over_time["items"]:
        at = axis.at(item)
        sent[at] = item["sent"]
        for name, values in shares.items():
            values[at] = item["rates"][name]["rate"]
    drawn = [
        charts.bars(
            "Mails sent", axis, charts.Series("sent", "sent", [sent.get(at, 0) for at in axis.starts])
        )
    ]
    for name, label in (("bounces", "Hard bounces"), ("complaints", "Complaints")):
        levels: list[charts.Level] = []
        usual = line["rates"][name]["usual"] if line else None
        if usual is not None:
            levels.append(charts.Level("usual", "usual", usual))
        most = next(
            (one["allowed_share"] for one in objectives if one["goal"] == name and one["provider"] is None),
            None,
        )
        if most is not None:
            levels.append(charts.Level("at most", "most", most))
        series = charts.Series(label.lower(), name, [shares[name].get(at) for at in axis.starts])
        drawn.append(charts.shares(f"{label}, of the mail whose feedback has come", axis, [series], levels))
    return drawn
