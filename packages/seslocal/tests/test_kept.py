"""`--state`: what survives a kill, and what happens with a file that cannot be used."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

import seslocal
from seslocal.kept import keeper, records
from seslocal.kept.nouns import NOUNS
from seslocal.state.account import Account
from seslocal_fixtures.world import ACCOUNT, REGION, Background, World

SESSION: Any = boto3.Session("test", "test", region_name=REGION)
#: delivered long after the test has ended
LATE = {"fate": "defers", "seconds": 3600}


def open_world(state: Path, **settings: Any) -> tuple[Background, World]:
    chosen = seslocal.Settings(**{"event_delay": 0.001, "state": str(state), **settings})
    background = Background(chosen)
    config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
    ses = SESSION.client("sesv2", endpoint_url=background.local.url, config=config)
    sqs = SESSION.client("sqs", endpoint_url=background.local.url, config=config)
    return background, World(background.local, ses, sqs)


@pytest.fixture
def opened() -> Iterator[Callable[..., World]]:
    """Opens worlds on a state directory and stops them at the end."""
    running: list[tuple[Background, World]] = []

    def open_one(state: Path, **settings: Any) -> World:
        running.append(open_world(state, **settings))
        return running[-1][1]

    yield open_one
    for background, world in running:
        world.ses.close()
        world.sqs.close()
        background.stop()


def as_killed(state: Path) -> Path:
    """A copy of the directory as a kill would leave it at this moment."""
    copy = state.with_name(state.name + "-killed")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(state, copy)
    return copy


def everything(account: Account, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The account as the values that its records have."""
    found: dict[str, Any] = {
        noun.kind: dict(noun.read(account)) for noun in NOUNS if noun.kind not in without
    }
    found["messages"] = {
        name: [records.message_record(name, each) for each in queue.messages.values()]
        for name, queue in account.queues.by_name.items()
    }
    found["counts of queues"] = {name: queue.counts() for name, queue in account.queues.by_name.items()}
    lists = {tenant.name: tenant.suppression for tenant in account.tenants.values()}
    found["lists"] = {
        name: dict(one.entries) for name, one in {"": account.suppression.list, **lists}.items()
    }
    found["global list"] = dict(account.suppression.global_list.entries)
    found["sent"] = [(entry.shown(), entry.content) for entry in account.mail.ledger.since(0)]
    found["total"] = account.mail.ledger.total
    found["under way"] = sorted(one.mail.message_id for one in account.mail.under_way.waiting())
    found["associated"] = account.tenants.of_resource
    return json.loads(json.dumps(found, default=_plain, sort_keys=True))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, set | frozenset):
        return sorted(value)
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def populate(world: World) -> None:
    """Makes something of each noun."""
    world.ready()
    ses, sqs, admin = world.ses, world.sqs, world.admin
    ses.put_email_identity_mail_from_attributes(
        EmailIdentity="mail.acme.example", MailFromDomain="bounce.mail.acme.example"
    )
    ses.create_email_identity_policy(
        EmailIdentity="mail.acme.example",
        PolicyName="p",
        Policy='{"Statement":[{"Effect":"Allow","Principal":"*","Action":"ses:SendEmail"}]}',
    )
    ses.create_email_template(
        TemplateName="hello", TemplateContent={"Subject": "Hi {{name}}", "Text": "Hello {{name}}"}
    )
    ses.create_contact_list(
        ContactListName="news",
        Topics=[{"TopicName": "deals", "DisplayName": "Deals", "DefaultSubscriptionStatus": "OPT_IN"}],
    )
    ses.create_contact(ContactListName="news", EmailAddress="kim@example.com", UnsubscribeAll=True)
    ses.create_dedicated_ip_pool(PoolName="own")
    ses.put_account_suppression_attributes(SuppressedReasons=["COMPLAINT"])
    ses.put_suppressed_destination(EmailAddress="Gone@example.com", Reason="COMPLAINT")
    ses.put_suppressed_destination(EmailAddress="back@example.com", Reason="COMPLAINT")
    ses.delete_suppressed_destination(EmailAddress="back@example.com")
    ses.put_account_details(
        MailType="MARKETING", WebsiteURL="https://acme.example", ProductionAccessEnabled=True
    )
    ses.create_tenant(TenantName="gone")
    ses.delete_tenant(TenantName="gone")
    admin("PUT", "/account", {"rate": 77, "behaviour": {"global_list": False}, "enforcement": "PROBATION"})
    admin("PUT", "/account", {"management_queue": "management", "data_events": True})
    admin("PUT", "/mailboxes/*%40bad.example", {"fate": "bounces", "tenant": "acme"})
    admin("PUT", "/mailboxes/late%40example.com", LATE)
    admin("PUT", "/topics/events", {"raw": True})
    admin("PUT", "/global-list/x%40example.com", {"seconds": 900})
    admin("PUT", "/keys/other", {"secret": "s"})
    admin("POST", "/faults", {"fault": "drop_events", "events": ["Open"]})
    admin("POST", "/tenants/acme/findings", {"type": "BOUNCE", "impact": "LOW"})
    url = sqs.create_queue(QueueName="own", Attributes={"VisibilityTimeout": "40"}, tags={"a": "b"})[
        "QueueUrl"
    ]
    for number in range(3):
        sqs.send_message(
            QueueUrl=url,
            MessageBody=f"é{number}",
            MessageAttributes={"x": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}},
        )
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=600)
    [taken] = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=taken["ReceiptHandle"])
    sqs.receive_message(QueueUrl=url)
    sqs.delete_queue(QueueUrl=sqs.create_queue(QueueName="gone")["QueueUrl"])
    world.send("a@example.com", "b@bad.example")
    world.send("late@example.com")
    admin("PUT", "/world", {"seed": 7, "lists": [{"name": "spring", "quality": "stale"}]})
    ses.create_dedicated_ip_pool(PoolName="managed", ScalingMode="MANAGED")
    admin("POST", "/dedicated-ips", {"pool": "managed"})
    ses.put_configuration_set_delivery_options(ConfigurationSetName="acme-reset", SendingPoolName="managed")
    admin("PUT", "/account", {"account_review": {"on": True, "minimum": 7}, "warm_up": {"start": 60}})
    world.send("gone@example.com", tenant=None)
    world.wait_for(lambda: _visible(world, "events") >= 8)


def _visible(world: World, queue: str) -> int:
    asked = world.sqs.get_queue_attributes(QueueUrl=world.queue(queue), AttributeNames=["All"])["Attributes"]
    return int(asked["ApproximateNumberOfMessages"])


def test_every_noun_survives_a_kill(tmp_path: Path, opened: Callable[..., World]) -> None:
    world = opened(tmp_path / "state")
    populate(world)
    world.admin("PUT", "/clock", {"advance": 5.0})  # what is written once a second is written after it, too
    before = everything(world.local.account, without=("clock",))
    assert not [kind for kind in before if not before[kind] and kind not in UNUSED], (
        "this test makes something of each noun"
    )
    world.wait_for(lambda: _written(world, tmp_path / "state"))
    again = opened(as_killed(tmp_path / "state"))
    after = everything(again.local.account, without=("clock",))
    for kind in before:
        assert after[kind] == before[kind], kind
    assert abs(again.local.account.clock.now() - world.local.account.clock.now()) < 2


UNUSED = ("zone", "verification template", "pending verification", "topic", "stream")


def _written(world: World, state: Path) -> bool:
    """Whether the counts, which are written once a second, are as they are now."""
    counts = {
        noun.kind: dict(noun.read(world.local.account))
        for noun in NOUNS
        if not noun.often or noun.kind == "account review"
    }
    kept = records.Kept()
    payloads, _ = keeper.Journal(as_killed(state)).read()
    for payload in payloads:
        records.replay(keeper._decode(payload), kept)
    return all(
        kept.nouns.get((kind, key)) == keeper._encode(value)
        for kind, values in counts.items()
        for key, value in values.items()
    )


def test_a_stop_in_good_order_keeps_everything_too(tmp_path: Path, opened: Callable[..., World]) -> None:
    background, world = open_world(tmp_path / "state")
    populate(world)
    background.stop()
    before = everything(world.local.account)
    again = opened(tmp_path / "state")
    assert everything(again.local.account) == before
    mail = again.ses.get_account()["SendQuota"]
    assert (mail["SentLast24Hours"], mail["MaxSendRate"]) == (4, 77)


def test_nothing_is_written_after_the_end(tmp_path: Path) -> None:
    background, world = open_world(tmp_path / "state")
    world.tenant("acme")
    background.stop()
    before = (tmp_path / "state" / "journal").read_bytes()
    world.local.account.queues.ensure("late").put("an event that was due after the end")
    assert (tmp_path / "state" / "journal").read_bytes() == before
    world.ses.close()
    world.sqs.close()


# kills of a process


class Process:
    """seslocal as a process of its own."""

    def __init__(self, directory: Path, *options: str) -> None:
        ready = directory / "ready.json"
        ready.unlink(missing_ok=True)
        with (directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "seslocal", "--port", "0", "--ready-file", str(ready)),
                    *("--state", str(directory / "state"), *options),
                ],
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self.clients: list[Any] = []
        until = time.monotonic() + 60
        while not ready.exists():
            assert self.process.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.02)
        self.port = json.loads(ready.read_text())["port"]

    def client(self, service: str) -> Any:
        self.clients.append(SESSION.client(service, endpoint_url=f"http://127.0.0.1:{self.port}"))
        return self.clients[-1]

    def kill(self, number: int = signal.SIGKILL) -> None:
        for client in self.clients:
            client.close()
        self.process.send_signal(number)
        self.process.wait(60)


def test_an_accepted_mail_and_a_message_survive_a_kill_right_after_the_response(tmp_path: Path) -> None:
    one = Process(tmp_path, "--event-delay", "0.5")
    ses, sqs = one.client("sesv2"), one.client("sqs")
    ses.create_email_identity(EmailIdentity="acme.example")
    ses.create_configuration_set(ConfigurationSetName="s")
    ses.create_configuration_set_event_destination(
        ConfigurationSetName="s",
        EventDestinationName="d",
        EventDestination={
            "Enabled": True,
            "MatchingEventTypes": ["SEND", "DELIVERY"],
            "SnsDestination": {"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:events"},
        },
    )
    url = sqs.create_queue(QueueName="mine")["QueueUrl"]
    content = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "x" * 300}}}}
    sent: set[str] = set()
    for number in range(20):
        sqs.send_message(QueueUrl=url, MessageBody=f"m{number}")
        sent.add(
            ses.send_email(
                FromEmailAddress="a@acme.example",
                Destination={"ToAddresses": ["b@example.com"]},
                Content=content,
                ConfigurationSetName="s",
            )["MessageId"]
        )
    held = sqs.receive_message(QueueUrl=url, VisibilityTimeout=600, MaxNumberOfMessages=2)["Messages"]
    one.kill()

    two = Process(tmp_path, "--event-delay", "0.01")
    try:
        ses, sqs = two.client("sesv2"), two.client("sqs")
        url = sqs.get_queue_url(QueueName="mine")["QueueUrl"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=held[0]["ReceiptHandle"])
        counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert counts["ApproximateNumberOfMessages"] == "18"
        assert counts["ApproximateNumberOfMessagesNotVisible"] == "1"
        sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=held[1]["ReceiptHandle"], VisibilityTimeout=0
        )
        events: dict[str, set[str]] = {"Send": set(), "Delivery": set()}
        url = sqs.get_queue_url(QueueName="events")["QueueUrl"]
        until = time.monotonic() + 60
        while not all(found >= sent for found in events.values()):
            assert time.monotonic() < until, {kind: len(found) for kind, found in events.items()}
            got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in got.get("Messages", []):
                if "eventType" in message["Body"]:
                    event = json.loads(json.loads(message["Body"])["Message"])
                    events[event["eventType"]].add(event["mail"]["messageId"])
        assert events == {"Send": sent, "Delivery": sent}
    finally:
        two.kill(signal.SIGTERM)
    assert (tmp_path / "log").read_text() == ""


# the file


def test_the_journal_is_rewritten_when_it_has_grown(
    tmp_path: Path, opened: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_LEAST_GROWTH", 20_000)
    world = opened(tmp_path / "state")
    url = world.sqs.create_queue(QueueName="q")["QueueUrl"]
    journal = tmp_path / "state" / "journal"
    empty = journal.stat().st_size
    inode = journal.stat().st_ino
    for _ in range(30):
        world.sqs.send_message(QueueUrl=url, MessageBody="x" * 1000)
    world.sqs.purge_queue(QueueUrl=url)
    world.sqs.send_message(QueueUrl=url, MessageBody="left")
    world.wait_for(lambda: journal.stat().st_ino != inode)
    assert journal.stat().st_size < empty + 2000
    again = opened(as_killed(tmp_path / "state"))
    assert [message.body for message in again.local.account.queues.by_name["q"].messages.values()] == ["left"]


def test_a_reset_empties_the_state(tmp_path: Path, opened: Callable[..., World]) -> None:
    world = opened(tmp_path / "state")
    populate(world)
    world.admin("POST", "/reset")
    again = opened(as_killed(tmp_path / "state"))
    assert not again.local.account.tenants
    assert again.local.account.mail.ledger.total == 0
    assert not again.local.account.queues.by_name


def _filled(state: Path) -> None:
    background, world = open_world(state)
    world.tenant("acme")
    world.tenant("zen")
    background.stop()
    world.ses.close()
    world.sqs.close()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda content: b"{}\n" + content, "it is not a state file of seslocal"),
        (lambda content: b"", ""),
        (
            lambda content: content.replace(b"state 1\n", b"state 99\n", 1),
            "it has format 99, and this seslocal has format 1",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_kept_and_the_account_starts_empty(
    damage: Callable[[bytes], bytes],
    says: str,
    tmp_path: Path,
    opened: Callable[..., World],
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = tmp_path / "state"
    _filled(state)
    content = damage((state / "journal").read_bytes())
    (state / "journal").write_bytes(content)
    world = opened(state)
    assert not world.local.account.tenants
    if says:
        assert says in caplog.text
        assert (state / "journal.unusable-1").read_bytes() == content
        assert "journal.unusable-1; this run starts empty" in caplog.text
    world.tenant("new")
    assert list(opened(as_killed(state)).local.account.tenants) == ["new"]


def test_the_state_of_another_account_is_not_used(
    tmp_path: Path, opened: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    _filled(tmp_path / "state")
    world = opened(tmp_path / "state", region="eu-west-1")
    assert not world.local.account.tenants
    assert "it is of us-east-1 123456789012, and this run is of eu-west-1 123456789012" in caplog.text


def test_what_was_written_before_a_damage_is_used(
    tmp_path: Path, opened: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "state"
    world = opened(state)
    world.tenant("acme")
    whole = (state / "journal").stat().st_size
    world.tenant("zen")
    killed = as_killed(state)
    content = bytearray((killed / "journal").read_bytes())
    content[whole + 20] ^= 0xFF
    (killed / "journal").write_bytes(content)
    again = opened(killed)
    assert list(again.local.account.tenants) == ["acme"]
    assert f"is damaged after {whole:,} of {len(content):,} bytes" in caplog.text
    assert (killed / "journal.damaged-1").read_bytes() == content


def test_two_servers_on_one_state_are_refused(
    tmp_path: Path, opened: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "PATIENCE", 0.0)
    opened(tmp_path / "state")
    with pytest.raises(keeper.StateRefused, match="another seslocal uses the state in"):
        opened(tmp_path / "state")


def test_a_state_that_cannot_be_made_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "seslocal", "--port", "0", "--state", str(tmp_path / "file" / "state")],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 1
    assert "for the state: Not a directory." in done.stderr
    assert "Traceback" not in done.stderr


def test_what_could_not_be_written_is_written_as_soon_as_it_can_be(
    tmp_path: Path, opened: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "state"
    world = opened(state)
    hidden = state.with_name("elsewhere")
    world.tenant("acme")
    assert world.local._keeper is not None
    # No directory: as a full disk, neither appending (after the file is closed) nor rewriting is possible.
    world.local._keeper._journal._close_file()
    state.rename(hidden)
    world.tenant("zen")
    assert "Changes are in memory only until it can be written again" in caplog.text
    hidden.rename(state)
    world.wait_for(lambda: "is written again and complete" in caplog.text)
    assert list(opened(as_killed(state)).local.account.tenants) == ["acme", "zen"]


def test_warm_up_and_review_continue_after_a_kill(tmp_path: Path, opened: Callable[..., World]) -> None:
    world = opened(tmp_path / "state")
    populate(world)
    world.admin("PUT", "/clock", {"advance": 5.0})
    review, ips = world.admin("GET", "/account/review"), world.admin("GET", "/dedicated-ips")
    assert review["status"] == "PROBATION"  # set by hand
    assert list(ips["ips"][0]["providers"]) == ["small"]
    world.wait_for(lambda: _written(world, tmp_path / "state"))
    again = opened(as_killed(tmp_path / "state"))
    assert again.admin("GET", "/account/review") == review
    assert again.admin("GET", "/dedicated-ips")["ips"][0]["providers"].keys() == {"small"}
    shown = again.admin("GET", "/account")
    assert (shown["account_review"]["minimum"], shown["warm_up"]["start"]) == (7, 60)


def test_a_world_of_the_same_file_goes_on_and_one_of_another_file_begins(
    tmp_path: Path, opened: Callable[..., World]
) -> None:
    def step(seed: int) -> dict[str, Any]:
        return {"call": "PUT /world", "body": {"seed": seed, "start": "2026-01-01T00:00:00Z"}}

    background, first = open_world(tmp_path / "state", scenario=(step(1),))
    try:
        first.ready()
        first.send("kim@gmail.com")
    finally:
        first.ses.close()
        first.sqs.close()
        background.stop()
    shown: list[Any] = []
    for name, scenario in (("same", (step(1),)), ("other", (step(2),)), ("none", ())):
        shutil.copytree(tmp_path / "state", tmp_path / name)
        shown.append(opened(tmp_path / name, scenario=scenario).admin("GET", "/world"))
    assert [(one["settings"]["seed"], one["mails"]) for one in shown] == [(1, 1), (2, 0), (1, 1)]
