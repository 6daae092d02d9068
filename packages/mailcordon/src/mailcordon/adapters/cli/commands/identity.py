"""`mailcordon identity`: domains that tenants send from, and their DNS records."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant
from mailcordon.adapters.cli.document import Document, parts

app = typer.Typer(
    no_args_is_help=True, help="Domains that tenants send from, and the DNS records to publish."
)


@command.remote(app, "list", examples="mailcordon identity list --tenant acme")
async def list_identities(cli: Cli, tenant: OfTenant = None, limit: Limit = 200) -> None:
    """List domains and how far each is verified."""
    found = await cli.api.items(path("identities"), {"tenant": tenant}, limit=limit)
    rows: list[tuple[object, ...]] = [
        (item.get("tenant"), item.get("domain"), item.get("status"), show.when(item.get("checked_at")))
        for item in found["items"]
    ]
    cli.answer(found, show.table(("tenant", "domain", "status", "checked"), rows), *show.more(found))


@command.remote(app, "show", examples="mailcordon identity show mail.acme.example")
async def show_identity(
    cli: Cli, domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain mail is from.")]
) -> None:
    """Show one domain and the DNS records its owner must publish."""
    found = await cli.api.get(path("identities", domain))
    about = show.fields(
        [(name.replace("_", " "), value) for name, value in found.items() if name != "records"]
    )
    cli.answer(found, about, "", "DNS records to publish:", record_table(parts(found, "records")))


def record_table(records: list[Document]) -> RenderableType:
    return show.table(
        ("type", "name", "value"),
        [(item.get("type"), item.get("name"), item.get("value")) for item in records],
    )
