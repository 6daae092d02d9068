"""A running system: what nobody can have, a domain that changes its tenant with mail in the queue, and claims by command."""

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailcordon.core.delivery import State
from mailcordon_fixtures.traffic import Traffic

Run = Callable[..., tuple[int, str, str]]
LATE = 120  #: seconds after its delivery until a mail is complained about


@pytest.fixture
def slugs() -> tuple[str, str]:
    one, other = (f"{word}-{secrets.token_hex(3)}" for word in ("lost", "won"))
    return one, other


@pytest.mark.parametrize(("domain", "words"), [("co.uk", "public suffix"), ("gmail.com", "mailbox provider")])
async def test_every_door_refuses_what_nobody_can_have(
    mail: Traffic, run: Run, tmp_path: Path, domain: str, words: str
) -> None:
    said: set[str] = set()
    status, answer = await mail.call(
        "POST", "/v1/tenants", {"slug": "taker", "types": {"newsletter": domain}}
    )
    assert status == 422
    said |= {fault["problem"] for fault in answer["errors"]}
    code, out, _ = await asyncio.to_thread(
        run, "tenant", "onboard", "taker", "--type", f"newsletter={domain}", "--json"
    )
    assert code == 1
    said |= {fault["problem"] for fault in json.loads(out)["problem"]["errors"]}
    file = tmp_path / "tenants.yaml"
    file.write_text(f"tenants:\n  taker:\n    types:\n      newsletter: {domain}\n")
    code, _, err = await asyncio.to_thread(run, "plan", "-f", str(file))
    assert code != 0
    (sentence,) = said
    assert words in sentence
    assert words in err
    assert await mail.db.fetchval("select count(*) from identity where domain = $1", domain) == 0


async def test_mail_of_a_tenant_does_not_leave_from_a_domain_that_it_lost(
    mail: Traffic, run: Run, slugs: tuple[str, str]
) -> None:
    slug, other = slugs
    domain = f"newsletter.{slug}.example"
    await mail.onboard({slug: ["newsletter"], other: ["newsletter"]})
    late = f"late-{secrets.token_hex(4)}@example.com"
    await mail.ses("PUT", f"/mailboxes/{late}", {"fate": "delivers", "then": "complains", "seconds": LATE})
    assert await mail.put(slug, "newsletter", [late]) is not None
    await mail.all_final(slug)
    await mail.hold(slug, type="newsletter")
    assert await mail.put(slug, "newsletter", ["queued@example.com"]) is not None

    code, _, err = await asyncio.to_thread(
        run, "identity", "transfer", domain, "--to", other, "--because", "sold", "--yes"
    )
    assert code == 1
    assert "newsletter" in err  # a lane uses it
    steps = [
        {"kind": "retire-domain", "tenant": slug, "domain": domain, "mail": "drain"},
        {"kind": "free-domain", "tenant": slug, "domain": domain},
        {"kind": "add-domain", "tenant": other, "domain": domain},
    ]
    status, planned = await mail.call("POST", "/v1/plans", {"steps": steps})
    assert status == 201, planned
    status, applied = await mail.call("POST", f"/v1/plans/{planned['id']}/apply", {"because": "sold"})
    assert status == 200, applied
    await mail.lift(slug, type="newsletter")  # the person's hold: the other one stays
    await mail.all_final(slug)
    assert (await mail.judge(slug)).states == {State.SENT.word: 1, State.CANCELLED.word: 1}

    async def verified() -> bool:
        _, found = await mail.call("GET", f"/v1/identities/{domain}")
        return (found["tenant"], found["status"]) == (other, "verified")

    await mail.until(verified, "the domain is the other tenant's")
    _, claims = await mail.call("GET", f"/v1/claims?tenant={other}")
    assert {claim["domain"]: claim["proof"] for claim in claims["items"]}[domain] == "operator"

    # What was sent before stays the first tenant's, with what is reported of it.
    async def complained() -> bool:
        return await mail.count("outcome", slug, f"state = {int(State.COMPLAINED)}") == 1

    await mail.ses("PUT", "/clock", {"advance": LATE})
    try:
        await mail.until(complained, "the late complaint is counted")
    finally:
        await mail.ses("PUT", "/clock", {"at": time.time()})
    assert await mail.count("outcome", other) == 0


async def test_claims_and_shared_domains_on_the_command_line(
    mail: Traffic, run: Run, slugs: tuple[str, str]
) -> None:
    slug, other = slugs

    async def cli(*words: str) -> Any:
        code, out, err = await asyncio.to_thread(run, *words, "--json")
        assert code == 0, out + err
        return json.loads(out)

    await mail.onboard({slug: ["newsletter"], other: ["newsletter"]})
    more = f"more.{slug}.example"
    claimed = await cli("identity", "claim", more, "--tenant", slug, "--because", "a brand")
    assert (claimed["holds"], claimed["tenant"], claimed["record"]) == (True, slug, None)
    listed = await cli("identity", "claims", "--tenant", slug)
    assert more in [item["domain"] for item in listed["items"]]

    parent = f"platform-{slug}.example"
    shared = await cli("identity", "share", parent, "--because", "tenants without a domain")
    assert parent in [item["domain"] for item in shared["items"]]
    assert parent in [item["domain"] for item in (await cli("identity", "shared"))["items"]]
    await cli("identity", "claim", f"{other}.{parent}", "--tenant", other)
    found = await cli("identity", "show", f"{other}.{parent}")
    assert (found["shared"], found["proof"]) == (True, "parent")
    await cli("identity", "claim", f"{slug}.{parent}", "--tenant", slug)
    code, _, err = await asyncio.to_thread(run, "identity", "unshare", parent, "--because", "no more")
    assert (code, f"{other}.{parent}" in err) == (1, True)
    code, out, _ = await asyncio.to_thread(run, "identity", "show", f"{other}.{parent}")
    assert "shared, not isolated" in " ".join(out.split())

    moved = await cli("identity", "transfer", more, "--to", other, "--because", "sold", "--yes")
    assert moved["done"]
    assert (await cli("identity", "show", more))["tenant"] == other


async def test_a_new_domain_gets_a_mail_from_domain(mail: Traffic, slugs: tuple[str, str]) -> None:
    slug, _ = slugs
    await mail.onboard({slug: ["newsletter"]})
    domain = f"newsletter.{slug}.example"
    _, found = await mail.call("GET", f"/v1/identities/{domain}/records")
    named = {(each["type"], each["name"]) for each in found["records"] if each["purpose"] == "mail-from"}
    assert named == {("MX", f"bounce.{domain}"), ("TXT", f"bounce.{domain}")}
    _, document = await mail.call("GET", f"/v1/document?tenant={slug}")
    assert document["tenants"][slug]["domains"] == {domain: {"mail_from": f"bounce.{domain}"}}


async def test_a_dkim_key_of_ours_on_the_command_line(
    mail: Traffic, run: Run, slugs: tuple[str, str]
) -> None:
    slug, _ = slugs
    await mail.onboard({slug: ["newsletter"]})
    domain = f"newsletter.{slug}.example"
    words = ("identity", "dkim", domain, "own", "--selector", "mc1", "--because", "ours", "--json")
    code, out, err = await asyncio.to_thread(run, *words)
    assert code == 0, err
    (key,) = json.loads(out)["keys"]
    assert "PRIVATE" not in out
    record = key["record"]
    await mail.ses("PUT", f"/dns/{record['name']}", {"type": "TXT", "value": record["value"]})

    async def signing() -> bool:
        _, found = await mail.call("GET", f"/v1/identities/{domain}/dkim")
        return found["keys"][0]["state"] == "signing"

    await mail.until(signing, "SES signs with the key")
    code, out, _ = await asyncio.to_thread(run, "identity", "dkim-keys", domain)
    assert (code, "mc1" in out, "signing" in out) == (0, True, True)
