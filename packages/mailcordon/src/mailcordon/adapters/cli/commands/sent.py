"""`mailcordon sent`: the local SES's ledger."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.command import Cli
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.text import when

app = typer.Typer()


@command.remote(
    app,
    "sent",
    examples="mailcordon sent --limit 5\nmailcordon sent --to kim@example.com --watch",
    watchable=True,
)
async def sent(
    cli: Cli,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="ADDRESS", help="Only mail to this address. Default: all."),
    ] = None,
    tenant_key: Annotated[
        str | None,
        typer.Option(
            "--ses-tenant", metavar="KEY", help="Only mail of this SES tenant (mc-...). Default: all."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=1000, help="Show at most N mails.")
    ] = 20,
) -> None:
    """Show what the local SES accepted, newest first: its ledger, not our records."""
    ses = cli.local_ses("sent")
    try:
        found = await ses.sent(recipient=to, tenant=tenant_key, limit=limit)
    finally:
        await ses.close()
    cli.show_result(found, sent_table(found))


def sent_table(found: Document) -> RenderableType:
    return show.table(
        ("at", "ses tenant", "configuration set", "from", "to", "subject", "outcome"),
        [
            (
                when(item.get("at")),
                item.get("tenant"),
                item.get("configuration_set"),
                item.get("from"),
                item.get("recipients"),
                item.get("subject"),
                [fate.get("fate") for fate in child(item, "fates").values()],
            )
            for item in children(found, "sent")
        ],
        drop=("configuration set", "ses tenant", "from", "at"),
        prose=("subject", "to"),
    )
