"""A run: the same bytes for the same seed, nobody changed by a stranger, every mail counted once, incidents and operators."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from seslocal.fleets.operator import Seen, Waiting
from seslocal.fleets.player import Player, Sent
from seslocal.fleets.result import Counts, Run
from seslocal.fleets.scenario import moment_of
from seslocal.world.envelope import Envelope
from seslocal_fixtures.fleets import BOUGHT, SMALL, play, scenario


def lines(log: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines()]


def of(log: bytes, tenants: set[str]) -> bytes:
    """The lines of these tenants."""
    return b"\n".join(line for line in log.splitlines() if msgspec.json.decode(line)["tenant"] in tenants)


def counts(run: Run, *tenants: str) -> Counts:
    total = Counts()
    for row in run.rows:
        if row.tenant in tenants or not tenants:
            total.add(row.counts)
    return total


def test_the_same_seed_gives_the_same_bytes_in_processes_that_hash_differently(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL + BOUGHT)
    found: list[tuple[bytes, bytes]] = []
    for number in ("1", "2"):
        log = tmp_path / f"{number}.jsonl"
        printed = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; from seslocal.fleets.command import main; sys.exit(main(sys.argv[1:]))",
                "run",
                "small.toml",
                "--days",
                "1",
                "--json",
                "--log",
                log,
            ],
            cwd=tmp_path,
            env={"PYTHONHASHSEED": number, "PYTHONPATH": ":".join(sys.path)},
            check=True,
            capture_output=True,
        ).stdout
        found.append((printed, log.read_bytes()))
    assert found[0] == found[1]
    assert len(found[0][1].splitlines()) > 1_000


def test_another_seed_gives_other_mails() -> None:
    assert play(scenario(), days=1)[1] != play(scenario(), days=1, seed=2)[1]


def test_strangers_are_the_same_to_the_byte_without_the_culprit() -> None:
    with_it, log = play(scenario(BOUGHT))
    without, other_log = play(scenario(BOUGHT), without=["shops-002"])
    strangers = {"apart-001", "apart-002"}
    assert of(log, strangers) == of(other_log, strangers)
    assert len(of(log, strangers)) > 50_000
    for name in strangers:
        rows, other_rows = ([row for row in run.rows if row.tenant == name] for run in (with_it, without))
        assert msgspec.json.encode(rows) == msgspec.json.encode(other_rows)
    assert not of(other_log, {"shops-002"})
    assert [tenant.name for tenant in without.tenants if tenant.culprit] == []
    assert [tenant.name for tenant in with_it.tenants if tenant.culprit] == ["shops-002"]


def test_leaving_out_a_tenant_changes_no_mail_that_another_sends() -> None:
    _, log = play(scenario(BOUGHT), days=1)
    _, other_log = play(scenario(BOUGHT), days=1, without=["shops-002"])
    first, second = (
        {
            (line["key"], line["to"])
            for line in lines(given)
            if line["what"] in ("suppressed", "rejected") or line.get("n") == 1
        }
        for given in (log, other_log)
    )
    assert {one for one in first if not one[0].startswith("shops-002/")} == second


TWICE = """
[[incidents]]
kind = "bought_list"
tenant = "shops-001"
start = "day 1 09:00"
addresses = 200
lasts = "1h"
mailings = 2
every = "3h"

[ses]
pauses_tenants = "none"
"""
STORM = """
[[incidents]]
kind = "bad_weather"
provider = "gmail"
start = "day 1 00:00"
lasts = "2d"
defers = 1.0
"""


@pytest.mark.parametrize("more", ["", BOUGHT, TWICE, STORM])
def test_every_mail_is_counted_once(more: str) -> None:
    run, log = play(scenario(more))
    total = counts(run)
    assert total.wanted == total.held + total.paused + total.suppressed + total.submitted
    assert total.submitted == total.accepted + total.refused + total.expired + total.under_way
    happened = lines(log)
    what = Counter(line["what"] for line in happened)
    kinds = Counter(line["kind"] for line in happened if line["what"] == "attempt")
    assert what["attempt"] == run.attempts
    assert (kinds["inbox"] + kinds["spam"], kinds["refuse"]) == (total.accepted, total.refused)
    assert (what["suppressed"], what["rejected"]) == (total.suppressed, total.paused)
    assert (what["open"], what["machine_open"]) == (total.opens, total.machine_opens)
    assert (what["complaint"], what["reported"]) == (total.complaints, total.complaints_known)
    assert what["expired"] == total.expired
    again = {line["key"] for line in happened if line["what"] == "attempt" and line["kind"] == "defer"}
    assert len(again) == total.deferred
    if more is TWICE:
        assert total.suppressed > 20
    if more is STORM:
        assert total.expired > 20
    for row in run.rows:
        summed = Counts()
        for step in row.steps.values():
            summed.add(step)
        assert summed == row.counts


def test_a_bought_list_pauses_its_sender_and_is_counted_as_incident() -> None:
    run, log = play(scenario(BOUGHT), days=1)
    guilty = counts(run, "shops-002")
    assert (guilty.incident > 0, guilty.paused > 0) == (True, True)
    assert counts(run, "shops-001", "shops-003").incident == 0
    [pause] = [action for action in run.actions if action.what == "tenant_paused"]
    assert (pause.who, pause.tenant) == ("ses", "shops-002")
    rejected = [line for line in lines(log) if line["what"] == "rejected"]
    assert min(line["at"] for line in rejected) >= pause.at
    assert run.last_incident_mail is not None
    assert run.last_incident_mail < pause.at


def test_an_address_that_bounced_is_not_mailed_again() -> None:
    _, log = play(scenario(TWICE), days=1)
    bounced: dict[str, float] = {}
    for line in lines(log):
        if line["what"] == "attempt":
            assert line["to"] not in bounced, line
            if line["kind"] == "refuse" and line["cause"] == "no_mailbox":
                bounced[line["to"]] = line["at"]
    assert bounced
    assert any(line["what"] == "suppressed" and line["to"] in bounced for line in lines(log))


def test_a_loop_sends_to_the_same_people() -> None:
    loop = """
[[incidents]]
kind = "runaway_loop"
tenant = "apart-001"
start = "day 1 09:00"
lasts = "1h"
mails_a_minute = 5
recipients = 2
"""
    run, log = play(scenario(loop), days=1)
    looped = [
        line
        for line in lines(log)
        if line["key"].startswith("apart-001/runaway_loop") and line["what"] == "attempt"
    ]
    assert len({line["to"] for line in looped}) == 2
    assert 200 < counts(run, "apart-001").incident < 400
    assert all(9 * 3_600 <= line["at"] < 12 * 3_600 for line in looped if line["n"] == 1)


class Keeper:
    """Holds one tenant's bulk mail until an hour, and drops one recipient's."""

    def __init__(self, tenant: str, until: float, never: str = "") -> None:
        self.tenant, self.until, self.never = tenant, until, never
        self.asked: list[tuple[float, str, int]] = []
        self.seen: list[Seen] = []

    def ask(self, at: float, tenant: str, mails: Sequence[Waiting]) -> Sequence[float] | None:
        self.asked.append((at, tenant, len(mails)))
        assert all(mail.tenant == tenant and mail.due < at + 60 for mail in mails)
        if tenant != self.tenant:
            return None
        return [
            math.inf if self.never and mail.provider == self.never else max(at, self.until) for mail in mails
        ]

    def see(self, seen: Seen) -> None:
        self.seen.append(seen)

    def actions(self) -> Sequence[tuple[float, str, str, str]]:
        return [(0.0, "held", self.tenant, "a test")]


def test_an_operator_holds_mail_until_its_time() -> None:
    operator = Keeper("shops-001", 13 * 3_600.0)
    run, log = play(scenario(), days=1, operator=operator)
    left = [line for line in lines(log) if line["tenant"] == "shops-001" and line["what"] == "attempt"]
    assert min(line["at"] for line in left) >= 13 * 3_600
    plain, plain_log = play(scenario(), days=1)
    assert counts(run, "shops-001").wanted == counts(plain, "shops-001").wanted
    assert counts(run, "shops-001").held == 0
    assert counts(run, "shops-001").late > 50, "what was due before noon"
    assert counts(plain, "shops-001").late == 0
    strangers = {"apart-001", "apart-002"}
    assert of(log, strangers) == of(plain_log, strangers)
    assert [(action.who, action.tenant) for action in run.actions] == [("operator", "shops-001")]


def test_what_an_operator_never_lets_leave_is_counted_as_held() -> None:
    operator = Keeper("shops-001", 0.0, never="gmail")
    run, _ = play(scenario(), days=1, operator=operator)
    gmail = next(row.counts for row in run.rows if (row.tenant, row.provider) == ("shops-001", "gmail"))
    assert (gmail.submitted, gmail.held) == (0, gmail.wanted)
    assert gmail.held > 20


def test_an_operator_sees_what_a_sender_sees() -> None:
    operator = Keeper("nobody", 0.0)
    run, _ = play(scenario(BOUGHT), operator=operator)
    total = counts(run)
    what = Counter(seen.what for seen in operator.seen)
    assert what["delivery"] == total.accepted
    assert what["bounce"] >= total.refused + total.expired
    assert what["complaint"] == total.complaints_known
    # an open that fetches nothing is not seen: pictures are switched off, or a proxy has fetched them before
    assert total.machine_opens < what["open"] < total.opens + total.machine_opens
    assert what["rejected"] == total.paused
    assert [seen.at for seen in operator.seen] == sorted(seen.at for seen in operator.seen)
    assert not {"inbox", "spam"} & set(Seen.__struct_fields__)


def test_days_seed_and_scale_are_those_given() -> None:
    run = Player(scenario(), days=1, seed=9, scale=0.5).run()
    assert (run.days, run.seed, run.scale) == (1, 9, 0.5)
    assert counts(run, "apart-001", "apart-002").wanted == pytest.approx(200, rel=0.25)


def test_who_unsubscribed_is_not_mailed_again() -> None:
    _, log = play(
        scenario(campaigns_a_week="14", campaign_lasts='"1h"', one_click="true"),
        days=2,
        scale=4,
        without=["apart"],
    )
    left: set[tuple[str, str]] = set()
    for line in lines(log):
        if line["what"] == "unsubscribe":
            left.add((line["tenant"], line["to"]))
        elif line.get("n") == 1:
            assert (line["tenant"], line["to"]) not in left
    assert left


def seen_by(more: str, tenant: str, at: str) -> Sent:
    """The first mail of a tenant after a moment, as the world sees it."""
    found: list[Sent] = []
    player = Player(scenario(more), days=1)
    submit = player.play.submit

    def keep(envelope: Envelope, when: float, *rest: float) -> None:
        assert isinstance(envelope, Sent)
        if envelope.sender == tenant and envelope.due >= moment_of(at):
            found.append(envelope)
        submit(envelope, when, *rest)

    player.play.submit = keep  # type: ignore[method-assign]
    player.run()
    return found[0]


@pytest.mark.parametrize(
    ("kind", "before", "during"),
    [
        ('"broken_dkim"\nlasts = "2h"', ("shops-001.example", True, "shared"), (None, True, "shared")),
        (
            '"broken_dkim"\nlasts = "2h"\nspf = false',
            ("shops-001.example", True, "shared"),
            (None, False, "shared"),
        ),
        (
            '"cold_ip"\nlasts = "2h"',
            ("shops-001.example", True, "shared"),
            ("shops-001.example", True, "shops-001-cold"),
        ),
    ],
)
def test_an_incident_changes_how_a_tenants_mail_looks_for_its_time(
    kind: str, before: tuple[str | None, bool, str], during: tuple[str | None, bool, str]
) -> None:
    more = f'[[incidents]]\ntenant = "shops-001"\nstart = "day 1 10:00"\nkind = {kind}\n'
    for at, expected in (("day 1 06:00", before), ("day 1 10:00", during), ("day 1 12:00", before)):
        mail = seen_by(more, "shops-001", at)
        assert (mail.signed_by, mail.aligned, mail.pool) == expected
    other = seen_by(more, "shops-002", "day 1 10:00")
    assert (other.signed_by, other.pool) == ("shops-002.example", "shared")
    assert mail.ip.startswith("198.51.100.")


def test_new_senders_and_cold_pools_are_told_to_the_world() -> None:
    more = """
[[incidents]]
kind = "cold_ip"
tenant = "shops-001"
start = "day 1 10:00"

[[incidents]]
kind = "snowshoe"
name = "shoe"
start = "day 1 00:00"
lasts = "1d"
count = 2
mails_a_day = 50
pool = "shoe"
"""
    player = Player(scenario(more, new="true"))
    assert player.world.settings.cold == (
        *("shoe", "shoe-001.example", "shoe-002.example"),
        *("shops-001-cold", "shops-001.example", "shops-002.example", "shops-003.example"),
    )
    run = player.run()
    assert counts(run, "shoe-001", "shoe-002").incident == counts(run, "shoe-001", "shoe-002").submitted > 20
    assert {tenant.name for tenant in run.tenants if tenant.culprit} == {"shoe-001", "shoe-002", "shops-001"}
