"""Whose each identity and configuration set is: what SES or a person says, else a guess that is called one. Pure.

In this order: rules that a person wrote (the file that `mailcordon observe import` takes), associations of SES tenants, a tag of
the resource that names a tenant, several sibling subdomains of one parent, the organisational domain.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum

from mailcordon.control.assess import message_types
from mailcordon.control.assess.account import Account, ConfigurationSet

#: Names of tags that say whose a resource or a mail is.
TENANT_TAGS = (
    *(
        "tenant",
        "tenant-id",
        "tenant_id",
        "tenantid",
        "customer",
        "customer-id",
        "customer_id",
        "client",
        "client-id",
    ),
    *(
        "client_id",
        "account",
        "account-id",
        "account_id",
        "org",
        "org_id",
        "organisation",
        "organization",
        "workspace",
    ),
    *("workspace_id", "team", "team_id", "merchant", "shop", "store", "brand", "project"),
)
SIBLINGS = 3  #: subdomains of one parent that look like tenants, before each is taken for one
#: First labels of hosts that send, which are no tenant's name.
_HOST_WORDS = message_types.NOISE | frozenset(
    "www m mx em bounce bounces go link links info hello support no reply noreply".split()  # noqa: SIM905
)
_SLUG = re.compile(r"[^a-z0-9]+")


class By(StrEnum):
    """What says whose something is, the surest first."""

    RULE = "rule"
    SES_TENANT = "ses-tenant"
    TAG = "tag"
    SIBLING = "sibling"
    ORGANISATION = "organisation"

    @property
    def sure(self) -> bool:
        return self in (By.RULE, By.SES_TENANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a person said: tenants of sets, and of identities or From domains."""

    sets: Mapping[str, str] = field(default_factory=dict[str, str])
    senders: Mapping[str, str] = field(default_factory=dict[str, str])
    tags: Mapping[tuple[str, str], str] = field(
        default_factory=dict[tuple[str, str], str]
    )  #: by name and value
    types: Mapping[tuple[str, str], str] = field(
        default_factory=dict[tuple[str, str], str]
    )  #: by kind of rule and value
    type_tags: frozenset[str] = frozenset()  #: tags of mail whose value is its type


@dataclass(slots=True)
class Owners:
    """Tenants are slugs."""

    of_identity: dict[str, dict[str, By]] = field(default_factory=lambda: defaultdict(dict))
    of_set: dict[str, dict[str, By]] = field(default_factory=lambda: defaultdict(dict))
    ses_tenant: dict[str, str] = field(default_factory=dict[str, str])  #: its SES tenant, by slug
    parents: set[str] = field(default_factory=set[str])  #: domains of the platform, below which tenants send

    @property
    def tenants(self) -> list[str]:
        found = {slug for of in (self.of_identity, self.of_set) for owned in of.values() for slug in owned}
        return sorted(found | set(self.ses_tenant))

    def surest(self) -> dict[str, By]:
        """What says that there is a tenant, by slug: the surest."""
        found = dict.fromkeys(self.ses_tenant, By.SES_TENANT)
        for of in (self.of_identity, self.of_set):
            for owned in of.values():
                for name, by in owned.items():
                    found[name] = min(found.get(name, by), by, key=list(By).index)
        return found


def slug(name: str) -> str:
    """A slug for any name: `Acme Corp.` -> `acme-corp`."""
    return _SLUG.sub("-", name.lower()).strip("-")[:63].strip("-") or "tenant"


def of(account: Account, registrable: Callable[[str], str | None], rules: Rules | None = None) -> Owners:
    """`registrable`: a domain's organisational domain, None for a public suffix."""
    rules = rules or Rules()
    found = Owners()
    names = slugs([each.name for each in account.tenants])
    for tenant in account.tenants:
        own = names[tenant.name]
        found.ses_tenant[own] = tenant.name
        for name in tenant.identities:
            found.of_identity[name][own] = By.SES_TENANT
        for name in tenant.sets:
            found.of_set[name][own] = By.SES_TENANT
    for name, own in rules.sets.items():
        found.of_set[name] = {own: By.RULE}
    for each in account.identities:
        by_rule = ruled(each.name, rules.senders)
        if by_rule is not None:
            found.of_identity[each.name] = {by_rule: By.RULE}
        elif not found.of_identity.get(each.name) and (tagged := tag_owner(each.tags)) is not None:
            found.of_identity[each.name] = {tagged: By.TAG}
    for each in account.sets:
        if not found.of_set.get(each.name) and (tagged := tag_owner(each.tags)) is not None:
            found.of_set[each.name] = {tagged: By.TAG}
    _guess_identities(account, registrable, found)
    _guess_sets(account, found)
    return found


def tag_owner(tags: Mapping[str, str]) -> str | None:
    folded = {name.lower(): value for name, value in tags.items()}
    for name in TENANT_TAGS:
        if folded.get(name):
            return slug(folded[name])
    return None


def slugs(names: Sequence[str]) -> dict[str, str]:
    """Of SES tenants' names, each its own."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        own, number = slug(name), 2
        while own in taken:
            own, number = f"{slug(name)[:59]}-{number}", number + 1
        taken.add(own)
        found[name] = own
    return found


def ruled(name: str, senders: Mapping[str, str]) -> str | None:
    """The rule of an address, its domain, or the nearest domain above it."""
    if name in senders:
        return senders[name]
    labels = name.rpartition("@")[2].split(".")
    for at in range(len(labels) - 1):
        if (found := senders.get(".".join(labels[at:]))) is not None:
            return found
    return None


def _guess_identities(account: Account, registrable: Callable[[str], str | None], found: Owners) -> None:
    """Where there are SES tenants, what belongs to none of them is the platform's or forgotten: it is nobody's here."""
    if account.tenants:
        return
    free = [each for each in account.identities if not found.of_identity.get(each.name)]
    below: dict[str, set[str]] = defaultdict(set)
    for each in free:
        label, _, parent = each.domain.partition(".")
        if "." in parent and registrable(each.domain) != each.domain and _names_somebody(label):
            below[parent].add(each.domain)
    found.parents = {parent for parent, children in below.items() if len(children) >= SIBLINGS}
    for each in free:
        label, _, parent = each.domain.partition(".")
        if parent in found.parents and _names_somebody(label):
            found.of_identity[each.name] = {slug(label): By.SIBLING}
        elif each.domain not in found.parents and (organisation := registrable(each.domain)) is not None:
            found.of_identity[each.name] = {slug(organisation.partition(".")[0]): By.ORGANISATION}


def _names_somebody(label: str) -> bool:
    """Whether a label may be a tenant's name: not `news` or `mail2`."""
    return any(
        not (message_types.is_about_a_type(word) or word in _HOST_WORDS or word.isdigit())
        for word in (part.rstrip("0123456789") or part for part in message_types.words(label))
    )


def _guess_sets(account: Account, found: Owners) -> None:
    """A set that no tenant is associated with is that of the identities whose default it is, and of the tenant that it is named
    after."""
    defaults: dict[str, set[str]] = defaultdict(set)
    for each in account.identities:
        if each.configuration_set is not None:
            defaults[each.configuration_set] |= set(found.of_identity.get(each.name, {}))
    known = set(found.tenants)
    for each in account.sets:
        if found.of_set.get(each.name):
            continue
        own = defaults[each.name] or _named_after(each, known)
        if own:
            found.of_set[each.name] = dict.fromkeys(sorted(own), By.ORGANISATION)


def _named_after(each: ConfigurationSet, known: Set[str]) -> set[str]:
    """The known tenant whose slug the set's name begins with, the longest: `acme-marketing`."""
    labels = slug(each.name).split("-")
    for length in range(len(labels), 0, -1):
        if (name := "-".join(labels[:length])) in known:
            return {name}
    return set()
