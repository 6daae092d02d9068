"""Explaining, importing and forgetting suppressions over HTTP, on a real database."""

from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.erasure_store import ErasureStore
from mailcordon.control.erasure import Erasures

from .conftest import World
from .test_http import Api, api  # noqa: F401

SCOPES: list[tuple[str, str, Any]] = [
    ("POST", "/v1/suppressions/read", {"tenant": "acme", "address": "kim@example.com"}),
    ("POST", "/v1/suppressions/import", {"tenant": "acme", "text": "a@b.example", "because": "moved"}),
    (
        "POST",
        "/v1/suppressions/forget",
        {"tenant": "acme", "address": "kim@example.com", "because": "letter"},
    ),
]


async def ask(api: Api, method: str, path: str, key: str = "platform", body: Any = None) -> Any:  # noqa: F811
    answer = await api.ask(method, path, key, body)
    assert answer.status_code < 300, answer.text
    return answer.json()


async def explained(api: Api, key: str = "platform") -> dict[str, Any]:  # noqa: F811
    return await ask(api, "GET", "/v1/suppressions/explain?tenant=acme&address=Kim@EXAMPLE.com", key)


async def load(api: Api, text: str, **more: Any) -> Any:  # noqa: F811
    body = {"tenant": "acme", "text": text, "because": "moved to us", **more}
    return await api.ask("POST", "/v1/suppressions/import", "platform", body)


async def test_changes_need_operate_and_another_tenants_address_is_not_found(api: Api) -> None:  # noqa: F811
    for method, path, body in SCOPES:
        assert (await api.ask(method, path, None, body)).status_code == 401
        for key in ("acme", "zen", "platform-reader", "platform-sender"):
            assert (await api.ask(method, path, key, body)).status_code == 403
    path = "/v1/suppressions/explain?tenant=acme&address=kim@example.com"
    assert (await api.ask("GET", path, "zen")).status_code == 404
    assert (await api.ask("GET", path, "platform-sender")).status_code == 403
    assert (await api.ask("GET", path, None)).status_code == 401
    assert (await api.ask("GET", path.replace("kim@", "kim"), "acme")).status_code == 422


async def test_explain_says_why_since_when_and_what_was_dropped(world: World, api: Api) -> None:  # noqa: F811
    found = await explained(api)
    assert (found["sentence"], found["suppressed"]) == (
        "acme may mail Kim@example.com: nothing suppresses it",
        False,
    )
    bounced = await world.sent("acme", "newsletter", "kim@example.com")
    listed = await world.sent("acme", "receipt", "kim@example.com")
    await world.tell(bounced.bounce(), listed.bounce(sub_type="OnTenantSuppressionList", after=2000))
    refused = await world.sent("acme", "newsletter", "kim@example.com", known=False)
    await world.owner.execute("delete from ready where id = $1", refused.delivery)
    await world.owner.execute(
        "insert into ledger (id, tenant, lane, state, attempt, provider, at, reason)"
        " select $1, tenant, id, 10, 0, 0, $2, 'suppressed' from lane where id = $3",
        refused.delivery, world.now + 5000, world.lanes["acme", "newsletter"],
    )  # fmt: skip
    await world.owner.execute(
        "update ses_entry set found = true, reason = 'BOUNCE', listed_at = 0, read_at = now_ms(), wanted_since = null"
    )
    await world.owner.execute(
        "insert into ses_entry (tenant, hash, list, spelling, found, reason, read_at)"
        " select tenant, hash, list, 'KIM@example.com', true, 'BOUNCE', read_at from ses_entry"
    )
    for key in ("platform", "acme"):
        found = await explained(api, key)
        assert found["sentence"].startswith("acme may not mail Kim@example.com: hard bounce on ")
        assert found["dropped_sentence"].startswith(
            "2 mails to it were dropped because it is suppressed, 1 of them by SES, the last on "
        )
        assert [one["by"] for one in found["dropped"]] == ["mailcordon", "ses"]
        assert [one["cause"] for one in found["ours"]] == ["hard-bounce"]
        assert [one["spelling"] for one in found["at_ses"]] == ["KIM@example.com", "kim@example.com"]
        assert any("2 times: KIM@example.com, kim@example.com" in said for said in found["disagreements"])
        assert "suppression remove Kim@example.com --tenant acme --scope tenant" in found["next"][0]


async def test_explain_shows_an_entry_that_only_ses_has(world: World, api: Api) -> None:  # noqa: F811
    listed = await world.sent("acme", "receipt", "kim@example.com")
    await world.tell(listed.bounce(sub_type="OnTenantSuppressionList"))
    await world.owner.execute("delete from suppression")
    await world.owner.execute("update ses_entry set found = true, reason = 'BOUNCE', read_at = now_ms()")
    found = await explained(api)
    assert "SES lists it (BOUNCE)" in found["sentence"]
    assert any("ours has not" in said for said in found["disagreements"])


async def test_a_tenant_is_told_of_the_platforms_list_and_not_whose_mail_the_account_lists_it_for(
    world: World,
    api: Api,  # noqa: F811
) -> None:
    listed = await world.sent("acme", "receipt", "kim@example.com")
    await world.tell(listed.bounce(sub_type="OnAccountSuppressionList"))
    await world.owner.execute(
        "update ses_entry set found = true, reason = 'BOUNCE', read_at = now_ms(), message_id = 'm', feedback_id = 'f'"
    )
    await world.owner.execute(
        "insert into platform_suppression select hash, address, 'manual', 0, 'ops' from suppression limit 1"
    )
    await world.owner.execute("delete from suppression")
    for key, shown in (("platform", ("m", "f")), ("acme", (None, None))):
        found = await explained(api, key)
        assert found["suppressed"]
        assert found["sentence"].startswith("No tenant may mail Kim@example.com")
        assert {(one["message_id"], one["feedback_id"]) for one in found["at_ses"]} == {shown}


async def test_asking_ses_is_recorded_once_a_minute(world: World, api: Api) -> None:  # noqa: F811
    await world.owner.execute(
        "insert into ses_resource (kind, name, phase, tenant, desired) values ('tenant', $1, 1, $2, '{}')",
        world.key("acme"), world.tenants["acme"],
    )  # fmt: skip
    body = {"tenant": "acme", "address": "Kim@example.com"}
    assert (await ask(api, "POST", "/v1/suppressions/read", "platform", body))["entries"] == 2
    assert (await ask(api, "POST", "/v1/suppressions/read", "platform", body))["entries"] == 0
    await world.owner.execute("update ses_entry set wanted_since = null, read_at = now_ms() - 60001")
    assert (await ask(api, "POST", "/v1/suppressions/read", "platform", body))["entries"] == 2


async def test_an_import_covers_what_the_file_says_and_is_one_audit_row(world: World, api: Api) -> None:  # noqa: F811
    file = "EmailAddress,SuppressionReason,Origin,CreatedAt\r\n" + "".join(
        f"{who}@example.com,{what},{by},2026-01-02T03:04:05Z\r\n"
        for who, what, by in [
            ("a", "HardBounce", "Recipient"),
            ("b", "SpamComplaint", "Recipient"),
            ("c", "ManualSuppression", "Recipient"),
            ("A", "HardBounce", "Recipient"),
        ]
    )
    dry = (await load(api, file, dry_run=True, type="newsletter")).json()
    assert (dry["added"], dry["kept"], dry["doubled"], dry["dry_run"]) == (3, 0, 1, True)
    assert await world.rows("select count(*) from suppression") == [(0,)]
    assert await world.rows("select count(*) from audit where action = 'suppression.import'") == [(0,)]
    done = (await load(api, file, type="newsletter")).json()
    assert (done["form"], done["added"], done["detail"]) == ("postmark", 3, "Imported 3; repeated lines: 1")
    rows = await world.rows(
        "select address, scope, cause, evidence ->> 'reason', evidence ->> 'reported_at' from suppression order by 1"
    )
    assert rows == [
        ("a@example.com", 0, "imported", "HardBounce (Recipient)", "2026-01-02T03:04:05Z"),
        ("b@example.com", 1, "imported", "SpamComplaint (Recipient)", "2026-01-02T03:04:05Z"),
        ("c@example.com", 2, "imported", "ManualSuppression (Recipient)", "2026-01-02T03:04:05Z"),
    ]
    [(after,)] = await world.rows("select after::text from audit where action = 'suppression.import'")
    assert '"added": 3' in after
    assert '"form": "postmark"' in after
    again = (await load(api, file, type="newsletter")).json()
    assert (again["added"], again["kept"]) == (0, 3)


async def test_a_file_with_a_bad_line_changes_nothing_unless_asked(world: World, api: Api) -> None:  # noqa: F811
    refused = await load(api, "address\na@example.com\nnobody\n")
    assert refused.status_code == 422
    assert [one["field"] for one in refused.json()["errors"]] == ["text", "line 3"]
    assert await world.rows("select count(*) from suppression") == [(0,)]
    done = (await load(api, "address\na@example.com\nnobody\n", skip_bad=True)).json()
    assert (done["added"], done["bad_lines"], done["bad"][0]["line"]) == (1, 1, 3)
    unknown = await load(api, "address,scope,class,type,cause\na@example.com,lane,,nothing,manual\n")
    assert "acme has no lane of the type nothing" in unknown.text


async def test_a_large_file_is_imported_in_one_transaction(world: World, api: Api) -> None:  # noqa: F811
    done = (await load(api, "address\n" + "".join(f"u{n}@example.com\n" for n in range(20_000)))).json()
    assert done["added"] == 20_000
    found = await api.items("/v1/suppressions?tenant=acme&limit=5")
    assert found[0]["cause"] == "imported"


@pytest.mark.parametrize("text", ["", "Name\nKim\n"])
async def test_a_file_that_is_none_is_refused(api: Api, text: str) -> None:  # noqa: F811
    assert (await load(api, text)).status_code == 422


async def test_a_forgotten_address_is_nowhere_and_stays_suppressed(
    world: World,
    api: Api,  # noqa: F811
    database: Any,
) -> None:
    kim = {"address": "Kim@example.com", "tenant": "acme"}
    await world.owner.execute(
        "insert into ses_resource (kind, name, phase, tenant, desired) values ('tenant', $1, 1, $2, '{}')",
        world.key("acme"), world.tenants["acme"],
    )  # fmt: skip
    bounced = await world.sent("acme", "newsletter", "kim@example.com")
    other = await world.sent("zen", "newsletter", "kim@example.com")
    full = await world.sent("acme", "receipt", "kim@example.com")
    text = [
        {
            "emailAddress": "kim@example.com",
            "diagnosticCode": "552 kim@example.com is full",
            "status": "5.2.2",
        }
    ]
    await world.tell(
        bounced.bounce(bouncedRecipients=text),
        full.bounce("Transient", "MailboxFull", bouncedRecipients=text),
        other.bounce(),
        full.complaint(mail=full.mail(tags=bounced.mail()["tags"], messageId="another")),
    )
    await ask(
        api,
        "POST",
        "/v1/suppressions",
        "platform",
        {**kim, "scope": "class", "class": "marketing", "because": "x"},
    )
    await ask(api, "POST", "/v1/suppressions/read", "platform", kim)
    said = await ask(
        api, "POST", "/v1/suppressions/forget", "platform", {**kim, "because": "asked by letter"}
    )
    assert "keyed hash stays" in said["detail"]
    control = await engine.create_pool(database.dsn("control"))
    try:
        await Erasures(ErasureStore(control)).run()
        await Erasures(ErasureStore(control)).run()
        # Its mail is too old to be kept, and the tenant hands in new mail, which is refused: the next day's pass erases it.
        await world.owner.execute("delete from message where tenant = $1", world.tenants["acme"])
        await world.owner.execute("delete from recipient where tenant = $1", world.tenants["acme"])
        await world.owner.execute("update forgotten_address set next_at = now()")
        await Erasures(ErasureStore(control)).run()
        later = await world.sent("acme", "newsletter", "kim@example.com")
        await world.owner.execute("delete from ready where id = $1", later.delivery)
        await world.owner.execute("delete from waiting where id = $1", later.delivery)
        await world.owner.execute("update forgotten_address set next_at = now() where next_at > now()")
        await Erasures(ErasureStore(control)).run()
        assert await world.rows("select next_at > now() + interval '23 hours' from forgotten_address") == [
            (True,)
        ]
    finally:
        await control.close()
    # A late event about it, and a sleeping one of another kind.
    late = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(late.complaint(), late.bounce(after=2000))
    await world.owner.execute("delete from message where id = $1", late.delivery & ~63)
    await world.owner.execute("delete from event where delivery = $1", late.delivery)
    await world.owner.execute(
        "delete from ses_entry where forget"
    )  # control does it, once SES's lists do not have it
    acme = world.tenants["acme"]
    for table, of in [
        ("suppression", "tenant"), ("address_report", "tenant"), ("ses_entry", "tenant"), ("message", "tenant"),
        ("event", "tenant"), ("quarantine", "tenant"), ("audit", "tenant"), ("forgotten_address", "tenant"),
    ]:  # fmt: skip
        rows = await world.rows(f"select x::text from {table} x where {of} = $1", acme)
        assert not [row for row in rows if "kim@" in str(row).lower()], table
    assert await world.rows("select address from suppression where tenant = $1", world.tenants["zen"]) == [
        ("kim@example.com",)
    ], "another tenant's rows are not touched"
    found = await explained(api)
    assert found["suppressed"]
    assert "Kim@example.com" in found["sentence"]
    assert await world.rows(
        "select suppressed_for($1, hash, 0::smallint, 0, now_ms()) from forgotten_address", acme
    ) == [(True,)]
