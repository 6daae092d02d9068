"""`./dev bench detect` plays what its scenarios say, judges as its metrics say, and tells false stops apart from policy."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.detection import ceiling, command, laws, null, runs, scenarios, score, snowshoe, targets
from bench.detection.laws import Part
from bench.detection.peers import Peers
from bench.detection.population import Population
from bench.detection.protocol import DAY, Decision, Row
from bench.detection.scenarios import BadScenarios, Scenario
from bench.detection.simulator import Played, Watched, configuration, play
from mailcordon.guard.peers import PEERS

PEERS_AS_DETECTOR = "bench.detection.peers:Peers"
SMALL: dict[str, Any] = {
    "name": "small",
    "kind": "incident",
    "seed": 7,
    "days": 40,
    "tenants": [{"count": 2, "volume": 500, "pattern": "campaign"}],
    "incident": {"signal": "hard_bounces", "scope": "list", "rate": 0.3},
}


def read(*said: Mapping[str, Any]) -> list[Scenario]:
    return list(scenarios.read({"scenarios": list(said)}, pytest.fail))


def small(**changes: Any) -> Scenario:
    return read({**SMALL, **changes})[0]


class Told:
    """Decides what it was told to, at these minutes or the next ones with mail or events, and keeps all rows."""

    def __init__(self, decisions: Sequence[tuple[int, Decision]] = (), share: float = 1.0) -> None:
        self.left = sorted(decisions, key=lambda one: one[0])
        self.rows: list[Row] = []
        self.share = share

    def observe(self, minute: int, rows: Sequence[Row]) -> list[Decision]:
        self.rows += rows
        due = [said for at, said in self.left if at <= minute]
        self.left = self.left[len(due) :]
        return due

    def permit(self, tenant: str, message_type: str, minute: int) -> float:
        return self.share


def played(scenario: Scenario, detector: Any = None) -> tuple[Played, Watched]:
    done, watched = play(Population(scenario), {"one": detector or Told()})
    return done, watched["one"]


# Scenario files -------------------------------------------------------------------------------------------------------------


def test_runs_of_a_scenario_have_seeds_of_their_own():
    found = read({**SMALL, "repeat": 3})
    assert [(one.name, one.base, one.seed) for one in found] == [
        ("small#0", "small", 7),
        ("small#1", "small", 8),
        ("small#2", "small", 9),
    ]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"days": "ten"}, r"scenario 'small'\.days is 'ten'; it has to be a number, above 0, at most 5000"),
        ({"days": float("nan")}, r"scenario 'small'\.days is nan"),
        ({"seed": 1.5}, r"scenario 'small'\.seed is 1\.5; it has to be a whole number"),
        ({"seed": True}, r"scenario 'small'\.seed is True"),
        ({"tenants": []}, r"scenario 'small': it has no tenants"),
        ({"tenants": [{"count": 1, "volume": 5}]}, r"scenario 'small'\.tenants\[0\]: pattern is missing"),
        (
            {"tenants": [{"count": 1, "volume": 5, "pattern": [["campaign"]]}]},
            r"tenants\[0\]\.pattern has to be \"campaign\"",
        ),
        ({"signals": ["bounces"]}, r"scenario 'small'\.signals has to be a list of hard_bounces, complaints"),
        ({"delay": {"hard_bounces": [[1, "exp"]]}}, r"scenario 'small'\.delay\.hard_bounces has to be a list of"),
        ({"providers": [{"name": "a", "share": 0}]}, r"scenario 'small': the shares of the providers add up to nothing"),
        ({"weather": [{"provider": "x", "signal": "delays", "start_day": 1, "days": 1, "mult": 2}]}, "weather names"),
        ({"incident": {"signal": "hard_bounces", "scope": "mood", "rate": 0.3}}, r"incident\.scope has to be campaign"),
        ({"incident": {"signal": "hard_bounces", "scope": "list"}}, r"incident\.rate has to be above 0"),
        ({"incident": {"signal": "opens", "scope": "lane", "rate": 0.3}}, r"incident\.signal is not among"),
        ({"incident": {"signal": "hard_bounces", "scope": "lane", "rate": 0.3, "tenant": 2}}, r"incident\.tenant is not"),
        ({"incident": None}, r"scenario 'small'\.incident has the wrong type"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_the_field_and_what_it_may_be(changes: dict[str, Any], sentence: str):
    with pytest.raises(BadScenarios, match=sentence):
        small(**changes)


def test_a_field_that_nothing_reads_is_told_and_does_no_harm():
    told: list[str] = []
    (found,) = scenarios.read({"scenarios": [{**SMALL, "wether": []}]}, told.append)
    assert found == small()
    assert told == ["scenario 'small' has a field 'wether' that nothing reads"]


@pytest.mark.parametrize("text", ["", "[]", '{"scenarios": 1}', '{"scenarios": [1]}', "[" * 100_000, "\xff"])
def test_a_file_that_is_none_ends_the_bench_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
):
    path = tmp_path / "s.json"
    path.write_bytes(text.encode("latin-1"))
    assert command.main(["--scenarios", str(path)]) == 1
    assert str(path) in capsys.readouterr().err


# The simulator --------------------------------------------------------------------------------------------------------------


def test_a_scenario_is_decided_by_its_seed_and_no_mail_is_lost():
    first, again, other = Told(), Told(), Told()
    done, _ = played(small(), first)
    played(small(), again)
    played(small(seed=8), other)
    assert first.rows == again.rows != other.rows
    assert sum(row.sent for row in first.rows) == done.sent == done.offered
    assert sum(row.delivered for row in first.rows) <= done.sent
    bounces = sum(row.hard_bounces for row in first.rows)
    assert 0 < bounces <= done.sent - sum(row.delivered for row in first.rows)
    cohorts = [
        (row.minute, sent, events)
        for row in first.rows
        for sent, events in row.cohorts.get("hard_bounces", ())
    ]
    assert sum(events for *_, events in cohorts) == bounces
    assert all(sent <= minute for minute, sent, _ in cohorts)
    assert sum(row.complaints for row in first.rows if row.provider in ("gmail", "apple")) == 0


def test_the_planted_list_bounces_as_planned():
    watching = Told()
    done, _ = played(small(days=200), watching)
    planted = done.population.planted
    assert planted is not None
    guilty = [row for row in watching.rows if row.list_id == planted.value]
    sent = sum(row.sent for row in guilty)
    assert sent == done.guilty_mails
    assert sum(row.hard_bounces for row in guilty) / sent == pytest.approx(0.3, rel=0.1)
    assert min(row.minute for row in guilty) == planted.start == done.guilty[0].minute


def test_in_a_closed_loop_mail_that_may_not_leave_is_gone():
    done, watched = played(small(closed_loop=True), Told(share=0.25))
    assert done.sent / done.offered == pytest.approx(0.25, rel=0.1)
    assert watched.error is None


def test_blackouts_and_digests_delay_what_arrives():
    watching = Told()
    digest = {"provider": "yahoo", "signal": "hard_bounces", "at_minute": 600}
    played(small(blackouts=[{"start_day": 0, "hours": 24}], digests=[digest]), watching)
    events = [row for row in watching.rows if row.hard_bounces or row.complaints]
    assert min(row.minute for row in events) >= DAY
    assert {row.minute % DAY for row in events if row.provider == "yahoo" and row.hard_bounces} == {600}


@pytest.mark.skipif("MAILCORDON_SHARED" not in os.environ, reason="the reference is not here")
@pytest.mark.parametrize("name", ["bounce-5k-list-10%#0", "loop-20k-list-15%#1", "ramp-like", "weather-like"])
def test_runs_and_metrics_are_those_of_the_reference(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(Path(os.environ["MAILCORDON_SHARED"]) / "reference" / "detection_bench"))
    import detbench  # pyright: ignore[reportMissingImports]

    document = json.loads(scenarios.PUBLIC.read_text())
    document["scenarios"] += [
        {
            **SMALL,
            "name": "ramp-like",
            "tenants": [{"count": 2, "volume": 300, "pattern": [["campaign", 0.5], ["transactional", 0.5]]}],
            "incident": {"signal": "complaints", "scope": "lane", "rate": 0.05, "ramp_days": 5},
            "rates": {"complaints": {"dist": "lognormal", "mean": 0.002}},
            "digests": [{"provider": "yahoo", "signal": "complaints", "at_minute": 600}],
        },
        {
            **SMALL,
            "name": "weather-like",
            "signals": ["hard_bounces", "spam_blocks", "delays", "complaints", "opens"],
            "incident": {"signal": "spam_blocks", "scope": "provider", "rate": 0.05, "provider": "microsoft"},
            "weather": [{"provider": "yahoo", "signal": "delays", "start_day": 33, "days": 2, "mult": 20}],
            "blackouts": [{"start_day": 34, "hours": 9}],
        },
    ]
    ours = next(one for one in scenarios.read(document, pytest.fail) if one.name == name)
    theirs = next(one for one in detbench.expand(document) if one["name"] == name)
    expected = detbench.score_scenario(theirs, Sometimes)
    done, watched = played(ours, Sometimes({}))
    found = score.judge(done, watched)
    assert (found.rows, found.false, found.excused) == (
        expected["perf"]["rows"],
        expected["false"],
        expected["excused"],
    )
    assert sum(found.false.values()) > 0
    incident = found.incident
    assert incident is not None
    wanted = expected["incident"]
    names = (
        "limit_messages",
        "delay_limit_messages",
        "delay_limit_minutes",
        "first_minute_messages",
        "total_affected",
    )
    assert {one: getattr(incident, one) for one in names} == {one: wanted[one] for one in names}
    for level, hit in incident.hits.items():
        told = {one: getattr(hit, one) for one in score.Hit.__slots__} if hit else None
        assert told == wanted[level]
    assert (incident.cause_top1, incident.cause_top3) == (expected["cause_top1"], expected["cause_top3"])
    if found.loop:
        assert found.loop.delivered_share == expected["closed_loop"]["delivered_share"]
        assert found.loop.permit_at_end == expected["closed_loop"]["permit_at_end"]


class Sometimes:
    """Decides often and by a plain rule, right and wrong."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._sums: dict[str, list[int]] = {}

    def observe(self, minute: int, rows: Sequence[Any]) -> list[Decision]:
        found: list[Decision] = []
        for row in rows:
            sums = self._sums.setdefault(row.tenant, [0, 0])
            sums[0] += row.sent
            sums[1] += row.hard_bounces + row.spam_blocks
            cause = [("campaign", row.campaign), ("list", row.list_id), ("provider", row.provider)]
            if row.hard_bounces and sums[1] > 0.011 * sums[0]:
                found.append(
                    {
                        "tenant": row.tenant,
                        "level": "cordon",
                        "message_type": row.message_type,
                        "cause": cause,
                    }
                )
            if row.complaints or row.spam_blocks:
                found.append(
                    {"tenant": row.tenant, "level": "throttle", "provider": row.provider, "cause": cause}
                )
        return found

    def permit(self, tenant: str, message_type: str, minute: int) -> float:
        return 0.7 if minute % 3 else 1.0


# The score ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("volume", "healthy", "bad", "mails"),
    [
        (5_000, 0.01, 0.05, 461),
        (50, 0.005, 0.03, 496),
        (500_000, 0.02, 0.03, 10_666),
        (50, 0.0002, 0.0015, 8_366),
    ],
)
def test_the_limit_is_that_of_the_table(volume: float, healthy: float, bad: float, mails: int):
    """detection.md, section 2."""
    assert laws.mails_needed(volume, bad, healthy) == pytest.approx(mails, abs=1)


def test_feedback_that_cannot_have_come_yet_puts_the_limit_off():
    sent = [laws.Sent(minute, (minute + 1) * 100, 0, (minute + 1) * 100) for minute in range(100)]
    at_once = laws.reached(sent, (Part(1.0, 0.001, None),), 1000)
    later = laws.reached(sent, (Part(1.0, 20.0, None),), 1000)
    assert at_once == (1000, 9)
    assert later is not None
    assert later[0] > 2000
    assert laws.reached(sent, (Part(1.0, 20.0, None),), 10_001) is None


def test_each_decision_counts_as_its_metric_says():
    scenario = small(
        weather=[{"provider": "yahoo", "signal": "delays", "start_day": 32, "days": 1, "mult": 2}]
    )
    done, _ = played(scenario)
    planted = done.population.planted
    assert planted is not None
    start, warm = planted.start, scenario.warm
    lane: Decision = {"tenant": "t1", "message_type": "marketing", "level": "warn"}
    bad: Decision = {"tenant": "t0", "message_type": "marketing", "level": "warn"}
    said: list[tuple[int, Decision]] = [
        (warm - 1, {**lane, "level": "cordon"}),  # before counting begins
        (warm, lane),
        (warm + DAY - 1, lane),  # within a day of the one before
        (warm + DAY, lane),
        (warm + DAY, {**lane, "level": "throttle"}),
        (32 * DAY, {**lane, "level": "cordon", "provider": "yahoo"}),  # whose trouble it is
        (start - 1, {**bad, "level": "cordon"}),  # before the incident: false
        (start + 5, {**bad, "provider": "gmail", "level": "cordon"}),  # too narrow for a list: false
        (start + 10, bad),
        (start + 11, {**bad, "level": "throttle", "cause": [("campaign", "x"), ("list", planted.value)]}),
        (start + 12, {"tenant": "t0", "level": "cordon", "cause": [("list", planted.value)]}),
    ]
    found = score.judge(done, Watched(None, said))
    assert found.false == {"warn": 2, "throttle": 1, "cordon": 2}
    assert found.excused == 1
    incident = found.incident
    assert incident is not None
    minutes = {level: hit.minutes if hit else None for level, hit in incident.hits.items()}
    assert minutes == {"warn": 10, "throttle": 11, "cordon": 12}
    assert (incident.cause_top1, incident.cause_top3) == (False, True)
    assert found.tenant_years == pytest.approx(2 * 10 / 365)


def test_a_detector_that_raises_or_says_nonsense_has_failed_its_run():
    nonsense: Any = {"tenant": "t0", "level": "maybe"}
    for broken in (Told([(0, nonsense)]), object()):
        done, watched = played(small(), broken)
        found = score.judge(done, watched)
        assert found.error is not None
        assert score.lines([found])[0].errors == 1


def test_a_detector_is_told_nothing_of_the_truth():
    scenario = snowshoe.scenarios()[0]
    told = configuration(scenario, Population(replace(scenario, days=31)))
    assert set(told) == {"minute_zero", "signals", "providers", "message_types", "budgets", "labels"}
    assert "guilty" not in json.dumps(told)


# Peers, uncut fleets, snowshoe senders, and years without an incident ---------------------------------------------------------


def test_a_peer_judges_like_its_rule_and_its_stop_has_effect_in_a_loop():
    incident = {"signal": "hard_bounces", "scope": "lane", "rate": 0.07, "message_type": "transactional"}
    tenants = [{"count": 1, "volume": 500, "pattern": "transactional"}]
    scenario = small(closed_loop=True, days=9, warmup_days=2, tenants=tenants, incident=incident)
    found = runs.Run("tests.test_bench_detection:Sometimes")(scenario)
    assert set(found) == {runs.OURS, *(peer.name for peer in PEERS)}
    usual, pause = found["usual"].loop, found["ses-pause"].loop
    assert usual is not None
    assert pause is not None
    assert pause.sent == pause.offered > usual.sent


def test_a_stop_of_a_guilty_campaign_is_told_apart_from_one_of_a_lane():
    scenario = ceiling.scenarios(tenants=3, days=60)[1]
    often = replace(scenario.rates["hard_bounces"], mean=0.02, max=0.02)
    scenario = replace(scenario, rates={**scenario.rates, "hard_bounces": often})
    done, _ = played(scenario)
    population = done.population
    above = [
        (tenant.name, campaign, first)
        for tenant in population.tenants
        for campaign, first in tenant.campaigns.items()
        if first >= scenario.warm and population.rate(tenant, campaign, "hard_bounces") > 0.025
    ]
    (tenant, campaign, first), (other, _, later) = above[0], above[-1]
    stop: Decision = {"tenant": tenant, "message_type": "marketing", "level": "cordon"}
    found = ceiling.judge(
        done,
        [
            (first, {**stop, "part": ("campaign", campaign)}),
            (first + 1, {**stop, "part": ("campaign", campaign)}),  # the same again
            (first + 2, {**stop, "part": ("campaign", "none-such")}),
            (first + 3, {**stop, "level": "throttle"}),
            (later, {**stop, "tenant": other}),
        ],
    )
    assert (found.of_parts, found.right, found.of_lanes) == (2, 1, 1)
    assert 2 <= found.caught < found.above
    assert found.above >= len(above)


def snowshoe_run(decisions: list[tuple[int, Decision]], share: float) -> snowshoe.Containment:
    scenario = snowshoe.scenarios()[1]
    groups = [replace(group, count=min(group.count, 5)) for group in scenario.tenants]
    done, watched = played(replace(scenario, days=34, tenants=groups), Told(decisions, share))
    return snowshoe.judge(done, watched.decisions)


def test_snowshoe_senders_are_contained_if_no_mail_leaves_unhindered_after_a_day():
    def throttles(names: Sequence[str], day: float) -> list[tuple[int, Decision]]:
        return [(int(day * DAY), {"tenant": name, "level": "throttle"}) for name in names]

    members = ["t10", "t11", "t12", "t13", "t14"]
    assert snowshoe_run(throttles(members, 31.5), 1.0).contained
    four = snowshoe_run(throttles(members[:4], 31.5), 0.5)
    assert not four.contained
    assert four.covered_first_day == pytest.approx(0.8)
    assert 0.1 < four.loose < 0.3
    assert four.let_through == pytest.approx(0.5, abs=0.1)
    late = snowshoe_run(throttles(members, 32.7), 1.0)
    assert not late.contained
    assert late.covered_first_day == 0
    assert snowshoe_run(throttles(["t0"], 31.5), 1.0).others == 1


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904), (100, 81.3640, 121.6271)],
)
def test_the_interval_is_the_exact_one_of_poisson(count: int, low: float, high: float):
    assert null.interval(count) == pytest.approx((low, high), abs=1e-3)


def test_the_null_run_has_its_shares_and_a_part_of_it_too():
    batches = null.batches(3000)
    years = [sum(null.CELLS[one.cell].tenants for one in batches if one.cell == place) for place in range(4)]
    assert years == [2100, 600, 250, 50]
    assert sum(one.share for one in null.CELLS) == pytest.approx(1)
    assert len({one.scenario.seed for one in batches}) == len(batches)
    first = [null.CELLS[one.cell] for one in batches[: len(batches) // 10]]
    assert 3 <= sum(cell.share < 0.02 for cell in first) <= 8


def test_the_null_run_goes_on_where_its_log_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(null, "CELLS", (null.Cell(volume=20, pattern="campaign", share=1.0, tenants=2),))
    log, said = tmp_path / "log", list[str]()

    def play_again() -> list[null.Counted]:
        return null.play(PEERS_AS_DETECTOR, 4, jobs=1, log=log, say=said.append)

    first = play_again()
    assert (len(first), len(said)) == (2, 2)
    assert [one.years for one in first] == pytest.approx([2, 2])
    log.write_text(log.read_text().splitlines()[0] + '\n{"cell": 0, "num')
    again = play_again()
    assert again == [first[0], replace(first[1], cpu=again[1].cpu)]
    assert play_again() == again  # what came after the line that was cut off can be read
    log.write_text(log.read_text().replace(first[0].made_by, "0" * 16))
    said.clear()
    play_again()
    assert len(said) == 2  # other sources made what was there


def test_a_rate_is_kept_only_if_its_whole_interval_is():
    def verdict(count: int, years: float) -> str:
        counted = null.Counted(
            cell=0, number=0, made_by="", years=years, false={"warn": 0, "throttle": 0, "cordon": count}, rows=1, cpu=0.0
        )  # fmt: skip
        return null.parts([counted])[0].rates["cordon"].verdict

    assert [verdict(0, 100), verdict(0, 1000), verdict(9, 1000), verdict(9, 100)] == [
        "not refuted",
        "kept",
        "not refuted",
        "broken",
    ]


# The command ----------------------------------------------------------------------------------------------------------------


def test_the_last_line_is_json_and_says_what_was_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"scenarios": [{**SMALL, "name": "bounce-50-list-20%"}]}))
    assert command.main(["--scenarios", str(path), "--detector", PEERS_AS_DETECTOR, "--json"]) == 0
    out = capsys.readouterr().out
    said = json.loads(out.splitlines()[-1])
    assert set(said["peers"]) == {peer.name for peer in PEERS}
    assert said["scenarios"][0]["detections"]["cordon"]["detected"] in (0.0, 1.0)
    assert "bounce-50-list-20%: cordon, ratio" in {one["name"] for one in said["targets"]}
    assert said["misses"] == [one["name"] for one in said["targets"] if not one["met"]]
    assert "Infinity" not in out.splitlines()[-1]
    for name in ("ses-pause", "plunk", "posthog", "coss", "usual"):
        assert name in out


def test_a_failed_run_is_said_and_fails_the_bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"scenarios": [SMALL]}))
    spec = "tests.test_bench_detection:Broken"
    assert command.main(["--scenarios", str(path), "--detector", spec, "--no-peers", "--json"]) == 1
    done = capsys.readouterr()
    assert "failed: small:" in done.err
    assert json.loads(done.out.splitlines()[-1])["errors"]
    assert command.main(["--scenarios", str(path), "--detector", "bench.nowhere:x"]) == 1
    assert "cannot be imported" in capsys.readouterr().err


class Broken(Peers):
    def observe(self, minute: int, rows: Sequence[Row]) -> list[Decision]:
        raise RuntimeError("broken")


def test_targets_name_scenarios_that_are_there():
    known = {one.base for one in scenarios.load(scenarios.PUBLIC, pytest.fail)}
    assert {*targets.RATIOS, *targets.MINUTES, targets.LOOP} <= known


def test_ours_stops_a_bad_list_within_its_first_minute_and_names_it():
    (scenario,) = (
        one for one in scenarios.load(scenarios.PUBLIC, pytest.fail) if one.name == "bounce-5k-list-10%#0"
    )
    found = runs.Run(runs.DETECTOR, peers=False)(scenario)[runs.OURS]
    assert found.incident is not None
    hit = found.incident.hits["cordon"]
    assert hit is not None
    assert hit.ratio <= 1.15
    assert found.incident.cause_top1
    assert sum(found.false.values()) == 0
