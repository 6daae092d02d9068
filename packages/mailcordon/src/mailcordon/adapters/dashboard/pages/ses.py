"""SES: the account with its limits and its forecast, lost feedback, and what happens when an identity lapses."""

import asyncio
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import (
    actions,
    blocks,
    ses_drift,
    ses_plans,
    ses_quarantine,
    ses_ungoverned,
)
from mailcordon.adapters.dashboard.pages.actions import Asked, Field, Given, because, link
from mailcordon.adapters.dashboard.pages.blocks import Cell, Page, Section
from mailcordon.adapters.dashboard.pages.ses_tabs import page
from mailcordon.adapters.dashboard.rest import Rest
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.core.principal import ADMIN
from mailcordon.messages import ses_pages as messages

_LAPSE_ACTIONS = (("report", "Only report it"), ("slow", "Slow its lanes"), ("hold", "Hold its lanes"))
_ACCOUNT_CHECKS = ("account", "quota", "sandbox", "drift", "quarantine", "ungoverned", "feedback", "plans")


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get("/ses")
    async def account(request: PageRequest) -> Response[str]:
        rest = site.rest(request)
        found, status, drift, plans, losses = await asyncio.gather(
            rest.get("/v1/account"),
            rest.get("/v1/status"),
            rest.get("/v1/drift", open=True, limit=100),
            rest.get("/v1/plans", state="proposed", limit=100),
            rest.get("/v1/feedback", open=True, limit=100),
        )
        return blocks.shown(site, request, "ses", _account(found, status, drift, plans, losses))

    @get("/ses/feedback")
    async def feedback(request: PageRequest) -> Response[str]:
        found = await site.rest(request).get(
            "/v1/feedback", after=request.query_params.get("after"), limit=50
        )
        return blocks.shown(site, request, "ses", _feedback(found))

    @get("/ses/lapses")
    async def lapses(request: PageRequest) -> Response[str]:
        rest = site.rest(request)
        policies, identities = await asyncio.gather(
            rest.get("/v1/lapse-policies"), rest.get("/v1/identities", limit=1000)
        )
        return blocks.shown(site, request, "ses", _lapses(policies, identities))

    setting = actions.routes(
        site,
        "/ses/lapses/{class_:str}/{effect:str}",
        section="ses",
        ask=_ask_lapse,
        perform=_set_lapse,
        needs=ADMIN,
    )
    return [
        account,
        feedback,
        lapses,
        *setting,
        *ses_plans.routes(site),
        *ses_drift.routes(site),
        *ses_quarantine.routes(site),
        *ses_ungoverned.routes(site),
    ]


def _account(found: Any, status: Any, drift: Any, plans: Any, losses: Any) -> Page:
    sections: list[Section] = []
    open_things = [
        (blocks.counted(drift), "Differences at SES", "/ses/drift?open=yes"),
        (blocks.counted(plans), "Plans that wait for a person", "/ses/plans?state=proposed"),
        (blocks.counted(losses), "Losses of feedback", "/ses/feedback"),
    ]
    said = [
        f"{words.lower().replace(' ses', ' SES')} ({count})"
        for count, words, _ in open_things
        if count != "0"
    ]
    tone = "slow" if said else "good"
    if any(not one["sending_enabled"] or one["enforcement"] != "HEALTHY" for one in found["limits"]):
        tone = "bad"
    sections.append(
        Section(
            heading="What is open",
            facts=[(words, blocks.text(count, href=href)) for count, words, href in open_things],
        )
    )
    sections += [_limits(one, found["forecast"]) for one in found["limits"]]
    sections.append(_review(found["review"]))
    problems = [one for one in [*status["problems"], *status["notices"]] if one["check"] in _ACCOUNT_CHECKS]
    if problems:
        sections.append(
            Section(
                heading="What the checks say",
                heads=("Check", "What", "What next"),
                rows=[
                    [blocks.text(one["check"]), blocks.said(one["detail"]), blocks.said(one["next"])]
                    for one in problems
                ],
            )
        )
    sections.append(_calls(found["calls"]))
    return page(
        "account",
        "SES account",
        sentence=messages.ses_account_is(said, [one["enforcement"] for one in found["limits"]]),
        tone=tone,
        sections=sections,
    )


def _limits(one: Any, forecast: Any) -> Section:
    unlimited = one["max_24h"] < 0
    facts: list[tuple[str, Cell]] = [
        (
            "Sent in 24 hours",
            blocks.text(f"{one['sent_24h']:,.0f}" + ("" if unlimited else f" of {one['max_24h']:,.0f}")),
        ),
        ("Send rate", blocks.text(f"{one['max_send_rate']:,.0f} a second")),
        ("Sending", blocks.tone("on", "good") if one["sending_enabled"] else blocks.tone("off", "bad")),
        (
            "Review by AWS",
            blocks.tone(one["enforcement"].lower(), "good" if one["enforcement"] == "HEALTHY" else "bad"),
        ),
        ("Asked", blocks.ago(one["polled_at"])),
    ]
    if forecast is not None:
        facts.insert(1, ("If it goes on so", blocks.text(forecast["says"])))
    return Section(heading=f"Limits of {one['cell']}", facts=facts, command="mailcordon account")


def _review(found: Any) -> Section:
    return Section(
        heading="Where AWS acts",
        heads=("Rate of 24 hours", "Now", "Of mails", "AWS reviews at", "AWS may pause at"),
        rows=[
            [
                blocks.text(one["signal"]),
                blocks.text("too few mails to say") if one["rate"] is None else blocks.percent(one["rate"]),
                blocks.number(one["mails"]),
                blocks.percent(one["review_at"]),
                blocks.percent(one["pause_at"]),
            ]
            for one in found
        ],
        empty="Nothing was sent in 24 hours.",
    )


def _calls(calls: Any) -> Section:
    if calls is None:
        return Section(heading="Management calls", empty="No control process reports.")
    scan = calls["scan"]
    now = calls["per_second_now"]
    return Section(
        heading="Management calls to SES",
        facts=[
            ("Limit", blocks.text("none" if now is None else f"{now:g} a second")),
            ("SES refused one last", blocks.ago(calls["slowed_at"])),
            (
                "Scan",
                blocks.text(
                    f"{scan['resources']:,} resources, each read again within {scan['period']:,.0f} s"
                ),
            ),
        ],
        heads=("Work", "Share", "Used last minute", "Waiting", "Tenants waiting", "Since"),
        rows=[
            [
                blocks.text(one["work"]),
                blocks.percent(one["share"]),
                blocks.number(one["used_last_minute"]),
                blocks.number(one["waiting"]),
                blocks.number(one["tenants"]),
                blocks.ago(one["since"]),
            ]
            for one in calls["shares"]
        ],
    )


def _feedback(found: Any) -> Page:
    lasting = [one for one in found["items"] if one["open"]]
    return page(
        "feedback",
        "Feedback",
        sentence=lasting[0]["detail"] if lasting else messages.feedback_comes(),
        tone="bad" if lasting else "good",
        sections=[
            Section(
                heads=("State", "What", "Rates", "Since", "Until", "Missing", "What next"),
                rows=[
                    [
                        blocks.tone("late" if one["late"] else "lost", "slow" if one["late"] else "bad")
                        if one["open"]
                        else blocks.tone("over", ""),
                        blocks.text(one["detail"], note=one["cause"] or ""),
                        blocks.text(one["rates"]),
                        blocks.ago(one["since"]),
                        blocks.ago(one["until"]),
                        blocks.text(
                            "" if one["missing"] is None else f"{one['missing']:,} of {one['sent'] or 0:,}"
                        ),
                        blocks.text(one["next"]),
                    ]
                    for one in found["items"]
                ],
                empty="No feedback was lost or late so far.",
                more=link("/ses/feedback", after=found["next"]) if found["next"] else "",
                command="mailcordon feedback",
            )
        ],
    )


def _lapses(policies: Any, identities: Any) -> Page:
    lapsed = [one for one in identities["items"] if one["status"] not in ("verified", "retired")]
    return page(
        "lapses",
        "Identities that lapse",
        sections=[
            Section(
                heading="Domains that are not verified",
                heads=("Domain", "Tenant", "Status"),
                rows=[
                    [blocks.text(one["domain"]), blocks.tenant(one["tenant"]), blocks.state(one["status"])]
                    for one in lapsed
                ],
                empty="Every domain is verified.",
                command="mailcordon identity list",
            ),
            Section(
                heading="What a lapse does to lanes",
                says=[messages.lapses_do()],
                heads=("Class", "What the lapse does", "Then", "Set by", "Why", ""),
                rows=[
                    [
                        blocks.text(one["class"]),
                        blocks.text(messages.lapse_effect(one["effect"])),
                        blocks.text(
                            one["action"], note="" if one["rate"] is None else f"{one['rate']:g} a second"
                        ),
                        blocks.text("the default" if one["is_default"] else one["by"]),
                        blocks.text(one["because"]),
                        blocks.act("Change…", f"/ses/lapses/{one['class']}/{one['effect']}", "admin"),
                    ]
                    for one in policies["items"]
                ],
                command="mailcordon identity lapse-policy",
            ),
        ],
    )


async def _ask_lapse(rest: Rest, given: Given) -> Asked:
    every = (await rest.get("/v1/lapse-policies"))["items"]
    now = next(
        (one for one in every if (one["class"], one["effect"]) == (given["class_"], given["effect"])), None
    )
    action = given.get("action")
    rate = given.maybe("rate")
    command = f"mailcordon identity lapse-policy {given['class_']} {given['effect']} {action or 'ACTION'}"
    return Asked(
        title=messages.lapse_title(given["class_"], given["effect"]),
        back="/ses/lapses",
        says=[
            messages.will_set_lapse(
                given["class_"], given["effect"], action, now["action"] if now else "report"
            )
        ],
        fields=[
            Field(
                name="action",
                label="Then",
                value=now["action"] if now else "report",
                kind="select",
                options=_LAPSE_ACTIONS,
            ),
            Field(name="rate", label="Mails a second, if slowed", kind="number"),
        ],
        is_ready=bool(action),
        button="Set it",
        command=f"{command}{f' --rate {rate}' if rate else ''} {because(given)}",
    )


async def _set_lapse(rest: Rest, given: Given) -> str:
    rate = given.whole("rate")
    body = {"action": given.get("action"), "because": given.because, "rate": rate}
    await rest.put("/v1/lapse-policies/{}/{}", given["class_"], given["effect"], body=body)
    return "/ses/lapses"
