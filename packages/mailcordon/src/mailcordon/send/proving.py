"""Sends the mails of proofs (docs/proofs.md): one round a second, which is one look at an empty index while nobody asks.

A proof's mail is called once. The intent is committed before the call; a mail whose dispatcher died, or whose call had no clear
answer, is never called again: its events say what became of it. Only an answer that certainly means "not accepted, try again"
puts it back. Like a canary it takes no way that mail may not take, and places no stop: a proof changes nothing for the lane.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from mailcordon.core import ids
from mailcordon.core.path_choice import ISOLATED
from mailcordon.core.priority import Class
from mailcordon.core.proof import What
from mailcordon.core.route import Route
from mailcordon.send import compose, refusals
from mailcordon.send.canary import Identity
from mailcordon.send.ports import ProofMail, ProvingStore, QueueStore
from mailcordon.send.refusals import Answer, Next, Sender

log: Any = structlog.get_logger()

MOST = 8  #: mails of a round, sent together
LOOK_AT = 200  #: mails that wait, of which the first that may leave are sent: those of a held lane must not keep others back
_AGAIN = (Next.THROTTLED, Next.AGAIN)


@dataclass(kw_only=True)
class Proving:
    """`may_use`: whether mail may leave over a route now, asked right before each call."""

    store: ProvingStore
    queue: QueueStore
    cell: str
    identity: Identity
    call: Callable[[bytes, Callable[[], bool]], Awaitable[Answer]]
    may_use: Callable[[Route], bool]

    async def once(self) -> None:
        asked = await self.store.asked(LOOK_AT)
        if not asked:
            return
        routes = await self.queue.lane_routes(sorted({mail.lane for mail in asked}))
        routes = {lane: route.of(ISOLATED) for lane, route in routes.items()}
        may = [
            (mail, route)
            for mail in asked
            if (route := routes.get(mail.lane)) is not None and self.may_use(route)
        ][:MOST]
        await asyncio.gather(*(self._send(mail, route) for mail, route in may))

    async def _send(self, mail: ProofMail, route: Route) -> None:
        urgent = route.lane.class_ is Class.URGENT
        grant, _ = await self.queue.take_tokens(self.cell, 1, urgent=urgent)
        if grant.calls < 1:
            return  # the account's rate is used up: a round comes every second
        called_at = await self.store.begin(mail, route)
        if called_at is None:
            await self.queue.return_tokens(self.cell, 1)
            return
        answer = await self.call(self._body(mail, route, called_at), lambda: self.may_use(route))
        if mail.what is not What.REJECT or answer.status != 200:
            await self.queue.return_tokens(self.cell, 1, of_rate=False)  # the simulator uses no quota
        await self._record(mail, route, answer)

    def _body(self, mail: ProofMail, route: Route, called_at: int) -> bytes:
        return compose.call(
            compose.proof_content(route.domain, mail.what),
            to=compose.proof_recipient(ids.encode(mail.id), mail.what),
            ses_tenant=route.ses_tenant,
            configuration_set=route.configuration_set,
            key=self.identity.mac_key,
            attempt=self.identity.attempt(route, mail.id, 0, called_at, canary=True),
        )

    async def _record(self, mail: ProofMail, route: Route, answer: Answer) -> None:
        if answer.code == refusals.WITHDRAWN:
            await self.store.put_back(mail, None)
            return
        # The first attempt: an association that SES does not see yet is waited for, within the proof's time limit.
        verdict = refusals.decide(answer, 1, Sender(route.domain, route.configuration_set))
        if verdict.next in _AGAIN:
            await self.store.put_back(mail, verdict.detail)
        elif verdict.next is Next.SENT:
            await self.store.answered(mail, "accepted", ses_id=verdict.ses_id, said=None)
        else:
            state = "unknown" if verdict.next is Next.UNKNOWN else "refused"
            log.warning("SES did not take a mail of a proof", delivery=ids.delivery_id(mail.id), state=state)
            await self.store.answered(mail, state, ses_id=None, said=verdict.detail)
