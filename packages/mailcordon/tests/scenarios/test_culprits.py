"""Two things go wrong at once on a running system: each is an incident with its own culprit, and nobody else is in either."""

import asyncio
import secrets
import time
from typing import Any

from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic

BAD, ALL = 11, 50


async def mail_a_list(mail: Traffic, slug: str, list_: str, *, bad: int) -> None:
    """One mailing to 50 people, of whom `bad` do not exist."""
    run = secrets.token_hex(3)
    people = [f"p{n}-{run}@people.example" for n in range(ALL)]
    for address in people[:bad]:
        status, said = await ses(mail, "PUT", f"/mailboxes/{address}", {"fate": "bounces"})
        assert status == 200, said
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


async def ses(mail: Traffic, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    async with mail.http.request(method, f"{mail.system.ses_url}/_seslocal{path}", json=body) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_a_bad_list_opens_an_incident(system: systems.System, mail: Traffic) -> None:
    run = secrets.token_hex(3)
    acme, zen = f"acme-{run}", f"zen-{run}"
    await mail.onboard({acme: ["newsletter"], zen: ["newsletter"]})
    begun = time.monotonic()
    await asyncio.gather(
        mail_a_list(mail, acme, "bought", bad=BAD),
        mail_a_list(mail, zen, "people", bad=0),
    )
    print("accepted", time.monotonic() - begun)

    async def opened() -> Any:
        return await mail.db.fetchrow(
            "select i.* from incident i join tenant t on t.id = i.tenant where t.slug = $1 and i.kind = 'rates'",
            acme,
        )

    row = await mail.until(opened, "it opens")
    print("opened", time.monotonic() - begun, dict(row))
