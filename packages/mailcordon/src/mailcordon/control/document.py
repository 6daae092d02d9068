"""The document of tenants: what a file, `GET /v1/document` and a plan's request have in them (tenants.schema.json).

A tenant in the document is described whole: its lanes, its domains, whose configuration sets it uses, from which IP pools it
sends. What the document does not name is left alone, unless the plan is asked to retire it (`prune`). Pure: the reader of the
file gives plain values and knows the line of each member by the path that faults name.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast, get_args

from mailcordon.control import claimable
from mailcordon.control.authentication.alignment import Suffixes
from mailcordon.control.platform import SHARED_IPS, Domain, Lane, Platform, SesTenants, Tenant
from mailcordon.control.steps import Step, StepKind, add_tenant, is_mail_from, set_pool, set_topology
from mailcordon.control.steps import complete as complete_steps
from mailcordon.core import domain as domains
from mailcordon.core import names
from mailcordon.core.document_path import path
from mailcordon.core.errors import Conflict, Fault, Invalid, parse_into
from mailcordon.core.priority import Class
from mailcordon.messages import api, plans
from mailcordon.messages import document as document_messages

VERSION: Final = 1
MOST_TENANTS: Final = 20_000  #: of one document; SES allows 10,000 tenants before an increase (ses.md 1.9)
MOST_FAULTS: Final = 100  #: listed; a document can be wrong everywhere
Rules = Callable[[str], claimable.Refusal | None]  #: whether a domain can be claimed at all
_SES_TENANTS: Final = get_args(SesTenants)
_OF_TENANT: Final = ("types", "domains", "dedicated", "ses_tenants", "pools", "retired")
_CLASSES: Final = {each.word: each for each in Class}
_OF_LANE: Final = ("domain", "retired", "shared_path")
_OF_DOMAIN: Final = ("mail_from", "retired")


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSpec:
    domain: str
    retired: bool = False
    shared_path: str | None = None  #: what it has beside its own path


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainSpec:
    mail_from: str | None = None
    retired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSpec:
    """None: as the tenant is; of a new tenant, the default."""

    types: Mapping[str, LaneSpec] = field(default_factory=dict[str, LaneSpec])
    domains: Mapping[str, DomainSpec] = field(default_factory=dict[str, DomainSpec])
    dedicated: bool | None = None
    ses_tenants: SesTenants | None = None
    pools: Mapping[Class, str] | None = None  #: all of them: mail of a class that is not in it is in no pool
    retired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    tenants: Mapping[str, TenantSpec]  #: by slug


def parse(data: object, *, local: bool, suffixes: Suffixes | None = None) -> Document:
    """Reads plain values: mappings, strings and booleans. `local` says whether the local SES is used, which verifies domains that
    are reserved for tests. Without `suffixes` public suffixes are not known, as on the command line, where the server decides.
    Raises Invalid with every fault, up to a bound."""
    faults: list[Fault] = []
    document = _document(data, faults, partial(claimable.refusal, local=local, suffixes=suffixes))
    if faults:
        raise Invalid(*faults[:MOST_FAULTS])
    return document


def of_platform(platform: Platform, slugs: Sequence[str] | None = None) -> dict[str, Any]:
    """The document that describes these tenants, or all, as plain values. `parse` reads it, and `differences` finds none."""
    chosen = sorted(platform.tenants) if slugs is None else slugs
    return {"version": VERSION, "tenants": {slug: _plain_tenant(platform.tenants[slug]) for slug in chosen}}


def _plain_tenant(tenant: Tenant) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    if tenant.dedicated:
        plain["dedicated"] = True
    if tenant.ses_tenants != "one":
        plain["ses_tenants"] = tenant.ses_tenants
    pools = {class_.word: pool for class_, pool in sorted(tenant.pools.items()) if pool != SHARED_IPS}
    if pools:
        plain["pools"] = pools
    if tenant.retired:
        plain["retired"] = True
    told = {name: _plain_domain(each) for name, each in sorted(tenant.domains.items())}
    used = {lane.domain for lane in tenant.lanes.values()}
    if domains_ := {name: each for name, each in told.items() if each or name not in used}:
        plain["domains"] = domains_
    plain["types"] = {name: _plain_lane(lane) for name, lane in sorted(tenant.lanes.items())}
    return plain


def _plain_domain(domain: Domain) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    if domain.mail_from is not None:
        plain["mail_from"] = domain.mail_from
    if domain.retired:
        plain["retired"] = True
    return plain


def _plain_lane(lane: Lane) -> Any:
    plain: dict[str, Any] = {"domain": lane.domain}
    if lane.retired:
        plain["retired"] = True
    if lane.shared_path is not None:
        plain["shared_path"] = lane.shared_path
    return plain if len(plain) > 1 else lane.domain


# Comparing ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Placed:
    """A step, and the member of the document that asks for it."""

    step: Step
    path: str


def steps(document: Document, platform: Platform, *, prune: bool = False) -> list[Placed]:
    """What makes the platform as the document says, in an order that can be applied. With `prune`, what the document does not
    name is retired once its mail has left."""
    found: list[Placed] = []
    for slug, spec in document.tenants.items():
        found += _steps_of_tenant(slug, spec, platform.tenants.get(slug))
    if prune:
        for slug, type in beyond(document, platform):
            kind = StepKind.RETIRE_TENANT if type is None else StepKind.RETIRE_LANE
            where = "tenants" if type is None else path(path("tenants", slug), "types")
            found.append(Placed(Step(kind=kind, tenant=slug, type=type, mail="drain"), where))
    return found


def complete(document: Document, platform: Platform, *, prune: bool = False) -> list[Step]:
    """The completed steps of a document (`steps.complete`). A domain has the MAIL FROM domain that the document says, no other.
    Raises Invalid with each member whose step cannot be applied, up to a bound."""
    placed = steps(document, platform, prune=prune)
    paths = {one.step: one.path for one in placed}
    faults: list[Fault] = []

    def refused(step: Step, problem: Invalid | Conflict) -> None:
        sentence = problem.faults[0].problem if isinstance(problem, Invalid) else str(problem)
        faults.append(Fault(paths[step], sentence, problem.code))

    done = complete_steps(platform, (one.step for one in placed), refused)
    if faults:
        raise Invalid(*faults[:MOST_FAULTS])
    return done


def _steps_of_tenant(slug: str, spec: TenantSpec, tenant: Tenant | None) -> Iterator[Placed]:
    where = path("tenants", slug)
    if spec.retired:
        if tenant is not None and not tenant.retired:
            yield Placed(Step(kind=StepKind.RETIRE_TENANT, tenant=slug, mail="drain"), path(where, "retired"))
        return
    if tenant is None:
        made = add_tenant(slug, dedicated=bool(spec.dedicated), ses_tenants=spec.ses_tenants or "one")
        yield Placed(made, where)
        tenant = Tenant(slug=slug, key="")
    else:
        if tenant.retired:
            yield Placed(Step(kind=StepKind.UNRETIRE_TENANT, tenant=slug), where)
        yield from _steps_out_of_pools(spec, tenant, path(where, "pools"))  # before its own sets go
        dedicated = tenant.dedicated if spec.dedicated is None else spec.dedicated
        ses_tenants = spec.ses_tenants or tenant.ses_tenants
        if (dedicated, ses_tenants) != (tenant.dedicated, tenant.ses_tenants):
            member = "dedicated" if dedicated != tenant.dedicated else "ses_tenants"
            changed = set_topology(slug, dedicated=dedicated, ses_tenants=ses_tenants)
            yield Placed(changed, path(where, member))
    yield from _steps_of_domains(spec, tenant, path(where, "domains"))
    yield from _steps_of_lanes(spec, tenant, path(where, "types"))
    yield from _steps_into_pools(spec, tenant, path(where, "pools"))
    for name, domain in spec.domains.items():  # at the end, when no lane uses it any more
        if domain.retired and (has := tenant.domains.get(name)) is not None and not has.retired:
            step = Step(kind=StepKind.RETIRE_DOMAIN, tenant=slug, domain=name)
            yield Placed(step, path(path(where, "domains"), name))


def _steps_of_domains(spec: TenantSpec, tenant: Tenant, where: str) -> Iterator[Placed]:
    for name, domain in spec.domains.items():
        has, own = tenant.domains.get(name), path(where, name)
        if domain.retired:
            continue
        has = None if has is not None and has.freed else has
        if has is None:
            yield Placed(Step(kind=StepKind.ADD_DOMAIN, tenant=tenant.slug, domain=name), own)
        elif has.retired:
            yield Placed(Step(kind=StepKind.UNRETIRE_DOMAIN, tenant=tenant.slug, domain=name), own)
        if domain.mail_from != (has.mail_from if has is not None else None):
            step = Step(kind=StepKind.SET_MAIL_FROM, tenant=tenant.slug, domain=name, to=domain.mail_from)
            yield Placed(step, path(own, "mail_from"))


def _steps_of_lanes(spec: TenantSpec, tenant: Tenant, where: str) -> Iterator[Placed]:
    for type, lane in spec.types.items():
        has, own = tenant.lanes.get(type), path(where, type)
        if has is None:
            if not lane.retired:
                step = Step(kind=StepKind.ADD_LANE, tenant=tenant.slug, type=type, to=lane.domain)
                yield Placed(step, own)
                yield from _steps_of_path(lane, None, tenant.slug, type, own)
            continue
        if lane.retired:
            if not has.retired:
                step = Step(kind=StepKind.RETIRE_LANE, tenant=tenant.slug, type=type, mail="drain")
                yield Placed(step, own)
            continue
        if has.retired:
            yield Placed(Step(kind=StepKind.UNRETIRE_LANE, tenant=tenant.slug, type=type), own)
        if has.domain != lane.domain:
            step = Step(kind=StepKind.MOVE_LANE, tenant=tenant.slug, type=type, to=lane.domain)
            yield Placed(step, own)
        yield from _steps_of_path(lane, has.shared_path, tenant.slug, type, own)


def _steps_out_of_pools(spec: TenantSpec, tenant: Tenant, where: str) -> Iterator[Placed]:
    for class_, pool in sorted(tenant.pools.items()):
        if spec.pools is not None and spec.pools.get(class_, SHARED_IPS) == SHARED_IPS != pool:
            own = path(where, class_.word) if class_ in spec.pools else where
            yield Placed(set_pool(tenant.slug, class_, None), own)


def _steps_into_pools(spec: TenantSpec, tenant: Tenant, where: str) -> Iterator[Placed]:
    for class_, pool in sorted((spec.pools or {}).items()):
        if pool not in (SHARED_IPS, tenant.pools.get(class_)):
            yield Placed(set_pool(tenant.slug, class_, pool), path(where, class_.word))


def _steps_of_path(lane: LaneSpec, has: str | None, slug: str, type: str, where: str) -> Iterator[Placed]:
    if lane.shared_path == has:
        return
    if has is not None:
        yield Placed(Step(kind=StepKind.DROP_PATH, tenant=slug, type=type), where)
    if lane.shared_path is not None:
        step = Step(kind=StepKind.ADD_PATH, tenant=slug, type=type, to=lane.shared_path)
        yield Placed(step, path(where, "shared_path"))


def beyond(document: Document, platform: Platform) -> Iterator[tuple[str, str | None]]:
    """What the platform has and the document does not name, so that it is left alone: tenants, and lanes of named tenants."""
    for slug, tenant in sorted(platform.tenants.items()):
        if tenant.retired:
            continue
        if (spec := document.tenants.get(slug)) is None:
            yield slug, None
            continue
        for type, lane in sorted(tenant.lanes.items()):
            if type not in spec.types and not lane.retired:
                yield slug, type


# Reading -----------------------------------------------------------------------------------------------------------------


def _document(data: object, faults: list[Fault], rules: Rules) -> Document:
    members = _members(data, "", ("version", "tenants"), faults)
    if members is None:
        return Document(tenants={})
    # 1 and true are equal in Python, and so are 1 and 1.0.
    version = members.get("version", VERSION)
    if isinstance(version, bool) or version != VERSION:
        faults.append(Fault("version", document_messages.unknown_document_version(VERSION)))
    if "tenants" not in members:
        faults.append(Fault("tenants", api.field_required(), "missing"))
        return Document(tenants={})
    tenants = _mapping(members["tenants"], "tenants", faults) or {}
    if len(tenants) > MOST_TENANTS:
        faults.append(Fault("tenants", document_messages.too_many_tenants_in_document(MOST_TENANTS)))
        return Document(tenants={})
    read: dict[str, TenantSpec] = {}
    for slug, value in tenants.items():
        where = path("tenants", slug)
        parse_into(faults, where, names.slug, slug)
        read[slug] = _tenant(value, where, faults, rules)
    return Document(tenants=read)


def _tenant(value: object, where: str, faults: list[Fault], rules: Rules) -> TenantSpec:
    members = _members(value, where, _OF_TENANT, faults) or {}
    ses_tenants = members.get("ses_tenants")
    if ses_tenants is not None and ses_tenants not in _SES_TENANTS:
        faults.append(Fault(path(where, "ses_tenants"), api.not_one_of(list(_SES_TENANTS))))
        ses_tenants = None
    lanes: dict[str, LaneSpec] = {}
    in_types = path(where, "types")
    for type, lane in (_mapping(members.get("types", {}), in_types, faults) or {}).items():
        own = path(in_types, type)
        parse_into(faults, own, names.message_type, type)
        if (read := _lane(lane, own, faults, rules)) is not None:
            lanes[type] = read
    told: dict[str, DomainSpec] = {}
    in_domains = path(where, "domains")
    for name, value_ in (_mapping(members.get("domains", {}), in_domains, faults) or {}).items():
        own = path(in_domains, name)
        if (domain := _domain(name, own, faults, rules)) is not None:
            if domain in told:
                faults.append(Fault(own, document_messages.domain_written_twice(domain)))
            told[domain] = _domain_spec(value_, own, domain, faults)
    return TenantSpec(
        types=lanes,
        domains=told,
        dedicated=_flag(members, "dedicated", where, faults),
        ses_tenants=cast("SesTenants | None", ses_tenants),
        pools=_pools(members.get("pools"), path(where, "pools"), faults),
        retired=bool(_flag(members, "retired", where, faults)),
    )


def _pools(value: object, where: str, faults: list[Fault]) -> dict[Class, str] | None:
    members = None if value is None else _members(value, where, list(_CLASSES), faults)
    if members is None:
        return None
    found: dict[Class, str] = {}
    for word, pool in members.items():
        if not isinstance(pool, str):
            faults.append(Fault(path(where, word), document_messages.not_text()))
        elif word in _CLASSES:
            found[_CLASSES[word]] = pool
    return found


def _lane(value: object, where: str, faults: list[Fault], rules: Rules) -> LaneSpec | None:
    """A domain, or a mapping with it."""
    if isinstance(value, str):
        domain = _domain(value, where, faults, rules)
        return LaneSpec(domain=domain) if domain is not None else None
    members = _members(value, where, _OF_LANE, faults, say=document_messages.lane_needs_domain())
    if members is None:
        return None
    retired = _flag(members, "retired", where, faults)
    given = members.get("domain")
    own = path(where, "domain")
    if not isinstance(given, str):
        faults.append(Fault(own, api.field_required(), "missing"))
        return None
    domain = _domain(given, own, faults, rules)
    shared = members.get("shared_path")
    if shared is not None:
        if not isinstance(shared, str):
            faults.append(Fault(path(where, "shared_path"), document_messages.not_text()))
            return None
        parse_into(faults, path(where, "shared_path"), names.slug, shared)
    if domain is None:
        return None
    return LaneSpec(domain=domain, retired=bool(retired), shared_path=shared)


def _domain_spec(value: object, where: str, domain: str, faults: list[Fault]) -> DomainSpec:
    members = _members(value if value is not None else {}, where, _OF_DOMAIN, faults) or {}
    retired = bool(_flag(members, "retired", where, faults))
    given = members.get("mail_from")
    if given is None:
        return DomainSpec(retired=retired)
    own = path(where, "mail_from")
    if not isinstance(given, str):
        faults.append(Fault(own, document_messages.not_text()))
        return DomainSpec(retired=retired)
    mail_from = parse_into(faults, own, domains.parse, given)
    if mail_from is not None and not is_mail_from(mail_from, domain):
        faults.append(Fault(own, plans.mail_from_elsewhere(domain)))
    return DomainSpec(mail_from=mail_from, retired=retired)


def _domain(given: str, where: str, faults: list[Fault], rules: Rules) -> str | None:
    found = parse_into(faults, where, domains.parse, given)
    if found is not None and (refused := rules(found)) is not None:
        faults.append(Fault(where, refused.sentence, refused.code))
        return None
    return found


def _members(
    value: object, where: str, known: Sequence[str], faults: list[Fault], *, say: str | None = None
) -> dict[str, object] | None:
    """A mapping with none but the known members."""
    found = _mapping(value, where, faults, say=say)
    for name in found or {}:
        if name not in known:
            faults.append(
                Fault(path(where, name), document_messages.unknown_member(list(known)), "unknown-field")
            )
    return found


def _mapping(
    value: object, where: str, faults: list[Fault], *, say: str | None = None
) -> dict[str, object] | None:
    if isinstance(value, Mapping) and all(
        isinstance(key, str) for key in cast("Mapping[object, object]", value)
    ):
        return dict(cast("Mapping[str, object]", value))
    faults.append(Fault(where or "document", say or document_messages.not_a_mapping()))
    return None


def _flag(members: Mapping[str, object], name: str, where: str, faults: list[Fault]) -> bool | None:
    value = members.get(name)
    if value is None or isinstance(value, bool):
        return value
    faults.append(Fault(path(where, name), document_messages.not_true_or_false()))
    return None
