"""Plans of what changes at SES: each with its steps, its calls to SES, and what became of them; applying and rejecting one."""

from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.links import link
from mailcordon.adapters.dashboard.pages import blocks, plan_decisions
from mailcordon.adapters.dashboard.pages.actions import Table
from mailcordon.adapters.dashboard.pages.blocks import Button, Filter, Page, Section
from mailcordon.adapters.dashboard.pages.plan_decisions import Plans
from mailcordon.adapters.dashboard.pages.ses_tabs import page
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.messages import ses_pages as messages

PATH = "/ses/plans"
_STATES = ("proposed", "applying", "applied", "rejected", "outdated")
_SIGNS = {"create": "+", "delete": "-", "update": "~"}
_TONES = {
    "applied": "good",
    "done": "good",
    "needless": "",
    "failed": "bad",
    "proposed": "slow",
    "applying": "slow",
    "pending": "slow",
}


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get(PATH)
    async def plans(request: PageRequest) -> Response[str]:
        state = request.query_params.get("state", "")
        found = await site.rest(request).get(
            "/v1/plans", state=state or None, after=request.query_params.get("after"), limit=50
        )
        return blocks.shown(site, request, "ses", _plans(found, state))

    @get(PATH + "/{number:int}")
    async def plan(request: PageRequest) -> Response[str]:
        found = await site.rest(request).get("/v1/plans/{}", request.path_params["number"])
        return blocks.shown(site, request, "ses", _plan(found))

    @get(PATH + "/{number:int}/calls")
    async def calls(request: PageRequest) -> Response[str]:
        number = request.path_params["number"]
        found = await site.rest(request).get(
            "/v1/plans/{}/calls", number, after=request.query_params.get("after"), limit=200
        )
        return blocks.shown(site, request, "ses", _calls_page(number, found))

    @get(PATH + "/{number:int}/steps")
    async def steps(request: PageRequest) -> Response[str]:
        number = request.path_params["number"]
        found = await site.rest(request).get(
            "/v1/plans/{}/steps", number, after=request.query_params.get("after"), limit=200
        )
        return blocks.shown(site, request, "ses", _steps_page(number, found))

    return [
        plans,
        plan,
        calls,
        steps,
        *plan_decisions.routes(site, _DECIDED),
    ]


def _plans(found: Any, state: str) -> Page:
    return page(
        "plans",
        "Plans",
        filters=[
            Filter(
                name="state",
                label="State",
                value=state,
                options=[("", "Any state"), *((one, one) for one in _STATES)],
            )
        ],
        sections=[
            Section(
                heads=("Plan", "State", "Why", "Made", "By", "Calls"),
                rows=[
                    [
                        blocks.text(f"Plan {one['id']}", href=f"{PATH}/{one['id']}"),
                        blocks.tone(one["state"], _TONES.get(one["state"], "")),
                        blocks.text(one["because"] or one["decided_because"]),
                        blocks.ago(one["made_at"]),
                        blocks.text(one["made_by"]),
                        blocks.text(_counts(one["counts"])),
                    ]
                    for one in found["items"]
                ],
                empty="No plan is in this state." if state else "No plan was made yet.",
                more=link(PATH, state=state, after=found["next"]) if found["next"] else "",
                command="mailcordon plans list",
            )
        ],
    )


def _counts(counts: Any) -> str:
    return ", ".join(f"{number:,} {state}" for state, number in counts.items())


def _plan(one: Any) -> Page:
    number = one["id"]
    waits = sum(1 for call in one["calls"] if call["waits"])
    sections = [
        Section(
            facts=[
                ("State", blocks.tone(one["state"], _TONES.get(one["state"], ""))),
                ("Why", blocks.text(one["because"] or "–")),
                ("Made", blocks.clock(one["made_at"])),
                ("By", blocks.text(f"{one['made_by']} ({one['source']})")),
                *(
                    [
                        ("Decided", blocks.clock(one["decided_at"])),
                        ("By whom", blocks.text(one["decided_by"], note=one["decided_because"] or "")),
                    ]
                    if one["decided_at"]
                    else []
                ),
                ("Ended", blocks.clock(one["ended_at"])),
                ("Calls", blocks.text(_counts(one["counts"]) or "none")),
                ("Takes about", blocks.duration(one["seconds"])),
                ("Tenants", blocks.text(", ".join(one["tenants"]) + _left(one["tenants_left_off"]))),
            ]
        ),
        Section(heading="Notes", says=one["notes"]) if one["notes"] else Section(),
        Section(
            heading="What changes on the platform",
            diff=[(_sign(step["kind"]), step["says"]) for step in one["steps"]],
            says=[] if one["steps"] else ["Nothing: it only makes SES as it is desired."],
            buttons=[Button(f"{PATH}/{number}/steps", f"All steps ({one['steps_left_off']:,} more)")]
            if one["steps_left_off"]
            else (),
        ),
        _calls_section(
            one["calls"],
            buttons=[Button(f"{PATH}/{number}/calls", f"All calls ({one['calls_left_off']:,} more)")]
            if one["calls_left_off"] > 0
            else (),
        ),
        Section(command=f"mailcordon plans show {number}"),
    ]
    is_undecided = one["state"] == "proposed" or (waits and one["state"] == "applying")
    return page(
        "plans",
        f"Plan {number}",
        crumbs=[(PATH, "Plans")],
        sentence=messages.plan_waits(waits) if waits and one["state"] in ("proposed", "applying") else "",
        tone="slow",
        sections=[each for each in sections if each != Section()],
        buttons=plan_decisions.buttons(_DECIDED, number) if is_undecided else (),
    )


def _left(number: int) -> str:
    return f" and {number:,} more" if number else ""


def _sign(kind: str) -> str:
    return "+" if kind.startswith("add") else "-" if kind.startswith(("retire", "drop", "remove")) else "~"


def _calls_section(calls: Any, *, more: str = "", buttons: Any = ()) -> Section:
    return Section(
        heading="Calls to SES",
        heads=("Call", "Tenant", "Why", "State", "When"),
        rows=[
            [
                blocks.code(f"{_SIGNS.get(one['action'], '~')} {one['says']}"),
                blocks.tenant(one["tenant"]) if one["tenant"] else blocks.text("all tenants"),
                blocks.text(one["why"], note=one["waits"] or ""),
                blocks.Cell("tone", one["state"], note=_TONES.get(one["state"], "")),
                blocks.text(one["outcome"]) if one["outcome"] else blocks.ago(one["at"]),
            ]
            for one in calls
        ],
        empty="It makes no call.",
        more=more,
        buttons=buttons,
    )


def _calls_page(number: int, found: Any) -> Page:
    more = link(f"{PATH}/{number}/calls", after=found["next"]) if found["next"] else ""
    return page(
        "plans",
        f"Calls of plan {number}",
        crumbs=[(PATH, "Plans"), (f"{PATH}/{number}", f"Plan {number}")],
        sections=[_calls_section(found["items"], more=more)],
    )


def _steps_page(number: int, found: Any) -> Page:
    return page(
        "plans",
        f"Steps of plan {number}",
        crumbs=[(PATH, "Plans"), (f"{PATH}/{number}", f"Plan {number}")],
        sections=[
            Section(
                diff=[(_sign(one["kind"]), one["says"]) for one in found["items"]],
                more=link(f"{PATH}/{number}/steps", after=found["next"]) if found["next"] else "",
            )
        ],
    )


def _does(one: Any) -> list[str]:
    return [
        messages.plan_does(one["actions"], len(one["tenants"]) + one["tenants_left_off"]),
        *one["notes"],
    ]


def _tables(one: Any) -> list[Table]:
    calls = [(each["says"], each["tenant"] or "all tenants", each["why"]) for each in one["calls"][:100]]
    steps = [(each["says"], each["tenant"] or "all tenants") for each in one["steps"][:100]]
    tables = [Table(heads=("Step", "Tenant"), rows=steps)] if steps else []
    return [*tables, *([Table(heads=("Call", "Tenant", "Why"), rows=calls)] if calls else [])]


_DECIDED = Plans(
    section="ses",
    path=PATH,
    api="/v1/plans",
    name="plan {}",
    command="mailcordon apply {}",
    reject_command="mailcordon plans reject {}",
    says=_does,
    not_applied=messages.plan_not_applied(),
    warnings=lambda one: sorted({each["waits"] for each in one["calls"] if each["waits"]}),
    tables=_tables,
)
