"""A few tenants move from a shared path to their own in real processes, days at a time, before mailbox providers that remember.

`./dev crash migration` runs it, minutes long; the suite does not. Two tenants move, one stays, and a fourth mails bought lists
from the shared path from the second day on. Its breaker only watches, so that what it does to the others is not cut short. Each
day a person asks the rollouts for their next share; gates and checklist decide. Judged by what became of each mail.
"""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mailcordon_fixtures import moving, systems, traffic
from mailcordon_fixtures.moving import done
from mailcordon_fixtures.traffic import Traffic
from seslocal.world.addresses import Addresses

TYPE, PLATFORM = "newsletter", "platform"
MOVERS, STAYS, BAD = ("north", "south"), "stays", "bought"
READERS = {**dict.fromkeys(MOVERS, 900), STAYS: 300, BAD: 500}  #: of a day's mailing
DAYS, BAD_FROM, MOVES_FROM = 8, 1, 2
HOUR, DAY_MS = 3600, 86_400_000
#: What a tenant may lose to the move, as stated in docs/migration.md.
INBOX_MARGIN, DELIVERED_MARGIN = 0.06, 0.01
WORLD = {
    "seed": 18,
    "lists": [{"name": name, "quality": "bought" if name == BAD else "opted-in"} for name in READERS],
    "cold": [traffic.domain(slug, TYPE) for slug in READERS],
}


class Shares(NamedTuple):
    mails: int
    inbox: float
    delivered: float

    def __str__(self) -> str:
        return f"{self.mails:5} mails, inbox {self.inbox:6.1%}, delivered {self.delivered:6.1%}"


@pytest.fixture(scope="module")
def system(short_home: Callable[[], contextlib.AbstractContextManager[Path]]) -> Iterator[systems.System]:
    with short_home() as home, systems.in_world(home, WORLD) as running:
        yield running


@pytest.fixture
async def mail(system: systems.System) -> AsyncIterator[Traffic]:
    async with traffic.on(system) as mail:
        yield mail


class Days:
    def __init__(self, mail: Traffic) -> None:
        self.mail = mail
        self.day = 0
        self.urls: dict[str, str] = {}
        self.became: dict[str, tuple[str, int, str]] = {}  #: by SES's id: tenant, day, From domain

    async def onboard(self) -> None:
        mail = self.mail
        await mail.db.execute(
            "update policy_version set document = document || $1::jsonb",
            json.dumps({"tenants": {BAD: {"breaker": {"mode": "observe"}}}}),
        )
        await mail.account(rate=10_000, quota=-1)
        await mail.onboard(dict.fromkeys(READERS, (TYPE,)))
        for slug in READERS:
            domain = traffic.domain(slug, TYPE)
            await mail.ses("POST", f"/identities/{domain}/publish", {})
            await mail.ses("PUT", f"/dns/_dmarc.{domain}", {"type": "TXT", "value": "v=DMARC1; p=none"})
        await moving.onto_two_paths(mail, list(READERS), TYPE, PLATFORM)

    async def send(self) -> None:
        tenants = [slug for slug in READERS if slug != BAD or self.day >= BAD_FROM]
        calls = [
            partial(self._put, slug, to[start : start + traffic.MOST_RECIPIENTS])
            for slug in tenants
            for to in (self._readers(slug),)
            for start in range(0, len(to), traffic.MOST_RECIPIENTS)
        ]
        gate = asyncio.Semaphore(traffic.CALLERS)

        async def one(call: Callable[[], Any]) -> None:
            async with gate:
                await call()

        await asyncio.gather(*map(one, calls))
        await self.mail.all_final(*READERS)
        for sent in await self.mail.sent():
            slug = str(sent["recipients"][0]).partition(".")[0]
            domain = str(sent["from"]).rpartition("@")[2].rstrip(">")
            self.became.setdefault(sent["message_id"], (slug, self.day, domain))

    def _readers(self, slug: str) -> list[str]:
        """The same every day; of the bought list others."""
        first = self.day * READERS[slug] if slug == BAD else 0
        made = Addresses("consumers")
        return [made.address(slug, first + number) for number in range(READERS[slug])]

    async def _put(self, slug: str, to: Sequence[str]) -> None:
        campaign = f"day-{self.day}"
        body = {
            "tenant": slug,
            "type": TYPE,
            "from": f"a@{traffic.domain(slug, TYPE)}",
            # All chance depends on this key, so the providers and people are the same in every run.
            "to": [
                {
                    "address": one,
                    "headers": {
                        "List-Unsubscribe": f"<https://acme.example/u/{one}>",
                        "X-Seslocal-Key": f"{campaign} {one}",
                    },
                }
                for one in to
            ],
            "headers": traffic.ONE_CLICK,
            "subject": campaign,
            "html": '<p>See <a href="https://acme.example/offers">our offers</a>.</p>',
            "campaign": campaign,
            "individually": True,
        }
        status, said = await self.mail.call("POST", "/v1/messages", body)
        assert status == 202, said

    async def night(self) -> None:
        """The rest of the day passes at SES, its events are read, and then the day is over here too."""
        self.day += 1
        for hours in (2, 6, 16):
            await self.mail.ses("PUT", "/clock", {"advance": hours * HOUR, "frozen": True})
            await self._quiet()
        await self.mail.shift_clock(self.day * DAY_MS)
        await self.mail.reconnect()

        async def answers() -> bool:
            return (await self.mail.call("GET", "/v1/status"))[0] == 200

        await self.mail.until(answers, "the API has its database again")

    async def _quiet(self) -> None:
        """Until no more events come."""
        before = -1
        while (now := await self.mail.db.fetchval("select count(*) from event")) != before:
            before = now
            await asyncio.sleep(3)

    async def begin(self) -> None:
        for slug in MOVERS:
            await done(self.mail, "POST", f"/v1/identities/{traffic.domain(slug, TYPE)}/check")
            asked = {
                "tenant": slug,
                "types": [TYPE],
                "shares": [50, 100],
                "pace": 0.5,
                "because": "a bad neighbour",
            }
            self.urls[slug] = f"/v1/rollouts/{(await done(self.mail, 'POST', '/v1/rollouts', asked))['id']}"
        await done(self.mail, "POST", "/v1/suppression-split", {"owner": "ops", "because": "tenants move"})

    async def ask(self, slug: str) -> str:
        """For the next share. What this run has no use for is let pass: a proof, an alert channel, and an enforced warm-up."""
        let_pass = [f"proved:{slug}/{TYPE}", f"alerts:{slug}", f"limits:{slug}/{TYPE}:enforced"]
        url = self.urls[slug]
        _, said = await self.mail.call("POST", f"{url}/advance", {"because": "daily", "overrides": let_pass})
        now = await done(self.mail, "GET", url)
        return f"{slug}: {now['state']} at {now['share']} %. {said.get('detail') or now['sentence']}"

    async def shares(self) -> dict[tuple[str, int, str], Shares]:
        """By tenant, day and From domain, what became of the mail at the providers."""
        ends: defaultdict[tuple[str, int, str], list[str]] = defaultdict(list)
        after = ""
        while after is not None:
            page = await self.mail.ses("GET", f"/world/mails?limit=1000{after and f'&after={after}'}")
            for one in page["mails"]:
                if (place := self.became.get(one["message_id"])) is not None:
                    ends[place].append(one["ended"])
            after = page["next"]
        return {
            place: Shares(
                len(of),
                of.count("inbox") / len(of),
                (of.count("inbox") + of.count("spam")) / len(of),
            )
            for place, of in sorted(ends.items())
        }


@pytest.mark.crash
@pytest.mark.timeout(3600)
async def test_migration_of_a_few_tenants_beside_one_that_mails_bought_lists(mail: Traffic) -> None:
    days = Days(mail)
    await days.onboard()
    for day in range(DAYS):
        if day == MOVES_FROM:
            await days.begin()
        if day >= MOVES_FROM:
            for slug in MOVERS:
                print(f"day {day}: {await days.ask(slug)}", flush=True)
        await days.send()
        await days.night()
    found = await days.shares()
    for place, shares in found.items():
        print(*place, shares)

    def of(slug: str, since: int, until: int, domain: str) -> Shares:
        chosen = [
            one
            for (name, day, left_from), one in found.items()
            if name == slug and since <= day < until and left_from == domain
        ]
        mails = sum(one.mails for one in chosen)
        return Shares(
            mails,
            sum(one.inbox * one.mails for one in chosen) / mails,
            sum(one.delivered * one.mails for one in chosen) / mails,
        )

    shared = f"mail.{PLATFORM}.example"
    alone, beside = of(STAYS, 0, BAD_FROM, shared), of(STAYS, DAYS - 2, DAYS, shared)
    print(f"{STAYS}: before {alone}; in the end {beside}")
    assert alone.inbox - beside.inbox > INBOX_MARGIN, (
        "the bad sender harmed nobody: this run would show nothing"
    )
    states: list[str] = []
    for slug in MOVERS:
        state = await done(mail, "GET", days.urls[slug])
        states.append(state["state"])
        before, after = of(slug, 0, BAD_FROM, shared), of(slug, DAYS - 2, DAYS, traffic.domain(slug, TYPE))
        print(f"{slug}: before {before}; in the end on its own path {after}")
        assert state["backs"] == 0, state["steps"]
        assert before.inbox - after.inbox <= INBOX_MARGIN
        assert before.delivered - after.delivered <= DELIVERED_MARGIN
    # A gate may wait for more mail than these days have, of one of them.
    assert "standing" in states
