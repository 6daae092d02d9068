"""Events of a proof's mails are evidence: stored once, with the lane they name, and nothing else changes."""

import dataclasses
from typing import Any

from mailcordon.core import ids
from mailcordon.core.proof import What, mail_id

COUNTING = (
    "cohort_change", "cohort_batch", "cohort_minute", "cohort_feed",
    "event", "outcome", "send_event", "suppression", "platform_suppression", "quarantine", "quarantine_kind",
    "lane_count", "lane_intake", "lane_finished", "elsewhere", "ses_notice", "hold", "stop", "lane", "turn", "ledger", "waiting",
    "ready",
)  # fmt: skip


async def counted(world: Any) -> dict[str, list[Any]]:
    return {
        name: [tuple(row) for row in await world.owner.fetch(f"select * from {name} order by 1")]
        for name in COUNTING
    }


async def asked(world: Any, what: What, slug: str = "acme", type: str = "newsletter") -> Any:
    """A mail of a proof that was sent."""
    canary = await world.sent(slug, type, "x@simulator.amazonses.com", canary=True)
    now = await world.owner.fetchval("select now_ms()")
    tenant, lane = world.tenants[slug], world.lanes[slug, type]
    proof = await world.owner.fetchval(
        "insert into proof (tenant, lane, asked_at, asked_by, limit_ms) values ($1, $2, now_ms(), 'ann', 60000)"
        " on conflict (lane) where ended_at is null do update set asked_by = 'ann' returning id",
        tenant,
        lane,
    )
    id = mail_id(proof, what, now)
    await world.owner.execute(
        "insert into proof_mail (id, proof, tenant, lane, what, state, called_at)"
        " values ($1, $2, $3, $4, $5, 'accepted', now_ms())",
        id, proof, tenant, lane, what.value,
    )  # fmt: skip
    to = f"{what}+{ids.encode(id)}@simulator.amazonses.com"
    return dataclasses.replace(canary, attempt=dataclasses.replace(canary.attempt, delivery=id), to=to)


async def evidence(world: Any) -> list[Any]:
    return await world.owner.fetch("select * from proof_event order by mail, kind")


async def test_events_of_a_proof_are_kept_once_and_nothing_is_counted(world: Any) -> None:
    bounce, complaint = await asked(world, What.BOUNCE), await asked(world, What.COMPLAINT)
    before = await counted(world)
    documents = [
        bounce.send(),
        bounce.bounce(),
        complaint.send(),
        complaint.delivery_event(),
        complaint.complaint(),
    ]
    report = await world.tell(*documents)
    assert not report.counted
    assert not report.quarantined
    await world.tell(*documents, *documents)
    assert await counted(world) == before
    rows = await evidence(world)
    assert len(rows) == 5
    assert {row["attributed_lane"] for row in rows} == {world.lanes["acme", "newsletter"]}
    assert {row["problem"] for row in rows} == {None}


async def test_an_event_that_comes_after_the_end_is_kept_as_late(world: Any) -> None:
    bounce = await asked(world, What.BOUNCE)
    await world.owner.execute(
        "update proof set ended_at = now_ms() - 1, proved = false, because = 'x', counts = true"
    )
    await world.tell(bounce.bounce())
    [row] = await evidence(world)
    assert row["received_at"] > await world.owner.fetchval("select ended_at from proof")


async def test_an_event_through_a_set_of_another_class_is_kept_with_its_contradiction(world: Any) -> None:
    bounce = dataclasses.replace(await asked(world, What.BOUNCE), set="mc-urgent")
    await world.tell(bounce.bounce())
    [row] = await evidence(world)
    assert "mc-urgent" in row["problem"]


async def test_a_canary_that_settles_an_outcome_is_no_evidence_and_a_proof_of_gone_rows_is_dropped(
    world: Any,
) -> None:
    bounce = await asked(world, What.BOUNCE)
    canary = await world.sent("acme", "newsletter", "x@simulator.amazonses.com", canary=True)
    await world.owner.execute("delete from proof")
    await world.tell(canary.send(), bounce.bounce())
    assert await evidence(world) == []


async def test_a_tenant_that_copies_a_proofs_tags_proves_nothing(world: Any) -> None:
    """The signature covers the tenant and the type: an event that claims another lane is quarantined, and is no evidence."""
    bounce = await asked(world, What.BOUNCE)
    mail = bounce.mail()
    mail["tags"]["mc-tenant"] = [world.key("zen")]
    report = await world.tell(
        bounce.document("Bounce", mail=mail, bounceType="Permanent", bounceSubType="General")
    )
    assert dict(report.quarantined) == {"disagreement": 1}
    assert await evidence(world) == []
