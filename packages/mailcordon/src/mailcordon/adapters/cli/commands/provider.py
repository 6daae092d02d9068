"""`mailcordon provider`: who receives a domain's mail, and how that is known."""

import asyncio
from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli
from mailcordon.adapters.cli.document import Document
from mailcordon.adapters.cli.text import NONE, plain, when

app = typer.Typer()

_TRIES = 10
_PAUSE = 0.5  #: seconds


@command.remote(
    app,
    "provider",
    examples="mailcordon provider acme.example\nmailcordon provider gmail.com --json",
)
async def provider(
    cli: Cli,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain of a recipient.")],
) -> None:
    """Show who receives a domain's mail: the mailbox provider that holds, limits and rates go by, and how old the answer is.

    A domain that no mail went to yet is looked up, which takes a few seconds.
    """
    found = await cli.api.get(path("providers", domain))
    for _ in range(_TRIES):
        if found.get("source") != "unknown":
            break
        await asyncio.sleep(_PAUSE)
        found = await cli.api.get(path("providers", domain))
    cli.show_result(found, *provider_views(found))


def provider_views(found: Document) -> list[RenderableType]:
    views: list[RenderableType] = [plain(found.get("sentence"))]
    if found.get("problem"):
        views.append(plain(found.get("problem")))
    return [
        *views,
        "",
        show.fields(
            [
                ("provider", found.get("provider")),
                ("kind", found.get("kind")),
                ("mailboxes at", found.get("behind")),
                ("known by", found.get("source")),
                ("servers", plain(found.get("hosts")) or NONE),
                ("since", when(found.get("since"))),
                ("looked up", when(found.get("learnt_at"))),
                ("looked up again after", when(found.get("expires_at"))),
            ]
        ),
    ]
