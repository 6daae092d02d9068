"""`mailcordon env`: the server's URL and a key that can only send, as settings of a shell."""

import os
import shlex
from typing import Annotated, Literal

import typer

from mailcordon.adapters.cli import command, connection, failures, report
from mailcordon.messages import cli as messages

app = typer.Typer()

Shell = Literal["sh", "fish"]
_EXAMPLES = """
eval "$(mailcordon env)"             # sh, bash, zsh
mailcordon env --shell fish | source
curl -sS "$MAILCORDON_URL/v1/messages" -d @message.json \\
    -H "Authorization: Bearer $MAILCORDON_KEY"
"""


@app.command(
    "env",
    epilog=command.epilog(_EXAMPLES),
    short_help="Print the server's URL and a key that can only send, as shell settings",
)
def env(
    shell: Annotated[
        Shell | None,
        typer.Option("--shell", help="Syntax to print. Default: fish if SHELL is fish, else sh."),
    ] = None,
    as_json: command.AsJson = False,
    url: command.Url = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", help="Key to print. Default: send_key of cli.json.")
    ] = None,
) -> None:
    """Print MAILCORDON_URL and MAILCORDON_KEY as settings of a shell. The key can only send.

    They are taken from the options or the cli.json that `mailcordon up` writes, the URL also from the environment. The command
    line's own key is never printed, and the command line goes on using it. No server is called.
    """
    home = connection.home(os.environ)
    found = connection.find(url=url, key=key, environment=os.environ, home=home)
    shown = found.send_key if key is None else found.key
    if shown is None:
        problem = messages.no_send_key() if found.key else messages.no_key(url=found.url)
        raise failures.Failure(failures.Exit.NOT_ALLOWED, problem, "no-key")
    values = {"MAILCORDON_URL": found.url, "MAILCORDON_KEY": shown}
    if as_json:
        report.print_json(values)
        return
    fish = shell == "fish" or (shell is None and os.environ.get("SHELL", "").rpartition("/")[2] == "fish")
    for line in settings(values, fish=fish):
        typer.echo(line)


def settings(values: dict[str, str], *, fish: bool) -> list[str]:
    """Lines that set and export the values, whatever characters are in them."""
    if fish:
        return [f"set -gx {name} {_fish_quote(value)};" for name, value in values.items()]
    return ["export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in values.items())]


def _fish_quote(value: str) -> str:
    # In fish, a backslash is special inside single quotes, unlike in sh.
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
