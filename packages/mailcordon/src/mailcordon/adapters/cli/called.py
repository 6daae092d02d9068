"""Only the commands that a command line calls: typer would make parsers of all 230 at each call, for a third of its CPU."""

import copy
import os
from collections.abc import Sequence

import typer
from typer import main

from mailcordon.adapters.cli.commands import completion


def narrowed(app: typer.Typer, words: Sequence[str]) -> typer.Typer:
    """The app with what the words call: a command, or a whole group if they name no command of it. All of it if they call nothing
    that is known, or if a shell asks for completions. `app` itself stays as it is."""
    if not words or words[0].startswith("-") or completion.VARIABLE in os.environ:
        return app
    names = (words[0], " ".join(words[:2]))  # as `app.CommandLine` finds a command of two words
    found = copy.copy(app)
    found.registered_commands = [one for one in app.registered_commands if one.name in names]
    found.registered_groups = []
    for group in app.registered_groups:
        inner = group.typer_instance
        assert inner is not None
        kept = copy.copy(group)
        name = main.solve_typer_info_defaults(group).name
        if name == words[0]:
            kept.typer_instance = narrowed(inner, words[1:])
        elif not name and any(one.name in names for one in inner.registered_commands):
            kept.typer_instance = narrowed(inner, words)  # its commands stand in this group
        else:
            continue
        found.registered_groups.append(kept)
    return found if found.registered_commands or found.registered_groups else app
