"""The end of the drill: a tenant mails a bought list while somebody switches off the events of another. Each is an incident with
its own culprit, a third tenant is in neither, and both are mitigated once the list is held and the events are on again.
"""

import asyncio
from dataclasses import dataclass, field

from mailcordon.adapters.cli import duration
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.drill.checks import NEWS, Checks, Sender, Wrong
from mailcordon.adapters.cli.text import plain
from mailcordon.messages import drill as messages

LIST, BAD, ALL = "bought", 11, 50  #: of 50 addresses 11 do not exist: 22 %
PATIENCE = 20.0  #: seconds; a change at SES must last a few before it is an incident
_KIND = "destination-disabled"


@dataclass(slots=True)
class Incidents:
    checks: Checks
    found: list[Document] = field(default_factory=list[Document])
    _cut: str | None = None  #: the configuration set whose events are switched off
    _policy: Document | None = None  #: what happens to such a difference otherwise

    async def identified(self, *, culprit: Sender, cut: Sender, bystander: Sender) -> str:
        lane = await self.checks.api.get(path("tenants", cut.slug, "lanes", NEWS))
        set_name = plain(child(lane, "route").get("configuration_set"))
        await self._switch_off(set_name)
        await asyncio.gather(
            self._mail_list(culprit, LIST, bad=BAD),
            self._mail_list(cut, "people"),
            self._mail_list(bystander, "people"),
        )
        self.found = [
            await self._incident(culprit, f"/list:{LIST}", f"list {LIST} of {culprit.slug}/{NEWS}"),
            await self._incident(cut, f"set:{set_name}", "user test"),
        ]
        if others := children(
            await self.checks.api.get(path("incidents"), {"tenant": bystander.slug}), "items"
        ):
            raise Wrong(messages.bystander_named(tenant=bystander.slug, found=plain(others[0].get("detail"))))
        return messages.culprits_right(
            found=[(plain(one.get("culprit")), _seconds(one, "identify_seconds")) for one in self.found]
        )

    async def mitigated(self, *, culprit: Sender, bystander: Sender) -> str:
        target = {"tenant": culprit.slug, "type": NEWS, "list": LIST}
        await self.checks.api.post(path("holds"), {**target, "because": messages.drill_reason()})
        await self.put_right()
        over = [await self._mitigated(one) for one in self.found]
        await self._all_arrived(bystander)
        # Else the list would be an incident for a day, and its hold would stay.
        await self.checks.api.post(
            path("incidents", plain(self.found[0].get("id")), "close"), {"because": messages.drill_reason()}
        )
        await self.checks.api.post(path("holds", "lift"), {**target, "because": messages.drill_reason()})
        return messages.mitigated_right(
            seconds=[_seconds(one, "mitigate_seconds") for one in over], other=bystander.slug
        )

    async def put_right(self) -> None:
        """Switches the events on again, and restores the policy. Does nothing if that is done."""
        if self._cut is not None:
            await self.checks.ses.switch_events(self._cut, on=True)
            self._cut = None
        if self._policy is not None:
            before = {"act": self._policy.get("act"), "hold": self._policy.get("hold")}
            await self._set_policy(before)
            self._policy = None

    async def _switch_off(self, set_name: str) -> None:
        """Control would switch them on again within a second, so it is told to propose that."""
        self._policy = await self.checks.api.get(path("drift", "policies", _KIND))
        await self._set_policy({"act": "propose", "hold": False})
        self._cut = set_name
        await self.checks.ses.switch_events(set_name, on=False)

    async def _set_policy(self, policy: Document) -> None:
        body = {**policy, "because": messages.drill_reason()}
        await self.checks.api.call("PUT", path("drift", "policies", _KIND), body=body)

    async def _mail_list(self, sender: Sender, name: str, *, bad: int = 0) -> None:
        people = [self.checks.address(f"{name}-{sender.slug[0]}{n}") for n in range(ALL)]
        await asyncio.gather(
            *(self.checks.ses.set_mailbox(one, "bounces", sender.key) for one in people[:bad])
        )
        domain = sender.domain(NEWS)
        body: Document = {
            "tenant": sender.slug,
            "type": NEWS,
            "from": f"hello@{domain}",
            "to": [
                {"address": one, "headers": {"List-Unsubscribe": f"<https://{domain}/u/{n}>"}}
                for n, one in enumerate(people)
            ],
            "headers": {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
            "subject": "News for everybody",
            "text": "Hello, this is a mail of the drill.",
            "list": name,
        }
        await self.checks.api.post(path("messages"), body)

    async def _incident(self, sender: Sender, cause: str, wanted: str) -> Document:
        async def there() -> Document | None:
            items = await self._open(sender)
            return next(
                (one for one in items if cause in plain(one.get("cause")) and one.get("culprit")), None
            )

        async def otherwise() -> str:
            return messages.no_incident(
                waited=duration.spoken(max(PATIENCE, self.checks.patience)),
                cause=cause.strip("/"),
                found="; ".join(plain(one.get("detail")) for one in await self._open(sender)),
            )

        found = await self.checks.eventually(there, otherwise, PATIENCE)
        if not plain(found.get("culprit")).startswith(wanted):
            raise Wrong(messages.wrong_culprit(culprit=plain(found.get("culprit")), wanted=wanted))
        return found

    async def _open(self, sender: Sender) -> list[Document]:
        query = {"tenant": sender.slug, "open": "true"}
        return children(await self.checks.api.get(path("incidents"), query), "items")

    async def _mitigated(self, one: Document) -> Document:
        async def over() -> Document | None:
            found = child(await self.checks.api.get(path("incidents", plain(one.get("id")))), "incident")
            return found if found.get("mitigated_at") else None

        async def otherwise() -> str:
            return messages.not_mitigated(waited=self.checks.waited, detail=plain(one.get("detail")))

        return await self.checks.eventually(over, otherwise)

    async def _all_arrived(self, sender: Sender) -> None:
        left = 0

        async def none_left() -> bool | None:
            nonlocal left
            rows = children(
                await self.checks.api.items(path("metrics"), {"tenant": sender.slug, "by": "list"}), "items"
            )
            delivered = sum(int(row.get("delivered") or 0) for row in rows if row.get("list") == "people")
            left = ALL - delivered
            return left == 0 or None

        async def otherwise() -> str:
            return messages.bystander_waits(tenant=sender.slug, waited=self.checks.waited, left=left)

        await self.checks.eventually(none_left, otherwise)


def _seconds(one: Document, name: str) -> float:
    value = one.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
