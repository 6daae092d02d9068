"""A dispatcher finds that its database was restored, and what was queued in the backup is judged by what is known of calls."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.restoration_store import RestorationStore
from mailcordon.app import dispatch_lineage
from mailcordon.config import Config
from mailcordon.control.governor import Governor
from mailcordon.control.restorations import Evidence, Fate, Queued, Restorations, fate, last_calls
from mailcordon.core.priority import Class
from mailcordon.host import dispatch_memory
from mailcordon.host.dispatch_memory import Call, CallLog


@pytest.fixture
async def governors(database: Any) -> AsyncIterator[engine.Pool]:
    async with await engine.create_pool(database.dsn("governor"), max_size=2) as pool:
        yield pool


def restorations(governors: engine.Pool) -> Restorations:
    return Restorations(RestorationStore(governors), Governor(GovernorStore(governors)).stops, "default")


def settings(database: Any, home: Path) -> Config:
    return Config(home=home, login_urls={"send": database.dsn("send")})


async def owner(database: Any, statement: str, *arguments: object) -> Any:
    connection = await engine.connect(database.dsn("owner"))
    try:
        return await connection.fetchval(statement, *arguments)
    finally:
        await connection.close()


async def test_a_database_that_goes_on_is_no_restored_one(
    database: Any, governors: engine.Pool, tmp_path: Path
) -> None:
    for _ in range(2):  # a second start in the same home
        async with dispatch_lineage.lineage(settings(database, tmp_path), governors) as lineage:
            assert await lineage.holds(stopped=False)
            await lineage.report()
            await lineage.report()
            assert await lineage.holds(stopped=False)
    assert dispatch_memory.load(tmp_path).beats == 4
    async with dispatch_lineage.lineage(settings(database, tmp_path / "new"), governors) as lineage:
        assert await lineage.holds(stopped=False), "a host that knows nothing"
    assert await restorations(governors).open() is None


@pytest.mark.parametrize(
    "change", ["update dispatch_home set beats = beats - 1", "delete from dispatch_home"]
)
async def test_one_that_is_behind_is_stopped_until_it_is_settled(
    database: Any, governors: engine.Pool, tmp_path: Path, change: str
) -> None:
    found = restorations(governors)
    async with dispatch_lineage.lineage(settings(database, tmp_path), governors) as lineage:
        await lineage.report()
        await lineage.report()
        await owner(database, change)
        await lineage.report()
        assert await owner(database, "select coalesce(max(beats), 0) from dispatch_home") < 2, "left alone"
        assert not await lineage.holds(stopped=False)
        opened = await found.open()
        assert opened is not None
        assert "has reported to it 2 times, and it " in opened.because
        assert not await lineage.holds(stopped=False), "until the stop is known here"
        assert await lineage.holds(stopped=True)
        await lineage.report()
        assert await owner(database, "select count(*) from stop where cause = 'restored'") == 1
        # Somebody ended the stop, but settled nothing: it is placed again.
        await owner(database, "update stop set ended_at = 1, ended_by = 'x' where cause = 'restored'")
        assert not await lineage.holds(stopped=False)
        assert (
            await owner(database, "select count(*) from stop where cause = 'restored' and ended_at is null")
            == 1
        )
        await found.settle(opened, {}, drop=frozenset(), by="kim", because="nothing was queued")
        assert await lineage.holds(stopped=False)
    assert (
        await owner(database, "select count(*) from stop where cause = 'restored' and ended_at is null") == 0
    )
    assert await owner(database, "select settled_by from restoration") == "kim"


async def test_a_host_that_comes_back_later_is_explained_by_the_restore_that_was_settled(
    database: Any, governors: engine.Pool, tmp_path: Path
) -> None:
    found = restorations(governors)
    async with dispatch_lineage.lineage(settings(database, tmp_path), governors) as lineage:
        await lineage.report()
        await owner(database, "delete from dispatch_home")
        assert await found.found(by="kim", because="restored by hand")
        opened = await found.open()
        assert opened is not None
        await found.settle(opened, {}, drop=frozenset(), by="kim", because="done")
        assert not await lineage.holds(stopped=False)
        assert await found.open() is None, "no second restoration"
        assert await lineage.holds(stopped=False)
        await lineage.report()
        # Another restore, later: this host has reported since the first.
        await owner(database, "delete from dispatch_home")
        assert not await lineage.holds(stopped=False)
        assert await found.open() is not None


@pytest.mark.parametrize(
    ("unknown", "ses_id", "evidence", "wanted"),
    [
        (False, None, None, Fate.OPEN),
        (True, None, None, Fate.CALLED),
        (False, "0100", None, Fate.SENT),
        (False, None, Evidence(60_000, 2), Fate.CALLED),
        (False, None, Evidence(60_000, 2, "0100"), Fate.SENT),
        (False, None, Evidence(10_000, 3), Fate.CALLED),  # a later attempt than the backup knows
        (False, None, Evidence(10_000, 2), Fate.OPEN),  # before the backup: SES refused it, and it went back
        (False, None, Evidence(46_000, 2), Fate.CALLED),  # about then
    ],
)
def test_what_is_known_of_calls_decides(
    *, unknown: bool, ses_id: str | None, evidence: Evidence | None, wanted: Fate
) -> None:
    one = Queued(1, 64, 2, unknown, False, Class.URGENT, None, ses_id)
    assert fate(one, evidence, 50_000) is wanted
    if evidence is not None:
        assert fate(one, evidence, None) in (Fate.CALLED, Fate.SENT), "the time of the backup is not known"


def test_the_log_of_calls_has_each_call_and_forgets_after_its_days(tmp_path: Path) -> None:
    hour, day = 3_600_000, 86_400_000
    start = 20_000 * day
    log = CallLog(tmp_path, keep_days=2)
    log.write([Call(start, 65, 1), Call(start, 66, 1)])
    log.write([Call(start + hour, 65, 2)])
    files = dispatch_memory.call_files([tmp_path])
    assert len(files) == 2
    files[1].write_text(files[1].read_text() + "1764 cut sho")
    read = list(dispatch_memory.read_calls(files))
    assert read == [Call(start, 65, 1), Call(start, 66, 1), Call(start + hour, 65, 2)]
    assert last_calls(read, {65}) == {65: Evidence(start + hour, 2)}
    log.write([Call(start + 3 * day, 67, 1)])
    log.close()
    assert [one.delivery for one in dispatch_memory.read_calls(dispatch_memory.call_files([tmp_path]))] == [
        67
    ]
    off = CallLog(tmp_path / "off", keep_days=0)
    off.write([Call(start, 65, 1)])
    assert not (tmp_path / "off").exists()


def test_a_memory_that_was_cut_short_is_a_new_one(tmp_path: Path) -> None:
    known = dispatch_memory.Memory(uuid.uuid4(), 3, 4)
    dispatch_memory.save(tmp_path, known)
    assert dispatch_memory.load(tmp_path) == known
    (tmp_path / dispatch_memory.MEMORY_FILE).write_text('{"home": ')
    assert dispatch_memory.load(tmp_path).beats == 0
