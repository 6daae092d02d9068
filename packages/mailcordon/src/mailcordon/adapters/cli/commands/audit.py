"""`mailcordon audit`: who changed what, when and why; and one tenant's part of it with its proof.

`audit verify` is of `run/`: it asks the database, not the API.
"""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated

import typer

from mailcordon.adapters.cli import command, failures, report, show
from mailcordon.adapters.cli.client import Client, path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant
from mailcordon.adapters.cli.document import Document
from mailcordon.adapters.cli.text import when
from mailcordon.messages import audit, document
from mailcordon.messages import cli as messages

PART = 500  #: rows of the chain that one line of an export covers


def group() -> typer.Typer:
    app = typer.Typer(
        cls=command.ListUnlessNamed,
        help="Show who changed what, when and why, and prove it. Without a command: list, newest first.",
    )
    command.remote(
        app,
        command.LIST,
        examples="mailcordon audit list --tenant acme --limit 20",
        watchable=True,
    )(list_rows)
    command.remote(
        app,
        "export",
        examples="""
mailcordon audit export --tenant acme -f acme.jsonl
mailcordon audit export --tenant acme | gzip > acme.jsonl.gz
""",
    )(export)
    return app


async def list_rows(
    cli: Cli,
    tenant: OfTenant = None,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="TEXT", help="A part of who did it. Default: anybody.")
    ] = None,
    action: Annotated[
        str | None,
        typer.Option("--action", metavar="TEXT", help="How the action begins: hold. Default: any."),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option("--text", metavar="TEXT", help="A part of the object or the reason. Default: any."),
    ] = None,
    limit: Limit = 50,
) -> None:
    """Show who changed what, when and why, newest first."""
    asked = {"tenant": tenant, "actor": actor, "action": action, "text": text}
    found = await cli.api.items(path("audit"), asked, limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            when(item.get("at")),
            item.get("actor"),
            item.get("action"),
            item.get("tenant"),
            item.get("object"),
            item.get("because"),
        )
        for item in found["items"]
    ]
    table = show.table(
        ("at", "who", "action", "tenant", "object", "because"),
        rows,
        drop=("tenant", "at", "because"),
        prose=("object", "because"),
    )
    cli.show_result(found, table, *show.more(found))


async def export(
    cli: Cli,
    tenant: OfTenant = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="FILE", help="Where to write it. Default: standard output."),
    ] = None,
) -> None:
    """Write one tenant's rows with the proof that they are as they were written.

    Of all other rows it has digests only, which tell nothing. `mailcordon audit verify --export FILE` checks it, without a server
    or a database.
    """
    if file is None:
        if cli.json:
            raise failures.usage(document.export_needs_file())
        async for part in _parts(cli.api, tenant):
            report.print_json(part, one_line=True)
        return
    own, rows = 0, 0
    try:
        with open(file, "w", encoding="utf-8") as target:
            async for part in _parts(cli.api, tenant):
                target.write(json.dumps(part, ensure_ascii=False) + "\n")
                own, rows = own + len(part["rows"]), rows + len(part["digests"])
    except OSError as error:
        raise failures.Failure(
            failures.Exit.REFUSED, messages.cannot_write(file=str(file), why=error.strerror or ""), "no-file"
        ) from None
    cli.show_result(
        {"file": str(file), "own_rows": own, "rows": rows},
        audit.audit_exported(file=str(file), own=own, rows=rows),
    )


async def _parts(api: Client, tenant: str | None) -> AsyncGenerator[Document]:
    after: int | None = 0
    while after is not None:
        part = await api.get(path("audit", "proof"), {"tenant": tenant, "after": after, "limit": PART})
        yield part
        after = part.get("next")
