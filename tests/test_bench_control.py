"""The report of `./dev bench control`."""

from bench.control import Calls, Result, table


def test_the_report_shows_calls_by_topology_and_the_goals_beside_the_figures() -> None:
    result = Result(
        tenants=10_000,
        resources=40_012,
        calls={
            "shared": Calls(make=11, check=4, repair=3),
            "dedicated": Calls(make=17, check=8, repair=3),
        },
        scan_hours=12.5,
        plan_seconds=1.6,
        apply_seconds=12.0,
        start_seconds=9.0,
        decide_ms=1.9,
        decide_ms_most=3.4,
        newcomer_first=[1.0, 2.0, 9.0],
        newcomer_ready=[20.0, 21.0, 25.0],
        urgent_first=[0.5, 1.0, 4.0],
    )
    said = table(result).splitlines()
    assert [line.split() for line in said[2:4]] == [
        ["shared", "11", "4", "3"],
        ["dedicated", "17", "8", "3"],
    ]
    text = "\n".join(said)
    assert "within 12.5 h at one call a second" in text
    assert "a newcomer's first call: 2.0 s, 9.0 s (goal: 10)" in text
    assert "an urgent repair's first call: 1.0 s, 4.0 s (goal: 5)" in text
