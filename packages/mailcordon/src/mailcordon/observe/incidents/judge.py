"""What becomes of incidents in one round: they open, take alarms in, become worse, are mitigated, close and open again. Pure.

An incident is open until none of its alarms has shown for `Rules.quiet_ms`, or until a person closes it. A person may close it
while alarms show: these stay silent until one of them ends and returns, or is worse than the incident was.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from mailcordon.core.incident import Action, Alarm, Kind, Scope, ScopeKind
from mailcordon.messages import incidents as messages
from mailcordon.observe.incidents import grouping
from mailcordon.observe.incidents.book import AUTHOR, Change, Entry, Held, Incident, Kept
from mailcordon.observe.incidents.grouping import Found, is_worse, rank
from mailcordon.observe.incidents.rules import Rules

OVERFLOW = "incidents:more"  #: the cause of the incident for what cannot be listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    now: int
    last: int | None = None  #: when the round before was, by the same process
    found: Sequence[Found]
    unread: frozenset[str] = frozenset()  #: sources whose alarms are not known in this round
    kept: Sequence[Kept] = ()  #: incidents that are open, were closed a short while ago, or still have alarms
    rules: Rules = field(default_factory=Rules)


@dataclass(slots=True)
class _Silent:
    """An incident that a person closed, with those of its alarms that still show."""

    kept: Kept
    still: list[Found]


def judge(facts: Facts) -> list[Change]:
    """Those that open come first."""
    now, rules = facts.now, facts.rules
    present = {one.alarm.key: one for one in reversed(facts.found)}
    open_ = {one.incident.cause: one for one in facts.kept if one.incident.is_open}
    seen = {cause: _as_seen(one, facts) for cause, one in open_.items()}
    silent = [_silent(kept, present) for kept in facts.kept if not kept.incident.is_open and kept.held]
    silenced = {one.alarm.key for each in silent for one in each.still}
    groups = grouping.by_cause(
        list(present.values()),
        {cause: one.opened_at for cause, one in seen.items() if now - one.cause_seen_at < rules.quiet_ms},
        {
            key: one.incident.opened_at
            for one in open_.values()
            for key, held in one.held.items()
            if held.cause == one.incident.cause
        },
        earlier_ms=rules.earlier_ms,
        now=now,
    )
    groups = {
        cause: loud
        for cause, group in groups.items()
        if (loud := [one for one in group if one.alarm.key not in silenced])
    }
    for each in silent:
        cause = each.kept.incident.cause
        if (
            each.still
            and cause not in open_
            and not any(_is_worse(one, each.kept) for one in groups.get(cause, ()))
        ):
            each.still += groups.pop(cause, [])
    groups = _bounded(groups, open_, facts)

    recent = _recent(facts)
    opened: list[Change] = []
    others: list[Change] = []
    homes = {
        one.alarm.key: (cause, group[0].alarm.sentence) for cause, group in groups.items() for one in group
    }
    for cause, group in groups.items():
        if cause in open_:
            continue
        if (closed := recent.get(cause)) is not None:
            opened.append(_reopen(closed, group, facts))
        else:
            opened.append(_open(cause, group, facts))
    for cause, kept in open_.items():
        others += _follow(kept, groups.get(cause, []), homes, facts)
    reopened = {change.after.incident.id for change in opened}
    for each in silent:
        if each.kept.incident.id not in reopened:
            others += _follow_silent(each, facts)
    return [*opened, *others]


# Closed by a person ----------------------------------------------------------------------------------------------------------


def _silent(kept: Kept, present: Mapping[str, Found]) -> _Silent:
    still = [present[key] for key in kept.held if key in present and not _is_worse(present[key], kept)]
    return _Silent(kept, still)


def _is_worse(one: Found, kept: Kept) -> bool:
    return is_worse(one.alarm.severity, kept.incident.severity)


def _follow_silent(one: _Silent, facts: Facts) -> list[Change]:
    kept = one.kept
    ended = _ended(kept, one.still, facts)
    new = [found for found in one.still if found.alarm.key not in kept.held]
    if not ended and not new:
        return []
    room = max(0, facts.rules.most_alarms - len(kept.listed))
    counted = [found for found in new if found.alarm.key not in kept.listed]
    returned = [found for found in new if found.alarm.key in kept.listed]
    added = [(_held(found), found.alarm) for found in [*returned, *counted[:room]]]
    held = {key: each for key, each in kept.held.items() if key not in ended}
    held |= {found.alarm.key: _held(found) for found in new}
    after = dataclasses.replace(kept.incident, alarms=kept.incident.alarms + len(counted))
    if not held and after.mitigated_at is None:
        after = dataclasses.replace(after, mitigated_at=facts.now)
    listed = kept.listed | {each.key for each, _ in added}
    return [
        Change(
            at=facts.now,
            was_open=False,
            after=dataclasses.replace(kept, incident=after, held=held, listed=listed),
            ended=ended,
            added=added,
        )
    ]


# New and again ---------------------------------------------------------------------------------------------------------------


def _recent(facts: Facts) -> dict[str, Kept]:
    """By cause, the newest of the incidents that closed a short while ago."""
    found: dict[str, Kept] = {}
    for kept in facts.kept:
        closed_at = kept.incident.closed_at
        if closed_at is None or facts.now - closed_at >= facts.rules.reopen_ms:
            continue
        other = found.get(kept.incident.cause)
        if other is None or (other.incident.closed_at or 0) < closed_at:
            found[kept.incident.cause] = kept
    return found


def _bounded(
    groups: Mapping[str, list[Found]], open_: Mapping[str, Kept], facts: Facts
) -> dict[str, list[Found]]:
    """The worst causes first. What would be one incident too many is one alarm that counts them."""
    sorted_ = {cause: grouping.worst_first(group, cause) for cause, group in groups.items()}
    room = facts.rules.most_open - sum(cause != OVERFLOW for cause in open_) - 1
    fresh = sorted(
        (cause for cause in sorted_ if cause not in open_),
        key=lambda cause: (
            rank(sorted_[cause][0].alarm.severity, sorted_[cause][0].alarm.kind),
            sorted_[cause][0].alarm.since,
            cause,
        ),
    )
    beyond = fresh[max(0, room) :]
    if not beyond:
        return sorted_
    rest = [sorted_.pop(cause) for cause in beyond]
    worst = rest[0][0].alarm
    sorted_[OVERFLOW] = [
        Found(
            source=AUTHOR,
            alarm=Alarm(
                key=OVERFLOW,
                kind=Kind.SERVICE,
                cause=OVERFLOW,
                severity=worst.severity,
                scope=Scope(kind=ScopeKind.CELL, name="incidents"),
                sentence=messages.more_than_listed(causes=len(rest), example=worst.sentence),
                next=messages.more_than_listed_next(),
                command="mailcordon incident list",
                since=min(one.alarm.since for group in rest for one in group),
            ),
        )
    ]
    return sorted_


def _open(cause: str, group: Sequence[Found], facts: Facts) -> Change:
    worst = group[0].alarm
    incident = Incident(
        id=None,
        cause=cause,
        kind=worst.kind,
        severity=_severity(group),
        scope=worst.scope,
        tenant=worst.tenant,
        lane=worst.lane,
        culprit=None,
        sentence=worst.sentence,
        next=worst.next,
        command=worst.command,
        since=worst.since,
        opened_at=facts.now,
        seen_at=facts.now,
        cause_seen_at=facts.now,
    )
    entry = Entry(at=facts.now, what="opened", text=worst.sentence)
    return _Round(Kept(incident=incident), group, facts, [entry]).change()


def _reopen(kept: Kept, group: Sequence[Found], facts: Facts) -> Change:
    worst = group[0].alarm
    incident = dataclasses.replace(
        kept.incident,
        severity=_severity(group),
        kind=worst.kind if worst.cause == kept.incident.cause else kept.incident.kind,
        mitigated_at=None,
        mitigated_by=None,
        closed_at=None,
        closed_by=None,
        closed_because=None,
        cause_seen_at=facts.now,
    )
    entry = Entry(at=facts.now, what="reopened", text=messages.entry_back(sentence=worst.sentence))
    return _Round(dataclasses.replace(kept, incident=incident), group, facts, [entry], reopened=True).change()


# Open ------------------------------------------------------------------------------------------------------------------------


def _follow(
    kept: Kept, group: Sequence[Found], homes: Mapping[str, tuple[str, str]], facts: Facts
) -> list[Change]:
    round_ = _Round(kept, group, facts, [])
    moved = {homes[key] for key in kept.held if key in homes and homes[key][0] != kept.incident.cause}
    if moved and not group and not round_.kept_unread:
        if facts.now - round_.base.cause_seen_at >= facts.rules.quiet_ms:
            return [round_.closed_without_cause()]
        return [round_.closed_as_part(*min(moved))]
    change = round_.change()
    return [change] if round_.is_due(change) else []


class _Round:
    """One incident's round."""

    def __init__(
        self,
        kept: Kept,
        group: Sequence[Found],
        facts: Facts,
        entries: list[Entry],
        *,
        reopened: bool = False,
    ) -> None:
        self._kept, self._before = kept, kept.incident
        self.base = _as_seen(kept, facts)
        self._group, self._now, self._rules = group, facts.now, facts.rules
        self._entries, self._reopened = entries, reopened
        self._ended = _ended(kept, group, facts)
        keys = {one.alarm.key for one in group}
        #: Alarms of sources that did not answer: they are as they were.
        self.kept_unread = [
            held for key, held in kept.held.items() if key not in keys and key not in self._ended
        ]

    def change(self) -> Change:
        now, before = self._now, self._before
        held = {held.key: held for held in self.kept_unread}
        held |= {one.alarm.key: _held(one) for one in self._group}
        new = [one for one in self._group if one.alarm.key not in self._kept.held]
        returned = [one for one in new if one.alarm.key in self._kept.listed]
        counted = [one for one in new if one.alarm.key not in self._kept.listed]
        if self._kept.is_partial:
            counted = []
        after = dataclasses.replace(self.base, alarms=before.alarms + len(counted))
        if held:
            after = dataclasses.replace(after, seen_at=now)
            if any(one.cause == before.cause for one in held.values()):
                after = dataclasses.replace(after, cause_seen_at=now)
        if self._group:
            after = self._with_text(after)
            after = self._worsened(after)
            self._joined(counted)
            after = self._identified(after)
        actions = self._actions()
        after = self._mitigated(after, held)
        after = self._closed(after, held)
        room = max(0, self._rules.most_alarms - len(self._kept.listed))
        added = [(_held(one), one.alarm) for one in [*returned, *counted[:room]]]
        after = dataclasses.replace(after, entries=before.entries + len(self._entries))
        return Change(
            at=self._now,
            was_open=not self._reopened,
            after=dataclasses.replace(
                self._kept,
                incident=after,
                held={} if after.closed_at is not None else held,
                listed=self._kept.listed | {each.key for each, _ in added},
                actions=self._kept.actions | actions,
                is_partial=False,
            ),
            entries=self._entries,
            added=added,
            changed=[
                _held(one)
                for one in self._group
                if one.alarm.key in self._kept.held and _held(one) != self._kept.held[one.alarm.key]
            ],
            words={
                one.alarm.key: one.alarm.sentence for one in self._group if one.alarm.key in self._kept.listed
            },
            ended=[*self._kept.held] if after.closed_at is not None else self._ended,
            reopened=self._reopened,
        )

    def closed_as_part(self, cause: str, sentence: str) -> Change:
        return self._ending(messages.closed_as_part(sentence=sentence), self.base, cause)

    def closed_without_cause(self) -> Change:
        """What it explained still shows, and has incidents of its own from now on."""
        mitigated_at = self.base.mitigated_at or self.base.cause_seen_at
        base = dataclasses.replace(self.base, mitigated_at=mitigated_at)
        return self._ending(messages.closed_quiet(seconds=self._rules.quiet_ms / 1000), base, None)

    def _ending(self, because: str, before: Incident, part_of: str | None) -> Change:
        after = dataclasses.replace(
            before,
            closed_at=self._now,
            closed_by=AUTHOR,
            closed_because=because,
            entries=before.entries + 1,
        )
        return Change(
            at=self._now,
            was_open=not self._reopened,
            after=dataclasses.replace(self._kept, incident=after, held={}),
            entries=[Entry(at=self._now, what="closed", text=because)],
            ended=[*self._kept.held],
            part_of=part_of,
        )

    def is_due(self, change: Change) -> bool:
        """Whether the round has something to write. Text alone, and that the alarms still show, is not written each time."""
        if change.entries or change.added or change.changed or change.ended:
            return True
        before, after = self._before, change.after.incident
        if after.seen_at - before.seen_at >= self._rules.seen_ms:
            return True
        same = dataclasses.replace(after, seen_at=before.seen_at, cause_seen_at=before.cause_seen_at)
        if self._kept.is_partial:
            return True
        return same != before and self._now - self._kept.written_at >= self._rules.refresh_ms

    def _with_text(self, after: Incident) -> Incident:
        """The words are those of the worst alarm; what it is about is known from alarms of its own cause only."""
        worst = self._group[0].alarm
        if own := self._own():
            about = own[0].alarm
            since = min(after.since, *(one.alarm.since for one in own))
            after = dataclasses.replace(
                after,
                scope=about.scope,
                tenant=about.tenant,
                lane=about.lane,
                since=since,
                evidence=about.evidence,
            )
        tenants = {
            self._before.tenant,
            *(tenant for one in self._group for tenant in (one.alarm.tenant, *one.alarm.tenants)),
        }
        more = sorted(tenant for tenant in tenants - after.concerned - {after.tenant} if tenant is not None)
        room = max(0, self._rules.most_concerned - len(after.concerned))
        return dataclasses.replace(
            after,
            sentence=worst.sentence,
            next=worst.next,
            command=worst.command,
            concerned=(after.concerned | frozenset(more[:room])) - {after.tenant or 0},
        )

    def _own(self) -> Sequence[Found]:
        """Alarms of the incident's own cause, the worst first. What it explains may have begun before it, and is not at fault."""
        own = [one for one in self._group if one.alarm.cause == self._before.cause]
        return own or (self._group[:1] if self._before.id is None else [])

    def _worsened(self, after: Incident) -> Incident:
        severity = _severity(self._group)
        worst = min(
            (one.alarm for one in self._own()), key=lambda one: rank(one.severity, one.kind), default=None
        )
        if worst is not None and rank(worst.severity, worst.kind) < rank(after.severity, after.kind):
            after = dataclasses.replace(after, kind=worst.kind)
        if not is_worse(severity, after.severity):
            return after
        sentence = next(one.alarm.sentence for one in self._group if one.alarm.severity == severity)
        text = messages.entry_worsened(severity=severity, sentence=sentence)
        self._entries.append(Entry(at=self._now, what="worsened", text=text))
        return dataclasses.replace(after, severity=severity)

    def _joined(self, new: Sequence[Found]) -> None:
        joined = new[1:] if self._before.id is None else new
        if joined and not self._reopened and self._has_room():
            text = messages.entry_joined(alarms=len(joined), sentence=joined[0].alarm.sentence)
            self._entries.append(Entry(at=self._now, what="joined", text=text))

    def _identified(self, after: Incident) -> Incident:
        culprit = next((one.alarm.culprit for one in self._own() if one.alarm.culprit is not None), None)
        if culprit is None or culprit == after.culprit:
            return after
        if after.culprit is None or self._has_room():
            text = messages.entry_identified(culprit=culprit)
            self._entries.append(Entry(at=self._now, what="identified", text=text))
        first = self._now if after.identified_at is None else after.identified_at
        return dataclasses.replace(after, culprit=culprit, identified_at=first)

    def _actions(self) -> frozenset[str]:
        """Enters what was done since the last round."""
        new: dict[str, Action] = {}
        for one in self._group:
            for action in one.alarm.actions:
                if action.key not in self._kept.actions and self._has_room():
                    new[action.key] = action
        self._entries.extend(
            Entry(at=action.at, what="action", text=action.text, author=action.author, key=action.key)
            for action in sorted(new.values(), key=lambda action: action.at)
        )
        return frozenset(new)

    def _mitigated(self, after: Incident, held: Mapping[str, Held]) -> Incident:
        if not _contained(after.cause, held.values()):
            if after.mitigated_at is None:
                return after
            worst = self._group[0].alarm.sentence if self._group else after.sentence
            self._entries.append(
                Entry(at=self._now, what="worsened", text=messages.entry_harm(sentence=worst))
            )
            return dataclasses.replace(after, mitigated_at=None, mitigated_by=None)
        if after.mitigated_at is not None:
            return after
        by = self._last_actor()
        if held:
            self._entries.append(Entry(at=self._now, what="contained", text=messages.entry_contained(by=by)))
            return dataclasses.replace(after, mitigated_at=self._now, mitigated_by=by)
        if self._now - after.seen_at < self._rules.settle_ms:
            return after
        self._entries.append(Entry(at=after.seen_at, what="mitigated", text=messages.entry_mitigated()))
        return dataclasses.replace(after, mitigated_at=after.seen_at, mitigated_by=by)

    def _last_actor(self) -> str | None:
        since = self._before.since  # a hold that was there before is no answer to it
        actions = [action for one in self._group for action in one.alarm.actions if action.at >= since]
        return max(actions, key=lambda action: action.at).author if actions else None

    def _closed(self, after: Incident, held: Mapping[str, Held]) -> Incident:
        if held or self._now - after.seen_at < self._rules.quiet_ms:
            return after
        text = messages.closed_quiet(seconds=self._rules.quiet_ms / 1000)
        self._entries.append(Entry(at=self._now, what="closed", text=text))
        return dataclasses.replace(after, closed_at=self._now, closed_by=AUTHOR, closed_because=text)

    def _has_room(self) -> bool:
        return self._before.entries + len(self._entries) < self._rules.most_entries


def _as_seen(kept: Kept, facts: Facts) -> Incident:
    """Alarms that it held in the round before were there then, also if that was not written."""
    incident = kept.incident
    if facts.last is None or not kept.held:
        return incident
    own = any(held.cause == incident.cause for held in kept.held.values())
    return dataclasses.replace(
        incident,
        seen_at=max(incident.seen_at, facts.last),
        cause_seen_at=max(incident.cause_seen_at, facts.last) if own else incident.cause_seen_at,
    )


def _ended(kept: Kept, still: Sequence[Found], facts: Facts) -> list[str]:
    keys = {one.alarm.key for one in still}
    return [key for key, held in kept.held.items() if key not in keys and held.source not in facts.unread]


def _contained(cause: str, held: Collection[Held]) -> bool:
    """Whether nothing goes on doing harm. What the cause explains, such as a spent error budget, is contained with the cause."""
    own = [one for one in held if one.cause == cause]
    return all(one.contained for one in own or held)


def _held(one: Found) -> Held:
    alarm = one.alarm
    return Held(
        key=alarm.key,
        source=one.source,
        cause=alarm.cause,
        severity=alarm.severity,
        contained=alarm.contained,
    )


def _severity(group: Sequence[Found]) -> "grouping.Severity":
    return min(group, key=lambda one: rank(one.alarm.severity, one.alarm.kind)).alarm.severity
