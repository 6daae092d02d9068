"""Stops over HTTP: who sees which, the same sentence everywhere, and an uncordon of what SES stops."""

import json
from typing import Any

from mailcordon.core.reason import Reason
from mailcordon.core.stop import NewStop, Stop, StopScope, because_of


async def place(world: Any, scope: StopScope, name: str, cause: Reason, slug: str | None = None) -> Stop:
    tenant = (
        None if slug is None else await world.owner.fetchval("select id from tenant where slug = $1", slug)
    )
    new = NewStop(
        scope=scope, name=name, cause=cause, because=f"{name} is refused", said="words of SES", tenant=tenant
    )
    return await world.governor.stops.place(new, actor="dispatch")


async def key_of(world: Any, slug: str) -> str:
    return await world.owner.fetchval("select key from tenant where slug = $1", slug)


async def ask(world: Any, key: str, path: str) -> Any:
    answer = await world.ask(("GET", path, None), key)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def post(world: Any, path: str, body: Any) -> Any:
    answer = await world.ask(("POST", path, body), await world.key(None, "operate"))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_tenants_key_sees_the_stops_that_cover_its_lanes_and_no_other_tenant(world: Any) -> None:
    shared = await place(world, StopScope.SET, "mc-marketing", Reason.SET_PAUSED)
    await place(world, StopScope.SET, "mc-urgent", Reason.SET_PAUSED)
    account = await place(world, StopScope.CELL, "default", Reason.ACCOUNT_PAUSED)
    acme_key, zen_key = await key_of(world, "acme"), await key_of(world, "zen")
    own = await place(world, StopScope.TENANT, acme_key, Reason.TENANT_PAUSED, "acme")
    await place(world, StopScope.IDENTITY, "news.zen.example", Reason.IDENTITY, "zen")
    seen = await ask(world, world.tenant_keys["acme"], "/v1/stops")
    assert {item["id"] for item in seen["items"]} == {shared.id, account.id, own.id}
    assert "zen" not in json.dumps(seen)
    assert zen_key not in json.dumps(seen)
    reader = await world.key(None, "read")
    assert len((await ask(world, reader, "/v1/stops"))["items"]) == 5
    of_acme = await ask(world, reader, "/v1/stops?tenant=acme&open=true")
    assert {item["id"] for item in of_acme["items"]} == {shared.id, account.id, own.id}


async def test_a_lane_and_the_list_of_stops_say_the_same_sentence(world: Any) -> None:
    await world.owner.execute("update lane set held = false")
    stop = await place(world, StopScope.SET, "mc-marketing", Reason.SET_PAUSED)
    for key in (await world.key(None, "read"), world.tenant_keys["acme"]):
        [item] = (await ask(world, key, "/v1/stops"))["items"]
        [lane] = (await ask(world, key, "/v1/lanes?tenant=acme&state=stopped"))["items"]
        said = {one["stop"]: one["detail"] for one in lane["stops"]}
        assert (lane["state"], said[stop.id]) == ("stopped", item["sentence"])
        for words in ("mc-marketing is refused", "words of SES", "It ends when", "next test at"):
            assert words in item["sentence"]


async def test_uncordon_of_what_ses_stops_says_whom_else_it_releases_and_ends_it(world: Any) -> None:
    await world.owner.execute("update lane set held = false")
    await world.owner.execute("update hold set lifted_at = now_ms(), lifted_by = 'test'")
    stop = await place(world, StopScope.SET, "mc-marketing", Reason.SET_PAUSED)
    target = {"tenant": "acme", "owner": "ses"}
    preview = await post(world, "/v1/holds/preview", {**target, "action": "uncordon"})
    assert preview["effect"].startswith(f'Ends stop {stop.id} "mc-marketing is refused"')
    assert "1 other lane" in preview["effect"]
    assert (await ask(world, await world.key(None, "read"), "/v1/stops?open=true"))["items"]
    done = await post(world, "/v1/holds/lift", {**target, "because": "SES repaired it"})
    assert [(item["id"], item["ended_because"]) for item in done["ended"]] == [(stop.id, "SES repaired it")]
    assert done["lifted"] == []
    assert (await ask(world, await world.key(None, "read"), "/v1/stops?open=true"))["items"] == []


async def test_uncordon_without_an_owner_leaves_stops_alone_and_lifts_persons_holds(world: Any) -> None:
    await place(world, StopScope.SET, "mc-marketing", Reason.SET_PAUSED)
    made = await world.ask(
        ("POST", "/v1/holds", {"tenant": "acme", "because": "x"}), await world.key(None, "operate")
    )
    done = await post(world, "/v1/holds/lift", {"tenant": "acme", "because": "x"})
    assert [item["id"] for item in done["lifted"]] == [made.json()["id"]]
    assert done["ended"] == []
    assert len((await ask(world, await world.key(None, "read"), "/v1/stops?open=true"))["items"]) == 1


async def test_uncordon_of_another_owner_lifts_the_holds_of_that_owner_only(world: Any) -> None:
    body = {"tenant": "acme", "type": "newsletter", "owner": "policy", "because": "x"}
    [hold] = await world.owner.fetch(
        "select h.id from hold h join tenant t on t.id = h.tenant where t.slug = 'acme' and h.owner = 'policy'"
    )
    done = await post(world, "/v1/holds/lift", body)
    assert [(item["id"], item["owner"]) for item in done["lifted"]] == [(hold["id"], "policy")]


async def test_a_stop_cannot_be_ended_for_a_part_of_a_lane(world: Any) -> None:
    body = {"tenant": "acme", "campaign": "spring", "owner": "ses", "because": "x"}
    answer = await world.ask(("POST", "/v1/holds/lift", body), await world.key(None, "operate"))
    assert answer.status_code == 422
    assert "whole lanes" in answer.text


async def test_a_tenants_key_sees_no_words_of_hosts_credentials_and_the_account(world: Any) -> None:
    secret = "User: arn:aws:iam::123456789012:user/mailer, no connection to 10.0.0.7"
    lane = await world.owner.fetchrow(
        "select l.id, l.tenant from lane l join tenant t on t.id = l.tenant where t.slug = 'acme'"
    )
    await world.owner.execute(
        "insert into worker (id, heartbeat, host, pid) overriding system value values (7, now_ms(), 'h', 1)"
    )
    for scope, name, cause in (
        (StopScope.WORKER, "7", Reason.SES_UNREACHABLE),
        (StopScope.WORKER, "7", Reason.CREDENTIALS),
        (StopScope.CELL, "default", Reason.ACCOUNT_PAUSED),
        (StopScope.LANE, str(lane["id"]), Reason.ACCESS_DENIED),
    ):
        new = NewStop(
            scope=scope, name=name, cause=cause, because=because_of(cause, name, said=secret), said=secret,
            lane=lane["id"] if scope is StopScope.LANE else None,
            tenant=lane["tenant"] if scope is StopScope.LANE else None,
        )  # fmt: skip
        stop = await world.governor.stops.place(new, actor="dispatch")
        await world.governor.stops.probe_failed(stop, f"SES refused the call: {secret}")
    for path in ("/v1/stops", "/v1/lanes"):
        for seen_by, sees in ((await world.key(None, "read"), True), (world.tenant_keys["acme"], False)):
            said = json.dumps(await ask(world, seen_by, path))
            assert [word in said for word in ("arn:aws", "123456789012", "10.0.0.7")] == [sees] * 3, path
            assert said.count("SES denies access") >= 1
    plain = {item["because"] for item in (await ask(world, world.tenant_keys["acme"], "/v1/stops"))["items"]}
    assert "The platform cannot call SES at the moment" in plain


async def test_a_lane_is_stopped_while_every_dispatcher_is(world: Any) -> None:
    await world.owner.execute("update lane set held = false")
    worker = (
        "insert into worker (id, heartbeat, host, pid) overriding system value values ($1, now_ms(), 'h', 1)"
    )
    reader = await world.key(None, "read")

    async def states() -> set[str]:
        return {lane["state"] for lane in (await ask(world, reader, "/v1/lanes?tenant=acme"))["items"]}

    for id in (7, 8):
        await world.owner.execute(worker, id)
    await place(world, StopScope.WORKER, "7", Reason.SES_UNREACHABLE)
    assert "stopped" not in await states()
    await place(world, StopScope.WORKER, "8", Reason.SES_UNREACHABLE)
    assert await states() == {"stopped"}
