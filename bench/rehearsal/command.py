"""`./dev bench rehearsal`: rehearses a bought list on a week of the simulated world, and lets that world go on with it."""

from __future__ import annotations

import argparse
import datetime
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from bench import processes
from bench.rehearsal import record
from bench.week import measures
from bench.week.measures import Figures
from bench.week.setups import Played, Setup, play
from mailcordon.guard.breaker.nouns import Level
from mailcordon.guard.rehearsal import job
from mailcordon.guard.rehearsal import play as played_week
from mailcordon.guard.rehearsal.change import BoughtList
from mailcordon.guard.rehearsal.job import OfList
from seslocal.fleets import reading
from seslocal.fleets.relations import relations
from seslocal.fleets.scenario import BoughtList as Incident
from seslocal.fleets.scenario import Scenario

SCENARIO: Final = Path(__file__).parent.parent / "week" / "week.toml"
KNOWN_DAYS: Final = 8  #: before the rehearsal: seven days of record, and one before
DAYS: Final = 15  #: the record, and the week that is rehearsed


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev bench rehearsal", description=__doc__)
    parser.add_argument(
        "--scale", type=float, default=1.0, metavar="X", help="multiply every volume by this (default 1)"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default 1)")
    options = parser.parse_args(argv)
    print(json.dumps(run(options.scale, options.jobs), indent=2))
    return 0


def scenario() -> Scenario:
    """The week's fleet, whose bazaar mails its list once, on the second Wednesday."""
    found = reading.load(SCENARIO)
    incident = measures.first_list(found)
    return replace(found, days=DAYS, incidents=(replace(incident, start="day 10 09:00", mailings=1),))


def run(scale: float, jobs: int = 1) -> dict[str, object]:
    given = scenario()
    tasks = [
        (given, setup, scale, without)
        for setup in (Setup.MAILCORDON, Setup.NAIVE)
        for without in (False, True)
    ]
    worlds = processes.each(_world, tasks, jobs)
    start = int(datetime.datetime.combine(given.start, datetime.time(), datetime.UTC).timestamp() // 60)
    incident = measures.first_list(given)
    began = time.process_time()
    answer = job.run(
        record.of(worlds[0], start, KNOWN_DAYS),
        BoughtList(
            tenant=incident.tenant, type="newsletter", mails=max(1, round(incident.addresses * scale))
        ),
        {},
    )
    cpu = time.process_time() - began
    assert isinstance(answer.found, OfList)
    names = {
        one.name: relation
        for one, relation in ((t, relations(worlds[0].run)[t.name]) for t in worlds[0].run.tenants)
    }
    return {
        "scale": scale,
        "record_mails": answer.trust.mails,
        "rehearsal_cpu_seconds": round(cpu, 1),
        "sound": answer.trust.sound,
        "mailcordon": {
            "world": _of_world(measures.figures(given, worlds[0], worlds[1], scale)),
            "rehearsal": _rehearsed(answer.found, answer.found.guarded, answer.found.quiet, names, answer),
        },
        "nothing": {
            "world": _of_world(measures.figures(given, worlds[2], worlds[3], scale)),
            "rehearsal": _rehearsed(
                answer.found, answer.found.unguarded, answer.found.untouched, names, answer
            ),
        },
    }


def _world(task: tuple[Scenario, Setup, float, bool]) -> Played:
    given, setup, scale, without = task
    incident: Incident = measures.first_list(given)
    if without:  # the same fleet, whose bazaar mails its own customers alone
        given = replace(given, incidents=(), culprits=(incident.tenant,))
    return play(given, setup, scale=scale, counts=setup is Setup.MAILCORDON and not without)


def _of_world(figures: Figures) -> dict[str, object]:
    return {
        "out": figures.guilty_out,
        "inbox": figures.guilty_inbox,
        "stopped_minutes": None if figures.mitigated is None else round(figures.mitigated / 60),
        "by": figures.by,
        "false_stops": figures.false_stops,
        "account": figures.account,
        "lost": {
            one.relation: {
                "inbox": one.lost,
                "of": one.had_inbox,
                "delivered": one.had_delivered - one.delivered,
            }
            for one in figures.others
        },
    }


def _rehearsed(
    of: OfList,
    played: played_week.Played,
    without: played_week.Played,
    names: dict[str, str],
    answer: job.Answer,
) -> dict[str, object]:
    lost: dict[str, dict[str, float]] = {}
    for lane in answer.week.lanes:
        relation = names[lane.slug]
        now, had = (one.reactions.tallies[lane.facts.lane] for one in (played, without))
        sums = lost.setdefault(relation, {"inbox": 0.0, "of": 0.0, "delivered": 0.0})
        sums["inbox"] += had.inbox - now.inbox
        sums["of"] += had.inbox
        sums["delivered"] += had.delivered - now.delivered
    decisions = [
        (one.minute - of.begins, result.lane.name)
        for result in played.results
        for one in result.decisions
        if one.level > Level.WARN and not one.over
    ]
    own = [
        minutes
        for minutes, name in decisions
        if name == next(x.name for x in answer.week.lanes if x.facts.lane == of.lane)
    ]
    changes = played.reactions.account.changes
    return {
        "out": played.reactions.listed.sent,
        "inbox": round(played.reactions.listed.inbox),
        "stopped_minutes": min([*own, *(one.minute - of.begins for one in played.closed)], default=None),
        "false_stops": len(decisions) - len(own),
        "account": changes[-1].status.name.lower() if changes else "",
        "lost": {
            name: {what: round(value, 1) for what, value in sums.items()} for name, sums in lost.items()
        },
    }
