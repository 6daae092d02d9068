"""Now, incidents and holds as pages, on a real database with an open incident: who sees what, who may act, and that it acts."""

import asyncio
import html
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from mailcordon.adapters.dashboard import application
from mailcordon.adapters.dashboard.pages import holds, incidents, lane_actions, now
from mailcordon.adapters.dashboard.rendering import StaticFiles, Templates
from mailcordon.adapters.dashboard.site import Site
from mailcordon.adapters.dashboard.visitor import Visitor
from mailcordon.adapters.db import engine
from mailcordon.adapters.db.account_reader import AccountReader
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.lane_map_reader import LaneMapReader
from mailcordon.adapters.db.metrics_reader import PostgresMetricsReader
from mailcordon.adapters.db.status_reader import StatusReader
from mailcordon.adapters.http import account, lane_map, metrics, server, status
from mailcordon.adapters.http.in_process import InProcess
from mailcordon.control.key_cache import KeyCache
from mailcordon.core.principal import ADMIN, OPERATE, READ, Principal
from mailcordon.door.reads import ReadLimits, Reads

SCOPES = {"viewer": {READ}, "operator": {READ, OPERATE}, "admin": {READ, OPERATE, ADMIN}}
TOKEN = "the-token-of-this-session"
#: What a form of each action says, so that nothing but the role or the token can be the reason of a refusal.
FIELDS = {
    "tenant": "acme", "type": "newsletter", "because": "tried", "rate": "5", "at": "2026-11-28T15:23:00Z",
}  # fmt: skip
SCRIPT = "<script>alert(1)</script>"


class InTwo:
    """The control routes of the world, and the other routes that pages ask for."""

    def __init__(self, controlled: Any, others: Any) -> None:
        self._controlled, self._others = (
            InProcess(app, Reads(ReadLimits(), lambda limit: None)) for app in (controlled, others)
        )

    async def call(
        self, principal: Principal, method: str, path: str, query: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        is_other = path in ("/v1/status", "/v1/account", "/v1/lanes/map", "/v1/metrics", "/v1/top")
        return await (self._others if is_other else self._controlled).call(
            principal, method, path, query, body
        )


class Sessions:
    """A cookie names the role, or the tenant."""

    def __init__(self, tenants: Mapping[str, int]) -> None:
        self._tenants = tenants

    async def visitor(self, cookies: dict[str, str]) -> Visitor | None:
        who = cookies.get("mailcordon", "")
        if who not in SCOPES and who not in self._tenants:
            return None
        tenant = self._tenants.get(who)
        return Visitor(
            principal=Principal(
                key_id=-1,
                prefix="s1",
                name="dashboard",
                holder=f"{who}@platform.example",
                tenant_id=tenant,
                tenant_slug=None if tenant is None else who,
                scopes=frozenset({READ} if tenant is not None else SCOPES[who]),
            ),
            csrf=TOKEN,
        )


@dataclass
class Pages:
    world: Any
    client: httpx.AsyncClient
    actions: list[str]  #: the paths of all actions

    async def get(self, who: str, path: str, status: int = 200) -> str:
        answer = await self.client.get(path, headers={"cookie": f"mailcordon={who}"})
        assert answer.status_code == status, (path, answer.status_code, answer.text[-2000:])
        return answer.text

    async def post(
        self, who: str, path: str, status: int = 303, token: str = TOKEN, **fields: Any
    ) -> httpx.Response:
        answer = await self.client.post(
            path, data={"csrf": token, **fields}, headers={"cookie": f"mailcordon={who}"}
        )
        assert answer.status_code == status, (path, answer.status_code, answer.text[-2000:])
        return answer

    async def audited(self) -> list[tuple[str, str]]:
        """What was done since the world was furnished, and by whom."""
        rows = await self.world.owner.fetch(
            "select action, actor from audit where actor like '%@platform.example%' order by id"
        )
        return [(row["action"], row["actor"].split("@")[0]) for row in rows]


@pytest.fixture
async def pages(world: Any) -> AsyncIterator[Pages]:
    pools = {login: await engine.create_pool(world.database.dsn(login)) for login in ("control", "reader")}
    others = [
        *status.routes(StatusReader(pools["control"])),
        *account.routes(AccountReader(pools["control"])),
        *lane_map.routes(LaneMapReader(pools["control"])),
        *metrics.routes(PostgresMetricsReader(pools["control"], pools["reader"])),
    ]
    static = StaticFiles()
    site = Site(
        calls=InTwo(world.app, server.application(KeyCache(KeyStore(pools["control"])), others)),
        templates=Templates(static),
        static=static,
        installation="test",
        is_local=False,
    )
    rows = await world.owner.fetch("select id, slug from tenant where slug in ('acme', 'zen')")
    sessions = Sessions({row["slug"]: row["id"] for row in rows})
    stop = asyncio.Event()
    acting = [*holds.routes(site), *incidents.routes(site), *lane_actions.routes(site)]
    handlers = [*now.routes(site, sessions, now.live(site, stop)), *acting]
    transport = httpx.ASGITransport(application.build(site, sessions, handlers))  # pyright: ignore[reportArgumentType]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        found = sorted(
            {
                path.replace("{incident:int}", str(world.incident))
                .replace("{decision:int}", str(world.decision))
                .replace("{slug:str}", "acme")
                .replace("{type_:str}", "newsletter")
                for handler in acting
                if "POST" in handler.http_methods
                for path in handler.paths
            }
        )
        yield Pages(world, client, found)
    stop.set()
    for pool in pools.values():
        await pool.close()


async def lane_incident(pages: Pages) -> int:
    """An incident of acme's newsletter that names a list."""
    return await pages.world.owner.fetchval(
        "insert into incident (kind, cause, severity, scope, name, tenant, lane, culprit, sentence, next, command, since,"
        " opened_at, identified_at, mitigated_at, seen_at, cause_seen_at, evidence) select 'rates', 'lane:1/list:bought', 'high',"
        " 'list', 'bought', l.tenant, l.id, 'list bought of acme/newsletter', '31 hard bounces of 140 mails ' || $1, 'hold it',"
        " 'mailcordon cordon acme', n - 300000, n - 290000, n - 280000, n - 200000, n, n, $2::jsonb"
        " from lane l join tenant e on e.id = l.tenant join message_type t on t.id = l.type cross join (select now_ms() as n) c"
        " where e.slug = 'acme' and t.name = 'newsletter' returning id",
        SCRIPT + "\u202e",
        '{"excess_by": [{"part": "list", "value": "bought", "share": 0.97, "events": 31, "sent": 140}]}',
    )


async def lanes_shown(pages: Pages, path: str) -> str:
    """The map of lanes that a filter names."""
    return (await pages.get("viewer", path)).split('id="now-filtered"')[1]


async def test_now_says_what_is_wrong_what_is_held_and_shows_every_lane(pages: Pages) -> None:
    number = await lane_incident(pages)
    await pages.world.owner.execute("update hold set lifted_at = now_ms() where lifted_at is null")
    await pages.world.owner.execute("update lane set held = false, stopped = false")
    await pages.post(
        "operator", "/holds/new", tenant="acme", type="newsletter", list="bought", because=SCRIPT
    )
    shown = await pages.get("viewer", "/now")
    assert re.search(r'class="sentence bad" role="status"><bdi>\w+ incidents: ', shown)
    assert f'href="/incidents/{number}"' in shown
    assert "31 hard bounces of 140 mails" in shown
    assert 'href="/tenants/acme/lanes/newsletter"' in shown
    assert SCRIPT not in shown
    assert SCRIPT in html.unescape(shown.replace("<wbr>", ""))
    assert "\u202e" not in shown, "a mark says that it is there"
    zen = 'href="/tenants/zen/lanes/newsletter"'
    assert zen in await lanes_shown(pages, "/now?state=open")
    await pages.post("operator", "/holds/new", tenant="zen", type="newsletter", because="x")
    assert zen not in await lanes_shown(pages, "/now?state=open")
    assert zen in await lanes_shown(pages, "/now?state=held&sort=name")
    assert zen not in await lanes_shown(pages, "/now?tenant=acme")
    await pages.get("viewer", "/now?state=nothing", 422)


async def test_an_incident_has_its_picture_culprits_and_the_commands_that_do_the_same(pages: Pages) -> None:
    number = await lane_incident(pages)
    shown = await pages.get("operator", f"/incidents/{number}")
    for text in (
        "<svg",
        ">onset<",
        ">identified<",
        ">mitigated<",
        "97 %",
        "mailcordon cordon acme",
        "Hold it",
        "after 20 s",
    ):
        assert text in shown, text
    cordon = re.search(r'class="button(?: danger)?" href="([^"]*)">Hold mail…', shown)
    assert cordon is not None
    path = html.unescape(cordon[1])
    assert "list=bought" in path, "the smallest part that contains the harm"
    asked = await pages.get("operator", path)
    assert "What it will do" in asked
    assert "mailcordon cordon acme --type newsletter --list bought" in asked
    figures = (
        await pages.client.get(f"/incidents/{number}/chart.json", headers={"cookie": "mailcordon=viewer"})
    ).json()
    assert len(figures["times"]) == len(figures["sent"]) == len(figures["bad"])
    assert [mark["name"] for mark in figures["marks"]] == ["onset", "identified", "mitigated"]
    await pages.get("viewer", "/incidents/999999", 404)


async def test_the_decisions_of_an_incident_are_paged_and_are_those_of_no_other(pages: Pages) -> None:
    number = await lane_incident(pages)
    await pages.world.owner.execute(
        "insert into breaker_decision (tenant, lane, part, signal, half, level, mode, at, since, seen, done, waiting, document,"
        " ended_at, ended_by, ended_because) select i.tenant, i.lane, '', 'bounces', 'absolute', 1, 'shadow', i.since, i.since,"
        " 'seen', 'done', 0, '{}', i.since, 'breaker', case when n > 25 then 'of another' else 'ended ' || n end"
        " from incident i cross join generate_series(1, 30) n where i.id = $1",
        number,
    )
    await pages.world.owner.execute(
        "insert into incident_alarm (incident, key, source, kind, cause, severity, contained, tenant, sentence, since,"
        " first_seen) select $1, 'breaker:' || id, 'breaker', 'breaker', 'x', 'low', true, tenant, 'x', at, at"
        " from breaker_decision"
        " where ended_because like 'ended %'",
        number,
    )
    newest = html.unescape(await pages.get("viewer", f"/incidents/{number}"))
    older = re.search(r'href="(/incidents/[^"#]*decisions=[^"#]*)', newest)
    assert older is not None
    rest = await pages.get("viewer", older[1])
    found = [set(re.findall(r"ended \d+", page)) for page in (newest, rest)]
    assert [len(one) for one in found] == [20, 5]
    assert len(found[0] | found[1]) == 25
    assert "of another" not in newest + rest
    assert "decisions=" not in rest


async def test_the_list_is_filtered(pages: Pages) -> None:
    number = await lane_incident(pages)
    link = f'href="/incidents/{number}"'
    assert link in await pages.get("viewer", "/incidents")
    assert link in await pages.get("viewer", "/incidents?kind=rates&severity=high&tenant=acme")
    for query in ("kind=drift", "severity=low", "tenant=zen", "show=closed"):
        assert link not in await pages.get("viewer", f"/incidents?{query}"), query


async def test_actions_act_with_the_persons_name_and_lead_back(pages: Pages) -> None:
    number = await lane_incident(pages)
    back = f"/incidents/{number}"
    held = await pages.post(
        "operator", "/holds/new", tenant="acme", type="newsletter", list="bought", because="bad", back=back
    )
    assert held.headers["location"] == f"{back}?did=held"
    assert "The mail is held." in await pages.get("operator", held.headers["location"])
    lift = re.search(r'href="(/holds/lift[^"]*)"', html.unescape(await pages.get("operator", back)))
    assert lift is not None
    query: dict[str, Any] = dict(httpx.URL(lift[1]).params)
    assert "hold" in await pages.get("operator", lift[1])
    await pages.post("operator", "/holds/lift", **query, because="good")
    await pages.post("operator", f"{back}/note", because="asked acme")
    await pages.post("operator", f"{back}/acknowledge")
    await pages.post("operator", f"{back}/reported", at="2026-11-28T15:23:00Z")
    await pages.post("operator", f"{back}/decisions/{pages.world.decision}/accept", because="they opted in")
    throttle = re.search(
        r'href="(/tenants/[^"]*/rate\?[^"]*)"', html.unescape(await pages.get("admin", back))
    )
    assert throttle is not None
    assert "required" in await pages.get("admin", throttle[1])
    asked = await pages.get("admin", f"{throttle[1]}&rate=5")
    assert "acme/newsletter will send at most 5 a second" in asked
    slowed = await pages.post(
        "admin", "/tenants/acme/lanes/newsletter/rate", rate="5", because="slowly", back=back
    )
    assert slowed.headers["location"] == f"{back}?did=throttled"
    await pages.post("operator", f"{back}/close", because="list deleted")
    assert await pages.audited() == [
        ("hold.place", "operator"),
        ("hold.lift", "operator"),
        ("incident.note", "operator"),
        ("incident.acknowledge", "operator"),
        ("incident.reported", "operator"),
        ("breaker.accept", "operator"),
        ("lane.rate", "admin"),
        ("incident.close", "operator"),
    ]
    assert (
        await pages.world.owner.fetchval(
            "select count(*) from hold where lifted_at is null and owner = 'person'"
        )
        == 0
    )
    assert await pages.world.owner.fetchval("select count(*) from lane where rate = 5") == 1


async def test_a_held_lane_is_released_with_a_probe_and_the_page_says_what_it_will_do(pages: Pages) -> None:
    owner, back = pages.world.owner, f"/incidents/{pages.world.incident}"
    path = f"{back}/decisions/{pages.world.decision}/probe"
    assert "holds no mail, so there is nothing to try" in html.unescape(await pages.get("operator", path))
    refused = await pages.post("operator", path, 409, because="try")
    assert "holds no mail" in html.unescape(refused.text)
    path = f"{back}/decisions/{pages.world.held}/probe"
    asked = html.unescape(await pages.get("operator", path))
    assert "At most 400 mails of zen/newsletter leave" in asked
    assert f"mailcordon breaker probe {pages.world.held} --because" in asked
    answer = await pages.post("operator", path, because="the list is gone")
    assert answer.headers["location"] == f"{back}?did=tried"
    assert await pages.audited() == [("breaker.probe", "operator")]
    row = await owner.fetchrow(
        "select tried_at, tried_because from breaker_decision where id = $1", pages.world.held
    )
    assert (row["tried_at"] > 0, row["tried_because"]) == (True, "the list is gone")


async def test_a_refused_action_says_why_on_its_page_and_keeps_what_was_typed(pages: Pages) -> None:
    answer = await pages.post("operator", "/holds/new", 422, tenant="acme", type="newsletter", because="")
    assert 'role="alert"' in answer.text
    assert await pages.audited() == []
    for mistyped in (
        await pages.get("operator", "/holds/new?tenant=acmee"),
        (await pages.post("operator", "/holds/new", 404, tenant="acmee", because="x")).text,
    ):
        assert "acmee" in mistyped
        assert mistyped.count('role="alert"') == 1, "it says what is wrong"
        assert 'value="acmee"' in mistyped, "it can be mended where it was typed"
        assert "What it will do" not in mistyped
    elsewhere = await pages.post("operator", "/holds/new", tenant="acme", because="x", back="//evil.example")
    assert elsewhere.headers["location"] == "/now?did=held"


async def test_a_viewer_and_a_tenant_may_not_act_whatever_the_route(pages: Pages) -> None:
    assert len(pages.actions) >= 8
    before = await pages.world.everything()
    for path in pages.actions:
        for who in ("viewer", "acme", "zen"):
            await pages.get(who, path, 403)
            await pages.post(who, path, 403, **FIELDS)
    await pages.post("operator", "/tenants/acme/lanes/newsletter/rate", 403, **FIELDS)
    assert await pages.world.everything() == before
    shown = await pages.get("viewer", f"/incidents/{pages.world.incident}")
    assert not [path for path in pages.actions if f'href="{path}' in shown]


async def test_a_form_of_another_session_does_nothing_whatever_the_route(pages: Pages) -> None:
    before = await pages.world.everything()
    for path in pages.actions:
        await pages.post("admin", path, 403, token="", **FIELDS)
        await pages.post("admin", path, 403, token="another", **FIELDS)
    assert await pages.world.everything() == before


async def test_nobody_sees_anything_without_a_session(pages: Pages) -> None:
    for path in ("/now", "/now/live", "/incidents", f"/incidents/{pages.world.incident}", *pages.actions):
        answer = await pages.client.get(path)
        assert answer.status_code == 303, path
        assert "acme" not in answer.text


async def test_a_tenant_sees_its_own_incidents_and_nothing_of_others(pages: Pages) -> None:
    number = await lane_incident(pages)
    for path in ("/now", "/now/live"):
        await pages.get("acme", path, 404)
    own = await pages.get("acme", f"/incidents/{number}")
    assert "zen" not in own
    assert "mailcordon cordon" not in own, "what the platform does about it"
    assert f'href="/incidents/{number}"' in await pages.get("acme", "/incidents")
    assert f'href="/incidents/{number}"' not in await pages.get("zen", "/incidents")
    for path in (f"/incidents/{number}", f"/incidents/{number}/report", f"/incidents/{number}/chart.json"):
        assert "acme" not in (await pages.get("zen", path, 404)), path
    assert "list bought" in await pages.get("acme", f"/incidents/{number}/report")


async def test_the_report_for_a_tenant_can_be_copied_and_names_nobody_else(pages: Pages) -> None:
    number = await lane_incident(pages)
    await pages.post("operator", f"/incidents/{number}/note", because="zen complained about acme")
    shown = await pages.get("viewer", f"/incidents/{number}/report?tenant=acme")
    assert f"Incident {number} of acme" in shown
    assert "zen" not in shown
    assert f"mailcordon incident report {number} --for-tenant acme" in shown
    refused = await pages.get("viewer", f"/incidents/{number}/report?tenant=zen", 404)
    assert "does not concern zen" in refused
