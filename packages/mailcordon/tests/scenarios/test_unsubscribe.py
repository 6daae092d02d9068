"""A newsletter's links on a running system, from the mail that arrives to the next one that does not."""

import asyncio
import json
import secrets
from typing import Any, NamedTuple

import pytest

from mailcordon_fixtures.systems import System
from mailcordon_fixtures.traffic import Traffic, domain

from .conftest import Run

FORM = {"content-type": "application/x-www-form-urlencoded"}
ONE_CLICK = b"List-Unsubscribe=One-Click"


class Arrived(NamedTuple):
    headers: dict[str, str]
    bodies: dict[str, str]


class Mailbox:
    """What a tenant's recipients get, and what their mail programs do with it."""

    def __init__(self, mail: Traffic, slug: str) -> None:
        self.mail = mail
        self.slug = slug

    async def send(self, type: str, to: list[Any], **more: Any) -> list[dict[str, Any]]:
        body = {
            "tenant": self.slug,
            "type": type,
            "from": f"a@{domain(self.slug, type)}",
            "to": to,
            "subject": "News",
            "text": "Hello. Too much mail? {{unsubscribe_url}}",
            **more,
        }
        status, said = await self.mail.call("POST", "/v1/messages", body)
        assert status == 202, said
        return said["deliveries"]

    async def arrived(self, to: str, type: str = "newsletter") -> Arrived:
        """The newest mail of this type that SES has for it."""
        await self.mail.all_final(self.slug)
        sent = [
            one
            for one in await self.mail.sent(self.slug)
            if one["recipients"] == [to] and one["tags"]["mc-type"] == [type]
        ]
        found = (await self.mail.ses("GET", f"/sent/{sent[-1]['message_id']}"))["content"]["Simple"]
        return Arrived(
            headers={one["Name"]: one["Value"] for one in found.get("Headers", [])},
            bodies={name: part["Data"] for name, part in found["Body"].items()},
        )

    async def post(self, link: str, body: bytes = ONE_CLICK) -> int:
        async with self.mail.http.post(link, data=body, headers=FORM) as answer:
            return answer.status


@pytest.fixture
async def mailbox(mail: Traffic) -> Mailbox:
    slug = f"links-{secrets.token_hex(3)}"
    await mail.onboard({slug: ("newsletter", "announcement", "receipt")})
    return Mailbox(mail, slug)


def link_of(found: Arrived) -> str:
    assert found.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = found.headers["List-Unsubscribe"].strip("<>")
    assert found.bodies["Text"] == f"Hello. Too much mail? {link}"
    return link


async def test_one_click_in_the_mail_ends_the_newsletter_and_nothing_else(
    mailbox: Mailbox, system: System, run: Run
) -> None:
    people = ["kim@example.com", "lee@example.com", "ann@example.com"]
    to = [{"address": one, "headers": {"X-Person": one}} for one in people]
    await mailbox.send("newsletter", to)
    links = {to: link_of(await mailbox.arrived(to)) for to in people}
    assert len(set(links.values())) == 3
    assert all(link.startswith(f"{system.url}/u/") for link in links.values())
    kim = links["kim@example.com"]
    async with mailbox.mail.http.head(kim) as seen, mailbox.mail.http.get(kim) as page:  # scanners
        assert (seen.status, page.status) == (200, 200)
        assert "Unsubscribe</button>" in await page.text()
    assert await mailbox.post(kim, b"") == 400
    assert await mailbox.post(kim) == 200
    after = await mailbox.send("newsletter", to)
    assert [one["state"] == "refused" for one in after] == [True, False, False]
    assert "unsubscribe on" in after[0]["detail"]
    assert "by the recipient" in after[0]["detail"]
    for type in ("announcement", "receipt"):
        [other] = await mailbox.send(type, ["kim@example.com"])
        assert other["state"] == "queued"
    receipt = await mailbox.arrived("kim@example.com", "receipt")
    assert receipt.headers == {}  # only marketing has them; a placeholder is filled in anywhere
    assert f"{system.url}/u/" in receipt.bodies["Text"]

    # The tenant learns that Kim wants it again.
    await mailbox.mail.db.execute(
        "update suppression set since = since - 60000 where address = 'kim@example.com'"
    )
    now = await mailbox.mail.db.fetchval(
        "select to_char(now() - interval '1 second', 'YYYY-MM-DD\"T\"HH24:MI:SSOF:00')"
    )
    words = ("--tenant", mailbox.slug, "--type", "newsletter", "--evidence", "asked", "--consented-at", now)
    code, out, err = await asyncio.to_thread(
        run, "suppression", "resubscribe", "kim@example.com", *words, "--json"
    )
    assert code == 0, err
    assert json.loads(out)["may_be_mailed"]
    [again] = await mailbox.send("newsletter", ["kim@example.com"])
    assert again["state"] == "queued"


async def test_a_tenants_links_have_its_own_host_name_and_an_apps_own_link_stays(
    mailbox: Mailbox, run: Run
) -> None:
    host = f"links.{mailbox.slug}.example"
    code, out, err = await asyncio.to_thread(
        run, "tenant", "unsubscribe-host", mailbox.slug, host, "--because", "own", "--json"
    )
    assert (code, json.loads(out or "{}").get("host")) == (0, host), err
    await mailbox.send("newsletter", ["kim@example.com"])
    assert link_of(await mailbox.arrived("kim@example.com")).startswith(f"https://{host}/u/")
    isolation = json.loads((await asyncio.to_thread(run, "isolation", mailbox.slug, "--json"))[1])
    shown = {one["type"]: {d["name"]: d["value"] for d in one["dimensions"]} for one in isolation["items"]}
    assert shown["newsletter"]["links"] == f"https://{host}"
    both = (mailbox.slug, host, "--shared", "--because", "x")
    assert (await asyncio.to_thread(run, "tenant", "unsubscribe-host", *both))[0] == 2
    own = {
        "List-Unsubscribe": "<https://acme.example/u/1>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    await mailbox.send("newsletter", ["lee@example.com"], headers=own, html="<p>{{unsubscribe_url}}</p>")
    found = await mailbox.arrived("lee@example.com")
    assert found.headers["List-Unsubscribe"] == "<https://acme.example/u/1>"
    assert f"<p>https://{host}/u/" in found.bodies["Html"]
