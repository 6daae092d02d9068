"""`mailcordon identity`: the domains that tenants send from, and their DNS records."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant
from mailcordon.adapters.cli.document import Document, children
from mailcordon.adapters.cli.text import when
from mailcordon.messages import cli as messages

app = typer.Typer(
    no_args_is_help=True, help="Domains that tenants send from, and the DNS records to publish."
)


@command.remote(app, "list", examples="mailcordon identity list --tenant acme", watchable=True)
async def list_identities(cli: Cli, tenant: OfTenant = None, limit: Limit = 200) -> None:
    """List domains and whether each is verified."""
    found = await cli.api.items(path("identities"), {"tenant": tenant}, limit=limit)
    rows: list[tuple[object, ...]] = [
        (item.get("tenant"), item.get("domain"), item.get("status"), when(item.get("checked_at")))
        for item in found["items"]
    ]
    columns = ("tenant", "domain", "status", "checked")
    cli.show_result(found, show.table(columns, rows, drop=("checked", "tenant")), *show.more(found))


@command.remote(app, "show", examples="mailcordon identity show mail.acme.example", watchable=True)
async def show_identity(
    cli: Cli, domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain of From addresses.")]
) -> None:
    """Show one domain and the DNS records that its owner must publish."""
    found = await cli.api.get(path("identities", domain))
    about = show.fields(
        [
            ("domain", found.get("domain")),
            ("tenant", found.get("tenant")),
            ("status", found.get("status")),
            ("created", when(found.get("created_at"))),
            ("checked", when(found.get("checked_at"))),
        ]
    )
    cli.show_result(found, about, "", messages.records_heading(), record_table(children(found, "records")))


def record_table(records: list[Document]) -> RenderableType:
    return show.table(
        ("type", "name", "value"),
        [(item.get("type"), item.get("name"), item.get("value")) for item in records],
        stack=True,
    )
