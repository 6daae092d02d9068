"""`mailcordon isolation`: what each lane of a tenant shares, with whom, and what would end it."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Tenant
from mailcordon.adapters.cli.document import Document, children
from mailcordon.adapters.cli.text import plain
from mailcordon.messages import isolation as messages

app = typer.Typer()


@command.remote(
    app,
    "isolation",
    examples="mailcordon isolation acme\nmailcordon isolation acme --type newsletter --json",
    watchable=True,
)
async def isolation(
    cli: Cli,
    tenant: Tenant,
    type_: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only this lane. Default: all.")
    ] = None,
) -> None:
    """Show what each lane shares: domain, SES tenant, configuration set, topic, IP addresses, account and keys.

    With the common mistake of each, and the decision that would end the sharing.
    """
    found = await cli.api.get(path("tenants", tenant, "isolation"))
    items = [item for item in children(found, "items") if type_ in (None, item.get("type"))]
    found = {**found, "items": items}
    if not items:
        cli.show_result(found, messages.none_yet())
        return
    views: list[RenderableType] = []
    for item in items:
        views += [*lane_view(plain(tenant), item), ""]
    cli.show_result(found, *views[:-1])


def lane_view(tenant: str, item: Document) -> list[RenderableType]:
    dimensions = children(item, "dimensions")
    views: list[RenderableType] = [
        messages.heading(tenant, plain(item.get("type"))),
        show.table(
            ("what", "state", "value", "shared with"),
            [
                (each.get("title"), each.get("state"), each.get("value"), each.get("says"))
                for each in dimensions
            ]
            + [(messages.attribution(), item.get("proof"), None, item.get("proof_says"))],
            drop=(),
            prose=("value", "shared with"),
        ),
    ]
    for each in dimensions:
        if each.get("state") == "shared":
            out = messages.way_out(each.get("decision"), each.get("command"), each.get("ends"))
            views.append(show.bullet(f"{plain(each.get('title'))}: {plain(each.get('mistake'))}\n{out}"))
    return views
