"""The whole system before a world of mailbox providers and people: its records are compared with what became of each mail.

Three tenants send through the API: one to a bought list, one to its members, one receipts. SES's clock moves on by days. Then the
records of every mail have to say what the ground truth says, no more and no less.
"""

import asyncio
import contextlib
import secrets
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mailcordon.adapters.ses.event_values import LONGEST_TEXT
from mailcordon.core.event import Kind
from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic
from seslocal.world.addresses import Addresses
from seslocal.world.envelope import Envelope
from seslocal.world.providers import provider_of
from seslocal.world.reply import Reply
from seslocal.world.settings import ListRule, WorldSettings
from seslocal.world.verdict import Verdict
from seslocal.world.world import World

HOUR = 3600
#: SES's queues keep messages for four days, so events are read between the moves.
MOVES = (HOUR, 17 * HOUR, 72 * HOUR)
QUALITIES = {"spring": "bought", "members": "opted-in", "orders": "transactional"}
TYPES = {"spring": "newsletter", "members": "newsletter", "orders": "receipt"}
SETTINGS = {
    "seed": 16,
    "lists": [{"name": name, "quality": quality} for name, quality in QUALITIES.items()],
    # Yahoo defers much for half an hour, and GMX all mail for longer than anybody tries.
    "weather": [
        {"provider": "yahoo", "start": 0, "seconds": 1500, "defers": 0.4},
        {"provider": "gmx", "start": 0, "seconds": 60_000, "defers": 1},
    ],
}
GONE = (
    "no_mailbox",
    "moved",
    "disabled",
    "no_host",
)  #: the address is; else the sender or this mail is refused
#: What a bounce's words may be read as, by the cause that the world knows.
READ_AS = {
    "no_mailbox": {"user_unknown", "mailbox_disabled"},
    "moved": {"user_unknown", "mailbox_disabled"},
    "disabled": {"user_unknown", "mailbox_disabled"},
    "full": {"mailbox_full"},
    "weather": {"network", "remote_error"},
}
OPENS = (Kind.OPEN, Kind.MACHINE_OPEN)
CLICKS = (Kind.CLICK, Kind.MACHINE_CLICK)
NAMED = ("gmail", "microsoft", "yahoo", "apple", "gmx")  #: the providers that both sides have
NONE: frozenset[str] = frozenset()
#: What this test is about; without one of these it would prove less than it says.
EVERYTHING = {
    *(
        "inbox",
        "spam",
        "refused",
        "returned",
        "expired",
        "accepted after a deferral",
        "open",
        "click",
        "unsubscribe",
    ),
    *("known complaint", "complaint that Gmail keeps to itself"),
}


@dataclass(frozen=True)
class Record:
    """What became of one mail."""

    state: str
    provider: str
    words: tuple[str, ...]  #: what receiving hosts said, sorted
    deferrals: int
    opens: int
    clicks: int
    complained: bool
    suppressed: frozenset[str]  #: causes for which the address gets no more of this mail


@dataclass(frozen=True)
class Mail:
    """Both sides of one mail."""

    address: str
    truth: Any
    found: Record
    reason: str | None  #: of its bounce


def people_who(deed: str, domain: str, count: int) -> list[str]:
    """Addresses of the bought list whose people do this with a mail in their inbox."""
    lists = (ListRule(name="spring", quality="bought"),)
    world = World(WorldSettings(seed=16, lists=lists), 0.0)
    verdict = Verdict(kind="inbox", provider=provider_of(f"a@{domain}"))

    def found() -> Iterator[str]:
        for number in range(1000, 9000):
            address = f"spring.{number:06d}@{domain}"
            envelope = Envelope(
                key=address, recipient=address, from_domain="a.example", signed_by="a.example", spf=True, aligned=True,
                mail_from="a.example", pool="shared", ip="192.0.2.1", bulk=True, one_click=True,
            )  # fmt: skip
            if any(one.deed == deed for one in world.react(envelope, verdict, 0.0)):
                yield address

    return [address for address, _ in zip(found(), range(count), strict=False)]


def lists() -> dict[str, list[str]]:
    made = Addresses("consumers")
    found = {name: [made.address(name, number) for number in range(100)] for name in QUALITIES}
    found["spring"] += [f"spring.{number:06d}@acme.exchange.example" for number in range(300, 350)]
    for domain in ("gmail.com", "yahoo.com", "outlook.com"):
        found["spring"] += people_who("complaint", domain, 3)
    found["spring"] += people_who("unsubscribe", "gmail.com", 3)
    return found


@pytest.fixture(scope="module")
def system(short_home: Callable[[], contextlib.AbstractContextManager[Path]]) -> Iterator[systems.System]:
    """One of its own: days pass in it, and a bought list opens incidents."""
    with short_home() as home, systems.in_world(home, SETTINGS) as running:
        yield running


async def together(calls: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """Results of these calls, eight at a time, in their order."""
    gate = asyncio.Semaphore(traffic.CALLERS)

    async def one(call: Callable[[], Awaitable[Any]]) -> Any:
        async with gate:
            return await call()

    return await asyncio.gather(*map(one, calls))


class Fleet:
    """The tenants, their mail, and both sides of it."""

    def __init__(self, mail: Traffic) -> None:
        self.mail = mail
        suffix = secrets.token_hex(3)
        self.slugs = {name: f"{name}-{suffix}" for name in QUALITIES}
        self.messages: list[str] = []

    async def send(self) -> None:
        starts = [
            (name, addresses[start : start + 25])
            for name, addresses in lists().items()
            for start in range(0, len(addresses), 25)
        ]
        said = await together([partial(self.put, *each) for each in starts])
        self.messages = [one["id"] for one in said]
        await self.mail.all_final(*self.slugs.values())

    async def put(self, name: str, addresses: list[str]) -> Any:
        body = {
            "tenant": self.slugs[name],
            "type": TYPES[name],
            "from": f"a@{traffic.domain(self.slugs[name], TYPES[name])}",
            # All chance depends on this key, so people, answers and reactions are the same in every run.
            "to": [{"address": one, "headers": {"X-Seslocal-Key": one}} for one in addresses],
            "subject": "News",
            "html": '<p>See <a href="https://acme.example/offers">our offers</a>.</p>',
        }
        status, said = await self.mail.call("POST", "/v1/messages", body)
        assert status == 202, said
        return said

    async def truths(self) -> list[Any]:
        """Of each mail, with its attempts and the reactions to it."""
        ids: dict[str, None] = {}
        after = ""
        while after is not None:
            page = await self.mail.ses("GET", f"/world/mails?limit=1000{after and f'&after={after}'}")
            ids |= dict.fromkeys(one["message_id"] for one in page["mails"])
            after = page["next"]
        calls = [partial(self.mail.ses, "GET", f"/world/mails/{id}") for id in ids]
        return [one for mail in await together(calls) for one in mail["recipients"]]

    async def events(self) -> list[Any]:
        return await self.mail.db.fetch(
            "select e.ses_id, e.kind, e.detail::json ->> 'text' as text from event e join tenant t on t.id = e.tenant"
            " where t.slug = any ($1::text[]) union all"  # Send events without a row
            " select o.ses_id, 0, null from outcome o join tenant t on t.id = o.tenant"
            " where t.slug = any ($1) and o.send_at is not null",
            list(self.slugs.values()),
        )

    async def suppressed(self) -> dict[tuple[str, str], frozenset[str]]:
        """By tenant and address the causes."""
        found: dict[tuple[str, str], frozenset[str]] = {}
        rows = await self.mail.db.fetch(
            "select t.slug, s.address, s.cause, s.until from suppression s join tenant t on t.id = s.tenant"
            " where t.slug = any ($1::text[])",
            list(self.slugs.values()),
        )
        for row in rows:
            assert row["until"] is None
            key = (row["slug"], row["address"])
            found[key] = found.get(key, NONE) | {row["cause"]}
        return found

    async def compared(self, truths: list[Any]) -> list[Mail]:
        """Both sides of each mail. Every mail of one side is on the other."""
        events: defaultdict[str, list[Any]] = defaultdict(list)
        for event in await self.events():
            events[event["ses_id"]].append(event)
        suppressed = await self.suppressed()
        calls = [partial(self.mail.call, "GET", f"/v1/messages/{id}") for id in self.messages]
        ours = {
            delivery["ses_id"]: (message["tenant"], delivery)
            for _, message in await together(calls)
            for delivery in message["deliveries"]
        }
        assert ours.keys() == {truth["message_id"] for truth in truths}
        assert events.keys() == ours.keys()
        assert len(truths) == len(ours) == sum(map(len, lists().values()))
        mails: list[Mail] = []
        for truth in truths:
            slug, delivery = ours[truth["message_id"]]
            assert delivery["to"] == truth["recipient"]
            causes = suppressed.pop((slug, delivery["to"]), NONE)
            found = recorded(delivery, events[delivery["ses_id"]], causes)
            mails.append(
                Mail(delivery["to"], truth, found, delivery["bounce"] and delivery["bounce"]["reason"])
            )
        assert not suppressed
        return mails


def recorded(delivery: Any, events: list[Any], causes: frozenset[str]) -> Record:
    """What Mailcordon's API and tables say of a mail."""
    kinds = Counter(Kind(event["kind"]) for event in events)
    assert kinds[Kind.SEND] == 1
    spoke = (Kind.DELAY, Kind.DELIVERY, Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE)
    return Record(
        state=delivery["state"],
        provider=delivery["provider"],
        words=tuple(sorted(event["text"] for event in events if Kind(event["kind"]) in spoke)),
        deferrals=kinds[Kind.DELAY],
        opens=sum(kinds[kind] for kind in OPENS),
        clicks=sum(kinds[kind] for kind in CLICKS),
        complained=kinds[Kind.COMPLAINT] > 0,
        suppressed=causes,
    )


def expected(truth: Any, *, now: float) -> Record:
    """What a sender can know of what really became of a mail."""
    tracked = truth["envelope"]["bulk"]
    done = [one for one in truth["reactions"] if one["done"]]
    told = any(
        one["deed"] == "complaint"
        and one["reported"] is not None
        and one["at"] - one["after"] + max(one["after"], one["reported"]) <= now
        for one in done
    )
    return Record(
        state=state_of(truth, told=told),
        provider=truth["provider"] if truth["provider"] in NAMED else "other",
        words=words_of(truth),
        deferrals=sum(one["kind"] == "defer" for one in truth["attempts"]),
        # Nobody fetches a picture without an agent.
        opens=tracked * sum(one["deed"] in ("open", "machine_open") and one["agent"] != "" for one in done),
        clicks=tracked * sum(one["deed"] in ("click", "machine_click") for one in done),
        complained=told,
        suppressed=frozenset(
            cause
            for cause, so in (
                ("hard-bounce", truth["ended"] in ("refused", "returned") and truth["cause"] in GONE),
                ("complaint", told),
                ("unsubscribe", any(one["deed"] == "unsubscribe" for one in done)),
            )
            if so
        ),
    )


def state_of(truth: Any, *, told: bool) -> str:
    match truth["ended"]:
        case "inbox" | "spam":
            return "complained" if told else "delivered"
        case "refused" | "returned" if truth["cause"] in GONE:
            return "bounced"
        case "returned":
            return (
                "delivered"  # the rank of states: a soft bounce after a delivery is seen in the bounce only
            )
        case _:
            return "soft-bounced"


def words_of(truth: Any) -> tuple[str, ...]:
    words = [
        one["said"] if one["kind"] in ("inbox", "spam") else f"smtp; {one['said']}"
        for one in truth["attempts"]
    ]
    last = truth["attempts"][-1]
    if truth["ended"] == "returned":
        words.append(f"smtp; {Reply(**last['bounce']).spoken()}")
    if truth["ended"] == "expired":
        minutes = 840 if truth["envelope"]["bulk"] else 240
        words.append(
            f"smtp; 550 4.4.7 Message expired: unable to deliver in {minutes} minutes.<{last['said']}>"
        )
    return tuple(sorted(one[:LONGEST_TEXT] for one in words))


async def test_the_records_of_every_mail_say_what_became_of_it(mail: Traffic) -> None:
    fleet = Fleet(mail)
    await mail.onboard({slug: [TYPES[name]] for name, slug in fleet.slugs.items()})
    await mail.ses("PUT", "/account", {"behaviour": {"world_unsubscribes": True}})
    await fleet.send()
    truths: list[Any] = []
    now = 0.0
    for move in MOVES:
        await mail.ses("PUT", "/clock", {"advance": move, "frozen": True})
        now = (await mail.ses("GET", "/clock"))["now"]
        truths = await fleet.truths()
        await read(fleet, truths, now)
    mails = await fleet.compared(truths)
    wrong = [(one.found, due) for one in mails if one.found != (due := expected(one.truth, now=now))]
    assert not wrong, wrong[:3]
    assert not [one for one in mails if not is_read_right(one)]
    assert happened(mails) >= EVERYTHING
    await counts_agree(fleet)
    # What the world taught is heeded: no address that is gone, complained or unsubscribed is mailed again.
    closed = [one.address for one in mails if one.found.suppressed and one.address.startswith("spring")][:50]
    again = await fleet.put("spring", closed)
    assert {one["state"] for one in again["deliveries"]} == {"refused"}


async def read(fleet: Fleet, truths: list[Any], now: float) -> None:
    """Waits until all events that the truth implies have been stored. What is missing or too much shows in the comparison."""
    due = [expected(one, now=now) for one in truths]
    number = sum(1 + len(one.words) + one.opens + one.clicks + one.complained for one in due)
    causes = sum(len(one.suppressed) for one in due)

    async def stored() -> bool:
        found = await fleet.suppressed()
        return len(await fleet.events()) >= number and sum(map(len, found.values())) >= causes

    with contextlib.suppress(AssertionError):
        await fleet.mail.until(stored, "all events are stored", patience=20)


def is_read_right(mail: Mail) -> bool:
    """Whether the bounce's reason is one that its words may mean."""
    if mail.truth["ended"] not in ("refused", "returned", "expired"):
        return mail.reason is None
    return mail.reason in READ_AS.get(mail.truth["cause"], {mail.reason})


def happened(mails: list[Mail]) -> set[str]:
    """Of all that a world may do, what this one did."""
    found = {mail.truth["ended"] for mail in mails}
    for mail in mails:
        truth, record = mail.truth, mail.found
        complained = any(one["deed"] == "complaint" and one["done"] for one in truth["reactions"])
        found |= {
            name
            for name, so in (
                ("accepted after a deferral", record.deferrals and record.state == "delivered"),
                ("known complaint", complained and record.complained),
                ("complaint that Gmail keeps to itself", complained and truth["provider"] == "gmail"),
                ("unsubscribe", "unsubscribe" in record.suppressed),
                ("open", record.opens),
                ("click", record.clicks),
            )
            if so
        }
    return found


async def counts_agree(fleet: Fleet) -> None:
    """The metrics of each tenant are the sums of the ground truth."""
    rows = (await fleet.mail.ses("GET", "/world/tables?by=domain"))["rows"]
    sums = {row["domain"]: row for row in rows}
    for name, slug in fleet.slugs.items():
        truth = sums[traffic.domain(slug, TYPES[name])]
        due = {
            "sent": truth["mails"],
            "delivered": truth["accepted"],
            "complained": truth["complaints_known"],
            "delayed": truth["deferred"],
        }

        async def counted(slug: str = slug, due: dict[str, int] = due) -> bool:
            _, said = await fleet.mail.call("GET", f"/v1/metrics?tenant={slug}")
            return [{name: item[name] for name in due} for item in said["items"]] == [due]

        await fleet.mail.until(counted, f"the metrics of {slug} say {due}", patience=20)
