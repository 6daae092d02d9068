"""`mailcordon runbook`: what to check and do about a kind of incident, without a network and without a running system."""

from typing import Annotated

import typer

from mailcordon.adapters.cli import command
from mailcordon.core import runbooks
from mailcordon.core.incident import Kind
from mailcordon.messages import cli as messages

app = typer.Typer()

_EXAMPLES = """
mailcordon runbook            # the first five minutes, whatever it is
mailcordon runbook breaker
"""


@app.command(
    "runbook",
    cls=command.Command,
    epilog=command.epilog(_EXAMPLES),
    short_help="Print what to do about a kind of incident",
)
def runbook(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND", help="As `incident show` prints it. Default: what to do first, and the list."
        ),
    ] = None,
) -> None:
    """Print the runbook of a kind of incident. Asks no server.

    It says what such an incident means, whom it touches, what to check, what to do, and how one knows that it is over.
    """
    if kind is not None and kind not in list(Kind):
        raise typer.BadParameter(messages.no_runbook(kind, kinds=list(Kind)), param_hint="KIND")
    typer.echo(runbooks.text(Kind(kind) if kind else None), nl=False)
