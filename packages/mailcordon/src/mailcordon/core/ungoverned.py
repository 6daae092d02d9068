"""Mail in our account that did not pass through us: what one event or call shows of it, and what is kept of each sender
(docs/ungoverned.md).

A sender is an SES identity and a caller. All that it sends is one row, however much it is: counts, and a bounded set of what its
mail has in common. No address and no subject is kept, only the subject's shape.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from mailcordon.core import sending_service, subject_shape, tags
from mailcordon.core import text as texts
from mailcordon.core.event import Event, Kind
from mailcordon.core.installation import Installation

LONGEST_IDENTITY = 320
LONGEST_CALLER = 256
MOST_VALUES = 10  #: of each fact that are kept; the rest is counted under MORE
MORE = "(more)"
SEND_ROLE = (
    "mailcordon-send-"  #: how the name of the role begins that deploy/cloudformation.yaml makes for sending
)
LEDGER_MS = 2 * 86_400_000  #: SES ids are kept so long, so that a mail counts once


class Net(StrEnum):
    """How the mail was seen."""

    EVENTS = "events"  #: SES's events: it went through a configuration set that publishes to us
    CLOUDTRAIL = "cloudtrail"  #: CloudTrail's data events of the calls that send


class Fact(StrEnum):
    """What is kept of a sender's mail, by value with the number of mails."""

    NET = "nets"
    IP = "source_ips"
    SUBJECT = "subjects"  #: shapes (subject_shape.py)
    SERVICE = "services"
    OPERATION = "operations"
    SET = "configuration_sets"
    ARN = "arns"  #: of the caller
    ACCOUNT = "accounts"
    MAIL = "examples"  #: SES ids


Facts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one event, or one call that CloudTrail reports, shows of a mail."""

    identity: str  #: a domain or an address, lower case; empty: not named
    caller: str  #: name of the IAM user or role; empty: not named
    ses_id: str
    at: int  #: when SES took the mail, milliseconds since 1970
    recipients: int = 1
    sends: bool = False  #: the event or call that comes once for each mail
    bounced: bool = False
    complained: bool = False
    facts: Mapping[Fact, str] = field(default_factory=dict[Fact, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class SentCall:
    """A call that sent mail, as CloudTrail's data event tells it."""

    sighting: Sighting
    tags: Mapping[str, str] | None  #: of the mail; None: the record does not show them


@dataclass(slots=True, kw_only=True)
class Sender:
    """All that a batch shows of one identity and caller."""

    identity: str
    caller: str
    sightings: list[Sighting] = field(default_factory=list[Sighting])

    @property
    def key(self) -> tuple[str, str]:
        return self.identity, self.caller


def of_event(event: Event) -> Sighting:
    """Of an event without our tags."""
    sending = event.sending
    found: dict[Fact, str | None] = {
        Fact.NET: Net.EVENTS,
        Fact.IP: event.tags.get("ses:source-ip") or (sending and sending.source_ip),
        Fact.OPERATION: event.tags.get("ses:operation"),
        Fact.SET: event.configuration_set,
        Fact.MAIL: event.ses_id,
    }
    identity = event.tags.get("ses:from-domain") or _domain(str(event.detail.get("source", "")))
    caller = event.tags.get("ses:caller-identity")
    if sending is not None:
        identity = identity_of(sending.source_arn) or identity
        caller = caller or sending.caller
        found[Fact.SUBJECT] = None if sending.subject is None else subject_shape.of(sending.subject)
        found[Fact.ACCOUNT] = sending.account
        found[Fact.SERVICE] = sending_service.of_mail(found[Fact.OPERATION], sending.mailer)
    return Sighting(
        identity=named(identity, LONGEST_IDENTITY).lower(),
        caller=named(caller, LONGEST_CALLER),
        ses_id=event.ses_id[:100],
        at=event.mail_at,
        recipients=max(1, len(event.destinations)),
        sends=event.kind is Kind.SEND,
        bounced=event.kind in (Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE),
        complained=event.kind is Kind.COMPLAINT,
        facts=kept(found),
    )


def is_ours(call: SentCall, ours: Installation) -> bool:
    """Whether Mailcordon made the call, this installation or another one. Its signed tags say so. A record that shows no tags at
    all tells only the role, which is believed then: whoever uses it without our tags is seen by the events of its set."""
    if not call.tags:
        return call.sighting.caller.startswith(SEND_ROLE)
    if not tags.carries_ours(call.tags):
        return False
    if call.tags[tags.INSTALLATION] != ours.name:
        return True
    try:
        tags.verify(ours.mac_keys, call.tags)
    except ValueError:
        return False
    return True


def kept(found: Mapping[Fact, str | None]) -> dict[Fact, str]:
    """Those that are known, as text that can be shown and stored."""
    return {fact: texts.harmless(value, 200) for fact, value in found.items() if value}


def identity_of(arn: str | None) -> str | None:
    """`arn:aws:ses:us-east-1:123456789012:identity/acme.example` -> `acme.example`."""
    kind, _, name = (arn or "").split(":", 5)[-1].partition("/")
    return name if kind == "identity" and name else None


def group(sightings: Iterable[Sighting]) -> list[Sender]:
    """One for each identity and caller, in the order in which they are locked."""
    found: dict[tuple[str, str], Sender] = {}
    for one in sightings:
        key = (one.identity, one.caller)
        found.setdefault(key, Sender(identity=one.identity, caller=one.caller)).sightings.append(one)
    return [found[key] for key in sorted(found)]


def merged(facts: Facts, mails: Sequence[Sighting]) -> dict[str, dict[str, int]]:
    """The facts of a sender with those of these mails. Of each fact the first values stay, and the others are counted together;
    examples are the newest."""
    made = {name: dict(values) for name, values in facts.items()}
    for mail in mails:
        for fact, value in mail.facts.items():
            values = made.setdefault(fact.value, {})
            if fact is Fact.MAIL:
                values[value] = 1
                while len(values) > 3:
                    del values[next(iter(values))]
            elif value in values or len(values) < MOST_VALUES:
                values[value] = values.get(value, 0) + 1
            else:
                values[MORE] = values.get(MORE, 0) + 1
    return made


def by_count(facts: Facts, fact: Fact) -> list[str]:
    """The values, the most frequent first."""
    values = facts.get(fact.value, {})
    return sorted(values, key=lambda value: (value == MORE, -values[value], value))


def _domain(source: str) -> str:
    return source.rpartition("@")[2].rstrip(">")


def named(name: str | None, longest: int) -> str:
    """Of an identity or caller, as it can be shown and stored."""
    return texts.harmless(name, longest) if name else ""
