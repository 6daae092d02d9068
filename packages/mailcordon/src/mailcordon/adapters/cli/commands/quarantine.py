"""`mailcordon quarantine`: events that could not be attributed."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit
from mailcordon.adapters.cli.document import Document
from mailcordon.adapters.cli.text import plain, when, words

app = typer.Typer(
    no_args_is_help=True, help="Events that could not be attributed to a delivery: list, show, replay."
)
EntryId = Annotated[int, typer.Argument(metavar="ID", help="The id that `quarantine list` shows.")]


@command.remote(app, "list", examples="mailcordon quarantine list --watch 10s", watchable=True)
async def list_quarantine(cli: Cli, limit: Limit = 50) -> None:
    """List the events in quarantine, newest first."""
    found = await cli.api.items(path("quarantine"), limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            str(item.get("id")),
            words(item.get("why")),
            item.get("tenant"),
            item.get("copies"),
            when(item.get("first_received_at")),
            item.get("resolution"),
            item.get("detail"),
        )
        for item in found["items"]
    ]
    table = show.table(
        ("id", "why", "tenant", "copies", "received", "resolution", "detail"),
        rows,
        drop=("copies", "tenant", "resolution", "received"),
        prose=("resolution", "detail"),
    )
    cli.show_result(found, table, *show.more(found))


@command.remote(app, "show", examples="mailcordon quarantine show 3")
async def show_quarantine(cli: Cli, entry: EntryId) -> None:
    """Show one event with the document as SES sent it."""
    found = await cli.api.get(path("quarantine", str(entry)))
    cli.show_result(found, _entry(found), "", plain(found.get("document")))


@command.remote(app, "replay", examples="mailcordon quarantine replay 3")
async def replay_quarantine(cli: Cli, entry: EntryId) -> None:
    """Process one event again, as if it had just arrived. It counts once, however often it is replayed."""
    found = await cli.api.post(path("quarantine", str(entry), "replay"), {})
    cli.show_result(found, _entry(found))


def _entry(found: Document) -> RenderableType:
    facts = [(name, value) for name, value in found.items() if name != "document"]
    return show.fields(
        [(name.replace("_", " "), when(value) if name.endswith("_at") else value) for name, value in facts]
    )
