"""A forked program finds what an interpreter of its own would find, and ends with its parent, however the parent ends."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mailcordon.host import forking, guardian, log_file
from mailcordon_fixtures import systems

if not forking.possible():
    pytest.skip("this system cannot do it", allow_module_level=True)

#: Runs the last word of the command line as Python.
SERVE = (
    "import sys; from mailcordon.host.forking import serve; "
    "sys.exit(serve(int(sys.argv[1]), lambda program: exec(program[-1], {}) or 0))"
)
SLEEP = "import time; print('here', flush=True); time.sleep(600)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP


class Server:
    """The process that forks, and what asks it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.forks = forking.Forks(guardian.LOWEST_FREE_DESCRIPTOR)
        self.process = self._serve()

    def _serve(self) -> subprocess.Popen[bytes]:
        number = self.forks.descriptor
        return subprocess.Popen([sys.executable, "-c", SERVE, str(number)], pass_fds=[number])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def serve_again(self) -> None:
        self.process = self._serve()

    async def start(
        self, code: str, *, patience: int = 5, pass_fds: tuple[int, ...] = (), **environment: str
    ) -> forking.Forked:
        with log_file.open_log(self.directory / "log") as log:
            return await self.forks.start(
                ["python", "-m", "mailcordon", "run", code],
                kind="TERM",
                hard="KILL",
                patience=patience,
                log=log,
                env=environment,
                pass_fds=pass_fds,
            )

    async def said(self, what: str = "") -> str:
        log = self.directory / "log"
        await asyncio.to_thread(systems.wait_until, lambda: what in log.read_text(), f"it says {what}")
        return log.read_text()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(tmp_path)
    yield server
    server.forks.close()
    assert await asyncio.to_thread(server.process.wait, systems.PATIENCE) in (0, -signal.SIGKILL)


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def ends(pid: int) -> None:
    await asyncio.to_thread(systems.wait_until, lambda: not alive(pid), f"{pid} has ended")


async def test_its_status_is_the_programs(server: Server):
    assert await (await server.start("raise SystemExit(7)")).wait() == 7
    assert await (await server.start("import os; os.kill(os.getpid(), 9)")).wait() == 128 + signal.SIGKILL


async def test_a_bug_is_told_in_its_log(server: Server):
    assert await (await server.start("raise ValueError('a bug')")).wait() == 1
    assert "ValueError: a bug" in await server.said()


async def test_stop_ends_it_with_the_first_signal(server: Server):
    forked = await server.start(SLEEP)
    await server.said("here")
    guardian_pid = parent_of(forked.pid)
    assert await forked.stop() == 128 + signal.SIGTERM
    assert not alive(forked.pid)
    await ends(guardian_pid)


async def test_a_program_that_ignores_the_first_signal_is_killed(server: Server):
    forked = await server.start(DEAF, patience=1)
    await server.said("here")
    assert await forked.stop() == 128 + signal.SIGKILL


TELL = """
import json, os, random, signal, socket
strings = lambda name: open(f"/proc/self/{name}").read().split("\\0")[:-1]
print(json.dumps({
    "os.environ": dict(os.environ),
    "environ": dict(one.split("=", 1) for one in strings("environ")),
    "cmdline": strings("cmdline"),
    "descriptors": {one: os.readlink(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{one}")},
    "signals": [
        "default" if signal.getsignal(one) == signal.SIG_DFL else str(signal.getsignal(one))
        for one in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)
    ],
    "random": random.random(),
    "session": os.getsid(0) not in (os.getpid(), os.getsid(1)) and os.getsid(0) == os.getppid(),
}), flush=True)
"""


async def told(server: Server, **options: Any) -> dict[str, Any]:
    before = len(await server.said()) if (server.directory / "log").exists() else 0
    assert await (await server.start(TELL, **options)).wait() == 0, await server.said()
    return json.loads((await server.said())[before:])


async def test_it_finds_what_an_interpreter_of_its_own_would_find(server: Server):
    with open(os.devnull) as passed:
        number = passed.fileno()
        found = await told(server, pass_fds=(number,), FIRST="äö", SECOND="")
        again = await told(server, THIRD="3")
    assert found["os.environ"] == found["environ"] == {"FIRST": "äö", "SECOND": ""}
    assert again["os.environ"] == again["environ"] == {"THIRD": "3"}
    assert found["cmdline"] == ["python", "-m", "mailcordon", "run", TELL]
    log = str(server.directory / "log")
    assert found["descriptors"] == {"0": os.devnull, "1": log, "2": log, str(number): os.devnull}
    assert again["descriptors"] == {"0": os.devnull, "1": log, "2": log}
    assert found["signals"][:2] == ["default", "default"]
    assert "default_int_handler" in found["signals"][2]
    assert found["random"] != again["random"]
    assert found["session"]


async def test_the_process_that_forks_never_holds_a_programs_settings(server: Server):
    secret = os.urandom(16).hex()
    forked = await server.start(SLEEP, SECRET=secret)
    await server.said("here")
    assert _holds(forked.pid, secret)  # so it can be found
    assert not _holds(server.process.pid, secret)
    await forked.stop()


def _holds(pid: int, text: str) -> bool:
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            if " rw" not in line:
                continue
            start, end = (int(one, 16) for one in line.split()[0].split("-"))
            memory.seek(start)
            with contextlib.suppress(OSError):
                if text.encode() in memory.read(end - start):
                    return True
    return False


@pytest.mark.parametrize("code", [SLEEP, DEAF])
async def test_a_killed_guardian_takes_it_along(server: Server, code: str):
    forked = await server.start(code, patience=1)
    await server.said("here")
    os.kill(parent_of(forked.pid), signal.SIGKILL)
    assert await forked.wait() == 128 + signal.SIGKILL
    assert not alive(forked.pid)


async def test_it_goes_on_when_the_process_that_forks_is_killed_and_the_next_one_does_what_was_asked(
    server: Server,
):
    forked = await server.start(SLEEP)
    server.kill()
    starting = asyncio.create_task(server.start("raise SystemExit(3)"))
    await asyncio.sleep(0.1)
    assert not starting.done()
    server.serve_again()
    assert await (await starting).wait() == 3
    assert alive(forked.pid)
    assert await forked.stop() == 128 + signal.SIGTERM


async def test_what_nobody_waits_for_any_more_ends_at_once(server: Server):
    server.kill()
    starting = asyncio.create_task(server.start(f"{SLEEP} # {server.directory}"))
    await asyncio.sleep(0.1)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    server.serve_again()
    assert (
        await (await server.start("print('other', flush=True)")).wait() == 0
    )  # the one before was read first
    await asyncio.to_thread(
        systems.wait_until, lambda: not systems.processes_naming(str(server.directory)), "nothing is left"
    )


async def test_who_is_not_served_is_told(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(forking, "START_PATIENCE", 0.1)
    server.kill()
    with pytest.raises(forking.Unavailable, match=r"starter\.log"):
        await server.start(SLEEP)


@pytest.mark.parametrize("guardian_too", [False, True])
def test_a_killed_parent_takes_it_along(tmp_path: Path, *, guardian_too: bool):
    parent = textwrap.dedent(f"""
        import asyncio, subprocess, sys
        from pathlib import Path
        from mailcordon.host import forking, log_file

        async def main():
            forks = forking.Forks()
            subprocess.Popen([sys.executable, "-c", {SERVE!r}, str(forks.descriptor)], pass_fds=[forks.descriptor])
            with log_file.open_log(Path({str(tmp_path / "log")!r})) as log:
                forked = await forks.start(
                    ["python", {SLEEP!r}], kind="TERM", hard="KILL", patience=5, log=log, env={{}}, pass_fds=())
            print(forked.pid, flush=True)
            await asyncio.sleep(600)

        asyncio.run(main())
    """)
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        ancestors = [pid, parent_of(pid), parent_of(parent_of(pid))]
        assert all(alive(one) for one in ancestors)
        if guardian_too:
            os.kill(ancestors[1], signal.SIGSTOP)  # before it can react
        process.kill()
        if guardian_too:
            os.kill(ancestors[1], signal.SIGKILL)
    systems.wait_until(lambda: not any(alive(one) for one in ancestors), "all have ended")
