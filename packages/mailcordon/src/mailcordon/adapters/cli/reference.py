"""The help of every command on one page: docs/reference/commands.md, which `./dev messages` writes."""

from collections.abc import Iterator

import typer
from typer import core, main

from mailcordon.adapters.cli.app import WIDTH

_HEAD = """\
# Commands

The help of every command, as a terminal of 80 columns shows it. `./dev messages` writes this page from the command line itself; a
test fails when the page and the commands differ. [docs/cli.md](../cli.md) is the guide.
"""


def page(app: typer.Typer) -> str:
    sections = [f"\n## {path}\n\n```\n{help}\n```\n" for path, help in helps(app)]
    return _HEAD + "".join(sections)


def helps(app: typer.Typer) -> Iterator[tuple[str, str]]:
    """Path and help of every command and group that is not hidden, in the order of the help."""
    root = main.get_command(app)
    # Two columns stay free at the right, as on a real terminal.
    context = typer.Context(root, info_name="mailcordon", terminal_width=WIDTH - 2, **root.context_settings)
    yield from _helps(root, context)


def _helps(command: object, context: typer.Context) -> Iterator[tuple[str, str]]:
    if not isinstance(command, core.TyperCommand | core.TyperGroup) or command.hidden:
        return
    yield context.command_path, command.get_help(context).rstrip()
    if isinstance(command, core.TyperGroup):
        for name in command.list_commands(context):
            inner = command.commands[name]
            yield from _helps(inner, typer.Context(inner, info_name=name, parent=context))
