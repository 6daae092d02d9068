"""What the steps of the drill are made of: mail that is handed in, seen to arrive, to come back or to be refused.

Arrival is judged by SES's own ledger, outcome by our records. What is not seen in time ends in a sentence that follows the mail,
or its event, along its way and says where it was last seen.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from mailcordon.adapters.cli import failures
from mailcordon.adapters.cli.client import Client, path
from mailcordon.adapters.cli.commands import why
from mailcordon.adapters.cli.document import Document, part, parts
from mailcordon.adapters.cli.local_ses import OUTCOME_QUEUE, LocalSes

T = TypeVar("T")

RESET, NEWS = "password-reset", "newsletter"
PATIENCE = 10.0  #: seconds that one thing may take; most take a fraction of one
_POLL = 0.05


class Wrong(Exception):
    """A step saw something else than it must. The message says what, and where it was last seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One of the two tenants."""

    slug: str
    key: str  #: as SES knows it

    def domain(self, type_: str) -> str:
        return f"{'mail' if type_ == RESET else 'news'}.{self.slug}.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail that the story handed in."""

    id: str
    sender: Sender
    type: str
    to: str
    subject: str  #: unique, so that the ledger's line of this mail is known without asking us
    state: str  #: as the answer to the request said

    @property
    def words(self) -> str:
        return f"the {self.type} of {self.sender.slug} to {self.to}"


@dataclass(slots=True)
class Stage:
    """Everything the steps act on, and all mail they handed in."""

    api: Client
    ses: LocalSes
    suffix: str = field(default_factory=lambda: secrets.token_hex(3))
    mails: list[Mail] = field(default_factory=list[Mail])
    patience: float = PATIENCE  #: seconds

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
        answer = await self.api.post(path("messages"), body)
        state = str(parts(answer, "deliveries")[0].get("state"))
        made = Mail(id=str(answer["id"]), sender=sender, type=type_, to=to, subject=subject, state=state)
        self.mails.append(made)
        return made

    async def delivery(self, one: Mail) -> Document:
        view = await self.api.get(path("messages", one.id), {"tenant": one.sender.slug})
        return parts(view, "deliveries")[0]

    async def line(self, one: Mail) -> Document | None:
        """SES's own line of this mail."""
        found = await self.ses.sent(recipient=one.to, tenant=one.sender.key)
        return next((line for line in parts(found, "sent") if line.get("subject") == one.subject), None)

    async def arrives(self, one: Mail) -> None:
        """In SES's ledger as a governed mail that reached its mailbox, and known to us as delivered."""
        line = await self.eventually(lambda: self.line(one), lambda: self._not_left(one))
        if line.get("recipients") != [one.to] or not line.get("configuration_set") or not line.get("tags"):
            raise Wrong(
                f"{one.words} reached SES, but not as one recipient with a configuration set and tags: {line}"
            )
        fate = part(part(line, "fates"), one.to)
        if fate.get("fate") != "delivers":
            raise Wrong(
                f"{one.words} reached SES, which did not deliver it: {fate.get('fate')} {fate.get('subtype') or ''}"
            )
        await self.comes_back(one, "delivered", "Delivery")

    async def comes_back(self, one: Mail, state: str, event: str) -> None:
        """SES's event of this mail has become its state."""

        async def there() -> Document | None:
            delivery = await self.delivery(one)
            return delivery if delivery.get("state") == state else None

        await self.eventually(there, lambda: self._not_back(one, event))

    async def suppressions(self, sender: Sender, name: str) -> list[Document]:
        return parts(
            await self.api.get(path("addresses", self.address(name)), {"tenant": sender.slug}), "suppressions"
        )

    async def suppression(self, sender: Sender, name: str, *, scope: str) -> Document:
        async def there() -> Document | None:
            rows = await self.suppressions(sender, name)
            return next((row for row in rows if row.get("scope") == scope), None)

        async def otherwise() -> str:
            rows = await self.suppressions(sender, name)
            have = "; ".join(why.suppression_words(row) for row in rows) or "nothing"
            within = f"within {self.patience:g} s"
            return f"the event about {self.address(name)} came, but {within} no suppression of scope {scope}: {have}."

        return await self.eventually(there, otherwise)

    async def refused(self, sender: Sender, type_: str, name: str, cause: str) -> str:
        """The next mail is refused at once, and its recorded reason names the cause."""
        one = await self.send(sender, type_, name)
        if one.state != "refused":
            raise Wrong(f"{one.words} was answered as {one.state}, though {one.to} is suppressed for it.")
        reason = why.why_words(await self.delivery(one))
        if cause not in reason.lower():
            raise Wrong(f"{one.words} was refused without naming its cause ({cause}): {reason}")
        return reason

    # Where something was lost

    async def _not_left(self, one: Mail) -> str:
        delivery = await self.delivery(one)
        state, reason = delivery.get("state"), why.why_words(delivery)
        last = (parts(delivery, "timeline") or [{}])[-1]
        hint = " Is the dispatch role running?" if state == "queued" else ""
        return (
            f"{one.words} did not reach SES within {self.patience:g} s: it is accepted as {one.id} and {state} ({reason}), "
            f"last seen as {last.get('what') or 'nothing'}; SES's ledger does not have it.{hint}"
        )

    async def _not_back(self, one: Mail, event: str) -> str:
        """Follows the event's way: SES's ledger, standing faults, the queue, quarantine, our records."""
        line = await self.line(one)
        if line is None:
            return await self._not_left(one)
        delivery = await self.delivery(one)
        fate = part(part(line, "fates"), one.to)
        head = (
            f"no {event} event for {one.to} came back within {self.patience:g} s: SES accepted {one.words} (ledger, id "
            f'{line.get("message_id")}) and its fate there is "{fate.get("fate")}", but we know it as {delivery.get("state")}'
        )
        try:
            unread = await self.ses.unread()
        except failures.Failure as failure:
            return f"{head}. {failure}"
        if unread:
            return f"{head}. {unread} events lie unread in the queue {OUTCOME_QUEUE}: is the observe role running?"
        strangers = await self._quarantined(one.sender)
        if strangers:
            return f"{head}. In quarantine since the drill began: {'; '.join(strangers)}."
        return (
            f"{head}. It is not in the queue {OUTCOME_QUEUE}, not in quarantine and not in our records: it was lost between "
            f"SES and the queue{await self._faults()}."
        )

    async def _quarantined(self, sender: Sender) -> list[str]:
        rows = parts(await self.api.items(path("quarantine"), limit=100), "items")
        mine = [row for row in rows if sender.key in str(row) or self.suffix in str(row)]
        return [f"{row.get('why')}: {row.get('detail')}" for row in mine]

    async def _faults(self) -> str:
        words = [
            f"{fault.get('fault')} of {', '.join(fault.get('events') or ['all'])} events, struck {fault.get('struck')} times"
            for fault in await self.ses.faults()
        ]
        return f" (a fault stands at the local SES: {', '.join(words)})" if words else ""

    async def eventually(
        self,
        probe: Callable[[], Awaitable[T | None]],
        otherwise: Callable[[], Awaitable[str]],
        patience: float = 0.0,
    ) -> T:
        """What the probe finds, asked again until it finds something. Raises Wrong with `otherwise` when time is over."""
        deadline = time.monotonic() + max(self.patience, patience)
        while (found := await probe()) is None:
            if time.monotonic() >= deadline:
                raise Wrong(await otherwise())
            await asyncio.sleep(_POLL)
        return found
