"""Twenty tenants send through real boto3 into a world, one of them to a bought list: ledger, events and ground truth agree to the
mail, and playing the record again gives the same truth. `./dev conformance` sends 20,000 mails, `./dev test` 2,000."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import boto3
import pytest
from botocore.config import Config

import seslocal
from seslocal_fixtures.world import ALL_EVENTS, PATIENCE, REGION, Background, World

MAILS: Final = int(os.environ.get("SESLOCAL_WORLD_MAILS", "2000"))
TENANTS: Final = [f"t{index:02}" for index in range(20)]
CULPRIT: Final = "t00"
KIN: Final = ("t00", "t01", "t02")  # share a domain
APART: Final = ("t18", "t19")  # have domain and pool of their own
HASTY: Final = "t05"  # gives up after five minutes
HOSTS: Final = (
    "gmail.com",
    "gmail.com",
    "outlook.com",
    "yahoo.com",
    "icloud.com",
    "gmx.net",
    "acme-corp.example",
)
EVENTS: Final = [*ALL_EVENTS, "OPEN", "CLICK"]
HOUR: Final = 3600.0
CALL: Final = 50  # mails


@dataclass
class Told:
    """What one mail's events say of a recipient."""

    kinds: Counter[str] = field(default_factory=Counter[str])
    answers: list[str] = field(default_factory=list[str])  #: smtpResponse or diagnosticCode


@dataclass
class Played:
    world: World
    ledger: dict[str, dict[str, Any]]  #: by message id
    events: dict[tuple[str, str], Told]  #: by message id and recipient; of a Send, by each of its recipients
    truth: dict[tuple[str, str], dict[str, Any]]
    tables: dict[str, dict[str, int]]  #: by tenant


def _domain(tenant: str) -> str:
    return "shared.example" if tenant in KIN else f"{tenant}.example"


def _set_up(world: World) -> None:
    world.admin("PUT", "/account", {"rate": 1e6, "quota": -1, "findings": False})
    lists = [{"name": one, "quality": "bought" if one == CULPRIT else "opted-in"} for one in TENANTS]
    weather = [{"provider": "gmx", "start": 0, "seconds": 4 * HOUR, "defers": 0.8}]
    world.admin("PUT", "/world", {"seed": 5, "lists": lists, "weather": weather})
    world.ses.put_account_suppression_attributes(SuppressedReasons=["BOUNCE", "COMPLAINT"])
    for number in range(3):
        listed = f"{CULPRIT}.{number:06}@{HOSTS[number % len(HOSTS)]}"
        world.ses.put_suppressed_destination(EmailAddress=listed, Reason="BOUNCE")
    world.ses.put_account_dedicated_ip_warmup_attributes(AutoWarmupEnabled=False)
    for domain in sorted({_domain(one) for one in TENANTS}):
        world.domain(domain)
    for tenant in TENANTS:
        delivery: dict[str, Any] = {}
        if tenant == HASTY:
            delivery = {"DeliveryOptions": {"MaxDeliverySeconds": 300}}
        if tenant in APART:
            world.ses.create_dedicated_ip_pool(PoolName=tenant)
            world.admin("POST", "/dedicated-ips", {"pool": tenant})
            delivery = {"DeliveryOptions": {"SendingPoolName": tenant}}
        world.configuration_set(tenant, events=EVENTS, **delivery)
        html = f"<p>Hi {{{{n}}}}</p><a href='https://{_domain(tenant)}/{tenant}'>more</a>"
        content = {"Subject": "Hello {{n}}", "Html": html}
        world.ses.create_email_template(TemplateName=tenant, TemplateContent=content)
        resources = (f"identity/{_domain(tenant)}", f"configuration-set/{tenant}", f"template/{tenant}")
        world.tenant(tenant, *map(world.arn, resources))


def _call(world: World, tenant: str, first: int) -> list[str]:
    headers = [{"Name": "List-Unsubscribe", "Value": "<https://x.example/u>"}]
    entries = [
        {
            "Destination": {"ToAddresses": [f"{tenant}.{number:06}@{HOSTS[number % len(HOSTS)]}"]},
            "ReplacementEmailContent": {
                "ReplacementTemplate": {"ReplacementTemplateData": json.dumps({"n": number})}
            },
            "ReplacementHeaders": [*headers, {"Name": "X-Seslocal-Key", "Value": f"{tenant}/{number}"}],
        }
        for number in range(first, first + CALL)
    ]
    answer = world.ses.send_bulk_email(
        FromEmailAddress=f"news@{_domain(tenant)}",
        ConfigurationSetName=tenant,
        TenantName=tenant,
        DefaultContent={"Template": {"TemplateName": tenant, "TemplateData": "{}"}},
        BulkEmailEntries=entries,
    )
    return [one["MessageId"] for one in answer["BulkEmailEntryResults"]]


def _events(world: World) -> dict[tuple[str, str], Told]:
    """Reads every event from the queue, with several receivers at once."""
    url = world.queue()

    def receive(_: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while messages := world.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += messages
        return found

    told: dict[tuple[str, str], Told] = {}
    with ThreadPoolExecutor(4) as several:
        received = [one for part in several.map(receive, range(4)) for one in part]
    assert len({one["MessageId"] for one in received}) == len(received)
    for message in received:
        text = json.loads(message["Body"])["Message"]
        if "Successfully validated" not in text:
            event = json.loads(text)
            for recipient, answer in _recipients(event):
                one = told.setdefault((event["mail"]["messageId"], recipient), Told())
                one.kinds[event["eventType"]] += 1
                if answer:
                    one.answers.append(answer)
    return told


def _recipients(event: dict[str, Any]) -> Iterator[tuple[str, str]]:
    match event["eventType"]:
        case "Delivery":
            for one in event["delivery"]["recipients"]:
                yield one, event["delivery"]["smtpResponse"]
        case "Bounce":
            for one in event["bounce"]["bouncedRecipients"]:
                yield one["emailAddress"], one["diagnosticCode"]
        case "DeliveryDelay":
            for one in event["deliveryDelay"]["delayedRecipients"]:
                yield one["emailAddress"], one["diagnosticCode"]
        case "Complaint":
            for one in event["complaint"]["complainedRecipients"]:
                yield one["emailAddress"], ""
        case _:
            for one in event["mail"]["destination"]:
                yield one, ""


def _all(world: World, path: str, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = world.admin("GET", f"{path}?limit=1000{after}")
        found += page[name]
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    settings = seslocal.Settings(event_delay=0.01, queue_most=20 * MAILS, ledger=MAILS + 10)
    server = Background(settings, seslocal.Clock(1_767_600_000.0, 0))
    where: dict[str, Any] = {"endpoint_url": server.local.url, "region_name": REGION}
    where |= {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    config = Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE)
    ses: Any = boto3.client("sesv2", config=config, **where)
    sqs: Any = boto3.client("sqs", config=config, **where)
    try:
        world = World(server.local, ses, sqs)
        _set_up(world)
        each = MAILS // len(TENANTS)
        for first in range(0, each, CALL):
            for tenant in TENANTS:
                assert len(set(_call(world, tenant, first))) == CALL
            world.admin("PUT", "/clock", {"advance": HOUR})
        world.admin("PUT", "/clock", {"advance": 3 * 24 * HOUR})  # the queue keeps events for four days
        rows = _all(world, "/world/mails", "mails")
        tables = world.admin("GET", "/world/tables?by=tenant")["rows"]
        yield Played(
            world,
            {one["message_id"]: one for one in _all(world, "/sent", "sent")},
            _events(world),
            {(row["message_id"], row["recipient"]): row for row in rows},
            {row["tenant"]: row for row in tables},
        )
    finally:
        ses.close()
        sqs.close()
        server.stop()


def test_ledger_and_ground_truth_have_the_same_mails(played: Played) -> None:
    assert len(played.ledger) == MAILS
    in_ledger = {
        (name, recipient, entry["tenant"])
        for name, entry in played.ledger.items()
        for recipient in entry["recipients"]
    }
    assert {(name, recipient, row["tenant"]) for (name, recipient), row in played.truth.items()} == in_ledger
    fates = {entry["fates"][recipient]["fate"] for (name, recipient), entry in _entries(played)}
    assert fates <= {"world", "suppressed"}


def _entries(played: Played) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    for name, recipient in played.truth:
        yield (name, recipient), played.ledger[name]


def test_every_mail_has_exactly_the_events_of_its_end(played: Played) -> None:
    assert set(played.events) == set(played.truth)
    expected = {
        "inbox": {"Send": 1, "Delivery": 1},
        "spam": {"Send": 1, "Delivery": 1},
        "refused": {"Send": 1, "Bounce": 1},
        "expired": {"Send": 1, "Bounce": 1},
        "returned": {"Send": 1, "Delivery": 1, "Bounce": 1},
        "suppressed": {"Send": 1, "Bounce": 1},
    }
    for mail, row in played.truth.items():
        kinds = dict(played.events[mail].kinds)
        for extra in ("DeliveryDelay", "Complaint", "Open", "Click"):
            kinds.pop(extra, None)
        assert kinds == expected[row["ended"]], (mail, row)


def test_every_answer_of_a_host_is_in_an_event(played: Played) -> None:
    """Word by word; looked at for every tenth mail and every unusual one."""
    seen = 0
    for index, (mail, row) in enumerate(played.truth.items()):
        if index % 10 and row["ended"] in ("inbox", "spam") and row["attempts"] == 1:
            continue
        (whole,) = played.world.admin("GET", f"/world/mails/{mail[0]}")["recipients"]
        said = [one["said"] for one in whole["attempts"]]
        answers = Counter(one.removeprefix("smtp; ") for one in played.events[mail].answers)
        assert not Counter(said) - answers, (mail, row)
        alone = (answers - Counter(said)).total()  # a bounce that no attempt was answered with
        assert alone == (row["ended"] in ("returned", "expired", "suppressed")), (mail, row)
        seen += 1
    assert seen > MAILS / 20


def test_the_tables_count_what_the_events_say(played: Played) -> None:
    sums: dict[str, Counter[str]] = {tenant: Counter() for tenant in TENANTS}
    for (name, _), told in played.events.items():
        sums[played.ledger[name]["tenant"]] += told.kinds
    for tenant, kinds in sums.items():
        row = played.tables[tenant]
        assert row["mails"] == kinds["Send"] == MAILS // len(TENANTS)
        assert row["accepted"] == kinds["Delivery"]
        assert row["refused"] + row["expired"] + row["returned"] + row["suppressed"] == kinds["Bounce"]
        assert row["deferrals"] == kinds["DeliveryDelay"]
        assert row["complaints_known"] == kinds["Complaint"]
        assert row["opens"] - row["opens_unseen"] + row["machine_opens"] == kinds["Open"]
        assert row["clicks"] + row["machine_clicks"] == kinds["Click"]
        assert row["inbox"] + row["spam"] + row["returned"] == row["accepted"]


def test_every_end_is_among_them(played: Played) -> None:
    ends = {row["ended"] for row in played.truth.values()}
    assert ends >= {"inbox", "spam", "refused", "expired", "suppressed"}
    assert {row["tenant"] for row in played.truth.values() if row["ended"] == "expired"} == {HASTY}
    if MAILS >= 20_000:
        assert ends == {"inbox", "spam", "refused", "expired", "returned", "suppressed"}
        assert sum(row["complaints_known"] for row in played.tables.values()) > 0


def test_the_bought_list_shows(played: Played) -> None:
    refused = {tenant: row["refused"] for tenant, row in played.tables.items()}
    assert max(refused, key=lambda tenant: refused[tenant]) == CULPRIT
    traps = played.world.admin("GET", "/world/traps")["traps"]
    hits = Counter(dict.fromkeys(TENANTS, 0))
    for row in traps:
        hits[row["tenant"]] += row["hits"]
    assert hits.most_common(1)[0][0] == CULPRIT
    assert {tenant: row["trapped"] for tenant, row in played.tables.items()} == dict(hits)


def test_who_lost_what_to_the_culprit(played: Played) -> None:
    """Those who share neither domain nor pool lose none, and the replay with everybody is the truth to the mail."""
    found = played.world.admin("POST", "/world/counterfactual", {"without": [CULPRIT]})
    rows = {row["tenant"]: row for row in found["tenants"]}
    assert found["differing"] == 0
    assert found["mails"] == MAILS - MAILS // len(TENANTS)
    assert {tenant: rows[tenant]["shares"] for tenant in APART} == {tenant: [] for tenant in APART}
    assert [(rows[tenant]["lost"], rows[tenant]["gained"]) for tenant in APART] == [(0, 0)] * len(APART)
    for tenant, row in rows.items():
        print(tenant, row["mails"], "inbox", row["inbox"], "without", row["inbox_without"], row["lost_by"])
