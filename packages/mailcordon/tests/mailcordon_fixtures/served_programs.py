"""Programs that a shell calls and that run in the test's process: a page's blocks cost no new Python for each command."""

import contextlib
import functools
import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from unittest import mock

import typer
from typer.main import get_command

from mailcordon import __main__ as program
from mailcordon.adapters.cli import called

#: Given the words after the program's name. Returns the exit status; what it prints goes to the shell.
Program = Callable[[list[str]], int]

_commands: Callable[[], typer.Typer] = functools.cache(program.command_line)


def mailcordon(words: list[str]) -> int:
    """The command line, as its own process would carry it out."""
    get_command(called.narrowed(_commands(), words)).main(words, prog_name="mailcordon")
    return 0


_STUB = """#!{python} -IS
import json, os, socket, stat, sys
piped = sys.stdin.read() if stat.S_ISFIFO(os.fstat(0).st_mode) else ""
with socket.socket(socket.AF_UNIX) as there:
    there.connect({address!r})
    asked = dict(name={name!r}, words=sys.argv[1:], environment=dict(os.environ), directory=os.getcwd(), piped=piped)
    there.sendall(json.dumps(asked).encode() + b"\\n")
    answer = json.loads(there.makefile().read())
sys.stdout.write(answer["out"])
sys.stderr.write(answer["err"])
sys.exit(answer["status"])
"""


class Shell:
    """Blocks that follow each other: variables and the directory's files stay, as in the reader's terminal."""

    def __init__(
        self, directory: Path, programs: Mapping[str, Program], environment: Mapping[str, str]
    ) -> None:
        self._directory, self._programs = directory, programs
        self._bin = directory / "bin"
        self._bin.mkdir()
        self._variables = directory / "variables.sh"
        self._variables.write_text("")
        self._environment = {**environment, "PATH": f"{self._bin}:/usr/bin:/bin", "SHELL": "/bin/sh"}
        self._server = socket.socket(socket.AF_UNIX)
        address = str(self._bin / "socket")
        self._server.bind(address)
        self._server.listen()
        self._server.settimeout(0.05)
        for name in programs:
            stub = self._bin / name
            stub.write_text(_STUB.format(python=sys.executable, address=address, name=name))
            stub.chmod(0o755)

    def close(self) -> None:
        self._server.close()

    def run(self, block: str) -> str:
        """What it prints, errors too. Fails with that if a command fails."""
        variables = self._variables
        script = f". {variables}\n{block}\nexport -p > {variables}\n"
        out = self._directory / "said.txt"
        with out.open("wb") as said:
            shell = subprocess.Popen(
                ["sh", "-e", "-c", script],
                cwd=self._directory,
                env=self._environment,
                stdout=said,
                stderr=said,
                stdin=subprocess.DEVNULL,
            )
            while shell.poll() is None:
                with contextlib.suppress(TimeoutError):
                    self._serve()
        assert shell.returncode == 0, f"{block}\n{out.read_text()}"
        return out.read_text()

    def _serve(self) -> None:
        there, _ = self._server.accept()
        with there:
            there.settimeout(60)
            asked = json.loads(there.makefile().readline())
            there.sendall(json.dumps(self._answer(asked)).encode())

    def _answer(self, asked: Mapping[str, object]) -> dict[str, object]:
        out, err = io.StringIO(), io.StringIO()
        with (
            _as_called(asked),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                status = self._programs[str(asked["name"])](list(asked["words"]))  # pyright: ignore[reportArgumentType]
            except SystemExit as ended:
                status = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
            except Exception as error:
                err.write(f"{type(error).__name__}: {error}\n")
                status = 1
        return {"status": status, "out": out.getvalue(), "err": err.getvalue()}


@contextlib.contextmanager
def _as_called(asked: Mapping[str, object]) -> Iterator[None]:
    """With the caller's environment, directory, and what was piped to it."""
    environment: dict[str, str] = asked["environment"]  # type: ignore[assignment]
    here = Path.cwd()
    piped = io.TextIOWrapper(io.BytesIO(str(asked["piped"]).encode()), encoding="utf-8")
    with mock.patch.dict(os.environ, environment, clear=True), mock.patch.object(sys, "stdin", piped):
        os.chdir(str(asked["directory"]))
        try:
            yield
        finally:
            os.chdir(here)
