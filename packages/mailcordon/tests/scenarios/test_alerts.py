"""Alerts and notices on real processes: channels, e-mail over a lane of ours, what a tenant is told. Local receivers count."""

import asyncio
import json
import secrets
from typing import Any

from mailcordon_fixtures.receiver import Got, Receiver
from mailcordon_fixtures.traffic import Traffic, domain
from scenarios.conftest import Run


async def incident(mail: Traffic, cause: str, tenant: str | None = None) -> int:
    """Its alarms were seen until an hour from now, so that the loop leaves it open."""
    return await mail.db.fetchval(
        "insert into incident (kind, cause, severity, scope, name, tenant, sentence, next, command, since, opened_at, seen_at,"
        " cause_seen_at) values ('rates', $1, 'critical', 'tenant', $1, (select id from tenant where slug = $2),"
        " 'too many bounces', 'ask them', 'mailcordon top', now_ms(), now_ms(), now_ms() + 3600000, now_ms() + 3600000)"
        " returning id",
        cause,
        tenant,
    )


async def timeline(mail: Traffic, incident: int) -> list[tuple[str, str]]:
    rows = await mail.db.fetch(
        "select what, text from incident_entry where incident = $1 order by id", incident
    )
    return [(row["what"], row["text"]) for row in rows]


def about(receiver: Receiver, incident: int) -> list[Got]:
    return [got for got in receiver.got if got.json.get("data", {}).get("incident") == incident]


async def command(run: Run, *words: str) -> Any:
    """In a thread, as it has an event loop of its own."""
    code, out, err = await asyncio.to_thread(run, *words, "--json")
    assert code == 0, err
    return json.loads(out)


async def test_people_and_tenants_are_told_once_each_over_the_way_that_is_not_in_trouble(
    mail: Traffic, receiver: Receiver, run: Run
) -> None:
    mark = secrets.token_hex(3)
    ops, acme = f"ops{mark}", f"acme{mark}"
    await mail.onboard({ops: ("notification",), acme: ("newsletter",)})
    made = await command(run, "alert", "channel", "add", f"hook-{mark}", "--webhook", receiver.url)
    assert made["secret"].startswith("whsec_")
    sender = f"alerts@{domain(ops, 'notification')}"
    await command(
        run,
        *("alert", "channel", "add", f"mail-{mark}", "--email", f"oncall@{mark}.example"),
        *("--tenant", ops, "--type", "notification", "--from", sender),
    )
    assert (await command(run, "alert", "channel", "test", f"hook-{mark}"))["delivered"]
    assert (await command(run, "alert", "channel", "test", f"mail-{mark}"))["delivered"]
    receiver.take()
    try:
        # An incident of another tenant: told over both channels, once.
        first = await incident(mail, f"tenant:{acme}", acme)

        async def told(number: int, what: str, times: int) -> bool:
            return [one for one, _ in await timeline(mail, number)].count(what) == times

        await mail.until(lambda: told(first, "alerted", 2), "both channels are told")
        (got,) = about(receiver, first)
        assert (got.json["type"], got.json["data"]["tenant"]) == ("incident.opened", acme)

        async def mailed() -> bool:
            subjects = [str(one.get("subject")) for one in await mail.sent(ops)]
            return any("too many bounces" in one for one in subjects)

        await mail.until(mailed, "SES has the alert's mail")

        # One of the lane's own tenant: the mail is skipped, with the reason; the other channel is told.
        own = await incident(mail, f"tenant:{ops}", ops)
        await mail.until(lambda: told(own, "not-alerted", 1), "the mail is skipped")
        await mail.until(lambda: told(own, "alerted", 1), "the webhook is told")
        skipped = next(text for what, text in await timeline(mail, own) if what == "not-alerted")
        assert f"{ops}/notification is of the tenant that the incident is about" in skipped

        # Acknowledged and closed: once each.
        alerts = await command(run, "alert", "list", "--incident", str(first), "--channel", f"hook-{mark}")
        await command(run, "alert", "ack", str(alerts["items"][0]["id"]))
        await mail.until(lambda: told(first, "alerted", 4), "both are told that it is acknowledged")
        status, said = await mail.call("POST", f"/v1/incidents/{first}/close", {"because": "a test"})
        assert status == 200, said
        await mail.until(lambda: told(first, "alerted", 6), "both are told that it is closed")
        types = [got.json["type"] for got in about(receiver, first)]
        assert types == ["incident.opened", "incident.acknowledged", "incident.closed"]
        await mail.call("POST", f"/v1/incidents/{own}/close", {"because": "a test"})

        # A tenant's contact: the hold, and that it is over.
        await command(run, "tenant", "contact", acme, "--webhook", receiver.url, "--tell", "holds")
        receiver.take()
        await mail.hold(acme, type="newsletter")

        async def notices(number: int) -> bool:
            return len([got for got in receiver.got if got.json["type"] == "holds.changed"]) == number

        await mail.until(lambda: notices(1), "the tenant is told of its hold")
        await mail.lift(acme, type="newsletter")
        await mail.until(lambda: notices(2), "the tenant is told that it is over")
        items = [
            item["state"]
            for got in receiver.got
            if got.json["type"] == "holds.changed"
            for item in got.json["data"]["items"]
        ]
        assert items == ["held", "released"]
        assert ops not in " ".join(
            got.body.decode() for got in receiver.got if got.json["type"] == "holds.changed"
        )
        assert len((await command(run, "tenant", "notices", acme))["items"]) == 2
    finally:
        for name in (f"hook-{mark}", f"mail-{mark}"):
            await command(run, "alert", "channel", "remove", name, "--because", "the test is over")
        await command(run, "tenant", "contact", acme, "--remove", "webhook", "--because", "the test is over")
