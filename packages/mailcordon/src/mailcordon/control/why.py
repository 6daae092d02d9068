"""Why a lane, a domain or a record is as it is: one sentence, then what happened in the order of time. From records only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mailcordon.control.feedback import LossView
from mailcordon.control.lanes import LaneOverview
from mailcordon.control.views import HoldView, IdentityView, StopView
from mailcordon.messages import holds as hold_messages
from mailcordon.messages import reasons, search, times


@dataclass(frozen=True, slots=True)
class Entry:
    at: int  #: milliseconds since 1970
    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class Story:
    about: str  #: message, delivery, address, lane, hold, stop, incident, loss or domain
    subject: str
    sentence: str
    timeline: Sequence[Entry]


def hold(found: HoldView) -> Story:
    lifted = f"{found.lifted_by}: {found.lifted_because}" if found.lifted_at is not None else None
    sentence = search.hold_is(found.hold.sentence, _mail(found), lifted)
    return Story("hold", str(found.hold.id), sentence, _in_order(_of_hold(found)))


def stop(found: StopView) -> Story:
    return Story("stop", str(found.stop.id), _stop_sentence(found), _in_order(_of_stop(found)))


def loss(found: LossView) -> Story:
    return Story("loss", str(found.id), found.sentence, _in_order(_of_loss(found)))


def lane(
    found: LaneOverview, holds: Iterable[HoldView], stops: Iterable[StopView], losses: Iterable[LossView]
) -> Story:
    """`holds`, `stops` and `losses` are the tenant's; those that do not cover the lane are left out."""
    row = found.lane.route.lane
    name = f"{found.lane.tenant}/{row.type}"
    causes = [one.hold.sentence for one in found.holds if one.hold.stops and not one.hold.narrow]
    causes += [one.sentence for one in found.stops]
    causes += [one.hold.sentence for one in found.holds if one.hold.sentence not in causes]
    entries: list[Entry] = []
    for one in holds:
        if one.hold.target.covers_lane(one.hold.target.tenant, row.class_, row.id):
            entries += _of_hold(one)
    route = found.lane.route
    named = {str(row.id), route.configuration_set, route.domain, route.ses_tenant}
    open_stops = {one.stop for one in found.stops}  # of its other path too
    for one in stops:
        if one.stop.scope in ("cell", "worker") or one.stop.name in named or one.stop.id in open_stops:
            entries += _of_stop(one)
    for one in losses:
        if row.type in one.types and one.configuration_set in (None, route.configuration_set):
            entries += _of_loss(one)
    sentence = search.lane_is(name, found.lane.state, causes[0] if causes else "")
    return Story("lane", name, sentence, _in_order(entries))


def domain(
    found: IdentityView, lanes: Iterable[LaneOverview], stops: Iterable[StopView], holds: Iterable[HoldView]
) -> Story:
    types = [one.lane.route.lane.type for one in lanes if one.lane.route.domain == found.domain]
    lapsed = None if found.lapsed_at is None else times.minute(found.lapsed_at)
    entries = [Entry(_ms(found.created_at), "added", search.domain_added())]
    if found.checked_at is not None:
        entries.append(Entry(_ms(found.checked_at), "checked", search.domain_checked(found.status)))
    if found.lapsed_at is not None:
        entries.append(Entry(found.lapsed_at, "lapsed", search.domain_lapsed()))
    if found.retiring_at is not None:
        entries.append(Entry(_ms(found.retiring_at), "retiring", search.domain_retiring()))
    for one in stops:
        if one.stop.scope == "identity" and one.stop.name == found.domain:
            entries += _of_stop(one)
    for one in holds:
        if one.hold.owner == "policy" and one.type in types:
            entries += _of_hold(one)
    sentence = search.domain_is(found.domain, found.tenant, found.status, types, lapsed)
    return Story("domain", found.domain, sentence, _in_order(entries))


def _of_hold(found: HoldView) -> list[Entry]:
    hold = found.hold
    entries = [Entry(hold.since, "held", search.hold_placed(hold.by, hold.because, _mail(found)))]
    if found.lifted_at is not None:
        detail = reasons.released(found.lifted_by or "", found.lifted_because or "")
        entries.append(Entry(found.lifted_at, "released", detail))
    return entries


def _of_stop(found: StopView) -> list[Entry]:
    stop = found.stop
    entries = [Entry(stop.since, "stopped", stop.record)]
    if stop.ended_at is not None:
        entries.append(Entry(stop.ended_at, "open-again", reasons.stop_ended(stop.ended_because or "")))
    return entries


def _of_loss(found: LossView) -> list[Entry]:
    entries = [Entry(found.since, "feedback-lost", found.sentence)]
    if found.until is not None:
        entries.append(Entry(found.until, "feedback-back", found.sentence))
    return entries


def _stop_sentence(found: StopView) -> str:
    stop = found.stop
    if stop.ended_at is None:
        return stop.sentence
    return f"{stop.record}. {reasons.stop_ended(stop.ended_because or '')}"


def _mail(found: HoldView) -> str:
    target = found.hold.target
    return hold_messages.mail_of(
        found.tenant,
        type=found.type,
        class_=None if target.class_ is None else target.class_.word,
        provider=None if target.provider is None else target.provider.word,
        campaign=target.campaign,
        list=target.list,
    )


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _in_order(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.at)
