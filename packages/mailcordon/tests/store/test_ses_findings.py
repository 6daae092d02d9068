"""SES's own findings, from ListRecommendations of the local SES to the rows that alarms and the status read."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from mailcordon.adapters.db import alarm_facts
from mailcordon.adapters.db.ses_finding_store import SesFindingStore
from mailcordon.adapters.ses.administer import Administer
from mailcordon.control import ses_findings
from mailcordon.control.ses_findings import AGAIN, APART, EVERY, SesFindings
from mailcordon.control.status_facts import SesFinding
from mailcordon_fixtures import local_ses
from seslocal.admin import fault_calls, tenant_calls


@dataclass
class World:
    parts: local_ses.Parts
    ses: Administer
    now: float = 1000.0
    findings: SesFindings = field(init=False)

    @property
    def account(self) -> Any:
        return self.parts.local.account

    def find(self, tenant: str, type: str, impact: str = "LOW") -> None:
        body = {"type": type, "impact": impact, "description": f"{type} of {tenant}"}
        tenant_calls.find(self.account, tenant, {}, body)

    async def look(self) -> dict[tuple[str | None, str, str], SesFinding]:
        """As after the usual time."""
        self.now += EVERY
        assert await self.findings.advance()
        return await self.open()

    async def open(self) -> dict[tuple[str | None, str, str], SesFinding]:
        async with self.parts.control.acquire() as connection:
            found = (await alarm_facts.ses_findings(connection))["ses_findings"]
        return {(one.tenant, one.name, one.type): one for one in found}


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    async with local_ses.running(database) as parts:
        ses = Administer(region="us-east-1", endpoint=parts.local.url, access_key="test", secret_key="test")
        made = World(parts, ses)
        made.findings = SesFindings(SesFindingStore(parts.control), ses, clock=lambda: made.now)
        for name in ("mc-aaaaaaaaaaaa", "theirs"):
            await ses.create_tenant(name, scope="TENANT", reasons=["BOUNCE"])
        await parts.owner.execute("insert into tenant (key, slug) values ('mc-aaaaaaaaaaaa', 'acme')")
        await parts.owner.execute(
            "insert into ses_resource (kind, name, phase, desired, state, tenant)"
            " select 'tenant', 'mc-aaaaaaaaaaaa', 0, '{}', 'applied', id from tenant"
        )
        try:
            yield made
        finally:
            ses.close()


async def test_a_finding_is_open_with_its_tenant_until_ses_closes_it(world: World) -> None:
    assert await world.findings.advance()
    assert await world.open() == {}
    for type in ("FEEDBACK_3P", "IP_LISTING"):
        world.find("mc-aaaaaaaaaaaa", type)
    world.find("theirs", "BOUNCE", "HIGH")
    found = await world.look()
    assert set(found) == {
        ("acme", "mc-aaaaaaaaaaaa", "FEEDBACK_3P"),
        ("acme", "mc-aaaaaaaaaaaa", "IP_LISTING"),
        (None, "theirs", "BOUNCE"),
    }
    one = found["acme", "mc-aaaaaaaaaaaa", "FEEDBACK_3P"]
    assert (one.impact, one.description) == ("LOW", "FEEDBACK_3P of mc-aaaaaaaaaaaa")
    assert abs(one.since / 1000 - world.account.clock.now()) < 60
    tenant_calls.close(world.account, "mc-aaaaaaaaaaaa", "FEEDBACK_3P", {}, {})
    assert set(await world.look()) == {("acme", "mc-aaaaaaaaaaaa", "IP_LISTING"), (None, "theirs", "BOUNCE")}


async def test_a_finding_that_gets_worse_is_the_same_one(world: World) -> None:
    world.find("theirs", "COMPLAINT", "LOW")
    [before] = (await world.look()).values()
    world.find("theirs", "COMPLAINT", "HIGH")
    [after] = (await world.look()).values()
    assert (before.id, before.impact, after.impact) == (after.id, "LOW", "HIGH")


@pytest.mark.parametrize("times", [None, 1])
async def test_what_ses_does_not_answer_stays_as_it_was_and_is_told(world: World, times: int | None) -> None:
    """All types, or the first one only."""
    world.find("mc-aaaaaaaaaaaa", "BOUNCE")
    assert len(await world.look()) == 1
    refused = {
        "fault": "refuse",
        "operation": "ListRecommendations",
        "code": "AccessDeniedException",
        "message": "not authorized",
        **({} if times is None else {"count": times}),
    }
    fault = fault_calls.read(world.account, refused)
    fault_calls.start(world.account, fault, lambda _: 0)
    tenant_calls.close(world.account, "mc-aaaaaaaaaaaa", "BOUNCE", {}, {})
    assert len(await world.look()) == 1
    assert world.findings.problem is not None
    assert "not authorized" in world.findings.problem
    fault_calls.end(world.account, fault.id)
    assert await world.look() == {}
    assert world.findings.problem is None


async def test_ses_is_asked_now_and_then_and_at_once_after_a_notice_but_not_more_often(world: World) -> None:
    async def asked(seconds: float) -> bool:
        world.now += seconds
        return await world.findings.advance()

    assert await asked(0)
    assert not await asked(EVERY - 1)
    assert await asked(1)
    world.findings.notice()
    assert not await asked(APART - 1)
    for _ in range(1000):
        world.findings.notice()
    assert await asked(1)
    assert not await asked(1)
    assert [await asked(AGAIN), await asked(AGAIN)] == [True, False], "once more: the list may be late"
    assert await asked(EVERY)


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:ses:us-east-1:1:tenant/mc-aaaaaaaaaaaa/tn-1", "mc-aaaaaaaaaaaa"),
        ("arn:aws:ses:us-east-1:1:identity/mail.acme.example", "mail.acme.example"),
        ("arn:aws:ses:us-east-1:1:configuration-set/mc-urgent", "mc-urgent"),
        ("x", "x"),
    ],
)
def test_a_finding_has_the_name_of_its_resource(arn: str, name: str) -> None:
    assert ses_findings.name_of(arn) == name


def test_odd_findings_do_no_harm() -> None:
    assert ses_findings.parse({}) is None
    assert ses_findings.parse({"ResourceArn": 3, "Type": "BOUNCE"}) is None
    odd = ses_findings.parse(
        {
            "ResourceArn": "x\0",
            "Type": "NEW",
            "Impact": None,
            "CreatedTimestamp": "soon",
            "Description": "a" * 9000,
        }
    )
    assert odd is not None
    assert (odd.arn, odd.type, odd.impact, odd.since, len(odd.description)) == ("x", "NEW", "LOW", None, 1000)
