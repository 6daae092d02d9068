"""`mailcordon lane`: list and show lanes, set their rates, move and retire them."""

from typing import Annotated, Literal

import typer
from rich.console import Group, RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, OfTenant, Tenant, Yes
from mailcordon.adapters.cli.commands import change, holds, objective
from mailcordon.adapters.cli.document import Document, child, children, strings
from mailcordon.adapters.cli.text import counted, plain, when
from mailcordon.messages import cli as messages
from mailcordon.messages import lifecycle, objectives

app = typer.Typer(
    no_args_is_help=True, help="Lanes (tenant x message type): their state, backlog, holds and rate."
)
Type = Annotated[str, typer.Argument(metavar="TYPE", help="The message type.")]


@command.remote(
    app,
    "list",
    examples="mailcordon lane list --tenant acme\nmailcordon lane list --state held --watch 5s",
    watchable=True,
)
async def list_lanes(
    cli: Cli,
    tenant: OfTenant = None,
    state: Annotated[
        Literal["open", "throttled", "stopped", "held"] | None,
        typer.Option("--state", help="Only lanes in this state. Default: all."),
    ] = None,
    limit: Limit = 200,
) -> None:
    """List lanes with their state and backlog."""
    found = await cli.api.items(path("lanes"), {"tenant": tenant, "state": state}, limit=limit)
    cli.show_result(found, lane_table(found["items"]), *_stops(found["items"]), *show.more(found))


@command.remote(app, "show", examples="mailcordon lane show acme newsletter", watchable=True)
async def show_lane(cli: Cli, tenant: Tenant, type_: Type) -> None:
    """Show one lane: its state and every hold on it, its route, its objectives, and what it shares with others."""
    found = await cli.api.get(path("tenants", tenant, "lanes", type_))
    cli.show_result(found, lane_view(found))


@command.remote(
    app,
    "limit",
    examples="""
mailcordon lane limit acme newsletter --rate 50 --because "warming up"
mailcordon lane limit acme newsletter --no-limit --because "warm"
""",
)
async def limit_lane(
    cli: Cli,
    tenant: Tenant,
    type_: Type,
    because: Because,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            min=0.001,
            max=1_000_000,
            metavar="N",
            help="Deliveries per second. No default; or --no-limit.",
        ),
    ] = None,
    no_limit: Annotated[bool, typer.Option("--no-limit", help="Remove the lane's own limit.")] = False,
) -> None:
    """Set how fast a lane may send, or remove its limit. To stop a lane, cordon it."""
    if (rate is None) == (not no_limit):
        raise failures.usage(messages.one_of(options="--rate N or --no-limit"))
    found = await cli.api.call(
        "PATCH", path("tenants", tenant, "lanes", type_), body={"rate": rate, "because": because}
    )
    cli.show_result(found, lane_view(found))


@command.remote(
    app,
    "move",
    examples="""
mailcordon lane move acme newsletter --to news.acme.example \\
    --because "a domain of its own"
mailcordon lane move acme newsletter --to news.acme.example \\
    --because "a domain of its own" --dry-run
""",
)
async def move_lane(
    cli: Cli,
    tenant: Tenant,
    type_: Type,
    because: Because,
    to: Annotated[
        str,
        typer.Option("--to", metavar="DOMAIN", help="The domain of its From address; a new one is added."),
    ],
    yes: Yes = False,
    dry_run: change.DryRun = False,
) -> None:
    """Let a lane send from another domain. Mail in its queue keeps its From address and still leaves."""
    await change.run(
        cli, tenant, "move-lane", type=type_, domain=to, because=because, yes=yes, dry_run=dry_run
    )


@command.remote(
    app,
    "retire",
    examples="""
mailcordon lane retire acme newsletter --because "not used"
mailcordon lane retire acme newsletter --mail cancel --because "wrong list"
""",
)
async def retire_lane(
    cli: Cli,
    tenant: Tenant,
    type_: Type,
    because: Because,
    mail: change.Mail = "drain",
    yes: Yes = False,
    dry_run: change.DryRun = False,
) -> None:
    """Retire a lane: it takes no new mail. What it alone uses at SES goes once its queue is empty."""
    await change.run(
        cli, tenant, "retire-lane", type=type_, mail=mail, because=because, yes=yes, dry_run=dry_run
    )


@command.remote(app, "unretire", examples='mailcordon lane unretire acme newsletter --because "used again"')
async def unretire_lane(
    cli: Cli,
    tenant: Tenant,
    type_: Type,
    because: Because,
    yes: Yes = False,
    dry_run: change.DryRun = False,
) -> None:
    """Bring a retired lane back: it takes mail again."""
    await change.run(cli, tenant, "unretire-lane", type=type_, because=because, yes=yes, dry_run=dry_run)


def lane_table(items: list[Document], *, with_tenant: bool = True) -> RenderableType:
    columns = ("type", "class", "state", "from domain", "configuration set", "rate", "waiting", "oldest")
    rows = [_row(lane) for lane in items]
    if with_tenant:
        columns = ("tenant", *columns)
        rows = [(lane.get("tenant"), *row) for lane, row in zip(items, rows, strict=True)]
    return show.table(
        columns, rows, drop=("configuration set", "from domain", "rate", "class", "oldest"), prose=()
    )


def _row(lane: Document) -> tuple[object, ...]:
    route, backlog = child(lane, "route"), child(lane, "backlog")
    return (
        lane.get("type"),
        lane.get("class"),
        _state(lane),
        route.get("domain"),
        route.get("configuration_set"),
        _rate(lane.get("rate")),
        backlog.get("deliveries", 0),
        when(backlog.get("oldest_at")),
    )


def _state(lane: Document) -> str:
    """`open`, or `open, retiring`."""
    state = plain(lane.get("state"))
    return lifecycle.retiring(state=state) if lane.get("retiring_at") else state


def _rate(rate: float | None) -> str:
    return messages.no_limit() if rate is None else messages.per_second(rate=rate)


def lane_view(lane: Document) -> RenderableType:
    route, backlog = child(lane, "route"), child(lane, "backlog")
    views: list[RenderableType] = [
        show.fields(
            [
                (
                    "lane",
                    f"{plain(lane.get('tenant'))} / {plain(lane.get('type'))} ({plain(lane.get('class'))})",
                ),
                ("state", _state(lane)),
                ("rate", _rate(lane.get("rate"))),
                ("own rate", _rate(lane.get("own_rate"))),
                ("waiting", counted(int(backlog.get("deliveries") or 0), "delivery")),
                ("oldest", when(backlog.get("oldest_at"))),
                *((plain(name).replace("_", " "), value) for name, value in route.items()),
                *([("attribution", proof.get("because"))] if (proof := child(lane, "proof")) else []),
                *([("feedback", back.get("detail"))] if (back := child(lane, "feedback")) else []),
            ]
        )
    ]
    if open_holds := children(lane, "holds"):
        views += ["", messages.holds_heading(), holds.hold_table(open_holds)]
    views += _stops([lane])
    if children(lane, "objectives"):
        views += ["", objectives.heading(), *objective.objective_sentences(lane)]
    if shares := strings(lane, "shares_with"):
        views += ["", messages.shares_heading(), *(show.bullet(plain(sentence)) for sentence in shares)]
    return Group(*views)


def _stops(lanes: list[Document]) -> list[RenderableType]:
    """What stops these lanes, each sentence once."""
    said = dict.fromkeys(plain(stop.get("detail")) for lane in lanes for stop in children(lane, "stops"))
    return ["", messages.stops_heading(), *(show.bullet(sentence) for sentence in said)] if said else []
