"""`mailcordon path`: the path that tenants share and each lane's own, their shares, and mail that waits."""

from typing import Annotated, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, OfTenant, Tenant, Yes
from mailcordon.adapters.cli.commands import change
from mailcordon.adapters.cli.document import Document, children
from mailcordon.adapters.cli.text import plain
from mailcordon.messages import paths as messages

app = typer.Typer(
    no_args_is_help=True,
    help="Paths: the way that tenants share, each lane's own, and who takes which.",
)
Type = Annotated[str, typer.Argument(metavar="TYPE", help="The message type.")]


@command.remote(
    app, "list", examples="mailcordon path list\nmailcordon path list --tenant acme", watchable=True
)
async def list_paths(cli: Cli, tenant: OfTenant = None, limit: Limit = 200) -> None:
    """List lanes with their paths: each path's share of the recipients, and what it sends through. With a tenant, also how much
    mail waits for each."""
    found = await cli.api.items(path("paths"), {"tenant": tenant}, limit=limit)
    items = children(found, "items")
    nothing: list[RenderableType] = [] if items else [messages.no_lanes()]
    cli.show_result(found, *nothing, *([_table(items)] if items else []))


@command.remote(app, "show", examples="mailcordon path show")
async def show_shared_paths(cli: Cli) -> None:
    """Show the paths that tenants share, and how many lanes and tenants are on each."""
    found = await cli.api.get(path("shared-paths"))
    items = children(found, "items")
    columns = ("name", "domain", "ses tenant", "ip pool", "lanes", "tenants")
    table = show.table(
        columns,
        [
            (
                one.get("name"),
                one.get("domain"),
                one.get("ses_tenant"),
                one.get("ip_pool") or messages.addresses_of_ses(),
                one.get("lanes"),
                one.get("tenants"),
            )
            for one in items
        ],
        drop=("ip pool",),
        prose=(),
    )
    cli.show_result(found, table if items else messages.no_shared_paths())


@command.remote(
    app,
    "add-shared",
    examples="mailcordon path add-shared old mail.x.example old-tenant --because legacy",
)
async def add_shared_path(
    cli: Cli,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What we call it.")],
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The From domain that tenants share.")],
    ses_tenant: Annotated[
        str, typer.Argument(metavar="SES_TENANT", help="The tenant at SES that its mail leaves through.")
    ],
    because: Because,
    ip_pool: Annotated[
        str | None, typer.Option("--ip-pool", metavar="POOL", help="Its IP pool. Default: SES's addresses.")
    ] = None,
) -> None:
    """Name a path that tenants share. Its domain and its SES tenant exist and stay as they are; our configuration sets are
    associated with that tenant."""
    body = {"name": name, "domain": domain, "ses_tenant": ses_tenant, "ip_pool": ip_pool, "because": because}
    cli.show_result(await cli.api.post(path("shared-paths"), body), messages.made(name))


@command.remote(app, "remove", examples="mailcordon path remove old --because 'all have moved'")
async def remove_shared_path(
    cli: Cli,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The shared path.")],
    because: Because,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
) -> None:
    """Forget a path that no lane shares any more. At SES nothing changes."""
    of = path("shared-paths", name)
    shown = await cli.api.call("DELETE", of, query={"because": because, "dry_run": "true"})
    if not cli.json:
        cli.note(plain(shown.get("detail")))
    if dry_run:
        cli.show_result(shown)
        return
    command.confirm(cli.err, messages.remove_question(name), yes=yes)
    gone = await cli.api.call("DELETE", of, query={"because": because})
    cli.show_result(gone, messages.removed_shared(name))


@command.remote(
    app, "add", examples='mailcordon path add acme newsletter platform --because "a rollout begins"'
)
async def add_path(
    cli: Cli,
    tenant: Tenant,
    type_: Type,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The shared path.")],
    because: Because,
    yes: Yes = False,
    dry_run: change.DryRun = False,
) -> None:
    """Give a lane the shared path beside its own. Its mail goes on as before until its shares are set."""
    await change.run(
        cli, tenant, "add-path", type=type_, path=name, because=because, yes=yes, dry_run=dry_run
    )


@command.remote(app, "drop", examples='mailcordon path drop acme newsletter --because "the rollout is over"')
async def drop_path(
    cli: Cli,
    tenant: Tenant,
    type_: Type,
    because: Because,
    yes: Yes = False,
    dry_run: change.DryRun = False,
) -> None:
    """Take the shared path from a lane: there is no way back on it then. Refused while mail takes that path or waits there."""
    await change.run(cli, tenant, "drop-path", type=type_, because=because, yes=yes, dry_run=dry_run)


@command.remote(
    app, "share", examples='mailcordon path share acme newsletter 25 --because "three days without harm"'
)
async def set_share(
    cli: Cli,
    tenant: Tenant,
    type_: Type,
    percent: Annotated[
        int,
        typer.Argument(metavar="PERCENT", min=0, max=100, help="Of the recipients, on the lane's own path."),
    ],
    because: Because,
) -> None:
    """Set how many of a lane's recipients are on its own path. New mail follows at once; `move` moves what waits."""
    body = {"tenant": tenant, "type": type_, "isolated": percent, "because": because}
    found = await cli.api.post(path("paths", "share"), body)
    cli.show_result(found, _table([found]))


@command.remote(app, "move", examples="mailcordon path move acme newsletter shared --because bounces")
async def move_waiting(
    cli: Cli,
    tenant: Tenant,
    type_: Type,
    to: Annotated[Literal["shared", "isolated"], typer.Argument(metavar="PATH", help="Where it goes.")],
    because: Because,
) -> None:
    """Move a lane's mail that waits and was never sent to one path. What was called before stays where it is."""
    body = {"tenant": tenant, "type": type_, "to": to, "because": because}
    found = await cli.api.post(path("paths", "move"), body)
    cli.show_result(found, messages.moved(int(found.get("moved") or 0), int(found.get("kept") or 0), to))


def _table(items: list[Document]) -> RenderableType:
    columns = ("tenant", "type", "path", "share", "from domain", "ses tenant", "configuration set", "waiting")
    rows = [
        (
            lane.get("tenant"),
            lane.get("type"),
            one.get("shared_path") or one.get("path"),
            f"{one.get('share')} %",
            one.get("domain"),
            one.get("ses_tenant"),
            one.get("configuration_set"),
            one.get("waiting"),
        )
        for lane in items
        for one in children(lane, "paths")
    ]
    return show.table(columns, rows, drop=("configuration set", "ses tenant"), prose=())
