"""One claimed delivery: decide, call SES, hand the result over for recording. Nothing else calls SES's send for mail.

Holds and stops are checked in memory right before each call.
"""

import asyncio
import functools
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog

from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon.core.log_limit import LogLimit
from mailcordon.core.priority import CLASS_DEFAULTS, Class
from mailcordon.core.reason import Reason
from mailcordon.core.route import Route
from mailcordon.core.stop import Stop, StopScope
from mailcordon.messages import providers, reasons
from mailcordon.messages import unsubscribe as unsubscribe_messages
from mailcordon.send import compose, decide, refusals, slots
from mailcordon.send.canary import Identity
from mailcordon.send.facts import DispatchFacts
from mailcordon.send.holds import Holds
from mailcordon.send.moves import Claimed, Defer, Finish, Requeue, Why
from mailcordon.send.ports import QueueStore, Sender
from mailcordon.send.refusals import Answer, Next, Verdict
from mailcordon.send.results import Results, Slots
from mailcordon.send.room import Room
from mailcordon.send.stops import Stops
from mailcordon.send.tokens import Tokens
from mailcordon.send.unsubscribe import Links
from mailcordon.send.window import Window

log: Any = structlog.get_logger()

THROTTLE_WINDOW = 1.0  #: seconds; throttling answers within it lower the rate once
NO_ROUTE_RETRY_MS = 5_000
LOOK_UP_WAITS = 10  #: attempts in which a mail waits for the look-up of its mailbox provider
LOOK_UP_WAIT_MS = 3_000
LARGE_WAIT = (
    10.0  #: seconds in which a large mail waits for room; with its call less than every grace (priority.py)
)
NOTED_ATTEMPTS = 5  #: of a mail that is set aside: the timeline must not grow with each retry


class Loop(NamedTuple):
    """What the deliveries of one claiming loop share."""

    slots: Slots
    tokens: Tokens
    large: Room


@dataclass(kw_only=True)
class Calling:
    """Delivers claimed mail. Every delivery ends in exactly one call of `results`."""

    store: QueueStore
    ses: Sender
    identity: Identity
    holds: Holds
    stops: Stops
    window: Window
    results: Results
    links: Links | None = None  #: to unsubscribe; None: there are none
    stopping: bool = False
    last_call: tuple[int, Route] | None = None  #: delivery and route, for the canary of a stopped window
    facts: DispatchFacts = field(default_factory=DispatchFacts)
    _slowed_at: float = float("-inf")
    _set_aside_logged: LogLimit = field(default_factory=LogLimit)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def begin(self, claim: Claimed, route: Route | None, loop: Loop, ended: Callable[[], None]) -> None:
        """`deliver`, without a task if the content is here and a connection is free. `ended` is called once when the result is
        handed over, perhaps at once."""
        if (claim.large and route is not None) or not self.ses.ready:
            self._in_task(self.deliver(claim, route, loop), ended)
            return
        body = self._prepared(claim, route, loop, self._request)
        if body is None or route is None:
            ended()
            return
        began = self.window.clock()
        self.last_call = (claim.id, route)
        done = functools.partial(self._answered, claim, route, loop, began, ended)
        try:
            started = self.ses.start(body, functools.partial(self._permitted, claim, route), done)
        except Exception as problem:
            done(problem)
            return
        if not started:  # a task decides again, since it begins later
            self._in_task(self.deliver(claim, route, loop), ended)

    def _answered(
        self,
        claim: Claimed,
        route: Route,
        loop: Loop,
        began: float,
        ended: Callable[[], None],
        outcome: Answer | Exception,
    ) -> None:
        if isinstance(outcome, Exception):
            self._failed(claim, route, Answer(-1), outcome, loop, began)
            ended()
            return
        try:
            if not self._record(claim, route, outcome, loop, began):
                self._in_task(self._throttled(claim, loop), ended)
                return
        except Exception as problem:
            self._failed(claim, route, outcome, problem, loop, began)
        ended()

    def _in_task(self, work: Coroutine[Any, Any, None], ended: Callable[[], None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: ended())

    async def deliver(self, claim: Claimed, route: Route | None, loop: Loop) -> None:
        """Records one result, whatever fails: the delivery is neither lost nor stuck as `sending`.

        Its outcome is unknown only if the request may have been written.
        """
        if not claim.large or route is None:
            await self._deliver(claim, route, loop, self._request)
            return
        try:
            await loop.large.take(claim.large, within=LARGE_WAIT)
        except TimeoutError:
            self.put_back([claim], loop)  # else it would be called much later than its attempt says
            return
        try:
            await self._deliver_large(claim, route, loop)
        finally:
            loop.large.give_back(claim.large)

    async def _deliver_large(self, claim: Claimed, route: Route, loop: Loop) -> None:
        """Its content is read and worked on in parts or in a thread, so that other calls need not wait."""
        try:
            parts = await self.store.large_content(ids.message_of(claim.id))
            claim = claim._replace(content=b"" if parts else None)
            body = await asyncio.to_thread(self._large_request, claim, route, parts) if parts else None
            del parts
        except Exception as problem:
            self._defer_after_error(claim, problem, loop)
            loop.tokens.keep(1)
            return
        await self._deliver(claim, route, loop, lambda claim, route: body)

    def _large_request(self, claim: Claimed, route: Route, parts: Sequence[bytes]) -> bytes | None:
        return self._request(claim._replace(content=b"".join(parts)), route)

    async def _deliver(
        self,
        claim: Claimed,
        route: Route | None,
        loop: Loop,
        request: Callable[[Claimed, Route], bytes | None],
    ) -> None:
        body = self._prepared(claim, route, loop, request)
        if body is None or route is None:
            return
        began = self.window.clock()
        answer = Answer(-1)
        try:
            self.last_call = (claim.id, route)
            answer = await self.ses.send_email(body, functools.partial(self._permitted, claim, route))
            if not self._record(claim, route, answer, loop, began):
                await self._throttled(claim, loop)
        except Exception as problem:
            self._failed(claim, route, answer, problem, loop, began)

    def _prepared(
        self,
        claim: Claimed,
        route: Route | None,
        loop: Loop,
        request: Callable[[Claimed, Route], bytes | None],
    ) -> bytes | None:
        """The body of the call. None if there is to be none; then its result is handed over."""
        try:
            if route is None:
                self._defer_without_route(claim, loop)
                body = None
            elif self._settled_without_call(claim, route, loop):
                body = None
            else:
                body = request(claim, route)
                if body is None:
                    self._defer_without_link(claim, loop)
        except Exception as problem:
            self._defer_after_error(claim, problem, loop)
            body = None
        if body is None:
            loop.tokens.keep(1)  # only calls spend them
        return body

    def _failed(
        self, claim: Claimed, route: Route, answer: Answer, problem: Exception, loop: Loop, began: float
    ) -> None:
        """An internal error in a call, or after it."""
        if answer.status == 0 or 300 <= answer.status < 500:
            self._defer_after_error(claim, problem, loop)
            return
        log.error(
            "a call failed with an internal error", delivery=ids.delivery_id(claim.id), exc_info=problem
        )
        self._unclear(claim, route, loop, reasons.internal_error(type(problem).__name__), began)

    def put_back(self, claims: Sequence[Claimed], loop: Loop) -> None:
        """Requeues claimed mail without calls."""
        loop.tokens.keep(len(claims))
        for claim in claims:
            self.results.requeue(loop.slots, Requeue(claim))

    def _defer_after_error(self, claim: Claimed, problem: Exception, loop: Loop) -> None:
        """SES certainly does not have the mail. It is retried until it expires."""
        log.exception("a delivery failed with an internal error", delivery=ids.delivery_id(claim.id))
        defer = Defer(
            claim=claim,
            why=Why.RETRY,
            code=Reason.RETRY,
            reason=reasons.internal_error_before_call(type(problem).__name__),
            until=claim.called_at + refusals.set_aside_ms(claim.attempt),
            note=Reason.RETRY if claim.attempt <= NOTED_ATTEMPTS else None,
        )
        self.results.defer(loop.slots, defer)

    def _defer_without_route(self, claim: Claimed, loop: Loop) -> None:
        """The lane lost its route after accept. The mail stays queued until someone restores the route."""
        self.results.defer(
            loop.slots,
            Defer(
                claim=claim,
                why=Why.RETRY,
                code=Reason.NO_ROUTE,
                reason=reasons.route_missing(),
                until=claim.called_at + NO_ROUTE_RETRY_MS,
                note=Reason.NO_ROUTE,
            ),
        )

    def _defer_without_link(self, claim: Claimed, loop: Loop) -> None:
        """The mail needs a link to unsubscribe, and this dispatcher cannot make one. It waits until somebody sets the address."""
        self.results.defer(
            loop.slots,
            Defer(
                claim=claim,
                why=Why.RETRY,
                code=Reason.RETRY,
                reason=unsubscribe_messages.no_address_for_links(),
                until=claim.called_at + refusals.set_aside_ms(claim.attempt),
                note=Reason.RETRY if claim.attempt <= NOTED_ATTEMPTS else None,
            ),
        )

    def _settled_without_call(self, claim: Claimed, route: Route, loop: Loop) -> bool:
        """Carries out the decision. Returns False if SES is to be called."""
        may_start = self._may_start(claim, route)
        decision = decide.before_call(
            decide.CallFacts(
                may_start=may_start,
                hold=self.holds.narrow_hold(claim, route, claim.called_at) if may_start else None,
                has_content=claim.content is not None and bool(claim.to),
                row=claim.facts,
                unlearnt=self._unlearnt(claim, route) if may_start else None,
                path_stop=self._path_stop(claim, route),
            )
        )
        if decision.state is State.SENDING:
            return False
        if decision.state is State.READY:
            self.results.requeue(loop.slots, Requeue(claim))
            return True
        assert decision.reason is not None
        if decision.why is not None:
            defer = Defer(
                claim=claim,
                why=decision.why,
                code=decision.reason,
                reason=decision.sentence,
                until=decision.until,
                hold=decision.hold,
            )
            self.results.defer(loop.slots, defer)
        else:
            self._finish(claim, route, loop, decision.state, decision.reason, decision.sentence)
        return True

    def _unlearnt(self, claim: Claimed, route: Route) -> decide.Unlearnt | None:
        """A hold on a mailbox provider waits for a look-up a few times. Mail to a domain whose DNS is broken then leaves: the
        hold is about a provider, and nothing says that this is one of its domains."""
        if claim.attempt > LOOK_UP_WAITS:
            return None
        hold = self.holds.possible_hold(claim, route, claim.called_at)
        if hold is None or hold.target.provider is None:
            return None
        domain = claim.to.rpartition("@")[2]
        sentence = providers.hold_may_cover(domain, hold.target.provider.word)
        return decide.Unlearnt(sentence, claim.called_at + LOOK_UP_WAIT_MS)

    def _may_start(self, claim: Claimed, route: Route) -> bool:
        return self._lane_may_start(claim) and not self.stops.stops_route(route)

    def _lane_may_start(self, claim: Claimed) -> bool:
        return (
            self.holds.fresh
            and not self.holds.holds_lane(claim.lane)
            and not self.stops.stopped
            and not self.window.stopped
            and not self.stopping
        )

    def _path_stop(self, claim: Claimed, route: Route) -> Stop | None:
        """The stop of this mail's path, if its lane has another path. Back at the head of its lane it would be claimed again at
        once."""
        if not route.of_two or not self._lane_may_start(claim):
            return None
        return self.stops.of_path(route)

    def _request(self, claim: Claimed, route: Route) -> bytes | None:
        """None if it needs a link to unsubscribe that cannot be made."""
        assert claim.content is not None
        one_click = CLASS_DEFAULTS[route.lane.class_].one_click
        recipient, offer = ids.recipient_of(claim.id), None
        wanted = one_click and compose.wants_link(claim.content, recipient, one_click=True)
        if wanted or claim.content[0] == slots.FRAME:
            links = self.links
            offer = links and links.offer(
                route.lane.id, claim.to, route.unsubscribe_host, one_click=one_click
            )
            if offer is None and (
                wanted or compose.wants_link(claim.content, recipient, one_click=one_click)
            ):
                return None
        return compose.call(
            claim.content,
            to=claim.to,
            ses_tenant=route.ses_tenant,
            configuration_set=route.configuration_set,
            key=self.identity.mac_key,
            attempt=self.identity.attempt(route, claim.id, claim.attempt, claim.called_at),
            unsubscribe=offer,
            domain=route.domain if claim.two_paths else None,
        )

    def _permitted(self, claim: Claimed, route: Route) -> bool:
        return self._may_start(claim, route) and self.holds.narrow_hold(claim, route, claim.called_at) is None

    async def _throttled(self, claim: Claimed, loop: Loop) -> None:
        await self._slow_down()
        self.results.requeue(loop.slots, Requeue(claim))

    def _record(self, claim: Claimed, route: Route, answer: Answer, loop: Loop, began: float) -> bool:
        """Hands its result over. False: not yet, since SES throttles. `began`: when the call began, by the window's clock."""
        self.facts.call_seconds.add(self.window.clock() - began)
        if answer.code == refusals.WITHDRAWN:
            loop.tokens.keep(1)
            self.results.requeue(loop.slots, Requeue(claim))
            return True
        sender = refusals.Sender(route.domain, route.configuration_set)
        verdict = refusals.decide(answer, claim.attempt, sender)
        if verdict.next is not Next.UNKNOWN and verdict.scope is not StopScope.WORKER:
            self.window.answered(began)
        match verdict.next:
            case Next.SENT:
                urgent = route.lane.class_ is Class.URGENT
                self.facts.success(claim.called_at, ids.ms_of(claim.id), urgent=urgent)
                self.stops.accepted()
                self._finish(claim, route, loop, State.SENT, verdict.reason, verdict.detail, verdict.ses_id)
            case Next.DEAD:
                self._finish(claim, route, loop, State.REJECTED_AT_CALL, verdict.reason, verdict.detail)
            case Next.UNKNOWN:
                self._unclear(claim, route, loop, verdict.detail, began)
            case Next.THROTTLED:
                loop.tokens.lapse()
                return False
            case Next.AGAIN:
                defer = Defer(
                    claim=claim,
                    why=Why.RETRY,
                    code=verdict.reason,
                    reason=verdict.detail,
                    until=claim.called_at + verdict.after_ms,
                    note=Reason.RETRY,
                )
                self.results.defer(loop.slots, defer)
            case Next.SET_ASIDE:
                self._set_aside(claim, verdict, loop)
            case Next.STOP:
                self.stops.refused(verdict, route)
                self.results.requeue(loop.slots, Requeue(claim))
        return True

    def _unclear(self, claim: Claimed, route: Route, loop: Loop, sentence: str, began: float) -> None:
        if self.window.unclear(sentence, began):
            log.error("calls to SES stopped", because=self.window.because)
            self.stops.outage(self.window.outage)
        self.results.defer(loop.slots, _unknown(claim, route, sentence))

    def _set_aside(self, claim: Claimed, verdict: Verdict, loop: Loop) -> None:
        """SES refused this mail in words that do not speak of it. The lane goes on; the mail is retried until it expires."""
        self.facts.set_aside += 1
        if times := self._set_aside_logged.count(verdict.code):
            log.error(
                "SES refused a mail with an unknown error; it is set aside and its lane goes on",
                delivery=ids.delivery_id(claim.id),
                attempt=claim.attempt,
                code=verdict.code,
                said=verdict.said,
                times=times,
            )
        defer = Defer(
            claim=claim,
            why=Why.RETRY,
            code=verdict.reason,
            reason=verdict.detail,
            until=claim.called_at + verdict.after_ms,
            note=verdict.reason if claim.attempt <= NOTED_ATTEMPTS else None,
        )
        self.results.defer(loop.slots, defer)

    def _finish(
        self,
        claim: Claimed,
        route: Route,
        loop: Loop,
        state: State,
        reason: Reason,
        detail: str,
        ses_id: str | None = None,
    ) -> None:
        forget = not CLASS_DEFAULTS[route.lane.class_].keeps_content
        self.results.finish(loop.slots, Finish(claim, state, reason, detail, ses_id, forget))

    async def _slow_down(self) -> None:
        """Lowers the rate once for all calls that were on the wire together."""
        now = time.monotonic()
        if now - self._slowed_at >= THROTTLE_WINDOW:
            self._slowed_at = now
            await self._log_failure(self.store.cut_rate(self.window.name))

    async def _log_failure(self, asked: Coroutine[Any, Any, None]) -> None:
        try:
            await asked
        except Exception as problem:
            log.error("a result could not be recorded; the mail goes back to its queue", problem=str(problem))
            await asyncio.sleep(1)


def _unknown(claim: Claimed, route: Route, sentence: str) -> Defer:
    return Defer(
        claim=claim,
        why=Why.UNKNOWN,
        code=Reason.OUTCOME_UNKNOWN,
        reason=sentence,
        note=Reason.OUTCOME_UNKNOWN,
        configuration_set=route.configuration_set,
    )
