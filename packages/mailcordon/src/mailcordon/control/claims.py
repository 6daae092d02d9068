"""Whose a domain is, and how that is shown.

The tenant that adds a domain holds it by a claim. SES's verification proves the claim, since only its holder is shown the DKIM
records. A claim that nobody proves lapses after some days, and until it is proved another tenant may contend for the domain: both
get a token then, and the one that publishes it has the domain. A proved claim ends by an operator's decision alone. What is said
to a tenant never names the other one.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from mailcordon.control import claimable, dns_records, lookup, steps
from mailcordon.control.authentication.alignment import Suffixes
from mailcordon.control.authentication.lookup import Answer, Lookup
from mailcordon.control.desired import Json
from mailcordon.control.difference import Found
from mailcordon.control.dns_records import Record
from mailcordon.control.plans import Plan, Plans, Transaction
from mailcordon.control.steps import Step, StepKind
from mailcordon.core import domain as domains
from mailcordon.core import look_alikes, names
from mailcordon.core.drift import Drift
from mailcordon.core.errors import Conflict, Fault, Invalid, parse_field
from mailcordon.messages import api
from mailcordon.messages import identities as words

Proof = Literal["ses", "txt", "parent", "operator"]
CONTROL = "control"  #: the actor of what nobody asked for
LAPSE_DAYS = 14
_AT_ONCE = 20  #: claims of one round
_MOST_LOOK_ALIKES = 200  #: findings that are open at a time
_LOOK_AGAIN_SECONDS = 10.0  #: the least time between two looks for one claim, whoever asks


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    id: int
    domain: str
    tenant: str  #: slug
    holds: bool  #: False: another tenant has the domain, and this one contends for it
    token: str
    claimed_at: datetime
    claimed_by: str
    contended_at: datetime | None = None  #: another tenant contends since then
    looked_at: datetime | None = None
    looked: str | None = None  #: what the DNS said then
    proved_at: datetime | None = None
    proof: Proof | None = None
    ended_at: datetime | None = None
    ended_because: str | None = None

    @property
    def record(self) -> Record | None:
        """What has to be published, if anything: only one of two tenants can publish it."""
        if self.proof is not None or self.ended_at is not None:
            return None
        return dns_records.claim(self.domain, self.token) if self.contended or not self.holds else None

    @property
    def contended(self) -> bool:
        return self.contended_at is not None

    def lapses_at(self, days: int) -> datetime | None:
        """None for a holder that is contended too: it may be verified, and the contender's claim lapses first."""
        if self.proof is not None or self.ended_at is not None or self.contended:
            return None
        return self.claimed_at + timedelta(days=days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A tenant that has a domain which is equal to another, above or below it."""

    claim: int
    tenant: str
    domain: str
    proved: bool
    verified: bool  #: by SES
    retired: bool  #: the domain or its tenant is retired: no lane uses it

    def keeps(self, name: str) -> bool:
        """Whether a token that is shown for `name` does not take the domain.

        Whoever runs a zone that is delegated below a verified domain controls none of the domain's own records.
        """
        return self.proved or (self.verified and self.domain != name and domains.covers(self.domain, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedParent:
    domain: str
    since: datetime
    by: str
    because: str
    tenants: int  #: that have a domain below it


class ClaimTransaction(Transaction, Protocol):
    """One transaction on the desired state and on claims."""

    async def now(self) -> datetime: ...

    async def tenant_exists(self, slug: str) -> bool: ...

    async def prove_verified(self) -> None:
        """Proves the claims of domains that SES has verified, unless another tenant contends for them."""
        ...

    async def open_claim(self, slug: str, domain: str) -> Claim | None: ...

    async def claim(self, id: int) -> Claim | None: ...

    async def holders(self, domain: str) -> list[Holder]: ...

    async def contend(self, slug: str, domain: str, token: str, *, actor: str) -> None:
        """Adds a claim beside those of the holders, and says to them that they have to show theirs."""
        ...

    async def looked(self, id: int, said: str, *, again_at: datetime) -> None: ...

    async def prove(self, id: int, proof: Proof, *, actor: str) -> None: ...

    async def end(self, id: int, because: str, *, actor: str) -> None:
        """Ends a claim without a domain. A holder that nobody contends with any more does not need its token."""
        ...

    async def end_rivals(self, domain: str, but: int, because: str, *, actor: str) -> None:
        """Ends the claims of others to this domain, and to those above and below it, that hold nothing."""
        ...

    async def share(self, domain: str, *, actor: str, because: str) -> None: ...

    async def unshare(self, domain: str, *, actor: str, because: str) -> bool:
        """What it proved is not proved any more, and may be by SES."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """A domain and whose it is."""

    domain: str
    tenant: str  #: slug
    since: datetime


class ClaimStore(Protocol):
    async def revision(self) -> int:
        """Changes whenever the desired state does."""
        ...

    async def owned(self) -> list[Owned]:
        """All domains, in the order in which they came."""
        ...

    async def found_look_alikes(self, found: Sequence[Found]) -> None:
        """Opens findings of these, and ends those of others."""
        ...

    def changing(self) -> AbstractAsyncContextManager[ClaimTransaction]: ...

    async def claims(
        self, tenant: int | None, *, as_tenant: bool, after: int, limit: int, ended: bool
    ) -> list[Claim]: ...

    async def provable(self) -> bool:
        """Whether SES has verified a domain whose claim is not proved and that nobody contends for."""
        ...

    async def lapsed(self, claimed_before: datetime, limit: int) -> list[int]:
        """Unproved claims that nobody contends with, the oldest first."""
        ...

    async def to_look(self, limit: int) -> list[Claim]:
        """Claims whose token the DNS is asked for, and is due."""
        ...

    async def now(self) -> datetime: ...

    async def shared_parents(self) -> list[SharedParent]: ...


class Claims:
    def __init__(
        self,
        store: ClaimStore,
        plans: Plans,
        dns: Callable[[], Lookup],
        *,
        lapse_days: int = LAPSE_DAYS,
        look_seconds: float = 60.0,
    ) -> None:
        """`dns` gives a look-up that asks the zones' own servers, for one check. `look_seconds`: between two looks for a token
        at first; later a tenth of the claim's age, at most an hour."""
        self._store = store
        self._plans = plans
        self._dns = dns
        self.lapse_days = lapse_days
        self._look_seconds = look_seconds
        self._compared = -1  #: the revision at which all domains were compared with each other

    async def claim(self, slug: str, domain: str, *, actor: str, because: str | None = None) -> Claim:
        """Adds a free domain to the tenant. If another tenant has it and has not proved it, contends for it; asked again, looks
        for the token. Raises NotFound, or Invalid, which never names another tenant."""
        name = self._claimable(domain)
        aligned: list[int] = []
        async with self._store.changing() as transaction:
            if not (names.is_slug(slug) and await transaction.tenant_exists(slug)):
                raise lookup.no_tenant(slug)
            await transaction.prove_verified()
            found, is_new = await transaction.open_claim(slug, name), False
            if found is None or not found.holds:
                others = [each for each in await transaction.holders(name) if each.tenant != slug]
                if not others:  # free, perhaps since the tenant contended
                    added = steps.add_domain(slug, name, self._plans.settings.mail_from_label)
                    aligned = await self._plans.carry_out(transaction, added, actor=actor, because=because)
                    is_new = True
                elif found is None:
                    if any(each.keeps(name) for each in others):
                        raise Invalid(Fault("domain", api.domain_taken(name), "domain-taken"))
                    await self._may_add(transaction, slug, name, others)
                    await transaction.contend(slug, name, secrets.token_urlsafe(24), actor=actor)
                    is_new = True
            if is_new:
                found = await transaction.open_claim(slug, name)
            assert found is not None
            now = await transaction.now()
        await self._plans.align(aligned)
        if is_new or found.record is None:
            return found
        if found.looked_at is not None and now - found.looked_at < timedelta(seconds=_LOOK_AGAIN_SECONDS):
            return found
        return await self._look(found, actor=actor)

    async def _may_add(
        self, transaction: ClaimTransaction, slug: str, domain: str, others: Sequence[Holder]
    ) -> None:
        """Raises what the steps would raise that take the domain from the others."""
        asked = [*_freeing(others), *steps.add_domain(slug, domain)]
        platform = await transaction.platform(steps.tenants_of(asked), steps.domains_of(asked))
        steps.complete(platform, asked)

    def _claimable(self, domain: str) -> str:
        name = parse_field("domain", domains.parse, domain)
        settings, suffixes = self._plans.settings, self._plans.suffixes
        if (refused := claimable.refusal(name, local=settings.local, suffixes=suffixes)) is not None:
            raise Invalid(Fault("domain", refused.sentence, refused.code))
        return name

    async def advance(self) -> None:
        """What time brings: claims that SES has proved, that have lapsed, and tokens that may be in the DNS by now."""
        if await self._store.provable():  # the lock of the desired state is taken only for a reason
            async with self._store.changing() as transaction:
                await transaction.prove_verified()
        now = await self._store.now()
        for id in await self._store.lapsed(now - timedelta(days=self.lapse_days), _AT_ONCE):
            await self._lapse(id)
        for claim in await self._store.to_look(_AT_ONCE):
            await self._look(claim, actor=CONTROL)
        if (revision := await self._store.revision()) != self._compared:
            found = await asyncio.to_thread(read_alike, await self._store.owned(), self._plans.suffixes)
            await self._store.found_look_alikes(found)
            self._compared = revision

    async def _lapse(self, id: int) -> None:
        aligned: list[int] = []
        async with self._store.changing() as transaction:
            await transaction.prove_verified()
            claim = await transaction.claim(id)
            if claim is None or claim.lapses_at(self.lapse_days) is None:
                return
            because = words.claim_lapsed(claim.domain, self.lapse_days)
            if not claim.holds:
                await transaction.end(id, because, actor=CONTROL)
                return
            mine = [each for each in await transaction.holders(claim.domain) if each.claim == id]
            aligned = await self._plans.carry_out(transaction, _freeing(mine), actor=CONTROL, because=because)
        await self._plans.align(aligned)

    async def _look(self, claim: Claim, *, actor: str) -> Claim:
        """Asks the DNS for the token, and settles the claim by what it says."""
        answer = await self._dns().find(dns_records.claim_name(claim.domain), "TXT")
        is_there, said = judge(answer, claim.token)
        aligned: list[int] = []
        async with self._store.changing() as transaction:
            now = await transaction.now()
            current = await transaction.claim(claim.id)
            if current is None or current.record is None:
                return current or claim
            wait = max(self._look_seconds, (now - current.claimed_at).total_seconds() / 10)
            await transaction.looked(claim.id, said, again_at=now + timedelta(seconds=min(wait, 3600.0)))
            if is_there:
                aligned = await self._settle(transaction, current, actor=actor)
            after = await transaction.claim(claim.id)
        await self._plans.align(aligned)
        return after or claim

    async def _settle(self, transaction: ClaimTransaction, claim: Claim, *, actor: str) -> list[int]:
        """The domain is the claimant's, unless another tenant has proved one that is equal, above or below, or SES has verified
        one above."""
        await transaction.prove_verified()
        others = [each for each in await transaction.holders(claim.domain) if each.tenant != claim.tenant]
        if any(each.keeps(claim.domain) for each in others):
            await transaction.end(claim.id, words.claim_lost(claim.domain), actor=actor)
            return []
        because = words.claim_proved(claim.domain)
        aligned: list[int] = []
        if not claim.holds:
            label = self._plans.settings.mail_from_label
            asked = [*_freeing(others), *steps.add_domain(claim.tenant, claim.domain, label)]
            aligned = await self._plans.carry_out(transaction, asked, actor=actor, because=because)
        await transaction.prove(claim.id, "txt", actor=actor)
        await transaction.end_rivals(claim.domain, claim.id, words.claim_lost(claim.domain), actor=actor)
        return aligned

    async def transfer(
        self, domain: str, *, of: str, to: str, mail_from: str | None, actor: str, because: str
    ) -> Plan:
        """A plan that moves a domain from one tenant to another. Raises Conflict while lanes use it, NotFound or Invalid."""
        if of == to:
            raise Conflict(words.is_theirs(domain, to), code="nothing-to-do")
        asked = [
            Step(kind=StepKind.FREE_DOMAIN, tenant=of, domain=domain),
            *steps.add_domain(to, domain),
        ]
        if mail_from is not None:
            asked.append(Step(kind=StepKind.SET_MAIL_FROM, tenant=to, domain=domain, to=mail_from))
        return await self._plans.make(asked, actor=actor, because=because)

    async def list(
        self, tenant: int | None, *, as_tenant: bool, after: int, limit: int, ended: bool
    ) -> Sequence[Claim]:
        return await self._store.claims(tenant, as_tenant=as_tenant, after=after, limit=limit, ended=ended)

    async def shared_parents(self) -> Sequence[SharedParent]:
        return await self._store.shared_parents()

    async def share(self, domain: str, *, actor: str, because: str) -> None:
        """Lets tenants send from names below a domain of the platform. Raises Invalid, or Conflict if a tenant has the domain."""
        name = self._claimable(domain)
        async with self._store.changing() as transaction:
            for each in await transaction.holders(name):
                if domains.covers(each.domain, name):
                    raise Conflict(words.tenant_has(each.domain, each.tenant), code="domain-taken")
            await transaction.share(name, actor=actor, because=because)

    async def unshare(self, domain: str, *, actor: str, because: str) -> None:
        """Raises NotFound, or Conflict while several tenants have names below it."""
        name = parse_field("domain", domains.parse, domain)
        async with self._store.changing() as transaction:
            below = [each for each in await transaction.holders(name) if domains.covers(name, each.domain)]
            if not await transaction.unshare(name, actor=actor, because=because):
                raise lookup.no_shared_parent(name)
            if len({each.tenant for each in below}) > 1:
                raise Conflict(
                    words.still_used_below(name, [each.domain for each in below[:3]], len(below)),
                    code="domain-in-use",
                )


def read_alike(owned: Sequence[Owned], suffixes: Suffixes | None) -> list[Found]:
    """Domains that read like one that another tenant had before. Registrable domains are compared: who has one has all names
    below it. `owned` is in the order in which they came."""
    first: dict[str, tuple[str, Owned]] = {}
    found: dict[tuple[str, str], Found] = {}
    for each in owned:
        registrable = (suffixes.registrable(each.domain) if suffixes is not None else None) or each.domain
        name, before = first.setdefault(look_alikes.skeleton(registrable), (registrable, each))
        if name == registrable or before.tenant == each.tenant:
            continue
        detail: dict[str, Json] = {
            "domain": each.domain,
            "shown": look_alikes.shown(each.domain),
            "slug": each.tenant,
            "other": before.domain,
            "others_slug": before.tenant,
        }
        one = Found(
            kind=Drift.LOOK_ALIKE,
            resource_kind="identity",
            resource=each.domain,
            member=before.domain,
            detail=detail,
        )
        found[each.domain, before.domain] = one
        if len(found) >= _MOST_LOOK_ALIKES:
            break
    return list(found.values())


def judge(answer: Answer, token: str) -> tuple[bool, str]:
    """Whether the DNS shows the token, and what it says, in words. Only the zone's own name servers count: a cache may be wrong
    for days, and another's resolver for ever."""
    wanted = dns_records.claim_value(token)
    if not answer.known:
        return False, words.claim_not_known(answer.name, answer.detail)
    if not any(text.strip() == wanted for text in answer.records):
        return False, words.claim_not_published(answer.name)
    if not answer.authoritative:
        return False, words.claim_not_authoritative(answer.name)
    return True, words.claim_published(answer.name)


def _freeing(holders: Sequence[Holder]) -> list[Step]:
    """The steps that take domains from their holders. Mail that has not left is cancelled."""
    done: list[Step] = []
    for each in holders:
        if not each.retired:
            done.append(
                Step(kind=StepKind.RETIRE_DOMAIN, tenant=each.tenant, domain=each.domain, mail="cancel")
            )
        done.append(Step(kind=StepKind.FREE_DOMAIN, tenant=each.tenant, domain=each.domain))
    return done
