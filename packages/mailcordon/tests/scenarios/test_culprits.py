"""Two things go wrong at once on a running system: each is an incident with its own culprit, and nobody else is in either."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import boto3

from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic

BAD, ALL = 11, 50  #: 22 %


async def mail_a_list(mail: Traffic, slug: str, list_: str, *, bad: int) -> None:
    """One mailing to 50 people, of whom `bad` do not exist."""
    run = secrets.token_hex(3)
    people = [f"p{n}-{run}@people.example" for n in range(ALL)]
    for address in people[:bad]:
        url = f"{mail.system.ses_url}/_seslocal/mailboxes/{address}"
        async with mail.http.put(url, json={"fate": "bounces"}) as answer:
            assert answer.status == 200
    body = {
        "tenant": slug,
        "type": "newsletter",
        "from": f"a@{traffic.domain(slug, 'newsletter')}",
        "to": [
            {"address": one, "headers": {"List-Unsubscribe": f"<https://{slug}.example/u/{one}>"}}
            for one in people
        ],
        "headers": traffic.ONE_CLICK,
        "subject": "News",
        "text": "News",
        "list": list_,
    }
    status, said = await mail.call("POST", "/v1/messages", body)
    assert status == 202, said


@contextlib.asynccontextmanager
async def cut(mail: Traffic, set_name: str) -> AsyncIterator[None]:
    """Somebody disables the destination of a set by hand, and nothing repairs it meanwhile."""
    policy = "/v1/drift/policies/destination-disabled"
    status, said = await mail.call("PUT", policy, {"act": "propose", "because": "a test"})
    assert status == 200, said
    ses: Any = boto3.client(
        "sesv2",
        region_name="us-east-1",
        endpoint_url=mail.system.ses_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )

    def put(enabled: bool) -> None:
        name = {"ConfigurationSetName": set_name}
        found = ses.get_configuration_set_event_destinations(**name)["EventDestinations"]
        [was] = [one for one in found if one["Name"] == "outcome"]
        kept = {key: was[key] for key in ("MatchingEventTypes", "SnsDestination")}
        ses.update_configuration_set_event_destination(
            **name, EventDestinationName="outcome", EventDestination={**kept, "Enabled": enabled}
        )

    try:
        await asyncio.to_thread(put, False)
        yield
    finally:
        await asyncio.to_thread(put, True)
        ses.close()
        await mail.call("PUT", policy, {"act": "apply", "because": "as before"})


async def test_a_bad_list_and_a_cut_destination_are_two_incidents_with_the_right_culprits(
    system: systems.System, mail: Traffic
) -> None:
    run = secrets.token_hex(3)
    acme, zen, otto = f"acme-{run}", f"zen-{run}", f"otto-{run}"
    body = {"slug": otto, "types": {"newsletter": traffic.domain(otto, "newsletter")}, "dedicated": True}
    status, said = await mail.call("POST", "/v1/tenants", body)
    assert status in (200, 201), said
    await mail.onboard({slug: ["newsletter"] for slug in (acme, zen, otto)})
    lane = (await mail.call("GET", f"/v1/tenants/{otto}/lanes/newsletter"))[1]
    set_name = lane["route"]["configuration_set"]

    async def incident(cause: str) -> Any:
        items = (await mail.call("GET", "/v1/incidents?open=true"))[1]["items"]
        return next((one for one in items if one["cause"] == cause and one["identified_at"]), None)

    async def mitigated(one: Any) -> bool:
        return (await mail.call("GET", f"/v1/incidents/{one['id']}"))[1]["incident"][
            "mitigated_at"
        ] is not None

    holds = await mail.db.fetchval("select count(*) from hold where lifted_at is null")
    bad_list = await mail.db.fetchval(
        "select 'lane:' || l.id || '/list:bought' from lane l join tenant t on t.id = l.tenant where t.slug = $1",
        acme,
    )
    begun = time.monotonic()
    async with cut(mail, set_name):
        await asyncio.gather(
            mail_a_list(mail, acme, "bought", bad=BAD),
            *(mail_a_list(mail, slug, "people", bad=0) for slug in (zen, otto)),
        )
        rates = await mail.until(lambda: incident(bad_list), "the list's incident has a culprit")
        lost = await mail.until(lambda: incident(f"set:{set_name}"), "the set's incident has a culprit")
        for one in (rates, lost):
            print(f"{one['detail']}\n  {one['culprit']}: identified after {one['identify_seconds']:.1f} s")
        assert (rates["kind"], rates["tenant"], rates["type"]) == ("rates", acme, "newsletter")
        assert rates["culprit"].startswith(f"list bought of {acme}/newsletter")
        assert (lost["kind"], lost["tenant"]) == ("drift", otto)
        assert lost["culprit"].startswith("user test (")
        assert max(one["identify_seconds"] for one in (rates, lost)) < 60
        assert [one["concerned"] for one in (rates, lost)] == [[], []]

        # Whoever did nothing is in no incident, and its mail arrives; nothing is held by itself.
        assert (await mail.call("GET", f"/v1/incidents?tenant={zen}"))[1]["items"] == []
        for slug in (zen, otto):
            assert await mail.all_final(slug) is None
        assert await mail.db.fetchval("select count(*) from hold where lifted_at is null") == holds

        # Its mail stops at once, and that ends the harm.
        await mail.hold(acme, type="newsletter", list="bought")
        await mail.until(lambda: mitigated(rates), "the hold has contained it")
    await mail.until(lambda: mitigated(lost), "SES was changed back")
    print(f"both are mitigated {time.monotonic() - begun:.1f} s after they began")
