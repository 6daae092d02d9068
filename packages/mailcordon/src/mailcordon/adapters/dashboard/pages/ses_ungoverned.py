"""Mail past Mailcordon: who sends it, the IAM policy that stops it, and what is expected for some time."""

import asyncio
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import actions, blocks
from mailcordon.adapters.dashboard.pages.actions import Asked, Field, Given, because, link, shell
from mailcordon.adapters.dashboard.pages.blocks import Button, Cell, Page, Section
from mailcordon.adapters.dashboard.pages.ses_tabs import page
from mailcordon.adapters.dashboard.rest import Rest
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.core.principal import ADMIN
from mailcordon.messages import ses_pages as messages

PATH = "/ses/ungoverned"


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get(PATH)
    async def senders(request: PageRequest) -> Response[str]:
        rest = site.rest(request)
        found, expected = await asyncio.gather(
            rest.get("/v1/ungoverned", after=request.query_params.get("after"), limit=50),
            rest.get("/v1/ungoverned/expectations", limit=50),
        )
        is_first = "after" not in request.query_params
        return blocks.shown(site, request, "ses", _senders(found, expected, is_first=is_first))

    @get(PATH + "/{number:int}")
    async def sender(request: PageRequest) -> Response[str]:
        found = await site.rest(request).get("/v1/ungoverned/{}", request.path_params["number"])
        return blocks.shown(site, request, "ses", _sender(found))

    expecting = actions.routes(
        site, PATH + "/expect", section="ses", ask=_ask_expect, perform=_expect, needs=ADMIN
    )
    ending = actions.routes(
        site,
        PATH + "/expectations/{number:int}/end",
        section="ses",
        ask=_ask_end,
        perform=_end,
        done="removed",
        needs=ADMIN,
    )
    return [senders, sender, *expecting, *ending]


def _name(one: Any) -> str:
    return one["who"] or one["identity"] or "somebody that nothing names"


def _senders(found: Any, expected: Any, *, is_first: bool) -> Page:
    wrong = [one for one in found["items"] if not (one["expected"] and one["expected"]["valid"])]
    excess = [one for one in found["counts"] if one["since"]]
    return page(
        "ungoverned",
        "Mail past Mailcordon",
        sentence=messages.ungoverned_are(len(wrong), excess=bool(excess), more=bool(found["next"]))
        if is_first
        else "",
        tone="bad" if wrong or excess else "good",
        sections=[
            Section(
                heads=("Who", "Identity", "Tenant", "In 24 h", "Bounces", "Complaints", "Last", "Expected"),
                rows=[
                    [
                        blocks.text(_name(one), href=f"{PATH}/{one['id']}", note=one["service"] or ""),
                        blocks.code(one["identity"]),
                        blocks.tenant(one["tenant"]),
                        blocks.number(one["mails_24h"]),
                        blocks.number(one["bounces"]),
                        blocks.number(one["complaints"]),
                        blocks.ago(one["last_at"]),
                        _expected(one["expected"]),
                    ]
                    for one in found["items"]
                ],
                empty="Nobody sends past Mailcordon.",
                more=link(PATH, after=found["next"]) if found["next"] else "",
                command="mailcordon ungoverned list",
            ),
            Section(
                heading="SES's own count",
                says=[messages.count_compares()],
                heads=("Account", "SES sent in 24 h", "Known", "Too many", "Since", "Asked"),
                rows=[
                    [
                        blocks.text(one["cell"], note=", ".join(one["identities"])),
                        blocks.number(one["sent"]),
                        blocks.number(one["known"]),
                        blocks.number(one["excess"]),
                        blocks.ago(one["since"]),
                        blocks.ago(one["at"]),
                    ]
                    for one in found["counts"]
                ],
                empty="The count was not compared yet.",
            ),
            Section(
                heading="Expected for some time",
                heads=("Identity", "Caller", "Until", "Why", "By", ""),
                rows=[
                    [
                        blocks.code(one["identity"]),
                        blocks.text(one["caller"] or "every caller"),
                        blocks.clock(one["until"]),
                        blocks.text(one["because"]),
                        blocks.text(one["by"]),
                        blocks.act("End…", f"{PATH}/expectations/{one['id']}/end", "admin")
                        if one["valid"]
                        else blocks.text("over"),
                    ]
                    for one in expected["items"]
                ],
                empty="Nothing is expected past Mailcordon.",
                buttons=[Button(PATH + "/expect", "Expect mail…", "admin")],
                command="mailcordon ungoverned expected",
            ),
        ],
    )


def _expected(one: Any) -> Cell:
    if one is None:
        return blocks.tone("no", "bad")
    return blocks.tone("yes", "good") if one["valid"] else blocks.tone("no longer", "bad")


def _sender(one: Any) -> Page:
    number = one["id"]
    policy = one["policy"]
    return page(
        "ungoverned",
        _name(one),
        crumbs=[(PATH, "Ungoverned")],
        buttons=[
            Button(
                link(PATH + "/expect", identity=one["identity"] or "*", caller=one["caller"]),
                "Expect it…",
                "admin",
            )
        ],
        sections=[
            Section(
                facts=[
                    ("Identity", blocks.code(one["identity"] or "not named")),
                    ("Caller", blocks.code(one["caller"] or "not named")),
                    (
                        "Tenant",
                        blocks.tenant(one["tenant"]) if one["tenant"] else blocks.text("nobody's domain"),
                    ),
                    ("Mails", blocks.text(f"{one['mails']:,}, {one['mails_24h']:,} of them in 24 hours")),
                    ("Recipients", blocks.number(one["recipients"])),
                    ("Bounces, complaints", blocks.text(f"{one['bounces']:,}, {one['complaints']:,}")),
                    ("First", blocks.clock(one["first_at"])),
                    ("Last", blocks.clock(one["last_at"])),
                    ("Expected", _expected(one["expected"])),
                ]
            ),
            Section(
                heading="What its mail has in common",
                heads=("What", "Value", "Mails"),
                rows=[
                    [
                        blocks.text(fact.replace("_", " ")),
                        blocks.code(each["value"]),
                        blocks.number(each["mails"]),
                    ]
                    for fact, values in one["facts"].items()
                    for each in values[:10]
                ],
                empty="Its events say nothing more.",
            ),
            Section(
                heading="The IAM policy that stops it",
                says=[messages.iam_policy_for(one["who"])] if policy else [messages.no_iam_policy()],
                text=blocks.document(policy) if policy else "",
                command=f"mailcordon ungoverned show {number}",
            ),
        ],
    )


async def _ask_expect(rest: Rest, given: Given) -> Asked:
    identity, days = given.get("identity"), given.whole("days")
    is_ready = bool(identity and days)
    return Asked(
        title="Expect mail past Mailcordon",
        back=PATH,
        says=[messages.will_expect(identity, given.get("caller"), days or 0)] if is_ready else (),
        fields=[
            Field(
                name="identity",
                label="Identity",
                required=True,
                hint="A domain or an address; * is mail whose sender nothing names.",
            ),
            Field(name="caller", label="Caller", hint="An IAM user or role. Empty: every caller."),
            Field(name="days", label="For how many days", kind="number", value="14", required=True),
        ],
        is_ready=is_ready,
        button="Expect it",
        command=f"mailcordon ungoverned expect {shell(identity or 'IDENTITY')} --until {days or 14}d {because(given)}",
    )


async def _expect(rest: Rest, given: Given) -> str:
    body = {
        "identity": given.get("identity"),
        "caller": given.maybe("caller"),
        "until_seconds": (given.whole("days") or 0) * 86_400.0,
        "because": given.because,
    }
    await rest.post("/v1/ungoverned/expectations", body=body)
    return PATH


async def _ask_end(rest: Rest, given: Given) -> Asked:
    return Asked(
        title="End what was expected",
        back=PATH,
        says=[messages.will_end_expectation()],
        button="End it",
        command=f"mailcordon ungoverned unexpect {given['number']} {because(given)}",
    )


async def _end(rest: Rest, given: Given) -> str:
    await rest.post("/v1/ungoverned/expectations/{}/end", given["number"], body={"because": given.because})
    return PATH
