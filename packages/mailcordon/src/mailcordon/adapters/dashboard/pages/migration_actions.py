"""What people decide about rollouts and freezes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import actions
from mailcordon.adapters.dashboard.pages.actions import Asked, Field, Given, Table, because, shell
from mailcordon.adapters.dashboard.rest import Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.messages import migration_pages as messages

PATH = "/migration"


def routes(site: Site) -> list[HTTPRouteHandler]:
    def page(
        path: str, ask: actions.Ask, perform: actions.Perform, done: str = "saved"
    ) -> list[HTTPRouteHandler]:
        return actions.routes(site, PATH + path, section="migration", ask=ask, perform=perform, done=done)

    one = "/rollouts/{number:int}"
    return [
        *page("/start", _ask_start, _start, "started"),
        *page(one + "/advance", _ask_advance, _advance),
        *page(one + "/hold", _asking("hold", "Keep its share"), _deciding("hold")),
        *page(one + "/back", _asking("back", "Take all mail back", is_dangerous=True), _deciding("back")),
        *page(one + "/finish", _asking("finish", "Make the plan"), _deciding("finish")),
        *page(one + "/cancel", _asking("cancel", "Give it up", is_dangerous=True), _deciding("cancel")),
        *page("/freezes/add", _ask_freeze, _freeze),
        *page("/freezes/{number:int}/end", _ask_unfreeze, _unfreeze, "removed"),
    ]


def _missing(checklist: Any) -> list[Table]:
    rows = [(one["key"], one["said"], one["command"] or "") for one in checklist if one["holds"] is not True]
    return [Table(heads=("What does not hold", "Why", "Command that mends it"), rows=rows)] if rows else []


async def _ask_start(rest: Rest, given: Given) -> Asked:
    tenant, type = given.get("tenant"), given.maybe("type")
    says: list[str] = []
    tables: list[Table] = []
    if tenant:
        preview = await rest.post(
            "/v1/rollouts/preview", body={"tenant": tenant, "types": [type] if type else None}
        )
        says = [preview["sentence"], f"Shares: {', '.join(f'{one} %' for one in preview['shares'])}."]
        rows = [
            (
                one["type"],
                f"{one['new']['domain']}, {one['new']['configuration_set']}",
                f"{one['old']['domain']}, {one['old']['configuration_set']}" if one["old"] else "",
            )
            for one in preview["lanes"]
        ]
        tables = [Table(heads=("Lane", "New path", "Old path"), rows=rows), *_missing(preview["checklist"])]
    return Asked(
        title="Begin a rollout",
        back=PATH,
        says=says,
        tables=tables,
        fields=[
            Field(name="tenant", label="Tenant", required=True),
            Field(name="type", label="Type", hint="Empty: all lanes of the tenant that have both paths."),
        ],
        is_ready=bool(tenant),
        button="Begin it",
        command=f"mailcordon rollout start {shell(tenant or 'TENANT')}"
        f"{f' --type {shell(type)}' if type else ''} {because(given)}",
    )


async def _start(rest: Rest, given: Given) -> str:
    type = given.maybe("type")
    body = {"tenant": given.get("tenant"), "types": [type] if type else None, "because": given.because}
    made = await rest.post("/v1/rollouts", body=body)
    return f"{PATH}/rollouts/{made['id']}"


async def _ask_advance(rest: Rest, given: Given) -> Asked:
    number = given["number"]
    one = await rest.get("/v1/rollouts/{}", number)
    following = next((share for share in one["shares"] if share > one["share"]), one["share"])
    overrides = given.get("overrides").split()
    return Asked(
        title=f"Advance rollout {number}",
        back=f"{PATH}/rollouts/{number}",
        says=[
            messages.will_advance(one["tenant"], one["types"], one["share"], following),
            one["sentence"] or "",
        ],
        warnings=[messages.overrides_pass(overrides)] if overrides else (),
        tables=_missing(one["checklist"]),
        fields=[
            Field(
                name="overrides",
                label="Let pass, for this share only",
                hint="Keys of what does not hold, with spaces between; also time, mails, freeze, rest, or a gate.",
            ),
            Field(name="to", label="Share", value=str(following), kind="hidden"),
        ],
        button=f"Go on to {following} %",
        command=f"mailcordon rollout advance {number} --to {following}"
        f"{''.join(f' --override {shell(key)}' for key in overrides)} {because(given)}",
    )


async def _advance(rest: Rest, given: Given) -> str:
    body: dict[str, object] = {
        "because": given.because,
        "overrides": given.get("overrides").split(),
        "to": given.whole("to"),
    }
    await rest.post("/v1/rollouts/{}/advance", given["number"], body=body)
    return f"{PATH}/rollouts/{given['number']}"


def _asking(verb: str, button: str, *, is_dangerous: bool = False) -> actions.Ask:
    says: Callable[[str, list[str], int], str] = {
        "hold": messages.will_hold_rollout,
        "back": messages.will_take_back,
        "finish": messages.will_finish_rollout,
        "cancel": messages.will_cancel_rollout,
    }[verb]

    async def ask(rest: Rest, given: Given) -> Asked:
        number = given["number"]
        one = await rest.get("/v1/rollouts/{}", number)
        return Asked(
            title=f"{button}: rollout {number}",
            back=f"{PATH}/rollouts/{number}",
            says=[says(one["tenant"], one["types"], one["share"])],
            button=button,
            is_dangerous=is_dangerous,
            command=f'mailcordon rollout {verb} {number} --because "..."',
        )

    return ask


def _deciding(verb: str) -> actions.Perform:
    async def perform(rest: Rest, given: Given) -> str:
        await rest.post("/v1/rollouts/{}/" + verb, given["number"], body={"because": given.because})
        return f"{PATH}/rollouts/{given['number']}"

    return perform


async def _ask_freeze(_: Rest, given: Given) -> Asked:
    days = given.whole("days")
    tenant = given.maybe("tenant")
    return Asked(
        title="Freeze rollouts",
        back=PATH,
        says=[messages.will_freeze(tenant, days)] if days else (),
        fields=[
            Field(name="days", label="For how many days", value="4", kind="number", required=True),
            Field(name="tenant", label="Tenant", hint="Empty: all rollouts."),
        ],
        is_ready=bool(days),
        button="Freeze",
        command=f"mailcordon rollout freeze add --for {days or 4}d"
        f"{f' --tenant {shell(tenant)}' if tenant else ''} {because(given)}",
    )


async def _freeze(rest: Rest, given: Given) -> str:
    since = datetime.now(UTC)
    until = since + timedelta(days=given.whole("days") or 0)
    body = {
        "since": since.isoformat(timespec="milliseconds"),
        "until": until.isoformat(timespec="milliseconds"),
        "because": given.because,
        "tenant": given.maybe("tenant"),
    }
    await rest.post("/v1/rollout-freezes", body=body)
    return PATH


async def _ask_unfreeze(rest: Rest, given: Given) -> Asked:
    every = (await rest.get("/v1/rollout-freezes"))["items"]
    one = next((each for each in every if str(each["id"]) == given["number"]), None)
    return Asked(
        title="End a freeze",
        back=PATH,
        says=[messages.will_unfreeze(one["tenant"] if one else None)],
        button="End it",
        command=f"mailcordon rollout freeze end {given['number']} {because(given)}",
    )


async def _unfreeze(rest: Rest, given: Given) -> str:
    await rest.post("/v1/rollout-freezes/{}/end", given["number"], body={"because": given.because})
    return PATH
