"""`mailcordon sent`: the local SES's ledger."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.command import Cli
from mailcordon.adapters.cli.document import Document, part, parts

app = typer.Typer()


@command.remote(app, "sent", examples="mailcordon sent --limit 5\nmailcordon sent --to kim@example.com")
async def sent(
    cli: Cli,
    to: Annotated[
        str | None, typer.Option("--to", metavar="ADDRESS", help="Only mail to this address.")
    ] = None,
    tenant_key: Annotated[
        str | None, typer.Option("--ses-tenant", metavar="KEY", help="Only mail of this SES tenant (mc-...).")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Show at most so many.")] = 20,
) -> None:
    """Show what the local SES really accepted, newest first: its ledger, not our records."""
    ses = cli.local_ses("`mailcordon sent`")
    try:
        found = await ses.sent(recipient=to, tenant=tenant_key, limit=limit)
    finally:
        await ses.close()
    cli.answer(found, sent_table(found))


def sent_table(found: Document) -> RenderableType:
    return show.table(
        ("at", "ses tenant", "configuration set", "from", "to", "subject", "fate"),
        [
            (
                show.epoch(item.get("at")),
                item.get("tenant"),
                item.get("configuration_set"),
                item.get("from"),
                item.get("recipients"),
                item.get("subject"),
                [fate.get("fate") for fate in part(item, "fates").values()],
            )
            for item in parts(found, "sent")
        ],
    )
