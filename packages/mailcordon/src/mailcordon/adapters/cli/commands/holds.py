"""`mailcordon holds`: the list of holds, and how a hold is shown."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant
from mailcordon.adapters.cli.document import Document

app = typer.Typer(no_args_is_help=True, help="Reasons that stop or slow mail, each with its owner.")


@command.remote(app, "list", examples="mailcordon holds list --tenant acme")
async def list_holds(
    cli: Cli,
    tenant: OfTenant = None,
    open_: Annotated[
        bool | None, typer.Option("--open/--lifted", help="Only open ones, or only lifted ones; else both.")
    ] = None,
    limit: Limit = 200,
) -> None:
    """List holds, newest first."""
    is_open = None if open_ is None else str(open_).lower()
    found = await cli.api.items(path("holds"), {"tenant": tenant, "open": is_open}, limit=limit)
    cli.answer(found, hold_table(found["items"]), *show.more(found))


def hold_table(items: list[Document]) -> RenderableType:
    return show.table(
        ("id", "what", "stops", "owner", "by", "since", "until", "lifted", "because"),
        [
            (
                str(hold.get("id")),
                hold_target(hold),
                "stops" if hold.get("stops", True) else f"slows to {hold.get('rate'):g}/s",
                hold.get("owner"),
                hold.get("by"),
                show.when(hold.get("since")),
                show.when(hold.get("until")),
                show.when(hold.get("lifted_at")),
                hold.get("because"),
            )
            for hold in items
        ],
    )


def hold_target(hold: Document) -> str:
    """`acme, class marketing, provider gmail`."""
    names = ("class", "type", "provider", "campaign", "list")
    narrowed = [f"{name} {show.plain(hold[name])}" for name in names if hold.get(name)]
    return ", ".join([show.plain(hold.get("tenant")), *(narrowed or ["everything"])])


def hold_words(hold: Document) -> str:
    until = f" until {show.when(hold['until'])}" if hold.get("until") else ""
    verb = "held" if hold.get("stops", True) else "slowed"
    return (
        f"{hold_target(hold)} {verb} by {show.plain(hold.get('owner'))} ({show.plain(hold.get('by'))}) since "
        f"{show.when(hold.get('since'))}{until}: {show.plain(hold.get('because'))} [hold {hold.get('id')}]"
    )
