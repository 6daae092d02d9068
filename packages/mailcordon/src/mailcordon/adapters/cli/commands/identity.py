"""`mailcordon identity`: the domains that tenants send from, and their DNS records."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, OfTenant, Yes
from mailcordon.adapters.cli.commands import change
from mailcordon.adapters.cli.document import Document, children, strings
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import cli as messages

app = typer.Typer(
    no_args_is_help=True, help="Domains that tenants send from, and the DNS records to publish."
)

Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain of From addresses.")]


@command.remote(app, "list", examples="mailcordon identity list --tenant acme", watchable=True)
async def list_identities(cli: Cli, tenant: OfTenant = None, limit: Limit = 200) -> None:
    """List domains and whether each is verified."""
    found = await cli.api.items(path("identities"), {"tenant": tenant}, limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            item.get("tenant"),
            item.get("domain"),
            _status(item),
            "shared, not isolated" if item.get("shared") else "isolated",
            when(item.get("checked_at")),
        )
        for item in found["items"]
    ]
    columns = ("tenant", "domain", "status", "isolation", "checked")
    cli.show_result(
        found, show.table(columns, rows, drop=("checked", "tenant", "isolation")), *show.more(found)
    )


@command.remote(app, "show", examples="mailcordon identity show mail.acme.example", watchable=True)
async def show_identity(cli: Cli, domain: Domain) -> None:
    """Show one domain and the DNS records that its owner must publish."""
    found = await cli.api.get(path("identities", domain))
    about = show.fields(
        [
            ("domain", found.get("domain")),
            ("tenant", found.get("tenant")),
            ("status", _status(found)),
            ("created", when(found.get("created_at"))),
            ("checked", when(found.get("checked_at"))),
            *([("lapsed", when(found["lapsed_at"]))] if found.get("lapsed_at") else []),
            ("claim", claim_word(found)),
            *(("shares", sentence) for sentence in strings(found, "shares")),
        ]
    )
    cli.show_result(found, about, "", messages.records_heading(), record_table(children(found, "records")))


@command.remote(
    app,
    "retire",
    examples="""
mailcordon identity retire news.acme.example --because "brand was sold"
mailcordon identity retire news.acme.example --mail cancel --because "sold"
""",
)
async def retire_identity(
    cli: Cli,
    domain: Domain,
    because: Because,
    mail: change.Mail = "drain",
    yes: Yes = False,
    dry_run: change.DryRun = False,
) -> None:
    """Retire a domain with the lanes that send from it. SES deletes it once their queues are empty."""
    await _change(cli, "retire-domain", domain, because=because, mail=mail, yes=yes, dry_run=dry_run)


@command.remote(
    app, "unretire", examples='mailcordon identity unretire news.acme.example --because "used again"'
)
async def unretire_identity(
    cli: Cli, domain: Domain, because: Because, yes: Yes = False, dry_run: change.DryRun = False
) -> None:
    """Bring a retired domain back, with the lanes that were retired with it."""
    await _change(cli, "unretire-domain", domain, because=because, mail=None, yes=yes, dry_run=dry_run)


async def _change(
    cli: Cli, action: str, domain: str, *, because: str, mail: str | None, yes: bool, dry_run: bool
) -> None:
    tenant = plain((await cli.api.get(path("identities", domain))).get("tenant"))
    await change.run(cli, tenant, action, domain=domain, mail=mail, because=because, yes=yes, dry_run=dry_run)


def _status(identity: Document) -> str:
    """`verified`, or `retired`, `retiring` or `lapsed`, which say more."""
    if identity.get("retiring_at"):
        return "retired" if identity.get("retired_at") else "retiring"
    if identity.get("lapsed_at") and identity.get("status") == "verified":
        return "lapsed"
    return plain(identity.get("status"))


def claim_word(identity: Document) -> str:
    """How the tenant's claim to it was proved."""
    if identity.get("proof"):
        return f"proved by {plain(identity.get('proof'))}"
    return "contended" if identity.get("contended") else "not proved"


def record_table(records: list[Document]) -> RenderableType:
    return show.table(
        ("type", "name", "value"),
        [(item.get("type"), item.get("name"), item.get("value")) for item in records],
        stack=True,
    )
