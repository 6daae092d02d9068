"""What would be stopped in a rehearsed week, when, by which rule, and who would be told."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.shapes import Time
from mailcordon.control.rehearsals import People
from mailcordon.core.limit import Mode
from mailcordon.guard.backtest import LaneResult
from mailcordon.guard.breaker.nouns import Decision, Dimension, Level
from mailcordon.guard.rehearsal.job import OfList
from mailcordon.guard.rehearsal.play import RELEASE, Played
from mailcordon.messages import backtests as backtest_words
from mailcordon.messages import rehearsals as messages
from mailcordon.observe.breaker import words
from mailcordon.observe.breaker.alarms import severity_of
from mailcordon.observe.breaker.records import Watched


class StopItem(msgspec.Struct):
    at: Time
    tenant: str
    type: str
    rule: str  #: breaker, limit or release
    level: str  #: warn, throttle or cordon; of limits and releases cordon
    enforced: bool  #: false: it would only say so
    over: bool  #: it ends what was decided before
    mails_before: int | None  #: of the list that had left; null: it is about other mail
    also_without: bool  #: it would happen in a week without the change, too
    channels: list[str]  #: alert channels that would be told
    contacts: list[str]  #: of the tenant that would be told
    detail: str


def stops(
    played: Played, quiet: Played, people: Mapping[int, People], of: OfList | None
) -> Iterable[StopItem]:
    """In the order of time."""
    seen = keys(quiet)
    found: list[tuple[int, StopItem]] = []
    for result in played.results:
        who = people.get(result.lane.facts.tenant, People())
        culprit = of if of is not None and of.lane == result.lane.facts.lane else None
        for one in result.decisions:
            found.append((one.minute, _decided(one, result, who, culprit, also=key(one) in seen)))
        for limit, kept in result.limits.values():
            at = played.first_kept.get((result.lane.facts.lane, limit.id))
            if not kept.mails or at is None:
                continue
            if limit.id == RELEASE:
                why = played.closed[0].why.value if played.closed else None
                said = messages.by_release(first=limit.cap, mails=kept.mails, why=why)
            else:
                said = messages.by_limit(
                    cap=limit.cap, per=limit.per.value, scope=limit.scope.value, mails=kept.mails
                )
            also = any(
                other.lane.facts.lane == result.lane.facts.lane and limit.id in other.limits
                for other in quiet.results
            )
            rule = "release" if limit.id == RELEASE else "limit"
            found.append(
                (
                    at,
                    _item(
                        at,
                        result,
                        rule,
                        "cordon",
                        said,
                        [],
                        [],
                        culprit,
                        enforced=True,
                        over=False,
                        also=also,
                    ),
                )
            )
    found.sort(key=lambda one: (one[0], one[1].tenant, one[1].type))
    return [one for _, one in found]


def _decided(one: Decision, result: LaneResult, who: People, of: OfList | None, *, also: bool) -> StopItem:
    lane = result.lane
    watched = Watched(facts=lane.facts, slug=lane.slug, policy=lane.mode)
    guilty = [
        (each.dimension.value, each.value) for each in one.guilty if each.dimension is not Dimension.LANE
    ]
    did = backtest_words.acted(level=int(one.level), guilty=guilty, mode=lane.mode.value, over=one.over)
    saw = words.ended(one, None) if one.over else words.seen(one, watched)
    enforced = lane.mode is Mode.ENFORCE and one.level is not Level.WARN
    channels: Sequence[str] = () if one.over else who.channels.get(severity_of(one.level), ())
    contacts = who.contacts if enforced and not one.over else ()
    return _item(
        one.minute,
        result,
        "breaker",
        one.level.name.lower(),
        f"{did}. {saw}",
        channels,
        contacts,
        of,
        enforced=enforced,
        over=one.over,
        also=also,
    )


def _item(
    at: int,
    result: LaneResult,
    rule: str,
    level: str,
    said: str,
    channels: Sequence[str],
    contacts: Sequence[str],
    of: OfList | None,
    *,
    enforced: bool,
    over: bool,
    also: bool,
) -> StopItem:
    lane = result.lane
    before = None if of is None else of.guarded.reactions.out_before(at)
    first = None if of is None else of.guarded.reactions.first_out
    told = rule == "breaker" and not over
    detail = (
        messages.stop(
            of=lane.name,
            before=before,
            after=None if first is None else at - first,
            said=said,
            told=[*channels],
            contacts=[*contacts],
        )
        if told
        else messages.happens(
            of=lane.name, before=before, after=None if first is None else at - first, said=said
        )
    )
    return StopItem(
        at=shapes.iso_ms(at * 60_000),
        tenant=lane.slug,
        type=lane.facts.type,
        rule=rule,
        level=level,
        enforced=enforced,
        over=over,
        mails_before=before,
        also_without=also,
        channels=[*channels],
        contacts=[*contacts],
        detail=detail,
    )


def key(one: Decision) -> tuple[int, int, int, bool]:
    return one.lane, one.minute, int(one.level), one.over


def keys(played: Played) -> frozenset[tuple[int, int, int, bool]]:
    return frozenset(key(one) for result in played.results for one in result.decisions)
