"""`mailcordon stops`: what SES refuses, for whom, and when it is tested next."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant
from mailcordon.adapters.cli.document import Document
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import cli as messages

app = typer.Typer(
    no_args_is_help=True, help="Stops: what SES refuses, for whom, and what ends it. Each ends by itself."
)


@command.remote(
    app,
    "list",
    examples="mailcordon stops list --open\nmailcordon stops list --tenant acme --watch",
    watchable=True,
)
async def list_stops(
    cli: Cli,
    tenant: OfTenant = None,
    open_: Annotated[
        bool | None,
        typer.Option("--open/--ended", help="Only open stops, or only ended ones. Default: both."),
    ] = None,
    limit: Limit = 200,
) -> None:
    """List stops, newest first. `uncordon --owner ses` ends those of a tenant."""
    is_open = None if open_ is None else str(open_).lower()
    found = await cli.api.items(path("stops"), {"tenant": tenant, "open": is_open}, limit=limit)
    cli.show_result(found, stop_table(found["items"]), *show.more(found))


def stop_table(items: list[Document]) -> RenderableType:
    return show.table(
        ("id", "state", "scope", "name", "cause", "since", "refused", "next test", "because"),
        [
            (
                str(stop.get("id")),
                messages.stop_ended() if stop.get("ended_at") else messages.stop_open(),
                stop.get("scope"),
                _name(stop),
                stop.get("cause"),
                when(stop.get("since")),
                str(stop.get("hits") or 0),
                when(stop.get("next_probe_at")),
                _because(stop),
            )
            for stop in items
        ],
        drop=("refused", "cause", "since", "next test", "scope"),
        prose=("because",),
    )


def _name(stop: Document) -> str:
    """A lane is named by tenant and type, as `lane list` names it."""
    if stop.get("scope") == "lane" and stop.get("tenant") and stop.get("type"):
        return f"{stop['tenant']} {stop['type']}"
    return str(stop.get("name"))


def _because(stop: Document) -> str:
    """What is refused, in our words and SES's, and how it ended."""
    said, ended = (plain(stop[name]) if stop.get(name) else "" for name in ("said", "ended_because"))
    return messages.stop_because(because=plain(stop.get("because")), said=said, ended=ended)
