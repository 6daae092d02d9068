"""What is dangerous in an account: each rule once, with the names that it concerns. Pure.

A rule that would need what was not read finds nothing: `missing` says what is not known.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from mailcordon.control.assess import harm, message_types
from mailcordon.control.assess.account import FEEDBACK, Account, Count, Days, Identity, SesTenant
from mailcordon.control.assess.owners import By, Owners
from mailcordon.control.assess.tenants import Portrait, Usage
from mailcordon.control.assess.traffic import Stream
from mailcordon.core.priority import Class
from mailcordon.messages import dangers as messages

QUOTA = 0.8  #: of the day's quota, above which a busy day of one tenant leaves others none
LATELY = 14  #: days of the account's own rates
QUIET = (
    1_000  #: mails a day that a dedicated IP needs to keep its reputation, at one provider alone (ses.md 7)
)
DEFAULT_POOL = "ses-default-dedicated-pool"


class Severity(StrEnum):
    NOW = "now"  #: harms, or can stop everybody today
    SOON = "soon"  #: the next bad day becomes everybody's
    LOOK = "look"  #: costs little, and belongs in order


@dataclass(frozen=True, slots=True, kw_only=True)
class Danger:
    code: str
    about: str  #: the name of the set, identity, tenant, pool or IP; empty: the account
    severity: Severity
    says: str
    do: str
    tenants: tuple[str, ...] = ()  #: slugs of those whom it concerns
    guess: bool = False  #: it rests on a guess of whose something is


def find(
    account: Account,
    owners: Owners,
    used: Usage,
    portraits: Sequence[Portrait],
    streams: Sequence[Stream],
    registrable: Callable[[str], str | None],
) -> list[Danger]:
    """Those of now first, then by code and name."""
    bad = {each.slug for each in portraits if each.endangers}
    found = [
        *_of_account(account, portraits),
        *_of_sets(account, owners, used, bad),
        *_of_identities(account, owners, used, bad, registrable),
        *_of_tenants(account, owners, used, portraits),
        *_of_pools(account, owners, used),
        *_mixed(streams),
        *_of_ses(account, owners),
    ]
    order = list(Severity)
    return sorted(found, key=lambda one: (order.index(one.severity), one.code, one.about))


def _danger(
    code: str,
    about: str,
    severity: Severity,
    says: str,
    *,
    tenants: Sequence[str] = (),
    guess: bool = False,
) -> Danger:
    return Danger(
        code=code,
        about=about,
        severity=severity,
        says=says,
        do=messages.remedy(code=code, about=about),
        tenants=tuple(tenants),
        guess=guess,
    )


# The account --------------------------------------------------------------------------------------------------------------


def _of_account(account: Account, portraits: Sequence[Portrait]) -> Iterator[Danger]:
    everybody = [each.slug for each in portraits]
    if (state := account.state) is not None:
        if not state.sending or state.enforcement == "SHUTDOWN":
            says = messages.account_stopped(tenants=len(everybody))
            yield _danger("account-stopped", "", Severity.NOW, says, tenants=everybody)
        if state.enforcement == "PROBATION":
            says = messages.account_under_review(tenants=len(everybody))
            yield _danger("account-under-review", "", Severity.NOW, says, tenants=everybody)
        if not state.production:
            yield _danger("sandbox", "", Severity.LOOK, messages.sandbox())
        if state.max_24h > 0 and state.sent_24h >= QUOTA * state.max_24h:
            says = messages.quota_nearly_used(share=state.sent_24h / state.max_24h, most=int(state.max_24h))
            yield _danger("quota-nearly-used", "", Severity.SOON, says, tenants=everybody)
        if gone := sorted(FEEDBACK - state.reasons):
            says = messages.account_suppression_off(gone)
            yield _danger("account-suppression-off", "", Severity.NOW, says, tenants=everybody)
    since = account.on - timedelta(days=LATELY)
    counted = account.days or account.watched.days or account.lately
    lately = sum((count for day, count in counted.items() if day >= since), Count())
    for kind, (review, _) in harm.LIMITS.items():
        least = harm.at_least(harm.bad(kind, lately), lately.sent)
        if least >= harm.AIM[kind]:
            severity = Severity.NOW if least >= review else Severity.SOON
            says = messages.account_rate(
                kind=kind.value, rate=harm.rate(kind, lately), days=LATELY, review=review
            )
            yield _danger(f"account-{kind.value}", "", severity, says, tenants=everybody)
            continue
        own = getattr(account.watched.rate, kind.value)
        if own is not None and own >= harm.AIM[kind]:
            severity = Severity.NOW if own >= review else Severity.SOON
            says = messages.account_reputation(kind=kind.value, rate=own, review=review)
            yield _danger(f"account-{kind.value}", "", severity, says, tenants=everybody)
    if not account.tenants and account.knows("ListTenants") and len(everybody) > 1:
        says = messages.suppression_shared(tenants=everybody, entries=_entries(account))
        guess = not all(each.by.sure for each in portraits)
        yield _danger("suppression-shared", "", Severity.SOON, says, tenants=everybody, guess=guess)


def _entries(account: Account) -> int | None:
    return None if account.suppressed is None else sum(account.suppressed.values())


# Configuration sets -------------------------------------------------------------------------------------------------------


def _of_sets(account: Account, owners: Owners, used: Usage, bad: set[str]) -> Iterator[Danger]:
    own_list = {each.name for each in account.tenants if each.scope == "TENANT"}
    isolated = {slug for slug, name in owners.ses_tenant.items() if name in own_list}
    for each in account.sets:
        users = used.sets.get(each.name, ())
        if each.unreported:
            says = messages.set_without_feedback(
                name=each.name, events=sorted(each.unreported), tenants=users
            )
            yield _danger("set-without-feedback", each.name, Severity.NOW, says, tenants=users)
        if each.reasons is not None and not each.reasons:
            says = messages.set_suppression_off(name=each.name, tenants=users)
            yield _danger("set-suppression-off", each.name, Severity.NOW, says, tenants=users)
        if each.scope == "ACCOUNT" and (broken := [slug for slug in users if slug in isolated]):
            says = messages.set_breaks_isolation(name=each.name, tenants=broken)
            yield _danger("set-breaks-isolation", each.name, Severity.NOW, says, tenants=broken)
        if not each.sending:
            says = messages.set_stopped(name=each.name, tenants=users)
            yield _danger("set-stopped", each.name, Severity.SOON, says, tenants=users)
        for kind, (review, _) in harm.LIMITS.items():
            rate = getattr(account.watched.rates.get(each.name), kind.value, None)
            if rate is not None and _is_over(account, each.name, rate, review):
                says = messages.set_rate(
                    name=each.name, kind=kind.value, rate=rate, review=review, tenants=users
                )
                yield _danger(f"set-{kind.value}", each.name, Severity.SOON, says, tenants=users)
        if len(users) > 1:
            worst = sorted(bad.intersection(users))
            severity = Severity.NOW if worst else Severity.SOON
            says = messages.set_shared(name=each.name, tenants=users, bad=worst)
            guess = not _sure(owners.of_set.get(each.name, {}))
            yield _danger("set-shared", each.name, severity, says, tenants=users, guess=guess)


def _is_over(account: Account, name: str, rate: float, review: float) -> bool:
    """Whether SES's own rate of a set is over the limit of a review, and not by a handful of mails if their number is known."""
    days = account.of_set.get(name) or account.watched.of_set.get(name) or {}
    since = account.on - timedelta(days=LATELY)
    sent = sum(count.sent for day, count in days.items() if day >= since)
    return rate >= review and (not sent or harm.at_least(round(rate * sent), sent) >= review)


# Identities ---------------------------------------------------------------------------------------------------------------


def _of_identities(
    account: Account,
    owners: Owners,
    used: Usage,
    bad: set[str],
    registrable: Callable[[str], str | None],
) -> Iterator[Danger]:
    names = {each.name for each in account.identities}
    everything_known = account.knows("ListTenants", "ListTenantResources")
    #: By organisational domain: who uses each identity below it, and whether that is sure.
    below: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    unsure: set[str] = set()
    for each in account.identities:
        users = used.identities.get(each.name, ())
        sure = _sure(owners.of_identity.get(each.name, {}))
        yield from _of_identity(each, users, names)
        if len(users) > 1:
            worst = sorted(bad.intersection(users))
            severity = Severity.NOW if worst else Severity.SOON
            says = messages.identity_shared(name=each.name, tenants=users, bad=worst)
            yield _danger("identity-shared", each.name, severity, says, tenants=users, guess=not sure)
        if not users and account.tenants and each.verified and everything_known:
            says = messages.untenanted_identity(name=each.name)
            yield _danger("untenanted-identity", each.name, Severity.SOON, says)
        if users and (organisation := registrable(each.domain)) is not None:
            below[organisation].add(users)
            unsure |= set() if sure else {organisation}
    for organisation in sorted(below):
        users = used.organisations.get(organisation, ())
        if len(users) > 1 and len(below[organisation]) > 1:
            says = messages.organisation_shared(name=organisation, tenants=users)
            guess = organisation in unsure
            yield _danger(
                "organisation-shared", organisation, Severity.LOOK, says, tenants=users, guess=guess
            )


def _of_identity(each: Identity, users: Sequence[str], names: set[str]) -> Iterator[Danger]:
    if not each.verified:
        if users:
            says = messages.identity_unverified(name=each.name, tenants=users)
            yield _danger("identity-unverified", each.name, Severity.SOON, says, tenants=users)
        return
    if not each.is_address:
        if not each.signing or each.dkim != "SUCCESS":
            says = messages.dkim_off(name=each.name, signing=each.signing, status=each.dkim, tenants=users)
            yield _danger("dkim-off", each.name, Severity.NOW, says, tenants=users)
        if each.mail_from is None:
            says = messages.mail_from_missing(name=each.name, tenants=users)
            yield _danger("mail-from-missing", each.name, Severity.LOOK, says, tenants=users)
        elif each.mail_from_status in ("FAILED", "TEMPORARY_FAILURE"):
            says = messages.mail_from_fallen_back(
                name=each.name, mail_from=each.mail_from, status=each.mail_from_status, tenants=users
            )
            yield _danger("mail-from-fallen-back", each.name, Severity.SOON, says, tenants=users)
    if each.configuration_set is None and each.forwarding:
        says = messages.identity_without_set(name=each.name, tenants=users)
        yield _danger("identity-without-set", each.name, Severity.SOON, says, tenants=users)
    elif each.configuration_set is None:
        says = messages.no_feedback(name=each.name, tenants=users)
        yield _danger("no-feedback", each.name, Severity.NOW, says, tenants=users)
    if each.is_address and each.domain in names:
        says = messages.address_beside_domain(name=each.name, domain=each.domain, tenants=users)
        yield _danger("address-beside-domain", each.name, Severity.SOON, says, tenants=users)
    if each.policies:
        says = messages.others_may_send(name=each.name, policies=each.policies, tenants=users)
        yield _danger("others-may-send", each.name, Severity.SOON, says, tenants=users)


# Tenants ------------------------------------------------------------------------------------------------------------------


def _of_tenants(
    account: Account, owners: Owners, used: Usage, portraits: Sequence[Portrait]
) -> Iterator[Danger]:
    slugs = {name: slug for slug, name in owners.ses_tenant.items()}
    for each in account.tenants:
        who = [slugs[each.name]]
        if each.status == "DISABLED":
            yield _danger(
                "tenant-stopped",
                each.name,
                Severity.NOW,
                messages.tenant_stopped(name=each.name),
                tenants=who,
            )
        if each.policy == "none":
            yield _danger(
                "policy-none", each.name, Severity.SOON, messages.policy_none(name=each.name), tenants=who
            )
        if each.resources_known and not (each.identities and each.sets):
            says = messages.tenant_cannot_send(name=each.name)
            yield _danger("tenant-cannot-send", each.name, Severity.LOOK, says, tenants=who)
        if each.scope_known and each.scope != "TENANT":
            if _is_alone(each, used):
                says = messages.feels_migrated(name=each.name, entries=_entries(account))
                yield _danger("feels-migrated", each.name, Severity.NOW, says, tenants=who)
            else:
                says = messages.suppression_shared(tenants=who, entries=_entries(account))
                yield _danger("suppression-shared", each.name, Severity.SOON, says, tenants=who)
    for portrait in portraits:
        if portrait.endangers and portrait.harm is not None and len(portraits) > 1:
            worst = portrait.harm
            says = messages.tenant_endangers(
                slug=portrait.slug,
                kind=worst.kind.value,
                monday=worst.monday,
                sent=worst.count.sent,
                rate=worst.rate,
                at_least=worst.at_least,
                with_it=worst.with_it,
                without_it=worst.without_it,
                tipped=worst.tipped,
                others=len(portraits) - 1,
                others_sent=worst.others_sent,
            )
            who = [portrait.slug]
            guess = not portrait.by.sure
            yield _danger("tenant-endangers", portrait.slug, Severity.NOW, says, tenants=who, guess=guess)


def _is_alone(tenant: SesTenant, used: Usage) -> bool:
    """Whether its identities and sets are its own: it looks as if it had been moved."""
    return (
        bool(tenant.identities and tenant.sets)
        and all(len(used.identities.get(name, ())) == 1 for name in tenant.identities)
        and all(len(used.sets.get(name, ())) == 1 for name in tenant.sets)
    )


# Pools --------------------------------------------------------------------------------------------------------------------


def _of_pools(account: Account, owners: Owners, used: Usage) -> Iterator[Danger]:
    ips: dict[str, list[str]] = defaultdict(list)
    for each in account.ips:
        ips[each.pool].append(each.ip)
    sets: dict[str, list[str]] = defaultdict(list)
    for each in account.sets:
        if each.pool is not None:
            sets[each.pool].append(each.name)
    if any(each.pool is None for each in account.sets):
        sets[DEFAULT_POOL].append("")  # sets without a pool use the default one
    for each in account.ips:
        if each.pool not in sets:
            if not account.knows("ListConfigurationSets", "GetConfigurationSet"):
                continue  # a set that was not read may use it
            says = messages.ip_idle(ip=each.ip, pool=each.pool)
            yield _danger("ip-idle", each.ip, Severity.LOOK, says)
        elif each.status == "IN_PROGRESS":
            says = messages.ip_warming(ip=each.ip, pool=each.pool, percentage=each.percentage)
            users = used.pools.get(each.pool, ())
            yield _danger("ip-warming", each.ip, Severity.LOOK, says, tenants=users)
    for pool in account.pools:
        of, users = sorted(sets.get(pool.name, ())), used.pools.get(pool.name, ())
        empty = pool.mode == "STANDARD" and not ips[pool.name] and account.knows("GetDedicatedIps")
        if len(users) > 1 and not empty:
            guess = not all(_sure(owners.of_set.get(name, {})) for name in of)
            says = messages.pool_shared(name=pool.name, tenants=users)
            yield _danger("pool-shared", pool.name, Severity.SOON, says, tenants=users, guess=guess)
        if of and empty:
            says = messages.pool_empty(name=pool.name, tenants=users)
            yield _danger("pool-empty", pool.name, Severity.SOON, says, tenants=users)
        guesses = [message_types.guess([("set", name)]) for name in of]
        if len({one.class_ is Class.MARKETING for one in guesses if one is not None}) > 1:
            says = messages.pool_mixes_classes(name=pool.name, sets=of)
            yield _danger("pool-mixes-classes", pool.name, Severity.SOON, says, tenants=users, guess=True)
        daily = _daily(account, owners, of)
        if pool.mode == "STANDARD" and ips[pool.name] and daily is not None:
            each_ip = daily / len(ips[pool.name])
            if each_ip < QUIET:
                says = messages.pool_too_quiet(
                    name=pool.name, daily=round(each_ip), ips=len(ips[pool.name]), least=QUIET
                )
                yield _danger("pool-too-quiet", pool.name, Severity.SOON, says, tenants=users)


def _daily(account: Account, owners: Owners, sets: Sequence[str]) -> float | None:
    """Mails a day that these sets carried, of the days with mail. None: it is not counted. A set of one SES tenant is counted
    with the tenant, if these are all of the tenant's sets."""
    wanted, parts = set(sets), list[Days]()
    all_sets: dict[str, set[str]] = defaultdict(set)
    for name, owned in owners.of_set.items():
        for slug in owned:
            all_sets[slug].add(name)
    while wanted:
        name = min(wanted)
        users = list(owners.of_set.get(name, {}))
        if name in account.of_set:
            parts.append(account.of_set[name])
            wanted.discard(name)
        elif len(users) == 1 and all_sets[users[0]] <= set(sets) and users[0] in owners.ses_tenant:
            days = account.of_tenant.get(owners.ses_tenant[users[0]])
            if days is None:
                return None
            parts.append(days)
            wanted -= all_sets[users[0]]
        else:
            return None
    days_with_mail = {day for part in parts for day in part}
    if not days_with_mail:
        return None
    return sum(count.sent for part in parts for count in part.values()) / len(days_with_mail)


# Events and SES's own findings --------------------------------------------------------------------------------------------


def _mixed(streams: Sequence[Stream]) -> Iterator[Danger]:
    """One set and domain that carry marketing and other mail: stopping the one stops the other."""
    classes: dict[tuple[str, str], set[bool]] = defaultdict(set)
    users: dict[tuple[str, str], set[str]] = defaultdict(set)
    for stream in streams:
        key = (stream.domain, stream.configuration_set or "")
        if stream.guess.by:
            classes[key].add(stream.guess.class_ is Class.MARKETING)
        if stream.tenant is not None:
            users[key].add(stream.tenant)
    for key in sorted(classes):
        if len(classes[key]) > 1:
            domain, set_name = key
            who = sorted(users[key])
            says = messages.mixed_stream(domain=domain, set_name=set_name, tenants=who)
            yield _danger("mixed-stream", domain, Severity.SOON, says, tenants=who, guess=True)


def _of_ses(account: Account, owners: Owners) -> Iterator[Danger]:
    """Open findings of SES's advisor; without the right to read them, what the tenants' entities say."""
    slugs = {name: slug for slug, name in owners.ses_tenant.items()}
    said: set[str] = set()
    for each in account.recommendations:
        kind, _, name = each.about.split(":", 5)[-1].partition("/")
        name = name.partition("/")[0] if kind == "tenant" else name
        said.add(name)
        who = (
            [slugs[name]] if kind == "tenant" and name in slugs else sorted(owners.of_identity.get(name, ()))
        )
        severity = Severity.NOW if each.impact == "HIGH" else Severity.SOON
        says = messages.ses_finding(name=name, type=each.type, impact=each.impact, text=each.says)
        yield _danger("ses-finding", name, severity, says, tenants=who)
    for tenant in account.tenants:
        if tenant.impact in ("LOW", "HIGH") and tenant.name not in said:
            severity = Severity.NOW if tenant.impact == "HIGH" else Severity.SOON
            says = messages.ses_finding(name=tenant.name, type="", impact=tenant.impact, text="")
            yield _danger("ses-finding", tenant.name, severity, says, tenants=[slugs[tenant.name]])


def _sure(owned: Mapping[str, By]) -> bool:
    return all(by.sure for by in owned.values())
