"""`mailcordon audit`: who changed what, when and why."""

import typer

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant

app = typer.Typer()


@command.remote(app, "audit", examples="mailcordon audit --tenant acme --limit 20")
async def audit(cli: Cli, tenant: OfTenant = None, limit: Limit = 50) -> None:
    """Show who changed what, when and why, newest first."""
    found = await cli.api.items(path("audit"), {"tenant": tenant}, limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            show.when(item.get("at")),
            item.get("actor"),
            item.get("action"),
            item.get("tenant"),
            item.get("object"),
            item.get("because"),
        )
        for item in found["items"]
    ]
    cli.answer(
        found, show.table(("at", "who", "did", "tenant", "object", "because"), rows), *show.more(found)
    )
