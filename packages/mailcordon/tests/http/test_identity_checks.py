"""Checks of domains over HTTP: their shape, who may ask for one, and what a lapse does to lanes."""

from typing import Any

import pytest

CHECK = "/v1/identities/news.acme.example/check"
POLICIES = "/v1/lapse-policies"


async def test_a_check_says_what_is_wrong_and_what_the_mail_of_each_lane_does(world: Any) -> None:
    key = await world.key(None, "operate", "read")
    answer = await world.ask(("POST", CHECK, None), key)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["domain"], found["tenant"], found["asked"]) == ("news.acme.example", "acme", "now")
    assert found["ses"]["status"] is None  # SES has not made it yet
    assert [(lane["type"], lane["class"]) for lane in found["lanes"]] == [("newsletter", "marketing")]
    assert {row["what"] for row in found["rows"]} >= {"ses", "dkim", "mail-from", "dmarc"}
    assert (found["lapsed_at"], found["effect"], found["losses"]) == (None, None, [])
    assert found == (await world.ask(("GET", CHECK, None), key)).json()


async def test_each_lane_has_the_rules_for_bulk_senders_and_nothing_unseen_is_met(world: Any) -> None:
    found = (await world.ask(("POST", CHECK, None), await world.key(None, "operate"))).json()
    rules = {(rule["provider"], rule["rule"]): rule for rule in found["lanes"][0]["rules"]}
    assert rules["gmail", "one-click"]["state"] == "met"  # it is a marketing lane
    assert rules["gmail", "spam-rate"]["state"] == "not-checked"
    assert "Not checked, because" in rules["yahoo", "spam-rate"]["says"]
    assert ("microsoft", "one-click") not in rules


async def test_a_tenants_key_needs_the_scope_read_to_check_its_domain(world: Any) -> None:
    answer = await world.ask(("POST", CHECK, None), await world.key("acme", "send"))
    assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")
    assert (await world.ask(("POST", CHECK, None), await world.key("acme", "read"))).status_code == 200


async def test_only_a_platform_key_has_ses_asked_again(world: Any) -> None:
    due = "select due_since is not null from ses_resource where kind = 'identity' and name = 'news.acme.example'"
    await world.owner.execute(
        "update ses_resource set state = 'applied', work = 'scan', due_since = null, next_try_at = now() + '1 h',"
        " observed_at = now() - '1 h'::interval"
    )
    await world.ask(("POST", CHECK, None), await world.key("acme", "read"))
    assert not await world.owner.fetchval(due)
    await world.ask(("POST", CHECK, None), await world.key(None, "operate"))
    assert await world.owner.fetchval(due)


async def test_a_domain_that_nobody_checked_says_so(world: Any) -> None:
    key = await world.key(None, "read")
    answer = await world.ask(("GET", CHECK.replace("acme", "zen"), None), key)
    assert (answer.status_code, answer.json()["code"]) == (404, "never-checked")
    answer = await world.ask(("GET", "/v1/identities/nobody.example/check", None), key)
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-identity")


async def test_by_default_only_marketing_that_fails_dmarc_is_held(world: Any) -> None:
    found = (await world.ask(("GET", POLICIES, None), await world.key(None, "read"))).json()["items"]
    assert len(found) == 6
    held = [(each["class"], each["effect"]) for each in found if each["action"] != "report"]
    assert held == [("marketing", "fails")]
    assert all(each["is_default"] for each in found)


async def test_a_policy_is_set_with_its_reason_and_audited(world: Any) -> None:
    key = await world.key(None, "admin", "read")
    body = {"action": "slow", "rate": 2, "because": "refused mail costs"}
    answer = await world.ask(("PUT", f"{POLICIES}/transactional/fails", body), key)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["action"], answer.json()["rate"], answer.json()["is_default"]) == ("slow", 2, False)
    row = await world.owner.fetchrow("select * from audit where action = 'lapse-policy.set'")
    assert (row["because"], row["object"]) == ("refused mail costs", "lapse policy transactional fails")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("urgent/fails", {"action": "slow", "rate": 0, "because": "x"}, 422),
        ("urgent/fails", {"action": "hold", "because": " "}, 422),
        ("urgent/fails", {"action": "stop", "because": "x"}, 422),
        ("urgent/fails", {"action": "hold", "because": "x", "tenant": "acme"}, 422),
        ("bulk/fails", {"action": "hold", "because": "x"}, 422),
        ("urgent/stronger", {"action": "hold", "because": "x"}, 422),
    ],
)
async def test_a_wrong_policy_changes_nothing(world: Any, path: str, body: Any, status: int) -> None:
    answer = await world.ask(("PUT", f"{POLICIES}/{path}", body), await world.key(None, "admin"))
    assert answer.status_code == status, answer.text
    assert await world.owner.fetchval("select count(*) from lapse_policy") == 0
