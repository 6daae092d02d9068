"""Who reads which releases and warm-ups over HTTP, what they say, and who may let a release leave."""

from typing import Any

import pytest


@pytest.fixture(autouse=True)
async def no_release(world: Any) -> None:
    await world.owner.execute("delete from release")
    await world.owner.execute("delete from send_limit")


async def ask(world: Any, key: str, path: str) -> Any:
    return await world.ask(("GET", path, None), key)


async def begin(world: Any, slug: str, name: str, kind: str = "campaign") -> int:
    tenant, lane = await world.owner.fetchrow(
        "select l.tenant, l.id from lane l join tenant t on t.id = l.tenant join message_type y on y.id = l.type"
        " where t.slug = $1 and y.name = 'newsletter'",
        slug,
    )
    await world.owner.execute(
        "select begin_release($1, $2, $3, $4, 1500, false, 'size', 'enforce', 'steps')",
        tenant,
        lane,
        kind,
        name,
    )
    return await world.owner.fetchval("select max(id) from release")


async def test_a_tenants_key_sees_its_own_releases_and_warm_ups(world: Any) -> None:
    mine, others = await begin(world, "acme", "sale"), await begin(world, "zen", "secret")
    for slug in ("acme", "zen"):
        await world.owner.execute(
            "insert into warm_up select id, 'news.' || slug || '.example', '', 1, 20000, 2, 20, null, 'advanced', null, 500,"
            " 'enforce', 20000 from tenant where slug = $1",
            slug,
        )
    await world.owner.execute(
        "insert into release_intake values ($1, 3, (select tenant from release where id = $1), 40000, 0)",
        mine,
    )
    own, platform = world.tenant_keys["acme"], await world.key(None, "read")
    [release] = (await ask(world, own, "/v1/releases")).json()["items"]
    assert (release["id"], release["name"], release["accepted"], release["may_leave"]) == (
        mine,
        "sale",
        40_000,
        1500,
    )
    assert {item["id"] for item in (await ask(world, platform, "/v1/releases")).json()["items"]} == {
        mine,
        others,
    }
    [warm_up] = (await ask(world, own, "/v1/warm-ups")).json()["items"]
    assert (warm_up["domain"], warm_up["day"], warm_up["days"], warm_up["mails_today"]) == (
        "news.acme.example",
        3,
        20,
        500,
    )
    assert warm_up["sentence"] == "news.acme.example is new to gmail: 500 mails today, on day 3 of 20."
    assert len((await ask(world, platform, "/v1/warm-ups")).json()["items"]) == 2


async def test_releases_are_found_by_name_type_and_whether_they_last(world: Any) -> None:
    first = await begin(world, "acme", "sale")
    await world.owner.execute("update release set phase = 'over', ended_at = now_ms(), why = 'over'")
    second, unnamed = await begin(world, "acme", "sale"), await begin(world, "acme", "", "lane")
    key = await world.key(None, "read")

    async def found(query: str) -> list[int]:
        return [item["id"] for item in (await ask(world, key, f"/v1/releases?{query}")).json()["items"]]

    assert await found("name=sale") == [second, first]
    assert await found("name=") == [unnamed]
    assert await found("open=false") == [first]
    assert await found("type=newsletter&open=true&limit=1") == [unnamed]
    assert await found("type=invoice") == []
    assert await found(f"after={second}") == [first]


async def test_each_state_has_its_sentence(world: Any) -> None:
    id = await begin(world, "acme", "sale")
    key = await world.key(None, "read")

    async def said(phase: str, why: str, **over: Any) -> str:
        values = {"phase": phase, "why": why, "next_at": None, "sent": 1500, "heard": 310, **over}
        sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(values, 2))
        await world.owner.execute(f"update release set {sets} where id = $1", id, *values.values())
        [item] = (await ask(world, key, "/v1/releases")).json()["items"]
        return item["sentence"]

    at = 1_795_879_320_000
    assert "turns out small leaves at once" in await said("steps", "size")
    assert "small batch" in await said("steps", "small")
    assert "None of the open step has left yet" in await said("steps", "nothing-left")
    assert await said("steps", "age", next_at=at) == (
        "1,500 mails are out. The next step opens at 15:22:00 UTC if few of them bounce."
    )
    assert "feedback stays good" in await said("steps", "pace", next_at=at)
    assert "only 310 outcomes came back" in await said("steps", "silence")
    assert "more of them have left" in await said("steps", "unused")
    assert "few complain" in await said("steps", "canary", next_at=at)
    closed = await said("closed", "bounces", bounces=31, usual_bounces=8.4)
    assert closed.startswith(
        "Nothing more of it leaves: 31 hard bounces of 1,500 mails, where at most 8.4 are healthy by now."
    )
    assert closed.endswith("mailcordon campaign open acme sale --type newsletter --because '...'")
    assert "complaints of 1,500 mails" in await said(
        "closed", "complaints", complaints=14, usual_complaints=1.5
    )
    assert "an alarm is open" in await said("closed", "warned")
    assert "nothing waits for a step" in await said("open", "healthy")
    assert "It is over since" in await said("over", "over", ended_at=at)


async def test_a_person_lets_a_release_leave_and_says_why(world: Any) -> None:
    id = await begin(world, "acme", "sale")
    key = await world.key(None, "operate")
    opened = await world.ask(("POST", f"/v1/releases/{id}/open", {"because": "asked the customer"}), key)
    assert opened.status_code == 200, opened.text
    item = opened.json()
    assert (item["state"], item["may_leave"], item["opened_because"]) == ("open", None, "asked the customer")
    assert item["sentence"].endswith(
        'let all of it leave: "asked the customer". Holds and limits still apply.'
    )
    assert await world.owner.fetchval("select count(*) from send_limit where owner = 'release'") == 0
    for number, code in ((id + 1, 404), (2**40, 404)):
        answer = await world.ask(("POST", f"/v1/releases/{number}/open", {"because": "x"}), key)
        assert answer.status_code == code, number
    await world.owner.execute("update release set phase = 'over', ended_at = now_ms()")
    assert (await world.ask(("POST", f"/v1/releases/{id}/open", {"because": "x"}), key)).status_code == 409


async def test_what_waits_for_a_step_is_counted(world: Any) -> None:
    id = await begin(world, "acme", "sale")
    await world.owner.execute(
        "insert into waiting (lane, id, tenant, why, attempt, hash, campaign, code, reason, since, send_limit)"
        " select r.lane, n, r.tenant, 5, 0, 'x', 'sale', 'limit', 'steps', 0, (select s.id from send_limit s)"
        " from release r, generate_series(65, 75) n"
        " where r.id = $1",
        id,
    )
    for key in (world.tenant_keys["acme"], await world.key(None, "read")):
        [item] = (await ask(world, key, "/v1/releases")).json()["items"]
        assert item["waiting"] == 11
