"""`mailcordon ses-door`: access keys for apps that have an AWS SDK, and what their configuration set names stand for."""

from typing import Annotated

import typer

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, OfTenant, Yes
from mailcordon.adapters.cli.document import Document, children
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import cli as messages

app = typer.Typer(
    no_args_is_help=True,
    help="The SES door: apps send through it with boto3 or another AWS SDK, unchanged but for endpoint and keys.",
)

Prefix = Annotated[
    str, typer.Argument(metavar="PREFIX", help="The prefix of the API key, as `key list` shows it.")
]
SetName = Annotated[str, typer.Argument(metavar="SET", help="The configuration set name in the app's calls.")]


@command.remote(app, "key", examples="mailcordon ses-door key 4k2p9x7m")
async def create_access_key(cli: Cli, prefix: Prefix) -> None:
    """Make an access key for an API key. Its secret is shown once and stored encrypted.

    It may do what the API key may, and ends with it. Your own key must hold each scope of that key.
    """
    made = await cli.api.call("POST", path("keys", prefix, "access-keys"))
    cli.show_result(made, *minted(made))


def minted(made: Document) -> list[str]:
    """What a new access key is shown as."""
    return [
        messages.access_key_made(prefix=plain(made.get("key"))),
        f"  AWS_ACCESS_KEY_ID={plain(made.get('id'))}",
        f"  AWS_SECRET_ACCESS_KEY={plain(made.get('secret'))}",
    ]


@command.remote(app, "keys", examples="mailcordon ses-door keys 4k2p9x7m")
async def list_access_keys(cli: Cli, prefix: Prefix) -> None:
    """List the access keys of an API key. Their secrets cannot be read again."""
    found = await cli.api.get(path("keys", prefix, "access-keys"))
    rows = [
        (one.get("id"), when(one.get("made_at")), one.get("made_by"), when(one.get("revoked_at")))
        for one in children(found, "items")
    ]
    cli.show_result(found, show.table(("access key", "made", "by", "revoked"), rows))


@command.remote(app, "revoke", examples="mailcordon ses-door revoke MCAKX7QK2M6DPW4H6TZC")
async def revoke_access_key(
    cli: Cli,
    id: Annotated[str, typer.Argument(metavar="ACCESS_KEY", help="The access key, which begins with MCAK.")],
    yes: Yes = False,
) -> None:
    """Revoke an access key, at once and for good. The API key stays."""
    command.confirm(cli.err, messages.revoke_question(prefix=id), yes=yes)
    found = await cli.api.call("DELETE", path("access-keys", id))
    cli.show_result(found, messages.revoked(prefix=id))


@command.remote(
    app,
    "map",
    examples="mailcordon ses-door map receipts receipt\nmailcordon ses-door map marketing newsletter --tenant acme",
)
async def map_set(
    cli: Cli,
    set: SetName,
    type: Annotated[str, typer.Argument(metavar="TYPE", help="The message type that it stands for.")],
    tenant: OfTenant = None,
) -> None:
    """Let the name of a configuration set stand for a message type, for one tenant or for all."""
    found = await cli.api.call("PUT", path("ses-door", "sets", set), body={"type": type, "tenant": tenant})
    cli.show_result(found, messages.set_mapped(name=set, type=type))


@command.remote(app, "unmap", examples="mailcordon ses-door unmap receipts")
async def unmap_set(cli: Cli, set: SetName, tenant: OfTenant = None) -> None:
    """Forget what the name of a configuration set stands for."""
    await cli.api.call("DELETE", path("ses-door", "sets", set), query={"tenant": tenant})
    cli.show_result({"name": set, "tenant": tenant}, messages.set_unmapped(name=set))


@command.remote(app, "list", examples="mailcordon ses-door list\nmailcordon ses-door list --tenant acme")
async def list_sets(cli: Cli, tenant: OfTenant = None) -> None:
    """List the configuration set names that stand for message types: those of all tenants, or a tenant's own."""
    found = await cli.api.get(path("ses-door", "sets"), {"tenant": tenant})
    rows = [(one.get("name"), one.get("type")) for one in children(found, "items")]
    cli.show_result(found, show.table(("configuration set", "type"), rows))
