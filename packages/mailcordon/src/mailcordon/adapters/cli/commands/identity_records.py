"""`mailcordon identity records`: the DNS records to publish for a domain, for people, for DNS consoles and as a zone file."""

from typing import Annotated, Literal

import typer
from rich.console import RenderableType
from rich.text import Text

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli
from mailcordon.adapters.cli.commands import identity
from mailcordon.adapters.cli.document import Document, children
from mailcordon.adapters.cli.text import plain
from mailcordon.messages import identities as words

app = typer.Typer()  # its commands are part of `mailcordon identity`

Format = Annotated[
    Literal["table", "zone", "json"],
    typer.Option("--format", help="A table, a zone file to import, or JSON (same as --json)."),
]
Names = Annotated[
    Literal["absolute", "relative"] | None,
    typer.Option(
        "--names",
        help="Whole names, or names relative to the zone, as many DNS consoles want them."
        " Default: absolute in the table, relative in the zone file.",
    ),
]
Zone = Annotated[
    str | None,
    typer.Option(
        "--zone",
        metavar="DOMAIN",
        help="The DNS zone that relative names are relative to. Default: the registrable domain.",
    ),
]
Rua = Annotated[
    str | None,
    typer.Option(
        "--rua",
        metavar="ADDRESS",
        help="Where the proposed DMARC record asks for reports. Default: it asks for none.",
    ),
]


@command.remote(
    app,
    "records",
    examples="""
mailcordon identity records mail.acme.example
mailcordon identity records mail.acme.example --names relative
mailcordon identity records mail.acme.example --format zone
""",
)
async def show_records(
    cli: Cli,
    domain: identity.Domain,
    format: Format = "table",
    names: Names = None,
    zone: Zone = None,
    rua: Rua = None,
) -> None:
    """List the DNS records to publish for a domain: DKIM, MAIL FROM with SPF, and a DMARC proposal."""
    query = {"zone": zone, "rua": rua, "names": names or "relative"}
    found = await cli.api.get(path("identities", domain, "records"), query)
    if format == "json":
        cli.json = True
    if format == "zone":
        # The terminal breaks long lines, not we: a selection has no line break in it.
        text = Text(str(found.get("zone_file")).rstrip("\n"), no_wrap=True, overflow="ignore")
        cli.show_result(found, text)
    else:
        heading = words.records_of(plain(found.get("domain")))
        cli.show_result(found, heading, record_table(found, relative=names == "relative"))
    if not found.get("complete"):
        cli.note(words.no_dkim_records_yet(plain(found.get("domain"))))


def record_table(found: Document, *, relative: bool) -> RenderableType:
    member = "relative" if relative else "name"
    rows = [
        (item.get("type"), item.get(member), item.get("value"), _why(item))
        for item in children(found, "records")
    ]
    return show.table(("type", "name", "value", "for"), rows, drop=("for",), prose=("for",), stack=True)


def _why(record: Document) -> str:
    return plain(record.get("note") or words.record_is_for(plain(record.get("purpose"))))
