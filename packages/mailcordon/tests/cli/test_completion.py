"""Completion in a real bash, and in zsh and fish if they are installed."""

import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

Run = Callable[..., tuple[int, str, str]]

OFFERED = {
    "mailcordon te": ["tenant"],
    "mailcordon tenant ": ["onboard", "list", "show"],
    "mailcordon lane list --state h": ["held"],
    "mailcordon mailbox set kim@example.com b": ["bounces"],
}
#: What bash does on TAB: the words so far, the last one unfinished, then the function's COMPREPLY.
TAB = """
COMP_WORDS=({words}); COMP_CWORD={last}
_mailcordon_completion mailcordon
echo "${{COMPREPLY[@]}}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_commands_and_values(run: Run) -> None:
    script = run("completion", "bash")[1]
    for line in OFFERED:
        words = [f"'{word}'" for word in line.split(" ")]
        script += TAB.format(words=" ".join(words), last=len(words) - 1)
    script += "complete -p mailcordon\n"
    done = subprocess.run(["bash", "--norc"], input=script, capture_output=True, text=True, timeout=100)
    *offered, registered = done.stdout.splitlines()
    assert registered == "complete -o default -F _mailcordon_completion mailcordon", done.stderr
    assert [words.split() for words in offered] == list(OFFERED.values())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_script_is_accepted_by_its_shell(run: Run, shell: str) -> None:
    code, script, _ = run("completion", shell)
    assert code == 0
    assert sys.executable in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n"], input=script, text=True, check=True)
