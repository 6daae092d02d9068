"""Settings: what holds for the whole platform. Each part is one click from the others; secrets are never shown."""

import asyncio
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import (
    blocks,
    people_forms,
    settings_actions,
    settings_channels,
    settings_door,
    settings_keys,
    settings_policy,
    type_forms,
)
from mailcordon.adapters.dashboard.pages.actions import link, shell
from mailcordon.adapters.dashboard.pages.blocks import Button, Cell, Filter, Page, Section
from mailcordon.adapters.dashboard.pages.settings_tabs import PATH, page
from mailcordon.adapters.dashboard.rest import Problem
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.messages import settings_pages as messages


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get(PATH)
    async def system(request: PageRequest) -> Response[str]:
        status = await site.rest(request).get("/v1/status")
        return blocks.shown(site, request, "settings", _system(status))

    @get(PATH + "/types")
    async def types(request: PageRequest) -> Response[str]:
        found = await site.rest(request).get("/v1/types", limit=1000)
        return blocks.shown(site, request, "settings", _types(found))

    @get(PATH + "/people")
    async def people(request: PageRequest) -> Response[str]:
        rest = site.rest(request)
        sessions, links = await asyncio.gather(
            rest.found("/v1/sessions", limit=100), rest.found("/v1/sign-in-links", limit=50)
        )
        return blocks.shown(site, request, "settings", _people(sessions, links))

    @get(PATH + "/signals")
    async def signals(request: PageRequest) -> Response[str]:
        found = await site.rest(request).get("/v1/signals", after=request.query_params.get("after"), limit=50)
        return blocks.shown(site, request, "settings", _signals(found))

    @get(PATH + "/providers")
    async def providers(request: PageRequest) -> Response[str]:
        domain = request.query_params.get("domain", "").strip()
        found, problem = None, ""
        if domain:
            try:
                found = await site.rest(request).get("/v1/providers/{}", domain)
            except Problem as refused:
                problem = refused.sentence
        return blocks.shown(site, request, "settings", _provider(domain, found, problem))

    return [
        system, types, people, signals, providers,
        *settings_keys.routes(site), *settings_door.routes(site), *settings_channels.routes(site), *settings_policy.routes(site),
        *settings_actions.routes(site), *type_forms.routes(site), *people_forms.routes(site),
    ]  # fmt: skip


def _system(status: Any) -> Page:
    problems = [*status["problems"], *status["notices"]]
    return page(
        "system",
        "System",
        sentence=messages.system_is(len(status["problems"]), len(status["notices"])),
        tone="bad" if status["problems"] else "slow" if problems else "good",
        sections=[
            Section(
                heading="What is wrong, and what people hold",
                heads=("Check", "What", "What next", "Since"),
                rows=[
                    [
                        blocks.text(one["check"]),
                        blocks.said(one["detail"]),
                        blocks.said(one["next"]),
                        blocks.ago(one["since"]),
                    ]
                    for one in problems
                ],
                empty=f"Nothing is wrong. Checked: {', '.join(status['checked'])}.",
                command="mailcordon status",
            ),
            Section(
                heading="Processes",
                heads=("Role", "Host", "Process", "State", "Started", "Reported"),
                rows=[
                    [
                        blocks.text(one["role"]),
                        blocks.text(one["host"]),
                        blocks.text(one["pid"]),
                        blocks.tone("silent", "bad") if one["silent"] else blocks.tone("works", "good"),
                        blocks.ago(one["started_at"]),
                        blocks.ago(one["reported_at"]),
                    ]
                    for one in status["processes"]
                ],
                empty="No process reports.",
                command="mailcordon doctor",
            ),
            Section(
                heading="Database",
                facts=[
                    ("Size", blocks.text(_bytes(status["storage"]["bytes"]))),
                    ("Oldest day", blocks.text(status["storage"]["oldest_day"] or "–")),
                    ("Partitions exist for", blocks.text(f"{status['storage']['days_left']} days")),
                    ("Scan of SES", blocks.text(status["scan"])),
                ],
                heads=("Table", "Size", "Oldest day"),
                rows=[
                    [
                        blocks.code(one["table"]),
                        blocks.text(_bytes(one["bytes"])),
                        blocks.text(one["oldest_day"]),
                    ]
                    for one in status["storage"]["tables"][:12]
                ],
            ),
        ],
    )


def _bytes(size: int) -> str:
    for unit, words in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:,.1f} {words}"
    return f"{size} bytes"


def _types(found: Any) -> Page:
    return page(
        "types",
        "Message types",
        buttons=[Button(PATH + "/types/new", "Add a type…", "admin")],
        sections=[
            Section(
                says=[messages.types_are()],
                heads=(
                    "Type",
                    "Class",
                    "Criticality",
                    "What for",
                    "Worth sending for",
                    "Unknown outcome settled after",
                    "",
                ),
                rows=[
                    [
                        blocks.code(one["name"]),
                        blocks.text(one["class"]),
                        blocks.number(one["criticality"]),
                        blocks.text(one["description"]),
                        _or_class(one["expiry_seconds"]),
                        _or_class(one["grace_seconds"]),
                        blocks.act("Change…", f"{PATH}/types/{one['name']}/change", "admin"),
                    ]
                    for one in found["items"]
                ],
                command="mailcordon type list",
            )
        ],
    )


def _or_class(seconds: float | None) -> Cell:
    return blocks.text("as its class") if seconds is None else blocks.duration(seconds)


def _people(sessions: Any, links: Any) -> Page:
    if sessions is None:
        return page("people", "People", sections=[Section(empty=messages.people_need())])
    return page(
        "people",
        "People",
        sections=[
            Section(
                heading="Sessions",
                heads=("Who", "Role", "Way", "Began", "Seen", "Ends", ""),
                rows=[
                    [
                        blocks.text(one["person"], note=one["prefix"]),
                        blocks.text(one["role"]),
                        blocks.text(one["way"]),
                        blocks.ago(one["started_at"]),
                        blocks.ago(one["seen_at"]),
                        blocks.tone("ended", "") if one["ended_at"] else blocks.ago(one["ends_at"]),
                        blocks.text("")
                        if one["ended_at"]
                        else blocks.act("End…", f"{PATH}/people/{one['prefix']}/end", "admin"),
                    ]
                    for one in sessions["items"]
                ],
                empty="Nobody is signed in.",
                command="mailcordon session list",
            ),
            Section(
                heading="Links to sign in",
                says=[messages.links_are()],
                buttons=[Button(people_forms.PEOPLE + "/new", "Let somebody in…", "admin")],
                heads=("For", "Role", "Made", "State", ""),
                rows=[
                    [
                        blocks.text(one["person"], note=one["prefix"]),
                        blocks.text(one["role"]),
                        blocks.ago(one["made_at"], note=one["made_by"]),
                        blocks.text(
                            "revoked" if one["revoked_at"] else "used" if one["used_at"] else "not used"
                        ),
                        blocks.text("")
                        if one["revoked_at"] or one["used_at"]
                        else blocks.act("Revoke…", f"{PATH}/people/links/{one['prefix']}/revoke", "admin"),
                    ]
                    for one in (links["items"] if links else ())
                ],
                empty="No link was made.",
                command="mailcordon sign-in --person NAME --role operator",
            ),
        ],
    )


def _signals(found: Any) -> Page:
    return page(
        "signals",
        "What others say of our mail",
        sections=[
            Section(
                says=[messages.signals_are()],
                heads=("Day", "Source", "Domain", "Tenant", "Rate", "Of mails", "Trust", "Counts"),
                rows=[
                    [
                        blocks.text(one["day"]),
                        blocks.text(one["source"], note=one["provider"] or one["reporter"] or ""),
                        blocks.text(one["domain"]),
                        blocks.tenant(one["tenant"]),
                        blocks.percent(one["rate"]),
                        blocks.number(one["of"]),
                        blocks.text(one["trust"]),
                        blocks.yes(one["counts"]),
                    ]
                    for one in found["items"]
                ],
                empty="Nothing was imported yet.",
                more=link(PATH + "/signals", after=found["next"]) if found["next"] else "",
                command="mailcordon signal --help",
            )
        ],
    )


def _provider(domain: str, found: Any, problem: str) -> Page:
    facts: list[tuple[str, Cell]] = []
    if found is not None:
        facts = [
            ("Mailbox provider", blocks.text(found["provider"])),
            ("Kind", blocks.text(found["kind"] or "–")),
            ("Behind it", blocks.text(found["behind"] or "–")),
            ("Known by", blocks.text(found["source"])),
            ("Hosts", blocks.code(", ".join(found["hosts"]) or "–")),
            ("Since", blocks.clock(found["since"])),
            ("Looked up", blocks.ago(found["learnt_at"])),
        ]
    return page(
        "providers",
        "Who runs a domain's mailboxes",
        filters=[Filter(name="domain", label="Domain", value=domain, hint="example.com")],
        sentence=found["sentence"] if found else "",
        sections=[
            Section(
                warns=[one for one in (problem, found["problem"] if found else None) if one],
                facts=facts,
                empty="" if facts or problem else "Name the domain of a recipient.",
                command=f"mailcordon provider {shell(domain)}" if found else "",
            )
        ],
    )
