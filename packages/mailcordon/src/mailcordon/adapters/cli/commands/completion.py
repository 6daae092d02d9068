"""`mailcordon completion`: a script that makes a shell complete this command line."""

import shlex
import sys
from typing import Annotated, Any, Literal

import typer
from typer import completion as completions

from mailcordon.adapters.cli import command

app = typer.Typer()

#: In the environment: print what completes the last of the arguments, in the form of this shell.
VARIABLE = "_MAILCORDON_COMPLETE"

# The scripts call this same Python, not the word that was typed: that may be an alias of `./dev mailcordon`.
_BASH = """\
_mailcordon_completion() {
    local IFS=$'\\n'
    COMPREPLY=( $(_MAILCORDON_COMPLETE=bash %(call)s "${COMP_WORDS[@]:1:COMP_CWORD}") )
}
complete -o default -F _mailcordon_completion mailcordon
"""
_ZSH = """\
_mailcordon_completion() {
    local -a offered
    offered=("${(@f)$(_MAILCORDON_COMPLETE=zsh %(call)s "${(@)words[2,$CURRENT]}")}")
    _describe mailcordon offered
}
compdef _mailcordon_completion mailcordon
"""
_FISH = """\
function __mailcordon_complete
    set -l typed (commandline -opc)
    _MAILCORDON_COMPLETE=fish %(call)s $typed[2..] (commandline -ct)
end
complete --command mailcordon --no-files --arguments "(__mailcordon_complete)"
"""
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
_EXAMPLES = """
source <(mailcordon completion bash)       # in ~/.bashrc
source <(mailcordon completion zsh)        # in ~/.zshrc, after compinit
mailcordon completion fish | source        # in ~/.config/fish/config.fish
"""


@app.command(
    "completion",
    cls=command.Command,
    epilog=command.epilog(_EXAMPLES),
    short_help="Print a completion script for a shell",
)
def completion(
    shell: Annotated[
        Literal["bash", "zsh", "fish"],
        typer.Argument(metavar="SHELL", help="The shell that reads the script."),
    ],
) -> None:
    """Print a script that makes a shell complete commands, options and their values.

    In a checkout, run `alias mailcordon='./dev mailcordon'` first.
    """
    call = f"{shlex.quote(sys.executable)} -m mailcordon"
    typer.echo(_SCRIPTS[shell] % {"call": call}, nl=False)


class _Completer(completions.shell_completion.ShellComplete):  # pyright: ignore[reportPrivateImportUsage]
    """The parser's own completion, without its protocol: its help texts have line breaks, which no shell takes."""

    name = "mailcordon"
    source_template = ""

    def source_vars(self) -> dict[str, Any]:
        return {}

    def get_completion_args(self) -> tuple[list[str], str]:
        raise NotImplementedError

    def format_completion(self, item: Any) -> str:
        raise NotImplementedError


def offers(root: Any, words: list[str], shell: str) -> list[str]:
    """A line for each word that may take the place of the last one."""
    *before, last = words or [""]
    found = _Completer(root, {}, "mailcordon", VARIABLE).get_completions(before, last)
    return [_line(str(item.value), " ".join((item.help or "").split()), shell) for item in found]


def _line(value: str, help: str, shell: str) -> str:
    if shell == "zsh":
        value = value.replace(":", "\\:")
    separator = {"zsh": ":", "fish": "\t"}.get(shell, "")
    return f"{value}{separator}{help}" if separator and help else value
