"""A rollout over last week's mail, by the rules that the control role runs (guard/rollouts): when each share would be reached,
what would keep it, and when a fault of the new path would lead back. Without chance: events come at their usual rate. The
checklist is taken to hold.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from mailcordon.core.limit import Mode
from mailcordon.core.provider import Provider
from mailcordon.guard import warm_up
from mailcordon.guard.breaker.engine import SILENT
from mailcordon.guard.counts import Delta
from mailcordon.guard.policy.effective import WarmUpPolicy
from mailcordon.guard.rehearsal.change import Rollout
from mailcordon.guard.rehearsal.providers import Providers, Stand
from mailcordon.guard.rehearsal.week import DAY, Way, Week
from mailcordon.guard.rollouts import course, gates
from mailcordon.guard.rollouts.evidence import LAWS
from mailcordon.guard.rollouts.nouns import (
    Check,
    Facts,
    Item,
    Measure,
    Side,
    Standing,
    State,
    Stratum,
    Verdict,
)
from mailcordon.messages import rollouts as words

EVERY: Final = 180  #: minutes between two looks; the loop looks each few seconds, so a way back comes sooner
WARM_UP_ROOM: Final = (
    1.2  #: times a day's budget that a share may bring, as the checklist says (control/rollouts)
)
#: What is played besides if the change names no fault: so much more of the new path's mail is refused.
FAULT: Final = {Measure.REFUSED: 0.05, Measure.UNDELIVERED: 0.05}
_COUNTED: Final = tuple(
    measure for measure in Measure if measure not in (Measure.UNREPORTED, Measure.SUPPRESSED, Measure.LATE)
)


@dataclass(frozen=True, slots=True)
class Step:
    minute: int
    share: int
    sentence: str
    mails: int  #: on the new path so far


@dataclass(slots=True)
class Moved:
    """What became of a rollout. `mails`: on the new path in all."""

    began: int
    steps: list[Step] = field(default_factory=list[Step])
    share: int = 0
    back: bool = False
    mails: int = 0
    bad: float = 0.0  #: of these, hit by the fault
    waits: str = ""  #: what keeps it at the end
    ended: int = 0  #: the minute of the last look
    delivered: float = 0.0
    inbox: float = 0.0  #: of the lanes' mail, over both paths
    inbox_staying: float = 0.0  #: had it stayed


class _Key(NamedTuple):
    lane: int
    provider: int
    campaign: str | None
    hour: int


@dataclass(slots=True)
class _Hour:
    """Mail of a stratum by path, new first, with the events that come of it in the end."""

    first: list[int]
    last: list[int]
    sent: list[int] = field(default_factory=lambda: [0, 0])
    events: dict[Measure, list[float]] = field(
        default_factory=lambda: defaultdict[Measure, list[float]](lambda: [0.0, 0.0])
    )


def rates(mail: Sequence[Delta], lanes: Sequence[int]) -> dict[tuple[int, int], dict[Measure, float]]:
    """By lane and provider, the share of last week's mail to which each happened."""
    sums: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0] * 7)
    for one in mail:
        if one.lane in lanes:
            for place, count in enumerate(one[5:]):
                sums[one.lane, one.provider][place] += count
    found: dict[tuple[int, int], dict[Measure, float]] = {}
    for key, (sent, delivered, bounced, complained, blocked, delayed, opened) in sums.items():
        if sent > 0:
            found[key] = {
                Measure.BOUNCED: bounced / sent,
                Measure.REFUSED: blocked / sent,
                Measure.UNDELIVERED: min(1.0, max(0, sent - delivered - bounced) / sent),
                Measure.DELAYED: delayed / sent,
                Measure.COMPLAINED: complained / sent,
                Measure.OPENED: opened / sent,
            }
    return found


class Move:
    """`old` and `new`: what mail leaves from before and after. `worse`: what goes wrong on the new path."""

    def __init__(
        self,
        week: Week,
        change: Rollout,
        lanes: Sequence[int],
        new: Mapping[int, Way],
        worse: Mapping[Measure, float],
    ) -> None:
        self._week = week
        self._change = change
        self._lanes = lanes
        self._worse = worse
        self._new = new
        self._rates = rates(week.mail, lanes)
        self._mail = [one for one in week.mail if one.lane in lanes and one.sent > 0]
        self._policy = {one.lane: one.explained.policy.warm_up for one in week.capped}
        known = {way.domain for way in week.ways.values()} | {way.pool for way in week.ways.values()}
        self._providers = Providers(
            new=frozenset(way.domain for way in new.values() if way.domain not in known)
        )
        self._daily: defaultdict[tuple[str, int], dict[int, int]] = defaultdict(dict)
        self._parts: defaultdict[tuple[int, int, bool], float] = defaultdict(float)
        self._total = Counter[int]()
        for one in self._mail:
            self._total[one.provider] += one.sent

    def play(self) -> Moved:
        week = self._week
        for one in week.before:
            self._think(one, one.minute, week.ways)
        standing = Standing(
            state=State.RUNNING,
            share=0,
            since=week.since * 60_000,
            lanes=len(self._lanes),
            pace=self._change.pace,
            shares=self._change.shares,
        )
        found = Moved(week.since)
        hours: dict[_Key, _Hour] = {}
        cohorts = self._cohorts()
        following = next(cohorts, None)
        for minute in range(week.since, week.since + self._change.days * DAY, EVERY):
            while following is not None and following.minute < minute:
                self._leave(following, standing.share, hours, found)
                following = next(cohorts, None)
            found.ended = minute
            facts = self._facts(minute, standing, hours)
            if standing.first_mail is None and found.mails:
                standing = replace(
                    standing, first_mail=min(one.first[0] for one in hours.values() if one.sent[0])
                )
            decision = course.look(standing, facts)
            if decision.verdict is Verdict.WAIT:
                found.waits = decision.sentence
                continue
            standing = course.after(standing, decision, minute * 60_000)
            found.share = standing.share
            found.steps.append(Step(minute, standing.share, decision.sentence, found.mails))
            found.waits = ""
            hours = {}
            if decision.verdict is Verdict.BACK:
                found.back = True
                break
        return found

    def _cohorts(self) -> Iterator[Delta]:
        """Last week's mail of all lanes again and again, by day for those that stay."""
        length = self._week.until - self._week.since
        every = [one for one in self._week.mail if one.sent > 0]
        for number in range(self._change.days * DAY // length + 1):
            for one in every:
                yield one._replace(minute=one.minute + number * length)

    def _leave(self, mail: Delta, share: int, hours: dict[_Key, _Hour], found: Moved) -> None:
        if mail.lane not in self._lanes:
            self._think(mail, mail.minute, self._week.ways)
            return
        key = _Key(mail.lane, mail.provider, mail.campaign, mail.minute // 60)
        hour = hours.setdefault(key, _Hour([0, 0], [0, 0]))
        part = (mail.lane, mail.provider, mail.campaign is None)
        exact = self._parts[part] + mail.sent * share / 100
        new = min(mail.sent, int(exact))
        self._parts[part] = exact - new
        old_stand = self._stand(mail, self._week.ways)
        new_stand = self._stand(mail, self._new)
        delivered = mail.delivered / mail.sent
        found.inbox_staying += mail.delivered * (1 - old_stand.spam)
        for side, sent, stand in ((0, new, new_stand), (1, mail.sent - new, old_stand)):
            if not sent:
                continue
            hour.first[side] = hour.first[side] or mail.minute
            hour.last[side] = mail.minute
            hour.sent[side] += sent
            for measure, rate in self._shares(mail, side == 0, stand, old_stand).items():
                hour.events[measure][side] += sent * rate
            lost = (
                self._worse.get(Measure.UNDELIVERED, 0.0) + self._worse.get(Measure.BOUNCED, 0.0)
                if side == 0
                else 0.0
            )
            found.delivered += sent * delivered * (1 - lost)
            found.inbox += sent * delivered * (1 - lost) * (1 - stand.spam)
        found.mails += new
        found.bad += new * max(self._worse.values(), default=0.0)
        if new:
            days = self._daily[self._new[mail.lane].domain, mail.provider]
            days[mail.minute // DAY] = days.get(mail.minute // DAY, 0) + new
        for ways, part_of in ((self._new, new / mail.sent), (self._week.ways, 1 - new / mail.sent)):
            self._think(mail, mail.minute, ways, part_of)

    def _shares(self, mail: Delta, new: bool, stand: Stand, old: Stand) -> dict[Measure, float]:
        usual = dict(self._rates[mail.lane, mail.provider])
        if new:
            usual[Measure.DELAYED] += max(0.0, stand.deferred - old.deferred)
            refused = max(0.0, stand.refused - old.refused)
            usual[Measure.REFUSED] += refused
            usual[Measure.UNDELIVERED] += refused
            usual[Measure.OPENED] *= (1 - stand.spam) / (1 - old.spam)
            for measure, more in self._worse.items():
                if measure is Measure.OPENED:
                    usual[measure] *= 1 - more
                else:
                    usual[measure] = usual.get(measure, 0.0) + more
        return {measure: min(1.0, rate) for measure, rate in usual.items()}

    def _stand(self, mail: Delta, ways: Mapping[int, Way]) -> Stand:
        way = ways[mail.lane]
        return self._providers.stand(mail.provider, way.domain, way.pool, mail.minute)

    def _think(self, mail: Delta, minute: int, ways: Mapping[int, Way], part: float = 1.0) -> None:
        if part <= 0 or mail.lane not in ways:
            return
        way = ways[mail.lane]
        self._providers.count(
            mail.provider,
            way.domain,
            way.pool,
            minute,
            mails=part * (mail.delivered + mail.hard_bounces),
            dead=part * mail.hard_bounces,
            complaints=part * mail.complaints,
        )

    def _facts(self, now: int, standing: Standing, hours: Mapping[_Key, _Hour]) -> Facts:
        strata = tuple(self._stratum(key, hour, now) for key, hour in hours.items())
        mailings = gates.mailings(strata)
        total = sum(self._total.values())
        reference = {
            measure: sum(self._rates[one.lane, one.provider][measure] * one.sent for one in self._mail)
            / total
            for measure in _COUNTED
            if total
        }
        return Facts(
            now=now * 60_000,
            strata=strata,
            reference=reference,
            checklist=self._warm_up(now, standing),
            repeats=gates.repeats(mailings),
            mailings=mailings,
        )

    def _stratum(self, key: _Key, hour: _Hour, now: int) -> Stratum:
        return Stratum(
            key.lane, key.provider, key.campaign, *(self._side(key, hour, side, now) for side in (0, 1))
        )

    def _side(self, key: _Key, hour: _Hour, side: int, now: int) -> Side:
        sent = hour.sent[side]
        if not sent:
            return Side()
        middle = (hour.first[side] + hour.last[side]) / 2
        age = max(0.0, (now - middle) * 60)
        seen = {
            measure: min(
                sent, self._whole(key, measure, side, hour.events[measure][side] * LAWS[measure].seen(age))
            )
            for measure in Measure
            if measure in hour.events
        }
        missing = seen.pop(Measure.UNREPORTED, 0)
        return Side(
            first=hour.first[side],
            last=hour.last[side],
            sent=sent,
            reported=sent - missing,
            heard=0 if key.provider in SILENT else sent,
            **{measure.value: count for measure, count in seen.items()},
        )

    def _whole(self, key: _Key, measure: Measure, side: int, events: float) -> int:
        """Rounded so that the parts of events of many small strata become whole ones in turn: by a place of each stratum in
        [0, 1)."""
        place = (
            key.hour * 0.6180339887 + key.provider * 0.7548776662 + key.lane * 0.5698402910 + side * 0.25
        ) % 1.0
        return int(events + (place + len(measure.value) * 0.1) % 1.0)

    def _warm_up(self, now: int, standing: Standing) -> tuple[Item, ...]:
        """What the next share brings in a day has to fit into what a warm-up that enforces lets leave."""
        target = course.next_share(standing)
        if target is None:
            return ()
        days = max(1.0, (self._week.until - self._week.since) / DAY)
        for lane in self._lanes:
            policy = self._policy.get(lane, WarmUpPolicy())
            if policy.mode is not Mode.ENFORCE:
                continue
            for provider, mails in self._total.items():
                named = Provider(provider)
                steps = warm_up.curve(policy, named) if named.named else ()
                sent = self._daily.get((self._new[lane].domain, provider), {})
                counted = [warm_up.Day(day, count) for day, count in sorted(sent.items())]
                cap = warm_up.replay(counted, now // DAY, steps).cap if steps else None
                expected = mails / days * target / 100
                if cap is not None and expected > WARM_UP_ROOM * cap:
                    said = words.warm_up_too_small(
                        self._new[lane].domain, named.word, cap, round(expected), target
                    )
                    return (
                        Item(
                            check=Check.WARM_UP,
                            of=f"{self._new[lane].domain}:{named.word}",
                            holds=False,
                            said=said,
                        ),
                    )
        return ()
