"""`mailcordon metrics`: counts and rates of sent mail and its outcomes."""

from collections.abc import Iterable
from typing import Annotated, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant
from mailcordon.adapters.cli.document import Document
from mailcordon.adapters.cli.text import percent, when
from mailcordon.messages import cli as messages

app = typer.Typer()

_COUNTS = ("sent", "delivered", "hard_bounced", "soft_bounced", "complained")


@command.remote(
    app,
    "metrics",
    examples="""
mailcordon metrics --tenant acme --watch 5s
mailcordon metrics --tenant acme --by provider --last 1d
mailcordon metrics --tenant acme --type newsletter --by minute
""",
    watchable=True,
)
async def metrics(
    cli: Cli,
    tenant: OfTenant = None,
    type_: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only this message type. Default: all.")
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option("--provider", metavar="NAME", help="Only this mailbox provider. Default: all."),
    ] = None,
    last: Annotated[
        float | None,
        command.duration_option(
            "--last", minimum=60, help="Mail sent within this time, in whole minutes. Default: 1h."
        ),
    ] = None,
    minutes: Annotated[
        int | None,
        typer.Option("--minutes", metavar="N", min=1, help="The same in minutes. Default: 60.", hidden=True),
    ] = None,
    by: Annotated[
        Literal["lane", "provider", "minute"], typer.Option("--by", help="One line for each of these.")
    ] = "lane",
    limit: Limit = 200,
) -> None:
    """Show counts of sent mail and its outcomes, with the rates that mailbox providers judge by.

    Each mail counts in the minute it was sent.
    """
    if last is not None and minutes is not None:
        raise failures.usage(messages.not_both(one="--last", other="--minutes"))
    span = minutes or (int(last // 60) if last is not None else 60)
    query: Document = {"tenant": tenant, "type": type_, "provider": provider, "minutes": span, "by": by}
    found = await cli.api.items(path("metrics"), query, limit=limit)
    cli.show_result(found, metric_table(found["items"]), *show.more(found))


def metric_table(items: list[Document]) -> RenderableType:
    """What each line is by, then counts, then rates."""
    names = [
        name
        for name in ("minute", "tenant", "type", "class", "provider")
        if any(item.get(name) is not None for item in items)
    ]
    columns = (
        *names,
        "sent",
        "delivered",
        "hard",
        "soft",
        "complained",
        "delivered %",
        "bounce %",
        "complaint %",
    )
    rows = [
        [*(when(item[name]) if name == "minute" else item.get(name) for name in names), *_counts(item)]
        for item in items
    ]
    drop = [name for name in ("class", "tenant", "delivered %", "soft") if name in columns]
    return show.table(columns, rows, drop=[*drop, "delivered", "hard", "complained"])


def _counts(item: Document) -> Iterable[object]:
    sent, delivered, hard, soft, complained = (int(item.get(name) or 0) for name in _COUNTS)
    yield from (sent, delivered, hard, soft, complained)
    yield percent(delivered, sent)
    yield percent(hard, sent)
    # Mailbox providers measure complaints against what reached an inbox.
    yield percent(complained, delivered)
