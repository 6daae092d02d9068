"""`mailcordon suppression import` and `export`: suppressions as CSV."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Class, Cli, OfTenant
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.text import plain
from mailcordon.core import address, suppression_csv
from mailcordon.messages import cli as messages
from mailcordon.messages import suppressions as sentences

FormName = Literal["mailcordon", "ses", "mailchimp", "sendgrid", "postmark", "plain"]
_ALL = 10_000_000  #: more suppressions than a tenant can have


def register(app: typer.Typer) -> None:
    command.remote(
        app,
        "import",
        examples="""
mailcordon suppression import bounces.csv --tenant acme \\
    --because "from SendGrid" --dry-run
mailcordon suppression import unsubscribed.csv --tenant acme \\
    --because "from Mailchimp" --type newsletter
""",
    )(import_file)
    command.remote(
        app,
        "export",
        examples="""
mailcordon suppression export --tenant acme | gzip > acme.csv.gz
mailcordon suppression export --tenant acme --form ses -f acme-ses.csv
""",
    )(export)


async def import_file(
    cli: Cli,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A CSV file; - is stdin.")],
    because: Because,
    tenant: OfTenant = None,
    form: Annotated[
        FormName | None, typer.Option("--form", help="Whose file it is. Default: its header says so.")
    ] = None,
    class_: Annotated[
        Class | None,
        typer.Option("--class", help="The class that complaints and unsubscribes cover. Default: marketing."),
    ] = None,
    type_: Annotated[
        str | None,
        typer.Option(
            "--type", metavar="TYPE", help="The message type that unsubscribes cover. Default: the class."
        ),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Import the other lines although some cannot be read.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what it would do, and change nothing.")
    ] = False,
) -> None:
    """Import addresses that must not be mailed, all of the file or nothing. Files of SES, Mailchimp, SendGrid and Postmark are
    known by their header; bounces cover all of the tenant's mail, complaints and unsubscribes a class."""
    body: Document = {
        "text": _read(file),
        "because": because,
        "tenant": tenant,
        "form": form,
        "class": class_,
        "type": type_,
        "skip_bad": skip_bad,
        "dry_run": dry_run,
    }
    with cli.progress(messages.reading_file(file=file)):
        found = await cli.api.post(
            path("suppressions", "import"), {name: value for name, value in body.items() if value is not None}
        )
    cli.show_result(found, *_imported(found))


def _read(file: str) -> str:
    try:
        raw = sys.stdin.buffer.read(suppression_csv.MOST_BYTES + 1) if file == "-" else _of(Path(file))
    except OSError as error:
        raise failures.usage(sentences.file_unreadable(file, error.strerror or str(error))) from None
    if len(raw) > suppression_csv.MOST_BYTES:
        raise failures.usage(sentences.file_too_large(suppression_csv.MOST_BYTES))
    return raw.decode("utf-8", errors="replace")


def _of(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(suppression_csv.MOST_BYTES + 1)


def _imported(found: Document) -> list[RenderableType]:
    views: list[RenderableType] = [plain(found.get("detail"))]
    views += [plain(f"{number} left out: {why}") for why, number in child(found, "left_out").items()]
    if bad := children(found, "bad"):
        rows: list[tuple[object, ...]] = [(item.get("line"), item.get("reason")) for item in bad]
        views += ["", show.table(("line", "cannot be read"), rows)]
    return views


async def export(
    cli: Cli,
    tenant: OfTenant = None,
    form: Annotated[
        Literal["mailcordon", "ses"],
        typer.Option("--form", help="mailcordon: all that is known; ses: for an import job of SES."),
    ] = "mailcordon",
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="The file to write. Default: stdout.")
    ] = None,
) -> None:
    """Write a tenant's suppressions in force as CSV (RFC 4180). Cells that a spreadsheet would take for a formula begin with an
    apostrophe, which import takes off again."""
    found = await cli.api.items(path("suppressions"), {"tenant": tenant}, limit=_ALL)
    rows, left_out = _rows(found["items"], form)
    header = suppression_csv.COLUMNS if form == "mailcordon" else ("EmailAddress", "Reason")
    text = suppression_csv.written([header, *rows])
    document = {
        "form": form,
        "file": None if file is None else str(file),
        "rows": len(rows),
        "left_out": left_out,
    }
    if file is not None:
        try:
            file.write_bytes(text.encode())
        except OSError as error:
            raise failures.usage(sentences.file_unwritable(str(file), error.strerror or str(error))) from None
    elif cli.json:
        document["text"] = text
    else:
        show.write(sys.stdout, text)
    cli.show_result(document)
    if left_out:
        cli.note(sentences.not_exported(left_out))


def _rows(items: list[Document], form: str) -> tuple[list[tuple[str, ...]], int]:
    """The rows, and how many suppressions cannot be in a file of this form."""
    if form == "mailcordon":
        return [tuple(str(item.get(name) or "") for name in suppression_csv.COLUMNS) for item in items], 0
    rows: dict[str, tuple[str, ...]] = {}
    left_out = 0
    for item in items:
        to = str(item.get("address") or "")
        if to == address.ERASED or suppression_csv.guarded(to) != to:
            left_out += 1
        elif item.get("scope") != "tenant":
            rows.setdefault(to, (to, "COMPLAINT"))  # SES's entries for complaints cover marketing classes
        else:
            rows[to] = (to, "BOUNCE")
    return list(rows.values()), left_out
