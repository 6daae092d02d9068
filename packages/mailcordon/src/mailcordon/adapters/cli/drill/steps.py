"""The steps of `mailcordon drill`, each checked against SES's own ledger and our records.

Two new tenants send. One tenant's mail to kim bounces, which suppresses kim for that tenant alone. A complaint of lee about a
newsletter suppresses newsletters to lee, not password resets. A cordon on marketing holds newsletters and nothing else, until it
is lifted. At the end two things go wrong at once (culprits.py). The first step that fails ends the drill, with a sentence that
says where the mail or its event was last seen.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from mailcordon.adapters.cli import failures
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.commands import why
from mailcordon.adapters.cli.document import children
from mailcordon.adapters.cli.drill import onboarding
from mailcordon.adapters.cli.drill.checks import NEWS, RESET, Checks, Sender, Wrong
from mailcordon.adapters.cli.drill.culprits import Incidents
from mailcordon.adapters.cli.text import plain
from mailcordon.messages import drill as messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One step when it is over."""

    title: str
    seconds: float
    seen: str = ""  #: what showed that it passed
    wrong: str | None = None  #: why it failed


Step = tuple[str, Callable[[], Awaitable[str]]]  #: its title; returns what showed that it passed


async def in_turn(steps: Sequence[Step], listener: Callable[[Result], None]) -> bool:
    """Plays steps up to the first that fails. Returns whether all passed. The listener gets each result at once."""
    for title, step in steps:
        begun = time.monotonic()
        try:
            seen = await step()
        except (Wrong, failures.Failure) as wrong:
            listener(Result(title=title, seconds=time.monotonic() - begun, wrong=str(wrong)))
            return False
        listener(Result(title=title, seconds=time.monotonic() - begun, seen=seen))
    return True


@dataclass(slots=True)
class Steps:
    checks: Checks
    acme: Sender = field(init=False)
    zen: Sender = field(init=False)
    incidents: Incidents = field(init=False)

    async def run(self, listener: Callable[[Result], None]) -> bool:
        """Returns whether all steps passed. The listener gets each result at once."""
        self.incidents = Incidents(self.checks)
        try:
            return await in_turn(self._steps(), listener)
        finally:
            await self.incidents.put_right()

    def _steps(self) -> list[Step]:
        return [
            (messages.step_onboard(), self._onboard),
            (messages.step_both_send(), self._both_send),
            (messages.step_bounce(), self._bounce),
            (messages.step_refused(), self._refused),
            (messages.step_other_tenant(), self._other_tenant),
            (messages.step_complaint(), self._complaint),
            (messages.step_reset_arrives(), self._reset_arrives),
            (messages.step_cordon(), self._cordon),
            (messages.step_uncordon(), self._uncordon),
            (messages.step_metrics(), self._metrics),
            (messages.step_ledger(), self._ledger),
            (messages.step_culprits(), self._culprits),
            (messages.step_mitigated(), self._mitigated),
        ]

    async def _onboard(self) -> str:
        suffix = self.checks.suffix
        self.acme, self.zen = [
            await onboarding.create(self.checks, f"{name}-{suffix}") for name in ("acme", "zen")
        ]
        for sender in (self.acme, self.zen):
            await onboarding.set_up(self.checks, sender)
            await onboarding.check_local(self.checks, sender)
        return messages.two_tenants(one=self.acme.slug, other=self.zen.slug)

    async def _both_send(self) -> str:
        sent = [await self.checks.send(sender, RESET, "robin") for sender in (self.acme, self.zen)]
        for one in sent:
            await self.checks.arrives(one)
        return messages.seen_in_ledger_as(one=self.acme.key, other=self.zen.key)

    async def _bounce(self) -> str:
        kim = self.checks.address("kim")
        await self.checks.ses.set_mailbox(kim, "bounces", self.acme.key)
        bounced = await self.checks.send(self.acme, RESET, "kim")
        await self.checks.reaches(bounced, "bounced", "Bounce")
        found = await self.checks.suppression(self.acme, "kim", scope="tenant")
        if await self.checks.suppressions(self.zen, "kim"):
            raise Wrong(messages.suppressed_for_both(address=kim, tenant=self.acme.slug, other=self.zen.slug))
        return found

    async def _refused(self) -> str:
        return await self.checks.refused(self.acme, RESET, "kim", "bounce")

    async def _other_tenant(self) -> str:
        await self.checks.arrives(await self.checks.send(self.zen, RESET, "kim"))
        return messages.seen_in_ledger()

    async def _complaint(self) -> str:
        lee = self.checks.address("lee")
        await self.checks.ses.set_mailbox(lee, "complains", self.acme.key)
        complained = await self.checks.send(self.acme, NEWS, "lee")
        await self.checks.reaches(complained, "complained", "Complaint")
        # Only this mail is complained about: later mail is delivered.
        await self.checks.ses.set_mailbox(lee, "delivers", self.acme.key)
        await self.checks.suppression(self.acme, "lee", scope="class")
        return await self.checks.refused(self.acme, NEWS, "lee", "complain")

    async def _reset_arrives(self) -> str:
        await self.checks.arrives(await self.checks.send(self.acme, RESET, "lee"))
        return messages.seen_in_ledger_despite_complaint()

    async def _cordon(self) -> str:
        target = {"tenant": self.acme.slug, "class": "marketing"}
        preview = await self.checks.api.post(path("holds", "preview"), {**target, "action": "cordon"})
        named = sorted({str(lane.get("type")) for lane in children(preview, "lanes")})
        if named != [NEWS]:
            raise Wrong(messages.preview_wrong(named=", ".join(named), wanted=NEWS))
        hold = await self.checks.api.post(path("holds"), {**target, "because": messages.drill_reason()})
        held = await self.checks.send(self.acme, NEWS, "robin")
        if held.state != "held":
            raise Wrong(messages.mail_not_held(mail=held.name, state=held.state, hold=plain(hold.get("id"))))
        # These were sent later: when they have arrived, a newsletter that was not held would have arrived too.
        later = [
            await self.checks.send(self.acme, RESET, "robin"),
            await self.checks.send(self.zen, NEWS, "robin"),
        ]
        for one in later:
            await self.checks.arrives(one)
        if await self.checks.ledger_entry(held) is not None:
            raise Wrong(messages.mail_sent_despite_hold(mail=held.name, hold=plain(hold.get("id"))))
        now = await self.checks.delivery(held)
        if now.get("state") != "held":
            state = plain(now.get("state"))
            raise Wrong(messages.mail_not_held(mail=held.name, state=state, hold=plain(hold.get("id"))))
        return why.reason_of(now)

    async def _uncordon(self) -> str:
        target = {"tenant": self.acme.slug, "class": "marketing", "because": messages.drill_reason()}
        lifted = children(await self.checks.api.post(path("holds", "lift"), target), "lifted")
        if len(lifted) != 1:
            raise Wrong(messages.lifted_wrong_number(count=len(lifted)))
        held = next(one for one in self.checks.mails if one.state == "held")
        await self.checks.arrives(held)
        return messages.seen_in_ledger()

    async def _metrics(self) -> str:
        """One hard bounce in the resets of one tenant, one complaint about its newsletters, none elsewhere."""
        wanted = {
            (self.acme.slug, RESET): (1, 0),
            (self.acme.slug, NEWS): (0, 1),
            (self.zen.slug, RESET): (0, 0),
            (self.zen.slug, NEWS): (0, 0),
        }
        seen: dict[tuple[str, str], tuple[int, int]] = {}

        async def agree() -> bool | None:
            for sender in (self.acme, self.zen):
                rows = await self.checks.api.items(path("metrics"), {"tenant": sender.slug, "by": "lane"})
                for row in children(rows, "items"):
                    found = (int(row.get("hard_bounced") or 0), int(row.get("complained") or 0))
                    seen[sender.slug, str(row.get("type"))] = found
            return seen == wanted or None

        async def otherwise() -> str:
            found = [
                messages.lane_counts(tenant=slug, type=type_, bounces=bounces, complaints=complaints)
                for (slug, type_), (bounces, complaints) in sorted(seen.items())
            ]
            return messages.metrics_wrong(waited=self.checks.waited, found="; ".join(found))

        await self.checks.eventually(agree, otherwise)
        return messages.metrics_right(tenant=self.acme.slug)

    async def _culprits(self) -> str:
        otto = await onboarding.create(self.checks, f"otto-{self.checks.suffix}", dedicated=True)
        await onboarding.set_up(self.checks, otto)
        return await self.incidents.identified(culprit=self.acme, cut=otto, bystander=self.zen)

    async def _mitigated(self) -> str:
        return await self.incidents.mitigated(culprit=self.acme, bystander=self.zen)

    async def _ledger(self) -> str:
        wanted = {one.subject for one in self.checks.mails if one.state != "refused"}
        found: list[str] = []
        for sender in (self.acme, self.zen):
            entries = children(await self.checks.ses.sent(tenant=sender.key), "sent")
            found += [str(entry.get("subject")) for entry in entries]
        problems = (
            (messages.ledger_has_more, set(found) - wanted),
            (messages.ledger_lacks, wanted - set(found)),
            (messages.ledger_has_twice, {subject for subject in found if found.count(subject) > 1}),
        )
        for say, subjects in problems:
            if subjects:
                raise Wrong(say(subjects=", ".join(sorted(subjects))))
        return messages.ledger_right(accepted=len(found), refused=len(self.checks.mails) - len(found))
