"""Senders for tests of the world: mail of one domain to one list, spread over hours of a day, and what became of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, Final

from seslocal.world.envelope import Envelope
from seslocal.world.play import Play
from seslocal.world.reaction import Reaction
from seslocal.world.settings import ListRule, WorldSettings
from seslocal.world.verdict import Verdict
from seslocal.world.world import World

DAY: Final = 86_400.0
START: Final = 20_000 * DAY
HOSTS: Final = {
    "gmail": "gmail.com",
    "microsoft": "outlook.com",
    "yahoo": "yahoo.com",
    "apple": "icloud.com",
    "gmx": "gmx.de",
    "telco": "telco.example",
    "gateways": "acme.mimecast.example",
    "small": "small.example",
}
LISTS: Final = (
    ListRule(name="good"),
    ListRule(name="stale", quality="stale"),
    ListRule(name="bought", quality="bought"),
    ListRule(name="codes", quality="transactional"),
)


def letter(key: str, recipient: str, domain: str = "a.example", **other: Any) -> Envelope:
    """A newsletter that is set up well."""
    return Envelope(
        **{
            "key": key,
            "recipient": recipient,
            "from_domain": domain,
            "signed_by": domain,
            "spf": True,
            "aligned": True,
            "mail_from": "bounces." + domain,
            "pool": "shared",
            "ip": "192.0.2.1",
            "content": domain,
            "bulk": True,
            "one_click": True,
            **other,
        }
    )


def plain(key: str, recipient: str, **other: Any) -> Envelope:
    """A mail of shop.example from SES's shared pool, with nothing to unsubscribe from."""
    return Envelope(
        **{
            "key": key,
            "recipient": recipient,
            "from_domain": "shop.example",
            "signed_by": "shop.example",
            "spf": True,
            "aligned": True,
            "mail_from": "bounce.shop.example",
            "pool": "shared",
            "ip": "192.0.2.25",
            **other,
        }
    )


def settings(seed: int = 7, **other: Any) -> WorldSettings:
    return WorldSettings(seed=seed, lists=LISTS, **other)


class Senders:
    """Plays mail and counts what becomes of it: `days[day, domain]`."""

    def __init__(self, **other: Any) -> None:
        self.world = World(settings(**other), START)
        self.play = Play(self.world, self._told)
        self.days: defaultdict[tuple[int, str], Counter[str]] = defaultdict(Counter)
        self.verdicts: defaultdict[str, list[tuple[float, str, Verdict]]] = defaultdict(list)

    def send(
        self,
        number: int,
        kind: str,
        provider: str,
        day: int,
        domain: str = "a.example",
        *,
        hours: tuple[float, float] = (8, 18),
        **other: Any,
    ) -> None:
        """`number` mails between two hours of the day to the list `kind`; each day to the same people."""
        first, last = hours
        for one in range(number):
            at = START + day * DAY + 3600 * (first + (last - first) * one / number)
            recipient = f"{kind}.{one:06d}@{HOSTS[provider]}"
            self.play.submit(letter(f"{domain} {kind} {day} {one}", recipient, domain, **other), at)

    def end(self, day: int, hour: float = 0) -> None:
        """Plays until this time."""
        self.play.run_until(START + day * DAY + hour * 3600)
        self.world.move(START + day * DAY + hour * 3600)

    def inbox(self, day: int, domain: str = "a.example") -> float:
        """Share of that day's accepted mail."""
        found = self.days[day, domain]
        return found["inbox"] / max(1, found["inbox"] + found["spam"])

    def _told(self, at: float, what: str, envelope: Envelope, found: Verdict | Reaction | None) -> None:
        if isinstance(found, Verdict) and what == "attempt":
            counts = self.days[int((at - START) // DAY), envelope.domain]
            counts[found.kind if found.returned is None else "returned"] += 1
            counts[found.cause] += 1
            self.verdicts[envelope.domain].append((at, envelope.key, found))
