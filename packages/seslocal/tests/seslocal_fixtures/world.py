"""A local SES in its own thread, and World, which shortens frequent test steps."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.exceptions import ClientError

import seslocal
from seslocal_fixtures import signing

PATIENCE = 60.0  #: seconds; reached only if the test fails, however busy the machine is
ACCOUNT = "123456789012"
REGION = "us-east-1"
ALL_EVENTS = ["SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "DELIVERY_DELAY"]
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:events"
SESSION: Any = boto3.Session("test", "test", region_name=REGION)  #: it parses the model of each service once
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"


class Background:
    """A server with its own event loop, so that tests can use blocking clients."""

    def __init__(
        self, settings: seslocal.Settings | None = None, clock: seslocal.Clock | None = None
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.local: seslocal.Local = self._run(
            seslocal.start(settings=settings or seslocal.Settings(event_delay=0.001), clock=clock)
        )

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def stop(self) -> None:
        self._run(self.local.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class World:
    def __init__(self, local: seslocal.Local, ses: Any, sqs: Any) -> None:
        self.local = local
        self.ses = ses
        self.sqs = sqs

    def talk(self, data: bytes) -> bytes:
        """Sends these bytes and returns everything until the server closes the connection."""
        with socket.create_connection((self.local.host, self.local.port), timeout=PATIENCE) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            got = b""
            while chunk := sock.recv(65536):
                got += chunk
            return got

    @property
    def host(self) -> str:
        return f"{self.local.host}:{self.local.port}"

    def arn(self, resource: str) -> str:
        return f"arn:aws:ses:{REGION}:{ACCOUNT}:{resource}"

    def admin(self, method: str, path: str, body: object = None, *, expect: int = 200) -> Any:
        status, answer = self.http(
            method, "/_seslocal" + path, None if body is None else json.dumps(body).encode()
        )
        assert status == expect, answer
        return json.loads(answer)

    def http(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Makes a request, signed where AWS requires it, with the admin API's Content-Type."""
        headers = headers or {}
        if body is not None and path.startswith("/_seslocal/"):
            headers = {"Content-Type": "application/json", **headers}
        service = signing.service_of(path, body, headers)
        if service is not None:
            headers = signing.signed(method, path, body, headers, host=self.host, service=service)
        return self.bare(method, path, body, headers)

    def bare(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Makes an unsigned request."""
        connection = http.client.HTTPConnection(self.local.host, self.local.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def domain(self, name: str = "mail.acme.example") -> str:
        self.ses.create_email_identity(EmailIdentity=name)
        return self.arn(f"identity/{name}")

    def configuration_set(
        self, name: str = "acme-reset", *, events: list[str] | None = None, **options: Any
    ) -> str:
        """Creates a set whose events go to the queue `events`."""
        self.ses.create_configuration_set(ConfigurationSetName=name, **options)
        self.destination(name, {"SnsDestination": {"TopicArn": TOPIC}}, events or ALL_EVENTS)
        return self.arn(f"configuration-set/{name}")

    def destination(
        self, name: str, target: dict[str, Any], events: list[str], *, enabled: bool = True
    ) -> None:
        self.ses.create_configuration_set_event_destination(
            ConfigurationSetName=name,
            EventDestinationName=f"d-{next(iter(target))}",
            EventDestination={"Enabled": enabled, "MatchingEventTypes": events, **target},
        )

    def tenant(
        self, name: str = "acme", *arns: str, scope: str | None = None, reasons: list[str] | None = None
    ) -> str:
        given: dict[str, Any] = {}
        if scope:
            given["SuppressionAttributes"] = {"SuppressionScope": scope, "SuppressedReasons": reasons}
        arn = self.ses.create_tenant(TenantName=name, **given)["TenantArn"]
        for resource in arns:
            self.ses.create_tenant_resource_association(TenantName=name, ResourceArn=resource)
        return arn

    def ready(self, *, scope: str = "TENANT", reasons: list[str] | None = None, **options: Any) -> str:
        """Creates tenant acme with everything it needs to send. Returns its ARN."""
        both = ["BOUNCE", "COMPLAINT"]
        return self.tenant(
            "acme",
            self.domain(),
            self.configuration_set(**options),
            scope=scope,
            reasons=both if reasons is None else reasons,
        )

    def send(
        self,
        *to: str,
        sender: str = "Acme <no-reply@mail.acme.example>",
        tenant: str | None = "acme",
        configuration_set: str | None = "acme-reset",
        text: str = "Hello",
        **more: Any,
    ) -> str:
        if tenant is not None:
            more["TenantName"] = tenant
        if configuration_set is not None:
            more["ConfigurationSetName"] = configuration_set
        more.setdefault("Content", {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": text}}}})
        more.setdefault("Destination", {"ToAddresses": list(to)})
        return self.ses.send_email(FromEmailAddress=sender, **more)["MessageId"]

    def bad_mailboxes(self) -> None:
        """Makes the mailboxes of two domains bounce and complain, for `mails`."""
        self.mailbox("*@bounces.example", "bounces")
        self.mailbox("*@complains.example", "complains")

    def mails(
        self, good: int, bounces: int, complains: int, local: Callable[[int], str], then: float
    ) -> None:
        """Sends so many mails of each kind, each to `local` of its number, and moves the clock by `then` seconds."""
        for domain, count in (
            ("good.example", good),
            ("bounces.example", bounces),
            ("complains.example", complains),
        ):
            for number in range(count):
                self.send(f"{local(number)}@{domain}")
        self.admin("PUT", "/clock", {"advance": then})

    def queue(self, name: str = "events") -> str:
        return self.sqs.get_queue_url(QueueName=name)["QueueUrl"]

    def bodies(self, count: int, name: str = "events", seconds: float = PATIENCE) -> list[str]:
        """Receives and deletes `count` messages. Returns their bodies, without the plain-text message of a new topic."""
        found: list[str] = []
        until = time.monotonic() + seconds
        url = self.queue(name)
        while len(found) < count and time.monotonic() < until:
            got = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in got.get("Messages", []):
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message.get("ReceiptHandle", ""))
                if "Successfully validated SNS topic" not in message.get("Body", ""):
                    found.append(message.get("Body", ""))
        assert len(found) == count, f"{len(found)} of {count} messages came: {found}"
        return found

    def events(self, count: int) -> list[dict[str, Any]]:
        """Returns `count` SES event documents from their SNS envelopes."""
        return [json.loads(json.loads(body)["Message"]) for body in self.bodies(count)]

    def kinds(self, count: int) -> list[str]:
        return [event["eventType"] for event in self.events(count)]

    def silent(self, name: str = "events") -> bool:
        """Whether no event is pending: sends a canary mail, whose event must be the next."""
        self.ses.create_configuration_set(ConfigurationSetName="canary")
        topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:canary"
        self.destination("canary", {"SnsDestination": {"TopicArn": topic}}, ["DELIVERY"])
        self.ses.create_email_identity(EmailIdentity="canary.example")
        self.send("c@x.example", sender="c@canary.example", tenant=None, configuration_set="canary")
        self.bodies(1, "canary")
        got = self.sqs.receive_message(QueueUrl=self.queue(name), MaxNumberOfMessages=10)
        bodies = [message.get("Body", "") for message in got.get("Messages", [])]
        return not [body for body in bodies if "Successfully validated" not in body]

    def sent(self, **filters: str) -> list[dict[str, Any]]:
        query = "&".join(f"{quote(name)}={quote(value)}" for name, value in filters.items())
        return self.admin("GET", f"/sent?{query}")["sent"]

    def mailbox(self, address: str, fate: str, **more: object) -> None:
        self.admin("PUT", f"/mailboxes/{quote(address)}", {"fate": fate, **more})

    def fault(self, kind: str, **more: object) -> str:
        return self.admin("POST", "/faults", {"fault": kind, **more})["id"]

    def wait_for(self, so: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Polls for something between two servers that cannot be awaited."""
        until = time.monotonic() + seconds
        while not so():
            assert time.monotonic() < until, "it never became so"
            time.sleep(0.005)

    def followed(self, path: str, headers: dict[str, str]) -> tuple[int, str | None]:
        """Fetches a link. Returns status and Location."""
        connection = http.client.HTTPConnection(self.local.host, self.local.port, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.getheader("Location")
        finally:
            connection.close()

    def refused(self, call: Any, **params: Any) -> tuple[int, str, str]:
        """Makes a call that must fail. Returns its HTTP status, code and message."""
        with pytest.raises(ClientError) as caught:
            call(**params)
        answer: Any = caught.value.response
        error = answer["Error"]
        message = error.get("Message") or answer.get("message") or answer.get("Message")
        return answer["ResponseMetadata"]["HTTPStatusCode"], error["Code"], message
