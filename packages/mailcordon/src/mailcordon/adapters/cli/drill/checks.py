"""What the steps of the drill use: they send mail and check that it arrives, comes back or is refused.

Arrival is checked in SES's own ledger, outcomes in our records. A check that does not pass in time raises `Wrong` with a sentence
that follows the mail or its event along its way and says where it was last seen.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from mailcordon.adapters.cli import duration, failures
from mailcordon.adapters.cli.client import Client, path
from mailcordon.adapters.cli.commands import why
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.local_ses import OUTCOME_QUEUE, LocalSes
from mailcordon.adapters.cli.text import counted, plain
from mailcordon.messages import drill as messages

T = TypeVar("T")

RESET, NEWS = "password-reset", "newsletter"
PATIENCE = 10.0  #: seconds that one check may take; most take a fraction of one
_POLL = 0.05


class Wrong(Exception):
    """A check failed. The message says what was seen instead, and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One of the tenants."""

    slug: str
    key: str  #: the name of its SES tenant

    def domain(self, type_: str) -> str:
        return f"{'mail' if type_ == RESET else 'news'}.{self.slug}.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail that the drill sent."""

    id: str
    sender: Sender
    type: str
    to: str
    subject: str  #: unique, so that the ledger's entry of this mail is found without our records
    state: str  #: as the response to the request said

    @property
    def name(self) -> str:
        return messages.drill_mail(type=self.type, tenant=self.sender.slug, to=self.to)


@dataclass(slots=True)
class Checks:
    """The clients that the steps use, and all mail they sent."""

    api: Client
    ses: LocalSes
    suffix: str = field(default_factory=lambda: secrets.token_hex(3))
    mails: list[Mail] = field(default_factory=list[Mail])
    patience: float = PATIENCE  #: seconds

    @property
    def waited(self) -> str:
        return duration.spoken(self.patience)

    def address(self, name: str) -> str:
        return f"{name}@people-{self.suffix}.example"

    async def send(self, sender: Sender, type_: str, name: str) -> Mail:
        to = self.address(name)
        subject = f"{'Your new password' if type_ == RESET else 'News'} [{self.suffix}-{len(self.mails) + 1}]"
        body: Document = {
            "tenant": sender.slug,
            "type": type_,
            "from": f"hello@{sender.domain(type_)}",
            "to": [to],
            "subject": subject,
            "text": f"Hello {name}, this is a mail of the drill.",
        }
        if type_ == NEWS:
            body["campaign"] = "drill"
            body["headers"] = {
                "List-Unsubscribe": f"<https://{sender.domain(type_)}/u/{name}>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            }
        accepted = await self.api.post(path("messages"), body)
        state = str(children(accepted, "deliveries")[0].get("state"))
        made = Mail(id=str(accepted["id"]), sender=sender, type=type_, to=to, subject=subject, state=state)
        self.mails.append(made)
        return made

    async def delivery(self, one: Mail) -> Document:
        view = await self.api.get(path("messages", one.id), {"tenant": one.sender.slug})
        return children(view, "deliveries")[0]

    async def ledger_entry(self, one: Mail) -> Document | None:
        """The entry of this mail in SES's ledger."""
        found = await self.ses.sent(recipient=one.to, tenant=one.sender.key)
        return next((entry for entry in children(found, "sent") if entry.get("subject") == one.subject), None)

    async def arrives(self, one: Mail) -> None:
        """The mail is in SES's ledger as a governed mail that reached its mailbox, and delivered in our records."""
        entry = await self.eventually(lambda: self.ledger_entry(one), lambda: self._not_sent(one))
        if entry.get("recipients") != [one.to] or not entry.get("configuration_set") or not entry.get("tags"):
            raise Wrong(
                messages.mail_not_governed(
                    mail=one.name,
                    recipients=plain(entry.get("recipients")),
                    configuration_set=plain(entry.get("configuration_set")),
                    tags=len(child(entry, "tags")),
                )
            )
        fate = child(child(entry, "fates"), one.to)
        if fate.get("fate") != "delivers":
            raise Wrong(messages.mail_not_delivered_by_ses(mail=one.name, fate=plain(fate.get("fate"))))
        await self.reaches(one, "delivered", "Delivery")

    async def reaches(self, one: Mail, state: str, event: str) -> None:
        """SES's event of this mail has become its state in our records."""

        async def there() -> Document | None:
            delivery = await self.delivery(one)
            return delivery if delivery.get("state") == state else None

        await self.eventually(there, lambda: self._no_event(one, event))

    async def suppressions(self, sender: Sender, name: str) -> list[Document]:
        found = await self.api.get(path("addresses", self.address(name)), {"tenant": sender.slug})
        return children(found, "suppressions")

    async def suppression(self, sender: Sender, name: str, *, scope: str) -> str:
        """The suppression that an event has led to, as a sentence."""

        async def there() -> str | None:
            rows = await self.suppressions(sender, name)
            return next((plain(row.get("detail")) for row in rows if row.get("scope") == scope), None)

        async def otherwise() -> str:
            rows = await self.suppressions(sender, name)
            return messages.no_suppression(
                address=self.address(name),
                waited=self.waited,
                scope=scope,
                found="; ".join(plain(row.get("detail")) for row in rows),
            )

        return await self.eventually(there, otherwise)

    async def refused(self, sender: Sender, type_: str, name: str, cause: str) -> str:
        """The next mail is refused at once, and its recorded reason names the cause. Returns the reason."""
        one = await self.send(sender, type_, name)
        if one.state != "refused":
            raise Wrong(messages.mail_not_refused(mail=one.name, state=one.state, address=one.to))
        reason = why.reason_of(await self.delivery(one))
        if cause not in reason.lower():
            raise Wrong(messages.refused_without_cause(mail=one.name, cause=cause, reason=reason))
        return reason

    # Where something was lost

    async def _not_sent(self, one: Mail) -> str:
        delivery = await self.delivery(one)
        state = plain(delivery.get("state"))
        last = (children(delivery, "timeline") or [{}])[-1]
        return messages.mail_not_sent(
            mail=one.name,
            waited=self.waited,
            id=one.id,
            state=state,
            reason=why.reason_of(delivery),
            last=why.event_of(last),
            role="dispatch" if state == "queued" else "",
        )

    async def _no_event(self, one: Mail, event: str) -> str:
        """Follows the event's way: SES's ledger, faults at the local SES, the queue, quarantine, our records."""
        entry = await self.ledger_entry(one)
        if entry is None:
            return await self._not_sent(one)
        delivery = await self.delivery(one)
        fate = child(child(entry, "fates"), one.to)
        missing = messages.no_event(
            event=event,
            address=one.to,
            waited=self.waited,
            mail=one.name,
            ses_id=plain(entry.get("message_id")),
            fate=plain(fate.get("fate")),
            state=plain(delivery.get("state")),
        )
        try:
            unread = await self.ses.unread()
        except failures.Failure as failure:
            return f"{missing} {failure}"
        if unread:
            return f"{missing} {messages.events_unread(count=unread, queue=OUTCOME_QUEUE)}"
        if found := await self._quarantined(one.sender):
            return f"{missing} {messages.events_in_quarantine(found='; '.join(found))}"
        return f"{missing} {messages.event_lost(queue=OUTCOME_QUEUE, faults=await self._faults())}"

    async def _quarantined(self, sender: Sender) -> list[str]:
        rows = children(await self.api.items(path("quarantine"), limit=100), "items")
        ours = [row for row in rows if sender.key in str(row) or self.suffix in str(row)]
        return [f"{plain(row.get('why'))}: {plain(row.get('detail'))}" for row in ours]

    async def _faults(self) -> str:
        return "; ".join(
            messages.fault(
                name=plain(fault.get("fault")),
                events=plain(fault.get("events") or messages.all_events()),
                times=counted(int(fault.get("struck") or 0), "time"),
            )
            for fault in await self.ses.faults()
        )

    async def eventually(
        self,
        probe: Callable[[], Awaitable[T | None]],
        otherwise: Callable[[], Awaitable[str]],
        patience: float = 0.0,
    ) -> T:
        """Repeats the probe until it returns something. Raises Wrong with `otherwise` when the time is over."""
        deadline = time.monotonic() + max(self.patience, patience)
        while (found := await probe()) is None:
            if time.monotonic() >= deadline:
                raise Wrong(await otherwise())
            await asyncio.sleep(_POLL)
        return found
