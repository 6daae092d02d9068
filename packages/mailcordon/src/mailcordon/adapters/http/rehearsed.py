"""A rehearsal as it is shown: what would be stopped and when, who would be told, what others would lose, beside what would happen
otherwise, and how far all that can be trusted."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from mailcordon.adapters.http import rehearsed_stops, shapes
from mailcordon.adapters.http.rehearsed_stops import StopItem
from mailcordon.adapters.http.shapes import Time
from mailcordon.control.rehearsals import Rehearsed
from mailcordon.core.limit import Mode
from mailcordon.core.provider import Provider
from mailcordon.guard.breaker.nouns import Level
from mailcordon.guard.rehearsal.change import BoughtList, Rollout
from mailcordon.guard.rehearsal.job import OfList, OfMove
from mailcordon.guard.rehearsal.move import Moved
from mailcordon.guard.rehearsal.play import Played
from mailcordon.guard.rehearsal.reactions import Tally
from mailcordon.guard.rehearsal.trust import Trust
from mailcordon.guard.rehearsal.week import Way, Week
from mailcordon.messages import rehearsals as messages
from mailcordon.messages import times

MOST_STOPS = 200  #: that are listed
MOST_THIN = 20  #: lanes with too little mail that are listed
_NAMES = ("sent", "delivered", "bounces", "complaints")


class OthersItem(msgspec.Struct):
    """Mail of tenants of one relation to the list's lane. Shares of the mail that they want to send; `had`: in a week without
    it."""

    relation: str  #: domain, pool, shared, strangers, or own: the tenant's other mail
    tenants: int
    mails: int
    delivered: float
    inbox: float
    had_delivered: float
    had_inbox: float
    lost: float  #: inbox mails that they lose
    detail: str


class OutcomeView(msgspec.Struct):
    detail: str
    mails_out: int
    bounces: int
    complaints: int  #: that are reported
    refused: float  #: by what providers think of the sender
    inbox: float
    first_out: Time | None
    last_out: Time | None
    account: str  #: healthy, review or paused
    account_at: Time | None
    others: list[OthersItem]


class ListView(msgspec.Struct):
    begins: Time
    mails: int
    providers: dict[str, float]  #: shares of the list
    stopped_after_seconds: int | None  #: from its first mail; null: nothing stops it
    with_policy: OutcomeView
    doing_nothing: OutcomeView


class StepItem(msgspec.Struct):
    at: Time
    share: int
    mails: int  #: on the new path before
    detail: str


class MovedView(msgspec.Struct):
    detail: str
    share: int
    back: bool
    ended: Time
    mails: int  #: on the new path
    steps: list[StepItem]
    waits: str  #: what keeps it at the end


class MoveView(msgspec.Struct):
    planned: MovedView
    faulty: MovedView | None  #: with a fault that the document does not name
    delivered: float
    inbox_share: float  #: of what is delivered
    inbox_share_staying: float
    detail: str


class RepeatedItem(msgspec.Struct):
    what: str
    recorded: int
    played: float
    within: bool


class TrustView(msgspec.Struct):
    sound: bool  #: a week without the change comes out as last week was
    repeated: list[RepeatedItem]
    mails: int
    lanes: int
    thin_providers: dict[str, int]  #: mails
    thin_lanes: list[str]  #: at most 20, those with the least mail first
    notes: list[str]  #: all of it as sentences


class RehearsalView(msgspec.Struct):
    detail: str
    kind: str  #: bought_list or rollout
    since: Time  #: the coming week
    until: Time
    bought_list: ListView | None
    rollout: MoveView | None
    stops: list[StopItem]
    left_off: int  #: more stops
    owner_group: str | None  #: of the tenant
    trust: TrustView


def view(found: Rehearsed) -> RehearsalView:
    change, answer = found.change, found.answer
    week, of = answer.week, answer.found
    slug = change.tenant
    tenant = next(one.facts.tenant for one in week.lanes if one.slug == slug)
    notes = _notes(answer.trust)
    if isinstance(of, OfList):
        assert isinstance(change, BoughtList)
        stops = [*rehearsed_stops.stops(of.guarded, of.quiet, found.people, of)]
        listed = _list(week, of)
        move = None
        detail = messages.of_list(
            tenant=slug,
            type=change.type,
            wanted=listed.mails,
            out=listed.with_policy.mails_out,
            nothing=listed.doing_nothing.mails_out,
            stopped=None if listed.stopped_after_seconds is None else listed.stopped_after_seconds // 60,
            others=_lost(listed.with_policy),
            others_nothing=_lost(listed.doing_nothing),
        )
        notes += [messages.does_not_know_list(), messages.does_not_know_providers(), messages.does_not_play()]
        notes += [messages.left_out(scope=row.scope, per=row.per, cap=row.cap) for row in of.guarded.left_out]
        if next(one.mode for one in week.lanes if one.facts.lane == of.lane) is not Mode.ENFORCE:
            notes.insert(0, messages.only_says())
    else:
        assert isinstance(change, Rollout)
        stops = [*rehearsed_stops.stops(of.quiet, of.quiet, found.people, None)]
        listed = None
        move = _move(of, change)
        detail = move.planned.detail
        notes += [messages.checklist_taken(), messages.does_not_know_providers()]
    people = found.people.get(tenant)
    return RehearsalView(
        detail=detail,
        kind="bought_list" if listed else "rollout",
        since=_time(week.since),
        until=_time(week.until),
        bought_list=listed,
        rollout=move,
        stops=stops[:MOST_STOPS],
        left_off=max(0, len(stops) - MOST_STOPS),
        owner_group=None if people is None else people.owner_group,
        trust=_trust(answer.trust, notes),
    )


# A bought list ------------------------------------------------------------------------------------------------------------


def _list(week: Week, of: OfList) -> ListView:
    first = of.guarded.reactions.first_out or of.begins
    times_of = [at for at in (_stopped_at(of), *(c.minute for c in of.guarded.closed)) if at is not None]
    return ListView(
        begins=_time(of.begins),
        mails=of.guarded.list_mails,
        providers={Provider(provider).word: round(share, 4) for provider, share in of.mix.items()},
        stopped_after_seconds=60 * (min(times_of) - first) if times_of else None,
        with_policy=_outcome(week, of, of.guarded, of.quiet, policy=True),
        doing_nothing=_outcome(week, of, of.unguarded, of.untouched, policy=False),
    )


def _stopped_at(of: OfList) -> int | None:
    """When the breaker holds mail of the lane that it did not hold without the list."""
    result = next((one for one in of.guarded.results if one.lane.facts.lane == of.lane), None)
    if result is None or result.lane.mode is not Mode.ENFORCE:
        return None
    seen = rehearsed_stops.keys(of.quiet)
    return next(
        (
            one.minute
            for one in result.decisions
            if one.level is Level.CORDON and not one.over and rehearsed_stops.key(one) not in seen
        ),
        None,
    )


def _outcome(week: Week, of: OfList, played: Played, without: Played, *, policy: bool) -> OutcomeView:
    reactions = played.reactions
    last = reactions.account.changes[-1] if reactions.account.changes else None
    status = reactions.account.status
    own = reactions.listed
    return OutcomeView(
        detail=messages.outcome(
            policy=policy,
            out=own.sent,
            wanted=played.list_mails,
            bounces=own.bounces,
            complaints=own.complaints,
            inbox=own.inbox,
            first=reactions.first_out,
            last=reactions.last_out,
            status=status.name,
            after=None if last is None else last.minute - of.begins,
        ),
        mails_out=own.sent,
        bounces=own.bounces,
        complaints=own.complaints,
        refused=round(own.blocks, 1),
        inbox=round(own.inbox, 1),
        first_out=None if reactions.first_out is None else _time(reactions.first_out),
        last_out=None if reactions.last_out is None else _time(reactions.last_out),
        account=status.name.lower(),
        account_at=None if last is None else _time(last.minute),
        others=[*_others(week, of, played, without, policy=policy)],
    )


def relation(ways: Mapping[int, Way], of: Way, tenants: Mapping[int, int], culprit: int, lane: int) -> str:
    """What a lane has in common with the lane of the list, the closest first."""
    if tenants[lane] == tenants[culprit]:
        return "own"
    way = ways.get(lane)
    if way is None:
        return "strangers"
    if way.domain == of.domain:
        return "domain"
    if way.pool == of.pool:
        return "pool" if of.pool else "shared"
    return "strangers"


def _others(week: Week, of: OfList, played: Played, without: Played, *, policy: bool) -> Iterable[OthersItem]:
    tenants = {one.facts.lane: one.facts.tenant for one in week.lanes}
    way = played.reactions.way(of.lane)
    sums: defaultdict[str, tuple[Tally, Tally, set[int]]] = defaultdict(lambda: (Tally(), Tally(), set()))
    for lane in tenants:
        now, had, whose = sums[relation(week.ways, way, tenants, of.lane, lane)]
        now.add(played.reactions.tallies.get(lane, Tally()))
        had.add(without.reactions.tallies.get(lane, Tally()))
        whose.add(tenants[lane])
    for name in ("domain", "pool", "shared", "strangers", "own"):
        if name not in sums or not sums[name][1].sent:
            continue
        now, had, whose = sums[name]
        shares = [round(part / had.sent, 6) for part in (now.delivered, now.inbox, had.delivered, had.inbox)]
        yield OthersItem(
            relation=name,
            tenants=len(whose),
            mails=had.sent,
            delivered=shares[0],
            inbox=shares[1],
            had_delivered=shares[2],
            had_inbox=shares[3],
            lost=round(had.inbox - now.inbox, 1),
            detail=messages.others(
                relation=name,
                tenants=len(whose),
                sent=had.sent,
                delivered=shares[0],
                had_delivered=shares[2],
                inbox=shares[1],
                had_inbox=shares[3],
                policy=policy,
            ),
        )


def _lost(outcome: OutcomeView) -> float:
    return max(0.0, sum(one.lost for one in outcome.others if one.relation != "own"))


# A rollout ----------------------------------------------------------------------------------------------------------------


def _move(of: OfMove, change: Rollout) -> MoveView:
    planned = of.planned
    delivered = max(1e-9, planned.delivered)
    share, staying = planned.inbox / delivered, planned.inbox_staying / delivered
    return MoveView(
        planned=_moved(
            planned,
            messages.of_move(
                change.tenant, list(change.types), planned.share, planned.back, _duration(planned)
            ),
        ),
        faulty=None if of.faulty is None else _moved(of.faulty, _fault(of.faulty, faulty=True)),
        delivered=round(planned.delivered, 1),
        inbox_share=round(share, 6),
        inbox_share_staying=round(staying, 6),
        detail=messages.beside_staying(mails=round(planned.delivered), inbox=share, staying=staying),
    )


def _fault(moved: Moved, *, faulty: bool) -> str:
    share = moved.steps[-2].share if moved.back and len(moved.steps) > 1 else moved.share
    return messages.fault(
        faulty=faulty, share=share, back=moved.back, after=_duration(moved), mails=moved.mails, bad=moved.bad
    )


def _duration(moved: Moved) -> str | None:
    """Until all mail is on the new path, or it went back."""
    if not moved.back and moved.share < 100:
        return None
    return times.span(60 * (moved.steps[-1].minute - moved.began))


def _moved(moved: Moved, detail: str) -> MovedView:
    return MovedView(
        detail=detail,
        share=moved.share,
        back=moved.back,
        ended=_time(moved.ended),
        mails=moved.mails,
        steps=[StepItem(_time(one.minute), one.share, one.mails, one.sentence) for one in moved.steps],
        waits=moved.waits,
    )


# Trust --------------------------------------------------------------------------------------------------------------------


def _trust(trust: Trust, notes: list[str]) -> TrustView:
    return TrustView(
        sound=trust.sound,
        repeated=[
            RepeatedItem(one.what, one.recorded, round(one.played, 1), one.within) for one in trust.repeated
        ],
        mails=trust.mails,
        lanes=trust.lanes,
        thin_providers={Provider(provider).word: mails for provider, mails in trust.thin_providers.items()},
        thin_lanes=[name for name, _ in trust.thin_lanes[:MOST_THIN]],
        notes=notes,
    )


def _notes(trust: Trust) -> list[str]:
    repeated = {one.what: (one.recorded, one.played) for one in trust.repeated}
    notes = [
        messages.repeats(
            ok=trust.sound,
            sent=repeated["sent"],
            delivered=repeated["delivered"],
            bounces=repeated["bounces"],
            complaints=repeated["complaints"],
        )
    ]
    if trust.before:
        before = {one.what: (one.foretold, one.happened) for one in trust.before}
        sent = round(before["sent"][0]), before["sent"][1]
        notes.append(
            messages.week_before(sent=sent, bounces=before["bounces"], complaints=before["complaints"])
        )
    else:
        notes.append(messages.no_week_before())
    if (worst := trust.worst) is not None:
        word = Provider(worst.provider).word
        notes.append(messages.worst_provider(word, worst.mails, worst.bounces_foretold, worst.bounces))
    if trust.thin_providers:
        notes.append(
            messages.thin_providers(
                [f"{Provider(provider).word} ({mails:,})" for provider, mails in trust.thin_providers.items()]
            )
        )
    if trust.thin_lanes:
        notes.append(messages.thin_lanes(len(trust.thin_lanes), trust.lanes))
    if trust.held:
        notes.append(messages.held_anyway(trust.held))
    return notes


def _time(minute: int) -> Time:
    return shapes.iso_ms(minute * 60_000)
