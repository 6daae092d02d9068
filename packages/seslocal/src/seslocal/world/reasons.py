"""Why a provider decided about a mail as it did, in sentences, and who gave the sender the reputation that it has there."""

from __future__ import annotations

from typing import Final

import msgspec

from seslocal.world.tables import Cell, Tables
from seslocal.world.truth import MailTruth
from seslocal.world.verdict import Verdict
from seslocal.world.world import World

_MOST_TENANTS: Final = 10
_WORDS: Final = {
    "inbox": "accepted it into the inbox",
    "spam": "accepted it into the spam folder",
    "defer": "deferred it",
    "refuse": "refused it",
}
_ENDS: Final = {
    "": "It is under way.",
    "inbox": "It reached the inbox.",
    "spam": "It reached the spam folder, which its sender cannot see.",
    "refused": "It reached nobody.",
    "returned": "It was accepted, came back later, and reached nobody.",
    "expired": "Its sender gave up, and it reached nobody.",
    "suppressed": "It was not attempted.",
}


class Part(msgspec.Struct):
    """What one tenant sent that a provider counts for the same domain or pool."""

    tenant: str
    sent: Cell


class Reputation(msgspec.Struct):
    of: str  #: `domain NAME` or `pool NAME`
    provider: str
    parts: list[Part]  #: the largest senders first, at most 10


class Reason(msgspec.Struct):
    recipient: str
    tenant: str
    ended: str
    said: list[str]
    now: str  #: where such a mail's sender stands with the provider now
    reputations: list[Reputation]


def reason(mail: MailTruth, tables: Tables, world: World) -> Reason:
    envelope = mail.envelope
    said = [_attempt(number, verdict, mail.name) for number, (_, verdict) in enumerate(mail.attempts, 1)]
    said.append(f"It was not attempted: {mail.why}." if mail.why else _ENDS[mail.ended])
    reputations: list[Reputation] = []
    if mail.last is not None:
        provider = mail.last.provider
        reputations = [
            Reputation(
                f"domain {envelope.domain}", provider, _parts(tables, provider, domain=envelope.domain)
            ),
            Reputation(f"pool {envelope.pool}", provider, _parts(tables, provider, pool=envelope.pool)),
        ]
    standing = world.standing(envelope)
    now = f"{standing.why}; {standing.spam:.1%} of its accepted mail goes to spam"
    if standing.defers or standing.refuses:
        now += f", {standing.defers:.1%} of its attempts are deferred and {standing.refuses:.1%} refused"
    return Reason(envelope.recipient, envelope.sender, mail.ended, said, now, reputations)


def _attempt(number: int, verdict: Verdict, name: str) -> str:
    said = f"Attempt {number}: {verdict.provider} {_WORDS[verdict.kind]}"
    if verdict.cause:
        said += f" ({verdict.cause.replace('_', ' ')})"
    if verdict.why:
        said += f", because {verdict.why}"
    return f"{said}. It answered: {verdict.spoken(name)}"


def _parts(
    tables: Tables, provider: str, *, domain: str | None = None, pool: str | None = None
) -> list[Part]:
    sums: dict[str, Cell] = {}
    for place, cell in tables:
        if place.provider == provider and (domain == place.domain or pool == place.pool):
            sums.setdefault(place.tenant, Cell()).add(cell)
    largest = sorted(sums.items(), key=lambda one: (-one[1].mails, one[0]))[:_MOST_TENANTS]
    return [Part(tenant, cell) for tenant, cell in largest]
