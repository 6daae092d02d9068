"""Back-tests over HTTP: what a document of a policy would have done to recorded mail. Stores nothing; platform keys only."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from mailcordon.adapters.http import shapes, waiting_caller
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.shapes import Time
from mailcordon.control import lookup
from mailcordon.control.backtests import MOST_DAYS, Backtests
from mailcordon.control.views import Reads
from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.principal import READ
from mailcordon.guard.backtest import Kept, LaneResult, Stopped
from mailcordon.guard.backtest_job import Answer, Record
from mailcordon.guard.breaker.nouns import Decision, Dimension, Level
from mailcordon.guard.peers import PEERS
from mailcordon.messages import backtests as messages
from mailcordon.observe.breaker import words
from mailcordon.observe.breaker.records import Watched

MOST_LANES = 500  #: that are listed, the most mail held first
MOST_DECISIONS = 200  #: of a lane, the first ones
_MOST_MINUTES = MOST_DAYS * 1440


class BacktestBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A whole document of a policy, as it would be set."""

    document: dict[str, Any]
    minutes: Annotated[
        int, msgspec.Meta(ge=60, le=_MOST_MINUTES, description="Mail of the last so many.")
    ] = 43_200
    tenant: str | None = None  #: null: every tenant


class KeptItem(msgspec.Struct):
    mails: int  #: that would have waited
    good: int  #: of these, neither bounced hard nor were blocked or complained about
    longest_seconds: int
    waits: int  #: still wait at the end
    expired: int


class LimitEffect(msgspec.Struct):
    scope: str
    per: str
    cap: int
    mode: str
    owner: str
    because: str
    kept: KeptItem
    detail: str


class DecisionEffect(msgspec.Struct):
    at: Time
    level: str  #: warn, throttle or cordon
    over: bool  #: it ends what was decided before
    guilty: list[str]  #: such as list:bought; empty: the lane
    signal: str
    detail: str


class PeerStop(msgspec.Struct):
    peer: str
    at: Time
    events: int
    mails: int
    tenant_wide: bool


class LaneEffect(msgspec.Struct):
    tenant: str
    type: str
    class_: str = msgspec.field(name="class")
    mode: str  #: of the breaker
    sent: int
    bad: int
    detail: str
    warned: int
    throttled: int
    cordoned: int
    kept: KeptItem  #: by the breaker
    limits: list[LimitEffect]
    decisions: list[DecisionEffect]
    peers: list[PeerStop]


class PeerTotal(msgspec.Struct):
    peer: str
    title: str
    stops: str  #: tenant or lane
    number: int  #: tenants or lanes that it would have stopped at least once
    times: int
    detail: str


class BacktestView(msgspec.Struct):
    detail: str
    since: Time
    until: Time
    exact_since: Time  #: of mail since then it is known when each count came
    minutes_since: Time  #: of mail before then only the hour is known
    lanes: int  #: that were tested
    sent: int
    kept: int
    good: int  #: of the mail kept
    items: list[LaneEffect]  #: lanes of which anything is to be said, at most 500
    left_off: int  #: more of these
    peers: list[PeerTotal]
    notes: list[str]


def routes(reads: Reads, backtests: Backtests) -> list[HTTPRouteHandler]:
    @post(
        "/v1/policy/backtest",
        summary="Say what a policy would have done to the mail of the last weeks. Stores nothing",
        tags=["policy"],
        status_code=200,
    )
    async def backtest(request: AnyRequest, data: JSONBody[BacktestBody]) -> BacktestView:
        platform_principal(request, READ)
        tenant = None if data.tenant is None else await lookup.tenant_id(reads, data.tenant)
        try:
            work = backtests.test(data.document, tenant=tenant, minutes=data.minutes)
            record, answer = await waiting_caller.while_waiting(request.receive, work, messages.hung_up())
        except Invalid as problem:
            raise _in_document(problem) from None
        return _view(record, answer)

    return [backtest]


def _in_document(problem: Invalid) -> Invalid:
    return Invalid(
        *(
            one if one.field == "minutes" else Fault(f"document.{one.field}", one.problem, one.code)
            for one in problem.faults
        )
    )


def _view(record: Record, answer: Answer) -> BacktestView:
    touched = sorted(
        (one for one in answer.results if _says(one)),
        key=lambda one: (-_total(one).mails, -len(one.decisions), one.lane.name),
    )
    kept, good = (sum(getattr(_total(one), name) for one in touched) for name in ("mails", "good"))
    sent = sum(one.sent for one in answer.results)
    since = record.since * 60_000
    return BacktestView(
        detail=messages.summary(
            lanes=len(answer.results),
            touched=sum(bool(one.decisions or _total(one).mails) for one in touched),
            sent=sent,
            kept=kept,
            good=good,
            since=since,
        ),
        since=shapes.iso_ms(since),
        until=shapes.iso_ms(record.until * 60_000),
        exact_since=shapes.iso_ms(record.exact_since * 60_000),
        minutes_since=shapes.iso_ms(record.minutes_since * 60_000),
        lanes=len(answer.results),
        sent=sent,
        kept=kept,
        good=good,
        items=[_lane(one) for one in touched[:MOST_LANES]],
        left_off=max(0, len(touched) - MOST_LANES),
        peers=_peers(answer.results),
        notes=[
            messages.how_exact(minutes=record.minutes_since * 60_000, exact=record.exact_since * 60_000),
            *(messages.left_out(scope=row.scope, per=row.per, cap=row.cap) for row in answer.left_out),
        ],
    )


def _says(one: LaneResult) -> bool:
    return bool(one.decisions or one.limits or one.shadow or one.peers or one.breaker.mails)


def _total(one: LaneResult) -> Kept:
    every = [one.breaker, *(kept for _, kept in one.limits.values())]
    return Kept(
        mails=sum(kept.mails for kept in every),
        good=sum(kept.good for kept in every),
        longest=max(kept.longest for kept in every),
        waits=sum(kept.waits for kept in every),
        expired=sum(kept.expired for kept in every),
    )


def _lane(one: LaneResult) -> LaneEffect:
    lane, total = one.lane, _total(one)
    watched = Watched(facts=lane.facts, slug=lane.slug, policy=lane.mode)
    return LaneEffect(
        tenant=lane.slug,
        type=lane.facts.type,
        class_=lane.facts.class_.word,
        mode=lane.mode.value,
        sent=one.sent,
        bad=one.bad,
        detail=messages.lane(
            of=lane.name,
            sent=one.sent,
            bad=one.bad,
            kept=total.mails,
            good=total.good,
            longest=total.longest,
            waits=total.waits,
            expired=total.expired,
        ),
        warned=one.count(Level.WARN),
        throttled=one.count(Level.THROTTLE),
        cordoned=one.count(Level.CORDON),
        kept=_kept(one.breaker),
        limits=[*_limits(one)],
        decisions=[_decision(each, watched) for each in one.decisions[:MOST_DECISIONS]],
        peers=[_stop(stop) for stop in one.peers],
    )


def _kept(kept: Kept) -> KeptItem:
    return KeptItem(kept.mails, kept.good, kept.longest, kept.waits, kept.expired)


def _limits(one: LaneResult) -> Iterable[LimitEffect]:
    found = [(limit, kept, False) for limit, kept in one.limits.values()]
    found += [(limit, Kept(mails=over), True) for limit, over in one.shadow.values()]
    for limit, kept, shadow in found:
        yield LimitEffect(
            scope=limit.scope.value,
            per=limit.per.value,
            cap=limit.cap,
            mode=limit.mode.value,
            owner=limit.owner,
            because=limit.because,
            kept=_kept(kept),
            detail=messages.limit(
                cap=limit.cap,
                per=limit.per.value,
                scope=limit.scope.value,
                held=kept.mails,
                good=kept.good,
                shadow=shadow,
            ),
        )


def _decision(one: Decision, lane: Watched) -> DecisionEffect:
    guilty = [each for each in one.guilty if each.dimension is not Dimension.LANE]
    did = messages.acted(
        level=int(one.level),
        guilty=[(each.dimension.value, each.value) for each in guilty],
        mode=lane.policy.value,
        over=one.over,
    )
    saw = words.ended(one, None) if one.over else words.seen(one, lane)
    return DecisionEffect(
        at=shapes.iso_ms(one.minute * 60_000),
        level=one.level.name.lower(),
        over=one.over,
        guilty=[f"{each.dimension}:{each.value}" for each in guilty],
        signal=one.signal.value,
        detail=f"{did}. {saw}",
    )


def _stop(stop: Stopped) -> PeerStop:
    return PeerStop(stop.peer.name, shapes.iso_ms(stop.at * 1000), stop.events, stop.mails, stop.tenant_wide)


def _peers(results: Sequence[LaneResult]) -> list[PeerTotal]:
    found: list[PeerTotal] = []
    for peer in PEERS:
        stopped = [(one, stop) for one in results for stop in one.peers if stop.peer.name == peer.name]
        whose = {
            one.lane.facts.tenant if peer.stops == "tenant" else one.lane.facts.lane for one, _ in stopped
        }
        found.append(
            PeerTotal(
                peer=peer.name,
                title=peer.title,
                stops=peer.stops,
                number=len(whose),
                times=len(stopped),
                detail=messages.peer(
                    title=peer.title, stops=peer.stops, lanes=len(whose), times=len(stopped)
                ),
            )
        )
    return found
