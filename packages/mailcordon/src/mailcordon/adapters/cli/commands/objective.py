"""`mailcordon objective`: what lanes must reach, and how much of their error budgets is left."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant, Tenant
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.text import NONE, plain
from mailcordon.messages import objectives as messages

app = typer.Typer(
    no_args_is_help=True,
    help="Service level objectives of lanes: what was reached, and what may still go wrong.",
)
Type = Annotated[str, typer.Argument(metavar="TYPE", help="The message type.")]


@command.remote(
    app,
    "list",
    examples="mailcordon objective list --tenant acme\nmailcordon objective list --type newsletter --json",
    watchable=True,
)
async def list_objectives(
    cli: Cli,
    tenant: OfTenant = None,
    type_: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only this message type. Default: all.")
    ] = None,
    limit: Limit = 200,
) -> None:
    """List the objectives of lanes: delivered share, time to delivery, bounces and complaints, with their error budgets."""
    found = await cli.api.items(path("objectives"), {"tenant": tenant, "type": type_}, limit=limit)
    cli.show_result(found, objective_table(children(found, "items")), *show.more(found))


@command.remote(app, "show", examples="mailcordon objective show acme newsletter", watchable=True)
async def show_objectives(cli: Cli, tenant: Tenant, type_: Type) -> None:
    """Show the objectives of one lane, what was reached, and how fast the budgets go."""
    found = await cli.api.get(path("tenants", tenant, "lanes", type_, "objectives"))
    cli.show_result(found, *objective_sentences(found), "", burn_table(found))


def objective_sentences(lane: Document) -> list[RenderableType]:
    return [show.bullet(plain(item.get("detail"))) for item in children(lane, "objectives")]


def objective_table(lanes: list[Document]) -> RenderableType:
    columns = ("tenant", "type", "provider", "asks", "bad", "of", "budget spent", "standing")
    rows = [
        (
            lane.get("tenant"),
            lane.get("type"),
            item.get("provider") or NONE,
            item.get("asks"),
            item.get("bad"),
            f"{float(item.get('mails') or 0):,.0f}",
            messages.spent_share(float(item.get("budget_spent") or 0)),
            item.get("standing"),
        )
        for lane in lanes
        for item in children(lane, "objectives")
    ]
    return show.table(columns, rows, drop=("provider", "of", "bad"), prose=())


def burn_table(lane: Document) -> RenderableType:
    """Times the allowed share that each window has: above 1 the budget would not last."""
    rows: list[tuple[object, ...]] = []
    for item in children(lane, "objectives"):
        burns = child(item, "burns")
        rows.append(
            (
                item.get("goal"),
                item.get("provider") or NONE,
                *(
                    messages.burn_rate(float(child(burns, pace).get("rate") or 0))
                    for pace in ("fast", "slow", "steady")
                ),
                item.get("standing"),
            )
        )
    return show.table(
        ("goal", "provider", "burn 1 h", "burn 6 h", "burn 3 d", "standing"),
        rows,
        drop=("provider",),
        prose=(),
    )
