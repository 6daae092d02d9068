"""The changes of the platform that a plan consists of.

Each is one value, and is applied in one transaction with the rest of its plan. SES follows (control/reconcile.py). Here they are
completed, checked and applied to the platform as a value; adapters/db/step_store.py writes their rows.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from mailcordon.control.platform import SHARED_IPS, Domain, Lane, Platform, SesTenants, Tenant, topology
from mailcordon.core import domain as domains
from mailcordon.core import names, text
from mailcordon.core.errors import Conflict, Fault, Invalid, parse_field, parse_into
from mailcordon.core.priority import Class
from mailcordon.messages import api, lifecycle, paths, plans, pools, rollouts
from mailcordon.messages import mail as mail_messages

Mail = Literal["drain", "cancel"]  #: what becomes of the mail of a lane that is retired

_KEY_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_KEY_LETTERS = 12


class StepKind(StrEnum):
    ADD_TENANT = "add-tenant"  #: to: topology and key, see `add_tenant`
    ADD_DOMAIN = "add-domain"
    ADD_LANE = "add-lane"  #: to: domain
    SET_MAIL_FROM = "set-mail-from"  #: of a domain; to: the MAIL FROM domain, None: SES's own
    MOVE_LANE = "move-lane"  #: to another domain of the same tenant
    SET_TOPOLOGY = "set-topology"  #: of a tenant: `Tenant.topology`
    SET_POOL = (
        "set-pool"  #: of a tenant's mail of a class; to: `marketing bulk`, with SHARED_IPS to leave its pool
    )
    ADD_PATH = "add-path"  #: a lane gets a shared path beside its own; to: its name
    DROP_PATH = "drop-path"  #: a lane keeps its own path only
    RETIRE_LANE = "retire-lane"
    RETIRE_DOMAIN = "retire-domain"
    RETIRE_TENANT = "retire-tenant"
    FREE_DOMAIN = "free-domain"  #: it is not the tenant's any more; its mail that has not left is cancelled
    UNRETIRE_LANE = "unretire-lane"
    UNRETIRE_DOMAIN = "unretire-domain"
    UNRETIRE_TENANT = "unretire-tenant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    kind: StepKind
    tenant: str  #: slug
    type: str | None = None
    domain: str | None = None
    was: str | None = None  #: the value before, in words that a document uses
    to: str | None = None
    mail: Mail | None = None


def add_tenant(
    slug: str, *, dedicated: bool = False, ses_tenants: SesTenants = "one", key: str | None = None
) -> Step:
    """The step that adds a tenant, with `to` as `shared one mc-...`. `complete` chooses a key if there is none."""
    words = [topology(dedicated, ses_tenants), *([key] if key else [])]
    return Step(kind=StepKind.ADD_TENANT, tenant=slug, to=" ".join(words))


def add_domain(slug: str, domain: str, mail_from_label: str = "") -> list[Step]:
    """The steps that add a domain, with a MAIL FROM domain below it unless the label is empty or the name would be too long."""
    added = [Step(kind=StepKind.ADD_DOMAIN, tenant=slug, domain=domain)]
    mail_from = f"{mail_from_label}.{domain}"
    if mail_from_label and len(mail_from) <= domains.LONGEST:
        added.append(Step(kind=StepKind.SET_MAIL_FROM, tenant=slug, domain=domain, to=mail_from))
    return added


def set_topology(slug: str, *, dedicated: bool, ses_tenants: SesTenants) -> Step:
    return Step(kind=StepKind.SET_TOPOLOGY, tenant=slug, to=topology(dedicated, ses_tenants))


def set_pool(slug: str, class_: Class, pool: str | None) -> Step:
    """The step that lets a tenant's mail of a class leave from an IP pool; None: from the shared addresses again."""
    return Step(kind=StepKind.SET_POOL, tenant=slug, to=f"{class_.word} {pool or SHARED_IPS}")


def parse_pool(words: str) -> tuple[Class, str]:
    """The class and the pool of a step `set-pool`. Raises Invalid."""
    word, _, pool = words.partition(" ")
    class_ = next((each for each in Class if each.word == word), None)
    if class_ is None or not pool or " " in pool:
        raise Invalid(Fault("to", pools.bad_choice()))
    return class_, pool


def parse(step: Step) -> Step:
    """A step as somebody wrote it, with its domains in DNS form. Raises Invalid."""
    faults = _field_faults(step)
    parse_into(faults, "tenant", names.slug, step.tenant)
    if step.type is not None:
        parse_into(faults, "type", names.message_type, step.type)
    domain, to = step.domain, step.to
    if domain is not None:
        domain = parse_into(faults, "domain", domains.parse, domain)
    if to is not None and step.kind in (StepKind.ADD_LANE, StepKind.MOVE_LANE, StepKind.SET_MAIL_FROM):
        to = parse_into(faults, "to", domains.parse, to)
    if (
        to is not None
        and step.kind in (StepKind.ADD_TENANT, StepKind.SET_TOPOLOGY)
        and len(to.split(" ")) != 2
    ):
        faults.append(Fault("to", plans.bad_topology()))
    if to is not None and step.kind is StepKind.SET_POOL:
        parse_into(faults, "to", parse_pool, to)
    if faults:
        raise Invalid(*faults)
    return replace(step, domain=domain, to=to)


def _field_faults(step: Step) -> list[Fault]:
    """Fields that the step lacks, and those that say nothing for it: its rows would be chosen by them too."""
    needed, optional = _FIELDS[step.kind]
    given = {name for name in ("type", "domain", "to", "mail") if getattr(step, name) is not None}
    missing = [
        Fault(name, lifecycle.missing_for(step.kind), "missing") for name in needed if name not in given
    ]
    beside = sorted(given - {*needed, *optional})
    return missing + [Fault(name, lifecycle.not_beside(step.kind)) for name in beside]


def new_key() -> str:
    """A new opaque name for SES, tags and IAM. It never changes, unlike the slug."""
    return "mc-" + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(_KEY_LETTERS))


def parse_topology(words: str) -> tuple[bool, SesTenants]:
    """Whether the sets are dedicated, and the SES tenants. Raises Invalid."""
    sets, _, ses_tenants = words.partition(" ")
    if sets not in ("shared", "dedicated") or ses_tenants not in ("one", "per-class"):
        raise Invalid(Fault("to", plans.bad_topology()))
    return sets == "dedicated", ses_tenants


def complete(
    platform: Platform,
    steps: Iterable[Step],
    refused: Callable[[Step, Invalid | Conflict], None] | None = None,
    *,
    mail_from_label: str = "",
) -> list[Step]:
    """The steps with what the platform knows: a key for a new tenant, the value before, and steps of their own for a domain that
    a lane needs and the tenant does not have. `mail_from_label`: such a domain gets a MAIL FROM domain, as in `bounce.DOMAIN`.
    Steps that change nothing are left out. Raises as `after` does; with `refused`, that is called instead, and the other steps
    are looked at too."""
    working = _Working(platform, mail_from_label)
    done: list[Step] = []
    for step in steps:
        try:
            for each in working.complete(step):
                working.apply(each)
                done.append(each)
        except (Invalid, Conflict) as problem:
            if refused is None:
                raise
            refused(step, problem)
    return done


def after(platform: Platform, steps: Iterable[Step]) -> Platform:
    """The platform after the steps, each checked on what those before it leave. Raises Invalid or Conflict, and never reveals
    another tenant."""
    working = _Working(platform)
    for step in steps:
        working.apply(step)
    return replace(platform, tenants=working.tenants)


def in_parts(done: Sequence[Step], most: int) -> tuple[list[Step], list[str]]:
    """What of a plan is applied at once, and the new tenants that follow in parts of at most `most`, by slug. Only new tenants
    can follow: they need nothing but what exists. One that takes a domain which the plan frees is applied with what frees it."""
    freed = {step.domain for step in done if step.kind is StepKind.FREE_DOMAIN}
    together = {step.tenant for step in done if freed & {step.domain, step.to}}
    new = [step.tenant for step in done if step.kind is StepKind.ADD_TENANT and step.tenant not in together]
    later = new[most:] if len(new) > most else []
    behind = set(later)
    return [step for step in done if step.tenant not in behind], later


def check(platform: Platform, step: Step) -> None:
    """Raises Invalid or Conflict if the step cannot be applied to this platform."""
    after(platform, [step])


def tenants_of(steps: Iterable[Step]) -> list[str]:
    return sorted({step.tenant for step in steps})


def is_mail_from(name: str, domain: str) -> bool:
    """Whether this can be the MAIL FROM of a domain: SES takes a subdomain only (ses.md 5.4). Both are in DNS form."""
    return name != domain and domains.covers(domain, name)


def owners_of(steps: Iterable[Step]) -> dict[str, str]:
    """The slugs of tenants that the steps add, by what SES sees of them: their keys and their domains."""
    found: dict[str, str] = {}
    for step in steps:
        if step.kind is StepKind.ADD_TENANT:
            found[(step.to or "").rpartition(" ")[2]] = step.tenant
        elif step.kind is StepKind.ADD_DOMAIN:
            found[step.domain or ""] = step.tenant
    return found


def domains_of(steps: Iterable[Step]) -> list[str]:
    """The domains that the steps name as a tenant's own: whose they are is asked before they are applied."""
    named: set[str] = set()
    for step in steps:
        if step.domain:
            named.add(step.domain)
        if step.kind in (StepKind.ADD_LANE, StepKind.MOVE_LANE) and step.to:
            named.add(step.to)
    return sorted(named)


def says(step: Step) -> str:
    """What the step does, in a few words."""
    tenant, type, domain = step.tenant, step.type or "", step.domain or ""
    match step.kind:
        case StepKind.ADD_TENANT:
            return plans.adds_tenant(tenant, *_sets_and_tenants(step.to or ""))
        case StepKind.ADD_DOMAIN:
            return plans.adds_domain(tenant, domain)
        case StepKind.ADD_LANE:
            return plans.adds_lane(tenant, type, step.to or "")
        case StepKind.SET_MAIL_FROM:
            return plans.sets_mail_from(tenant, domain, step.was, step.to)
        case StepKind.MOVE_LANE:
            return plans.moves_lane(tenant, type, step.was or "", step.to or "")
        case StepKind.SET_TOPOLOGY:
            return plans.sets_topology(
                tenant, *_sets_and_tenants(step.was or ""), *_sets_and_tenants(step.to or "")
            )
        case StepKind.SET_POOL:
            return pools.sets_pool(tenant, *(step.to or "").split(" "))
        case StepKind.ADD_PATH:
            return paths.adds_path(tenant, type, step.to or "")
        case StepKind.DROP_PATH:
            return paths.drops_path(tenant, type, step.was or "")
        case StepKind.RETIRE_LANE:
            return plans.retires_lane(tenant, type, cancels=step.mail == "cancel")
        case StepKind.RETIRE_DOMAIN:
            return plans.retires_domain(tenant, domain)
        case StepKind.FREE_DOMAIN:
            return plans.frees_domain(tenant, domain)
        case StepKind.RETIRE_TENANT:
            return plans.retires_tenant(tenant, cancels=step.mail == "cancel")
        case StepKind.UNRETIRE_LANE:
            return plans.unretires_lane(tenant, type)
        case StepKind.UNRETIRE_DOMAIN:
            return plans.unretires_domain(tenant, domain)
        case StepKind.UNRETIRE_TENANT:
            return plans.unretires_tenant(tenant)


def _sets_and_tenants(words: str) -> tuple[str, str]:
    sets, ses_tenants, *_ = [*words.split(" "), "", ""]
    return sets, ses_tenants


class _Domains:
    """Whose each domain is. Two tenants never have domains that are equal, or one above the other (ses.md 5.6)."""

    def __init__(self, platform: Platform) -> None:
        self._owners: dict[str, str | None] = dict.fromkeys(platform.elsewhere)
        self._below: dict[str, Counter[str | None]] = {}  #: how many domains below this one each owner has
        self._shared_parents = platform.shared_parents
        for name in platform.elsewhere:
            self._register(name, None)
        for slug, tenant in platform.tenants.items():
            for name, domain in tenant.domains.items():
                if not domain.freed:
                    self.add(name, slug)

    def add(self, name: str, slug: str) -> None:
        self._owners[name] = slug
        self._register(name, slug)

    def free(self, name: str, slug: str) -> None:
        del self._owners[name]
        for each in _above(name):
            self._below[each][slug] -= 1

    def taken(self, name: str, slug: str) -> bool:
        """Whether another tenant has it, or one above or below it, or it is a domain that tenants share, or one above that."""
        above = (owner for each in _above(name) if (owner := self._owners.get(each, slug)) != slug)
        same = name in self._owners and self._owners[name] != slug
        below = any(number for owner, number in self._below.get(name, Counter()).items() if owner != slug)
        shared = any(domains.covers(name, parent) for parent in self._shared_parents)
        return same or below or shared or any(True for _ in above)

    def _register(self, name: str, owner: str | None) -> None:
        for each in _above(name):
            self._below.setdefault(each, Counter())[owner] += 1


def _above(domain: str) -> list[str]:
    labels = domain.split(".")
    return [".".join(labels[n:]) for n in range(1, len(labels) - 1)]


class _Working:
    """A platform that steps are applied to."""

    def __init__(self, platform: Platform, mail_from_label: str = "") -> None:
        self.tenants: dict[str, Tenant] = dict(platform.tenants)
        self._mail_from_label = mail_from_label
        self._types = platform.types
        self._pools = platform.pools
        self._domains = _Domains(platform)
        self._shared_paths = platform.shared_paths

    def complete(self, step: Step) -> list[Step]:
        """The step with what is known here, after the steps that it needs. None if it changes nothing."""
        tenant = self.tenants.get(step.tenant)
        match step.kind:
            case StepKind.ADD_TENANT:
                words = (step.to or "shared one").split(" ")
                return [replace(step, to=" ".join([*words, *([new_key()] if len(words) < 3 else [])]))]
            case StepKind.ADD_LANE:
                return [*self._needs(step), step]
            case StepKind.MOVE_LANE:
                lane = None if tenant is None else tenant.lanes.get(step.type or "")
                if lane is not None and lane.domain == step.to:
                    return []
                return [*self._needs(step), replace(step, was=None if lane is None else lane.domain)]
            case StepKind.SET_MAIL_FROM if tenant is not None and (
                has := tenant.domains.get(step.domain or "")
            ):
                said = has.mail_from == step.to and (has.mail_from_chosen or step.to is not None)
                return [] if said else [replace(step, was=has.mail_from)]
            case StepKind.SET_TOPOLOGY if tenant is not None:
                return [] if tenant.topology == step.to else [replace(step, was=tenant.topology)]
            case StepKind.SET_POOL if tenant is not None:
                class_, pool = parse_pool(step.to or "")
                has = tenant.pools.get(class_, SHARED_IPS)
                return [] if has == pool else [replace(step, was=f"{class_.word} {has}")]
            case StepKind.ADD_PATH | StepKind.DROP_PATH if tenant is not None and (
                lane := tenant.lanes.get(step.type or "")
            ):
                return [] if lane.shared_path == step.to else [replace(step, was=lane.shared_path)]
            case StepKind.RETIRE_LANE | StepKind.RETIRE_DOMAIN | StepKind.RETIRE_TENANT:
                return [] if _is_retired(tenant, step) else [replace(step, mail=step.mail or "drain")]
            case StepKind.UNRETIRE_LANE | StepKind.UNRETIRE_DOMAIN | StepKind.UNRETIRE_TENANT:
                return [] if _is_retired(tenant, step) is False else [step]
            case _:
                return [step]

    def _needs(self, step: Step) -> list[Step]:
        """A domain that the tenant does not have, with a MAIL FROM domain."""
        tenant = self.tenants.get(step.tenant)
        if tenant is None or not step.to:
            return []
        if (domain := tenant.domains.get(step.to)) is not None and not domain.freed:
            return []
        # SES takes no MAIL FROM domain that mail is sent from (ses.md 5.4).
        taken = f"{self._mail_from_label}.{step.to}" in tenant.domains
        return add_domain(step.tenant, step.to, "" if taken else self._mail_from_label)

    def apply(self, step: Step) -> None:
        if step.kind is StepKind.ADD_TENANT:
            self._add_tenant(step)
            return
        tenant = self.tenants.get(step.tenant)
        if tenant is None:
            raise Invalid(Fault("tenant", mail_messages.tenant_unknown(step.tenant), "no-such-tenant"))
        if tenant.retired and step.kind not in (StepKind.UNRETIRE_TENANT, StepKind.FREE_DOMAIN):
            raise Conflict(api.tenant_retired(step.tenant), code="tenant-retired")
        self.tenants[step.tenant] = _CHANGES[step.kind](self, tenant, step)

    def _add_tenant(self, step: Step) -> None:
        if (tenant := self.tenants.get(step.tenant)) is not None:
            sentence = api.tenant_retired if tenant.retired else plans.tenant_exists
            raise Conflict(
                sentence(step.tenant), code="tenant-retired" if tenant.retired else "tenant-exists"
            )
        sets, ses_tenants, *key = (step.to or "").split(" ")
        dedicated, kind = parse_topology(f"{sets} {ses_tenants}")
        if len(key) != 1:
            raise Invalid(Fault("to", plans.bad_topology()))
        self.tenants[step.tenant] = Tenant(
            slug=step.tenant, key=key[0], dedicated=dedicated, ses_tenants=kind
        )

    def add_domain(self, tenant: Tenant, step: Step) -> Tenant:
        name = _parsed(step.domain)
        if self._domains.taken(name, tenant.slug):
            raise Invalid(Fault("domain", api.domain_taken(name), "domain-taken"))
        if name in tenant.domains and not tenant.domains[name].freed:
            raise Conflict(plans.domain_exists(tenant.slug, name), code="domain-exists")
        self._domains.add(name, tenant.slug)
        return replace(tenant, domains={**tenant.domains, name: Domain(name=name)})

    def set_mail_from(self, tenant: Tenant, step: Step) -> Tenant:
        domain = _domain_of(tenant, step.domain)
        if step.to is not None and not is_mail_from(_parsed(step.to, "to"), domain.name):
            raise Invalid(Fault("to", plans.mail_from_elsewhere(domain.name), "bad-mail-from"))
        return _with_domain(tenant, replace(domain, mail_from=step.to, mail_from_chosen=True))

    def add_lane(self, tenant: Tenant, step: Step) -> Tenant:
        class_ = self._class_of(step)
        domain = _domain_of(tenant, step.to)
        if (lane := tenant.lanes.get(step.type or "")) is not None:
            sentence = plans.lane_retired if lane.retired else plans.lane_exists
            raise Conflict(sentence(tenant.slug, lane.type), code="lane-exists")
        return _with_lane(tenant, Lane(type=step.type or "", class_=class_, domain=domain.name))

    def move_lane(self, tenant: Tenant, step: Step) -> Tenant:
        lane = _lane_of(tenant, step.type)
        if lane.shared_path is not None:  # its mail may have From in either domain
            raise Conflict(paths.has_two_paths(tenant.slug, lane.type, lane.shared_path), code="two-paths")
        return _with_lane(tenant, replace(lane, domain=_domain_of(tenant, step.to).name))

    def add_path(self, tenant: Tenant, step: Step) -> Tenant:
        lane = _lane_of(tenant, step.type)
        if step.to not in self._shared_paths:
            problem = paths.no_shared_path(text.harmless(step.to or "", 64), sorted(self._shared_paths))
            raise Invalid(Fault("to", problem, "no-such-path"))
        if lane.shared_path is not None:
            raise Conflict(paths.has_two_paths(tenant.slug, lane.type, lane.shared_path), code="two-paths")
        return _with_lane(tenant, replace(lane, shared_path=step.to))

    def drop_path(self, tenant: Tenant, step: Step) -> Tenant:
        lane = _lane_of(tenant, step.type)
        if lane.rollout is not None:
            raise Conflict(
                rollouts.drops_under_way(tenant.slug, lane.type, lane.rollout), code="lane-in-rollout"
            )
        return _with_lane(tenant, replace(lane, shared_path=None))

    def set_topology(self, tenant: Tenant, step: Step) -> Tenant:
        dedicated, ses_tenants = parse_topology(step.to or "")
        _refuse_under_way(tenant, tenant.active_lanes)
        if not dedicated and (pooled := sorted({*tenant.pools.values()} - {SHARED_IPS})):
            raise Conflict(pools.in_pools(tenant.slug, pooled), code="in-ip-pool")
        return replace(tenant, dedicated=dedicated, ses_tenants=ses_tenants)

    def set_pool(self, tenant: Tenant, step: Step) -> Tenant:
        class_, name = parse_pool(step.to or "")
        _refuse_under_way(tenant, [lane for lane in tenant.active_lanes if lane.class_ == class_])
        if name != SHARED_IPS:
            pool = self._pools.get(name)
            if pool is None:
                raise Invalid(Fault("to", pools.no_pool(name), "no-such-pool"))
            if pool.marketing != (class_ == Class.MARKETING):
                raise Conflict(
                    pools.other_mail(name, class_.word, marketing=pool.marketing), code="pool-of-other-mail"
                )
            if not tenant.dedicated:
                raise Conflict(pools.needs_own_sets(tenant.slug), code="needs-own-sets")
            if class_ not in tenant.classes:
                raise Invalid(Fault("to", pools.no_such_mail(tenant.slug, class_.word), "no-such-lane"))
        return replace(tenant, pools={**tenant.pools, class_: name})

    def retire_lane(self, tenant: Tenant, step: Step) -> Tenant:
        return _with_lane(tenant, replace(_lane_of(tenant, step.type), retired=True))

    def unretire_lane(self, tenant: Tenant, step: Step) -> Tenant:
        lane = tenant.lanes.get(step.type or "") or _lane_of(tenant, step.type)
        _domain_of(tenant, lane.domain)
        return _with_lane(tenant, replace(lane, retired=False))

    def retire_domain(self, tenant: Tenant, step: Step) -> Tenant:
        return _with_domain(tenant, replace(_domain_of(tenant, step.domain), retired=True))

    def free_domain(self, tenant: Tenant, step: Step) -> Tenant:
        domain = tenant.domains.get(_parsed(step.domain))
        if domain is None or domain.freed:
            raise Invalid(
                Fault("domain", plans.no_domain(tenant.slug, step.domain or ""), "no-such-identity")
            )
        if using := sorted(lane.type for lane in tenant.active_lanes if lane.domain == domain.name):
            raise Conflict(plans.domain_in_use(tenant.slug, domain.name, using), code="domain-in-use")
        self._domains.free(domain.name, tenant.slug)
        return _with_domain(tenant, replace(domain, retired=True, freed=True))

    def unretire_domain(self, tenant: Tenant, step: Step) -> Tenant:
        domain = tenant.domains.get(step.domain or "") or _domain_of(tenant, step.domain)
        if domain.freed:
            raise Conflict(plans.domain_freed(tenant.slug, domain.name), code="domain-freed")
        return _with_domain(tenant, replace(domain, retired=False))

    def retire_tenant(self, tenant: Tenant, step: Step) -> Tenant:
        return replace(tenant, retired=True)

    def unretire_tenant(self, tenant: Tenant, step: Step) -> Tenant:
        return replace(tenant, retired=False)

    def _class_of(self, step: Step) -> Class:
        found = self._types.get(step.type or "")
        if found is None:
            raise Invalid(Fault("type", api.unknown_type(sorted(self._types)), "unknown-type"))
        return found


def _refuse_under_way(tenant: Tenant, lanes: Iterable[Lane]) -> None:
    """What a rollout compares may not change while it does."""
    for lane in lanes:
        if lane.rollout is not None:
            raise Conflict(
                rollouts.changes_under_way(tenant.slug, lane.type, lane.rollout), code="lane-in-rollout"
            )


def _parsed(given: str | None, field: str = "domain") -> str:
    """A domain, which steps have in DNS form."""
    name = parse_field(field, domains.parse, given or "")
    if name != given:
        raise Invalid(Fault(field, plans.not_in_dns_form(name)))
    return name


def _domain_of(tenant: Tenant, name: str | None) -> Domain:
    domain = tenant.domains.get(_parsed(name))
    if domain is None:
        raise Invalid(Fault("domain", plans.no_domain(tenant.slug, name or ""), "no-such-identity"))
    if domain.freed:
        raise Conflict(plans.domain_freed(tenant.slug, domain.name), code="domain-freed")
    if domain.retired:
        raise Conflict(plans.domain_retired(tenant.slug, domain.name), code="domain-retired")
    return domain


def _lane_of(tenant: Tenant, type: str | None) -> Lane:
    lane = tenant.lanes.get(type or "")
    if lane is None:
        raise Invalid(
            Fault(
                "type",
                mail_messages.no_lane_for_type(tenant.slug, type or "", sorted(tenant.lanes)),
                "no-such-lane",
            )
        )
    _domain_of(tenant, lane.domain)
    if lane.retired:
        raise Conflict(plans.lane_retired(tenant.slug, lane.type), code="lane-retired")
    return lane


def _is_retired(tenant: Tenant | None, step: Step) -> bool | None:
    """Whether the lane, domain or tenant of the step is retired by itself. None if there is none."""
    if tenant is None:
        return None
    if step.kind in (StepKind.RETIRE_TENANT, StepKind.UNRETIRE_TENANT):
        return tenant.retired
    one = tenant.lanes.get(step.type) if step.type else tenant.domains.get(step.domain or "")
    return None if one is None or tenant.retired else one.retired


def _with_lane(tenant: Tenant, lane: Lane) -> Tenant:
    return replace(tenant, lanes={**tenant.lanes, lane.type: lane})


def _with_domain(tenant: Tenant, domain: Domain) -> Tenant:
    return replace(tenant, domains={**tenant.domains, domain.name: domain})


#: The fields that each kind of step needs beside the tenant, and those that it may have.
_FIELDS: Mapping[StepKind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    StepKind.ADD_TENANT: ((), ("to",)),
    StepKind.ADD_DOMAIN: (("domain",), ()),
    StepKind.ADD_LANE: (("type", "to"), ()),
    StepKind.SET_MAIL_FROM: (("domain",), ("to",)),
    StepKind.MOVE_LANE: (("type", "to"), ()),
    StepKind.SET_TOPOLOGY: (("to",), ()),
    StepKind.SET_POOL: (("to",), ()),
    StepKind.ADD_PATH: (("type", "to"), ()),
    StepKind.DROP_PATH: (("type",), ()),
    StepKind.RETIRE_LANE: (("type",), ("mail",)),
    StepKind.RETIRE_DOMAIN: (("domain",), ("mail",)),
    StepKind.RETIRE_TENANT: ((), ("mail",)),
    StepKind.FREE_DOMAIN: (("domain",), ()),
    StepKind.UNRETIRE_LANE: (("type",), ()),
    StepKind.UNRETIRE_DOMAIN: (("domain",), ()),
    StepKind.UNRETIRE_TENANT: ((), ()),
}
#: What each kind of step makes of its tenant, or why it cannot.
_CHANGES: Mapping[StepKind, Callable[[_Working, Tenant, Step], Tenant]] = {
    StepKind.ADD_DOMAIN: _Working.add_domain,
    StepKind.SET_MAIL_FROM: _Working.set_mail_from,
    StepKind.ADD_LANE: _Working.add_lane,
    StepKind.MOVE_LANE: _Working.move_lane,
    StepKind.SET_TOPOLOGY: _Working.set_topology,
    StepKind.SET_POOL: _Working.set_pool,
    StepKind.ADD_PATH: _Working.add_path,
    StepKind.DROP_PATH: _Working.drop_path,
    StepKind.RETIRE_LANE: _Working.retire_lane,
    StepKind.UNRETIRE_LANE: _Working.unretire_lane,
    StepKind.RETIRE_DOMAIN: _Working.retire_domain,
    StepKind.FREE_DOMAIN: _Working.free_domain,
    StepKind.UNRETIRE_DOMAIN: _Working.unretire_domain,
    StepKind.RETIRE_TENANT: _Working.retire_tenant,
    StepKind.UNRETIRE_TENANT: _Working.unretire_tenant,
}
