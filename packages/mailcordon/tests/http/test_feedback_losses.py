"""What the API shows of lost and late feedback: all to the platform, to a tenant only that a lane of its own is concerned."""

import json
from typing import Any

from mailcordon.adapters.cli.commands import feedback
from mailcordon.core.provider import Provider

SET, OTHER = "mc-marketing", "mc-elsewhere"
START = 1_795_879_380_000


async def lose(world: Any, **over: Any) -> int:
    row: dict[str, Any] = {
        "signal": "send",
        "configuration_set": SET,
        "provider": None,
        "since": START,
        "until": None,
        "raised_at": START + 90_000,
        "ended_at": None,
        "cause": "topic-policy",
        "because": "the policy of topic arn:aws:sns:us-east-1:1:t does not let SES publish",
        "evidence": json.dumps({"sent": 20, "seen": 3, "others": 0}),
        "missing": 17,
        "counted_at": START,
        **over,
    }
    places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
    return await world.owner.fetchval(
        f"insert into feedback_loss ({', '.join(row)}) values ({places}) returning id", *row.values()
    )


async def ask(world: Any, key: str, path: str) -> Any:
    answer = await world.ask(("GET", path, None), key)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_platform_sees_losses_with_their_cause_and_what_to_do(world: Any) -> None:
    over = await lose(world, until=START + 60_000, ended_at=START + 120_000)
    lasts = await lose(world, provider=int(Provider.GMAIL), signal="bounce", configuration_set=None)
    reader = await world.key(None, "read")
    found = await ask(world, reader, "/v1/feedback")
    assert [item["id"] for item in found["items"]] == [lasts, over]
    new, old = found["items"]
    assert (new["open"], new["provider"], new["configuration_set"]) == (True, "gmail", None)
    assert "mail to gmail" in new["detail"]
    assert "Repair the topic" in new["next"]
    assert (old["open"], old["next"], old["since"]) == (False, None, "2026-11-28T15:23:00.000Z")
    assert (old["sent"], old["seen"], old["missing"]) == (20, 3, 17)
    assert [item["id"] for item in (await ask(world, reader, "/v1/feedback?open=true"))["items"]] == [lasts]
    page = await ask(world, reader, "/v1/feedback?limit=1")
    rest = await ask(world, reader, f"/v1/feedback?limit=1&after={page['next']}")
    assert [item["id"] for item in page["items"] + rest["items"]] == [lasts, over]


async def test_a_tenants_key_sees_its_own_lanes_and_no_name_of_what_is_shared(world: Any) -> None:
    await world.owner.execute(
        "insert into configuration_set (name, kind, class) values ($1, 'shared', 2) on conflict do nothing",
        OTHER,
    )
    await world.owner.execute(
        "update route set configuration_set = $1 where tenant = (select id from tenant where slug = 'zen')",
        OTHER,
    )
    await world.owner.execute("delete from route_before")
    await lose(world)
    acme, zen = world.tenant_keys["acme"], world.tenant_keys["zen"]
    answer = await world.ask(("GET", "/v1/feedback", None), acme)
    [item] = answer.json()["items"]
    assert (item["id"], item["types"], item["cause"], item["sent"]) == (None, ["newsletter"], None, None)
    assert (
        item["detail"]
        == "events of its mail sent since 28 Nov 2026 15:23 UTC are missing: its rates are too low"
    )
    assert SET not in answer.text
    assert "arn:" not in answer.text
    assert (await ask(world, zen, "/v1/feedback"))["items"] == []
    shown = await ask(world, acme, "/v1/tenants/acme/lanes/newsletter")
    assert (shown["feedback"]["lost"], shown["feedback"]["since"]) == (True, "2026-11-28T15:23:00.000Z")
    shown = await ask(world, zen, "/v1/tenants/zen/lanes/newsletter")
    assert shown["feedback"] == {
        "lost": False,
        "late": False,
        "since": None,
        "detail": "events of its mail come back",
    }
    reader = await world.key(None, "read")
    [item] = (await ask(world, reader, "/v1/feedback?tenant=acme"))["items"]
    assert item["types"] == ["newsletter"]
    assert (await ask(world, reader, "/v1/feedback?tenant=zen"))["items"] == []


async def test_what_is_over_and_whose_events_came_late_concerns_no_lane(world: Any) -> None:
    await lose(world, until=START + 60_000, ended_at=START + 90_000, missing=0)
    assert (await ask(world, world.tenant_keys["acme"], "/v1/feedback"))["items"] == []


async def test_the_command_shows_each_loss_with_what_to_do(world: Any) -> None:
    number = await lose(world)
    [item] = (await ask(world, await world.key(None, "read"), "/v1/feedback"))["items"]
    shown = feedback.loss_text(item)
    first, detail, rates, what = shown.split("\n")
    assert first == f"{number}  lasts"
    assert detail.startswith(
        "Feedback lost since 28 Nov 2026 15:23 UTC (mail through set mc-marketing): of 20 mails, 3 have"
    )
    assert "unreliable" in rates
    assert what.startswith("Repair the topic")
