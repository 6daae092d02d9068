"""An installation that only observes: attached to the events of a shared set-up, it names the worst tenant and does nothing to
SES.

The set-up is not ours: one configuration set, its tenants told apart by a tag or by the sender's domain; boto3 sends their mail.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest

from mailcordon_fixtures import systems
from mailcordon_fixtures.systems import System, wait_until

from .conftest import Run

SET = "shared"
LIVE, RECORDED = "mailcordon-outcome", "recorded"  #: topics, and the queues that they feed
#: How many of each customer's mails bounce, of MAILS.
BOUNCES = {"1": 0, "2": 2, "3": 1, "4": 10, "5": 0}
MAILS = 25
DOMAIN = "shop.example"  #: of a tenant that sends from a domain of its own, without a tag
STRANGER = "unknown.example"  #: that no rule names


def client(system: System, name: str) -> Any:
    made: Any = boto3.client  # pyright: ignore[reportUnknownMemberType]
    return made(
        name,
        endpoint_url=system.ses_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def call(system: System, method: str, path: str, body: object = None, base: str | None = None) -> Any:
    request = Request(
        (base or system.url) + path,
        None if body is None else json.dumps(body).encode(),
        {"authorization": f"Bearer {system.key}", "content-type": "application/json"},
        method=method,
    )
    with urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def refusal(system: System, path: str, body: object) -> tuple[int, str]:
    with pytest.raises(HTTPError) as refused:
        call(system, "POST", path, body)
    return refused.value.code, json.loads(refused.value.read())["code"]


@dataclass
class Shared:
    """The set-up that is observed."""

    system: System
    ses: Any
    sqs: Any

    def send(self, domain: str, to: str, **tags: str) -> None:
        self.ses.send_email(
            FromEmailAddress=f"hello@{domain}",
            Destination={"ToAddresses": [to]},
            Content={"Simple": {"Subject": {"Data": "hello"}, "Body": {"Text": {"Data": "hello"}}}},
            ConfigurationSetName=SET,
            EmailTags=[{"Name": name, "Value": value} for name, value in tags.items()],
        )

    def bounces(self, address: str) -> None:
        call(self.system, "PUT", f"/_seslocal/mailboxes/{address}", {"fate": "bounces"}, self.system.ses_url)

    def publish_to(self, name: str) -> None:
        self.ses.create_configuration_set_event_destination(
            ConfigurationSetName=SET,
            EventDestinationName=name,
            EventDestination={
                "Enabled": True,
                "MatchingEventTypes": ["SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "REJECT"],
                "SnsDestination": {"TopicArn": f"arn:aws:sns:us-east-1:123456789012:{name}"},
            },
        )

    def recorded(self, events: int) -> list[str]:
        """The messages of the recorded topic, once so many are there."""
        url = self.sqs.get_queue_url(QueueName=RECORDED)["QueueUrl"]
        found: list[str] = []

        def all_there() -> bool:
            while got := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                found.extend(message["Body"] for message in got)
            return len(found) >= events

        wait_until(all_there, f"{events} events are recorded")
        return found

    def has(self) -> list[Any]:
        """What SES has, beside the mail."""
        return [
            [one["TenantName"] for one in self.ses.list_tenants()["Tenants"]],
            sorted(self.ses.list_configuration_sets()["ConfigurationSets"]),
            sorted(one["IdentityName"] for one in self.ses.list_email_identities()["EmailIdentities"]),
        ]

    def sent(self, tenant: str) -> dict[str, Any]:
        """Its counts of the last hour."""
        items = call(self.system, "GET", f"/v1/metrics?tenant={tenant}&by=tenant")["items"]
        return items[0] if items else {"sent": 0}


@pytest.fixture(scope="module")
def shared(short_home: Callable[[], AbstractContextManager[Path]]) -> Iterator[Shared]:
    with (
        short_home() as home,
        systems.running(
            home,
            "--observe-only",
            MAILCORDON_EVENT_TOPIC_ARNS=f"arn:aws:sns:us-east-1:123456789012:{RECORDED}",
        ) as system,
    ):
        ses, sqs = client(system, "sesv2"), client(system, "sqs")
        for domain in ("platform.example", DOMAIN, STRANGER):
            ses.create_email_identity(EmailIdentity=domain)
            call(system, "PUT", f"/_seslocal/identities/{domain}", {"status": "SUCCESS"}, system.ses_url)
        ses.create_configuration_set(ConfigurationSetName=SET)
        sqs.create_queue(QueueName=RECORDED, Attributes={"VisibilityTimeout": "600"})
        made = Shared(system, ses, sqs)
        made.publish_to(RECORDED)
        yield made


@pytest.fixture(scope="module")
def system(shared: Shared) -> System:
    """What `run` speaks to."""
    return shared.system


def test_it_names_the_worst_tenant_of_a_recorded_stream_and_what_no_rule_names_and_sends_nothing(
    shared: Shared, run: Run
) -> None:
    """One test, since each part begins where the one before it ends."""
    a_recorded_stream_of_a_shared_set_up_names_the_worst_tenant(shared, run)
    attached_to_the_live_stream_it_counts_what_no_rule_names(shared)
    an_assessment_reads_what_it_has_counted(shared.system)
    it_sends_nothing_and_is_well_without_a_dispatcher(shared)


def a_recorded_stream_of_a_shared_set_up_names_the_worst_tenant(shared: Shared, run: Run) -> None:
    system = shared.system
    for customer, bounces in BOUNCES.items():
        for n in range(MAILS):
            to = f"{customer}-{n}@gmail.com"
            if n < bounces:
                shared.bounces(to)
            shared.send("platform.example", to, customer=customer)
    shared.send(DOMAIN, "kim@gmail.com")
    mails = MAILS * len(BOUNCES) + 1
    stream = shared.recorded(2 * mails)
    before = shared.has()

    rules = system.home / "rules.csv"
    rules.write_text("by,value,tenant,type\n\nfrom,a b,shop,receipt\n")
    done = system.cli("observe", "import", str(rules))
    assert (done.returncode, "line 3.value" in done.stderr) == (1, True), done.stderr
    rows = ["by,name,value,tenant,type", f"from,,{DOMAIN},shop,receipt"]
    rows += [f"tag,customer,{customer},tenant-{customer},newsletter" for customer in BOUNCES]
    rules.write_text("\n".join(rows))
    code, out, err = run("observe", "import", str(rules), "--json")
    assert (code, json.loads(out)["added"]) == (0, 6), err

    file = system.home / "stream.jsonl"
    file.write_text("\n".join(stream))
    replayed = [run("events", "replay", str(file), "--json") for _ in range(2)]
    assert [code for code, _, _ in replayed] == [0, 0], replayed[0][2]
    first, again = (json.loads(out) for _, out, _ in replayed)
    assert (first["observed"], first["unmapped"], first["copies"]) == (2 * mails, 0, 0)
    assert (again["new"], again["copies"]) == ({}, 2 * mails)

    wait_until(lambda: shared.sent("shop")["sent"] == 1, "the last mail is counted")
    for customer, bounces in BOUNCES.items():
        counts = shared.sent(f"tenant-{customer}")
        assert (counts["sent"], counts.get("hard_bounced", 0)) == (MAILS, bounces)
    [worst, *_] = call(system, "GET", "/v1/top?by=bounces&per=tenant")["items"]
    assert worst["tenant"] == "tenant-4"

    def named() -> bool:
        found = call(system, "GET", "/v1/incidents?kind=rates")["items"]
        return [one["tenant"] for one in found] == ["tenant-4"]

    wait_until(named, "an incident names the worst tenant, and no other")
    assert call(system, "GET", "/v1/addresses/4-0@gmail.com?tenant=tenant-4")["suppressions"]
    assert shared.has() == before, "nothing was made at SES"


def attached_to_the_live_stream_it_counts_what_no_rule_names(shared: Shared) -> None:
    system = shared.system
    shared.publish_to(LIVE)
    had = shared.sent("tenant-1")["sent"]
    shared.send("platform.example", "new@gmail.com", customer="1")
    shared.send(STRANGER, "lee@gmail.com", customer="99")
    wait_until(lambda: shared.sent("tenant-1")["sent"] > had, "new mail is counted")

    def unmapped() -> list[Any]:
        return call(system, "GET", "/v1/observed/unmapped")["items"]

    wait_until(lambda: [one["events"] for one in unmapped()] == [2], "unmapped mail is counted")
    assert (unmapped()[0]["identity"], unmapped()[0]["tags"]) == (STRANGER, ["customer=99"])
    assert call(system, "GET", "/v1/quarantine")["items"] == []
    [incident] = call(system, "GET", "/v1/incidents")["items"]
    assert (incident["kind"], incident["tenant"]) == ("rates", "tenant-4"), (
        "of nobody else, and of nothing of ours"
    )
    assert "stop it where it is sent" in incident["next"].lower()


def an_assessment_reads_what_it_has_counted(system: System) -> None:
    done = system.cli("assess", "--observed", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    tenants = {each["tenant"]: each for each in found["tenants"]}
    assert {"shop", *(f"tenant-{customer}" for customer in BOUNCES)} <= tenants.keys()
    worst = tenants["tenant-4"]
    assert (worst["counted"], worst["known_by"]) == ("observed", "rule")
    assert worst["figures"]["observed"] == {"sent": MAILS, "bounced": BOUNCES["4"], "complained": 0}
    assert (worst["providers_counted"], worst["providers"].keys()) == ("observed", {"gmail"})
    assert worst["endangers"]
    assert [each["about"] for each in found["dangers"] if each["code"] == "tenant-endangers"] == ["tenant-4"]
    assert any("whose 1 observed mail" in each for each in found["unknown"]), found["unknown"]


def it_sends_nothing_and_is_well_without_a_dispatcher(shared: Shared) -> None:
    system = shared.system
    assert set(system.processes) - {"starter"} == {"api", "observe", "control", "seslocal", "postgres"}
    new = {"slug": "new", "types": {"receipt": "new.example"}}
    assert refusal(system, "/v1/tenants", new) == (409, "observe-only")
    mail = {"tenant": "tenant-1", "type": "newsletter", "from": "a@platform.example", "to": ["kim@gmail.com"]}
    assert refusal(system, "/v1/messages", {**mail, "subject": "x", "text": "x"})[0] == 422
    state = call(system, "GET", "/v1/status")
    assert {one["code"] for one in state["problems"]} <= {"incident-open"}, (
        "the worst tenant's, and nothing of ours"
    )
    assert {"observe-only", "mail-unmapped"} <= {one["code"] for one in state["notices"]}
    assert "could not" not in system.log("control"), "no duty asks SES for what it may not"
    refused = system.cli("run", "dispatch")
    assert refused.returncode == 2
    assert "observes only" in refused.stderr
