"""The story that `mailcordon drill` tells, step by step, each step checked by itself against SES's own ledger and our records.

Two fresh tenants send. One's mail to kim bounces and closes kim to that tenant alone; a newsletter complaint of lee closes
newsletters to lee, not password resets; a cordon on marketing holds newsletters, and nothing else, until it is lifted. A step
that does not see what it must ends the story with a sentence that says where the mail or its event was last seen.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mailcordon.adapters.cli import failures
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.commands import why
from mailcordon.adapters.cli.document import part, parts
from mailcordon.adapters.cli.drill.checks import NEWS, RESET, Sender, Stage, Wrong

ONBOARDING_PATIENCE = 20.0  #: seconds; the control role makes some ten calls a tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One step as it went."""

    title: str
    seconds: float
    seen: str = ""  #: what showed that it is so
    wrong: str | None = None


@dataclass(slots=True)
class Story:
    stage: Stage
    acme: Sender = field(init=False)
    zen: Sender = field(init=False)

    async def tell(self, listener: Callable[[Told], None]) -> bool:
        """Whether all went as it must. The listener hears each step when it is over."""
        for title, step in self._steps():
            begun = time.monotonic()
            try:
                seen = await step()
            except (Wrong, failures.Failure) as wrong:
                listener(Told(title=title, seconds=time.monotonic() - begun, wrong=str(wrong)))
                return False
            listener(Told(title=title, seconds=time.monotonic() - begun, seen=seen))
        return True

    def _steps(self) -> list[tuple[str, Callable[[], Awaitable[str]]]]:
        return [
            ("two fresh tenants are onboarded", self._onboard),
            ("both send, each as its own SES tenant", self._both_send),
            ("kim bounces for one tenant, and is closed to it", self._kim_bounces),
            ("its next mail to kim is refused, and says why", self._kim_is_refused),
            ("the other tenant's mail to kim arrives", self._kim_hears_from_the_other),
            ("lee complains about a newsletter: no more newsletters to lee", self._lee_complains),
            ("lee's password reset still arrives", self._lee_gets_resets),
            ("marketing is cordoned: newsletters wait, all else goes", self._cordon),
            ("uncordoned, the newsletter leaves by itself", self._uncordon),
            ("the counts name one tenant and one lane", self._counts),
            ("SES has just the mails that should have left", self._ledger),
        ]

    async def _onboard(self) -> str:
        self.acme, self.zen = (
            await self._one(f"acme-{self.stage.suffix}"),
            await self._one(f"zen-{self.stage.suffix}"),
        )
        for sender in (self.acme, self.zen):
            await self._set_up(sender)
            # Our word is not enough: the mails must not go anywhere but to the local SES.
            if not await self.stage.ses.knows_tenant(sender.key):
                raise Wrong(
                    f"{sender.slug} was set up at some SES, but not at {self.stage.ses.url}: this system does not send "
                    "through the local SES, and the drill stops here, before it sends anything."
                )
        return f"{self.acme.slug} and {self.zen.slug}"

    async def _one(self, slug: str) -> Sender:
        types = {RESET: f"mail.{slug}.example", NEWS: f"news.{slug}.example"}
        made = await self.stage.api.post(path("tenants"), {"slug": slug, "types": types})
        return Sender(slug=slug, key=str(made["key"]))

    async def _set_up(self, sender: Sender) -> None:
        async def done() -> bool | None:
            tenant = await self.stage.api.get(path("tenants", sender.slug))
            return part(tenant, "provisioning").get("done") or None

        async def otherwise() -> str:
            tenant = await self.stage.api.get(path("tenants", sender.slug))
            steps = parts(part(tenant, "provisioning"), "steps")
            open_ = [step for step in steps if step.get("state") != "done"]
            first = (
                f"; it is at {open_[0].get('kind')} {open_[0].get('name')}: {open_[0].get('detail')}"
                if open_
                else ""
            )
            return f"SES was not set up for {sender.slug} within {ONBOARDING_PATIENCE:g} s{first}. Is the control role running?"

        await self.stage.eventually(done, otherwise, ONBOARDING_PATIENCE)

    async def _both_send(self) -> str:
        sent = [await self.stage.send(sender, RESET, "robin") for sender in (self.acme, self.zen)]
        for one in sent:
            await self.stage.arrives(one)
        return f"in SES's ledger under {self.acme.key} and {self.zen.key}"

    async def _kim_bounces(self) -> str:
        kim = self.stage.address("kim")
        await self.stage.ses.set_mailbox(kim, "bounces", self.acme.key)
        bounced = await self.stage.send(self.acme, RESET, "kim")
        await self.stage.comes_back(bounced, "bounced", "Bounce")
        row = await self.stage.suppression(self.acme, "kim", scope="tenant")
        if await self.stage.suppressions(self.zen, "kim"):
            raise Wrong(f"{kim} bounced for {self.acme.slug} and is now suppressed for {self.zen.slug} too.")
        return why.suppression_words(row)

    async def _kim_is_refused(self) -> str:
        return await self.stage.refused(self.acme, RESET, "kim", "bounce")

    async def _kim_hears_from_the_other(self) -> str:
        await self.stage.arrives(await self.stage.send(self.zen, RESET, "kim"))
        return "in SES's ledger"

    async def _lee_complains(self) -> str:
        lee = self.stage.address("lee")
        await self.stage.ses.set_mailbox(lee, "complains", self.acme.key)
        unloved = await self.stage.send(self.acme, NEWS, "lee")
        await self.stage.comes_back(unloved, "complained", "Complaint")
        # Pressed once: the mailbox takes what comes after.
        await self.stage.ses.set_mailbox(lee, "delivers", self.acme.key)
        await self.stage.suppression(self.acme, "lee", scope="class")
        return await self.stage.refused(self.acme, NEWS, "lee", "complain")

    async def _lee_gets_resets(self) -> str:
        await self.stage.arrives(await self.stage.send(self.acme, RESET, "lee"))
        return "in SES's ledger, though lee is on SES's list of this tenant for the complaint"

    async def _cordon(self) -> str:
        target = {"tenant": self.acme.slug, "class": "marketing"}
        preview = await self.stage.api.post(path("holds", "preview"), {**target, "action": "cordon"})
        named = {str(lane.get("type")) for lane in parts(preview, "lanes")}
        if named != {NEWS}:
            raise Wrong(
                f"the preview of the cordon names {', '.join(sorted(named)) or 'no lane'}, not just {NEWS}."
            )
        hold = await self.stage.api.post(path("holds"), {**target, "because": "the drill says so"})
        held = await self.stage.send(self.acme, NEWS, "robin")
        if held.state != "held":
            raise Wrong(
                f"{held.words} was answered as {held.state}, though marketing of {self.acme.slug} is cordoned."
            )
        # These were handed in later: once they are there, a newsletter that did not wait would be there too.
        later = [
            await self.stage.send(self.acme, RESET, "robin"),
            await self.stage.send(self.zen, NEWS, "robin"),
        ]
        for one in later:
            await self.stage.arrives(one)
        if await self.stage.line(held) is not None:
            raise Wrong(f"{held.words} left, though hold {hold.get('id')} stops it.")
        now = await self.stage.delivery(held)
        if now.get("state") != "held":
            raise Wrong(
                f"{held.words} is {now.get('state')}, not held, while hold {hold.get('id')} stops it."
            )
        return f"hold {hold.get('id')}: {why.why_words(now)}"

    async def _uncordon(self) -> str:
        target = {"tenant": self.acme.slug, "class": "marketing", "because": "the drill says so"}
        lifted = parts(await self.stage.api.post(path("holds", "lift"), target), "lifted")
        if len(lifted) != 1:
            raise Wrong(f"uncordon lifted {len(lifted)} holds; there was one.")
        held = next(one for one in self.stage.mails if one.state == "held")
        await self.stage.arrives(held)
        return "in SES's ledger"

    async def _counts(self) -> str:
        """One hard bounce in the resets of one tenant, one complaint in its newsletters, none elsewhere."""
        wanted = {
            (self.acme.slug, RESET): (1, 0),
            (self.acme.slug, NEWS): (0, 1),
            (self.zen.slug, RESET): (0, 0),
            (self.zen.slug, NEWS): (0, 0),
        }
        seen: dict[tuple[str, str], tuple[int, int]] = {}

        async def agree() -> bool | None:
            for sender in (self.acme, self.zen):
                rows = await self.stage.api.items(path("metrics"), {"tenant": sender.slug, "by": "lane"})
                for row in parts(rows, "items"):
                    found = (int(row.get("hard_bounced") or 0), int(row.get("complained") or 0))
                    seen[sender.slug, str(row.get("type"))] = found
            return seen == wanted or None

        async def otherwise() -> str:
            shown = "; ".join(
                f"{slug} {type_}: {bounces} bounced, {complaints} complained"
                for (slug, type_), (bounces, complaints) in sorted(seen.items())
            )
            return f"the metrics do not say what happened within {self.stage.patience:g} s: {shown or 'they are empty'}."

        await self.stage.eventually(agree, otherwise)
        return f"1 bounce and 1 complaint, both of {self.acme.slug}"

    async def _ledger(self) -> str:
        should = {one.subject for one in self.stage.mails if one.state != "refused"}
        found: list[str] = []
        for sender in (self.acme, self.zen):
            lines = parts(await self.stage.ses.sent(tenant=sender.key), "sent")
            found += [str(line.get("subject")) for line in lines]
        twice = {subject for subject in found if found.count(subject) > 1}
        for what, subjects in (
            ("has mails that should not have left", set(found) - should),
            ("does not have", should - set(found)),
            ("has more than once", twice),
        ):
            if subjects:
                raise Wrong(f"SES's ledger {what}: {', '.join(sorted(subjects))}.")
        return f"{len(found)} accepted, {len(self.stage.mails) - len(found)} refused by us"
