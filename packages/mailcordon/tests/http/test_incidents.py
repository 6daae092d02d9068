"""Incidents over HTTP: the platform reads all and says what it does; a tenant reads what concerns it, without names of others."""

from typing import Any

OPENED = 1_795_879_380_000
MINUTE = 60_000


async def tenant(world: Any, slug: str) -> int:
    return await world.owner.fetchval("select id from tenant where slug = $1", slug)


async def incident(world: Any, cause: str, **over: Any) -> int:
    row: dict[str, Any] = {
        "kind": "stuck",
        "cause": cause,
        "severity": "high",
        "scope": "lane",
        "name": "acme/newsletter",
        "tenant": None,
        "sentence": f"{cause} is wrong",
        "next": "look at it",
        "since": OPENED - MINUTE,
        "opened_at": OPENED,
        "seen_at": OPENED,
        "cause_seen_at": OPENED,
        **over,
    }
    places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
    return await world.owner.fetchval(
        f"insert into incident ({', '.join(row)}) values ({places}) returning id", *row.values()
    )


async def alarm(
    world: Any, incident: int, key: str, tenant: int | None, sentence: str, kind: str = "stuck"
) -> None:
    await world.owner.execute(
        "insert into incident_alarm (incident, key, source, kind, cause, severity, contained, tenant, sentence, since,"
        " first_seen) values ($1, $2, 'test', $6, 'x', 'high', false, $3, $4, $5, $5)",
        *(incident, key, tenant, sentence, OPENED, kind),
    )


async def action(world: Any, incident: int, what: str, text: str) -> None:
    await world.owner.execute(
        "insert into incident_entry (incident, at, what, author, text) values ($1, $2, $3, 'ann', $4)",
        *(incident, OPENED, what, text),
    )


async def get(world: Any, key: str, path: str, status: int = 200) -> Any:
    answer = await world.ask(("GET", path, None), key)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_people_note_acknowledge_report_and_close(world: Any) -> None:
    key = await world.key(None, "read", "operate")
    path = f"/v1/incidents/{await incident(world, 'lane:12', culprit='list bought', identified_at=OPENED)}"
    for method, end, body in (
        ("POST", "notes", {"text": "asked acme"}),
        ("POST", "acknowledge", None),
        ("POST", "acknowledge", None),
        ("PUT", "reported", {"at": "2026-11-28T15:22:30Z"}),
        ("POST", "close", {"because": "list deleted"}),
    ):
        answer = await world.ask((method, f"{path}/{end}", body), key)
        assert answer.status_code == 200, answer.text
    found = await get(world, key, path)
    assert [one["what"] for one in found["timeline"]] == ["note", "acknowledged", "reported", "closed"]
    shown = found["incident"]
    assert (shown["open"], shown["closed_because"], shown["identify_seconds"]) == (False, "list deleted", 60)
    assert shown["reported_at"] == "2026-11-28T15:22:30.000Z"
    assert "(" in shown["closed_by"], "who closed it"
    assert shown["mitigated_at"] is not None, "no alarm of it shows"
    for end, body in (("close", {"because": "again"}), ("acknowledge", None)):
        answer = await world.ask(("POST", f"{path}/{end}", body), key)
        assert (answer.status_code, answer.json()["code"]) == (409, "already-closed")
    audited = await world.owner.fetch("select action from audit where action like 'incident.%' order by id")
    assert [row["action"] for row in audited] == [
        f"incident.{what}" for what in ("note", "acknowledge", "reported", "close")
    ]


async def test_a_customer_cannot_have_reported_it_in_the_future_or_at_no_time(world: Any) -> None:
    path, key = f"/v1/incidents/{world.incident}/reported", await world.key(None, "operate")
    for at in ("2999-01-01T00:00:00Z", "2026-11-28T15:22:30", "yesterday", "2199-12-31T23:59:59Z"):
        answer = await world.ask(("PUT", path, {"at": at}), key)
        assert answer.status_code == 422, (at, answer.text)


async def test_tenant_is_told_of_its_own_incident(world: Any) -> None:
    acme = await tenant(world, "acme")
    number = await incident(
        world, "lane:12", tenant=acme, culprit="list bought", sentence="4 % of acme/newsletter bounces"
    )
    await alarm(world, number, "a", acme, "4 % of acme/newsletter bounces")
    await action(world, number, "action", "acme/newsletter is slowed to 1/s")
    await action(world, number, "note", "they never pay")
    shown = await get(world, world.tenant_keys["acme"], f"/v1/incidents/{number}")
    assert shown["incident"]["detail"] == "4 % of acme/newsletter bounces"
    assert [one["detail"] for one in shown["timeline"]] == ["acme/newsletter is slowed to 1/s"]
    assert "they never pay" not in str(shown)
    assert shown["incident"]["cause"] is None
    report = await get(world, world.tenant_keys["acme"], f"/v1/incidents/{number}/report")
    assert (report["tenant"], report["culprit"], report["onset"]) == (
        "acme",
        "list bought",
        "2026-11-28T15:22:00.000Z",
    )
    assert [one["detail"] for one in report["effects"]] == ["4 % of acme/newsletter bounces"]
    await get(world, world.tenant_keys["zen"], f"/v1/incidents/{number}", 404)
    foreign = await get(world, world.tenant_keys["zen"], f"/v1/incidents/{number}/report", 404)
    assert foreign["detail"] == f"there is no incident {number}"
    reader = await world.key(None, "read")
    said = await get(world, reader, f"/v1/incidents/{number}/report?tenant=zen", 404)
    assert said["detail"] == f"incident {number} does not concern zen: there is nothing to report to it"


async def test_what_people_do_about_the_mail_is_in_the_timeline_with_its_reason(world: Any) -> None:
    operator = await world.key(None, "read", "operate", "admin")
    hold = {"tenant": "acme", "type": "newsletter", "because": "bad list"}
    placed = (await world.ask(("POST", "/v1/holds", hold), operator)).json()
    lifted = {"tenant": "acme", "ids": [placed["id"]], "because": "it is clean"}
    answer = await world.ask(("POST", "/v1/holds/lift", lifted), operator)
    assert answer.status_code == 200, answer.text
    found = await get(world, operator, f"/v1/incidents/{world.incident}")
    [entry] = [one for one in found["timeline"] if one["detail"].startswith("Lifted: ")]
    assert entry["detail"] == f"Lifted: hold {placed['id']} on newsletter mail of acme: it is clean"
    assert entry["what"] == "action"
    assert "key" in entry["author"]
    own = await get(world, world.tenant_keys["acme"], f"/v1/incidents/{world.incident}")
    assert "Lifted" not in str(own["timeline"])


async def test_what_keeps_mail_and_how_it_goes_on_is_in_the_report(world: Any) -> None:
    reader = await world.key(None, "read", "operate")
    before = await get(world, reader, f"/v1/incidents/{world.incident}/report?tenant=acme")
    hold = {"tenant": "acme", "type": "newsletter", "because": "bad list"}
    assert (await world.ask(("POST", "/v1/holds", hold), reader)).status_code == 201
    report = await get(world, reader, f"/v1/incidents/{world.incident}/report?tenant=acme")
    (new,) = set(report["holds"]) - set(before["holds"])
    assert "bad list" in new
    assert new.startswith("Held by the platform since "), "it names who is on call"
    assert "goes on when these 2 holds end" in report["resume"]


async def test_no_word_of_another_tenant_reaches_a_tenant(world: Any) -> None:
    """Whatever an alarm says: the slug, the key and the domains of others are looked for in each text."""
    acme, zen = await tenant(world, "acme"), await tenant(world, "zen")
    key = await world.owner.fetchval("select key from tenant where id = $1", zen)
    await world.owner.execute("update identity set domain = 'mail.other.example' where tenant = $1", zen)
    texts = (
        *("like zen", "(zen/newsletter) too", "mail of news.zen.example", f"set {key}.", "ZEN is worse"),
        *(
            "MAIL FROM bounce.mail.other.example",
            "kim@mail.other.example bounces",
            f"SES tenant {key}-marketing",
            "zen_list",
        ),
        *("zen's list", "_dmarc.mail.other.example", "mail.other.example. has no DKIM"),
    )
    numbers: list[int] = []
    for n, text in enumerate(texts):
        number = await incident(world, f"lane:{n}", tenant=acme, sentence=f"acme {text}", culprit=text)
        await alarm(world, number, "a", acme, f"acme {text}")
        await alarm(world, number, "b", zen, "zen is stuck")
        await action(world, number, "action", f"held {text}")
        numbers.append(number)
    shared = await incident(world, "role:dispatch", concerned=[acme, zen], sentence="no dispatcher on web-1")
    await alarm(world, shared, "a", acme, "acme/newsletter waits")
    await alarm(world, shared, "b", zen, "zen/newsletter waits")
    await action(world, shared, "action", "ann restarted web-1")
    both = await incident(
        world, "set:mc-x", tenant=acme, concerned=[zen], sentence="set mc-x", culprit="mc-x"
    )
    own = world.tenant_keys["acme"]
    told = [await get(world, own, "/v1/incidents")]
    for number in (*numbers, shared, both):
        told.append(await get(world, own, f"/v1/incidents/{number}"))
        told.append(await get(world, own, f"/v1/incidents/{number}/report"))
        told.append(
            await get(world, await world.key(None, "read"), f"/v1/incidents/{number}/report?tenant=acme")
        )
    text = str(told).lower()
    assert "acme/newsletter waits" in text
    for word in ("zen", "other.example", key, "web-1", "mc-x", "role:", "restarted"):
        assert word not in text, word


async def test_no_caller_address_or_person_of_the_platform_is_named_to_a_tenant(world: Any) -> None:
    acme, own = await tenant(world, "acme"), world.tenant_keys["acme"]
    for kind, sentence in (
        ("ungoverned", "role batch of 203.0.113.7 sends"),
        ("integrity", "events from queue batch"),
        ("drift", "the policy differs"),
    ):
        number = await incident(
            world, f"tenant:{kind}", kind=kind, tenant=acme, sentence=sentence, culprit="role batch"
        )
        await alarm(world, number, "a", acme, sentence, kind)
        for path in (f"/v1/incidents/{number}", f"/v1/incidents/{number}/report", "/v1/incidents"):
            said = str(await get(world, own, path))
            assert "batch" not in said, said
            assert "203.0.113.7" not in said, said
    assert "the policy differs" in said


async def test_tenants_list_has_only_what_concerns_it(world: Any) -> None:
    acme, zen = await tenant(world, "acme"), await tenant(world, "zen")
    await incident(world, "lane:1", tenant=zen)
    await incident(world, "role:control")
    mine = await incident(world, "role:dispatch", concerned=[acme])
    closed = await incident(world, "lane:2", tenant=acme, closed_at=OPENED, closed_by="x")
    own = world.tenant_keys["acme"]
    numbers = lambda found: [one["id"] for one in found["items"]]  # noqa: E731
    assert numbers(await get(world, own, "/v1/incidents")) == [closed, mine, world.incident]
    assert numbers(await get(world, own, "/v1/incidents?open=true&kind=stuck")) == [mine]
    page = await get(world, own, "/v1/incidents?limit=1")
    assert numbers(await get(world, own, f"/v1/incidents?limit=1&after={page['next']}")) == [mine]
    reader = await world.key(None, "read")
    assert numbers(await get(world, reader, "/v1/incidents?tenant=acme&open=true")) == [mine, world.incident]
    assert len((await get(world, reader, "/v1/incidents"))["items"]) == 5


async def test_times_are_by_kind_and_month_of_what_is_no_part_of_another(world: Any) -> None:
    await world.owner.execute("delete from incident")
    for n, (identified, mitigated) in enumerate(((10, 60), (20, 120), (30, None), (None, None))):
        await incident(
            world,
            f"lane:{n}",
            since=OPENED,
            identified_at=None if identified is None else OPENED + identified * 1000,
            mitigated_at=None if mitigated is None else OPENED + mitigated * 1000,
            reported_at=OPENED + 15_000,
        )
    whole = await incident(world, "role:dispatch", kind="service", opened_at=OPENED - 40 * 86_400_000)
    await incident(world, "lane:9", part_of=whole, closed_at=OPENED, closed_by="mailcordon")
    reader = await world.key(None, "read")
    past, now = reversed((await get(world, reader, "/v1/incidents/times"))["items"])
    assert (now["kind"], now["month"], now["incidents"], now["open"]) == ("stuck", "2026-11", 4, 4)
    assert (now["identified"], now["identify_median"], now["identify_p95"]) == (3, 20, 30)
    assert (now["mitigated"], now["mitigate_median"], now["mitigate_p95"]) == (2, 60, 120)
    assert now["customer_first"] == 3, "those that were not identified within 15 s"
    assert (past["kind"], past["month"], past["identify_median"]) == ("service", "2026-10", None)
    (both,) = (await get(world, reader, "/v1/incidents/times?by=all"))["items"]
    assert (both["kind"], both["month"], both["incidents"]) == (None, None, 5)
    assert (await get(world, reader, "/v1/incidents/times?since=2026-11-29T00:00:00Z"))["items"] == []


async def test_number_that_no_incident_can_have_is_not_found(world: Any) -> None:
    key = await world.key(None, "read", "operate")
    for number in (0, 2**63, 10**30):
        for method, end, body in (
            ("GET", "", None),
            ("GET", "/report?tenant=acme", None),
            ("POST", "/acknowledge", None),
            ("POST", "/notes", {"text": "x"}),
            ("PUT", "/reported", {"at": None}),
        ):
            answer = await world.ask((method, f"/v1/incidents/{number}{end}", body), key)
            assert answer.status_code in (404, 422), (method, number, end, answer.text)
        for reader in (key, world.tenant_keys["acme"]):
            answer = await world.ask(("GET", f"/v1/incidents?after={number}", None), reader)
            assert answer.status_code in (200, 422), (number, answer.text)
