"""`mailcordon mailbox`: what happens to mail to an address at the local SES."""

from typing import Annotated, Literal

import typer

from mailcordon.adapters.cli import command, duration, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, OfTenant
from mailcordon.adapters.cli.document import Document, children
from mailcordon.messages import cli as messages

app = typer.Typer(
    no_args_is_help=True, help="Mailboxes of the local SES: what happens to mail to an address."
)


@command.remote(
    app,
    "set",
    examples="""
mailcordon mailbox set kim@example.com bounces
mailcordon mailbox set kim@example.com complains --tenant acme
mailcordon mailbox set kim@example.com delivers        # as before
""",
)
async def set_mailbox(
    cli: Cli,
    address: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS",
            help="The recipient's address, *@example.com for a domain, or *@*.example.com for its subdomains.",
        ),
    ],
    outcome: Annotated[
        Literal["delivers", "bounces", "complains", "defers"],
        typer.Argument(metavar="OUTCOME", help="What happens to mail to it."),
    ],
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", metavar="TENANT", help="Only mail of this tenant. Default: all mail."),
    ] = None,
) -> None:
    """Set what happens from now on to mail to an address at the local SES, for one tenant or for all."""
    ses = cli.local_ses("mailbox")
    try:
        # SES has a tenant under its opaque key.
        key = (await cli.api.get(path("tenants", tenant))).get("key") if tenant is not None else None
        found = await ses.set_mailbox(address, outcome, key)
    finally:
        await ses.close()
    made = _item(found, {str(key): str(tenant)})
    cli.show_result(made, messages.mailbox_set(address=address, outcome=outcome, tenant=tenant or ""))


@command.remote(
    app, "list", examples="mailcordon mailbox list\nmailcordon mailbox list --tenant acme", watchable=True
)
async def list_mailboxes(cli: Cli, tenant: OfTenant = None) -> None:
    """List the mailboxes that were set at the local SES. Mail to all other addresses is delivered."""
    ses = cli.local_ses("mailbox")
    try:
        found = await ses.mailboxes()
    finally:
        await ses.close()
    slugs = await _slugs(cli)
    items = [_item(item, slugs) for item in children(found, "mailboxes")]
    chosen = [item for item in items if tenant is None or item["tenant"] == tenant]
    table = show.table(
        ("address", "mail of", "outcome", "subtype", "then", "after", "ses tenant"),
        [
            (
                item["address"],
                item["tenant"] or messages.all_tenants(),
                item["fate"],
                item.get("subtype"),
                item.get("then"),
                duration.spoken(float(item["seconds"])) if item.get("seconds") else None,
                item["ses_tenant"],
            )
            for item in chosen
        ],
        drop=("ses tenant", "after", "then", "subtype"),
    )
    cli.show_result({"items": chosen, "next": None}, table)


async def _slugs(cli: Cli) -> dict[str, str]:
    """Slugs by the names of the SES tenants."""
    found = await cli.api.items(path("tenants"), limit=100_000)
    return {str(item.get("key")): str(item.get("slug")) for item in children(found, "items")}


def _item(item: Document, slugs: dict[str, str]) -> Document:
    key = item.get("tenant")
    more = {name: value for name, value in item.items() if name not in ("address", "tenant", "fate")}
    return {
        "address": item.get("address"),
        "tenant": slugs.get(str(key), str(key)) if key else None,
        "fate": item.get("fate"),
        **more,
        "ses_tenant": key,
    }
