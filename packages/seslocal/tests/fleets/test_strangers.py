"""Random scenarios: those who share neither domain nor pool with a culprit, nor an account that was paused, lose nothing, to the
byte, whatever the culprit does; and the order of groups and incidents in the file changes nothing."""

from __future__ import annotations

import os
import random

import msgspec
import pytest

from seslocal.fleets.reading import read
from seslocal.fleets.result import Run
from seslocal.fleets.scenario import Scenario
from seslocal_fixtures.fleets import play

KINDS = {
    "bought_list": 'tenant = "bad"\naddresses = 400\nlasts = "3h"',
    "stale_import": 'tenant = "bad"\naddresses = 400\nlasts = "2h"\nmailings = 2\nevery = "4h"',
    "runaway_loop": 'tenant = "bad"\nlasts = "3h"\nmails_a_minute = 3\nrecipients = 2',
    "broken_dkim": 'tenant = "bad"\nlasts = "9h"\nspf = false',
    "hijacked_form": 'tenant = "bad"\nlasts = "3h"\nmails_a_minute = 3',
    "cold_ip": 'tenant = "bad"\nlasts = "12h"',
    "snowshoe": 'name = "shoe"\ncount = 5\nmails_a_day = 80\nlasts = "1d"\npool = "shared"',
}
#: more seeds: an environment variable, for a longer run
SEEDS = range(int(os.environ.get("SESLOCAL_STRANGERS", "1")))


def parts(kind: str, seed: int) -> tuple[list[str], list[str]]:
    """Groups and incidents of a random scenario in which `bad`, or a snowshoe, is the culprit."""
    chance = random.Random(f"{kind} {seed}")
    pick = chance.choice
    groups = [
        f'[[groups]]\nname = "bad"\nmails_a_day = {pick((50, 300))}\npool = "{pick(("shared", "mates", "own"))}"\n'
        f'domain = "{pick(("bad.example", "mates.example"))}"\n'
    ]
    for name, pool, domains in (
        ("apart", "own", "own"),
        ("aside", "aside", "shared"),
        ("mates", "mates", "shared"),
        ("crowd", "shared", "own"),
    ):
        groups.append(
            f'[[groups]]\nname = "{name}"\ncount = {pick((1, 2, 3))}\npool = "{pool}"\ndomains = "{domains}"\n'
            f"mails_a_day = {pick(('60', '{ median = 90, sigma = 0.7 }'))}\n"
            f'type = "{pick(("mixed", "transactional", "marketing"))}"\ncampaigns_a_week = {pick((2, 7))}\n'
            f'readers = "{pick(("consumers", "businesses"))}"\nnew = {pick(("true", "false"))}\n'
            f"lists = {{ stale = {pick((0, 0.1))}, bought = {pick((0, 0.02))} }}\n"
        )
    incidents = [
        f'[[incidents]]\nkind = "{kind}"\nstart = "day 1 0{chance.randrange(4, 10)}:30"\n{KINDS[kind]}\n',
        '[[incidents]]\nkind = "bad_weather"\nprovider = "yahoo"\nstart = "day 1 06:00"\nlasts = "3h"\n',
    ]
    return groups, incidents


def made(kind: str, seed: int, order: int = 0) -> Scenario:
    groups, incidents = parts(kind, seed)
    if order:
        random.Random(order).shuffle(groups)
        incidents.reverse()
    head = f'name = "random"\ntitle = "x"\ndays = 2\nseed = {seed}\n'
    return read(head + "".join(groups + incidents) + "[ses]\nreviews_account = false\n")


def lines(run: Run, log: bytes, tenants: set[str]) -> tuple[bytes, bytes]:
    """What the log and the result say of tenants."""
    kept = [line for line in log.splitlines() if msgspec.json.decode(line)["tenant"] in tenants]
    return b"\n".join(kept), msgspec.json.encode([row for row in run.rows if row.tenant in tenants])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_strangers_lose_nothing(kind: str, seed: int) -> None:
    of = made(kind, seed)
    run, log = play(of)
    bad = {one.name for one in run.tenants if one.culprit}
    assert bad
    theirs = {name for one in run.tenants if one.culprit for name in (one.domain, one.pool)}
    theirs |= {f"{name}-cold" for name in bad}
    strangers = {one.name for one in run.tenants if not {one.domain, one.pool} & theirs}
    assert len(strangers) >= 2
    other, other_log = play(of, without=bad)
    assert lines(run, log, strangers) == lines(other, other_log, strangers)
    assert len(log.splitlines()) > len(other_log.splitlines()) > 200


def test_the_order_in_the_file_changes_nothing() -> None:
    run, log = play(made("bought_list", 0))
    other, other_log = play(made("bought_list", 0, order=5))
    assert log == other_log
    assert msgspec.json.encode(run) == msgspec.json.encode(other)
