"""`mailcordon message`: show a message, or cancel it."""

from typing import Annotated

import typer

from mailcordon.adapters.cli import command
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, OfTenant
from mailcordon.adapters.cli.commands import why
from mailcordon.adapters.cli.document import children
from mailcordon.adapters.cli.text import counted
from mailcordon.messages import cli as messages

app = typer.Typer(no_args_is_help=True, help="Messages by id: show or cancel one.")
MessageId = Annotated[str, typer.Argument(metavar="MESSAGE", help="The message id: msg_...")]


@command.remote(
    app,
    "show",
    examples="""
mailcordon message show msg_0r4tq2v6k7m8n --json
mailcordon message show msg_0r4tq2v6k7m8n --watch
""",
    watchable=True,
)
async def show_message(cli: Cli, message: MessageId, tenant: OfTenant = None) -> None:
    """Show a message and the timelines of its deliveries. `why` adds the holds and suppressions behind them."""
    found = await cli.api.get(path("messages", message), {"tenant": tenant})
    cli.show_result(found, why.explanation(found, children(found, "deliveries"), None, {}, cli.now))


@command.remote(app, "cancel", examples="mailcordon message cancel msg_0r4tq2v6k7m8n")
async def cancel_message(cli: Cli, message: MessageId, tenant: OfTenant = None) -> None:
    """Cancel the queued deliveries of one message. A call to SES that has begun is not recalled."""
    found = await cli.api.call("DELETE", path("messages", message), query={"tenant": tenant})
    gone, left = len(found.get("cancelled") or []), int(found.get("left") or 0)
    cli.show_result(
        found,
        messages.message_cancelled(message=message, deliveries=counted(gone, "delivery"), left=left),
    )
