"""Incidents on real processes: the command line, and what is told when the process that tells it hangs."""

import asyncio
import json
import secrets
from collections.abc import Callable
from typing import Any

from mailcordon_fixtures import traffic
from mailcordon_fixtures.traffic import Traffic

Run = Callable[..., tuple[int, str, str]]

LEADER = "select pid from pg_locks where locktype = 'advisory' and classid = 20557 and granted limit 1"


async def opened(mail: Traffic, cause: str) -> Any:
    """An incident whose alarms were seen until an hour from now, so that the loop leaves it open."""
    return await mail.db.fetchval(
        "insert into incident (kind, cause, severity, scope, name, tenant, culprit, sentence, next, command, since, opened_at,"
        " identified_at, seen_at, cause_seen_at) select 'rates', $1, 'high', 'tenant', slug, id, 'list bought',"
        " 'half of its mail bounces', 'hold the list', 'mailcordon cordon x', now_ms() - 60000, now_ms(), now_ms(),"
        " now_ms() + 3600000, now_ms() + 3600000 from tenant where slug = $1 returning id",
        cause,
    )


async def test_every_command_of_incidents_speaks_to_people_and_to_machines(mail: Traffic, run: Run) -> None:
    slug = f"told-{secrets.token_hex(3)}"
    await mail.onboard({slug: ["newsletter"]})
    number = str(await opened(mail, slug))
    await asyncio.to_thread(say_everything, run, slug, number)


def say_everything(run: Run, slug: str, number: str) -> None:
    def said(*words: str) -> str:
        code, out, err = run("incident", *words)
        assert code == 0, err
        return out

    def found(*words: str) -> Any:
        return json.loads(said(*words, "--json"))

    assert [str(one["id"]) for one in found("list", "--tenant", slug)["items"]] == [number]
    assert "half of its mail bounces" in said("--tenant", slug)
    assert "No incident is open." in said("--tenant", slug, "--kind", "drift")
    assert "Noted" in said("note", number, "asked them to stop")
    assert found("note", number, "again")["timeline"][-1]["detail"] == "again"
    assert "acknowledged" in said("ack", number)
    assert found("ack", number)["incident"]["acknowledged_at"]
    assert "a customer reported it" in said("reported", number)
    assert found("reported", number, "--nobody")["incident"]["reported_at"] is None
    shown = said("show", number)
    assert found("show", number)["incident"]["culprit"] == "list bought"
    for words in ("list bought", "mailcordon cordon x", "asked them to stop", "after 60 s"):
        assert words in shown, words
    assert "half of its mail bounces" in said("report", number)
    assert found("report", number)["timeline"]
    report = said("report", number, "--for-tenant", slug)
    assert "How mail goes on" in report
    assert "asked them to stop" not in report
    assert found("report", number, "--for-tenant", slug)["cause"] == "half of its mail bounces"
    assert run("why", "incident", number)[1].startswith("half of its mail bounces")
    assert int(number) in [one["id"] for one in json.loads(run("status", "--json")[1])["incidents"]]
    assert "half of its mail" in run("status")[1]
    assert "is closed" in said("close", number, "--because", "list deleted")
    assert run("incident", "close", number, "--because", "again")[0] == 1
    assert any(one["kind"] == "rates" for one in found("times")["items"])
    assert "IDENTIFY MEDIAN" in said("times", "--by", "kind")
    assert run("incident", "show", "999999999")[0] == 3
    assert run("incident", "times", "--since", "yesterday")[0] == 1


async def test_control_that_hangs_is_told_by_an_api_process_until_it_is_back(mail: Traffic) -> None:
    async def incident() -> Any:
        return await mail.db.fetchrow(
            "select * from incident where cause = 'role:control' order by id desc limit 1"
        )

    leader = await mail.db.fetchval(LEADER)
    with traffic.stopped(mail.system, "control"):
        # As half a minute later: it cannot report, and the server has ended its session.
        await mail.db.execute("update role_health set beat = beat - 60000 where role = 'control'")
        await mail.db.execute("select pg_terminate_backend($1)", leader)
        row = await mail.until(incident, "an incident says that control hangs", patience=60)
        assert "control" in row["culprit"]
        assert row["identified_at"] is not None
        assert await mail.db.fetchval(LEADER) not in (None, leader)

    async def closed() -> bool:
        return (await incident())["closed_at"] is not None

    await mail.until(closed, "it closes once control is back", patience=60)
