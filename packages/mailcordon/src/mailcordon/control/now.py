"""What is wrong now, in one sentence: "Two incidents: acme's newsletter is held (3 min ago); ... Everything else flows."

Pure. It says that everything else flows only if no check found anything beside what it names, and all checks that tell were made.
"""

from collections.abc import Sequence

from mailcordon.control import subjects
from mailcordon.control.problem import Check, Problem
from mailcordon.control.status_facts import Facts, HeldMail, OpenIncident
from mailcordon.core.stop import StopScope
from mailcordon.messages import now as messages

NAMED = 3  #: incidents that are named; the rest is counted
#: Longer culprits are read in the incident.
_LONGEST_CULPRIT = 60
#: Without these nobody knows whether mail flows.
_TELL: tuple[Check, ...] = ("roles", "waiting mail", "stops", "incidents")
#: The scopes whose names say whose fault it is.
_NAMED_BY_SCOPE = ("list", "campaign", "provider", "lane", "tenant", "caller", "process")


def sentence(facts: Facts, problems: Sequence[Problem]) -> str:
    """`problems`: all that the checks found."""
    kept = {one.id: _holds_of(one, facts) for one in facts.incidents}
    shown = [one for one in facts.incidents if not one.mitigated or kept[one.id]]
    over = len(facts.incidents) - len(shown)
    known = {one.cause for one in facts.incidents}
    others = [
        one for one in problems if one.code not in ("incident-open", "not-checked") and not _is_in(one, known)
    ]
    said: list[str] = []
    if shown:
        named = [_words(one, facts.now, held=bool(kept[one.id])) for one in shown[:NAMED]]
        said.append(messages.incidents(count=len(shown), named=named))
    if others:
        said.append(messages.problems(count=len(others), first=others[0].sentence))
    if over:
        said.append(messages.over(over))
    in_incidents = {id(hold) for holds in kept.values() for hold in holds}
    slowed = [one.mail for one in facts.holds if not one.stops]
    if slowed:
        said.append(messages.slowed(slowed[0], more=len(slowed) - 1))
    holds = sum(one.stops and id(one) not in in_incidents for one in facts.holds)
    said.append(_end(facts, known, problems, wrong=bool(said), holds=holds))
    return " ".join(said)


def _end(facts: Facts, known: set[str], problems: Sequence[Problem], *, wrong: bool, holds: int) -> str:
    causes = known | {one.about.cause for one in problems if one.about is not None}
    if subjects.DISPATCH in causes or any(one.scope == StopScope.CELL for one in facts.stops):
        return messages.no_mail_leaves()
    for check in _TELL:
        if check in facts.unread:
            return messages.not_known(check)
    return messages.flows(wrong=wrong, holds=holds, observing=facts.observe_only)


def _is_in(problem: Problem, known: set[str]) -> bool:
    """Whether an open incident has this problem."""
    about = problem.about
    return about is not None and (about.cause in known or not known.isdisjoint(about.explained_by))


def _holds_of(one: OpenIncident, facts: Facts) -> list[HeldMail]:
    """The holds that keep the mail that the incident is about."""
    if one.tenant is None:
        return []
    return [
        hold
        for hold in facts.holds
        if hold.stops
        and hold.tenant == one.tenant
        and hold.type in (None, one.type)
        and (hold.part is None or hold.part == one.name)
    ]


def _words(one: OpenIncident, now: int, *, held: bool) -> str:
    of = messages.subject(scope=one.scope, name=one.name, tenant=one.tenant, type=one.type)
    what = messages.wrong(kind=one.kind, scope=one.scope, of=of, held=held)
    culprit = one.culprit if one.scope not in _NAMED_BY_SCOPE else None
    because = culprit if culprit is not None and len(culprit) <= _LONGEST_CULPRIT else None
    return messages.since(what=what, because=because, seconds=max(0, now - one.since) / 1000)
