"""A database that is restored from a backup sends nothing again by itself (architecture, invariant 10; docs/backup.md).

A real dump of a running system, mail that leaves after it, and a real restore.
"""

import asyncio
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from mailcordon.adapters.db.embedded import EmbeddedPostgres
from mailcordon.core.delivery import State
from mailcordon.host import dispatch_memory
from mailcordon.host.home import DATABASE_FILE
from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic

TYPES = ["password-reset", "newsletter", "announcement"]
DATABASE = "mailcordon"


def binary(data: Path, name: str) -> str:
    """A program of the PostgreSQL that runs there."""
    pid = int((data / "postmaster.pid").read_text().split()[0])
    return str(Path(os.readlink(f"/proc/{pid}/exe")).with_name(name))


def dump(system: systems.System, file: Path) -> None:
    program = binary(traffic.data_directory(system), "pg_dump")
    dsn = traffic.superuser_dsn(system)
    subprocess.run([program, "--format=custom", "--create", f"--file={file}", dsn], check=True)


async def restore(home: Path, file: Path) -> None:
    """What docs/backup.md says, while nothing runs."""
    server = EmbeddedPostgres(home)
    await server.start()
    try:
        program = binary(server.files.data, "pg_restore")
        arguments = ["--clean", "--create", "--if-exists", "--exit-on-error", f"--dbname={server.dsn()}"]
        await asyncio.to_thread(subprocess.run, [program, *arguments, str(file)], check=True)
    finally:
        await server.stop()


def kill_everything(system: systems.System) -> None:
    """Nothing drains: what observe had not read stays in the queue."""
    for pid in (system.process.pid, *system.processes.values()):
        os.kill(pid, signal.SIGKILL)
    system.process.wait(systems.PATIENCE)


async def lift(mail: Traffic, *types: str) -> None:
    for type in types:
        await mail.lift("acme", type=type)


async def times_sent(mail: Traffic) -> Counter[str]:
    """How often SES has a mail, by the part of its From before the tenant's domain."""
    of_type = Counter[str]()
    for one in await mail.sent("acme"):
        of_type[one["from"].rpartition("@")[2].rstrip(">").split(".")[0]] += 1
    return of_type


def test_after_a_restore_nothing_is_sent_again_blindly(
    short_home: Callable[[], AbstractContextManager[Path]], tmp_path: Path
) -> None:
    file = tmp_path / "backup.dump"
    with short_home() as home:
        with systems.running(home) as system:
            asyncio.run(before(system, file))
        asyncio.run(restore(home, file))
        with systems.up(home) as system:
            asyncio.run(after(system))


async def before(system: systems.System, file: Path) -> None:
    """Since the backup: six mails leave and are delivered, one leaves and nobody reads its events, two wait as before."""
    async with traffic.on(system) as mail:
        await mail.onboard({"acme": TYPES})
        for type in TYPES:
            await mail.hold("acme", type=type)
        await mail.fill("acme", "newsletter", 6)
        assert await mail.put("acme", "password-reset")
        await mail.fill("acme", "announcement", 2)
        dump(system, file)
        await lift(mail, "newsletter")

        async def delivered() -> bool:
            return await mail.count("outcome", "acme", f"state = {int(State.DELIVERED)}") == 6

        await mail.until(delivered, "the newsletter is delivered")
        os.kill(system.processes["observe"], signal.SIGSTOP)
        await lift(mail, "password-reset")

        async def left() -> bool:
            return (await times_sent(mail))["password-reset"] == 1

        await mail.until(left, "the reset has left")
        kill_everything(system)


async def after(system: systems.System) -> None:
    async with traffic.on(system) as mail:
        await check(mail, system.home)


async def check(mail: Traffic, home: Path) -> None:
    async def stopped() -> str | None:
        return await mail.db.fetchval(
            "select because from stop where cause = 'restored' and ended_at is null"
        )

    because = await mail.until(stopped, "the dispatcher finds the restore")
    assert because.startswith("The database was restored from a backup of about ")
    assert because.endswith("of them): what was sent since is not in it")
    await lift(mail, *TYPES)  # the backup has the holds of then; without the stop all nine would leave now
    new = await mail.put("acme", "password-reset")

    async def events_read() -> bool:
        return (await mail.count("quarantine", "acme", "why = 'disagreement'")) >= 2

    await mail.until(events_read, "the events that nobody had read are in quarantine")
    status, said = await mail.call("GET", "/v1/status")
    assert status == 200
    assert not said["ok"]
    [problem] = [one for one in said["problems"] if one["code"] == "stopped-restored"]
    assert because in problem["detail"]
    assert (
        "It ends when somebody has said what becomes of the mail that may have left since"
        in problem["detail"]
    )
    assert problem["next"].startswith("Run `mailcordon restored` on a host")

    # An operator's `uncordon --owner ses` ends what SES refuses, and not this.
    await mail.lift("acme", type="newsletter", owner="ses")
    assert await stopped()

    asked = json.loads((await cli(mail, 1, "--json")).stdout)
    assert asked["queued"] == {
        "urgent": {"sent": 1, "called": 0, "open": 0},
        "marketing": {"sent": 0, "called": 6, "open": 2},
    }
    without = await cli(mail, 1, "--calls", str(home / DATABASE_FILE))
    assert (
        "marketing: 0 that SES has, by its Send event; 0 for which SES was called; 8 of which nothing says so."
        in (without.stdout)
    )
    refused = await cli(mail, 1, "--yes", "--because", "try")
    assert "Nothing is decided on marketing: name each with --send or --drop." in refused.stderr

    done = await cli(mail, 0, "--send", "marketing", "--because", "all logs read", "--yes")
    assert done.stdout.startswith(
        "Settled: 1 sent, 6 without an outcome, 0 dropped; 2 still queued, to leave along the ramp."
    )
    await mail.all_final("acme")
    assert await times_sent(mail) == {"newsletter": 6, "password-reset": 2, "announcement": 2}
    assert new is not None
    states = await mail.db.fetch("select state, count(*) as n from ledger group by state")
    assert {row["state"]: row["n"] for row in states} == {
        int(State.SENT): 4,  # the reset of before and the new one, two announcements
        int(State.NO_OUTCOME): 6,
    }
    assert await stopped() is None
    assert "No restore is to be settled." in (await cli(mail, 0)).stdout
    assert dispatch_memory.load(home).beats > 0


async def cli(mail: Traffic, exit: int, *words: str) -> subprocess.CompletedProcess[str]:
    done = await asyncio.to_thread(mail.system.cli, "restored", *words)
    assert done.returncode == exit, done.stdout + done.stderr
    return done
