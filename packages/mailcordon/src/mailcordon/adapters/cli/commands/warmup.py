"""`mailcordon warmup`: domains that mailbox providers do not know yet, and how much they may send today."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Tenant
from mailcordon.adapters.cli.document import Document, children
from mailcordon.adapters.cli.text import plain
from mailcordon.messages import cli as messages
from mailcordon.messages import pacing

app = typer.Typer(
    no_args_is_help=True,
    help="Warm-ups: what a new From domain may send to each mailbox provider on each day.",
)


@command.remote(
    app,
    "show",
    examples="mailcordon warmup show acme\nmailcordon warmup show acme news.acme.example --all",
    watchable=True,
)
async def show_warm_ups(
    cli: Cli,
    tenant: Tenant,
    domain: Annotated[
        str | None, typer.Argument(metavar="DOMAIN", help="Only this From domain. Default: all.")
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Also providers at which the domain is warm. Default: without.")
    ] = False,
) -> None:
    """Show the day of each domain's warm-up at each mailbox provider, today's budget, and why it stands there."""
    found = await cli.api.get(path("warm-ups"), {"tenant": tenant, "domain": domain})
    items = [item for item in children(found, "items") if all_ or not item.get("warm")]
    nothing: list[RenderableType] = [] if items else [pacing.nothing_warms_up(tenant)]
    cli.show_result(found, *nothing, *([warm_up_table(items)] if items else []))


def warm_up_table(items: list[Document]) -> RenderableType:
    columns = ("domain", "ip pool", "provider", "day", "mails today", "sent today", "mode", "because")
    return show.table(
        columns,
        [
            (
                item.get("domain"),
                item.get("ip_pool") or pacing.shared_addresses(),
                item.get("provider"),
                pacing.day_of(
                    int(item.get("day") or 0), int(item.get("days") or 0), warm=bool(item.get("warm"))
                ),
                messages.no_limit() if item.get("mails_today") is None else item.get("mails_today"),
                item.get("sent_today"),
                item.get("mode"),
                plain(item.get("sentence") if item.get("slowed") else item.get("because")),
            )
            for item in items
        ],
        drop=("ip pool", "mode", "sent today"),
        prose=("because",),
    )
