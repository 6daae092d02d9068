"""`mailcordon quarantine`: events that could not be attributed."""

from typing import Annotated, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OptionalBecause
from mailcordon.adapters.cli.document import Document, children
from mailcordon.adapters.cli.text import plain, when, words
from mailcordon.messages import cli as messages

app = typer.Typer(
    no_args_is_help=True, help="Events that could not be attributed to a delivery: list, show, replay."
)
Why = Annotated[
    Literal["malformed", "unverified", "ungoverned", "disagreement", "unknown-delivery", "double"] | None,
    typer.Option("--why", help="Only entries of this kind. Default: all."),
]
EntryId = Annotated[int, typer.Argument(metavar="ID", help="The id that `quarantine list` shows.")]


@command.remote(
    app,
    "list",
    examples="mailcordon quarantine list --watch 10s\nmailcordon quarantine list --why ungoverned",
    watchable=True,
)
async def list_quarantine(cli: Cli, why: Why = None, limit: Limit = 50) -> None:
    """List the events in quarantine, newest first.

    Mail that did not pass through Mailcordon has one entry for each identity, caller and day."""
    found = await cli.api.items(path("quarantine"), {"why": why}, limit=limit)
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
    missing = [
        messages.quarantine_not_kept(
            why=str(kind["why"]), documents=int(kind["not_kept"]), of=int(kind["documents"])
        )
        for kind in children(found, "kinds")
        if kind.get("not_kept")
    ]
    cli.show_result(found, table, *show.more(found), *missing)


@command.remote(app, "show", examples="mailcordon quarantine show 3")
async def show_quarantine(cli: Cli, entry: EntryId) -> None:
    """Show one event with the document as SES sent it."""
    found = await cli.api.get(path("quarantine", str(entry)))
    documents = [found.get("document"), *(found.get("samples") or ())]
    cli.show_result(found, _entry(found), *[part for one in documents for part in ("", plain(one))])


@command.remote(
    app,
    "replay",
    examples="""
mailcordon quarantine replay 3
mailcordon quarantine replay 3 --because "the certificate is here now"
""",
)
async def replay_quarantine(cli: Cli, entry: EntryId, because: OptionalBecause = None) -> None:
    """Process one event again, as if it had just arrived. It counts once, however often it is replayed."""
    query = {"because": because}
    found = await cli.api.call("POST", path("quarantine", str(entry), "replay"), query=query)
    cli.show_result(found, _entry(found))


def _entry(found: Document) -> RenderableType:
    facts = [(name, value) for name, value in found.items() if name not in ("document", "samples")]
    return show.fields(
        [(name.replace("_", " "), when(value) if name.endswith("_at") else value) for name, value in facts]
    )
