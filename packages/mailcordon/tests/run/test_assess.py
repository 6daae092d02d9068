"""`mailcordon assess` against a local SES over the wire: with a role that can only read, at its pace, kept and continued."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import seslocal
from mailcordon import config as configs
from mailcordon.__main__ import command_line
from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.adapters.ses.account_reading import AccountReading, Pace
from mailcordon.adapters.ses.recorded_account import RecordedAccount
from mailcordon.config import Config
from mailcordon.control.administration import SesError
from mailcordon.control.assess import page
from mailcordon.control.assess import report as reports
from mailcordon.control.assess.dangers import Severity
from mailcordon.control.assess.reading import PATIENCE, READS, WATCHES, Lists, Reading
from mailcordon.control.assess.report import Report
from mailcordon.core.errors import BadConfig
from mailcordon.run import assess, iam_policies
from mailcordon.run.assess import Wanted
from mailcordon_fixtures import recorded_accounts as recorded
from seslocal.admin import policies

REGION = "us-east-1"
SMALL_IN = 15 * 60.0  #: seconds within which a small account is read


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MAILCORDON_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr(assess, "_today", lambda: recorded.TODAY)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configs.read({"MAILCORDON_HOME": str(tmp_path / "home")})


@pytest.fixture
async def local() -> AsyncIterator[seslocal.Local]:
    async with seslocal.running() as local:
        yield local


class Clock:
    """A pace's clock that moves only when the pace sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def found(report: Report | None) -> recorded.Found:
    assert report is not None
    return {(each.code, each.about) for each in report.dangers}


async def test_a_small_account_is_read_in_the_time_that_was_forecast_and_within_15_minutes(
    local: seslocal.Local, config: Config
) -> None:
    planted = recorded.small(local.account)
    local.account.access.management_rate.set(1.0, together=False)
    clock, said = Clock(), list[str]()

    # The local SES refuses what comes faster than a call of an operation a second: its clock goes with the pace's.
    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        local.account.clock.advance(seconds)

    pace = Pace(1.0, clock=clock, sleep=sleep)
    wanted = Wanted(region=REGION, aws=True, endpoint=local.url)
    report = await assess.run(config, wanted, pace=pace, say=said.append)
    assert found(report) == planted
    assert clock.now < SMALL_IN
    lists = await Reading(recorded.Direct(local.account), REGION, recorded.TODAY).lists()
    forecast = lists.forecast()
    assert f"{forecast.number} more calls" in said[0]
    assert clock.now == pytest.approx(forecast.seconds(1.0) + 9, abs=10)  # the lists come before the forecast
    print(f"small: {clock.now:.0f} s, forecast {forecast.seconds(1.0):.0f} s")


async def test_a_large_account_is_forecast_before_it_is_read(config: Config) -> None:
    lists = Lists(
        state=None,
        identities=["i"] * 2_000,
        sets=["s"] * 4_000,
        tenants=[{}] * 2_000,
        pools=[],
        ips=[],
        entities={},
        recommendations=[],
        suppressed=None,
    )
    forecast = lists.forecast()
    assert forecast.calls["GetConfigurationSet"] == 4_000
    assert 3.5 * 3_600 < forecast.seconds(1.0) < 4.5 * 3_600


async def test_what_takes_long_is_kept_in_a_file(local: seslocal.Local, config: Config) -> None:
    recorded.small(local.account)
    slow = Pace(0.01, clock=(clock := Clock()), sleep=clock.sleep)
    wanted = Wanted(region=REGION, aws=True, endpoint=local.url)
    with pytest.raises(BadConfig, match="--keep"):
        await assess.run(config, wanted, pace=slow, say=_silent)


def _silent(line: str) -> None:
    pass


# A role that can only read ------------------------------------------------------------------------------------------------


def allow(local: seslocal.Local, document: dict[str, Any]) -> None:
    """The key of the tests has this policy and no other."""
    local.account.access.policies["test"] = policies.read({"policies": [{"document": document}]})


def without(*operations: str) -> dict[str, Any]:
    document = iam_policies.assess()
    kept = [
        {**each, "Action": [one for one in each["Action"] if one.partition(":")[2] not in operations]}
        for each in document["Statement"]
    ]
    return {**document, "Statement": [each for each in kept if each["Action"]]}


async def test_the_reading_role_has_the_rights_that_a_reading_uses_and_no_more(
    local: seslocal.Local, config: Config
) -> None:
    planted = recorded.messy(local.account)
    allow(local, iam_policies.assess())
    report = await assess.run(
        config, Wanted(region=REGION, aws=True, endpoint=local.url), say=_silent, pace=Pace(None)
    )
    assert found(report) == planted
    assert report is not None
    assert report.unknown == ()
    used = {f"ses:{name}" for name in READS} | {f"cloudwatch:{name}" for name in WATCHES}
    assert local.account.access.policies["test"].used.keys() == used


async def test_counts_of_cloudwatch_come_over_the_wire(local: seslocal.Local, config: Config) -> None:
    planted = recorded.watched(local.account)
    report = await assess.run(config, Wanted(region=REGION, endpoint=local.url), say=_silent)
    assert found(report) == planted
    assert report is not None
    text = "\n".join(page.lines(report))
    assert "acme: 20,000 mails a week (CloudWatch, by tag)" in text
    assert "set main: 6.0 % bounced and 0.15 % complained" in text


def test_the_policy_of_the_reading_role_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("iam", "assess") == 0
    assert json.loads(capsys.readouterr().out) == iam_policies.assess()


async def test_a_right_that_the_role_lacks_is_named(local: seslocal.Local, config: Config) -> None:
    planted = recorded.small(local.account)
    allow(local, without("ListRecommendations"))
    wanted = Wanted(region=REGION, aws=True, endpoint=local.url)
    report = await assess.run(config, wanted, say=_silent, pace=Pace(None))
    assert found(report) == planted
    assert report is not None
    [said] = report.unknown
    assert "The role lacks ses:ListRecommendations (mailcordon iam assess has it)" in said


class Denying(recorded.Direct):
    """Denies one operation."""

    def __init__(self, account: Any, denied: str) -> None:
        super().__init__(account)
        self._denied = denied

    async def call(self, operation: str, **members: Any) -> Any:
        answer = await super().call(operation, **members)
        if operation == self._denied:
            raise SesError("AccessDeniedException", "User: arn:aws:iam::0:user/test is not authorized")
        return answer

    async def suppressed(self) -> Any:
        await self.call("ListSuppressedDestinations")
        return await super().suppressed()


async def test_whatever_right_is_missing_nothing_is_derived_from_it() -> None:
    account = recorded.empty()
    planted = recorded.messy(account)
    registrable = PublicSuffixes().registrable
    for operation in (*READS, *WATCHES):
        source = Denying(account, operation)
        reading = Reading(source, REGION, recorded.TODAY)
        report = reports.assess(await reading.read(await reading.lists()), registrable=registrable)
        right = "cloudwatch" if operation in WATCHES else "ses"
        [said] = [each for each in report.unknown if f" {right}:{operation} " in each]
        assert said.startswith("Not known:")
        assert {(each.code, each.about) for each in report.dangers if not each.guess} <= planted, operation
        assert source.calls[operation] <= PATIENCE, operation


async def test_the_client_refuses_every_operation_that_does_not_read(local: seslocal.Local) -> None:
    client = AccountReading(
        Pace(None), region=REGION, endpoint=local.url, access_key="test", secret_key="test"
    )
    for operation in ("DeleteTenant", "PutAccountSendingAttributes", "CreateTenant"):
        with pytest.raises(ValueError, match=operation):
            await client.call(operation)
    assert all(name.startswith(("Get", "List", "BatchGet")) for name in (*READS, *WATCHES))
    client.close()


# AWS only when told -------------------------------------------------------------------------------------------------------


def run_command(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        command_line()(list(words), prog_name="mailcordon")
    return int(ended.value.code or 0)


def test_credentials_in_the_environment_do_not_make_it_read_aws(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    monkeypatch.setattr(AccountReading, "__init__", lambda self, *of, **more: made.append(more))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    assert run_command("assess") != 0
    assert "--aws" in capsys.readouterr().err
    assert made == []


async def test_a_local_ses_never_sees_the_credentials_of_the_environment(
    local: seslocal.Local, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREALKEY")
    recorded.small(local.account)
    local.account.access.check_signatures = True
    report = await assess.run(config, Wanted(region=REGION, endpoint=local.url), say=_silent)
    assert report is not None
    assert report.unknown == ()


# Kept and continued -------------------------------------------------------------------------------------------------------


class Dies(Exception):
    pass


class Dying(recorded.Direct):
    """Answers so many calls, and then the process dies."""

    def __init__(self, account: Any, answers: int) -> None:
        super().__init__(account)
        self.left = answers

    async def call(self, operation: str, **members: Any) -> Any:
        if not self.left:
            raise Dies
        self.left -= 1
        return await super().call(operation, **members)


async def read(file: Path, source: recorded.Direct | None) -> Any:
    kept = RecordedAccount(file, source, region=REGION, on=recorded.TODAY)
    try:
        reading = Reading(kept, kept.region, kept.on)
        return await reading.read(await reading.lists())
    finally:
        kept.close()


async def test_a_reading_that_died_anywhere_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    account = recorded.empty()
    recorded.small(account)
    whole = recorded.Direct(account)
    wanted = await read(tmp_path / "whole.jsonl", whole)
    total = sum(whole.calls.values())
    for answers in (0, 1, 7, total // 2, total - 1):
        file = tmp_path / f"{answers}.jsonl"
        with pytest.raises(Dies):
            await read(file, Dying(account, answers))
        with file.open("a") as torn:
            torn.write('{"asked": "GetTen')  # the last line is never whole after a kill
        rest = recorded.Direct(account)
        assert await read(file, rest) == wanted
        assert sum(rest.calls.values()) == total - answers
        assert await read(file, None) == wanted


async def test_a_recording_has_no_address_of_the_suppression_list(tmp_path: Path) -> None:
    account = recorded.empty()
    recorded.small(account)
    file = tmp_path / "account.jsonl"
    found = await read(file, recorded.Direct(account))
    assert found.suppressed == {"BOUNCE": 40}
    assert "example.org" not in file.read_text()


async def test_a_refusal_is_kept_for_reports_and_asked_anew(local: seslocal.Local, tmp_path: Path) -> None:
    recorded.small(local.account)
    allow(local, without("ListTenants"))
    client = AccountReading(
        Pace(None), region=REGION, endpoint=local.url, access_key="test", secret_key="test"
    )
    file = tmp_path / "account.jsonl"
    for _ in range(2):
        kept = RecordedAccount(file, client, region=REGION, on=recorded.TODAY)
        with pytest.raises(SesError):
            await kept.pages("ListTenants", "Tenants")
        kept.close()
    assert client.calls["ListTenants"] == 2
    alone = RecordedAccount(file, None)
    with pytest.raises(SesError) as refused:
        await alone.pages("ListTenants", "Tenants")
    assert refused.value.code == "AccessDeniedException"
    client.close()


def test_a_recording_of_another_region_or_no_recording_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "account.jsonl"
    RecordedAccount(file, recorded.Direct(recorded.empty()), region="eu-west-1", on=recorded.TODAY).close()
    with pytest.raises(BadConfig, match="eu-west-1"):
        RecordedAccount(file, recorded.Direct(recorded.empty()), region=REGION, on=recorded.TODAY)
    other = tmp_path / "other"
    other.write_text("hello\n")
    for wrong in (other, tmp_path / "missing"):
        with pytest.raises(BadConfig):
            RecordedAccount(wrong, None)


# The command --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    file = tmp_path / "account.jsonl"
    account = recorded.empty()
    recorded.small(account)
    asyncio.run(read(file, recorded.Direct(account)))
    return file


def test_the_command_reports_on_a_recording(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tenants = recording.with_name("tenants.yaml")
    words = ("assess", "--recording", str(recording), "--tenants-file", str(tenants))
    assert run_command(*words, "--throttled-everybody") == 0
    text = capsys.readouterr().out
    assert "Migrate now." in text
    assert "You have throttled everybody because of one tenant" in text
    assert "old-b endangers the others" in text
    assert "Week 1:" in text
    assert "Yahoo: 900 mails, 1.0 % bounced, 0.11 % complained" in text
    assert "cust-0 (VDM): all others: 16,000 mails" in text
    assert tenants.read_text().startswith("# Written by mailcordon assess")
    assert run_command(*words) != 0  # a file with somebody's changes is not overwritten
    assert "exists already" in capsys.readouterr().err
    assert run_command("assess", "--recording", str(recording), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"]["answer"] == "migrate-now"
    assert document["verdict"]["throttled_everybody"] is None
    tenants_of = {each["tenant"]: each for each in document["tenants"]}
    yahoo = {"sent": 900, "bounced": 9, "complained": 1}
    assert (tenants_of["cust-0"]["providers"]["Yahoo"], tenants_of["cust-1"]["providers"].keys()) == (
        yahoo,
        {"UNKNOWN_ISP"},
    )
    severities = {each["severity"] for each in document["dangers"]}
    assert severities <= {each.value for each in Severity}


def test_files_that_cannot_be_read_are_named(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = recording.with_name("nothing.jsonl")
    empty.write_text('{"hello": 1}\n')
    bad = recording.with_name("rules.csv")
    bad.write_text("by,name,value,tenant,type,type_tag\nset,,main,Not A Slug,invoice,\n")
    for option, file, said in (
        ("--events", empty, "no event of SES"),
        ("--events", recording.with_name("gone"), "No such file"),
        ("--rules", bad, "Line 2"),
    ):
        assert run_command("assess", "--recording", str(recording), option, str(file)) != 0
        assert said in capsys.readouterr().err
