"""A portrait of each tenant: its domains, sets and lanes, what it shares and with whom, what it sent, its worst week. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from mailcordon.control.assess import harm, message_types
from mailcordon.control.assess.account import (
    CONFIGURATION_SET,
    EMAIL_IDENTITY,
    TENANT_NAME,
    Account,
    ConfigurationSet,
    Count,
    Days,
    Identity,
)
from mailcordon.control.assess.harm import Harm
from mailcordon.control.assess.message_types import Guess
from mailcordon.control.assess.observed import Observed
from mailcordon.control.assess.owners import By, Owners
from mailcordon.control.assess.traffic import Stream

DIFFERENCE = 0.2  #: of the mails of two sources, above which it is said
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

    SES_TENANT = "ses-tenant"  #: VDM, of its SES tenant
    CLOUDWATCH = "cloudwatch"  #: of its SES tenant
    OBSERVED = "observed"  #: a running Mailcordon
    EVENTS = "events"
    CLOUDWATCH_TAG = "cloudwatch-tag"  #: of a tag that names it, where sets count by it
    OWN = "own"  #: VDM, of its identities or sets that nobody else uses
    CLOUDWATCH_OWN = "cloudwatch-own"  #: CloudWatch, of these
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
    #: What each source says, the one of `days` first.
    figures: tuple[tuple[Counted, Count], ...] = ()
    #: Mails of the weeks that two sources have, if their numbers differ much: by the source of `days`, and by another.
    differing: tuple[tuple[Counted, int], ...] = ()
    providers: Mapping[str, Count] = field(default_factory=dict[str, Count])  #: empty: not known
    providers_by: Counted = Counted.NOTHING

    @property
    def sent(self) -> int:
        return sum(count.sent for count in self.days.values())

    @property
    def weekly(self) -> int:
        """Recipients of an average week with mail."""
        return _weekly(self.days) or 0

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
    observed: Observed | None = None,
    tagged: Mapping[str, Days] | None = None,
) -> list[Portrait]:
    """By slug. `tagged`: CloudWatch's counts by tags that name tenants."""
    observed, tagged = observed or Observed(), tagged or {}
    slugs = owners.tenants
    of_stream: dict[str, list[Stream]] = defaultdict(list)
    for stream in streams:
        if stream.tenant is not None:
            of_stream[stream.tenant].append(stream)
    slugs = sorted({*slugs, *of_stream, *observed.tenants, *tagged})
    identities = _by_owner(owners.of_identity)
    sets = _by_owner(owners.of_set)
    isolated = {each.name for each in account.tenants if each.scope == "TENANT"}
    sharing = tuple(slug for slug in slugs if owners.ses_tenant.get(slug) not in isolated)
    known = {each.name: each for each in account.identities}
    known_sets = {each.name: each for each in account.sets}
    sources = sources_of(account, owners, used, slugs, of_stream, observed, tagged)
    surest = owners.surest()
    nothing: tuple[Counted, Days] = (Counted.NOTHING, {})
    counts = {slug: next(iter(sources[slug]), nothing) for slug in slugs}
    everybody = account.days or account.watched.days or harm.added(days for _, days in counts.values())
    found: list[Portrait] = []
    for slug in slugs:
        own, own_sets = identities.get(slug, []), sets.get(slug, [])
        counted, days = counts[slug]
        providers_by, providers = _providers(slug, account, owners, used, observed)
        found.append(
            Portrait(
                slug=slug,
                by=_first(
                    [
                        surest.get(slug),
                        *(stream.by for stream in of_stream[slug]),
                        By.RULE if slug in observed.tenants else None,
                        By.TAG if slug in tagged else None,
                    ]
                ),
                ses_tenant=owners.ses_tenant.get(slug),
                identities=tuple(own),
                sets=tuple(own_sets),
                lanes=_lanes(
                    [known[name] for name in own if name in known],
                    [known_sets[name] for name in own_sets if name in known_sets],
                    of_stream[slug],
                    known_sets,
                    observed.types(slug),
                ),
                shares=_shares(slug, own, own_sets, known_sets, used, slugs, sharing, registrable),
                counted=counted,
                days=days,
                harm=harm.worst(slug, days, everybody),
                figures=tuple((name, sum(of.values(), Count())) for name, of in sources[slug]),
                differing=_differing(sources[slug]),
                providers=providers,
                providers_by=providers_by,
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


#: What a tenant's counts are of, the first that there is first: SES's own count of its SES tenant, what somebody saw of its mail,
#: then what only this tenant's identities or sets sent.
_Sources = list[tuple[Counted, Days]]


def sources_of(
    account: Account,
    owners: Owners,
    used: Usage,
    slugs: Sequence[str],
    streams: Mapping[str, Sequence[Stream]],
    observed: Observed,
    tagged: Mapping[str, Days],
) -> dict[str, _Sources]:
    """Every source that has counted mail of a tenant, by slug."""
    watched = account.watched
    domains = {name: watched.of_domain[name] for name in used.identities if name in watched.of_domain}
    alone = [_exclusive(account.of_identity, used.identities), _exclusive(account.of_set, used.sets)]
    watched_alone = [_exclusive(watched.of_set, used.sets), _exclusive(domains, used.identities)]
    found: dict[str, _Sources] = {}
    for slug in slugs:
        tenant = owners.ses_tenant.get(slug, "")
        of: _Sources = [
            (Counted.SES_TENANT, account.of_tenant.get(tenant, {})),
            (Counted.CLOUDWATCH, watched.of_tenant.get(tenant, {})),
            (Counted.OBSERVED, observed.days(slug)),
            (Counted.EVENTS, harm.added(stream.days for stream in streams.get(slug, ()))),
            (Counted.CLOUDWATCH_TAG, tagged.get(slug, {})),
            (Counted.OWN, harm.added(next((each[slug] for each in alone if slug in each), ()))),
            (
                Counted.CLOUDWATCH_OWN,
                harm.added(next((each[slug] for each in watched_alone if slug in each), ())),
            ),
        ]
        found[slug] = [(name, days) for name, days in of if days]
    return found


def _differing(sources: _Sources) -> tuple[tuple[Counted, int], ...]:
    weeks = [(name, {week.monday: week.count.sent for week in harm.weeks(days)}) for name, days in sources]
    for name, of in weeks[1:]:
        both = weeks[0][1].keys() & of.keys()
        one, other = (sum(each[monday] for monday in both) for each in (weeks[0][1], of))
        if abs(one - other) > DIFFERENCE * max(one, other):
            return (weeks[0][0], one), (name, other)
    return ()


def _providers(
    slug: str, account: Account, owners: Owners, used: Usage, observed: Observed
) -> tuple[Counted, Mapping[str, Count]]:
    """What the tenant sent to each mailbox provider, and who counted it."""
    if found := account.of_provider.get((TENANT_NAME, owners.ses_tenant.get(slug, ""))):
        return Counted.SES_TENANT, found
    if found := observed.by_provider.get(slug):
        return Counted.OBSERVED, found
    for kind, users in ((EMAIL_IDENTITY, used.identities), (CONFIGURATION_SET, used.sets)):
        added: dict[str, Count] = {}
        for name in (name for name, owned in users.items() if owned == (slug,)):
            for provider, count in account.of_provider.get((kind, name), {}).items():
                added[provider] = added.get(provider, Count()) + count
        if added:
            return Counted.OWN, added
    return Counted.NOTHING, {}


def _lanes(
    identities: Sequence[Identity],
    sets: Sequence[ConfigurationSet],
    streams: Sequence[Stream],
    known: Mapping[str, ConfigurationSet],
    observed: Mapping[str, Days],
) -> tuple[Lane, ...]:
    """One for each type: of what was seen, else of what names say. The first domain of a type counts."""
    found: dict[str, Lane] = {}
    for stream in streams:
        lane = Lane(
            guess=stream.guess,
            domain=stream.domain,
            configuration_set=stream.configuration_set,
            pool=_pool(stream.configuration_set, known),
            weekly=_weekly(stream.days),
        )
        found.setdefault(lane.type, lane)
    domains = [each.domain for each in identities]
    for type, days in observed.items() if domains else ():
        guess = Guess(type=type, by=type, where="rule")
        set_name = identities[0].configuration_set or (sets[0].name if sets else None)
        lane = Lane(
            guess=guess,
            domain=_near(guess, domains),
            configuration_set=set_name,
            pool=_pool(set_name, known),
            weekly=_weekly(days),
        )
        found.setdefault(type, lane)
    if found or not identities:
        return tuple(found[type] for type in sorted(found))
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


def _weekly(days: Days) -> int | None:
    found = [week.count.sent for week in harm.weeks(days) if week.count.sent]
    return round(sum(found) / len(found)) if found else None


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
