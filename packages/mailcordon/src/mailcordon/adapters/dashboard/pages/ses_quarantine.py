"""The quarantine: events that could not be attributed. They may be about any tenant, so only operators read them."""

from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import actions, blocks
from mailcordon.adapters.dashboard.pages.actions import Asked, Given, link
from mailcordon.adapters.dashboard.pages.blocks import Button, Filter, Page, Section
from mailcordon.adapters.dashboard.pages.ses_tabs import page
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.messages import ses_pages as messages

PATH = "/ses/quarantine"
_MOST_SHOWN = 20_000  #: characters of a document


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get(PATH)
    async def entries(request: PageRequest) -> Response[str]:
        why = request.query_params.get("why", "")
        try:
            found = await site.rest(request).get(
                "/v1/quarantine", why=why or None, after=request.query_params.get("after"), limit=50
            )
        except Problem as problem:
            if problem.status != 403:
                raise
            refused = page("quarantine", "Quarantine", sections=[Section(empty=messages.quarantine_needs())])
            return blocks.shown(site, request, "ses", refused)
        return blocks.shown(site, request, "ses", _entries(found, why))

    @get(PATH + "/{number:int}")
    async def entry(request: PageRequest) -> Response[str]:
        found = await site.rest(request).get("/v1/quarantine/{}", request.path_params["number"])
        return blocks.shown(site, request, "ses", _entry(found))

    replaying = actions.routes(
        site, PATH + "/{number:int}/replay", section="ses", ask=_ask_replay, perform=_replay, done="started"
    )
    return [entries, entry, *replaying]


def _entries(found: Any, why: str) -> Page:
    kinds = [one["why"] for one in found["kinds"]]
    waiting = sum(1 for one in found["items"] if one["resolution"] is None)
    return page(
        "quarantine",
        "Quarantine",
        sentence=messages.quarantine_has(waiting),
        tone="slow" if waiting else "good",
        filters=[
            Filter(
                name="why",
                label="Why",
                value=why,
                options=[("", "Any reason"), *((one, one) for one in kinds)],
            )
        ],
        sections=[
            Section(
                heads=("Entry", "What", "Tenant", "Copies", "Last received", "Replayed"),
                rows=[
                    [
                        blocks.text(f"{one['why']} {one['id']}", href=f"{PATH}/{one['id']}"),
                        blocks.text(one["detail"]),
                        blocks.tenant(one["tenant"]),
                        blocks.number(one["copies"]),
                        blocks.ago(one["last_received_at"]),
                        blocks.ago(one["replayed_at"], note=one["resolution"] or ""),
                    ]
                    for one in found["items"]
                ],
                empty="Every event was attributed: nothing is in quarantine.",
                more=link(PATH, why=why, after=found["next"]) if found["next"] else "",
                command="mailcordon quarantine list",
            ),
            Section(
                heading="How full it is",
                heads=("Why", "Entries", "Of", "Documents", "Only counted", "Kept for"),
                rows=[
                    [
                        blocks.text(one["why"]),
                        blocks.number(one["entries"]),
                        blocks.number(one["most_entries"]),
                        blocks.number(one["documents"]),
                        blocks.number(one["not_kept"]),
                        blocks.text(f"{one['keep_days']} days"),
                    ]
                    for one in found["kinds"]
                ],
            ),
        ],
    )


def _entry(one: Any) -> Page:
    number = one["id"]
    return page(
        "quarantine",
        f"{one['why']} {number}",
        crumbs=[(PATH, "Quarantine")],
        sentence=one["detail"],
        tone="good" if one["resolution"] else "slow",
        buttons=[Button(f"{PATH}/{number}/replay", "Replay…", "operate")],
        sections=[
            Section(
                facts=[
                    ("Why", blocks.text(one["why"])),
                    ("Tenant", blocks.tenant(one["tenant"]) if one["tenant"] else blocks.text("not known")),
                    ("Source", blocks.code(one["source"])),
                    ("Copies", blocks.number(one["copies"])),
                    ("First received", blocks.clock(one["first_received_at"])),
                    ("Last received", blocks.clock(one["last_received_at"])),
                    ("Replayed", blocks.clock(one["replayed_at"])),
                    ("What became of it", blocks.text(one["resolution"] or "–")),
                ]
            ),
            Section(heading="The document", text=_cut(one["document"]) or "–"),
            *(Section(heading="Another of its documents", text=_cut(each)) for each in one["samples"][:3]),
            Section(command=f"mailcordon quarantine show {number}"),
        ],
    )


def _cut(text: str) -> str:
    return (
        text
        if len(text) <= _MOST_SHOWN
        else f"{text[:_MOST_SHOWN]}\n… {len(text) - _MOST_SHOWN:,} characters more"
    )


async def _ask_replay(rest: Rest, given: Given) -> Asked:
    one = await rest.get("/v1/quarantine/{}", given["number"])
    return Asked(
        title=f"Replay entry {one['id']}",
        back=f"{PATH}/{one['id']}",
        says=[one["detail"], messages.will_replay()],
        button="Replay it",
        command=f"mailcordon quarantine replay {one['id']} --because REASON",
    )


async def _replay(rest: Rest, given: Given) -> str:
    await rest.post("/v1/quarantine/{}/replay", given["number"], because=given.because)
    return f"{PATH}/{given['number']}"
