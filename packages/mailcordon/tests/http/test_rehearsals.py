"""Rehearsals over HTTP, with real counters: what would be stopped, who would be told, and how far it is trusted."""

from typing import Any

from mailcordon.core.provider import Provider
from mailcordon_fixtures.cohorts import Cohorts

PATH = "/v1/rehearsals"


def bought(**over: Any) -> dict[str, Any]:
    return {
        "document": {
            "bought_list": {"tenant": "acme", "type": "newsletter", "mails": 3_000, "dead": 0.25, **over}
        }
    }


async def _weeks(world: Any, *, armed: bool) -> int:
    """Two weeks of healthy mail of acme, whose lane's breaker holds mail if it is armed."""
    lane = await world.owner.fetchval(
        "select l.id from lane l join tenant t on t.id = l.tenant where t.slug = 'acme'"
    )
    now = await world.owner.fetchval("select now_ms() / 60000")
    cohorts = Cohorts(world.owner)
    for day in range(14, 0, -1):
        for provider in (Provider.YAHOO, Provider.GMAIL):
            await cohorts.add(
                lane, minute=now - day * 1440 + 600, provider=provider, sent=1_000, campaign=f"c{day}", list="own",
                delivered=992, hard_bounced=8, fold=False,
            )  # fmt: skip
    await cohorts.fold()
    await world.owner.execute(
        "insert into breaker_lane (lane, tenant, absolute, relative) select id, tenant, $2, $2 from lane where id = $1"
        " on conflict (lane) do update set absolute = $2, relative = $2",
        lane,
        "enforce" if armed else "shadow",
    )
    return int(lane)


async def test_a_bought_list_is_stopped_in_the_rehearsal_and_who_is_told_is_named(world: Any) -> None:
    await _weeks(world, armed=True)
    await world.owner.execute(
        "insert into alert_channel (name, form, target, least, made_at, made_by) values"
        " ('ops', 'webhook', 'ops.example', 'high', 1, 'test'), ('all', 'webhook', 'all.example', 'low', 1, 'test')"
    )
    answer = await world.ask(("POST", PATH, bought()), await world.key(None, "read"))
    assert answer.status_code == 200, answer.text
    found = answer.json()
    listed = found["bought_list"]
    assert listed["mails"] == listed["doing_nothing"]["mails_out"] == 3_000
    assert 0 < listed["with_policy"]["mails_out"] < 1_000
    assert 0 < listed["stopped_after_seconds"] <= 600
    assert set(listed["providers"]) == {"yahoo", "gmail"}
    held = [
        one
        for one in found["stops"]
        if one["level"] == "cordon" and one["enforced"] and one["rule"] == "breaker"
    ]
    assert held[0]["detail"].startswith("acme/newsletter, ")
    assert "rehearsal-list" in held[0]["detail"]
    assert not held[0]["also_without"]
    assert held[0]["channels"] == ["all", "ops"]
    slowed = [one for one in found["stops"] if one["level"] == "throttle" and not one["over"]]
    assert slowed[0]["channels"] == ["all"], "what is slowed is below what ops gets"
    own = {one["relation"]: one for one in listed["doing_nothing"]["others"]}["own"]
    assert own["inbox"] < own["had_inbox"] - 0.05
    trust = found["trust"]
    assert trust["sound"], trust
    assert {one["what"]: one["recorded"] for one in trust["repeated"]}["sent"] == 14_000
    assert any("Foretold in the same way, last week would have had" in note for note in trust["notes"])


async def test_a_lane_whose_breaker_may_not_hold_mail_holds_none(world: Any) -> None:
    await _weeks(world, armed=False)
    answer = await world.ask(("POST", PATH, bought(mails=1_000)), await world.key(None, "read"))
    found = answer.json()
    assert answer.status_code == 200, answer.text
    assert [one for one in found["stops"] if one["rule"] == "breaker" and one["enforced"]] == []
    assert "only says what it would do" in found["trust"]["notes"][0]


async def test_a_rollout_says_when_each_share_would_be_reached_and_when_a_fault_leads_back(
    world: Any,
) -> None:
    await _weeks(world, armed=True)
    body = {"document": {"rollout": {"tenant": "acme", "types": ["newsletter"], "pace": 0.5, "days": 21}}}
    answer = await world.ask(("POST", PATH, body), await world.key(None, "read"))
    assert answer.status_code == 200, answer.text
    move = answer.json()["rollout"]
    shares = [one["share"] for one in move["planned"]["steps"]]
    assert shares == sorted(shares)
    assert shares[0] == 1
    assert not move["planned"]["back"]
    assert move["faulty"]["back"]
    assert move["faulty"]["mails"] < move["planned"]["mails"]


async def test_faults_name_members_of_the_document_and_only_platform_keys_ask(world: Any) -> None:
    await _weeks(world, armed=True)
    key = await world.key(None, "read")
    for document, fields in (
        ({}, ["document"]),
        (
            {"version": 2, "bought_list": {"tenant": "acme"}},
            ["document.version", "document.bought_list.type", "document.bought_list.mails"],
        ),
        (bought(type="digest-x")["document"], ["document.bought_list.type"]),
        ({"rollout": {"tenant": "acme", "types": ["newsletter", "other"]}}, ["document.rollout.types[1]"]),
    ):
        answer = await world.ask(("POST", PATH, {"document": document}), key)
        assert answer.status_code == 422, answer.text
        assert [one["field"] for one in answer.json()["errors"]] == fields
    assert (await world.ask(("POST", PATH, bought(tenant="nobody")), key)).status_code == 404
    assert (await world.ask(("POST", PATH, bought()), world.tenant_keys["acme"])).status_code == 403
    assert (await world.ask(("POST", PATH, bought()), None)).status_code == 401
    assert (await world.ask(("POST", PATH, bought()), await world.key(None, "send"))).status_code == 403
