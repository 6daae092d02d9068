"""`mailcordon identity dkim`: which key signs a domain's mail: SES's own, or one of yours."""

from typing import Annotated, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli
from mailcordon.adapters.cli.commands import identity
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.text import plain
from mailcordon.messages import identities as words

app = typer.Typer()  # its commands are part of `mailcordon identity`

Action = Annotated[
    Literal["own", "rotate", "ses"],
    typer.Argument(
        metavar="ACTION",
        help="own: a key of yours; rotate: another one; ses: take back a key that waits, or else SES's own again.",
    ),
]
Selector = Annotated[
    str | None,
    typer.Option("--selector", metavar="LABEL", help="The new key's selector. Default: one is made up."),
]


@command.remote(
    app,
    "dkim",
    examples="""
mailcordon identity dkim mail.acme.example own --because "we keep the keys"
mailcordon identity dkim mail.acme.example rotate --because "each quarter"
""",
)
async def change_key(
    cli: Cli, domain: identity.Domain, action: Action, because: Because, selector: Selector = None
) -> None:
    """Sign a domain's mail with a DKIM key of yours, another one, or SES's own again.

    SES gets the new key once the domain's name servers show its record. Until then the present one signs.
    """
    body = {"action": action, "because": because, **({} if selector is None else {"selector": selector})}
    found = await cli.api.post(path("identities", domain, "dkim"), body)
    cli.show_result(found, *_view(found))


@command.remote(app, "dkim-keys", examples="mailcordon identity dkim-keys mail.acme.example", watchable=True)
async def list_keys(cli: Cli, domain: identity.Domain) -> None:
    """List the DKIM keys of a domain that are not SES's own, and what each waits for."""
    found = await cli.api.get(path("identities", domain, "dkim"))
    rows: list[tuple[object, ...]] = [
        (item.get("selector") or "SES's own", item.get("state"), item.get("keep_until"), item.get("looked"))
        for item in children(found, "keys")
    ]
    columns = ("selector", "state", "keep until", "says")
    cli.show_result(found, show.table(columns, rows, drop=("keep until",), prose=("says",)))


def _view(found: Document) -> list[RenderableType]:
    waiting = [key for key in children(found, "keys") if key.get("state") == "waiting"]
    if not waiting:
        return [words.dkim_waits_no_more(plain(found.get("domain")))]
    selector = waiting[0].get("selector")
    said = words.dkim_changes(plain(found.get("domain")), None if selector is None else plain(selector))
    if not waiting[0].get("record"):
        return [said]
    return [said, "", identity.record_table([child(waiting[0], "record")])]
