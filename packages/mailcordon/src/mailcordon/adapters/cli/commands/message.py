"""`mailcordon message`: show a message, or cancel it."""

from typing import Annotated

import typer

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, OfTenant
from mailcordon.adapters.cli.commands import why
from mailcordon.adapters.cli.document import parts

app = typer.Typer(no_args_is_help=True, help="What was handed in, by its id.")

MessageId = Annotated[str, typer.Argument(metavar="MESSAGE", help="The id that `send` gave: msg_...")]


@command.remote(app, "show", examples="mailcordon message show msg_0r4tq2v6k7m8n --json")
async def show_message(cli: Cli, message: MessageId, tenant: OfTenant = None) -> None:
    """Show a message and its deliveries with their timelines. `why` adds the holds and suppressions behind them."""
    found = await cli.api.get(path("messages", message), {"tenant": tenant})
    cli.answer(found, why.explanation(found, parts(found, "deliveries"), None, {}))


@command.remote(app, "cancel", examples="mailcordon message cancel msg_0r4tq2v6k7m8n")
async def cancel_message(cli: Cli, message: MessageId, tenant: OfTenant = None) -> None:
    """Cancel what has not left yet of one message. What is on the wire is not called back."""
    found = await cli.api.call("DELETE", path("messages", message), query={"tenant": tenant})
    gone, left = len(found.get("cancelled") or []), int(found.get("left") or 0)
    rest = f" Not cancelled, since gone already or on the wire: {left}." if left else ""
    cli.answer(found, f"Cancelled {show.counted(gone, 'delivery')} of {message}.{rest}")
