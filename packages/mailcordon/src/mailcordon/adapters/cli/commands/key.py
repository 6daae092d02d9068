"""`mailcordon key`: API keys."""

from typing import Annotated

import typer

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant, Yes
from mailcordon.adapters.cli.document import Document

app = typer.Typer(no_args_is_help=True, help="API keys: of the platform, or of one tenant.")


@command.remote(
    app,
    "create",
    examples="""
mailcordon key create acme                                    # send and read, for acme only
mailcordon key create acme --name ci --scope read --expires 2027-01-01T00:00:00Z
mailcordon key create --platform --name ops --scope read --scope operate
""",
)
async def create_key(
    cli: Cli,
    tenant: Annotated[
        str | None, typer.Argument(metavar="[TENANT]", help="The tenant it serves, and no other.")
    ] = None,
    platform: Annotated[
        bool, typer.Option("--platform", help="A key that serves every tenant instead.")
    ] = False,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Who or what uses it; the audit trail shows it.")
    ] = "cli",
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE", help="send, read, operate or admin; again for more."),
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="TIME", help="When it ends, as 2027-01-01T00:00:00Z.")
    ] = None,
) -> None:
    """Make a key. It is shown this once; only its hash is stored."""
    if (tenant is None) == (not platform):
        raise failures.usage("say whose key it is: either a TENANT or --platform")
    if platform and not scope:
        raise failures.usage(
            "say what a platform key may do: --scope send, read, operate or admin, again for more"
        )
    body: Document = {"tenant": tenant, "name": name, "scopes": scope or ["send", "read"]}
    if expires is not None:
        body["expires_at"] = expires
    made = await cli.api.post(path("keys"), body)
    whose = "the platform" if platform else tenant
    cli.answer(
        made,
        f"A key of {whose} that may {show.plain(made.get('scopes'))}, shown this once and stored only as a hash:",
        f"  {made.get('key')}",
        f"Take it away with `mailcordon key revoke {made.get('prefix')}`.",
    )


@command.remote(app, "list", examples="mailcordon key list --tenant acme")
async def list_keys(cli: Cli, tenant: OfTenant = None, limit: Limit = 200) -> None:
    """List keys by prefix: whose, what for, and until when. The keys themselves are not stored."""
    found = await cli.api.items(path("keys"), {"tenant": tenant}, limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            item.get("prefix"),
            item.get("tenant") or "(platform)",
            item.get("name"),
            item.get("scopes"),
            show.when(item.get("created_at")),
            item.get("created_by"),
            show.when(item.get("expires_at")),
            show.when(item.get("revoked_at")),
        )
        for item in found["items"]
    ]
    columns = ("prefix", "of", "name", "may", "made", "by", "ends", "revoked")
    cli.answer(found, show.table(columns, rows), *show.more(found))


@command.remote(app, "revoke", examples="mailcordon key revoke 4k2p9x7m")
async def revoke_key(
    cli: Cli,
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="As `key list` shows it.")],
    yes: Yes = False,
) -> None:
    """Take a key away, at once and for good."""
    command.confirm(cli.err, f"Revoke the key {prefix}? Whoever uses it is refused from then on.", yes=yes)
    found = await cli.api.call("DELETE", path("keys", prefix))
    cli.answer(found or {"prefix": prefix, "revoked": True}, f"Revoked {prefix}.")
