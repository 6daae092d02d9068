"""Who may use each endpoint of the control plane: each is called without a key, without its scope, and with the key of another
tenant. The last test fails if an endpoint is missing in the table."""

import re
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon_fixtures.cases import case
from mailcordon_fixtures.cohorts import Cohorts

HOLD = {"tenant": "acme", "type": "newsletter", "because": "x"}
OF_LANE = {"tenant": "acme", "type": "newsletter"}
SHARED_PATH = {
    "name": "platform",
    "domain": "mail.platform.example",
    "ses_tenant": "platform",
    "because": "x",
}
ROLLOUT = {"tenant": "acme", "types": ["newsletter"], "because": "x"}
ADD_LANE = {"kind": "add-lane", "tenant": "acme", "type": "invoice", "to": "news.acme.example"}
SIGNAL = {
    "source": "postmaster",
    "domain": "news.acme.example",
    "day": "2026-11-28",
    "rate": 0.002,
    "trust": "high",
    "provider": "gmail",
}
POOL = {"name": "more", "mail": "marketing", "managed": True, "owner": "ops", "because": "x"}
TYPE = {"name": "t", "class": "urgent", "criticality": 1, "description": "d"}

#: method, path, body, the scope it needs and those that it gives to a new key, whether only a platform key will do, and what
#: the foreign tenant's key gets.
REHEARSED = {"bought_list": {"tenant": "acme", "type": "newsletter", "mails": 10}}
ENDPOINTS: list[tuple[str, str, Any, str, bool, int]] = [
    (
        "POST",
        "/v1/tenants",
        {"slug": "new", "types": {"newsletter": "new.example"}},
        "admin send read",
        True,
        403,
    ),
    ("GET", "/v1/tenants", None, "read", False, 200),
    ("GET", "/v1/tenants/acme", None, "read", False, 404),
    ("GET", "/v1/identities", None, "read", False, 200),
    ("GET", "/v1/identities?tenant=acme", None, "read", False, 404),
    ("GET", "/v1/identities/news.acme.example", None, "read", False, 404),
    ("GET", "/v1/identities/news.acme.example/records", None, "read", False, 404),
    ("POST", "/v1/tenants/acme/claims", {"domain": "more.acme.example"}, "admin", True, 403),
    ("GET", "/v1/claims", None, "read", False, 200),
    ("GET", "/v1/claims?tenant=acme", None, "read", False, 404),
    ("POST", "/v1/identities/old.acme.example/transfer", {"to": "zen", "because": "x"}, "admin", True, 403),
    ("GET", "/v1/identities/news.acme.example/dkim", None, "read", False, 404),
    ("POST", "/v1/identities/news.acme.example/dkim", {"action": "own", "because": "x"}, "admin", True, 403),
    ("GET", "/v1/shared-domains", None, "read", True, 403),
    ("PUT", "/v1/shared-domains/other.example", {"because": "x"}, "admin", True, 403),
    ("DELETE", "/v1/shared-domains/platform.example?because=x", None, "admin", True, 403),
    ("POST", "/v1/identities/news.acme.example/check", None, "operate", False, 404),
    ("GET", "/v1/identities/news.acme.example/check", None, "read", False, 404),
    ("GET", "/v1/lapse-policies", None, "read", True, 403),
    (
        "PUT",
        "/v1/lapse-policies/marketing/fails",
        {"action": "slow", "rate": 2, "because": "x"},
        "admin",
        True,
        403,
    ),
    ("GET", "/v1/lanes", None, "read", False, 200),
    ("GET", "/v1/lanes?tenant=acme", None, "read", False, 404),
    ("GET", "/v1/tenants/acme/lanes/newsletter", None, "read", False, 404),
    ("PATCH", "/v1/tenants/acme/lanes/newsletter", {"rate": 5, "because": "x"}, "admin", True, 403),
    (
        "POST",
        "/v1/tenants/acme/changes",
        {"action": "retire-lane", "type": "newsletter", "because": "x"},
        "admin",
        True,
        403,
    ),
    (
        "POST",
        "/v1/tenants/acme/changes/preview",
        {"action": "retire-lane", "type": "newsletter"},
        "admin",
        True,
        403,
    ),
    ("POST", "/v1/tenants/gone/erasure/preview", None, "admin", True, 403),
    ("POST", "/v1/tenants/gone/erasure", {"because": "x"}, "admin", True, 403),
    ("GET", "/v1/tenants/gone/erasure", None, "read", True, 403),
    ("GET", "/v1/types", None, "read", False, 200),
    ("POST", "/v1/types", TYPE, "admin", True, 403),
    ("PATCH", "/v1/types/newsletter", {"expiry_seconds": 60}, "admin", True, 403),
    ("POST", "/v1/keys", {"tenant": "acme", "name": "n", "scopes": ["send"]}, "admin send", True, 403),
    ("GET", "/v1/keys", None, "read", True, 403),
    ("PATCH", "/v1/keys/{prefix}", {"name": "narrower"}, "admin", True, 403),
    ("POST", "/v1/keys/{prefix}/rotation", {}, "admin send", True, 403),
    ("DELETE", "/v1/keys/{prefix}", None, "admin", True, 403),
    ("POST", "/v1/keys/{prefix}/access-keys", None, "admin send", True, 403),
    ("GET", "/v1/keys/{prefix}/access-keys", None, "read", True, 403),
    ("DELETE", "/v1/access-keys/MCAKAAAAAAAAAAAAAAAA", None, "admin", True, 403),
    ("GET", "/v1/ses-door/sets", None, "read", True, 403),
    ("PUT", "/v1/ses-door/sets/new-set", {"type": "newsletter"}, "admin", True, 403),
    ("DELETE", "/v1/ses-door/sets/old-set", None, "admin", True, 403),
    ("POST", "/v1/sign-in-links", {"person": "kim", "role": "viewer"}, "admin read", True, 403),
    ("POST", "/v1/sign-in-links", {"person": "kim", "role": "operator"}, "admin operate read", True, 403),
    ("GET", "/v1/sign-in-links", None, "read", True, 403),
    ("DELETE", "/v1/sign-in-links/kkkkkkkk", None, "admin", True, 403),
    ("GET", "/v1/sessions", None, "read", True, 403),
    ("DELETE", "/v1/sessions/ssssssss", None, "admin", True, 403),
    ("DELETE", "/v1/sessions?person=kim", None, "admin", True, 403),
    ("POST", "/v1/tenants/acme/view-links", {"name": "lee"}, "admin read", True, 403),
    ("GET", "/v1/tenants/acme/view-links", None, "read", True, 403),
    ("DELETE", "/v1/tenants/acme/view-links/vvvvvvvv", None, "admin", True, 403),
    ("GET", "/v1/audit", None, "read", True, 403),
    ("GET", "/v1/audit/proof?tenant=acme", None, "read", False, 404),
    ("POST", "/v1/plans", {"steps": [ADD_LANE]}, "admin", True, 403),
    ("GET", "/v1/plans", None, "read", True, 403),
    ("GET", "/v1/plans/{plan}", None, "read", True, 403),
    ("GET", "/v1/plans/{plan}/steps", None, "read", True, 403),
    ("GET", "/v1/plans/{plan}/calls", None, "read", True, 403),
    ("POST", "/v1/plans/{plan}/apply", {}, "admin", True, 403),
    ("POST", "/v1/plans/{plan}/reject", {"because": "x"}, "admin", True, 403),
    ("GET", "/v1/document", None, "read", True, 403),
    ("GET", "/v1/policy", None, "read", True, 403),
    ("POST", "/v1/policy/plans", {"document": {"default_tier": "strict"}}, "admin", True, 403),
    ("GET", "/v1/policy/plans", None, "read", True, 403),
    ("GET", "/v1/policy/plans/{policy_plan}", None, "read", True, 403),
    ("POST", "/v1/policy/plans/{policy_plan}/apply", {}, "admin", True, 403),
    ("POST", "/v1/policy/plans/{policy_plan}/reject", {"because": "x"}, "admin", True, 403),
    ("POST", "/v1/policy/diff", {"document": {}}, "read", True, 403),
    ("GET", "/v1/policy/diff?version=0&to=0", None, "read", True, 403),
    ("GET", "/v1/policy/suggestions", None, "read", True, 403),
    ("GET", "/v1/policy/suggestions?tenant=acme", None, "read", True, 403),
    ("GET", "/v1/policy/tenants", None, "read", True, 403),
    ("GET", "/v1/tenants/acme/policy", None, "read", False, 404),
    ("POST", "/v1/tenants/acme/tier", {"tier": "strict", "because": "x"}, "admin", True, 403),
    ("GET", "/v1/tenants/acme/facts", None, "read", True, 403),
    ("PATCH", "/v1/tenants/acme/facts", {"payment": "card"}, "admin", True, 403),
    ("GET", "/v1/drift", None, "read", True, 403),
    ("GET", "/v1/drift/{finding}", None, "read", True, 403),
    ("POST", "/v1/drift/{finding}/accept", {"because": "x"}, "admin", True, 403),
    ("GET", "/v1/drift/policies", None, "read", True, 403),
    ("GET", "/v1/drift/policies/dkim-off", None, "read", True, 403),
    ("PUT", "/v1/drift/policies/dkim-off", {"act": "propose", "because": "x"}, "admin", True, 403),
    ("POST", "/v1/tenants/acme/proofs", {"types": ["newsletter"]}, "operate", True, 403),
    ("GET", "/v1/tenants/acme/isolation", None, "read", False, 404),
    ("GET", "/v1/tenants/acme/proofs", None, "read", False, 404),
    ("GET", "/v1/proofs/{proof}", None, "read", False, 404),
    ("POST", "/v1/holds/preview", {"tenant": "acme", "action": "cordon"}, "read|operate", True, 403),
    ("POST", "/v1/holds", HOLD, "operate", True, 403),
    ("GET", "/v1/holds", None, "read", False, 200),
    ("GET", "/v1/holds?tenant=acme", None, "read", False, 404),
    ("POST", "/v1/holds/lift", HOLD, "operate", True, 403),
    ("POST", "/v1/rehearsals", {"document": REHEARSED}, "read", True, 403),
    ("POST", "/v1/policy/backtest", {"document": {"version": 1}}, "read", True, 403),
    ("GET", "/v1/objectives", None, "read", False, 200),
    ("GET", "/v1/objectives?tenant=acme", None, "read", False, 404),
    ("GET", "/v1/tenants/acme/lanes/newsletter/objectives", None, "read", False, 404),
    ("GET", "/v1/signals", None, "read", False, 200),
    ("GET", "/v1/signals?tenant=acme", None, "read", False, 404),
    ("POST", "/v1/signals", {"signals": [SIGNAL], "because": "x"}, "operate", True, 403),
    ("GET", "/v1/releases", None, "read", False, 200),
    ("GET", "/v1/releases?tenant=acme", None, "read", False, 404),
    ("POST", "/v1/releases/{release}/open", {"because": "x"}, "operate", True, 403),
    ("GET", "/v1/paths", None, "read", True, 403),
    ("GET", "/v1/shared-paths", None, "read", True, 403),
    ("POST", "/v1/shared-paths", SHARED_PATH, "admin", True, 403),
    ("DELETE", "/v1/shared-paths/platform?because=x&dry_run=true", None, "admin", True, 403),
    ("POST", "/v1/paths/share", {**OF_LANE, "isolated": 0, "because": "x"}, "operate", True, 403),
    ("POST", "/v1/paths/move", {**OF_LANE, "to": "shared", "because": "x"}, "operate", True, 403),
    ("GET", "/v1/rollouts", None, "read", False, 200),
    ("GET", "/v1/rollouts?tenant=acme", None, "read", False, 404),
    ("GET", "/v1/rollouts/{rollout}", None, "read", False, 404),
    ("POST", "/v1/rollouts/preview", {"tenant": "acme", "types": ["newsletter"]}, "operate", True, 403),
    ("POST", "/v1/rollouts", ROLLOUT, "operate", True, 403),
    ("POST", "/v1/rollouts/{held_rollout}/advance", {"because": "x"}, "operate", True, 403),
    ("POST", "/v1/rollouts/{rollout}/hold", {"because": "x"}, "operate", True, 403),
    ("POST", "/v1/rollouts/{rollout}/back", {"because": "x"}, "operate", True, 403),
    ("POST", "/v1/rollouts/{standing_rollout}/finish", {"because": "x"}, "operate", True, 403),
    ("POST", "/v1/rollouts/{rollout}/cancel", {"because": "x"}, "operate", True, 403),
    ("GET", "/v1/rollout-freezes", None, "operate", True, 403),
    (
        "POST",
        "/v1/rollout-freezes",
        {"since": "2026-11-27", "until": "2026-12-01", "because": "x"},
        "operate",
        True,
        403,
    ),
    ("POST", "/v1/rollout-freezes/{freeze}/end", {"because": "x"}, "operate", True, 403),
    ("GET", "/v1/warm-ups", None, "read", False, 200),
    ("GET", "/v1/warm-ups?tenant=acme", None, "read", False, 404),
    ("GET", "/v1/advice", None, "read", True, 403),
    ("GET", "/v1/tenants/acme/advice", None, "read", True, 403),
    ("POST", "/v1/tenants/acme/advice/identity/plan", {"because": "x"}, "admin", True, 403),
    ("GET", "/v1/pools", None, "read", True, 403),
    ("GET", "/v1/pools/bulk", None, "read", True, 403),
    ("POST", "/v1/pools", POOL, "admin", True, 403),
    ("PATCH", "/v1/pools/bulk", {"owner": "ops", "because": "x"}, "admin", True, 403),
    ("DELETE", "/v1/pools/bulk?because=x", None, "admin", True, 403),
    ("POST", "/v1/pools/bulk/members", {"tenant": "acme", "because": "x"}, "admin", True, 403),
    ("POST", "/v1/pools/bulk/members/remove", {"tenant": "zen", "because": "x"}, "admin", True, 403),
    ("GET", "/v1/feedback", None, "read", False, 200),
    ("GET", "/v1/feedback?tenant=acme", None, "read", False, 404),
    ("GET", "/v1/incidents", None, "read", False, 200),
    ("GET", "/v1/incidents?tenant=acme", None, "read", False, 404),
    ("GET", "/v1/incidents/{incident}", None, "read", False, 404),
    ("GET", "/v1/incidents/{incident}/report?tenant=acme", None, "read", False, 404),
    ("GET", "/v1/incidents/times", None, "read", True, 403),
    ("GET", "/v1/breaker/decisions", None, "read", False, 200),
    ("GET", "/v1/breaker/decisions?tenant=acme", None, "read", False, 404),
    ("GET", "/v1/breaker/decisions/{decision}", None, "read", False, 404),
    ("GET", "/v1/breaker/lanes", None, "read", False, 200),
    ("GET", "/v1/breaker/lanes?tenant=acme", None, "read", False, 404),
    ("POST", "/v1/breaker/decisions/{decision}/accept", {"because": "x"}, "operate", True, 403),
    ("GET", "/v1/breaker/decisions/{held}/probe", None, "read", True, 403),
    ("POST", "/v1/breaker/decisions/{held}/probe", {"because": "x"}, "operate", True, 403),
    (
        "PUT",
        "/v1/tenants/acme/lanes/newsletter/breaker",
        {"armed": False, "because": "x"},
        "operate",
        True,
        403,
    ),
    ("POST", "/v1/incidents/{incident}/notes", {"text": "x"}, "operate", True, 403),
    ("POST", "/v1/incidents/{incident}/acknowledge", None, "operate", True, 403),
    ("POST", "/v1/incidents/{incident}/close", {"because": "x"}, "operate", True, 403),
    ("PUT", "/v1/incidents/{incident}/reported", {"at": None}, "operate", True, 403),
    ("GET", "/v1/stops", None, "read", False, 200),
    ("GET", "/v1/stops?tenant=acme", None, "read", False, 404),
    ("POST", "/v1/cancellations", HOLD, "operate", True, 403),
]
READS = [endpoint for endpoint in ENDPOINTS if endpoint[0] == "GET"]
WRITES = [endpoint for endpoint in ENDPOINTS if endpoint[0] != "GET"]


async def test_each_endpoint_that_reads_admits_only_keys_that_may_use_it(world: Any) -> None:
    for endpoint in READS:
        with case(f"{endpoint[0]} {endpoint[1]}"):
            await admits_only_keys_that_may_use_it(world, endpoint)


@pytest.mark.parametrize("endpoint", WRITES, ids=[f"{method} {path}" for method, path, *_ in WRITES])
async def test_each_endpoint_that_writes_admits_only_keys_that_may_use_it(
    world: Any, endpoint: tuple[Any, ...]
) -> None:
    if endpoint[1] in ("/v1/rollouts", "/v1/rollouts/preview", "/v1/paths/share", "/v1/paths/move"):
        await has_the_shared_path_too(world, "acme")
    if endpoint[1] == "/v1/rehearsals":
        lane = await world.owner.fetchval(
            "select l.id from lane l join tenant t on t.id = l.tenant where t.slug = 'acme'"
        )
        await Cohorts(world.owner).add(lane, sent=1)
    if endpoint[1].startswith("/v1/pools/bulk?"):  # one that is in use stays
        await world.owner.execute("update ip_pool_member set ended_at = now_ms(), ended_by = 'test'")
    if endpoint[1].startswith("/v1/shared-paths/"):
        await world.owner.execute(
            "insert into shared_path (name, domain, ses_tenant) values ('platform', 'x.example', 'x')"
        )
    await admits_only_keys_that_may_use_it(world, endpoint)


async def has_the_shared_path_too(world: Any, slug: str) -> None:
    """All lanes of the tenant, with all mail on it."""
    await world.owner.execute(
        "insert into route (lane, tenant, path, share, ses_tenant, domain, configuration_set)"
        " select r.lane, r.tenant, 'shared', 100, 'platform', 'mail.platform.example', r.configuration_set"
        " from route r join tenant t on t.id = r.tenant where t.slug = $1",
        slug,
    )
    await world.owner.execute("update route set share = 0 where path = 'isolated'")


async def admits_only_keys_that_may_use_it(world: Any, endpoint: tuple[Any, ...]) -> None:
    _, _, _, scopes, platform_only, foreign = endpoint
    needed, *given = scopes.split()
    any_of = needed.split("|")
    scope = any_of[0]
    others = [s for s in ("send", "read", "operate", "admin") if s not in any_of]
    small = await world.key(None, *others)
    foreigners_key = world.tenant_keys["zen"]
    before = await world.everything()

    for key in (None, "mck_abcdefgh_" + "x" * 43, "nonsense"):
        answer = await world.ask(endpoint, key)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorised")
        assert answer.headers["content-type"].startswith("application/problem+json")

    answer = await world.ask(endpoint, small)
    assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")

    answer = await world.ask(endpoint, foreigners_key)
    assert answer.status_code == foreign, answer.text
    # The response may repeat its name from the URL, and nothing else of it.
    assert world.tenant_keys["acme"][4:12] not in answer.text
    assert foreign != 200 or "acme" not in answer.text

    own = await world.ask(endpoint, world.tenant_keys["acme"])
    assert own.status_code == (403 if platform_only else 200)
    assert await world.everything() == before

    if given:
        answer = await world.ask(endpoint, await world.key(None, scope))
        assert (answer.status_code, answer.json()["code"]) == (403, "scope-not-held")
        assert (await world.everything())[:-2] == before[:-2]  # but for the keys of this test and their audit

    for one in any_of:
        answer = await world.ask(endpoint, await world.key(None, one, *given))
        assert answer.status_code in (200, 201, 202, 204), answer.text


async def test_a_revoked_key_is_refused_at_once(world: Any) -> None:
    endpoint = ENDPOINTS[1]
    text = world.tenant_keys["acme"]
    assert (await world.ask(endpoint, text)).status_code == 200
    await world.keys.revoke(text[4:12], actor="test")
    assert (await world.ask(endpoint, text)).status_code == 401


async def test_a_tenants_key_sees_its_own_and_nothing_of_others_in_any_list(world: Any) -> None:
    operator = await world.key(None, "operate")
    for tenant in ("acme", "zen"):
        body = {"tenant": tenant, "type": "newsletter", "because": f"secret of {tenant}"}
        assert (await world.ask(("POST", "/v1/holds", body), operator)).status_code == 201
    await world.owner.execute(
        "insert into rollout (tenant, state, shares, began_by, because)"
        " select id, 'running', '{100}', 'ann', 'zen moves' from tenant where slug = 'zen'"
    )
    for path in (
        "/v1/tenants",
        "/v1/lanes",
        "/v1/identities",
        "/v1/holds",
        "/v1/tenants/acme",
        "/v1/breaker/decisions",
        "/v1/breaker/lanes",
        "/v1/rollouts",
    ):
        text = (await world.ask(("GET", path, None), world.tenant_keys["acme"])).text
        assert "acme" in text
        assert "zen" not in text


async def test_without_a_tenant_named_the_reader_role_sees_no_rows_on_a_used_connection(world: Any) -> None:
    conn = await engine.connect(world.database.dsn("reader"))
    tables = ("tenant", "lane", "route", "identity", "hold", "ses_resource", "breaker_decision")
    async with conn.transaction():
        await conn.execute("select set_config('mailcordon.tenant', '1', true)")
        for table in tables:
            assert await conn.fetchval(f"select count(*) from {table}") > 0, table
    for table in tables:
        assert await conn.fetchval(f"select count(*) from {table}") == 0, table
    await conn.close()


async def test_every_endpoint_of_this_plane_is_in_the_table(world: Any) -> None:
    asked = {(method, path.partition("?")[0]) for method, path, *_ in ENDPOINTS}
    known = {
        (
            m,
            p.replace("acme", "{}")
            .replace("gone", "{}")
            .replace("newsletter", "{}")
            .replace("marketing/fails", "{}/{}")
            .replace("news.{}.example", "{}"),
        )
        for m, p in asked
    }
    have = {
        (method, "/".join("{}" if part.startswith("{") else part for part in route.path_format.split("/")))
        for route in world.app.routes
        for method in getattr(route, "methods", ())
        if method not in ("OPTIONS", "HEAD")
    }
    named = {
        (
            m,
            re.sub(
                r"\{(prefix|plan|policy_plan|finding|incident|proof|decision|held|release|rollout|held_rollout|standing_rollout|freeze)\}|(?<=policies/)dkim-off|(?<=pools/)bulk|(?<=shared-paths/)platform|(?<=advice/)identity|MCAK[A-Z]+|(?<=sets/)[a-z-]+|(?<=links/)[a-z]{8}|(?<=sessions/)[a-z]{8}|(?<=/)[a-z]+(\.\{\})?\.example",
                "{}",
                path,
            ),
        )
        for m, path in known
    }
    assert have == named


async def test_a_large_plan_is_read_for_the_platform_alone(world: Any) -> None:
    """A document of all tenants is larger than other bodies, and takes memory to read."""
    large = {"document": {"version": 1, "tenants": {}}, "because": "x" * 2_000_000}
    asked = {
        key: await world.ask(("POST", "/v1/plans", large), text)
        for key, text in (
            ("acme", world.tenant_keys["acme"]),
            ("reader", await world.key(None, "read")),
            ("admin", await world.key(None, "admin", "read")),
        )
    }
    assert {key: answer.status_code for key, answer in asked.items()} == {
        "acme": 403,
        "reader": 403,
        "admin": 422,
    }
    assert [each["field"] for each in asked["admin"].json()["errors"]] == ["because"]
    other = await world.ask(("POST", "/v1/tenants", large), await world.key(None, "admin"))
    assert (other.status_code, "1,048,576" in other.json()["detail"]) == (413, True)
