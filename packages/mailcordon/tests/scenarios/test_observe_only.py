"""An installation that only observes: attached to the events of a shared set-up, it names the worst tenant and does nothing to SES.

The set-up is not ours: one configuration set, its tenants told apart by a tag or by the sender's domain, as boto3 sends their mail.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from mailcordon_fixtures import systems
from mailcordon_fixtures.systems import System, wait_until

SET = "shared"
TOPIC = "arn:aws:sns:us-east-1:000000000000:mailcordon-outcome"
#: customer -> how many of its mails bounce, of MAILS
BOUNCES = {"1": 0, "2": 1, "3": 0, "4": 11, "5": 1}
MAILS = 40
DOMAIN = "shop.example"  #: of a tenant that sends from a domain of its own, without a tag
STRANGER = "unknown.example"  #: that no rule names


def client(system: System, name: str) -> Any:
    return boto3.client(  # pyright: ignore[reportCallIssue, reportArgumentType, reportUnknownMemberType]
        name,  # pyright: ignore[reportArgumentType]
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


@dataclass
class Shared:
    """The set-up that is observed."""

    system: System
    ses: Any
    sent: int = 0

    def send(self, domain: str, to: str, **tags: str) -> None:
        self.ses.send_email(
            FromEmailAddress=f"hello@{domain}",
            Destination={"ToAddresses": [to]},
            Content={"Simple": {"Subject": {"Data": "hello"}, "Body": {"Text": {"Data": "hello"}}}},
            ConfigurationSetName=SET,
            EmailTags=[{"Name": name, "Value": value} for name, value in tags.items()],
        )
        self.sent += 1

    def mailbox(self, address: str, fate: str) -> None:
        call(self.system, "PUT", f"/_seslocal/mailboxes/{address}", {"fate": fate}, self.system.ses_url)

    def calls(self) -> list[Any]:
        """What SES has beside the set-up."""
        return [
            [one["TenantName"] for one in self.ses.list_tenants()["Tenants"]],
            self.ses.list_configuration_sets()["ConfigurationSets"],
            sorted(one["IdentityName"] for one in self.ses.list_email_identities()["EmailIdentities"]),
            self.ses.list_suppressed_destinations()["SuppressedDestinationSummaries"],
        ]


@pytest.fixture(scope="module")
def shared(short_home: Callable[[], AbstractContextManager[Path]]) -> Iterator[Shared]:
    with short_home() as home, systems.running(home, "--observe-only") as system:
        ses = client(system, "sesv2")
        ses.put_account_details(
            MailType="TRANSACTIONAL",
            WebsiteURL="https://platform.example",
            UseCaseDescription="x",
            ProductionAccessEnabled=True,
        )
        for domain in ("platform.example", DOMAIN, STRANGER):
            ses.create_email_identity(EmailIdentity=domain)
            call(system, "PUT", f"/_seslocal/identities/{domain}", {"verified": True}, system.ses_url)
        ses.create_configuration_set(ConfigurationSetName=SET)
        ses.create_configuration_set_event_destination(
            ConfigurationSetName=SET,
            EventDestinationName="all",
            EventDestination={
                "Enabled": True,
                "MatchingEventTypes": ["SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "REJECT"],
                "SnsDestination": {"TopicArn": TOPIC},
            },
        )
        yield Shared(system, ses)


def test_a_recorded_stream_of_a_shared_set_up_names_the_worst_tenant(shared: Shared) -> None:
    system = shared.system
    before = shared.calls()
    rules = system.home / "rules.csv"
    rows = ["by,name,value,tenant,type", f"from,,{DOMAIN},shop,receipt"]
    rows += [f"tag,customer,{customer},tenant-{customer},newsletter" for customer in BOUNCES]
    rules.write_text("\n".join(rows))
    done = system.cli("observe", "import", str(rules), "--json")
    assert json.loads(done.stdout)["added"] == 6, done.stderr

    for customer, bounces in BOUNCES.items():
        for n in range(MAILS):
            to = f"{customer}-{n}@gmail.com"
            if n < bounces:
                shared.mailbox(to, "bounces")
            shared.send("platform.example", to, customer=customer)
    shared.send(DOMAIN, "kim@example.com")
    shared.send(STRANGER, "lee@example.com", customer="99")
    print(before)

    def counted() -> int:
        lines = call(system, "GET", "/v1/metrics?by=lane&last=1h")["items"]
        return sum(line["sent"] for line in lines)

    wait_until(lambda: counted() == MAILS * len(BOUNCES) + 1, "all mapped mail is counted")
