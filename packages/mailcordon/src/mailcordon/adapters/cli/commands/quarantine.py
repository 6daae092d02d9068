"""`mailcordon quarantine`: events that could not be attributed."""

from typing import Annotated

import typer

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit

app = typer.Typer(no_args_is_help=True, help="Events that could not be attributed: kept, never guessed.")

EntryId = Annotated[int, typer.Argument(metavar="ID", help="As `quarantine list` shows it.")]


@command.remote(app, "list", examples="mailcordon quarantine list")
async def list_quarantine(cli: Cli, limit: Limit = 50) -> None:
    """List events that were kept because they could not be attributed."""
    found = await cli.api.items(path("quarantine"), limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            str(item.get("id")),
            item.get("why"),
            item.get("tenant"),
            item.get("copies"),
            show.when(item.get("first_received_at")),
            item.get("resolution"),
            item.get("detail"),
        )
        for item in found["items"]
    ]
    columns = ("id", "why", "tenant", "copies", "received", "resolution", "detail")
    cli.answer(found, show.table(columns, rows), *show.more(found))


@command.remote(app, "show", examples="mailcordon quarantine show 3")
async def show_quarantine(cli: Cli, entry: EntryId) -> None:
    """Show one entry with the document as it came."""
    found = await cli.api.get(path("quarantine", str(entry)))
    about = show.fields(
        [(name.replace("_", " "), value) for name, value in found.items() if name != "document"]
    )
    cli.answer(found, about, "", show.plain(found.get("document")))


@command.remote(app, "replay", examples="mailcordon quarantine replay 3")
async def replay_quarantine(cli: Cli, entry: EntryId) -> None:
    """Try one entry again, as if it had just come. It counts once, however often it is replayed."""
    found = await cli.api.post(path("quarantine", str(entry), "replay"), {})
    cli.answer(
        found,
        show.fields([(name.replace("_", " "), value) for name, value in found.items() if name != "document"]),
    )
