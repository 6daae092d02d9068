"""A portrait of each tenant: its domains, sets and lanes, what it shares and with whom, what it sent, its worst week. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from mailcordon.control.assess import harm, message_types
from mailcordon.control.assess.account import Account, ConfigurationSet, Count, Days, Identity
from mailcordon.control.assess.harm import Harm
from mailcordon.control.assess.message_types import Guess
from mailcordon.control.assess.owners import By, Owners
from mailcordon.control.assess.traffic import Stream

MOST_NAMED = 20  #: of those that something is shared with; the rest is counted


class What(StrEnum):
    """What tenants share, what harms most first."""

    IDENTITY = "identity"
    ORGANISATION = "organisation"
    SET = "set"
    POOL = "pool"
    SUPPRESSION = "suppression"
    ACCOUNT = "account"


class Counted(StrEnum):
    """Where the counts of a tenant's mail come from."""

    SES_TENANT = "ses-tenant"
    EVENTS = "events"
    OWN = "own"  #: its identities or sets, which nobody else uses
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    what: What
    name: str
    others: int
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    guess: Guess
    domain: str
    configuration_set: str | None
    pool: str | None
    weekly: int | None = None  #: recipients of a week, of those with mail; None: not counted

    @property
    def type(self) -> str:
        return self.guess.type


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    slug: str
    by: By
    ses_tenant: str | None
    identities: tuple[str, ...]
    sets: tuple[str, ...]
    lanes: tuple[Lane, ...]
    shares: tuple[Share, ...]
    counted: Counted
    days: Days = field(default_factory=dict[date, Count])
    harm: Harm | None = None  #: of its worst week; None: nothing came back, or nothing is counted

    @property
    def sent(self) -> int:
        return sum(count.sent for count in self.days.values())

    @property
    def weekly(self) -> int:
        """Recipients of an average week with mail."""
        found = [week.count.sent for week in harm.weeks(self.days) if week.count.sent]
        return round(sum(found) / len(found)) if found else 0

    @property
    def endangers(self) -> bool:
        return self.harm is not None and harm.endangers(self.harm)

    @property
    def critical(self) -> tuple[str, ...]:
        """Its types that cost revenue or lock people out when they are missing."""
        return tuple(sorted({lane.type for lane in self.lanes if lane.guess.critical}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Who uses what: slugs by name."""

    identities: Mapping[str, tuple[str, ...]]
    organisations: Mapping[str, tuple[str, ...]]
    sets: Mapping[str, tuple[str, ...]]
    pools: Mapping[str, tuple[str, ...]]


def usage(account: Account, owners: Owners, registrable: Callable[[str], str | None]) -> Usage:
    organisations: dict[str, set[str]] = defaultdict(set)
    for name, owned in owners.of_identity.items():
        if (organisation := registrable(name.rpartition("@")[2])) is not None:
            organisations[organisation] |= set(owned)
    pools: dict[str, set[str]] = defaultdict(set)
    for each in account.sets:
        if each.pool is not None:
            pools[each.pool] |= set(owners.of_set.get(each.name, ()))
    return Usage(
        identities={name: tuple(sorted(owned)) for name, owned in owners.of_identity.items()},
        organisations={name: tuple(sorted(owned)) for name, owned in organisations.items()},
        sets={name: tuple(sorted(owned)) for name, owned in owners.of_set.items()},
        pools={name: tuple(sorted(owned)) for name, owned in pools.items()},
    )


def portraits(
    account: Account,
    owners: Owners,
    streams: Sequence[Stream],
    used: Usage,
    registrable: Callable[[str], str | None],
) -> list[Portrait]:
    """By slug."""
    slugs = owners.tenants
    of_stream: dict[str, list[Stream]] = defaultdict(list)
    for stream in streams:
        if stream.tenant is not None:
            of_stream[stream.tenant].append(stream)
    slugs = sorted({*slugs, *of_stream})
    identities = _by_owner(owners.of_identity)
    sets = _by_owner(owners.of_set)
    isolated = {each.name for each in account.tenants if each.scope == "TENANT"}
    sharing = tuple(slug for slug in slugs if owners.ses_tenant.get(slug) not in isolated)
    known = {each.name: each for each in account.identities}
    known_sets = {each.name: each for each in account.sets}
    alone = [
        _exclusive(account.of_identity, used.identities),
        _exclusive(account.of_set, used.sets),
    ]
    counts = {slug: _days(slug, account, owners, of_stream[slug], alone) for slug in slugs}
    surest = owners.surest()
    everybody = account.days or harm.added(days for days, _ in counts.values())
    found: list[Portrait] = []
    for slug in slugs:
        own, own_sets = identities.get(slug, []), sets.get(slug, [])
        days, counted = counts[slug]
        found.append(
            Portrait(
                slug=slug,
                by=_first([surest.get(slug), *(stream.by for stream in of_stream[slug])]),
                ses_tenant=owners.ses_tenant.get(slug),
                identities=tuple(own),
                sets=tuple(own_sets),
                lanes=_lanes(
                    [known[name] for name in own if name in known],
                    [known_sets[name] for name in own_sets if name in known_sets],
                    of_stream[slug],
                    known_sets,
                ),
                shares=_shares(slug, own, own_sets, known_sets, used, slugs, sharing, registrable),
                counted=counted,
                days=days,
                harm=harm.worst(slug, days, everybody),
            )
        )
    return found


def _exclusive(counts: Mapping[str, Days], users: Mapping[str, tuple[str, ...]]) -> dict[str, list[Days]]:
    """Counts of what only one tenant uses, by tenant."""
    found: dict[str, list[Days]] = defaultdict(list)
    for name, owned in users.items():
        if len(owned) == 1 and name in counts:
            found[owned[0]].append(counts[name])
    return found


def _by_owner(of: Mapping[str, Mapping[str, By]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in sorted(of):
        for slug in of[name]:
            found[slug].append(name)
    return found


def _days(
    slug: str,
    account: Account,
    owners: Owners,
    streams: Sequence[Stream],
    own: Sequence[dict[str, list[Days]]],
) -> tuple[Days, Counted]:
    """SES's own count of its SES tenant, else what events show, else what only this tenant's identities or sets sent."""
    tenant = owners.ses_tenant.get(slug)
    if tenant is not None and (days := account.of_tenant.get(tenant)):
        return days, Counted.SES_TENANT
    if streams:
        return harm.added(stream.days for stream in streams), Counted.EVENTS
    for counts in own:
        if slug in counts:
            return harm.added(counts[slug]), Counted.OWN
    return {}, Counted.NOTHING


def _lanes(
    identities: Sequence[Identity],
    sets: Sequence[ConfigurationSet],
    streams: Sequence[Stream],
    known: Mapping[str, ConfigurationSet],
) -> tuple[Lane, ...]:
    """One for each type: of what was seen, else of what names say. The first domain of a type counts."""
    found: dict[str, Lane] = {}
    for stream in streams:
        weekly = [week.count.sent for week in harm.weeks(stream.days) if week.count.sent]
        lane = Lane(
            guess=stream.guess,
            domain=stream.domain,
            configuration_set=stream.configuration_set,
            pool=_pool(stream.configuration_set, known),
            weekly=round(sum(weekly) / len(weekly)) if weekly else None,
        )
        found.setdefault(lane.type, lane)
    if found or not identities:
        return tuple(found[type] for type in sorted(found))
    domains = [each.domain for each in identities]
    for each in sets:
        domain = next((one.domain for one in identities if one.configuration_set == each.name), None)
        guess = message_types.guess([("set", each.name), ("from", _host(domain or ""))])
        if guess is not None:
            domain = domain or _near(guess, domains)
            lane = Lane(guess=guess, domain=domain, configuration_set=each.name, pool=each.pool)
            found.setdefault(guess.type, lane)
    for each in identities:
        guess = message_types.guess([("from", _host(each.domain))])
        if guess is not None and guess.type not in found:
            set_name = each.configuration_set
            found[guess.type] = Lane(
                guess=guess, domain=each.domain, configuration_set=set_name, pool=_pool(set_name, known)
            )
    if not found:
        first = identities[0]
        set_name = first.configuration_set or (sets[0].name if sets else None)
        guess = Guess(type=message_types.DEFAULT, by="", where="")
        found[guess.type] = Lane(
            guess=guess, domain=first.domain, configuration_set=set_name, pool=_pool(set_name, known)
        )
    return tuple(found[type] for type in sorted(found))


def _near(guess: Guess, domains: Sequence[str]) -> str:
    """The domain whose name says the same type, else the first that says none."""
    said = [(domain, message_types.guess([("from", _host(domain))])) for domain in domains]
    for domain, other in said:
        if other is not None and other.type == guess.type:
            return domain
    return next((domain for domain, other in said if other is None), domains[0])


def _host(domain: str) -> str:
    """The labels before the last two: `news.acme.example` -> news. The name of an organisation says nothing of its mail."""
    return " ".join(domain.split(".")[:-2])


def _pool(name: str | None, known: Mapping[str, ConfigurationSet]) -> str | None:
    return known[name].pool if name is not None and name in known else None


def _shares(
    slug: str,
    identities: Sequence[str],
    sets: Sequence[str],
    known: Mapping[str, ConfigurationSet],
    used: Usage,
    everybody: Sequence[str],
    sharing: Sequence[str],
    registrable: Callable[[str], str | None],
) -> tuple[Share, ...]:
    found: list[Share] = []

    def add(what: What, name: str, users: Sequence[str]) -> None:
        others = len(users) - (slug in users)
        if others > 0:
            named = [each for each in users[: MOST_NAMED + 1] if each != slug][:MOST_NAMED]
            found.append(Share(what=what, name=name, others=others, named=tuple(named)))

    for name in identities:
        add(What.IDENTITY, name, used.identities.get(name, ()))
    for organisation in _unique(registrable(name.rpartition("@")[2]) for name in identities):
        add(What.ORGANISATION, organisation, used.organisations.get(organisation, ()))
    for name in sets:
        add(What.SET, name, used.sets.get(name, ()))
    for pool in _unique(_pool(name, known) for name in sets):
        add(What.POOL, pool, used.pools.get(pool, ()))
    if slug in sharing:
        add(What.SUPPRESSION, "", sharing)
    add(What.ACCOUNT, "", everybody)
    return tuple(found)


def _first(of: Iterable[By | None]) -> By:
    return min((by for by in of if by is not None), key=list(By).index)


def _unique(names: Iterable[str | None]) -> list[str]:
    return sorted({name for name in names if name is not None})
