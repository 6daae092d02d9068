"""Completion in a real bash, and in zsh and fish if they are installed."""

import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest
import typer
from typer.main import get_command

from mailcordon.adapters.cli.commands import completion

Run = Callable[..., tuple[int, str, str]]

OFFERED = {
    "mailcordon tenant ": [
        "onboard",
        "list",
        "show",
        "topology",
        "unsubscribe-host",
        "retire",
        "unretire",
        "erase",
        "erasure",
        "contact",
        "notices",
    ],
    "mailcordon lane list --state h": ["held"],
}
#: What bash does on TAB: the words so far, the last one unfinished, then the function's COMPREPLY.
BASH = """
COMP_WORDS=({words}); COMP_CWORD={last}
_mailcordon_completion mailcordon
echo "${{COMPREPLY[@]}}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_commands_and_values(run: Run) -> None:
    script = run("completion", "bash")[1]
    for line in OFFERED:
        words = [f"'{word}'" for word in line.split(" ")]
        script += BASH.format(words=" ".join(words), last=len(words) - 1)
    script += "complete -p mailcordon\n"
    done = subprocess.run(["bash", "--norc"], input=script, capture_output=True, text=True, timeout=100)
    *offered, registered = done.stdout.splitlines()
    assert registered == "complete -o default -F _mailcordon_completion mailcordon", done.stderr
    assert [words.split() for words in offered] == list(OFFERED.values())


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_commands_and_values(run: Run) -> None:
    script = run("completion", "fish")[1]
    script += "".join(f"complete -C '{line}' | string replace -r '\\t.*' ''; echo .\n" for line in OFFERED)
    done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, timeout=100)
    offered = [words.split() for words in done.stdout.split(".\n")[:-1]]
    assert [set(words) for words in offered] == [set(words) for words in OFFERED.values()]


def test_each_offer_is_one_line_in_the_form_of_its_shell(app: typer.Typer) -> None:
    root = get_command(app)
    assert completion.offers(root, ["tenant", "li"], "bash") == ["list"]
    assert completion.offers(root, ["mailbox", "set", "kim@example.com", "b"], "bash") == ["bounces"]
    assert completion.offers(root, ["cordon", "acme", "--cl"], "bash") == ["--class"]
    assert completion.offers(root, ["tenant", "li"], "zsh") == ["list:List the tenants"]
    assert completion.offers(root, ["tenant", "li"], "fish") == ["list\tList the tenants"]
    for shell in ("bash", "zsh", "fish"):
        assert not [line for line in completion.offers(root, [""], shell) if "\n" in line]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_script_is_accepted_by_its_shell(run: Run, shell: str) -> None:
    code, script, _ = run("completion", shell)
    assert code == 0
    assert sys.executable in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n"], input=script, text=True, check=True)
