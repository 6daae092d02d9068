"""Three tenants in a world of mailbox providers and people: one mails a bought list, and the breaker holds that list alone.

Real processes decide and hold: what is asserted here is what SES was called with, and what people read.
"""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailcordon_fixtures import systems
from mailcordon_fixtures.traffic import Traffic
from seslocal.world.addresses import Addresses

SETTINGS = {
    "seed": 17,
    "lists": [
        {"name": "import-7", "quality": "bought"},
        {"name": "members", "quality": "opted-in"},
        {"name": "orders", "quality": "transactional"},
    ],
}
NEWS = "newsletter"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def system(short_home: Callable[[], contextlib.AbstractContextManager[Path]]) -> Iterator[systems.System]:
    """One of its own: its bounces open incidents, and count for the whole account."""
    with short_home() as home, systems.in_world(home, SETTINGS) as running:
        yield running


class Fleet:
    def __init__(self, mail: Traffic) -> None:
        self.mail = mail
        run = secrets.token_hex(3)
        self.bad, self.good, self.third = (f"{name}-{run}" for name in ("acme", "zen", "kiosk"))

    async def onboard(self, run: Run) -> None:
        await self.mail.onboard({self.bad: [NEWS, "receipt"], self.good: [NEWS], self.third: ["receipt"]})
        for slug in (self.bad, self.good, self.third):
            code, out, err = await asyncio.to_thread(run, "prove", slug)
            assert code == 0, (out, err)

    async def put(self, slug: str, type: str, list_name: str, start: int, count: int) -> None:
        made = Addresses("consumers")
        people = [made.address(list_name, number) for number in range(start, start + count)]
        for place in range(0, count, 25):
            name = list_name if type == NEWS else None
            id = await self.mail.put(slug, type, people[place : place + 25], list_name=name)
            assert id is not None, self.mail.refused

    async def left(self, slug: str, type: str) -> int:
        """Mails of a lane that have left."""
        return await self.mail.db.fetchval(
            "select count(*) from ledger g join lane l on l.id = g.lane join tenant t on t.id = l.tenant"
            " join message_type y on y.id = l.type where t.slug = $1 and y.name = $2 and g.called_at is not null",
            slug,
            type,
        )

    async def receipts_left(self, count: int) -> bool:
        """Of the tenant with the bought list."""
        return await self.left(self.bad, "receipt") == count

    async def holds(self) -> list[tuple[Any, ...]]:
        rows = await self.mail.db.fetch(
            "select t.slug, h.list, h.stops, h.id from hold h join tenant t on t.id = h.tenant"
            " where h.owner = 'breaker' and h.lifted_at is null order by h.id"
        )
        return [tuple(row) for row in rows]


async def test_a_bought_list_is_held_within_seconds_nobody_else_is_touched_and_it_comes_back(
    mail: Traffic, run: Run
) -> None:
    fleet = Fleet(mail)
    await fleet.onboard(run)
    # Enough good mail that SES, which looks at the tenant as a whole, does not pause it.
    await fleet.put(fleet.bad, NEWS, "members", 200, 100)
    await fleet.put(fleet.good, NEWS, "members", 0, 50)
    await fleet.put(fleet.third, "receipt", "orders", 0, 50)
    await mail.all_final(fleet.bad)
    await fleet.put(fleet.bad, NEWS, "import-7", 0, 50)

    async def held() -> Any:
        return next((one for one in await fleet.holds() if one[1] == "import-7"), None)

    slug, _, stops, hold = await mail.until(held, "the list is held")
    assert (slug, stops) == (fleet.bad, True)
    assert {one[0] for one in await fleet.holds()} == {fleet.bad}

    # Dispatchers read a hold within a moment of its commit, and have sent something else by then.
    await fleet.put(fleet.bad, "receipt", "orders", 50, 5)
    await mail.until(lambda: fleet.receipts_left(5), "receipts have left")
    # What follows of the list waits; the tenant's other mail and everybody else's leaves.
    gone = await fleet.left(fleet.bad, NEWS)
    await fleet.put(fleet.bad, NEWS, "import-7", 50, 25)
    await fleet.put(fleet.bad, "receipt", "orders", 55, 20)
    await fleet.put(fleet.good, NEWS, "members", 100, 25)
    await mail.all_final(fleet.good, fleet.third)
    await mail.until(lambda: fleet.receipts_left(25), "all receipts have left")

    async def rest_is_held() -> bool:
        return await mail.count("waiting", fleet.bad, "hold is not null") == 175 - gone

    await mail.until(rest_is_held, "all that follows of the list waits for the hold's end")
    assert await fleet.left(fleet.bad, NEWS) == gone
    seen = await asyncio.to_thread(read_by_people, run, fleet, hold)
    assert seen["level"] == "cordon"
    assert seen["part"] == "list:import-7"
    assert seen["sharers"] == []
    await is_one_incident(fleet, seen)

    # The way back: a person accepts it, and what waited leaves.
    code, out, err = await asyncio.to_thread(
        run, "breaker", "accept", str(seen["id"]), "--because", "they opted in"
    )
    assert code == 0, err
    assert "its mail leaves within seconds" in out

    async def over() -> bool:
        return await fleet.holds() == [] and await fleet.left(fleet.bad, NEWS) == 175

    await mail.until(over, "the hold is lifted and the mail has left")


def read_by_people(run: Run, fleet: Fleet, hold: int) -> dict[str, Any]:
    """What the command line says of it."""
    found = json.loads(run("breaker", "list", "--tenant", fleet.bad, "--json")[1])["items"]
    (one,) = [each for each in found if each["hold"] == hold]
    assert "hard bounces of" in one["seen"]
    assert " % of what is too much comes from list import-7 (" in one["seen"]
    assert one["done"].startswith(f"Held: list import-7 of {fleet.bad}/{NEWS}; ")
    assert one["touched"] == "Nobody else's mail is held, and nobody shares its domain or pool."
    shown = run("breaker", "show", str(one["id"]))[1]
    assert "Undo: mailcordon breaker accept" in " ".join(shown.split())
    assert "breaker" in run("holds", "list", "--tenant", fleet.bad, "--open")[1]
    return one


async def is_one_incident(fleet: Fleet, seen: dict[str, Any]) -> None:
    """The alarm about the rate and the breaker's decision about the list have one cause."""

    async def mitigated() -> Any:
        return await fleet.mail.db.fetch(
            "select i.cause, i.culprit, i.sentence, i.command, i.mitigated_at - i.since as took from incident i"
            " join tenant t on t.id = i.tenant where t.slug = $1 and i.mitigated_at is not null"
            " and i.cause like '%/list:import-7'",
            fleet.bad,
        )

    (row,) = await fleet.mail.until(mitigated, "the incident is mitigated")
    assert row["culprit"].startswith(f"list import-7 of {fleet.bad}/{NEWS}")
    assert row["command"].startswith("mailcordon cancel ")
    assert row["command"].endswith(' --type newsletter --list import-7 --because "..."')
    assert row["took"] >= 0
