"""`mailcordon key`: API keys."""

from enum import StrEnum
from typing import Annotated

import typer

from mailcordon.adapters.cli import command, duration, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant, Yes
from mailcordon.adapters.cli.document import Document
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import cli as messages

app = typer.Typer(no_args_is_help=True, help="API keys, of the platform or of one tenant.")


class KeyScope(StrEnum):
    SEND = "send"
    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"


@command.remote(
    app,
    "create",
    examples="""
mailcordon key create acme                # may send and read, for acme only
mailcordon key create acme --name ci --scope read --expires 90d
mailcordon key create --platform --name ops --scope read --scope operate
""",
)
async def create_key(
    cli: Cli,
    tenant: Annotated[
        str | None, typer.Argument(metavar="TENANT", help="The only tenant that the key is for.")
    ] = None,
    platform: Annotated[bool, typer.Option("--platform", help="Make a key for all tenants instead.")] = False,
    name: Annotated[
        str,
        typer.Option("--name", metavar="NAME", help="Who or what uses the key; shown in the audit trail."),
    ] = "cli",
    scope: Annotated[
        list[KeyScope] | None,
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="What the key may do: send, read, operate or admin. Repeat for more. "
            "Default for a tenant's key: send, read.",
        ),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires",
            metavar="TIME",
            parser=duration.moment,
            help="When it ends, as in 2027-01-01T00:00:00Z, or 90d from now. Default: never.",
        ),
    ] = None,
) -> None:
    """Make a key. It is shown once; only its hash is stored."""
    if (tenant is None) == (not platform):
        raise failures.usage(messages.one_of(options="TENANT or --platform"))
    if platform and not scope:
        raise failures.usage(messages.platform_key_needs_scope())
    body: Document = {"tenant": tenant, "name": name, "scopes": scope or ["send", "read"]}
    if expires is not None:
        body["expires_at"] = expires
    made = await cli.api.post(path("keys"), body)
    cli.show_result(
        made,
        messages.key_made(owner=tenant or messages.the_platform(), scopes=plain(made.get("scopes"))),
        f"  {plain(made.get('key'))}",
        messages.how_to_revoke(prefix=plain(made.get("prefix"))),
    )


@command.remote(app, "list", examples="mailcordon key list --tenant acme")
async def list_keys(cli: Cli, tenant: OfTenant = None, limit: Limit = 200) -> None:
    """List keys by prefix: owner, name, scopes and end. The keys themselves are not stored."""
    found = await cli.api.items(path("keys"), {"tenant": tenant}, limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            item.get("prefix"),
            item.get("tenant") or messages.platform_in_a_table(),
            item.get("name"),
            item.get("scopes"),
            when(item.get("created_at")),
            item.get("created_by"),
            when(item.get("expires_at")),
            when(item.get("revoked_at")),
        )
        for item in found["items"]
    ]
    table = show.table(
        ("prefix", "of", "name", "may", "made", "by", "ends", "revoked"),
        rows,
        drop=("by", "made", "ends", "revoked", "may"),
        prose=("may",),
    )
    cli.show_result(found, table, *show.more(found))


@command.remote(app, "revoke", examples="mailcordon key revoke 4k2p9x7m")
async def revoke_key(
    cli: Cli,
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="The prefix that `key list` shows.")],
    yes: Yes = False,
) -> None:
    """Revoke a key, at once and for good."""
    command.confirm(cli.err, messages.revoke_question(prefix=prefix), yes=yes)
    found = await cli.api.call("DELETE", path("keys", prefix))
    cli.show_result(found or {"prefix": prefix, "revoked": True}, messages.revoked(prefix=prefix))
