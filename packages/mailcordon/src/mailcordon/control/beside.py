"""Finds what stands beside our resources at SES: tenants, identities and configuration sets that are not ours, and what they use.

SES's lists are read in a rolling round, page by page, in the scan's share of the calls. They also tell, 100 tenants a page, the
policy and the status of ours, so that those are not read one by one. A management event about something that is not ours makes it
looked at at once. What is not ours is only ever detached or deleted by a plan that a person applied.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from mailcordon.control import ses_members
from mailcordon.control.administration import Administration, SesError, Whole
from mailcordon.control.desired import Json, Kind, Resource, parse_kind
from mailcordon.control.difference import Found, Owner
from mailcordon.control.plan import DISASSOCIATE, Change
from mailcordon.control.resources import Resources
from mailcordon.control.work import Work
from mailcordon.core.drift import Drift

#: What findings belong to: a list, or one tenant that is not ours.
_LIST, _TENANT = "list", "other-tenant"
MEMBER = "member"  #: of SES's answers, in place of a kind
LOOKS = frozenset({_LIST, _TENANT})
#: Findings of one kind about things that nothing of ours uses. An account can have thousands of them.
MOST_OF_A_KIND = 100
#: A policy that a list has shown to be right is not read by itself for this long.
LIST_COVERS_SECONDS = 86_400.0
#: SES tenants that are not ours of which one round reads what they use, a call each: those that were read longest ago. A round
#: with a call for each of thousands would keep the lists waiting for hours.
MOST_READ = 20
#: Things looked at because of management events in one run. What more there is about things that nothing of ours uses is left to
#: the lists.
MOST_HINTED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """Something at SES that is not ours."""

    kind: Kind
    name: str
    whole: Whole


class BesideStore(Protocol):
    async def want_account(self, cell: str) -> None:
        """Makes the account itself a resource that is watched."""
        ...

    async def strangers(self, kind: Kind, names: Sequence[str]) -> list[str]:
        """Those of these names that are not ours."""
        ...

    async def keep(
        self, kind: Kind, found: Sequence[Stranger], *, listed: Sequence[str] | None = None
    ) -> None:
        """Stores them with the time. `listed`: every name that there is; what is stored and not among them is gone."""
        ...

    async def known_strangers(self, kind: Kind) -> list[str]:
        """The names of what is stored, the one first that was read longest ago."""
        ...

    async def new_members(self) -> Mapping[str, str]:
        """Members of SES's answers that were seen and not known then, `KIND MEMBER`, each with a resource that has it."""
        ...

    async def forget_members(self, known: Sequence[str]) -> None: ...

    async def domains_near(self, above: Sequence[str], domains: Sequence[str]) -> Mapping[str, Owner]:
        """Our domains that are `above`, or below one of `domains`."""
        ...

    async def accepted(self) -> Set[tuple[str, str]]:
        """Kind and name of what a person has accepted."""
        ...

    async def owners(self, resources: Sequence[str]) -> Mapping[str, Owner]:
        """The owners of those of these (identity/NAME, configuration-set/NAME) that are ours."""
        ...

    async def see(
        self,
        look: tuple[str, str],
        found: Sequence[Found],
        *,
        only: str | None = None,
        most: int | None = None,
    ) -> None:
        """Records the findings of one look, and ends those that it does not find any more: of the resource `only`, or all. Opens
        none of a kind of which `most` are open."""
        ...

    async def entities(self, policies: Mapping[str, Whole], *, again_in: float) -> None:
        """Reputation entities by tenant: what is as recorded counts as read; what differs becomes due."""
        ...

    async def statuses(self, statuses: Mapping[str, str]) -> None:
        """Sending statuses by tenant: what differs from what is recorded becomes due."""
        ...

    async def hinted(
        self, after: int | None, most: int, *, concerns_us: bool
    ) -> tuple[int, list[tuple[str, str]]]:
        """Kinds and names that management events since then named and that are not ours: those that use what is ours, or the
        others. Also the id to continue after, which None asks for."""
        ...

    async def approved(self) -> list[Change]:
        """Changes of what is not ours, in plans that a person applied."""
        ...

    async def recorded(self, change: Change, error: str | None) -> None:
        """What became of such a change."""
        ...

    async def tenant_arn(self, key: str) -> str | None: ...

    async def attribute(self) -> None:
        """Names who made what was found, where an event came later."""
        ...


class Beside:
    def __init__(self, store: BesideStore, ses: Administration, *, cell: str, recheck: float) -> None:
        """`recheck`: seconds until a policy that a list has shown to be right would be read by itself."""
        self._store = store
        self._cell = cell
        self._ses = ses.doing(Work.SCAN, None)
        self._urgent = ses.doing(Work.URGENT, None)
        self._recheck = recheck
        #: The last management events that were looked at: of those that concern what is ours, and of the others.
        self._after: int | None = None
        self._after_others: int | None = None

    async def round(self) -> None:
        """Reads every list once. Raises SesError at the end, if SES refuses one of them."""
        await self._store.want_account(self._cell)
        await self._members()
        refused: SesError | None = None
        for read in (self._tenants, self._entities, self._identities, self._sets):
            try:
                await read()
            except SesError as error:
                refused = refused or error
        if refused is not None:
            raise refused

    async def follow_hints(self) -> int:
        """Looks at SES tenants that are not ours and that management events associated with what is ours. Returns at how many.
        Raises SesError."""
        self._after, named = await self._store.hinted(self._after, MOST_HINTED, concerns_us=True)
        for _, name in named:
            await self._look_at_tenant(name, self._urgent)
        await self._store.attribute()
        return len(named)

    async def follow_other_hints(self) -> int:
        """Looks at what else management events named and is not ours, in the scan's share: other users of the account may call
        SES all the time. Returns at how many things. Raises SesError."""
        self._after_others, named = await self._store.hinted(
            self._after_others, MOST_HINTED, concerns_us=False
        )
        for kind, name in named:
            match kind:
                case "association" | "tenant":
                    await self._look_at_tenant(name, self._ses)
                case "identity":
                    found = await self._ses.get_identity(name)
                    await self._see_identities([name] if found else [], only=name)
                case _:
                    found = await self._ses.get_configuration_set(name)
                    await self._see_sets([name] if found else [], only=name)
        return len(named)

    async def carry_out(self) -> int:
        """Makes the changes of applied plans that are about what is not ours. Returns how many were made."""
        calls = Resources(self._urgent, self._store.tenant_arn)
        made = 0
        for change in await self._store.approved():
            try:
                await calls.apply(change, None)
            except SesError as error:
                await self._store.recorded(change, str(error))
                continue
            made += 1
            await self._store.recorded(change, None)
            if change.resource.kind == Kind.ASSOCIATION:
                await self._look_at_tenant(change.resource.name, self._urgent)
        return made

    async def _members(self) -> None:
        """Members of SES's answers that this version does not know (control/ses_members.py): one finding each."""
        seen = await self._store.new_members()
        known = [
            name for name in seen if ses_members.knows(parse_kind(name.split(" ")[0]), name.split(" ")[1])
        ]
        await self._store.forget_members(known)
        found: list[Found] = []
        for name in sorted(set(seen) - set(known)):
            kind, _, member = name.partition(" ")
            detail: dict[str, Json] = {"kind": kind, "member": member, "example": seen[name]}
            found.append(Found(kind=Drift.NEW_MEMBER, resource_kind=MEMBER, resource=name, detail=detail))
        unaccepted = await self._unaccepted(found)
        await self._store.see((_LIST, MEMBER), unaccepted, most=MOST_OF_A_KIND)

    # Tenants ------------------------------------------------------------------------------------------------------------

    async def _tenants(self) -> None:
        listed = {str(each["TenantName"]): each for each in await self._ses.tenants()}
        await self._store.statuses({name: str(each.get("SendingStatus")) for name, each in listed.items()})
        names = await self._store.strangers(Kind.TENANT, sorted(listed))
        known = await self._store.known_strangers(Kind.TENANT)
        for gone in sorted(set(known) - set(names)):
            await self._store.see((_TENANT, gone), [])
        strangers: list[Stranger] = []
        for name in to_read(names, known, MOST_READ):
            resources = await self._see_tenant(name, self._ses)
            if resources is None:  # it was deleted since it was listed
                names.remove(name)
                continue
            whole = {**listed[name], "resources": resources}
            strangers.append(Stranger(kind=Kind.TENANT, name=name, whole=whole))
        await self._store.keep(Kind.TENANT, strangers, listed=names)
        await self._see(Kind.TENANT, [_extra(Drift.EXTRA_TENANT, Kind.TENANT, name) for name in names])

    async def _entities(self) -> None:
        entities = await self._ses.entities()
        by_name = {_tenant_of(str(each.get("ReputationEntityReference"))): each for each in entities}
        await self._store.entities(by_name, again_in=self._recheck)

    async def _look_at_tenant(self, name: str, ses: Administration) -> None:
        """One tenant that a management event named, or that was changed."""
        if not await self._store.strangers(Kind.TENANT, [name]):
            await self._store.see((_TENANT, name), [])
            await self._see(Kind.TENANT, [], only=name)
            return
        whole = await ses.get_tenant(name)
        resources = None if whole is None else await self._see_tenant(name, ses)
        if whole is None or resources is None:
            await self._store.see((_TENANT, name), [])
            await self._see(Kind.TENANT, [], only=name)
            return
        stranger = Stranger(kind=Kind.TENANT, name=name, whole={**whole, "resources": resources})
        await self._store.keep(Kind.TENANT, [stranger])
        await self._see(Kind.TENANT, [_extra(Drift.EXTRA_TENANT, Kind.TENANT, name)], only=name)

    async def _see_tenant(self, name: str, ses: Administration) -> list[str] | None:
        """What a tenant that is not ours uses; None if it does not exist. What of it is ours is a finding."""
        arns = await ses.get_associations(name)
        resources = sorted(arn.split(":", 5)[-1] for arn in arns or ())
        found: list[Found] = []
        for resource, owner in sorted((await self._store.owners(resources)).items()):
            kind, _, own = resource.partition("/")
            of = Resource(Kind.ASSOCIATION, name, {"resources": []})
            found.append(
                Found(
                    kind=Drift.FOREIGN_ASSOCIATION,
                    resource_kind=kind,
                    resource=own,
                    member=name,
                    tenant=owner.tenant,
                    detail={"ses_tenant": name, "resource": own, "owner": owner.slug or "Mailcordon"},
                    repair=(Change(of, DISASSOCIATE, resource),),
                )
            )
        await self._store.see((_TENANT, name), await self._unaccepted(found))
        return None if arns is None else resources

    # Identities and sets ------------------------------------------------------------------------------------------------

    async def _identities(self) -> None:
        listed = {str(each["IdentityName"]): each for each in await self._ses.identities()}
        names = await self._store.strangers(Kind.IDENTITY, sorted(listed))
        strangers = [Stranger(kind=Kind.IDENTITY, name=name, whole=listed[name]) for name in names]
        await self._store.keep(Kind.IDENTITY, strangers, listed=names)
        await self._see_identities(names)

    async def _see_identities(self, names: Sequence[str], *, only: str | None = None) -> None:
        if only is not None:
            names = await self._store.strangers(Kind.IDENTITY, names)
        domains = {name: _domain(name) for name in names}
        near = await self._store.domains_near(parents(domains.values()), list(set(domains.values())))
        below = {above: ours for ours in sorted(near, reverse=True) for above in parents([ours])}
        close: list[Found] = []
        far: list[Found] = []
        for name in names:
            above = (each for each in parents([domains[name]]) if each in near)
            domain = next(above, below.get(domains[name]))
            if domain is None:
                far.append(_extra(Drift.EXTRA_IDENTITY, Kind.IDENTITY, name))
                continue
            close.append(
                Found(
                    kind=Drift.NEARBY_IDENTITY,
                    resource_kind=Kind.IDENTITY.word,
                    resource=name,
                    member=domain,
                    tenant=near[domain].tenant,
                    detail={"name": name, "domain": domain},
                )
            )
        await self._see(Kind.IDENTITY, [*close, *far], only=only)

    async def _sets(self) -> None:
        names = await self._store.strangers(Kind.CONFIGURATION_SET, await self._ses.configuration_sets())
        strangers = [
            Stranger(kind=Kind.CONFIGURATION_SET, name=name, whole={"ConfigurationSetName": name})
            for name in names
        ]
        await self._store.keep(Kind.CONFIGURATION_SET, strangers, listed=names)
        await self._see_sets(names)

    async def _see_sets(self, names: Sequence[str], *, only: str | None = None) -> None:
        if only is not None:
            names = await self._store.strangers(Kind.CONFIGURATION_SET, names)
        found = [_extra(Drift.EXTRA_SET, Kind.CONFIGURATION_SET, name) for name in names]
        await self._see(Kind.CONFIGURATION_SET, found, only=only)

    async def _see(self, kind: Kind, found: Sequence[Found], *, only: str | None = None) -> None:
        """`only`: the one that was looked at, if it was not the whole list."""
        await self._store.see(
            (_LIST, kind.word), await self._unaccepted(found), only=only, most=MOST_OF_A_KIND
        )

    async def _unaccepted(self, found: Sequence[Found]) -> list[Found]:
        accepted: Set[tuple[str, str]] = await self._store.accepted() if found else frozenset()
        return [
            each
            for each in found
            if (each.resource_kind, acceptance(each.kind, each.resource, each.member)) not in accepted
        ]


def to_read(names: Sequence[str], known: Sequence[str], most: int) -> list[str]:
    """Which of these are read now: new ones, and those of `known` that were read longest ago. Each kind has half of the places
    if both need more, so that neither keeps the other waiting."""
    there = set(names)
    new = [name for name in names if name not in set(known)]
    old = [name for name in known if name in there]
    of_new = max(most // 2, most - len(old))
    return [*new[:of_new], *old[: most - min(len(new), of_new)]]


def acceptance(kind: Drift, resource: str, member: str) -> str:
    """The name under which a person accepts something that is not ours."""
    concerns_us = kind in (Drift.FOREIGN_ASSOCIATION, Drift.NEARBY_IDENTITY)
    return f"{resource} {member}" if concerns_us else resource


def _extra(kind: Drift, of: Kind, name: str) -> Found:
    return Found(kind=kind, resource_kind=of.word, resource=name, detail={"name": name})


def _tenant_of(arn: str) -> str:
    """The name in an SES tenant's ARN: ...:tenant/NAME/ID."""
    return arn.split(":", 5)[-1].split("/")[1] if "/" in arn else arn


def _domain(identity: str) -> str:
    return identity.rpartition("@")[2].lower()


def parents(domains: Iterable[str]) -> list[str]:
    """These domains and every domain above them."""
    found: dict[str, None] = {}
    for domain in domains:
        labels = domain.split(".")
        for index in range(len(labels)):
            found.setdefault(".".join(labels[index:]))
    return list(found)
