"""`seslocal world`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seslocal.__main__ import main
from seslocal.fleets import reading, schema
from seslocal.fleets.command import left_out, python_build
from seslocal.fleets.reading import WrongScenario
from seslocal_fixtures.fleets import BOUGHT, SMALL, scenario


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL + BOUGHT)
    return path


def world(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    status = main(["world", *map(str, words)])
    out, err = capsys.readouterr()
    return status, out, err


def test_a_run_prints_tables_and_its_speed(capsys: pytest.CaptureFixture[str], small: Path) -> None:
    status, out, err = world(capsys, "run", small, "--days", "1", "--scale", "0.5")
    assert (status, err) == (0, "")
    assert "A small fleet" in out
    last = out.splitlines()[-1]
    assert "mails a minute on one core" in last
    assert python_build() in last


def test_json_is_the_result_alone(capsys: pytest.CaptureFixture[str], small: Path) -> None:
    status, out, _ = world(capsys, "run", small, "--days", "1", "--seed", "4", "--json", "--compare")
    found: dict[str, Any] = json.loads(out)
    assert status == 0
    assert (found["run"]["seed"], found["run"]["days"], found["run"]["without"]) == (4, 1, [])
    assert found["without"]["without"] == ["shops-002"]
    assert {row["tenant"] for row in found["run"]["rows"]} - {
        row["tenant"] for row in found["without"]["rows"]
    } == {"shops-002"}


def test_a_log_has_a_line_for_each_thing(
    capsys: pytest.CaptureFixture[str], small: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    status, out, _ = world(capsys, "run", small, "--days", "1", "--without", "shops", "--json", "--log", log)
    assert status == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {line["tenant"] for line in lines} == {"apart-001", "apart-002"}
    assert sum(line["what"] == "attempt" for line in lines) == json.loads(out)["run"]["attempts"]


def test_what_cannot_be_done_is_said_and_is_a_failure(
    capsys: pytest.CaptureFixture[str], small: Path, tmp_path: Path
) -> None:
    assert world(capsys, "run", small, "--log", tmp_path / "no" / "log")[::2] == (
        1,
        f"seslocal: {tmp_path}/no/log cannot be written: No such file or directory.\n",
    )
    status, _, err = world(capsys, "run", small, "--without", "shops-9")
    assert status == 1
    assert "--without shops-9: the scenario has no tenant or group of this name. It has: apart, shops." in err


@pytest.mark.parametrize("words", [("--scale", "0"), ("--days", "0"), ("--seed", "x"), ("--scale", "nan")])
def test_numbers_are_checked(capsys: pytest.CaptureFixture[str], small: Path, words: tuple[str, str]) -> None:
    with pytest.raises(SystemExit):
        main(["world", "run", str(small), *words])
    assert f"{words[1]!r} is not a" in capsys.readouterr().err


def test_check_names_all_that_are_wrong(
    capsys: pytest.CaptureFixture[str], small: Path, tmp_path: Path
) -> None:
    status, out, err = world(capsys, "check", small, "bought-list")
    assert (status, err) == (0, "")
    assert f"{small} is a scenario of 5 tenants and about 3,200 mails in 2 days." in out
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text("days = 0")
    status, out, err = world(capsys, "check", tmp_path / "a.toml", small, tmp_path / "b.toml")
    assert status == 1
    assert "5 tenants" in out
    assert err.count("days: It must be a whole number >= 1.") == 2


def test_list_show_and_schema(capsys: pytest.CaptureFixture[str]) -> None:
    listed = world(capsys, "list")[1]
    assert [line.split()[0] for line in listed.splitlines()] == reading.shipped_names()
    assert world(capsys, "show", "bought-list")[1] == reading.find("bought-list").read_text()
    assert world(capsys, "schema")[1] == schema.text()


def test_left_out_are_tenants_groups_or_the_culprits() -> None:
    found = scenario(BOUGHT)
    assert left_out(found, ["shops-001"]) == {"shops-001"}
    assert left_out(found, ["apart", "culprits"]) == {"apart-001", "apart-002", "shops-002"}
    with pytest.raises(WrongScenario):
        left_out(found, ["culprit"])


EXPECT = """
[[expect]]
name = "Few mails of the list leave"
measure = "incident_mails"
of = "culprits"
at_most = MOST

[[expect]]
name = "Strangers lose nothing"
measure = "inbox_lost_share"
of = "strangers"
at_most = 0
"""


def test_check_fails_if_an_expectation_is_missed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "missed.toml"
    path.write_text(SMALL + BOUGHT + EXPECT.replace("MOST", "10"))
    status, out, err = world(capsys, "run", path, "--days", "1", "--check")
    assert (status, err) == (1, "seslocal: 1 of 2 expectations are missed: Few mails of the list leave.\n")
    assert "reached       Strangers lose nothing" in out, "it was played without the culprits too"
    assert world(capsys, "run", path, "--days", "1")[0] == 0, "a run is no test"


def test_check_succeeds_if_none_is_missed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "reached.toml"
    path.write_text(SMALL + BOUGHT + EXPECT.replace("MOST", "10_000"))
    status, out, err = world(capsys, "run", path, "--days", "1", "--check", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["without"] is not None


def test_a_picture_is_written(capsys: pytest.CaptureFixture[str], small: Path, tmp_path: Path) -> None:
    path = tmp_path / "small.svg"
    assert world(capsys, "run", small, "--days", "1", "--picture", path)[::2] == (0, "")
    assert path.read_text().startswith("<svg ")
    status, _, err = world(capsys, "run", small, "--days", "1", "--picture", tmp_path / "no" / "x.svg")
    assert (status, err) == (
        1,
        f"seslocal: {tmp_path}/no/x.svg cannot be written: No such file or directory.\n",
    )


def piped(small: Path, *words: str, **options: Any) -> tuple[int, str]:
    """Exit status and standard error of a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "seslocal", "world", *words, small],
        env={**os.environ, "PYTHONPATH": ":".join(sys.path), **options.pop("env", {})},
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    return done.returncode, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_result_that_cannot_be_printed_is_a_sentence(small: Path) -> None:
    with Path("/dev/full").open("w") as full:
        found = piped(small, "show", stdout=full)
    assert found == (1, "seslocal: The result cannot be printed: No space left on device.\n")


def test_a_closed_output_is_no_error_of_ours(small: Path) -> None:
    assert piped(small, "check", preexec_fn=lambda: os.close(1)) == (0, "")
    read, write = os.pipe()
    os.close(read)
    assert piped(small, "show", stdout=write) == (1, "")
    os.close(write)


def test_a_terminal_without_umlauts_gets_a_title_with_umlauts(small: Path) -> None:
    small.write_text(SMALL.replace("A small", "Eine schöne"), encoding="utf-8")
    found = piped(small, "run", "--days", "1", env={"PYTHONIOENCODING": "ascii"}, stdout=subprocess.DEVNULL)
    assert found == (0, "")


def test_what_would_fill_the_memory_is_refused(capsys: pytest.CaptureFixture[str], small: Path) -> None:
    status, out, err = world(capsys, "run", small, "--scale", "1000000")
    assert (status, out) == (1, "")
    assert err.startswith("seslocal: This run would need about 1")
    assert "a smaller --scale" in err
    small.write_text(SMALL.replace("mails_a_day = 200", "mails_a_day = 1e9"))
    status, _, err = world(capsys, "check", small)
    assert (status, err.count("GB are allowed")) == (1, 1)


def test_a_picture_without_its_directory_is_refused_before_the_run(
    capsys: pytest.CaptureFixture[str], small: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    status, _, err = world(capsys, "run", small, "--log", log, "--picture", tmp_path / "no" / "p.svg")
    assert (status, err) == (
        1,
        f"seslocal: {tmp_path}/no/p.svg cannot be written: No such file or directory.\n",
    )
    assert not log.exists()


@pytest.mark.parametrize("days", ["0", "367", "1e3", "99999999999999999999999"])
def test_days_have_bounds(capsys: pytest.CaptureFixture[str], small: Path, days: str) -> None:
    with pytest.raises(SystemExit):
        world(capsys, "run", small, "--days", days)
    assert f"{days!r} is not a whole number from 1 to 366" in capsys.readouterr().err
