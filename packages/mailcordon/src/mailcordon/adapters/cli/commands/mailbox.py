"""`mailcordon mailbox`: mailboxes of the local SES."""

from typing import Annotated

import typer

from mailcordon.adapters.cli import command
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, OfTenant

app = typer.Typer(no_args_is_help=True, help="Mailboxes of the local SES, and what becomes of mail to them.")

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="The recipient's address.")]


@command.remote(
    app,
    "set",
    examples="""
mailcordon mailbox set kim@example.com bounces
mailcordon mailbox set kim@example.com complains --tenant acme     # for acme's mail only
mailcordon mailbox set kim@example.com delivers                     # back to normal
""",
)
async def set_mailbox(
    cli: Cli,
    address: Address,
    fate: Annotated[str, typer.Argument(metavar="FATE", help="delivers, bounces, complains or defers.")],
    tenant: OfTenant = None,
) -> None:
    """Decide what becomes of mail to an address at the local SES, for one tenant or for all."""
    ses = cli.local_ses("`mailcordon mailbox`")
    try:
        # SES knows tenants by their opaque key.
        key = (await cli.api.get(path("tenants", tenant))).get("key") if tenant is not None else None
        found = await ses.set_mailbox(address, fate, key)
    finally:
        await ses.close()
    cli.answer(
        found, f"From now on, mail to {address}: {fate}{f' (mail of {tenant} only)' if tenant else ''}."
    )
