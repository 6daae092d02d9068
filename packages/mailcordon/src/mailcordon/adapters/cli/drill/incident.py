"""`mailcordon drill --incident`: a bought list, played live before a world of mailbox providers and people.

Three new tenants mail their members and send resets. Then one of them mails a list that it bought, a few addresses every half
second, as an app does. A fifth of those addresses does not exist: the breaker has to hold the list, and nothing else, while the
others' mail and everybody's resets leave. At the end the world plays all mail again without the culprit, and says who lost what.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mailcordon.adapters.cli import duration
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.commands import why
from mailcordon.adapters.cli.document import Document, children
from mailcordon.adapters.cli.drill import onboarding
from mailcordon.adapters.cli.drill.checks import NEWS, RESET, Checks, Sender, Wrong
from mailcordon.adapters.cli.drill.steps import Result, Step, in_turn
from mailcordon.adapters.cli.text import plain
from mailcordon.messages import drill_incident as messages
from mailcordon.messages import phrases

LIST, MEMBERS, USERS = "bought", "members", "users"
ADDRESSES = 360  #: of the bought list
TOGETHER = 15  #: recipients of a request with mail to the list
EVERY = 0.5  #: seconds between two of these
MOST = 50  #: recipients of any other request
#: Members that a tenant mails each time. With much fewer, SES itself would pause the tenant for its share of bounces.
PEOPLE = 150
RESETS = 10  #: that a tenant sends each time
PATIENCE = 30.0  #: seconds; SES's simulator and the loops of control take a few
#: For `mailcordon up --world`.
WORLD: Document = {
    "seed": 17,
    "lists": [
        {"name": LIST, "quality": "bought"},
        {"name": MEMBERS, "quality": "opted-in"},
        {"name": USERS, "quality": "transactional"},
    ],
}
_DOMAINS = (
    "gmail.com",
    "outlook.com",
    "gmail.com",
    "yahoo.com",
    "gmail.com",
    "outlook.com",
    "gmx.de",
    "icloud.com",
)


def addresses(list_name: str, first: int, count: int) -> list[str]:
    """Of people of the world. What they and their providers do follows from the address."""
    return [
        f"{list_name}.{number:06d}@{_DOMAINS[number % len(_DOMAINS)]}"
        for number in range(first, first + count)
    ]


@dataclass(slots=True)
class Incident:
    checks: Checks
    senders: list[Sender] = field(default_factory=list[Sender])
    decision: Document = field(default_factory=dict[str, object])  #: that holds the list
    decisions: list[Document] = field(default_factory=list[Document])  #: all about these tenants that last
    handed_in: int = 0  #: mails of the list
    identified: float | None = None  #: seconds from the first mail of the list to the decision about it
    mitigated: float | None = None  #: to its hold
    out: int = 0  #: mails of the list that SES has
    _waiting: str = ""  #: a message of the list that was handed in last
    _others: asyncio.Task[None] | None = None

    async def run(self, listener: Callable[[Result], None]) -> bool:
        """Returns whether all steps passed. The listener gets each result at once."""
        return await in_turn(self.steps(), listener)

    def steps(self) -> list[Step]:
        """After the first two, everybody has sent good mail; after the third, the bought list is held."""
        return [
            (messages.step_onboard(), self._onboard),
            (messages.step_healthy(), self._healthy),
            (messages.step_list(addresses=ADDRESSES), self._list_is_held),
            (messages.step_others(), self._others_leave),
            (messages.step_still_held(), self._still_held),
            (messages.step_nobody_lost(), self._nobody_lost),
        ]

    @property
    def culprit(self) -> Sender:
        return self.senders[0]

    @property
    def document(self) -> Document:
        """The figures of the incident, for programs."""
        return {
            "identify_seconds": self.identified,
            "mitigate_seconds": self.mitigated,
            "handed_in": self.handed_in,
            "guilty_out": self.out,
            "decision": self.decision or None,
            "decisions": self.decisions,
        }

    async def _onboard(self) -> str:
        suffix = self.checks.suffix
        for name in ("acme", "otto", "zen"):
            self.senders.append(await onboarding.create(self.checks, f"{name}-{suffix}"))
        for sender in self.senders:
            await onboarding.set_up(self.checks, sender)
            await onboarding.check_local(self.checks, sender)
            await self.checks.api.post(path("tenants", sender.slug, "proofs"), {"limit_seconds": 60})
        return messages.onboarded(tenants=phrases.listed([one.slug for one in self.senders]))

    async def _armed(self, sender: Sender) -> None:
        """Waits until the breaker may enforce the ceiling on all lanes of a tenant."""

        async def lanes() -> list[Document]:
            return children(
                await self.checks.api.items(path("breaker", "lanes"), {"tenant": sender.slug}), "items"
            )

        async def done() -> bool | None:
            found = await lanes()
            return (len(found) == 2 and all(one.get("absolute") == "enforce" for one in found)) or None

        async def otherwise() -> str:
            found = [one for one in await lanes() if one.get("absolute") != "enforce"]
            one = found[0] if found else {}
            return messages.not_armed(
                waited=duration.spoken(max(PATIENCE, self.checks.patience)),
                lane=f"{sender.slug}/{plain(one.get('type') or NEWS)}",
                says=[plain(each.get("detail")) for each in children(one, "checks") if not each.get("ok")],
            )

        await self.checks.eventually(done, otherwise, PATIENCE)

    async def _healthy(self) -> str:
        await self._everybody(0, self.senders)
        await self._left({(one.slug, NEWS): PEOPLE for one in self.senders})
        await self._left({(one.slug, RESET): RESETS for one in self.senders})
        # Lanes are judged once they have mail.
        for sender in self.senders:
            await self._armed(sender)
        await self._nobody_held()
        count = len(self.senders)
        return messages.healthy(newsletters=count * PEOPLE, resets=count * RESETS, lanes=2 * count)

    async def _list_is_held(self) -> str:
        begun = time.monotonic()
        handing_in = asyncio.ensure_future(self._hand_in())
        self._others = asyncio.ensure_future(self._everybody(1, self.senders[1:]))
        try:

            async def decided() -> Document | None:
                found = [one for one in await self._decisions(self.culprit) if one.get("level") == "cordon"]
                if found and self.identified is None:
                    self.identified = time.monotonic() - begun
                return next((one for one in found if one.get("hold") is not None), None)

            self.decision = await self.checks.eventually(decided, self._not_held, PATIENCE)
            self.mitigated = time.monotonic() - begun
        finally:
            if not self.decision:
                handing_in.cancel()
        seen_at_hold, handed_in = await self._list_mails(), self.handed_in
        await handing_in
        if LIST not in plain(self.decision.get("part")):
            raise Wrong(messages.wrong_part(part=plain(self.decision.get("part")), lane=_lane(self.decision)))
        return messages.held(
            identified=self.identified or 0.0,
            mitigated=self.mitigated,
            out=seen_at_hold,
            handed_in=handed_in,
            decision=plain(self.decision.get("seen")),
        )

    async def _others_leave(self) -> str:
        assert self._others is not None
        await self._others
        # The culprit's own resets leave as well: only its list is held.
        await self._mail(self.culprit, RESET, USERS, RESETS, RESETS)
        await self._left({(one.slug, NEWS): 2 * PEOPLE for one in self.senders[1:]})
        await self._left({(one.slug, RESET): 2 * RESETS for one in self.senders})
        self.decisions = await self._decisions()
        await self._nobody_held()
        return messages.others_arrived(
            newsletters=PEOPLE * len(self.senders[1:]), resets=RESETS * len(self.senders)
        )

    async def _still_held(self) -> str:
        before = await self._list_mails()
        # What was on the wire when the hold was placed may still arrive; resets that are sent later may not overtake it for long.
        await self._mail(self.culprit, RESET, USERS, 2 * RESETS, 1)
        await self._left({(self.culprit.slug, RESET): 2 * RESETS + 1})
        self.out = await self._list_mails()
        if self.out > before:
            raise Wrong(messages.more_left(before=before, now=self.out))
        view = await self.checks.api.get(path("messages", self._waiting), {"tenant": self.culprit.slug})
        delivery = children(view, "deliveries")[-1]
        return messages.still_held(
            out=self.out, waiting=self.handed_in - self.out, why=why.reason_of(delivery)
        )

    async def _nobody_lost(self) -> str:
        found = await self.checks.ses.without(self.culprit.key)
        for row in children(found, "tenants"):
            if lost := int(row.get("lost") or 0):
                slug = next((one.slug for one in self.senders if one.key == row.get("tenant")), "")
                raise Wrong(messages.others_lost(lost=lost, tenant=slug))
        return messages.nobody_lost(others=len(self.senders) - 1, mails=int(found.get("mails") or 0))

    # Sending and counting

    async def _everybody(self, turn: int, senders: Sequence[Sender]) -> None:
        for sender in senders:
            for first in range(turn * PEOPLE, (turn + 1) * PEOPLE, MOST):
                await self._mail(sender, NEWS, MEMBERS, first, MOST)
            await self._mail(sender, RESET, USERS, turn * RESETS, RESETS)

    async def _hand_in(self) -> None:
        begun = time.monotonic()
        for first in range(0, ADDRESSES, TOGETHER):
            await self._mail(self.culprit, NEWS, LIST, first, TOGETHER)
            self.handed_in += TOGETHER
            await asyncio.sleep(max(0.0, begun + EVERY * (first // TOGETHER + 1) - time.monotonic()))

    async def _mail(self, sender: Sender, type_: str, list_name: str, first: int, count: int) -> None:
        domain = sender.domain(type_)
        people = addresses(list_name, first, count)
        body: Document = {
            "tenant": sender.slug,
            "type": type_,
            "from": f"hello@{domain}",
            "individually": True,
            # All chance of the world depends on this key.
            "to": [{"address": one, "headers": self._headers(sender, type_, one)} for one in people],
            "subject": "Your new password" if type_ == RESET else "News for everybody",
            "text": "Hello, this is a mail of the drill.",
        }
        if type_ == NEWS:
            body |= {
                "list": list_name,
                "campaign": f"{list_name}-{self.checks.suffix}",
                "headers": {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
            }
        made = await self.checks.api.post(path("messages"), body)
        if list_name == LIST:
            self._waiting = str(made["id"])

    def _headers(self, sender: Sender, type_: str, address: str) -> Document:
        headers: Document = {"X-Seslocal-Key": f"{sender.slug[:1]}/{address}"}
        if type_ == NEWS:
            headers["List-Unsubscribe"] = f"<https://{sender.domain(type_)}/u/{address.partition('@')[0]}>"
        return headers

    async def _sent(self, slug: str, by: str) -> dict[str, int]:
        """Mails that SES has, by our own ledger."""
        found = await self.checks.api.items(path("metrics"), {"tenant": slug, "by": by})
        name = "type" if by == "lane" else by
        return {str(row.get(name)): int(row.get("sent") or 0) for row in children(found, "items")}

    async def _list_mails(self) -> int:
        return (await self._sent(self.culprit.slug, "list")).get(LIST, 0)

    async def _left(self, wanted: dict[tuple[str, str], int]) -> None:
        """Waits until so many mails of each lane have left."""
        behind: list[tuple[str, str, int]] = []

        async def all_left() -> bool | None:
            behind.clear()
            for (slug, type_), count in wanted.items():
                there = (await self._sent(slug, "lane")).get(type_, 0)
                if there < count:
                    behind.append((slug, type_, count - there))
            return not behind or None

        async def otherwise() -> str:
            slug, type_, left = behind[0]
            states = await self.checks.api.get(path("tenants", slug, "lanes", type_))
            return messages.others_wait(
                waited=duration.spoken(max(PATIENCE, self.checks.patience)),
                left=left,
                of=f"{slug}/{type_}",
                state=plain(states.get("detail") or states.get("state")),
            )

        await self.checks.eventually(all_left, otherwise, PATIENCE)

    async def _decisions(self, *senders: Sender) -> list[Document]:
        """What the breaker decided about these tenants and lasts. Default: about all, the culprit's first."""
        found: list[Document] = []
        for sender in senders or self.senders:
            query = {"tenant": sender.slug, "open": "true"}
            found += children(await self.checks.api.items(path("breaker", "decisions"), query), "items")
        return found

    async def _not_held(self) -> str:
        return messages.list_not_held(
            waited=duration.spoken(max(PATIENCE, self.checks.patience)),
            out=await self._list_mails(),
            found="; ".join(plain(one.get("detail")) for one in await self._decisions()),
        )

    async def _nobody_held(self) -> None:
        """Raises Wrong if the breaker acts on anything but the culprit's newsletters."""
        for one in await self._decisions():
            if one.get("tenant") != self.culprit.slug or one.get("type") != NEWS:
                raise Wrong(messages.bystander_held(lane=_lane(one), seen=plain(one.get("seen"))))


def _lane(decision: Document) -> str:
    return f"{plain(decision.get('tenant'))}/{plain(decision.get('type'))}"
