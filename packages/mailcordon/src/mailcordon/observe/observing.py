"""Whose a mail is that did not pass through us (docs/observe-only.md). Pure: an event and rules in, a tenant and type out.

The first rule that fits decides: by a tag (of several the oldest rule), by the configuration set, by the sender's address, by
its domain or the nearest one above it, by the identity. A mail to several recipients is a delivery to each. Its id is computed
from SES's id, so that all its events meet, in any order.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mailcordon.core import ungoverned
from mailcordon.core.event import Event, Kind
from mailcordon.core.lane import Lane
from mailcordon.core.observing import By, Rule

NO_RULE = "no-rule"
NO_TYPE = "no-type"  #: a rule names its tenant, and nothing its message type
MOST_UNMAPPED = 1000  #: kinds of unmapped mail that are told apart in a day
PATH = "observed"  #: under which it is counted, beside `shared` and `isolated`

#: Events about all recipients of a mail; the others name theirs, or are about nobody knows whom.
_OF_ALL = frozenset({Kind.SEND, Kind.REJECT, Kind.RENDERING_FAILURE})


@dataclass(frozen=True, slots=True)
class Origin:
    """What rules go by, as SES reports it."""

    identity: str
    sender: str  #: an address; "" if SES names none
    from_domain: str
    configuration_set: str


@dataclass(frozen=True, slots=True)
class Mapped:
    rule: Rule
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedMail:
    """A delivery that may have to be made."""

    tenant: int
    type: int
    at: int  #: of the mail, milliseconds since 1970
    slot: int
    ses_id: str
    address: str
    hash: bytes | None  #: None: no address that we could send to
    provider: int
    sender: str
    makes: bool  #: False: it is only looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    delivery: int
    lane: Lane
    provider: int
    recipient: str  #: as the first event spelled it


@dataclass(slots=True)
class Unmapped:
    """Mail that no rule maps, of one origin in one batch."""

    events: int = 0
    mails: int = 0
    why: str = NO_RULE
    tags: Sequence[str] = ()


@dataclass(slots=True)
class Rules:
    """All rules of one epoch, by what they go by."""

    types: Mapping[str, int]  #: the catalogue: number by name
    by_tag: dict[str, dict[str, Rule]] = field(default_factory=dict[str, dict[str, Rule]])
    by_value: dict[By, dict[str, Rule]] = field(default_factory=dict[By, dict[str, Rule]])

    def __bool__(self) -> bool:
        return bool(self.by_tag or self.by_value)


def rules(found: Iterable[Rule], types: Mapping[str, int]) -> Rules:
    made = Rules(types)
    for rule in sorted(found, key=lambda rule: rule.id):
        if rule.by is By.TAG and rule.name is not None:
            made.by_tag.setdefault(rule.name, {})[rule.value] = rule
        else:
            made.by_value.setdefault(rule.by, {})[rule.value] = rule
    return made


def origin_of(event: Event) -> Origin:
    sender = _bare(str(event.detail.get("source", ""))).lower()
    domain = event.tags.get("ses:from-domain") or sender.rpartition("@")[2]
    identity = ungoverned.identity_of(event.sending and event.sending.source_arn)
    return Origin(
        (identity or domain).lower()[:320], sender[:320], domain.lower()[:253], event.configuration_set or ""
    )


def match(event: Event, origin: Origin, known: Rules) -> Mapped | str:
    """The tenant and type of a mail; or why it has none: NO_RULE or NO_TYPE."""
    rule = _first(event, origin, known)
    if rule is None:
        return NO_RULE
    named = event.tags.get(rule.type_tag) if rule.type_tag is not None else None
    type = named if named is not None and named in known.types else rule.type
    return NO_TYPE if type is None or type not in known.types else Mapped(rule, type)


def _first(event: Event, origin: Origin, known: Rules) -> Rule | None:
    fitting = [
        rule
        for name, by_value in known.by_tag.items()
        if (value := event.tags.get(name)) is not None and (rule := by_value.get(value)) is not None
    ]
    if fitting:
        return min(fitting, key=lambda rule: rule.id)
    for by, values in (
        (By.SET, (origin.configuration_set,)),
        (By.FROM, (origin.sender, *_and_above(origin.from_domain))),
        (By.IDENTITY, (origin.identity,)),
    ):
        if of_kind := known.by_value.get(by):
            for value in values:
                if value and (rule := of_kind.get(value)) is not None:
                    return rule
    return None


def recipients_of(event: Event) -> tuple[str, ...]:
    """The recipients that an event is about, each once, as the mail spells them. Empty: it does not say which of several."""
    to = tuple({address.lower(): address for address in reversed(event.destinations)}.values())[::-1]
    if len(to) == 1 or event.kind in _OF_ALL:
        return to
    named = {address.lower() for address in event.recipients}
    return tuple(address for address in to if address.lower() in named)


def slot_of(ses_id: str, recipient: str) -> int:
    """16 bits of the delivery's id, beside the mail's time."""
    text = f"{ses_id}\x1f{recipient.lower()}"
    return int.from_bytes(hashlib.blake2b(text.encode(errors="replace"), digest_size=2).digest())


def shown_tags(event: Event, most: int = 10) -> list[str]:
    """Tags that a rule could go by, as name=value."""
    own = sorted((name, value) for name, value in event.tags.items() if not name.startswith("ses:"))
    return [f"{name}={value}"[:200] for name, value in own[:most]]


def _and_above(domain: str) -> Iterator[str]:
    while domain:
        yield domain
        domain = domain.partition(".")[2]


def _bare(mailbox: str) -> str:
    return mailbox.rpartition("<")[2].rstrip("> ").strip()
