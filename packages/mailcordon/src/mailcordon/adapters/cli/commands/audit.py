"""`mailcordon audit`: who changed what, when and why."""

import typer

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant
from mailcordon.adapters.cli.text import when

app = typer.Typer()


@command.remote(app, "audit", examples="mailcordon audit --tenant acme --limit 20", watchable=True)
async def audit(cli: Cli, tenant: OfTenant = None, limit: Limit = 50) -> None:
    """Show who changed what, when and why, newest first."""
    found = await cli.api.items(path("audit"), {"tenant": tenant}, limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            when(item.get("at")),
            item.get("actor"),
            item.get("action"),
            item.get("tenant"),
            item.get("object"),
            item.get("because"),
        )
        for item in found["items"]
    ]
    table = show.table(
        ("at", "who", "action", "tenant", "object", "because"),
        rows,
        drop=("tenant", "at", "because"),
        prose=("object", "because"),
    )
    cli.show_result(found, table, *show.more(found))
