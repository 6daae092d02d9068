"""Proofs in the database: who asks twice waits for the first, they are bounded, a mail is called once, and old ones go."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from mailcordon.adapters.db import engine, status_reader
from mailcordon.adapters.db.proof_store import ProofStore
from mailcordon.adapters.db.proving_store import ProvingStore
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.control import proofs, status
from mailcordon.control.proofs import Full, Proofs, Scope, Verdict
from mailcordon.control.views import Viewer
from mailcordon.core import tags
from mailcordon.core.errors import NotFound, TooMuch
from mailcordon.core.priority import CLASS_DEFAULTS
from mailcordon.core.proof import ALWAYS, What, is_mail
from mailcordon.send.canary import Identity
from mailcordon.send.proving import Proving
from mailcordon.send.refusals import Answer
from mailcordon_fixtures.calls import Ses

BOUNDS = (proofs.MOST_OPEN_OF_TENANT, proofs.MOST_OPEN)
KEY = b"k" * 32


@dataclass
class Parts:
    world: Any
    lane: int
    tenant: int
    store: ProofStore
    mails: ProvingStore
    queue: QueueStore
    ses: Ses
    usable: bool = True
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def ask(self, *what: What, lanes: list[int] | None = None) -> Any:
        lanes = [self.lane] if lanes is None else lanes
        return await self.store.ask(
            self.tenant, lanes, what or ALWAYS, limit_ms=60_000, actor="ann", bounds=BOUNDS
        )

    @property
    def proving(self) -> Proving:
        async def call(body: bytes, permitted: Any) -> Answer:
            answer = await self.ses.send_email(body, permitted)
            self.bodies.append(json.loads(body))
            return answer

        return Proving(
            store=self.mails,
            queue=self.queue,
            cell="default",
            identity=Identity(installation="test", mac_key=KEY),
            call=call,
            may_use=lambda route: self.usable,
        )

    async def states(self) -> dict[str, str]:
        rows = await self.world.connection.fetch("select what, state from proof_mail order by id")
        return {row["what"]: row["state"] for row in rows}


@pytest.fixture
async def parts(world: Any) -> AsyncIterator[Parts]:
    lane = await world.lane("acme", "newsletter")
    await world.account()
    tenant = await world.connection.fetchval("select tenant from lane where id = $1", lane)
    control = await engine.create_pool(world.database.dsn("control"), max_size=2)
    reader = await engine.create_pool(world.database.dsn("reader"), max_size=2)
    mails, queue = ProvingStore(world.database.dsn("send")), QueueStore(world.database.dsn("send"))
    yield Parts(world, lane, tenant, ProofStore(control, reader), mails, queue, Ses())
    for one in (mails, queue, control, reader):
        await one.close()


async def test_the_second_who_asks_is_given_the_proof_that_runs(parts: Parts) -> None:
    [(first, is_new)] = await parts.ask()
    assert is_new
    assert await parts.ask() == [(first, False)]
    assert await parts.world.count("proof_mail") == len(ALWAYS)
    assert await parts.world.count("audit", "action = 'proof.ask'") == 1


async def test_of_two_who_ask_at_once_one_is_first(parts: Parts) -> None:
    found = await asyncio.gather(*(parts.ask() for _ in range(5)))
    assert {ids[0][0] for ids in found} == {found[0][0][0]}
    assert sum(ids[0][1] for ids in found) == 1


async def test_after_a_proof_has_ended_there_may_be_another(parts: Parts) -> None:
    [(first, _)] = await parts.ask()
    [proof] = await parts.store.proofs(Viewer(None), [first])
    await parts.store.end(proof, Verdict(proved=True, because="x"), actor="control")
    [(second, is_new)] = await parts.ask()
    assert (second != first, is_new) == (True, True)


async def test_proofs_that_run_are_bounded_for_a_tenant_and_in_all(parts: Parts) -> None:
    other = await parts.world.lane("acme", "invoice")
    ask = parts.store.ask
    both = [parts.lane, other]
    full = await ask(parts.tenant, both, ALWAYS, limit_ms=60_000, actor="ann", bounds=(1, 9))
    assert full == Full(2)
    full = await ask(parts.tenant, both, ALWAYS, limit_ms=60_000, actor="ann", bounds=(9, 1))
    assert full == Full(None)
    assert await parts.world.count("proof") == 0


async def test_the_service_says_what_is_too_much_and_what_is_not_there(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Proofs(parts.store)
    with pytest.raises(NotFound):
        await service.ask("acme", ["invoice"], reject=False, limit_seconds=60, actor="ann")
    with pytest.raises(NotFound):
        await service.ask("nobody", None, reject=False, limit_seconds=60, actor="ann")
    monkeypatch.setattr(proofs, "MOST_OPEN_OF_TENANT", 0)
    with pytest.raises(TooMuch, match="name fewer types"):
        await service.ask("acme", None, reject=False, limit_seconds=60, actor="ann")


async def test_a_proof_is_sent_with_the_lanes_route_and_signed_tags_and_uses_no_quota(parts: Parts) -> None:
    await parts.world.connection.execute("update account_rate set max_24h = 1000, sent_24h = 0")
    await parts.ask(*What)
    await parts.proving.once()
    assert set((await parts.states()).values()) == {"accepted"}
    addresses = {body["Destination"]["ToAddresses"][0].partition("+")[0] for body in parts.bodies}
    assert addresses == {"success", "bounce", "complaint"}
    for body in parts.bodies:
        found = {tag["Name"]: tag["Value"] for tag in body["EmailTags"]}
        attempt = tags.verify([KEY], found)
        assert (attempt.canary, is_mail(attempt.delivery), attempt.type) == (True, True, "newsletter")
        assert body["ConfigurationSetName"] == "mc-marketing"
        assert body["TenantName"].startswith("mc-")
    infected = [body for body in parts.bodies if body["Content"]["Simple"].get("Attachments")]
    assert len(infected) == 1
    # Only the one that SES rejects counts in the day's quota.
    assert await parts.world.connection.fetchval("select taken from account_rate") == 1


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Answer(400, code="MessageRejected", text="Email address is not verified"), "refused"),
        (Answer(500), "unknown"),
        (Answer(-1), "unknown"),
    ],
)
async def test_a_mail_is_called_once_whatever_the_answer(parts: Parts, answer: Answer, state: str) -> None:
    await parts.ask(What.SUCCESS)
    parts.ses.reply = answer
    await parts.proving.once()
    await parts.proving.once()
    assert parts.ses.calls == 1
    assert await parts.states() == {"success": state}


async def test_a_throttled_mail_is_tried_again(parts: Parts) -> None:
    await parts.ask(What.SUCCESS)
    parts.ses.reply = Answer(429, code="TooManyRequestsException", text="Maximum sending rate exceeded.")
    await parts.proving.once()
    assert await parts.states() == {"success": "asked"}
    parts.ses.reply = Answer(200, "ses-1")
    await parts.proving.once()
    assert await parts.states() == {"success": "accepted"}


async def test_a_mail_whose_dispatcher_died_in_its_call_is_never_called_again(parts: Parts) -> None:
    await parts.ask(What.SUCCESS)
    parts.ses.reply = RuntimeError("the process dies here")
    with pytest.raises(RuntimeError):
        await parts.proving.once()
    await parts.proving.once()
    assert parts.ses.calls == 1
    [(proof, _)] = await parts.store.open(10)
    assert proof.mails[0].state == "calling"
    assert proof.overdue(proof.mails[0].called_at + 60_001)  # pyright: ignore[reportOptionalOperand]


async def test_two_dispatchers_send_each_mail_once(parts: Parts) -> None:
    await parts.ask()
    await asyncio.gather(parts.proving.once(), parts.proving.once(), parts.proving.once())
    assert parts.ses.calls == len(ALWAYS)


async def test_nothing_leaves_over_a_held_lane_and_the_mails_of_other_lanes_do(parts: Parts) -> None:
    await parts.ask()
    parts.usable = False
    await parts.proving.once()
    assert parts.ses.calls == 0
    assert set((await parts.states()).values()) == {"asked"}


async def test_a_hold_that_the_dispatcher_does_not_know_yet_keeps_the_mail(parts: Parts) -> None:
    await parts.ask()
    for closed in (
        "held = true",
        "stopped = true",
        "retiring_at = now(), retire_mail = 'drain', retired_with = 'lane'",
    ):
        await parts.world.connection.execute(f"update lane set {closed}")
        await parts.proving.once()
        assert parts.ses.calls == 0
        await parts.world.connection.execute(
            "update lane set held = false, stopped = false, retiring_at = null, retire_mail = null, retired_with = null"
        )
    await parts.proving.once()
    assert parts.ses.calls == len(ALWAYS)


async def test_a_hold_that_comes_right_before_the_call_puts_the_mail_back(parts: Parts) -> None:
    await parts.ask(What.SUCCESS)
    parts.ses.meanwhile = lambda: setattr(parts, "usable", False)
    await parts.proving.once()
    assert parts.ses.calls == 0
    assert await parts.states() == {"success": "asked"}


async def test_the_mails_of_a_proof_that_has_ended_are_not_sent(parts: Parts) -> None:
    [(id, _)] = await parts.ask()
    [proof] = await parts.store.proofs(Viewer(None), [id])
    await parts.store.end(proof, Verdict(proved=False, because="x", counts=False), actor="control")
    await parts.proving.once()
    assert parts.ses.calls == 0


async def test_a_hold_on_the_lane_is_told_to_the_judge(parts: Parts) -> None:
    await parts.ask()
    await parts.world.connection.execute(
        "insert into hold (tenant, lane, stops, owner, because, by, since)"
        " values ($1, $2, true, 'person', 'complaints rise', 'ann', now_ms())",
        parts.tenant,
        parts.lane,
    )
    [(_, lane)] = await parts.store.open(10)
    assert lane.blocked is not None
    assert "complaints rise" in lane.blocked


async def test_a_proof_is_compared_with_the_route_and_destination_of_now(parts: Parts) -> None:
    c = parts.world.connection
    observed = {"topic": "arn:a", "enabled": True, "events": ["SEND", "BOUNCE"]}
    await c.execute(
        "insert into ses_resource (kind, name, phase, desired, observed) values"
        " ('event-destination', 'mc-marketing/outcome', 2, '{}', $1::jsonb)",
        json.dumps(observed),
    )
    [(id, _)] = await parts.ask()
    [proof] = await parts.store.proofs(Viewer(None), [id])
    await parts.store.end(proof, Verdict(proved=True, because="all"), actor="control")
    service = Proofs(parts.store)

    async def state(viewer: Viewer) -> tuple[str, str]:
        [(_, found)] = await service.lanes(viewer, type=None, after=0, limit=10)
        return found.state, found.because

    as_tenant = Viewer(parts.tenant, as_tenant=True)
    assert (await state(Viewer(None)))[0] == (await state(as_tenant))[0] == "fresh"
    assert parts.store._reader is not None
    async with parts.store._reader.acquire() as reader:  # names no tenant, so it sees none
        assert await reader.fetchval("select proof_parts($1)", proof.lane) is None
    reordered = json.dumps(observed | {"events": ["BOUNCE", "SEND"]})
    await c.execute("update ses_resource set observed = $1::jsonb", reordered)
    assert (await state(as_tenant))[0] == "fresh"
    await c.execute("update ses_resource set observed = observed || '{\"enabled\": false}'")
    for viewer in (Viewer(None), as_tenant):
        said = await state(viewer)
        assert said[0] == "stale"
        assert "was enabled and is disabled" in said[1]


async def test_a_proof_is_about_the_destination_as_ses_had_it_and_what_was_read_before_is_read_again(
    parts: Parts,
) -> None:
    c = parts.world.connection
    live = {"topic": "arn:a", "enabled": True, "events": ["BOUNCE", "SEND"]}
    await c.execute(
        "insert into ses_resource (kind, name, phase, desired, observed, next_try_at) values"
        " ('event-destination', 'mc-marketing/outcome', 2, '{}', $1::jsonb, now() + interval '1 h')",
        json.dumps(live | {"enabled": False}),
    )
    [(id, _)] = await parts.ask()
    await parts.store.set_scope(id, Scope(destination=live))
    [proof] = await parts.store.proofs(Viewer(None), [id])
    await parts.store.end(proof, Verdict(proved=True, because="x"), actor="control")
    assert await c.fetchval("select next_try_at <= now() from ses_resource")
    await c.execute("update ses_resource set observed = $1::jsonb", json.dumps(live))
    [(_, found)] = await Proofs(parts.store).lanes(Viewer(None), type=None, after=0, limit=10)
    assert found.state == "fresh"


async def test_status_says_which_lanes_are_not_proved_any_more(parts: Parts) -> None:
    async def notices() -> list[str]:
        found = status.judge(await status_reader.read(parts.world.connection)).notices
        return [each.sentence for each in found if each.code == "attribution-unproved"]

    assert await notices() == []
    for proved, said in ((False, "1 lane failed the last proof of attribution"), (True, None)):
        [(id, _)] = await parts.ask()
        [proof] = await parts.store.proofs(Viewer(None), [id])
        await parts.store.end(proof, Verdict(proved=proved, because="x"), actor="control")
        assert await notices() == ([said] if said else [])
    await parts.world.connection.execute("update route set ip_pool = 'mine'")
    assert await notices() == ["1 lane changed its route since its proof"]


async def test_a_proof_that_was_not_sent_leaves_the_one_before_it_in_force(parts: Parts) -> None:
    for proved, counts in ((True, True), (False, False)):
        [(id, _)] = await parts.ask()
        [proof] = await parts.store.proofs(Viewer(None), [id])
        verdict = Verdict(proved=proved, because="x", counts=counts)
        await parts.store.end(proof, verdict, actor="control")
    [(_, found)] = await Proofs(parts.store).lanes(Viewer(None), type=None, after=0, limit=10)
    assert found.state == "fresh"


async def test_a_tenants_key_sees_its_own_proofs_only(parts: Parts) -> None:
    zen_lane = await parts.world.lane("zen", "newsletter")
    zen = await parts.world.connection.fetchval("select tenant from lane where id = $1", zen_lane)
    [(id, _)] = await parts.ask()
    assert await parts.store.proofs(Viewer(zen, as_tenant=True), [id]) == []
    assert await Proofs(parts.store).lanes(Viewer(zen, as_tenant=True), type=None, after=0, limit=10)
    [mine] = await parts.store.proofs(Viewer(parts.tenant, as_tenant=True), [id])
    assert len(mine.mails) == len(ALWAYS)


async def test_old_proofs_go_and_the_newest_that_says_something_stays(parts: Parts) -> None:
    c = parts.world.connection
    for number in range(6):
        [(id, _)] = await parts.ask()
        [proof] = await parts.store.proofs(Viewer(None), [id])
        verdict = Verdict(proved=number == 0, because="x", counts=number == 0)
        await parts.store.end(proof, verdict, actor="control")
    assert await parts.store.purge(86_400_000, 3, 100) == 2  # three newest, and the first, which counts
    await c.execute("update proof set ended_at = ended_at - 2 * 86400000")
    assert await parts.store.purge(86_400_000, 3, 100) == 3
    assert await c.fetchval("select proved from proof") is True
    assert await parts.world.count("proof_mail") == len(ALWAYS)


async def test_a_round_without_proofs_reads_an_empty_index(parts: Parts) -> None:
    await parts.world.connection.execute("set enable_seqscan = off")  # as the dispatcher's connection has it
    plan = "\n".join(
        row[0]
        for row in await parts.world.connection.fetch(
            "explain select id, lane, what from proof_mail where state = 'asked' order by id limit 200"
        )
    )
    assert "proof_mail_asked" in plan


def test_every_class_has_a_scope_that_a_proof_expects() -> None:
    assert {defaults.ses_reasons for defaults in CLASS_DEFAULTS.values()} == {None, ("BOUNCE",)}
