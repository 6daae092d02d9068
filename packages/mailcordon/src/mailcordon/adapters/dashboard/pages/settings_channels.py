"""Settings: who is told of what. Alert channels, webhooks, and the contacts of tenants."""

import asyncio
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.formats import segment
from mailcordon.adapters.dashboard.links import link
from mailcordon.adapters.dashboard.pages import blocks, channel_forms, webhook_forms
from mailcordon.adapters.dashboard.pages.actions import shell
from mailcordon.adapters.dashboard.pages.blocks import Button, Cell, Filter, Page, Section
from mailcordon.adapters.dashboard.pages.settings_tabs import PATH, page
from mailcordon.adapters.dashboard.rest import Problem
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.messages import settings_pages as messages


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get(PATH + "/alerts")
    async def alerts(request: PageRequest) -> Response[str]:
        rest = site.rest(request)
        channels, told = await asyncio.gather(
            rest.get("/v1/alert-channels"),
            rest.get("/v1/alerts", after=request.query_params.get("after"), limit=50),
        )
        return blocks.shown(site, request, "settings", _alerts(channels, told))

    @get(PATH + "/webhooks")
    async def webhooks(request: PageRequest) -> Response[str]:
        found = await site.rest(request).get("/v1/webhooks")
        return blocks.shown(site, request, "settings", _webhooks(found))

    @get(PATH + "/contacts")
    async def contacts(request: PageRequest) -> Response[str]:
        tenant = request.query_params.get("tenant", "").strip()
        found, problem = None, ""
        if tenant:
            try:
                found = await site.rest(request).get("/v1/tenants/{}/contacts", tenant)
            except Problem as refused:
                problem = refused.sentence
        return blocks.shown(site, request, "settings", _contacts(tenant, found, problem))

    return [alerts, webhooks, contacts, *channel_forms.routes(site), *webhook_forms.routes(site)]


def _failing(one: Any) -> Cell:
    if one["failing_since"] is None:
        return blocks.tone("works", "good")
    return Cell("tone", "fails", note="bad")


def _alerts(channels: Any, told: Any) -> Page:
    failing = [one for one in channels["items"] if one["failing_since"]]
    return page(
        "alerts",
        "Alert channels",
        buttons=[Button(PATH + "/alerts/new", "Make a channel…", "admin")],
        sentence=messages.channels_are(len(channels["items"]), len(failing)),
        tone="bad" if failing else "good" if channels["items"] else "slow",
        sections=[
            Section(
                heads=("Channel", "Leads to", "Told of", "State", "Made", "", "", ""),
                rows=[
                    [
                        blocks.text(one["name"], note=one["form"]),
                        blocks.text(one["target"]),
                        blocks.text(
                            f"{one['least']} and worse",
                            note=", ".join([*one["kinds"], *one["tenants"]]) or "every kind, every tenant",
                        ),
                        _failing(one),
                        blocks.ago(one["made_at"], note=one["made_by"]),
                        blocks.act("Test…", f"{PATH}/alerts/{one['name']}/test", "operate"),
                        blocks.act("Change…", f"{PATH}/alerts/{one['name']}/change", "admin"),
                        blocks.act("Remove…", f"{PATH}/alerts/{one['name']}/remove", "admin"),
                    ]
                    for one in channels["items"]
                ],
                empty="There is no channel.",
                says=[f"{one['name']}: {one['problem']}" for one in failing],
                command="mailcordon alert channel add NAME --webhook URL"
                if not channels["items"]
                else "mailcordon alert channel list",
            ),
            Section(
                heading="What they were told",
                heads=("Incident", "Channel", "Severity", "What", "Arrived", "Problem"),
                rows=[
                    [
                        blocks.text(f"Incident {one['incident']}", href=f"/incidents/{one['incident']}"),
                        blocks.text(one["channel"]),
                        blocks.severity(one["severity"]),
                        blocks.text(one["sentence"]),
                        blocks.ago(one["told_at"]),
                        blocks.text(one["problem"]),
                    ]
                    for one in told["items"]
                ],
                empty="No channel was told of an incident yet.",
                more=link(PATH + "/alerts", after=told["next"]) if told["next"] else "",
            ),
        ],
    )


def _webhooks(found: Any) -> Page:
    def state(one: Any) -> Cell:
        return blocks.tone("paused", "slow") if one["paused_at"] else _failing(one)

    return page(
        "webhooks",
        "Webhooks",
        buttons=[Button(PATH + "/webhooks/new", "Make a webhook…", "admin")],
        sections=[
            Section(
                heads=("Webhook", "Leads to", "Tenant", "Events", "State", "Problem", "", "", "", "", "", ""),
                rows=[
                    [
                        blocks.text(one["name"], note=one["form"]),
                        blocks.text(one["target"]),
                        blocks.tenant(one["tenant"]) if one["tenant"] else blocks.text("every tenant"),
                        blocks.text(webhook_forms.events_of(one)),
                        state(one),
                        blocks.text(one["problem"] or one["paused_because"]),
                        blocks.act("Test…", f"{PATH}/webhooks/{one['name']}/test", "operate"),
                        blocks.act("Resume…", f"{PATH}/webhooks/{one['name']}/resume", "operate")
                        if one["paused_at"]
                        else blocks.act("Pause…", f"{PATH}/webhooks/{one['name']}/pause", "operate"),
                        blocks.act("Change…", f"{PATH}/webhooks/{one['name']}/change", "admin"),
                        blocks.act("Replay…", f"{PATH}/webhooks/{one['name']}/replay", "operate"),
                        blocks.act("New secret…", f"{PATH}/webhooks/{one['name']}/rotate", "admin")
                        if one["form"] == "standard"
                        else blocks.text(""),
                        blocks.act("Remove…", f"{PATH}/webhooks/{one['name']}/remove", "admin"),
                    ]
                    for one in found["items"]
                ],
                empty="There is no webhook.",
                command="mailcordon webhook list"
                if found["items"]
                else "mailcordon webhook add NAME --url URL",
            )
        ],
    )


def _contacts(tenant: str, found: Any, problem: str) -> Page:
    of = f"/tenants/{segment(tenant)}/contacts"
    return page(
        "contacts",
        "Contacts of a tenant",
        buttons=[Button(of + "/new", "Set a contact…", "admin")] if found else (),
        filters=[Filter(name="tenant", label="Tenant", value=tenant)],
        sections=[
            Section(
                warns=[problem] if problem else (),
                heads=("Form", "Leads to", "Told of", "State", "Made", "", ""),
                rows=[
                    [
                        blocks.text(one["form"]),
                        blocks.text(one["target"]),
                        blocks.text(", ".join(one["tell"])),
                        _failing(one),
                        blocks.ago(one["made_at"], note=one["made_by"]),
                        blocks.act("Test…", f"{of}/{one['form']}/test", "operate"),
                        blocks.act("Remove…", f"{of}/{one['form']}/remove", "admin"),
                    ]
                    for one in (found["items"] if found else ())
                ],
                empty=""
                if problem
                else "This tenant has no contact."
                if tenant
                else messages.name_a_tenant(),
                command=f"mailcordon tenant contact {shell(tenant)}" if tenant else "",
            )
        ],
    )
