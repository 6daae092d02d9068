"""Keys over HTTP: what they are for, changing them, and rotating them with an overlap."""

from datetime import UTC, datetime, timedelta
from typing import Any

from mailcordon.core.principal import SCOPES


async def ask(world: Any, key: str, method: str, path: str, body: Any = None) -> Any:
    return await world.ask((method, f"/v1/keys{path}", body), key)


async def made(world: Any, key: str, **over: Any) -> Any:
    body = {"tenant": "acme", "name": "shop", "scopes": ["send", "read"], **over}
    answer = await ask(world, key, "POST", "", body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def listed(world: Any, key: str) -> dict[str, Any]:
    return {item["prefix"]: item for item in (await ask(world, key, "GET", "")).json()["items"]}


async def test_a_key_is_made_with_types_limits_and_an_end_and_listed_with_them(world: Any) -> None:
    operator = await world.key(None, *SCOPES)
    end = (datetime.now(UTC) + timedelta(days=90)).isoformat()
    key = await made(world, operator, types=["newsletter"], limits={"messages_per_second": 5}, expires_at=end)
    found = (await listed(world, operator))[key["prefix"]]
    assert (found["types"], found["scopes"], found["tenant"]) == (["newsletter"], ["send", "read"], "acme")
    assert found["limits"] == {"messages_per_second": 5, "bytes_per_second": None, "reads_per_second": None}
    assert datetime.fromisoformat(found["expires_at"]) - datetime.fromisoformat(end) < timedelta(seconds=1)
    assert (found["last_used_at"], found["succeeds"], found["also_mints"]) == (None, None, [])
    principal = await world.cache.authenticate(f"Bearer {key['key']}")
    assert principal.types == {"newsletter"}
    assert principal.limits.messages_per_second == 5


async def test_a_key_for_a_type_that_does_not_exist_is_refused(world: Any) -> None:
    body = {"tenant": "acme", "name": "shop", "scopes": ["send"], "types": ["newsletter", "newsleter"]}
    answer = await ask(world, await world.key(None, *SCOPES), "POST", "", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown-type")
    assert "newsleter" in answer.text


async def test_a_change_holds_at_once_and_is_audited_as_it_was_and_is(world: Any) -> None:
    operator = await world.key(None, *SCOPES)
    key = await made(world, operator)
    header = f"Bearer {key['key']}"
    assert (await world.cache.authenticate(header)).types is None
    answer = await ask(
        world, operator, "PATCH", f"/{key['prefix']}", {"types": ["newsletter"], "scopes": ["send"]}
    )
    assert answer.status_code == 200, answer.text
    principal = await world.cache.authenticate(header)
    assert (principal.types, principal.scopes) == ({"newsletter"}, {"send"})
    row = await world.owner.fetchrow("select action, before, after from audit order by id desc limit 1")
    assert row["action"] == "key.change"
    assert "newsletter" not in row["before"]
    assert "newsletter" in row["after"]


async def test_a_change_of_one_rate_leaves_the_others(world: Any) -> None:
    operator = await world.key(None, *SCOPES)
    key = await made(world, operator, limits={"messages_per_second": 5, "reads_per_second": 3})
    for limits, now in (
        ({"messages_per_second": 7}, (7, None, 3)),
        ({"reads_per_second": None, "bytes_per_second": 1e6}, (7, 1e6, None)),
        ({}, (7, 1e6, None)),
    ):
        changed = await ask(world, operator, "PATCH", f"/{key['prefix']}", {"limits": limits})
        assert tuple(changed.json()["limits"].values()) == now


async def test_a_key_for_some_addresses_works_from_no_other(world: Any) -> None:
    operator = await world.key(None, *SCOPES)
    near = await made(world, operator, networks=["127.0.0.0/8", "2001:db8::/32"])
    far = await made(world, operator, networks=["192.0.2.0/24"])
    assert near["networks"] == ["127.0.0.0/8", "2001:db8::/32"]
    lanes = ("GET", "/v1/lanes", None)
    assert (await world.ask(lanes, near["key"])).status_code == 200
    answer = await world.ask(lanes, far["key"])
    assert (answer.status_code, answer.json()["code"]) == (403, "address-not-allowed")
    assert "127.0.0.1" in answer.text
    changed = await ask(world, operator, "PATCH", f"/{far['prefix']}", {"networks": []})
    assert changed.json()["networks"] == []
    assert (await world.ask(lanes, far["key"])).status_code == 200
    for text in ("10.0.0.1/8", "nowhere", "", "fe80::1%eth0/128", "10.0.0.0/33", "1.2.3.4\x00"):
        answer = await ask(world, operator, "PATCH", f"/{far['prefix']}", {"networks": ["10.0.0.0/8", text]})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "networks[1]")


async def test_a_key_widens_only_what_it_holds_itself_and_narrows_anything(world: Any) -> None:
    operator, admin = await world.key(None, *SCOPES), await world.key(None, "admin")
    wide, narrow = (
        await made(world, operator),
        await made(world, operator, scopes=["send"], types=["newsletter"]),
    )
    path = f"/{narrow['prefix']}"
    for body in ({"scopes": ["send", "read"]}, {"types": None}):
        answer = await ask(world, admin, "PATCH", path, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope-not-held")
    assert (await ask(world, admin, "PATCH", f"/{wide['prefix']}", {"scopes": ["read"]})).status_code == 200
    assert (await ask(world, operator, "PATCH", path, {"types": None})).status_code == 200
    assert (await listed(world, operator))[narrow["prefix"]]["types"] is None


async def test_an_admin_key_cannot_make_itself_an_operator(world: Any) -> None:
    admin = await world.key(None, "admin", "read")
    prefix = admin[4:12]
    for answer in (
        await ask(world, admin, "PATCH", f"/{prefix}", {"scopes": ["admin", "read", "operate"]}),
        await ask(world, admin, "POST", "", {"name": "x", "scopes": ["operate"]}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "scope-not-held")


async def test_the_holder_of_a_key_acts_and_is_by_default_the_one_who_made_it(world: Any) -> None:
    operator = await world.key(None, *SCOPES)
    kims = await made(world, operator, tenant=None, name="desk", holder=" Kim Lee ", scopes=list(SCOPES))
    assert (kims["holder"], kims["created_by"]) == ("Kim Lee", f"test (key t, {operator[4:12]})")
    shop = await made(world, kims["key"])
    assert (shop["holder"], shop["created_by"]) == ("Kim Lee", f"Kim Lee (key desk, {kims['prefix']})")
    row = await world.owner.fetchrow(
        "select actor, after::jsonb ->> 'holder' as holder from audit order by id desc limit 1"
    )
    assert tuple(row) == (f"Kim Lee (key desk, {kims['prefix']})", "Kim Lee")
    onboarded = await world.ask(
        ("POST", "/v1/tenants", {"slug": "held", "types": {"newsletter": "news.held.example"}}), kims["key"]
    )
    [first] = [one for one in (await listed(world, operator)).values() if one["tenant"] == "held"]
    assert (onboarded.status_code, first["holder"]) == (201, "Kim Lee")


async def test_a_successor_keeps_the_holder_and_a_key_that_is_handed_over_gets_another(world: Any) -> None:
    operator = await world.key(None, *SCOPES)
    key = await made(world, operator, holder="Kim Lee")
    rotated = (await ask(world, operator, "POST", f"/{key['prefix']}/rotation", {})).json()
    assert (rotated["holder"], rotated["predecessor"]["holder"]) == ("Kim Lee", "Kim Lee")
    changed = await ask(world, operator, "PATCH", f"/{rotated['prefix']}", {"holder": "Ann"})
    assert (changed.json()["holder"], (await listed(world, operator))[rotated["prefix"]]["holder"]) == (
        "Ann",
        "Ann",
    )
    assert (
        await world.cache.authenticate(f"Bearer {rotated['key']}")
    ).actor == f"Ann (key shop, {rotated['prefix']})"


async def test_a_holder_that_could_forge_a_line_is_refused(world: Any) -> None:
    operator = await world.key(None, *SCOPES)
    for holder in ("", "x" * 101, "Kim\nAnn (key ops, abcdefgh)", "Kim\u202e"):
        answer = await ask(world, operator, "POST", "", {"name": "n", "scopes": ["read"], "holder": holder})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "holder")


async def test_a_rotated_key_and_its_successor_both_work_until_the_overlap_is_over(world: Any) -> None:
    operator = await world.key(None, *SCOPES)
    old = await made(world, operator, types=["newsletter"], limits={"reads_per_second": 3})
    answer = await ask(world, operator, "POST", f"/{old['prefix']}/rotation", {"overlap_seconds": 3600})
    assert answer.status_code == 201, answer.text
    new = answer.json()
    for member in ("name", "tenant", "scopes", "types", "limits"):
        assert new[member] == old[member]
    assert (new["succeeds"], new["expires_at"]) == (old["prefix"], None)
    end = datetime.fromisoformat(new["predecessor"]["expires_at"])
    assert timedelta(minutes=59) < end - datetime.now(UTC) <= timedelta(hours=1)
    for text in (old["key"], new["key"]):
        assert (await world.cache.authenticate(f"Bearer {text}")).tenant_slug == "acme"
    world.now += 3601
    assert world.cache.lookup(f"Bearer {old['key']}") is None
    assert (await world.cache.authenticate(f"Bearer {new['key']}")).prefix == new["prefix"]


async def test_a_key_is_rotated_once_until_its_successor_is_revoked(world: Any) -> None:
    operator = await world.key(None, *SCOPES)
    path = f"/{(await made(world, operator))['prefix']}/rotation"
    lost = (await ask(world, operator, "POST", path, {})).json()
    again = await ask(world, operator, "POST", path, {})
    assert (again.status_code, again.json()["code"]) == (409, "key-rotated")
    assert lost["prefix"] in again.text
    await ask(world, operator, "DELETE", f"/{lost['prefix']}")
    assert (await ask(world, operator, "POST", path, {"expires_at": None})).status_code == 201


async def test_a_rotation_never_lengthens_the_life_of_a_key(world: Any) -> None:
    operator = await world.key(None, *SCOPES)
    end = (datetime.now(UTC) + timedelta(minutes=5)).replace(microsecond=0)
    old = await made(world, operator, expires_at=end.isoformat())
    path = f"/{old['prefix']}/rotation"
    missing = await ask(world, operator, "POST", path, {"overlap_seconds": 3600})
    assert (missing.status_code, missing.json()["errors"][0]["field"]) == (422, "expires_at")
    later = (end + timedelta(days=90)).isoformat()
    new = (await ask(world, operator, "POST", path, {"overlap_seconds": 3600, "expires_at": later})).json()
    assert datetime.fromisoformat(new["predecessor"]["expires_at"]) == end
    assert datetime.fromisoformat(new["expires_at"]) == end + timedelta(days=90)


async def test_a_revoked_key_is_neither_changed_nor_rotated(world: Any) -> None:
    operator = await world.key(None, *SCOPES)
    prefix = (await made(world, operator))["prefix"]
    await ask(world, operator, "DELETE", f"/{prefix}")
    for method, path, body in (("PATCH", f"/{prefix}", {"name": "x"}), ("POST", f"/{prefix}/rotation", {})):
        answer = await ask(world, operator, method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (409, "key-ended")


async def test_a_prefix_that_no_key_can_have_is_not_found(world: Any) -> None:
    operator = await world.key(None, *SCOPES)
    for prefix in ("zzzzzzzz", "%00", "%ff", "x" * 5000):
        answers = [
            await ask(world, operator, "PATCH", f"/{prefix}", {"name": "x"}),
            await ask(world, operator, "POST", f"/{prefix}/rotation", {}),
            await ask(world, operator, "DELETE", f"/{prefix}"),
        ]
        assert [answer.status_code for answer in answers] == [404, 404, 404]


async def test_keys_from_before_the_rule_keep_what_they_could_mint(world: Any) -> None:
    """As migration 0011 leaves them: an admin key of old may give what it does not hold, and its successor as well."""
    operator, old = await world.key(None, *SCOPES), await world.key(None, "admin")
    await world.owner.execute(
        "update api_key set also_mints = '{send,read,operate}' where prefix = $1", old[4:12]
    )
    assert (await made(world, old))["also_mints"] == []
    rotation = await ask(world, operator, "POST", f"/{old[4:12]}/rotation", {})
    assert sorted(rotation.json()["also_mints"]) == ["operate", "read", "send"]
    assert (await made(world, rotation.json()["key"]))["scopes"] == ["send", "read"]
