"""The nouns of the account as records: key and value of each, and how a value becomes the noun again. A noun that can be changed
in many places has no recorder; its value is compared with the one that was written last."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final, TypeVar, get_type_hints

import msgspec

from seslocal.admin import policies
from seslocal.mail.templated import read_template
from seslocal.sqs.operations import connect_dead_letter_queue
from seslocal.state.account import Account
from seslocal.state.account_review import ReviewRules
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.contacts import Contact, ContactList
from seslocal.state.dedicated_ips import DedicatedIp, Pool
from seslocal.state.faults import Fault
from seslocal.state.findings import Thresholds
from seslocal.state.firehose_streams import FirehoseStream
from seslocal.state.identities import Identity
from seslocal.state.mailboxes import Mailbox
from seslocal.state.managed_pools import PoolDemand, Warmth, WarmUpRules
from seslocal.state.sending import Sending
from seslocal.state.settings import Behaviour
from seslocal.state.suppression import AccountSuppression
from seslocal.state.templates import StoredTemplate
from seslocal.state.tenants import Tenant
from seslocal.state.topics import Topic
from seslocal.state.verification import PendingVerification, VerificationTemplate
from seslocal.state.world_state import WorldState
from seslocal.state.zone import Record
from seslocal.wire.access_keys import Key
from seslocal.world.settings import WorldSettings

_T = TypeVar("_T")
Named = Iterator[tuple[str, Any]]  # key -> value that msgspec can encode


@dataclass(frozen=True, slots=True)
class Noun:
    """`read` and `restore` convert between the account and key and value. `often`: written after each call that may have changed
    it; else once a second."""

    kind: str
    read: Callable[[Account], Named]
    restore: Callable[[Account, str, Any], None]
    often: bool = True


def _of_map(
    kind: str, type_: type[_T], get: Callable[[Account], dict[str, _T]], without: Iterable[str] = ()
) -> Noun:
    """A noun for each value of a dict. The members `without` are not kept."""
    names = _members(type_, without)

    def read(account: Account) -> Named:
        for key, value in get(account).items():
            yield key, {name: getattr(value, name) for name in names}

    def restore(account: Account, key: str, value: Any) -> None:
        get(account)[key] = _made(type_, value)

    return Noun(kind, read, restore)


def _members(type_: type[Any], without: Iterable[str] = ()) -> list[str]:
    left_out = set(without)
    return [field.name for field in dataclasses.fields(type_) if field.name not in left_out]


_hints = lru_cache(get_type_hints)


def _made(type_: type[_T], value: Mapping[str, Any]) -> _T:
    hints = _hints(type_)
    return type_(**{name: msgspec.convert(given, hints[name]) for name, given in value.items()})


# nouns with rules of their own


def _restore_identity(account: Account, name: str, value: Any) -> None:
    identity = account.identities[name] = _made(Identity, value)
    if identity.topics:
        account.identities.with_topics.add(identity.arn)


def _restore_tenant(account: Account, name: str, value: Any) -> None:
    associations: dict[str, float] = value.pop("associations")
    tenant = account.tenants[name] = _made(Tenant, value)
    for arn, at in associations.items():
        account.tenants.associate(tenant, arn, at)


def _templates(account: Account) -> Named:
    for name, one in account.templates.items():
        yield name, [one.parts, one.arn, one.created, one.tags]


def _restore_template(account: Account, name: str, value: Any) -> None:
    parts, arn, created, tags = value
    read = read_template(name, parts, 1 << 30)
    account.templates[name] = StoredTemplate(name, read.parts, read.trees, arn, created, tags)


def _contacts(account: Account) -> Named:
    for name, found in account.contact_lists.items():
        for folded, contact in found.contacts.items():
            yield f"{name}/{folded}", {member: getattr(contact, member) for member in _CONTACT}


def _restore_contact(account: Account, key: str, value: Any) -> None:
    name, _, folded = key.partition("/")
    if (found := account.contact_lists.get(name)) is not None:
        found.contacts[folded] = _made(Contact, value)


_CONTACT: Final = _members(Contact)


def _queues(account: Account) -> Named:
    for name, queue in account.queues.by_name.items():
        yield name, [queue.attributes, queue.tags, queue.created_at, queue.modified_at]


def _restore_queue(account: Account, name: str, value: Any) -> None:
    attributes, tags, created_at, modified_at = value
    queue = account.queues.ensure(name, attributes)
    queue.tags, queue.created_at, queue.modified_at = tags, created_at, modified_at
    connect_dead_letter_queue(account, queue)


def _mailboxes(account: Account) -> Named:
    for tenant, boxes in account.mailboxes.by_tenant.items():
        for address, mailbox in boxes.items():
            yield f"{address} {tenant or ''}", asdict(mailbox)


def _restore_mailbox(account: Account, key: str, value: Any) -> None:
    address, _, tenant = key.rpartition(" ")
    account.mailboxes.put(address, tenant or None, Mailbox(**value))


def _world(account: Account) -> Named:
    if (world := account.mailboxes.world) is not None:
        yield "", [msgspec.to_builtins(world.settings), world.start, world.made]


def _restore_world(account: Account, key: str, value: Any) -> None:
    settings, start, made = value
    account.mailboxes.world = WorldState(
        msgspec.convert(settings, WorldSettings), start, account.settings.ledger, made
    )


def _world_parts(account: Account) -> Named:
    if (world := account.mailboxes.world) is not None:
        yield from world.keep()


def _restore_world_part(account: Account, key: str, value: Any) -> None:
    if (world := account.mailboxes.world) is not None:
        world.restore(key, value)


def _zone(account: Account) -> Named:
    if records := [asdict(record) for record in account.zone]:
        yield "", records


def _restore_zone(account: Account, key: str, value: Any) -> None:
    account.zone.put([Record(**record) for record in value])


def _clock(account: Account) -> Named:
    read_at, real_at, speed = account.clock.anchor
    if speed != 1 or abs(read_at - real_at) > 0.01:
        yield "", [read_at, real_at, speed]


def _restore_clock(account: Account, key: str, value: Any) -> None:
    read_at, real_at, speed = value
    account.clock.continue_from((read_at, real_at, speed))


# the account's own


def _account(account: Account) -> Named:
    attributes, suppression, dedicated = account.attributes, account.suppression, account.dedicated_ips
    yield "behaviour", asdict(account.behaviour)
    yield "attributes", {name: getattr(attributes, name) for name in _members(type(attributes))}
    yield "suppression", [suppression.reasons, suppression.validation, suppression.verdicts]
    yield "sending", [account.sending.enabled, account.sending.paused_at, account.sending.enforcement]
    yield "findings", [account.tenants.automatic_findings, asdict(account.tenants.thresholds)]
    yield "account review", [account.sending.reviewed, asdict(account.sending.review.rules)]
    yield "raw topics", sorted(account.events.raw_topics)
    yield "event bus", account.events.bus_queue
    yield "management events", account.events.management_queue
    yield "data events", account.events.data_events
    yield "warm-up", dedicated.auto_warm_up
    yield "warm-up rules", asdict(dedicated.warm_ups.rules)
    yield "secret", account.mail.tracking.secret
    yield from _unlike_the_settings(account)


def _unlike_the_settings(account: Account) -> Named:
    """What the command line sets too is kept only if it was changed since."""
    settings, sending, access = account.settings, account.sending, account.access
    before = Sending(settings, account.clock, AccountSuppression().list)
    if sending.production != before.production:
        yield "production", sending.production
        before.set_production(sending.production)
    if (limits := (sending.limits.rate, sending.limits.quota)) != (before.limits.rate, before.limits.quota):
        yield "limits", limits
    if access.check_signatures != settings.check_signatures:
        yield "check signatures", access.check_signatures
    rate = access.management_rate
    if (rate.rate, rate.together) != (settings.management_rate, settings.management_together):
        yield "management rate", [rate.rate, rate.together]
    given = {key_id for key_id, _ in settings.keys}
    if keys := [asdict(key) for key in access.keys.by_id.values() if key.id not in given]:
        yield "keys", keys
    if deleted := sorted(given - access.keys.by_id.keys()):
        yield "deleted keys", deleted
    if (attached := policies.shown(access.policies)) != policies.shown(dict(settings.policies)):
        yield "policies", attached
    own = account.url if settings.sns_url == "local" else settings.sns_url
    if account.events.sns_url != own:
        yield "sns url", account.events.sns_url


def _restore_account(account: Account, key: str, value: Any) -> None:
    match key:
        case "behaviour":
            account.behaviour = _made(Behaviour, value)
        case "attributes":
            for name, given in value.items():
                setattr(account.attributes, name, given)
        case "suppression":
            reasons, account.suppression.validation, account.suppression.verdicts = value
            account.suppression.reasons = tuple(reasons)
        case "sending":
            enabled, paused_at, account.sending.enforcement = value
            account.sending.restore(enabled=enabled, paused_at=paused_at)
        case "account review":
            account.sending.reviewed, rules = value
            account.sending.review.rules = _made(ReviewRules, rules)
        case "findings":
            account.tenants.automatic_findings, thresholds = value
            account.tenants.thresholds = _made(Thresholds, thresholds)
        case "raw topics":
            account.events.raw_topics = set(value)
        case "event bus":
            account.events.bus_queue = value
        case "management events":
            account.events.management_queue = value
        case "data events":
            account.events.data_events = value
        case "warm-up":
            account.dedicated_ips.auto_warm_up = value
        case "warm-up rules":
            account.dedicated_ips.warm_ups.rules = _made(WarmUpRules, value)
        case "secret":
            account.mail.tracking.secret = value
        case "production":
            account.sending.set_production(value)
        case "limits":
            rate, account.sending.limits.quota = value
            account.sending.limits.set_rate(rate)
        case "check signatures":
            account.access.check_signatures = value
        case "management rate":
            account.access.management_rate.set(value[0], together=value[1])
        case "keys":
            for one in value:
                account.access.keys.put(_made(Key, one))
        case "deleted keys":
            for key_id in value:
                account.access.keys.delete(key_id)
        case "policies":
            account.access.policies = {key: policies.read(one) for key, one in value.items()}
        case "sns url":
            account.events.sns_url = value
        case _:
            raise ValueError(key)


# counts


def _counts(account: Account) -> Named:
    yield "quota", account.sending.limits.minutes
    yield "statistics", list(account.mail.statistics.points)
    for (ip, provider), warmth in account.dedicated_ips.warm_ups.by_ip.items():
        yield f"warmth {ip} {provider}", warmth.snapshot()
    for pool, demand in account.dedicated_ips.demands.items():
        yield f"demand {pool}", demand.snapshot()


def _restore_counts(account: Account, key: str, value: Any) -> None:
    kind, *names = key.split(" ")
    match kind:
        case "quota":
            account.sending.limits.restore(value)
        case "statistics":
            account.mail.statistics.points.extend(value)
        case "warmth":
            account.dedicated_ips.warm_ups.by_ip[names[0], names[1]] = Warmth.restored(value)
        case "demand":
            account.dedicated_ips.demands[names[0]] = PoolDemand.restored(value)
        case _:
            raise ValueError(key)


def _account_review(account: Account) -> Named:
    yield "", account.sending.review.snapshot()


def _restore_account_review(account: Account, key: str, value: Any) -> None:
    account.sending.review.restore(**value)


def _tenant_counts(account: Account) -> Named:
    for name, tenant in account.tenants.items():
        if hours := tenant.counts.hours:
            yield name, hours


def _restore_tenant_counts(account: Account, name: str, value: Any) -> None:
    if (tenant := account.tenants.get(name)) is not None:
        tenant.counts.restore(value)


_TENANT: Final = _of_map("tenant", Tenant, lambda account: account.tenants, ("suppression", "counts"))

#: in the order in which they are restored
NOUNS: Final = (
    Noun("clock", _clock, _restore_clock),
    Noun("account", _account, _restore_account),
    Noun("account review", _account_review, _restore_account_review),
    Noun(
        "identity",
        _of_map("identity", Identity, lambda account: account.identities).read,
        _restore_identity,
    ),
    _of_map(
        "verification template",
        VerificationTemplate,
        lambda account: account.identities.verification_templates,
    ),
    _of_map(
        "pending verification",
        PendingVerification,
        lambda account: account.identities.pending_verifications,
    ),
    _of_map("configuration set", ConfigurationSet, lambda account: account.configuration_sets),
    Noun("template", _templates, _restore_template),
    Noun("tenant", _TENANT.read, _restore_tenant),
    _of_map("contact list", ContactList, lambda account: account.contact_lists, ("contacts",)),
    Noun("contact", _contacts, _restore_contact, often=False),
    _of_map("pool", Pool, lambda account: account.dedicated_ips.pools),
    _of_map("dedicated ip", DedicatedIp, lambda account: account.dedicated_ips.by_ip),
    _of_map("topic", Topic, lambda account: account.events.topics),
    _of_map("stream", FirehoseStream, lambda account: account.events.streams, ("records", "size", "batch")),
    Noun("queue", _queues, _restore_queue),
    Noun("mailbox", _mailboxes, _restore_mailbox),
    Noun("world", _world, _restore_world),
    Noun("part of the world", _world_parts, _restore_world_part, often=False),
    Noun("zone", _zone, _restore_zone),
    _of_map("fault", Fault, lambda account: account.faults.active),
    Noun("counts", _counts, _restore_counts, often=False),
    Noun("tenant counts", _tenant_counts, _restore_tenant_counts, often=False),
)
