"""The same seed and keys give the same events: byte for byte in one process, and whatever the order in which concurrent senders'
mails arrive. A restart in the middle changes nothing either."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

import seslocal
from seslocal import Clock, Settings
from seslocal.state.world_state import WorldState
from seslocal.world.settings import ListRule, Weather, WorldSettings
from seslocal_fixtures.scripted_world import START, Scripted
from seslocal_fixtures.world import REGION, Background, World

SENDERS, EACH = 16, 8
DOMAINS = (
    "gmail.com",
    "outlook.com",
    "yahoo.com",
    "icloud.com",
    "gmx.de",
    "acme.mimecast.example",
    "small.example",
)
LISTS = (
    ListRule(name="spring"),
    ListRule(name="old", quality="stale"),
    ListRule(name="sold", quality="bought"),
)
HTML = '<p>Hello <a href="https://acme.example/a">a</a></p>'
ALL = ["SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "DELIVERY_DELAY", "OPEN", "CLICK"]
SESSION: Any = boto3.Session("test", "test", region_name=REGION)


def recipient(sender: int, number: int) -> str:
    quality = LISTS[(sender + number) % len(LISTS)].name
    return f"{quality}.{sender:02d}{number:04d}@{DOMAINS[(sender * EACH + number) % len(DOMAINS)]}"


async def test_the_same_seed_gives_the_same_bytes() -> None:
    def run(seed: int) -> list[str]:
        scripted = Scripted(Settings(seed=5, rate=1e9, quota=-1))
        bad = Weather(provider="gmail", start=0, seconds=600, defers=0.5)
        settings = WorldSettings(seed=seed, lists=LISTS, weather=(bad,))
        scripted.account.mailboxes.world = WorldState(settings, START)
        for number in range(120):
            scripted.send(recipient(number % SENDERS, number), html=HTML)
            scripted.pass_time(7.0)
        scripted.pass_time(2 * 86400)
        return scripted.bodies()

    first = run(7)
    assert run(7) == first
    assert run(8) != first
    told = "".join(first)
    for kind in ("Bounce", "Delivery", "DeliveryDelay", "Open", "Click"):
        assert f'\\"eventType\\":\\"{kind}\\"' in told, kind


class Wire:
    """A server with a frozen clock and a world, and boto3 clients."""

    def __init__(self, **settings: Any) -> None:
        given = {"seed": None, "rate": 1e9, "quota": -1, **settings}
        self.server = Background(seslocal.Settings(**given), Clock(START, 0))
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=SENDERS)
        url = self.server.local.url
        self.ses = SESSION.client("sesv2", endpoint_url=url, config=config)
        self.world = World(
            self.server.local, self.ses, SESSION.client("sqs", endpoint_url=url, config=config)
        )

    def prepare(self) -> None:
        self.world.domain("acme.example")
        self.ses.put_account_dedicated_ip_warmup_attributes(AutoWarmupEnabled=False)
        self.ses.create_dedicated_ip_pool(PoolName="own")
        self.world.configuration_set("news", events=ALL, DeliveryOptions={"SendingPoolName": "own"})
        lists = [{"name": rule.name, "quality": rule.quality} for rule in LISTS]
        self.world.admin("PUT", "/world", {"seed": 7, "lists": lists})
        self.world.admin("POST", "/dedicated-ips", {"pool": "own", "count": 3})

    def send(self, sender: int, number: int) -> str:
        simple = {
            "Subject": {"Data": "Hi"},
            "Body": {"Html": {"Data": HTML}},
            "Headers": [{"Name": "X-Seslocal-Key", "Value": f"{sender:02d}-{number:02d}"}],
        }
        return self.ses.send_email(
            FromEmailAddress="news@acme.example",
            Destination={"ToAddresses": [recipient(sender, number)]},
            ConfigurationSetName="news",
            Content={"Simple": simple},
        )["MessageId"]

    def send_all(self, *, at_once: bool) -> None:
        mails = [(sender, number) for number in range(EACH) for sender in range(SENDERS)]
        if not at_once:
            for sender, number in reversed(mails):
                self.send(sender, number)
            return
        with ThreadPoolExecutor(SENDERS) as pool:
            list(pool.map(lambda one: self.send(*one), mails))

    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        queue = self.server.local.account.queues.ensure("events")
        for message in queue.messages.values():
            if "Successfully validated" not in message.body:
                found.append(json.loads(json.loads(message.body)["Message"]))
        return found

    def stop(self) -> None:
        self.ses.close()
        self.world.sqs.close()
        self.server.stop()


def told(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Key and event, sorted, without ids."""
    keys: dict[str, str] = {}
    for event in events:
        if event["eventType"] == "Send":
            [key] = [one["value"] for one in event["mail"]["headers"] if one["name"] == "X-Seslocal-Key"]
            keys[event["mail"]["messageId"]] = key
    found: list[tuple[str, str]] = []
    for event in events:
        message_id = event["mail"]["messageId"]
        for body in event.values():
            if isinstance(body, dict):
                body.pop("feedbackId", None)
        found.append((keys[message_id], json.dumps(event).replace(message_id, "ID")))
    return sorted(found)


@pytest.fixture(scope="module")
def sequential() -> list[tuple[str, str]]:
    """What is told of the same mails sent one after the other, in another order."""
    wire = Wire()
    try:
        wire.prepare()
        wire.send_all(at_once=False)
        wire.world.admin("PUT", "/clock", {"advance": 600})
        wire.world.admin("PUT", "/clock", {"advance": 3 * 86400})
        return told(wire.events())
    finally:
        wire.stop()


def test_concurrent_senders_get_the_same_events(sequential: list[tuple[str, str]]) -> None:
    assert len({key for key, _ in sequential}) == SENDERS * EACH
    kinds = {json.loads(event)["eventType"] for _, event in sequential}
    assert kinds >= {"Send", "Delivery", "Bounce", "Open"}
    left_from = {str(json.loads(event)["mail"]["tags"].get("ses:outgoing-ip")) for _, event in sequential}
    assert len(left_from - {"None"}) == 3
    wire = Wire()
    try:
        wire.prepare()
        wire.send_all(at_once=True)
        wire.world.admin("PUT", "/clock", {"advance": 600})
        wire.world.admin("PUT", "/clock", {"advance": 3 * 86400})
        assert told(wire.events()) == sequential
    finally:
        wire.stop()


def test_a_kill_in_the_middle_changes_nothing(tmp_path: Path, sequential: list[tuple[str, str]]) -> None:
    wire = Wire(state=str(tmp_path / "state"))
    try:
        wire.prepare()
        wire.send_all(at_once=False)
        wire.world.admin("PUT", "/clock", {"advance": 600})
        pending = wire.server.local.account.clock.pending
        assert pending > 20
        shutil.copytree(tmp_path / "state", tmp_path / "killed")
    finally:
        wire.stop()
    again = Wire(state=str(tmp_path / "killed"))
    try:
        assert again.server.local.account.mailboxes.world is not None
        assert len(list(again.server.local.account.mail.journeys.waiting())) > 20
        again.world.admin("PUT", "/clock", {"advance": 3 * 86400})
        assert told(again.events()) == sequential
    finally:
        again.stop()
