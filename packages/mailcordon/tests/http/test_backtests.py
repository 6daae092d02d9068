"""A back-test over HTTP: the work is done in a process of its own, and who may ask for it."""

import asyncio
import multiprocessing
from dataclasses import replace
from multiprocessing.process import BaseProcess
from typing import Any

import pytest

from mailcordon.adapters.http import waiting_caller
from mailcordon.control import backtests
from mailcordon.core.errors import Unavailable
from mailcordon.core.provider import Provider
from mailcordon.guard.backtest_job import Record
from mailcordon_fixtures.cohorts import Cohorts

PATH = "/v1/policy/backtest"


def body(**over: Any) -> dict[str, Any]:
    part = {"because": "a test", "breaker": {"mode": "enforce"}}
    return {"document": {"version": 1, "tenants": {"acme": part}}, "minutes": 14 * 1440, **over}


async def test_it_says_what_would_have_been_held_and_what_others_would_have_done(world: Any) -> None:
    lane = await world.owner.fetchval(
        "select l.id from lane l join tenant t on t.id = l.tenant where t.slug = 'acme'"
    )
    now = await world.owner.fetchval("select now_ms() / 60000")
    cohorts = Cohorts(world.owner)
    for day in range(13, 1, -1):
        await cohorts.add(
            lane, minute=now - day * 1440, provider=Provider.YAHOO, sent=2_000, list="own", hard_bounced=16
        )
    for ago in range(1_200, 1_160, -1):
        await cohorts.add(
            lane, minute=now - ago, provider=Provider.YAHOO, sent=50, list="bought", hard_bounced=15
        )
    before = await world.owner.fetchval("select count(*) from policy_version")
    key = await world.key(None, "read")
    answer = await world.ask(("POST", PATH, body()), key)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    (item,) = found["items"]
    assert (item["tenant"], item["type"], item["mode"], item["sent"]) == (
        "acme",
        "newsletter",
        "enforce",
        26_000,
    )
    assert found["kept"] > found["good"] > 0
    assert found["detail"].startswith("Of 26,000 mails of 1 lane since")
    held = [one for one in item["decisions"] if one["level"] == "cordon" and not one["over"]]
    assert held[0]["guilty"] == ["list:bought"]
    assert held[0]["detail"].startswith("held: list bought. ")
    assert {one["peer"]: one["number"] for one in found["peers"]}["usual"] == 1
    assert await world.owner.fetchval("select count(*) from policy_version") == before


async def test_faults_name_members_of_the_document_and_only_platform_keys_ask(world: Any) -> None:
    key = await world.key(None, "read")
    wrong = {"version": 1, "tenants": {"acme": {"breaker": {"sensitivity": -1}}}}
    answer = await world.ask(("POST", PATH, body(document=wrong)), key)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == ["document.tenants.acme.breaker.sensitivity"]
    for minutes in (1, 10**9):
        assert (await world.ask(("POST", PATH, body(minutes=minutes)), key)).status_code == 422
    assert (await world.ask(("POST", PATH, body(tenant="nobody")), key)).status_code == 404
    assert (await world.ask(("POST", PATH, body()), world.tenant_keys["acme"])).status_code == 403
    assert (await world.ask(("POST", PATH, body()), None)).status_code == 401
    assert (await world.ask(("POST", PATH, body()), await world.key(None, "send"))).status_code == 403


async def test_a_back_test_that_takes_too_long_dies_or_is_cancelled_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = Record(
        since=0,
        until=60,
        minutes_since=0,
        exact_since=0,
        lanes=[],
        capped=[],
        history=[],
        hours=[],
        minutes=[],
        changes=[],
    )
    task = asyncio.create_task(backtests.in_a_process(record))
    while not _children():
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for process in _children():
        await asyncio.to_thread(process.join)
    assert _children() == []
    with pytest.raises(Unavailable) as dead:
        await backtests.in_a_process(replace(record, lanes=[None]))  # pyright: ignore[reportArgumentType]
    assert dead.value.code == "died"
    monkeypatch.setattr(backtests, "MOST_SECONDS", 0.0)
    with pytest.raises(Unavailable) as slow:
        await backtests.in_a_process(record)
    assert slow.value.code == "too-slow"
    for process in _children():
        await asyncio.to_thread(process.join)


async def test_a_back_test_ends_when_its_caller_hangs_up() -> None:
    caller, began, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def receive() -> Any:
        await caller.wait()
        return {"type": "http.disconnect"}

    async def work() -> str:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "never"

    request = asyncio.create_task(waiting_caller.while_waiting(receive, work(), "The caller hung up."))
    await began.wait()
    assert not request.done()
    caller.set()
    with pytest.raises(Unavailable, match="hung up"):
        await request
    assert ended.is_set(), "it has ended before another may begin"

    async def quick() -> str:
        return "done"

    caller.clear()
    assert await waiting_caller.while_waiting(receive, quick(), "The caller hung up.") == "done"


def _children() -> list[BaseProcess]:
    return [one for one in multiprocessing.active_children() if one.name == "mailcordon back-test"]
