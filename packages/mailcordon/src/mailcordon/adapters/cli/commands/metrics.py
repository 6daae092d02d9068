"""`mailcordon metrics`: counts and rates of what left and what came back."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant
from mailcordon.adapters.cli.document import Document

app = typer.Typer()

_COUNTS = (
    "sent",
    "delivered",
    "hard_bounced",
    "soft_bounced",
    "complained",
    "delayed",
    "rejected",
    "suppressed_at_ses",
)


@command.remote(
    app,
    "metrics",
    examples="""
mailcordon metrics --tenant acme
mailcordon metrics --tenant acme --by provider --minutes 1440
mailcordon metrics --tenant acme --type newsletter --by minute
""",
)
async def metrics(
    cli: Cli,
    tenant: OfTenant = None,
    type_: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only this message type.")
    ] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", metavar="NAME", help="Only this mailbox provider.")
    ] = None,
    minutes: Annotated[
        int, typer.Option("--minutes", min=1, help="How far back, by the minute the mail left.")
    ] = 60,
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="A line for each lane, provider or minute.")
    ] = "lane",
    limit: Limit = 200,
) -> None:
    """Count what left and what came back, with the rates that mailbox providers judge by."""
    query: Document = {"tenant": tenant, "type": type_, "provider": provider, "minutes": minutes, "by": by}
    found = await cli.api.items(path("metrics"), query, limit=limit)
    cli.answer(found, metric_table(found["items"]), *show.more(found))


def metric_table(items: list[Document]) -> RenderableType:
    """Whatever the lines are by comes first, then counts, then rates of what was sent."""
    names = [
        name
        for name in ("minute", "tenant", "type", "class", "provider")
        if any(item.get(name) is not None for item in items)
    ]
    return show.table([*names, "sent", "delivered", "hard", "soft", "complained", "delivered %", "bounce %", "complaint %"], [
        [*(show.when(item[name]) if name == "minute" else item.get(name) for name in names), *_counts(item)] for item in items
    ])  # fmt: skip


def _counts(item: Document) -> Iterable[object]:
    sent, delivered, hard, soft, complained = (int(item.get(name) or 0) for name in _COUNTS[:5])
    yield from (sent, delivered, hard, soft, complained)
    yield show.percent(delivered, sent)
    yield show.percent(hard, sent)
    # A complaint is measured against what reached an inbox: that is what mailbox providers do.
    yield show.percent(complained, delivered)
