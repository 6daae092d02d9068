"""Streams of mail as SES's events show them: whose, of which type, from which domain, through which set, how much came back.
Pure: the reader of the files gives what each event says.

The same rules as for observed mail decide whose it is, first those of a person. What nothing names is of nobody, and counted.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from mailcordon.control.assess import message_types, owners
from mailcordon.control.assess.account import Account, Count
from mailcordon.control.assess.message_types import Guess
from mailcordon.control.assess.owners import By, Owners, Rules

#: Names of tags whose value says what kind of mail it is.
TYPE_TAGS = (
    *(
        "type",
        "message-type",
        "message_type",
        "messagetype",
        "mail-type",
        "mail_type",
        "email-type",
        "email_type",
        "category",
    ),
    *("kind", "stream", "template", "purpose"),
)
SES_TENANT_TAG = "ses:tenant-name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one event says of one mail. `day` is that on which SES took the mail."""

    mail: str  #: SES's id
    kind: str  #: Send, Delivery, Bounce or Complaint; a bounce is a permanent one
    day: date
    sender: str  #: address, in lower case
    identity: str | None
    configuration_set: str | None
    tags: Mapping[str, str]
    subject_shape: str  #: core/subject_shape.py: no names, no numbers
    recipients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    tenant: str | None  #: slug; None: nothing says whose it is
    by: By | None
    guess: Guess  #: of the message type
    domain: str
    configuration_set: str | None
    days: Mapping[date, Count]

    @property
    def total(self) -> Count:
        return sum(self.days.values(), Count())


#: Tenant, what says so, message type, domain, configuration set.
_Key = tuple[str | None, By | None, Guess, str, str | None]
_GUESSES = (By.SIBLING, By.ORGANISATION)


@dataclass(slots=True)
class _Mail:
    key: _Key
    day: date
    sent: int = 0
    bounced: int = 0
    complained: int = 0


@dataclass(slots=True)
class Traffic:
    """Takes events one by one, in any order and more than once."""

    owners: Owners
    rules: Rules
    slugs: Mapping[str, str] = field(default_factory=dict[str, str])  #: of SES tenants, by SES's name
    events: int = 0
    _mails: dict[str, _Mail] = field(default_factory=dict[str, _Mail])

    def take(self, seen: Seen) -> None:
        self.events += 1
        mail = self._mails.get(seen.mail)
        if mail is None:
            tenant, by = self._whose(seen)
            key = (
                tenant,
                by,
                _type(seen, self.rules),
                seen.sender.rpartition("@")[2],
                seen.configuration_set,
            )
            mail = self._mails[seen.mail] = _Mail(key, seen.day)
        # The largest, not the sum: events come more than once.
        match seen.kind:
            case "Bounce":
                mail.bounced = max(mail.bounced, seen.recipients)
            case "Complaint":
                mail.complained = max(mail.complained, 1)
            case _:
                mail.sent = max(mail.sent, seen.recipients)

    def streams(self) -> list[Stream]:
        """The most mail first. Mail that only a guess by its domain or set gives to somebody is of nobody if other mail from
        there says that it is somebody else's."""
        said: dict[str, set[str]] = defaultdict(set)
        for tenant, by, _, domain, configuration_set in {mail.key for mail in self._mails.values()}:
            if tenant is not None and by not in _GUESSES:
                said[f"@{domain}"].add(tenant)
                said[configuration_set or ""].add(tenant)
        days: dict[_Key, dict[date, Count]] = defaultdict(dict)
        for mail in self._mails.values():
            tenant, by, guess, domain, configuration_set = key = mail.key
            if by in _GUESSES and (said[f"@{domain}"] | said[configuration_set or ""]) - {tenant}:
                key = (None, None, guess, domain, configuration_set)
            of = days[key]
            # A set-up without Send events reports bounces of mail that was sent all the same.
            count = Count(max(mail.sent, mail.bounced, mail.complained), mail.bounced, mail.complained)
            of[mail.day] = of.get(mail.day, Count()) + count
        found = [
            Stream(tenant=key[0], by=key[1], guess=key[2], domain=key[3], configuration_set=key[4], days=of)
            for key, of in days.items()
        ]
        return sorted(found, key=lambda one: (-one.total.sent, one.tenant or "", one.guess.type, one.domain))

    def _whose(self, seen: Seen) -> tuple[str | None, By | None]:
        rules = self.rules
        for name, value in seen.tags.items():
            if (ruled := rules.tags.get((name, value))) is not None:
                return ruled, By.RULE
        if seen.configuration_set is not None and seen.configuration_set in rules.sets:
            return rules.sets[seen.configuration_set], By.RULE
        if (ruled := owners.ruled(seen.sender, rules.senders)) is not None:
            return ruled, By.RULE
        if (name := seen.tags.get(SES_TENANT_TAG)) is not None:
            return self.slugs.get(name) or owners.slug(name), By.SES_TENANT
        if (tagged := owners.tag_owner(seen.tags)) is not None:
            return tagged, By.TAG
        for of, name in (
            (self.owners.of_set, seen.configuration_set),
            (self.owners.of_identity, seen.sender),
            (self.owners.of_identity, seen.identity or seen.sender.rpartition("@")[2]),
        ):
            owned = of.get(name, {}) if name is not None else {}
            if len(owned) == 1:
                [(slug, by)] = owned.items()
                return slug, by
        return None, None


def _type(seen: Seen, rules: Rules) -> Guess:
    if (ruled := _ruled_type(seen, rules)) is not None:
        return Guess(type=ruled, by=ruled, where="rule")
    folded = {name.lower(): value for name, value in seen.tags.items()}
    texts = [("tag", folded[name]) for name in TYPE_TAGS if name in folded]
    texts += [
        ("subject", seen.subject_shape),
        ("set", seen.configuration_set or ""),
        ("from", _sender_words(seen.sender)),
    ]
    return message_types.guess(texts) or Guess(type=message_types.DEFAULT, by="", where="")


def _sender_words(sender: str) -> str:
    """Without the organisation's name, which says nothing of the mail: `news@offers.acme.example` -> news offers."""
    local, _, domain = sender.rpartition("@")
    return " ".join([local, *domain.split(".")[:-2]])


def _ruled_type(seen: Seen, rules: Rules) -> str | None:
    for name in rules.type_tags:
        if name in seen.tags:
            return seen.tags[name]
    keys = [("tag", f"{name}={value}") for name, value in seen.tags.items()]
    keys += [("set", seen.configuration_set or ""), ("from", seen.sender)]
    keys += [(by, seen.sender.rpartition("@")[2]) for by in ("from", "identity")]
    return next((rules.types[key] for key in keys if key in rules.types), None)


def add_to(found: Owners, streams: Iterable[Stream], account: Account) -> None:
    """What the streams show of who uses which identity and set."""
    identities = {each.name for each in account.identities}
    sets = {each.name for each in account.sets}
    for stream in streams:
        if stream.tenant is None or stream.by is None:
            continue
        for name, known, of in (
            (_identity(stream.domain, identities), identities, found.of_identity),
            (stream.configuration_set, sets, found.of_set),
        ):
            if name not in known:
                continue
            owned = of[name]
            if stream.by in (By.RULE, By.SES_TENANT, By.TAG):
                # Mail that says whose it is is better than a guess by the domain.
                for guessed in [own for own, by in owned.items() if by in _GUESSES]:
                    if guessed != stream.tenant:
                        del owned[guessed]
            owned.setdefault(stream.tenant, stream.by)


def _identity(domain: str, identities: set[str]) -> str | None:
    """The identity that SES takes for a domain: itself, or the nearest above it."""
    labels = domain.split(".")
    names = (".".join(labels[at:]) for at in range(len(labels) - 1))
    return next((name for name in names if name in identities), None)
