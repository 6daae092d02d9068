"""Differences between what SES has and what is desired: what follows, who made them, what repairs or accepts them."""

import asyncio
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import actions, blocks
from mailcordon.adapters.dashboard.pages.actions import Asked, Field, Given, because, link
from mailcordon.adapters.dashboard.pages.blocks import Button, Cell, Filter, Page, Section
from mailcordon.adapters.dashboard.pages.ses_tabs import page
from mailcordon.adapters.dashboard.rest import Rest
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.core.principal import ADMIN
from mailcordon.messages import ses_pages as messages

PATH = "/ses/drift"
_SEVERITIES = ("critical", "high", "medium", "low")
_OPEN = (("", "Open and ended"), ("yes", "Open"), ("no", "Ended"))
_COUNTED = 200  #: open differences, for the sentence


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get(PATH)
    async def findings(request: PageRequest) -> Response[str]:
        given = request.query_params
        asked = {name: given.get(name, "") for name in ("open", "severity", "tenant", "kind")}
        rest = site.rest(request)
        found, open_ones = await asyncio.gather(
            rest.get(
                "/v1/drift",
                open={"yes": True, "no": False}.get(asked["open"]),
                severity=asked["severity"] or None,
                tenant=asked["tenant"] or None,
                kind=asked["kind"] or None,
                after=given.get("after"),
                limit=50,
            ),
            rest.get("/v1/drift", open=True, limit=_COUNTED),
        )
        return blocks.shown(site, request, "ses", _findings(found, open_ones, asked))

    @get(PATH + "/{number:int}")
    async def finding(request: PageRequest) -> Response[str]:
        found = await site.rest(request).get("/v1/drift/{}", request.path_params["number"])
        return blocks.shown(site, request, "ses", _finding(found))

    @get(PATH + "/policies")
    async def policies(request: PageRequest) -> Response[str]:
        found = await site.rest(request).get("/v1/drift/policies")
        return blocks.shown(site, request, "ses", _policies(found))

    accepting = actions.routes(
        site,
        PATH + "/{number:int}/accept",
        section="ses",
        ask=_ask_accept,
        perform=_accept,
        done="accepted",
        needs=ADMIN,
    )
    setting = actions.routes(
        site, PATH + "/policies/{kind:str}", section="ses", ask=_ask_policy, perform=_set_policy, needs=ADMIN
    )
    return [findings, finding, policies, *accepting, *setting]


def _findings(found: Any, open_ones: Any, asked: dict[str, str]) -> Page:
    """`found` is a page of the list, whatever was asked for; `open_ones` are those that the sentence counts."""
    return page(
        "drift",
        "Differences at SES",
        sentence=messages.differences(len(open_ones["items"]), more=bool(open_ones["next"])),
        tone="bad"
        if any(one["severity"] in ("critical", "high") for one in open_ones["items"])
        else "slow"
        if open_ones["items"]
        else "good",
        filters=[
            Filter(name="open", label="State", value=asked["open"], options=_OPEN),
            Filter(
                name="severity",
                label="Severity",
                value=asked["severity"],
                options=[("", "Any"), *((one, one) for one in _SEVERITIES)],
            ),
            Filter(name="tenant", label="Tenant", value=asked["tenant"], hint="every tenant"),
        ],
        sections=[
            Section(
                heads=("Severity", "What", "Tenant", "State", "Since", "Ended"),
                rows=[
                    [
                        blocks.severity(one["severity"]),
                        blocks.text(one["says"], href=f"{PATH}/{one['id']}"),
                        blocks.tenant(one["tenant"]) if one["tenant"] else blocks.text("all tenants"),
                        _state(one),
                        blocks.ago(one["since"]),
                        blocks.ago(one["ended_at"]),
                    ]
                    for one in found["items"]
                ],
                empty="SES has what is desired: no difference fits.",
                more=link(PATH, **asked, after=found["next"]) if found["next"] else "",
                buttons=[Button(PATH + "/policies", "What happens to each kind")],
                command="mailcordon drift",
            )
        ],
    )


def _state(one: Any) -> Cell:
    return blocks.tone("open", "bad") if one["ended_at"] is None else blocks.tone("ended", "good")


def _finding(one: Any) -> Page:
    number, by = one["id"], _who(one["by"])
    buttons: list[Button] = []
    if one["ended_at"] is None:
        if one["plan"]:
            buttons.append(Button(f"/ses/plans/{one['plan']}/apply", "Repair…", "admin"))
        buttons.append(Button(f"{PATH}/{number}/accept", "Accept as it is…", "admin"))
    return page(
        "drift",
        f"{one['kind']} on {one['resource']}",
        crumbs=[(PATH, "Differences")],
        sentence=one["says"],
        tone="good" if one["ended_at"] else "bad",
        buttons=buttons,
        sections=[
            Section(
                facts=[
                    ("Severity", blocks.severity(one["severity"])),
                    ("State", _state(one)),
                    ("Tenant", blocks.tenant(one["tenant"]) if one["tenant"] else blocks.text("all tenants")),
                    ("Resource", blocks.code(f"{one['resource_kind']} {one['resource']}")),
                    *([("Member", blocks.code(one["member"]))] if one["member"] else []),
                    ("Since", blocks.clock(one["since"])),
                    ("Seen last", blocks.clock(one["seen_at"])),
                    ("Found by", blocks.text(one["found_by"])),
                    *(
                        [
                            ("Ended", blocks.clock(one["ended_at"])),
                            ("Why it ended", blocks.text(one["ended_because"])),
                        ]
                        if one["ended_at"]
                        else []
                    ),
                ]
            ),
            Section(
                heading="Who made it",
                facts=[
                    (words, blocks.clock(by[name]) if name == "at" else blocks.code(by[name]))
                    for name, words in (
                        ("name", "Who"),
                        ("arn", "ARN"),
                        ("event", "Call"),
                        ("at", "When"),
                        ("source_ip", "From"),
                        ("access_key", "Access key"),
                        ("user_agent", "With"),
                    )
                    if by.get(name)
                ],
                says=[] if by else ["Nothing tells who made it: no management event named it."],
            ),
            Section(
                heading="What repairs it",
                diff=[
                    (_sign(each["action"]), f"{each['kind']} {each['name']}{_member(each)}")
                    for each in one["repair"]
                ],
                says=[
                    messages.repair_is(one["act"])
                    if one["repair"]
                    else "SES has no call that repairs it: somebody has to change it by hand."
                ],
                buttons=[
                    *([Button(f"/ses/plans/{one['plan']}", f"Plan {one['plan']}")] if one["plan"] else []),
                    Button(f"{PATH}/policies/{one['kind']}", "Change what happens…", "admin"),
                ],
                command=f"mailcordon drift show {number}",
            ),
        ],
    )


def _who(by: Any) -> dict[str, str]:
    """What is known of who made it. Empty: nothing is."""
    return {} if by is None else {name: value for name, value in by.items() if value}


def _sign(action: str) -> str:
    return {"create": "+", "delete": "-"}.get(action, "~")


def _member(one: Any) -> str:
    return f": {one['member']}" if one["member"] else ""


def _policies(found: Any) -> Page:
    return page(
        "drift",
        "What happens when a difference is found",
        crumbs=[(PATH, "Differences")],
        sections=[
            Section(
                heads=("Kind", "Severity", "Breaks isolation", "Repair", "Holds mail", "Set by", "Why", ""),
                rows=[
                    [
                        blocks.code(one["kind"]),
                        blocks.severity(one["severity"]) if one["severity"] else blocks.text("–"),
                        blocks.yes(one["isolation"]),
                        blocks.text("at once" if one["act"] == "apply" else "a person decides"),
                        blocks.yes(one["hold"]),
                        blocks.text("the default" if one["is_default"] else one["by"]),
                        blocks.text(one["because"]),
                        blocks.act("Change…", f"{PATH}/policies/{one['kind']}", "admin"),
                    ]
                    for one in found["items"]
                ],
                command="mailcordon drift policy",
            )
        ],
    )


async def _ask_accept(rest: Rest, given: Given) -> Asked:
    one = await rest.get("/v1/drift/{}", given["number"])
    return Asked(
        title=f"Accept difference {one['id']}",
        back=f"{PATH}/{one['id']}",
        says=[one["says"], messages.will_accept_difference()],
        button="Accept it as it is",
        is_dangerous=True,
        command=f"mailcordon drift accept {one['id']} {because(given)}",
    )


async def _accept(rest: Rest, given: Given) -> str:
    await rest.post("/v1/drift/{}/accept", given["number"], body={"because": given.because})
    return f"{PATH}/{given['number']}"


async def _ask_policy(rest: Rest, given: Given) -> Asked:
    kind = given["kind"]
    now = await rest.get("/v1/drift/policies/{}", kind)
    act, holds = given.get("act"), given.get("hold") == "yes"
    return Asked(
        title=messages.drift_policy_title(kind),
        back=PATH + "/policies",
        says=[messages.will_set_drift_policy(kind, act or now["act"], holds=holds)],
        warnings=[messages.breaks_isolation()] if now["isolation"] and act == "propose" else (),
        fields=[
            Field(
                name="act",
                label="The repair",
                value=now["act"],
                kind="select",
                options=(("apply", "Is applied at once"), ("propose", "Waits for a person")),
            ),
            Field(
                name="hold",
                label="The tenant's mail meanwhile",
                value="yes" if now["hold"] else "no",
                kind="select",
                options=(("no", "Goes on"), ("yes", "Is held")),
            ),
        ],
        is_ready=bool(act),
        button="Set it",
        command=f"mailcordon drift policy {kind} {act or 'apply'}{' --hold' if holds else ''} {because(given)}",
    )


async def _set_policy(rest: Rest, given: Given) -> str:
    body = {"act": given.get("act"), "hold": given.get("hold") == "yes", "because": given.because}
    await rest.put("/v1/drift/policies/{}", given["kind"], body=body)
    return PATH + "/policies"
