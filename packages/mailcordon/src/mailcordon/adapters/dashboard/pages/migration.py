"""Migration: rollouts from a shared path to an own one, freezes, the split of the suppression list, and advice for the fleet."""

import asyncio
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import blocks, migration_actions, split_forms
from mailcordon.adapters.dashboard.pages.actions import link
from mailcordon.adapters.dashboard.pages.blocks import Button, Cell, Filter, Page, Section
from mailcordon.adapters.dashboard.rest import Problem
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.messages import advice as advice_messages
from mailcordon.messages import migration_pages as messages

PATH = "/migration"
_TABS = (
    ("rollouts", PATH, "Rollouts"),
    ("paths", PATH + "/paths", "Paths"),
    ("split", PATH + "/suppression-split", "Suppression split"),
    ("advice", PATH + "/advice", "Advice"),
)
_TONES = {
    "running": "good",
    "held": "slow",
    "back": "bad",
    "standing": "good",
    "finishing": "good",
    "finished": "good",
}
_VERDICTS = {"pass": "good", "wait": "slow", "back": "bad"}
_TENANTS = 100  #: of one page of advice
_COUNTED = 200  #: rollouts under way, for the sentence
_OPEN = (("", "Open and ended"), ("yes", "Open"), ("no", "Ended"))


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get(PATH)
    async def rollouts(request: PageRequest) -> Response[str]:
        given = request.query_params
        rest = site.rest(request)
        is_open = {"yes": True, "no": False}.get(given.get("open", ""))
        found, under_way, freezes, sharing = await asyncio.gather(
            rest.get(
                "/v1/rollouts",
                open=is_open,
                tenant=given.get("tenant") or None,
                after=given.get("after"),
                limit=50,
            ),
            rest.get("/v1/rollouts", open=True, limit=_COUNTED),
            rest.found("/v1/rollout-freezes"),
            rest.get("/v1/shared-paths"),
        )
        page = _rollouts(found, under_way, freezes, sharing, dict(given))
        return blocks.shown(site, request, "migration", page)

    @get(PATH + "/rollouts/{number:int}")
    async def rollout(request: PageRequest) -> Response[str]:
        found = await site.rest(request).get("/v1/rollouts/{}", request.path_params["number"])
        return blocks.shown(site, request, "migration", _rollout(found))

    @get(PATH + "/paths")
    async def paths(request: PageRequest) -> Response[str]:
        rest = site.rest(request)
        tenant = request.query_params.get("tenant", "").strip()
        found, shared = await asyncio.gather(
            rest.get("/v1/paths", tenant=tenant or None, after=request.query_params.get("after")),
            rest.get("/v1/shared-paths"),
        )
        return blocks.shown(site, request, "migration", _paths(found, shared, tenant))

    @get(PATH + "/suppression-split")
    async def split(request: PageRequest) -> Response[str]:
        rest = site.rest(request)
        try:
            found = await rest.get("/v1/suppression-split")
        except Problem as problem:
            if problem.status != 404:
                raise
            page = _page(
                "split",
                "The account's suppression list",
                sentence=problem.sentence,
                tone="slow",
                buttons=[Button(split_forms.SPLIT + "/start", "Take it apart…", "operate")],
            )
            return blocks.shown(site, request, "migration", page)
        entries = await rest.get(
            "/v1/suppression-split/entries", after=request.query_params.get("after"), limit=50
        )
        return blocks.shown(site, request, "migration", _split(found, entries))

    @get(PATH + "/advice")
    async def advice(request: PageRequest) -> Response[str]:
        found = await site.rest(request).get(
            "/v1/advice", limit=_TENANTS, after=request.query_params.get("after")
        )
        return blocks.shown(site, request, "migration", _advice(found))

    return [
        rollouts,
        rollout,
        paths,
        split,
        advice,
        *split_forms.routes(site),
        *migration_actions.routes(site),
    ]


def _page(tab: str, title: str, **over: Any) -> Page:
    return Page(title=title, tabs=blocks.tabs(_TABS, tab), **over)


def _rollouts(found: Any, under_way: Any, freezes: Any, shared: Any, asked: dict[str, str]) -> Page:
    """`found` is a page of the list, whatever was asked for; `under_way` are those that the sentence counts."""
    back = [one for one in under_way["items"] if one["state"] == "back"]
    sections = [
        Section(
            heads=("Rollout", "Tenant", "State", "Share", "What it says", "Since", "Went back"),
            rows=[
                [
                    blocks.text(
                        f"Rollout {one['id']}",
                        href=f"{PATH}/rollouts/{one['id']}",
                        note=", ".join(one["types"]),
                    ),
                    blocks.tenant(one["tenant"]),
                    blocks.tone(one["state"], _TONES.get(one["state"], "")),
                    blocks.text(f"{one['share']} %"),
                    blocks.text(one["sentence"]),
                    blocks.ago(one["since"]),
                    blocks.number(one["backs"]),
                ]
                for one in found["items"]
            ],
            empty=messages.no_rollout_yet(shared=bool(shared["items"])),
            buttons=[Button(PATH + "/start", "Begin a rollout…", "operate")],
            more=link(PATH, open=asked.get("open"), tenant=asked.get("tenant"), after=found["next"])
            if found["next"]
            else "",
            command="mailcordon rollout list",
        )
    ]
    if freezes is not None:
        sections.append(
            Section(
                heading="Freezes",
                says=[messages.freezes_do()],
                heads=("Whose", "From", "Until", "Why", "By", ""),
                rows=[
                    [
                        blocks.tenant(one["tenant"]) if one["tenant"] else blocks.text("all rollouts"),
                        blocks.clock(one["since"]),
                        blocks.clock(one["until"]),
                        blocks.text(one["because"]),
                        blocks.text(one["by"]),
                        blocks.act("End…", f"{PATH}/freezes/{one['id']}/end", "operate"),
                    ]
                    for one in freezes["items"]
                ],
                empty="No rollout is frozen.",
                buttons=[Button(PATH + "/freezes/add", "Freeze…", "operate")],
                command="mailcordon rollout freeze list",
            )
        )
    return _page(
        "rollouts",
        "Migration",
        sentence=messages.rollouts_are(len(under_way["items"]), len(back), more=bool(under_way["next"]))
        if found["items"] or under_way["items"]
        else "",
        tone="bad" if back else "good",
        filters=[
            Filter(name="open", label="State", value=asked.get("open", ""), options=_OPEN),
            Filter(name="tenant", label="Tenant", value=asked.get("tenant", ""), hint="every tenant"),
        ],
        sections=sections,
    )


def _rate(one: Any, path: str) -> Cell:
    """A share of mails with its interval."""
    of = one[f"{path}_of"]
    low, high = one[f"{path}_range"]
    if not of:
        return blocks.text("no mail yet")
    return blocks.text(
        f"{100 * one[path] / of:.2f} %",
        note=f"{100 * low:.2f} to {100 * high:.2f} %, {one[path]:,} of {of:,.0f}",
    )


def _rollout(one: Any) -> Page:
    number, state = one["id"], one["state"]
    missing = [check for check in one["checklist"] if check["holds"] is not True]
    base = f"{PATH}/rollouts/{number}"
    facts: list[tuple[str, Cell]] = [
        ("State", blocks.tone(state, _TONES.get(state, ""))),
        ("On the new path", blocks.text(f"{one['share']} % (steps: {', '.join(map(str, one['shares']))})")),
        (
            "Lanes",
            blocks.text(f"{one['tenant']}: {', '.join(one['types'])}", href=f"/tenants/{one['tenant']}"),
        ),
        ("At this share since", blocks.ago(one["since"])),
        ("Went back", blocks.text({0: "never", 1: "once"}.get(one["backs"], f"{one['backs']} times"))),
        ("Began", blocks.clock(one["began_at"])),
        ("By", blocks.text(one["began_by"], note=one["because"])),
        ("Looked at", blocks.ago(one["looked_at"])),
    ]
    if one["rests_until"]:
        facts.append(("Rests until", blocks.clock(one["rests_until"])))
    if one["plan"]:
        facts.append(
            ("Plan that ends it", blocks.text(f"Plan {one['plan']}", href=f"/ses/plans/{one['plan']}"))
        )
    return _page(
        "rollouts",
        f"Rollout {number} of {one['tenant']}",
        crumbs=[(PATH, "Rollouts")],
        sentence=one["sentence"] or "",
        tone={"back": "bad", "wait": "slow"}.get(one["verdict"] or "", "bad" if state == "back" else "good"),
        buttons=_buttons(base, state),
        sections=[
            Section(facts=facts, warns=[messages.mail_moves_back()] if one["moving"] else ()),
            Section(
                heading="The new path beside the old one",
                heads=("Measure", "Verdict", "New path", "Old path", "Allowed", "What it says"),
                rows=[
                    [
                        blocks.text(gate["measure"], note=gate["provider"] or ""),
                        blocks.tone(gate["verdict"], _VERDICTS.get(gate["verdict"], "")),
                        _rate(gate, "new"),
                        _rate(gate, "old"),
                        blocks.percent(gate["allowed"]),
                        blocks.text(gate["sentence"]),
                    ]
                    for gate in one["gates"]
                ],
                empty="Nothing was compared yet: the new path has no mail whose feedback can have come.",
            ),
            Section(
                heading="Checklist",
                warns=[f"{len(missing)} of {len(one['checklist'])} do not hold."] if missing else (),
                heads=("Check", "Of", "Holds", "What it says", "From share", "Command that mends it"),
                rows=[
                    [
                        blocks.text(check["check"].replace("-", " ")),
                        blocks.text(check["of"]),
                        _holds(check["holds"]),
                        blocks.text(check["said"]),
                        blocks.text(f"{check['from_share']} %"),
                        blocks.code(check["command"]),
                    ]
                    for check in one["checklist"]
                ],
                empty="It has no checklist.",
            ),
            Section(
                heading="Overrides",
                heads=("What", "For the share", "By", "Why", "When"),
                rows=[
                    [
                        blocks.code(each["key"]),
                        blocks.text(f"{each['share']} %"),
                        blocks.text(each["by"]),
                        blocks.text(each["because"]),
                        blocks.ago(each["at"]),
                    ]
                    for each in one["overrides"]
                ],
            )
            if one["overrides"]
            else Section(),
            Section(
                heading="Steps",
                heads=("When", "What", "From", "To", "By", "Why"),
                rows=[
                    [
                        blocks.clock(step["at"]),
                        blocks.text(step["what"]),
                        blocks.text(f"{step['from_share']} %"),
                        blocks.text(f"{step['to_share']} %"),
                        blocks.text(step["by"]),
                        blocks.text(step["sentence"]),
                    ]
                    for step in one["steps"]
                ],
                empty="No step was made yet.",
                command=f"mailcordon rollout status {number}",
            ),
        ],
    )


def _holds(holds: bool | None) -> Cell:
    if holds is None:
        return blocks.tone("not known", "slow")
    return blocks.tone("yes", "good") if holds else blocks.tone("no", "bad")


def _buttons(base: str, state: str) -> list[Button]:
    if state in ("finished", "cancelled"):
        return []
    found: list[Button] = []
    if state in ("running", "held", "back"):
        found.append(Button(base + "/advance", "Advance…", "operate"))
    if state == "running":
        found.append(Button(base + "/hold", "Hold…", "operate"))
    if state != "back":
        found.append(Button(base + "/back", "Take back…", "operate", is_dangerous=True))
    if state == "standing":
        found.append(Button(base + "/finish", "Finish…", "operate"))
    if state in ("held", "back", "running"):
        found.append(Button(base + "/cancel", "Give up…", "operate"))
    return found


def _paths(found: Any, shared: Any, tenant: str) -> Page:
    return _page(
        "paths",
        "Paths",
        filters=[Filter(name="tenant", label="Tenant", value=tenant, hint="every tenant")],
        sections=[
            Section(
                heads=(
                    "Lane",
                    "Path",
                    "Share",
                    "Domain",
                    "SES tenant",
                    "Configuration set",
                    "IP pool",
                    "Waits",
                ),
                rows=[
                    [
                        blocks.lane(one["tenant"], one["type"]),
                        blocks.text(path["path"], note=path["shared_path"] or ""),
                        blocks.text(f"{path['share']} %"),
                        blocks.text(path["domain"]),
                        blocks.code(path["ses_tenant"]),
                        blocks.code(path["configuration_set"]),
                        blocks.text(path["ip_pool"] or "SES's shared addresses"),
                        blocks.number(path["waiting"]),
                    ]
                    for one in found["items"]
                    for path in one["paths"]
                ],
                empty="No lane fits.",
                more=link(PATH + "/paths", tenant=tenant, after=found["next"]) if found["next"] else "",
                command="mailcordon path list",
            ),
            Section(
                heading="Paths that tenants share",
                heads=("Name", "What it is"),
                rows=[
                    [
                        blocks.text(one["name"]),
                        blocks.code(", ".join(f"{k}: {v}" for k, v in one.items() if k != "name")),
                    ]
                    for one in shared["items"]
                ],
                empty="No path is shared: every lane has its own.",
                command="mailcordon path --help",
            ),
        ],
    )


def _split(one: Any, entries: Any) -> Page:
    done = one["states"].get("done", 0)
    return _page(
        "split",
        "The account's suppression list",
        buttons=[
            Button(split_forms.SPLIT + "/start", "Compare again…", "operate"),
            *([] if one["ended_at"] else [Button(split_forms.SPLIT + "/finish", "End it…", "operate")]),
        ],
        sentence=" ".join(one["sentences"]),
        tone="bad" if one["problem"] else "slow" if one["phase"] != "watching" else "good",
        sections=[
            Section(
                facts=[
                    ("Phase", blocks.tone(one["phase"], "good" if one["phase"] == "watching" else "slow")),
                    ("Entries", blocks.text(f"{one['entries']:,}" + (f", {done:,} done" if done else ""))),
                    ("By state", blocks.text(_counted(one["states"]))),
                    ("Assigned by", blocks.text(_counted(one["assigned_by"]))),
                    ("With problems", blocks.number(one["with_problems"])),
                    (
                        "Calls to SES",
                        blocks.text(f"{one['calls']:,} made, {one['forecast']['calls']:,} remain"),
                    ),
                    ("Takes about", blocks.duration(one["forecast"]["seconds"])),
                    ("Owner", blocks.text(one["owner"])),
                    ("Began", blocks.clock(one["started_at"])),
                    ("By", blocks.text(one["started_by"], note=one["because"])),
                    ("Compared", blocks.ago(one["compared_at"])),
                    ("Ended", blocks.clock(one["ended_at"])),
                ],
                warns=[*([one["problem"]] if one["problem"] else ()), *one["feels_migrated"]],
                command="mailcordon suppression split status",
            ),
            Section(
                heading="Entries",
                heads=("Address", "State", "Tenant", "Assigned by", "Reason", "Listed", "Problem", ""),
                rows=[
                    [
                        blocks.text(each["address"], href=link("/addresses", address=each["address"])),
                        blocks.text(each["state"]),
                        blocks.tenant(each["tenant"])
                        if each["tenant"]
                        else blocks.text(each["owner"] or "nobody's"),
                        blocks.text(each["by"]),
                        blocks.text(each["reason"]),
                        blocks.ago(each["listed_at"]),
                        blocks.text(each["problem"]),
                        blocks.act(
                            "Decide…",
                            link(split_forms.SPLIT + "/assign", addresses=each["address"]),
                            "operate",
                        )
                        if each["state"] == "unowned"
                        else blocks.text(""),
                    ]
                    for each in entries["items"]
                ],
                empty="It has no entry.",
                more=link(PATH + "/suppression-split", after=entries["next"]) if entries["next"] else "",
            ),
        ],
    )


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.items() if number) or "–"


def _advice(found: Any) -> Page:
    unknown = [*found["unknown"], *found["unchecked"]]
    currency, counted = found["currency"], found["counted_at"]
    return _page(
        "advice",
        "What tenants cost, and the risk they carry",
        sections=[
            Section(
                says=[messages.advice_is(found["prices_of"])],
                warns=[f"Prices that are not known or not checked: {', '.join(unknown)}."] if unknown else (),
                facts=[("Counted", blocks.clock(counted)), ("Tenants", blocks.number(found["tenants"]))]
                if counted
                else (),
                heads=("Tenant", "Mails in 28 days", "A month", "A thousand mails", "Bad mail", "Risk"),
                rows=[
                    [
                        blocks.tenant(one["tenant"]),
                        blocks.number(one["mails"]),
                        blocks.text(f"{one['monthly']:,.2f} {currency}"),
                        blocks.text(
                            "–" if one["per_thousand"] is None else f"{one['per_thousand']:,.2f} {currency}"
                        ),
                        blocks.percent(one["bad_share"]),
                        blocks.text(f"{one['risk']:.1f} x"),
                    ]
                    for one in found["items"]
                ],
                empty=advice_messages.nobody_sends() if counted else advice_messages.not_counted(),
                more="" if found["next"] is None else link(f"{PATH}/advice", after=found["next"]),
                more_words="More tenants",
                command="mailcordon advise --fleet",
            )
        ],
    )
