"""`mailcordon feedback`: mail whose events are lost or late, what keeps them away, and what to do."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant
from mailcordon.adapters.cli.document import Document, strings
from mailcordon.adapters.cli.text import plain
from mailcordon.messages import feedback as messages

app = typer.Typer()


@command.remote(
    app,
    "feedback",
    examples="""
mailcordon feedback
mailcordon feedback --tenant acme
mailcordon feedback --all --json
""",
    watchable=True,
)
async def feedback(
    cli: Cli,
    tenant: OfTenant = None,
    all_: Annotated[bool, typer.Option("--all", help="What is over too.")] = False,
    limit: Limit = 100,
) -> None:
    """List mail whose events are lost or late, newest first, with the cause and what to do.

    The exit code is 0 if events of all mail come back, else 1.
    """
    found = await cli.api.items(
        path("feedback"), {"tenant": tenant, "open": None if all_ else "true"}, limit=limit
    )
    items: list[Document] = found["items"]
    if not items:
        cli.show_result(found, messages.none_ever() if all_ else messages.none_lost())
        return
    views: list[RenderableType] = []
    for item in items:
        views += [show.bullet(loss_text(item)), ""]
    cli.show_result(found, *views[:-1], *show.more(found))
    cli.exit_code = int(any(item.get("open") for item in items))


def loss_text(item: Document) -> str:
    """A loss in lines: which and whether it lasts, what is so, what it means, and what to do."""
    number = f"{item['id']}  " if item.get("id") is not None else ""
    types = ", ".join(strings(item, "types"))
    lines = [
        f"{number}{messages.state(ended=not item.get('open'))}  {types}".rstrip(),
        plain(item.get("detail")),
    ]
    lines += [plain(item.get("rates"))]
    if item.get("next"):
        lines.append(plain(item["next"]))
    return "\n".join(lines)
