"""`mailcordon limit`: how much mail may leave in a minute, an hour or a day, what is used of it, and what waits."""

from typing import Annotated, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant
from mailcordon.adapters.cli.document import Document, children
from mailcordon.adapters.cli.text import NONE, plain, when
from mailcordon.messages import limits as messages

app = typer.Typer(
    cls=command.ListUnlessNamed,
    help="Limits: how much mail may leave in a minute, an hour or a day. Without a command: list them.",
)


@command.remote(
    app,
    command.LIST,
    examples="""
mailcordon limit list --tenant acme
mailcordon limit list --tenant acme --type newsletter
mailcordon limit list --used-up --watch
""",
    watchable=True,
)
async def list_limits(
    cli: Cli,
    tenant: OfTenant = None,
    type_: Annotated[
        str | None,
        typer.Option(
            "--type", metavar="TYPE", help="Only limits about this lane of the tenant. Default: all."
        ),
    ] = None,
    owner: Annotated[
        Literal["policy", "new-sender", "warm-up", "release", "guard", "outside", "default"] | None,
        typer.Option("--owner", help="Only those that this part of Mailcordon wrote. Default: all."),
    ] = None,
    used_up: Annotated[bool, typer.Option("--used-up", help="Only those that are used up.")] = False,
    limit: Limit = 100,
) -> None:
    """List limits: what is used of each, and what waits for it."""
    found = await cli.api.items(
        path("limits"), {"tenant": tenant, "type": type_, "owner": owner}, limit=limit
    )
    items = [
        one for one in children(found, "items") if not used_up or one.get("left") == 0 or one.get("waiting")
    ]
    found["items"] = items
    if not items:
        cli.show_result(found, messages.none_used_up() if used_up else messages.none_set())
        return
    cli.show_result(found, limit_table(items), *show.more(found))


@command.remote(app, "show", examples="mailcordon limit show 17", watchable=True)
async def show_limit(
    cli: Cli, number: Annotated[int, typer.Argument(metavar="LIMIT", help="The limit's number.")]
) -> None:
    """Show one limit: why it is there, what is used of it, and what waits."""
    found = await cli.api.get(path("limits", str(number)))
    cli.show_result(found, *limit_view(found))


def limit_table(items: list[Document]) -> RenderableType:
    return show.table(
        ("id", "tenant", "limit", "mode", "used", "waiting", "opens", "owner"),
        [
            (
                str(item.get("id")),
                item.get("tenant"),
                str(item.get("sentence")).partition(":")[0].partition(". ")[0],
                item.get("mode"),
                NONE if item.get("used") is None else f"{item.get('used')} of {item.get('cap')}",
                item.get("waiting"),
                when(item.get("opens_at")),
                item.get("owner"),
            )
            for item in items
        ],
        drop=("owner", "opens", "tenant", "mode"),
        prose=("limit",),
    )


def limit_view(item: Document) -> list[RenderableType]:
    return [
        plain(item.get("sentence")),
        plain(item.get("because")),
        "",
        show.fields(
            [
                ("tenant", item.get("tenant")),
                ("counts mail of", item.get("scope")),
                ("type", item.get("type")),
                ("class", item.get("class")),
                ("campaign", item.get("campaign")),
                ("list", item.get("list")),
                ("mailbox provider", item.get("provider")),
                ("From domain", item.get("domain")),
                ("API key", item.get("key")),
                ("cap", f"{item.get('cap')} per {item.get('per')}"),
                ("used", item.get("used")),
                ("opens", when(item.get("opens_at"))),
                ("waiting", item.get("waiting")),
                ("mode", item.get("mode")),
                ("would have held", item.get("would_have_held")),
                ("spares urgent mail", item.get("spares_urgent")),
                ("refuses", item.get("refuses")),
                ("owner", item.get("owner")),
            ]
        ),
    ]
