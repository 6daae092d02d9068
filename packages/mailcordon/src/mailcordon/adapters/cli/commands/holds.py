"""`mailcordon holds`: the list of holds, and how a hold is shown."""

from datetime import datetime
from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant
from mailcordon.adapters.cli.document import Document
from mailcordon.adapters.cli.text import plain, since, when
from mailcordon.messages import cli as messages
from mailcordon.messages import holds, reasons

app = typer.Typer(
    no_args_is_help=True, help="Holds: what stops or slows mail, each with its owner and reason."
)

_OWNERS = {"ses": "SES"}


@command.remote(
    app,
    "list",
    examples="mailcordon holds list --tenant acme\nmailcordon holds list --open --watch",
    watchable=True,
)
async def list_holds(
    cli: Cli,
    tenant: OfTenant = None,
    open_: Annotated[
        bool | None,
        typer.Option("--open/--lifted", help="Only open holds, or only lifted ones. Default: both."),
    ] = None,
    limit: Limit = 200,
) -> None:
    """List holds, newest first."""
    is_open = None if open_ is None else str(open_).lower()
    found = await cli.api.items(path("holds"), {"tenant": tenant, "open": is_open}, limit=limit)
    cli.show_result(found, hold_table(found["items"]), *show.more(found))


def hold_table(items: list[Document]) -> RenderableType:
    return show.table(
        ("id", "state", "mail", "effect", "owner", "by", "since", "ends", "lifted", "because"),
        [
            (
                str(hold.get("id")),
                messages.hold_lifted() if hold.get("lifted_at") else messages.hold_open(),
                hold_target(hold),
                _effect(hold),
                owner(hold),
                hold.get("by"),
                when(hold.get("since")),
                hold.get("ends"),
                when(hold.get("lifted_at")),
                hold.get("because"),
            )
            for hold in items
        ],
        drop=("by", "lifted", "owner", "ends", "since", "effect"),
        prose=("because", "mail", "ends"),
    )


def _effect(hold: Document) -> str:
    if hold.get("stops", True):
        return messages.stops_mail()
    return messages.slows_mail(rate=float(hold.get("rate") or 0))


def owner(hold: Document) -> str:
    name = plain(hold.get("owner"))
    return _OWNERS.get(name, name)


def hold_target(hold: Document) -> str:
    """`marketing mail of acme to gmail`, as the API's own sentences name it."""
    names = {
        "type": "type",
        "class": "class_",
        "provider": "provider",
        "campaign": "campaign",
        "list": "list",
    }
    narrowed = {argument: plain(hold[name]) for name, argument in names.items() if hold.get(name)}
    return holds.mail_of(plain(hold.get("tenant")), **narrowed)


def hold_sentence(hold: Document, now: datetime) -> str:
    """`Held by Ana (CLI) since 15:23 UTC: complaints rising [hold 5: marketing mail of acme]`."""
    return reasons.held(
        owner=plain(hold.get("owner")),
        by=plain(hold.get("by")),
        since=since(hold.get("since"), now),
        because=plain(hold.get("because")),
        hold=f"{plain(hold.get('id'))}: {hold_target(hold)}",
        until=since(hold["until"], now) if hold.get("until") else "",
        stops=bool(hold.get("stops", True)),
    )
