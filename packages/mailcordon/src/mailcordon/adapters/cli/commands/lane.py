"""`mailcordon lane`: list and show lanes, and set their rates."""

from typing import Annotated

import typer
from rich.console import Group, RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, OfTenant, Tenant
from mailcordon.adapters.cli.commands import holds
from mailcordon.adapters.cli.document import Document, part, texts

app = typer.Typer(
    no_args_is_help=True, help="Tenant x message type: the unit that limits, holds and suppression apply to."
)


@command.remote(app, "list", examples="mailcordon lane list --tenant acme\nmailcordon lane list --state held")
async def list_lanes(
    cli: Cli,
    tenant: OfTenant = None,
    state: Annotated[
        str | None, typer.Option("--state", metavar="STATE", help="Only open, throttled or held ones.")
    ] = None,
    limit: Limit = 200,
) -> None:
    """List lanes with their state and backlog."""
    found = await cli.api.items(path("lanes"), {"tenant": tenant, "state": state}, limit=limit)
    cli.answer(found, lane_table(found["items"]), *show.more(found))


@command.remote(app, "show", examples="mailcordon lane show acme newsletter")
async def show_lane(
    cli: Cli, tenant: Tenant, type_: Annotated[str, typer.Argument(metavar="TYPE", help="The message type.")]
) -> None:
    """Show one lane: its state and every hold behind it, its route, and what it still shares."""
    cli.answer(found := await cli.api.get(path("tenants", tenant, "lanes", type_)), lane_view(found))


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
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="The message type.")],
    because: Because,
    rate: Annotated[
        float | None,
        typer.Option("--rate", min=0.001, metavar="N", help="Deliveries a second; to stop it, cordon it."),
    ] = None,
    no_limit: Annotated[bool, typer.Option("--no-limit", help="Take the lane's own limit away.")] = False,
) -> None:
    """Set how fast a lane may send, or take its limit away."""
    if (rate is None) == (not no_limit):
        raise failures.usage("say either --rate N or --no-limit")
    found = await cli.api.call(
        "PATCH", path("tenants", tenant, "lanes", type_), body={"rate": rate, "because": because}
    )
    cli.answer(found, lane_view(found))


def lane_table(items: list[Document], *, with_tenant: bool = True) -> RenderableType:
    columns = ["type", "class", "state", "from domain", "configuration set", "rate", "waiting", "oldest"]
    rows: list[list[object]] = []
    for lane in items:
        route, backlog = part(lane, "route"), part(lane, "backlog")
        rate = lane.get("rate")
        rows.append(
            [
                lane.get("type"),
                lane.get("class"),
                lane.get("state"),
                route.get("domain"),
                route.get("configuration_set"),
                "no limit" if rate is None else f"{rate:g}/s",
                backlog.get("deliveries", 0),
                show.when(backlog.get("oldest_at")),
            ]
        )
    if with_tenant:
        columns = ["tenant", *columns]
        rows = [[lane.get("tenant"), *row] for lane, row in zip(items, rows, strict=True)]
    return show.table(columns, rows)


def lane_view(lane: Document) -> RenderableType:
    route, backlog = part(lane, "route"), part(lane, "backlog")
    views: list[RenderableType] = [
        show.fields(
            [
                ("lane", f"{lane.get('tenant')} / {lane.get('type')} ({lane.get('class')})"),
                ("state", lane.get("state")),
                ("rate", "no limit" if lane.get("rate") is None else f"{lane['rate']:g} a second"),
                (
                    "own rate",
                    "no limit" if lane.get("own_rate") is None else f"{lane['own_rate']:g} a second",
                ),
                ("waiting", show.counted(int(backlog.get("deliveries") or 0), "delivery")),
                ("oldest", show.when(backlog.get("oldest_at"))),
                *((name.replace("_", " "), value) for name, value in route.items()),
            ]
        )
    ]
    if open_holds := lane.get("holds"):
        views += ["", "Holds:", holds.hold_table(open_holds)]
    if shares := texts(lane, "shares_with"):
        views += ["", "Shares:", *(f"  - {show.plain(sentence)}" for sentence in shares)]
    return Group(*views)
