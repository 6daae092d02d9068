"""What a set-up did for the others, and how soon: figures of a week, with and without the culprit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.week.guard import Decided
from bench.week.setups import Played, Setup
from seslocal.fleets.relations import RELATIONS, relations
from seslocal.fleets.result import Counts, Row, Run
from seslocal.fleets.scenario import BoughtList, Scenario, moment_of, scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """Tenants of one relation to the culprit. Mails are counted in the run with it; `had` in the run without it."""

    relation: str
    tenants: int
    wanted: int
    delivered: int
    inbox: int
    late: int  #: of the inbox mails, more than an hour after they were due
    had_delivered: int
    had_inbox: int
    had_late: int
    #: Whether every count of each of them at each provider in each six hours is the same as without the culprit.
    equal: bool

    @property
    def lost(self) -> int:
        """Inbox mails that they lost to the culprit; below 0 a gain."""
        return self.had_inbox - self.inbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Seconds are since the first guilty mail was due."""

    setup: Setup
    others: Sequence[Others]
    guilty_wanted: int
    guilty_out: int  #: handed to SES
    guilty_inbox: int
    last_guilty: float | None  #: when the last one left
    identified: float | None  #: when somebody named the culprit; None: nobody did
    named_first: (
        bool | None
    )  #: whether the first stop names the culprit's list as what is most to blame; None: nobody says
    mitigated: float | None  #: when the guilty mail was held or refused
    by: str  #: who did, and what it did
    own_wanted: int  #: mails of the culprit to its own customers, from the onset on
    own_inbox: int
    false_stops: int  #: slowing down or stopping anybody else
    false_warnings: int
    stops_without: int  #: the same in the run without the culprit
    held: int  #: mails of others that waited for a release, a limit or the breaker
    account: str  #: the worst that SES did to the account: "", account_probation or account_paused
    cpu: float
    mails: int


def figures(scenario: Scenario, with_: Played, without: Played, scale: float = 1.0) -> Figures:
    run = with_.run
    incident = first_list(scaled(scenario, scale))
    onset = moment_of(incident.start)
    culprits = {one.name for one in run.tenants if one.culprit}
    total = _sum(row for row in run.rows if row.tenant in culprits)
    wanted = incident.addresses * sum(
        1 for number in range(incident.mailings) if onset + number * 86_400 < run.days * 86_400
    )
    at, named, mitigated, by = _found(with_, incident.tenant, onset)
    own = _sum((row for row in run.rows if row.tenant in culprits), since=int(onset // run.step))
    return Figures(
        setup=with_.setup,
        others=_others(run, without.run),
        guilty_wanted=wanted,
        guilty_out=total.incident,
        guilty_inbox=total.incident_inbox,
        last_guilty=None if run.last_incident_mail is None else run.last_incident_mail - onset,
        identified=at,
        named_first=named,
        mitigated=mitigated,
        by=by,
        own_wanted=own.wanted - wanted,
        own_inbox=own.inbox - own.incident_inbox,
        false_stops=len(_stops(with_.decided, culprits)) + _pauses(run, culprits),
        false_warnings=sum(1 for one in with_.decided if _warns(one) and one.lane.tenant not in culprits),
        stops_without=len(_stops(without.decided, culprits)) + _pauses(without.run, culprits),
        held=sum(count for lane, _, count in with_.waited if lane.tenant not in culprits),
        account=_account(run),
        cpu=with_.cpu,
        mails=run.total().submitted,
    )


def first_list(scenario: Scenario) -> BoughtList:
    """The bought list that the week is about. Raises ValueError if there is none."""
    for incident in scenario.incidents:
        if isinstance(incident, BoughtList):
            return incident
    raise ValueError(f"{scenario.name} has no bought_list incident, and the week is about one.")


def _others(run: Run, without: Run) -> list[Others]:
    found: list[Others] = []
    of = relations(run)
    for relation in RELATIONS[1:]:
        names = {name for name, one in of.items() if one == relation}
        if not names:
            continue
        rows = [row for row in run.rows if row.tenant in names]
        had_rows = [row for row in without.rows if row.tenant in names]
        counts, had = _sum(rows), _sum(had_rows)
        found.append(
            Others(
                relation=relation,
                tenants=len(names),
                wanted=counts.wanted,
                delivered=counts.accepted - counts.returned,
                inbox=counts.inbox,
                late=counts.late,
                had_delivered=had.accepted - had.returned,
                had_inbox=had.inbox,
                had_late=had.late,
                equal=rows == had_rows,
            )
        )
    return found


def _found(played: Played, culprit: str, onset: float) -> tuple[float | None, bool | None, float | None, str]:
    """When the culprit was named, whether its list was named first, when it was stopped, and by what."""
    if played.setup is not Setup.MAILCORDON:
        for action in played.run.actions:
            if (
                action.who == "ses"
                and action.at >= onset
                and action.what in ("tenant_paused", "account_paused")
            ):
                whom = "all mail of the tenant" if action.what == "tenant_paused" else "all mail of everybody"
                # SES names a tenant at best, and never a list.
                identified = action.at - onset if action.tenant == culprit else None
                return identified, False, action.at - onset, f"SES pauses {whom}"
        return None, None, None, "nobody"
    # A mail's minute ends before it is decided about, so what is decided at the onset is about something else.
    after = [one for one in played.decided if one.at > onset and not one.decision.over]
    first = next((one for one in after if one.lane.tenant == culprit), None)
    stop = next((one for one in after if one.lane.tenant == culprit and one.stops), None)
    if first is None:
        return None, None, None, "nobody"
    stops = [one for one in after if one.stops]
    named = bool(stops) and stops[0].lane.tenant == culprit and blames_list(stops[0])
    return first.at - onset, named, (stop.at - onset if stop else None), (stop or first).deed


def blames_list(one: Decided) -> bool:
    """Whether a decision names a list of bought addresses, as what it acts on or as the first of its suspects."""
    named = one.decision.guilty or (one.decision.suspects[0].slices if one.decision.suspects else ())
    return any(part.value.endswith("-bought") or part.value == "bought_list" for part in named)


def _stops(decided: Iterable[Decided], culprits: set[str]) -> list[Decided]:
    return [one for one in decided if one.stops and one.lane.tenant not in culprits]


def _warns(one: Decided) -> bool:
    return not one.decision.over and not one.stops


def _pauses(run: Run, culprits: set[str]) -> int:
    return sum(1 for one in run.actions if one.what == "tenant_paused" and one.tenant not in culprits) + sum(
        one.what == "account_paused" for one in run.actions
    )


def _account(run: Run) -> str:
    done = {one.what for one in run.actions if one.who == "ses"}
    return next((what for what in ("account_paused", "account_probation") if what in done), "")


def _sum(rows: Iterable[Row], since: int = 0) -> Counts:
    total = Counts()
    for row in rows:
        if since:
            for step, counts in row.steps.items():
                if step >= since:
                    total.add(counts)
        else:
            total.add(row.counts)
    return total
