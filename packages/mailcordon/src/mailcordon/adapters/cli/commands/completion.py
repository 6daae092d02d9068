"""`mailcordon completion`: a script that makes a shell complete this command line."""

import shlex
import sys
from typing import Annotated, Literal

import typer

from mailcordon.adapters.cli import command

app = typer.Typer()

# The scripts call this same Python, not the word that was typed: that may be an alias, or `./dev mailcordon`.
_BASH = """\
_mailcordon_completion() {
    local IFS=$'\\n'
    COMPREPLY=( $(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _MAILCORDON_COMPLETE=complete_bash %(call)s) )
}
complete -o default -F _mailcordon_completion mailcordon
"""
_ZSH = """\
#compdef mailcordon
_mailcordon_completion() {
    eval "$(_TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _MAILCORDON_COMPLETE=complete_zsh %(call)s)"
}
compdef _mailcordon_completion mailcordon
"""
_FISH = """\
function __mailcordon_complete
    set -lx _MAILCORDON_COMPLETE complete_fish
    set -lx _TYPER_COMPLETE_FISH_ACTION get-args
    set -lx _TYPER_COMPLETE_ARGS (commandline -cp)
    %(call)s
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
    "completion", epilog=command.epilog(_EXAMPLES), short_help="Print a completion script for a shell"
)
def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="The shell that reads the script.")],
) -> None:
    """Print a script that makes a shell complete commands, options and their values.

    In a checkout, `alias mailcordon=./dev\\ mailcordon` gives the word to complete.
    """
    call = f"{shlex.quote(sys.executable)} -m mailcordon"
    typer.echo(_SCRIPTS[shell] % {"call": call}, nl=False)
