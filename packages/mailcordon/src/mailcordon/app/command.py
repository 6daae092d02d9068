"""`mailcordon run ROLE` as a command of the command line; `app/process.py`, which it loads when it runs, does the work."""

from typing import Annotated

import typer


def run(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="api, dispatch, observe, control or smtp.")],
) -> None:
    """Run one role process, under a service manager. See docs/operations.md for the exit status."""
    from mailcordon.app import process

    raise typer.Exit(process.run(role))
