"""`mailcordon breaker`: what the breaker decided and why, what it may do to each lane, and what a person says about it."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, OfTenant, Tenant
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.text import pairs, plain, when
from mailcordon.messages import breaker as messages
from mailcordon.messages import breaker_probes as probes

app = typer.Typer(
    cls=command.ListUnlessNamed,
    help="Breaker: what it holds, slows or warns of. Without a command: list what lasts.",
)

OneType = Annotated[str, typer.Option("--type", metavar="TYPE", help="The lane's message type.")]
Type = Annotated[
    str | None, typer.Option("--type", metavar="TYPE", help="Only lanes of this message type. Default: all.")
]
Number = Annotated[int, typer.Argument(metavar="DECISION", help="The decision's number.")]


@command.remote(
    app,
    command.LIST,
    examples="""
mailcordon breaker list
mailcordon breaker list --tenant acme --all
mailcordon breaker list --incident 12 --all
mailcordon breaker list --lanes
""",
    watchable=True,
)
async def list_decisions(
    cli: Cli,
    tenant: OfTenant = None,
    type_: Type = None,
    all_: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    incident: Annotated[
        int | None, typer.Option("--incident", min=1, help="Only of this incident. Default: of all.")
    ] = None,
    lanes: Annotated[
        bool, typer.Option("--lanes", help="What the breaker may do to each lane, instead of decisions.")
    ] = False,
    limit: Limit = 100,
) -> None:
    """List what the breaker decided, newest first."""
    if lanes:
        found = await cli.api.items(path("breaker", "lanes"), {"tenant": tenant, "type": type_}, limit=limit)
        cli.show_result(found, lane_table(found["items"]), *show.more(found))
        return
    given = {
        "tenant": tenant,
        "type": type_,
        "incident": None if incident is None else str(incident),
        "open": None if all_ else "true",
    }
    found = await cli.api.items(path("breaker", "decisions"), given, limit=limit)
    if not found["items"]:
        cli.show_result(found, messages.none_ever() if all_ else messages.none_open())
        return
    cli.show_result(found, decision_table(found["items"]), *show.more(found))


def decision_table(items: list[Document]) -> RenderableType:
    return show.table(
        ("id", "level", "mode", "lane", "part", "signal", "since", "state", "what"),
        [
            (
                str(item.get("id")),
                item.get("level"),
                item.get("mode"),
                lane_of(item),
                item.get("part") or None,
                item.get("signal"),
                when(item.get("since")),
                "open" if item.get("open") else "over",
                item.get("seen"),
            )
            for item in items
        ],
        drop=("signal", "since", "state"),
        prose=("what",),
    )


def lane_table(items: list[Document]) -> RenderableType:
    return show.table(
        ("lane", "above the ceiling", "unusual", "open", "what"),
        [
            (lane_of(item), item.get("absolute"), item.get("relative"), item.get("open"), item.get("detail"))
            for item in items
        ],
        prose=("what",),
    )


def lane_of(item: Document) -> str:
    return f"{plain(item.get('tenant'))}/{plain(item.get('type'))}"


@command.remote(
    app,
    "show",
    examples="""
mailcordon breaker show 12
mailcordon breaker show acme --type newsletter
""",
    watchable=True,
)
async def show_one(
    cli: Cli,
    what: Annotated[
        str,
        typer.Argument(metavar="DECISION_OR_TENANT", help="A decision's number, or the tenant of a lane."),
    ],
    type_: Type = None,
) -> None:
    """Show a decision with its numbers, or what the breaker knows of a tenant's lanes."""
    if what.isdigit() and type_ is None:
        found = await cli.api.get(path("breaker", "decisions", what))
        cli.show_result(found, *decision_views(found))
        return
    given = {"tenant": what, "type": type_}
    lanes = await cli.api.items(path("breaker", "lanes"), given, limit=1_000)
    decisions = await cli.api.items(path("breaker", "decisions"), {**given, "open": "true"}, limit=1_000)
    views: list[RenderableType] = []
    for item in lanes["items"]:
        views += [f"{lane_of(item)}: {plain(item.get('detail'))}."]
        views += [
            f"  {'ok' if one.get('ok') else '--'}  {plain(one.get('detail'))}"
            for one in children(item, "checks")
        ]
    for item in decisions["items"]:
        views += ["", *decision_views(item)]
    cli.show_result({"lanes": lanes["items"], "decisions": decisions["items"]}, *views)


def decision_views(item: Document) -> list[RenderableType]:
    views: list[RenderableType] = [plain(item.get("seen"))]
    if item.get("open"):
        views += [plain(item.get("done"))]
        if item.get("touched"):
            views += [plain(item["touched"])]
        if item.get("command"):
            views += [messages.undo(command=plain(item["command"]))]
    else:
        views += [messages.over(because=plain(item.get("ended_because")))]
    rows: list[tuple[str, object]] = [
        ("decision", f"{plain(item.get('id'))}, {plain(item.get('level'))}, {plain(item.get('mode'))}"),
        ("lane", lane_of(item)),
        ("part", item.get("part")),
        ("signal", item.get("signal")),
        ("since", when(item.get("since"))),
        ("decided", when(item.get("at"))),
        ("hold", item.get("hold")),
        ("incident", item.get("incident")),
        ("accepted", item.get("accepted_by")),
        ("over", when(item.get("ended_at")) if item.get("ended_at") else None),
    ]
    views += ["", show.fields([row for row in rows if row[1]])]
    if numbers := list(pairs(child(item, "evidence"))):
        views += ["", messages.heading_numbers(), *(f"  {name}: {value}" for name, value in numbers)]
    return views


@command.remote(
    app,
    "arm",
    examples='mailcordon breaker arm acme --type newsletter --because "it was right"',
)
async def arm(cli: Cli, tenant: Tenant, type_: OneType, because: Because) -> None:
    """Let the breaker hold what is unusual for a lane, too.

    Needs a fresh proof, feedback that comes back, and 7 days of it. Losing one of them disarms the lane until it is back.
    """
    found = await cli.api.call("PUT", _lane(tenant, type_), body={"armed": True, "because": because})
    cli.show_result(found, messages.armed(lane=lane_of(found)))


@command.remote(
    app,
    "disarm",
    examples='mailcordon breaker disarm acme --type newsletter --because "it moves"',
)
async def disarm(cli: Cli, tenant: Tenant, type_: OneType, because: Because) -> None:
    """Let the breaker only say what it would have held. What it holds of the lane leaves."""
    found = await cli.api.call("PUT", _lane(tenant, type_), body={"armed": False, "because": because})
    cli.show_result(found, messages.disarmed(lane=lane_of(found)))


@command.remote(app, "accept", examples='mailcordon breaker accept 12 --because "these addresses opted in"')
async def accept(cli: Cli, decision: Number, because: Because) -> None:
    """Undo a decision: its mail goes on, and the breaker takes what it saw as normal for the lane."""
    found = await cli.api.post(path("breaker", "decisions", str(decision), "accept"), {"because": because})
    cli.show_result(found, messages.accepting(decision=decision))


@command.remote(
    app,
    "probe",
    examples="""
mailcordon breaker probe 12 --dry-run
mailcordon breaker probe 12 --because "acme removed the list"
""",
)
async def probe(
    cli: Cli,
    decision: Number,
    because: Annotated[
        str | None,
        typer.Option(
            "--because", metavar="TEXT", help="The reason. It is audited. Default: none, with --dry-run."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
) -> None:
    """Try held mail at once: some of it leaves, is judged, and ends the hold or not."""
    target = path("breaker", "decisions", str(decision), "probe")
    if dry_run:
        found = await cli.api.get(target)
        cli.show_result(found, str(found.get("detail")))
        return
    if because is None:
        raise failures.usage(probes.needs_reason())
    found = await cli.api.post(target, {"because": because})
    cli.show_result(found, probes.trying(decision=decision))


def _lane(tenant: str, type_: str) -> str:
    return path("tenants", tenant, "lanes", type_, "breaker")
