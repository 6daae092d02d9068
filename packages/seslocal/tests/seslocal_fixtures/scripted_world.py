"""An account in this process whose world answers and reacts as a test says."""

from __future__ import annotations

from typing import Any

import msgspec

from seslocal import Clock, Settings
from seslocal.sesv2 import configuration_sets, identities, sending, tenants
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.world_state import WorldState
from seslocal.world.envelope import Envelope
from seslocal.world.reaction import Reaction
from seslocal.world.settings import WorldSettings
from seslocal.world.verdict import Verdict
from seslocal.world.world import World

START = 1_767_225_600.0
CALLER = Caller("test", "us-east-1", "127.0.0.1", "127.0.0.1:8005", "test")
KINDS = ["SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "DELIVERY_DELAY", "OPEN", "CLICK", "REJECT"]
ACCEPTED = Verdict(
    kind="inbox",
    provider="gmail",
    text="OK 1767225600 ab12si34cde.56 - gsmtp",
    host="gmail-smtp-in.l.google.com",
    address="198.51.100.26",
    seconds=0.25,
)
DEFERRED = Verdict(
    kind="defer",
    provider="gmail",
    code=421,
    status="4.7.28",
    text="Our system has detected an unusual rate of mail.\nTry again later.",
    address="198.51.100.27",
    seconds=2.0,
    cause="rate",
)
REFUSED = Verdict(
    kind="refuse",
    provider="gmail",
    code=550,
    status="5.1.1",
    text="The email account that you tried to reach does not exist.",
    address="198.51.100.26",
    seconds=0.5,
    cause="no_mailbox",
)


class ScriptedWorld(World):
    """Answers attempt N to a recipient with the Nth verdict of its script, or the last one; else it accepts."""

    def __init__(self, settings: WorldSettings, start: float) -> None:
        super().__init__(settings, start)
        self.answers: dict[str, list[Verdict]] = {}
        self.reactions: dict[str, tuple[Reaction, ...]] = {}
        self.attempts: list[tuple[float, int, Envelope]] = []
        self.deeds: list[tuple[float, str, str]] = []

    def peek(self, envelope: Envelope, number: int, at: float) -> Verdict:
        script = self.answers.get(envelope.recipient, [ACCEPTED])
        return script[min(number, len(script)) - 1]

    def attempt(self, envelope: Envelope, number: int, at: float) -> Verdict:
        self.attempts.append((at, number, envelope))
        return self.peek(envelope, number, at)

    def react(self, envelope: Envelope, verdict: Verdict, at: float) -> tuple[Reaction, ...]:
        return self.reactions.get(envelope.recipient, ())

    def happened(self, envelope: Envelope, verdict: Verdict, reaction: Reaction, at: float) -> None:
        self.deeds.append((at, envelope.recipient, reaction.deed))


class Scripted:
    """`events` returns what was published since it was called last."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.account = Account(settings or Settings(seed=1, rate=1e9, quota=-1), Clock(START, 0))
        state = self.account.mailboxes.world = WorldState(WorldSettings(seed=3), START)
        self.state = state
        self.world = ScriptedWorld(state.settings, START)
        state.world = self.world
        self.domain("acme.example")
        self.configuration_set("news")

    def domain(self, name: str, **more: object) -> None:
        identities.create(self.account, {"EmailIdentity": name, **more}, CALLER)

    def configuration_set(self, name: str, **options: object) -> None:
        configuration_sets.create(self.account, {"ConfigurationSetName": name, **options}, CALLER)
        target = {"TopicArn": f"arn:aws:sns:{self.account.region}:123456789012:events"}
        told = {"Enabled": True, "MatchingEventTypes": KINDS, "SnsDestination": target}
        given = {"ConfigurationSetName": name, "EventDestinationName": "e", "EventDestination": told}
        configuration_sets.create_destination(self.account, given, CALLER)

    def tenant(self, name: str, *arns: str) -> None:
        given = {"SuppressionScope": "TENANT", "SuppressedReasons": ["BOUNCE", "COMPLAINT"]}
        tenants.create_tenant(self.account, {"TenantName": name, "SuppressionAttributes": given}, CALLER)
        for arn in arns:
            tenants.associate(
                self.account, {"TenantName": name, "ResourceArn": self.account.arn(arn)}, CALLER
            )

    def send(
        self,
        *to: str,
        sender: str = "Acme <news@acme.example>",
        html: str | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> str:
        body: dict[str, Any] = {"Text": {"Data": "Hello"}}
        if html is not None:
            body["Html"] = {"Data": html}
        simple: dict[str, Any] = {"Subject": {"Data": "Hi"}, "Body": body}
        if headers:
            simple["Headers"] = [{"Name": name, "Value": value} for name, value in headers.items()]
        call = {
            "FromEmailAddress": sender,
            "Destination": {"ToAddresses": list(to)},
            "ConfigurationSetName": "news",
            "Content": {"Simple": simple},
            **more,
        }
        return sending.send_email(self.account, call, CALLER)["MessageId"]

    def pass_time(self, seconds: float) -> None:
        self.account.clock.advance(seconds)

    def bodies(self) -> list[str]:
        """The messages that came since, without the plain-text message of a new topic."""
        queue = self.account.queues.ensure("events")
        found: list[str] = []
        while messages := queue.take(10, 30):
            for message in messages:
                queue.remove(message)
                if "Successfully validated" not in message.body:
                    found.append(message.body)
        return found

    def events(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(msgspec.json.decode(body)["Message"]) for body in self.bodies()]

    def kinds(self) -> list[str]:
        return [event["eventType"] for event in self.events()]
