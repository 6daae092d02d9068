"""A guarded program ends with its parent, however the parent ends."""

import asyncio
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from mailcordon.host import guardian, log_file
from mailcordon_fixtures import systems

SLEEPER = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]


def alive(pid: int | None) -> bool:
    state = subprocess.run(
        ["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return state not in ("", "Z")


async def start(log: Path, program: list[str], patience: int = 5) -> guardian.Guarded:
    with log_file.open_log(log) as file:
        return await guardian.start(program, kind="TERM", hard="KILL", patience=patience, log=file)


async def test_stop_ends_it_with_the_first_signal(tmp_path: Path):
    guarded = await start(tmp_path / "log", SLEEPER)
    assert alive(guarded.pid)
    assert await guarded.stop() == 128 + signal.SIGTERM
    assert not alive(guarded.pid)
    assert guarded.ended


async def test_a_program_that_ignores_the_first_signal_is_killed(tmp_path: Path):
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    guarded = await start(tmp_path / "log", [sys.executable, "-c", deaf], patience=1)
    await asyncio.to_thread(systems.wait_until, lambda: (tmp_path / "log").read_text() != "", "it is deaf")
    assert await guarded.stop() == 128 + signal.SIGKILL


async def test_its_status_is_the_programs(tmp_path: Path):
    guarded = await start(tmp_path / "log", [sys.executable, "-c", "raise SystemExit(7)"])
    assert await guarded.wait() == 7


async def test_only_the_program_writes_to_its_log(tmp_path: Path):
    guarded = await start(tmp_path / "log", [*SLEEPER])
    await asyncio.to_thread(systems.wait_until, lambda: (tmp_path / "log").read_text() != "", "it runs")
    assert guarded.pid is not None
    subprocess.run(["kill", "-9", str(guarded.pid)], check=True)
    await guarded.wait()
    assert (tmp_path / "log").read_text() == "here\n"


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancelled_start_ends_and_leaves_nothing_running(tmp_path: Path, turns: int):
    starting = asyncio.create_task(start(tmp_path / "log", [*SLEEPER, str(tmp_path)]))
    for _ in range(turns):  # each turn of the loop is another place to be cancelled in
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(starting, systems.PATIENCE)
    await asyncio.to_thread(
        systems.wait_until, lambda: not systems.processes_naming(str(tmp_path)), "nothing is left"
    )


def test_a_killed_parent_takes_it_along(tmp_path: Path):
    parent = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from mailcordon.host import guardian, log_file

        async def main():
            with log_file.open_log(Path({str(tmp_path / "log")!r})) as log:
                guarded = await guardian.start({SLEEPER!r}, kind="TERM", hard="KILL", patience=5, log=log)
            print(guarded.pid, flush=True)
            await asyncio.sleep(600)

        asyncio.run(main())
    """)
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert alive(pid)
        process.kill()
    systems.wait_until(lambda: not alive(pid), "the program ends with its parent")
