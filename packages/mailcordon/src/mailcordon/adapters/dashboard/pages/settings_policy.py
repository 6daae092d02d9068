"""The policy: what is in force, plans that change it as a diff, and the tiers of tenants."""

import asyncio
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.links import link
from mailcordon.adapters.dashboard.pages import blocks, plan_decisions, policy_forms
from mailcordon.adapters.dashboard.pages.actions import Table
from mailcordon.adapters.dashboard.pages.blocks import Button, Page, Section
from mailcordon.adapters.dashboard.pages.plan_decisions import Plans
from mailcordon.adapters.dashboard.pages.settings_tabs import PATH, page
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.messages import settings_pages as messages

PLANS = PATH + "/policy/plans"
_TONES = {"applied": "good", "proposed": "slow", "rejected": "", "outdated": ""}


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get(PATH + "/policy")
    async def policy(request: PageRequest) -> Response[str]:
        rest = site.rest(request)
        found, plans = await asyncio.gather(
            rest.get("/v1/policy"),
            rest.get("/v1/policy/plans", after=request.query_params.get("after"), limit=30),
        )
        return blocks.shown(site, request, "settings", _policy(found, plans))

    @get(PLANS + "/{number:int}")
    async def plan(request: PageRequest) -> Response[str]:
        found = await site.rest(request).get("/v1/policy/plans/{}", request.path_params["number"])
        return blocks.shown(site, request, "settings", _plan(found))

    @get(PATH + "/tiers")
    async def tiers(request: PageRequest) -> Response[str]:
        found = await site.rest(request).get(
            "/v1/policy/tenants", after=request.query_params.get("after"), limit=100
        )
        return blocks.shown(site, request, "settings", _tiers(found))

    return [
        policy,
        plan,
        tiers,
        *policy_forms.routes(site),
        *plan_decisions.routes(site, _DECIDED),
    ]


def _policy(found: Any, plans: Any) -> Page:
    waits = [one for one in plans["items"] if one["state"] == "proposed"]
    return page(
        "policy",
        "Policy",
        buttons=[Button(policy_forms.NEW, "Plan a policy…", "admin")],
        sentence=messages.policy_is(found["version"], len(waits)),
        tone="slow" if waits else "good",
        sections=[
            Section(
                heading="Plans and versions",
                heads=("Plan", "Version", "State", "Why", "Made", "Decided"),
                rows=[
                    [
                        blocks.text(f"Plan {one['id']}", href=f"{PLANS}/{one['id']}"),
                        blocks.text(one["version"]),
                        blocks.tone(one["state"], _TONES.get(one["state"], "")),
                        blocks.text(one["because"] or one["decided_because"]),
                        blocks.ago(one["made_at"], note=one["made_by"]),
                        blocks.ago(one["decided_at"], note=one["decided_by"] or ""),
                    ]
                    for one in plans["items"]
                ],
                empty="Nobody has written a policy: what is built in applies.",
                more=link(PATH + "/policy", after=plans["next"]) if plans["next"] else "",
                command="mailcordon policy list",
            ),
            Section(
                heading="In force",
                facts=[
                    ("Version", blocks.text(found["version"] or "built in")),
                    ("Applied", blocks.clock(found["applied_at"])),
                    ("By", blocks.text(found["applied_by"] or "–", note=found["because"] or "")),
                    ("Tiers", blocks.text(", ".join(found["tiers"]))),
                ],
                text=blocks.document(found["document"]),
                command="mailcordon policy show",
            ),
        ],
    )


def _changes(one: Any) -> list[tuple[str, str]]:
    """As a plan of terraform: what was, what is to be, whose, and why."""
    lines: list[tuple[str, str]] = []
    for change in one["changes"]:
        more = change["number"] - len(change["lanes"])
        lines += [
            (
                " ",
                f"# {', '.join(change['lanes'])}{f' and {more:,} more' if more > 0 else ''}, set by {change['origin']}",
            ),
            ("-", f"{change['path']}: {change['was']}"),
            ("+", f"{change['path']}: {change['now']}"),
        ]
    return lines


def _plan(one: Any) -> Page:
    number = one["id"]
    return page(
        "policy",
        f"Plan {number} of the policy",
        crumbs=[(PATH + "/policy", "Policy")],
        sentence=messages.policy_plan_changes(len(one["changes"]) + one["changes_left_off"]),
        tone="slow" if one["state"] == "proposed" else "good",
        buttons=plan_decisions.buttons(_DECIDED, number) if one["state"] == "proposed" else (),
        sections=[
            Section(
                facts=[
                    ("State", blocks.tone(one["state"], _TONES.get(one["state"], ""))),
                    ("Made on version", blocks.text(one["base"] or "built in")),
                    ("Why", blocks.text(one["because"] or "–")),
                    ("Made", blocks.clock(one["made_at"])),
                    ("By", blocks.text(one["made_by"])),
                    ("Decided", blocks.clock(one["decided_at"])),
                    ("By whom", blocks.text(one["decided_by"] or "–", note=one["decided_because"] or "")),
                    ("Tenants that do not have it yet", blocks.number(one["tenants_left"])),
                ]
            ),
            Section(
                heading="What changes" if one["changes"] else "",
                diff=_changes(one),
                says=[f"{one['changes_left_off']:,} more are not shown."] if one["changes_left_off"] else (),
                command="mailcordon policy list",
            ),
        ],
    )


def _tiers(found: Any) -> Page:
    return page(
        "tiers",
        "Tiers of tenants",
        sections=[
            Section(
                says=[messages.tiers_are()],
                heads=("Tenant", "Tier", "Suggested", "Why", "Signed up", "Lists", "Plans a day"),
                rows=[
                    [
                        blocks.tenant(one["tenant"]),
                        blocks.text(one["tier"]),
                        blocks.tone(
                            one["suggested_tier"], "" if one["suggested_tier"] == one["tier"] else "slow"
                        ),
                        blocks.text("; ".join(one["suggested_because"])),
                        blocks.text(one["sign_up_source"], note=f"{one['age_days']} days ago"),
                        blocks.text(one["list_source"]),
                        blocks.number(one["planned_per_day"]),
                    ]
                    for one in found["items"]
                ],
                empty="There is no tenant yet.",
                more=link(PATH + "/tiers", after=found["next"]) if found["next"] else "",
                command="mailcordon tier list",
            )
        ],
    )


def _tables(one: Any) -> list[Table]:
    rows = [
        (change["path"], change["was"], change["now"], f"{change['number']:,} lanes", change["because"])
        for change in one["changes"][:200]
    ]
    return [Table(heads=("Value", "Was", "Now", "Of", "Why"), rows=rows)] if rows else []


_DECIDED = Plans(
    section="settings",
    path=PLANS,
    api="/v1/policy/plans",
    name="plan {} of the policy",
    command="mailcordon policy apply {}",
    reject_command="mailcordon policy reject {}",
    says=lambda one: [messages.policy_plan_changes(len(one["changes"]) + one["changes_left_off"])],
    not_applied=messages.policy_stays(),
    tables=_tables,
)
