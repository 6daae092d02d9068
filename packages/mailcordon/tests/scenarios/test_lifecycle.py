"""A tenant of a running system is retired with mail in its queue, comes back, is retired again and erased, by the command line.

Its mail is not lost, late events count, SES keeps nothing of it, and another tenant notices nothing.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon_fixtures.traffic import Traffic

TYPES = ["newsletter", "receipt"]
LATE = (
    120  #: seconds after the delivery; the local SES's clock is moved by as much once SES's objects are gone
)


Run = Callable[..., tuple[int, str, str]]


class Life:
    def __init__(self, mail: Traffic, run: Run) -> None:
        self.mail = mail
        self.run = run
        self.slug, self.other = (f"{word}-{secrets.token_hex(3)}" for word in ("life", "other"))
        self.ses: Any = boto3.client(
            "sesv2",
            region_name="us-east-1",
            endpoint_url=mail.system.ses_url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    async def cli(self, *words: str) -> dict[str, Any]:
        code, out, err = await asyncio.to_thread(self.run, *words, "--json")
        assert code == 0, out + err
        return json.loads(out)

    async def change(self, *words: str) -> dict[str, Any]:
        return await self.cli(*words, "--because", "contract ended", "--yes")

    async def key(self, slug: str) -> str:
        return await self.mail.db.fetchval("select key from tenant where slug = $1", slug)

    async def at_ses(self, slug: str) -> tuple[list[str], list[str]]:
        """What is associated with its SES tenant, and its domains."""
        key = await self.key(slug)

        def look() -> tuple[list[str], list[str]]:
            try:
                resources = self.ses.list_tenant_resources(TenantName=key)["TenantResources"]
            except self.ses.exceptions.NotFoundException:
                resources = []
            domains = self.ses.list_email_identities(PageSize=1000)["EmailIdentities"]
            return (
                sorted(each["ResourceArn"].rpartition(":")[2] for each in resources),
                sorted(
                    one["IdentityName"] for one in domains if one["IdentityName"].endswith(f".{slug}.example")
                ),
            )

        return await asyncio.to_thread(look)

    async def retired(self) -> bool:
        # As if what SES may still say of the last mail had been waited for.
        await self.mail.db.execute(
            "update lane l set drained_at = now() - interval '1 day' from tenant t"
            " where t.id = l.tenant and t.slug = $1 and l.drained_at > now() - interval '1 hour'",
            self.slug,
        )
        return await self.mail.db.fetchval(
            "select retired_at is not null from tenant where slug = $1", self.slug
        )

    async def gone(self) -> bool:
        return await self.at_ses(self.slug) == ([], [])

    async def address(self, to: str, slug: str) -> dict[str, Any]:
        return (await self.mail.call("GET", f"/v1/addresses/{to}?tenant={slug}"))[1]

    async def refused(self) -> str:
        body = {
            "tenant": self.slug,
            "type": "receipt",
            "from": f"a@receipt.{self.slug}.example",
            "to": ["kim@example.com"],
            "subject": "x",
            "text": "x",
        }
        status, said = await self.mail.call("POST", "/v1/messages", body)
        assert status == 422
        return said["code"]


@pytest.fixture
async def life(mail: Traffic, run: Run) -> Life:
    life = Life(mail, run)
    await mail.onboard({life.slug: TYPES, life.other: TYPES})
    return life


async def test_a_tenant_is_retired_with_mail_in_its_queue_comes_back_and_is_erased(life: Life) -> None:
    mail, slug, other = life.mail, life.slug, life.other
    late = f"late-{secrets.token_hex(4)}@example.com"
    await mail.ses("PUT", f"/mailboxes/{late}", {"fate": "delivers", "then": "complains", "seconds": LATE})
    others_before = await life.at_ses(other)

    # Retired while its mail is held: nothing is accepted, lost or detached.
    await mail.hold(slug, type="newsletter")
    assert await mail.put(slug, "newsletter", [late]) is not None
    planned = await life.cli("tenant", "retire", slug, "--because", "x", "--dry-run")
    assert (planned["done"], planned["plan"]["state"]) == (False, "proposed")
    assert await mail.put(slug, "receipt") is not None
    done = await life.change("tenant", "retire", slug)
    assert any("newsletter: 1 delivery in its queue is sent first" in each for each in done["does"])
    assert await life.refused() == "tenant-retired"

    async def receipts_left() -> bool:
        return await life.mail.queued(slug) == 1

    await mail.until(receipts_left, "the receipt has left")
    _, shown = await mail.call("GET", f"/v1/tenants/{slug}")
    assert any("keeps its mail" in each for each in shown["retirement"])
    assert "configuration-set/mc-marketing" in (await life.at_ses(slug))[0]

    # The hold is lifted: the mail leaves, then SES's objects go.
    await mail.lift(slug, type="newsletter")
    await mail.until(life.retired, "the tenant is retired")
    await mail.until(life.gone, "SES has nothing of it")
    assert not (verdict := await mail.judge(slug)).faults, verdict
    assert verdict.states == {State.SENT.word: 2}

    # A complaint that comes after all that is this tenant's.
    async def complained() -> bool:
        return await mail.count("outcome", slug, f"state = {int(State.COMPLAINED)}") == 1

    await mail.ses("PUT", "/clock", {"advance": LATE})
    try:
        await mail.until(complained, "the late complaint is counted")
    finally:
        await mail.ses("PUT", "/clock", {"at": time.time()})
    assert (
        await mail.db.fetchval("select count(*) from quarantine where document like '%' || $1 || '%'", late)
        == 0
    )
    assert len((await life.address(late, slug))["suppressions"]) == 1

    # Back again: SES has everything, mail leaves, and the complaint is remembered.
    await life.change("tenant", "unretire", slug)

    async def open_again() -> bool:
        return not await mail.db.fetchval(
            "select bool_or(l.held) from lane l join tenant t on t.id = l.tenant where t.slug = $1", slug
        )

    await mail.until(open_again, "its lanes are open")
    await mail.set_lanes([slug], released_at=None)
    assert await mail.put(slug, "receipt", ["back@example.com"]) is not None
    refused = await mail.put(slug, "newsletter", [late])
    assert refused is not None
    await mail.all_final(slug)
    states = (await mail.judge(slug)).states
    assert states == {State.SENT.word: 3, State.REFUSED.word: 1}

    # Retired again, with its mail cancelled.
    await mail.hold(slug, type="newsletter")
    assert await mail.put(slug, "newsletter", ["never@example.com"]) is not None
    await life.change("tenant", "retire", slug, "--mail", "cancel")
    mail.system.kill("control")  # whatever it was doing, it goes on with it
    await mail.until(life.retired, "the tenant is retired again")
    await mail.until(life.gone, "SES has nothing of it again")
    assert not (verdict := await mail.judge(slug)).faults, verdict
    assert verdict.states[State.CANCELLED.word] == 1
    await _erased(life, late, refused)

    # And nobody else noticed.
    assert await life.at_ses(other) == others_before
    assert await mail.put(other, "newsletter", [late]) is not None
    await mail.all_final(other)
    assert await mail.count_sent(other) == 1


async def _erased(life: Life, late: str, refused: int) -> None:
    """Its personal data goes; what happened to an address can still be asked for."""
    mail, slug = life.mail, life.slug
    await life.change("tenant", "erase", slug)
    mail.system.kill("control")

    async def done() -> bool:
        return (await mail.call("GET", f"/v1/tenants/{slug}/erasure"))[1]["state"] == "done"

    await mail.until(done, "its personal data is erased")
    assert (await life.cli("tenant", "erasure", slug))["deliveries"] == 5
    found = await life.address(late, slug)
    assert ([each["evidence"] for each in found["suppressions"]], len(found["deliveries"])) == ([{}], 2)
    why = await life.cli("why", ids.message_id(refused), "--tenant", slug)
    [delivery] = why["message"]["deliveries"]
    assert (delivery["to"], delivery["state"]) == ("erased", "refused")
    tenant = await mail.db.fetchval("select id from tenant where slug = $1", slug)
    for table in ("message", "event", "outcome", "ledger", "note", "suppression"):
        left = await mail.db.fetchval(
            f"select count(*) from {table} x where tenant = $1 and x::text like '%' || $2 || '%'",
            tenant,
            late,
        )
        assert left == 0, table
