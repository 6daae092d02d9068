"""What is known of the mailbox provider of a domain, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mailcordon.control.provider_learning import Known
from mailcordon.core import domain as domains
from mailcordon.core import provider
from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.mailbox_hosts import Found
from mailcordon.core.provider import Provider
from mailcordon.messages import providers as messages

_FOUND = {
    Found.RECORDS: "mx",
    Found.IMPLICIT: "address",
    Found.NULL_MX: "null-mx",
    Found.NO_NAME: "no-name",
    Found.NOTHING: "nothing",
    Found.FAILED: "failed",
}


class ProviderReads(Protocol):
    async def of_domain(self, domain: str) -> tuple[Known | None, bool]:
        """What is known, and whether it is wanted."""
        ...

    async def want(self, domains: Sequence[str]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainView:
    """`source`: name (a domain offered to the public), mx, address, null-mx, no-name, nothing or failed; unknown before the first
    look-up. Times are in milliseconds since 1970."""

    domain: str
    provider: Provider
    kind: str  #: mailbox, hosting, gateway, forwarder or ""
    behind: Provider | None
    source: str
    hosts: tuple[str, ...]
    since: int | None
    learnt_at: int | None
    expires_at: int | None
    sentence: str
    problem: str | None  #: the last look-up failed


class Providers:
    def __init__(self, reads: ProviderReads) -> None:
        self._reads = reads

    async def show(self, domain: str) -> DomainView:
        """Has a domain looked up of which nothing is known. Raises Invalid."""
        try:
            name = domains.parse(domain)
        except ValueError:
            raise Invalid(Fault("domain", messages.domain_invalid())) from None
        public = provider.of(name)
        if public.known:
            return _view(name, public, "name", messages.offered(name, public.word))
        known, wanted = await self._reads.of_domain(name)
        if known is not None:
            return _of(known)
        if not wanted:
            await self._reads.want([name])
        return _view(name, Provider.UNKNOWN, "unknown", messages.is_being_looked_up(name))


def _view(domain: str, whose: Provider, source: str, sentence: str) -> DomainView:
    return DomainView(
        domain=domain,
        provider=whose,
        kind=whose.kind,
        behind=None,
        source=source,
        hosts=(),
        since=None,
        learnt_at=None,
        expires_at=None,
        sentence=sentence,
        problem=None,
    )


def _of(known: Known) -> DomainView:
    failing = known.failures > 0 and known.learnt_at > 0
    return DomainView(
        domain=known.domain,
        provider=known.provider,
        kind=known.provider.kind,
        behind=known.behind,
        source=_FOUND[known.found],
        hosts=known.mx,
        since=known.since if known.learnt_at else None,
        learnt_at=known.learnt_at or None,
        expires_at=known.expires_at,
        sentence=_sentence(known),
        problem=messages.failing_since(known.detail or "", known.failures) if failing else None,
    )


def _sentence(known: Known) -> str:
    match known.found:
        case Found.RECORDS:
            return messages.received_by(
                known.domain,
                known.provider.word,
                list(known.mx),
                behind=None if known.behind is None else known.behind.word,
                gateway=known.provider.kind == "gateway",
            )
        case Found.IMPLICIT:
            return messages.received_by_address(known.domain)
        case Found.NULL_MX:
            return messages.takes_no_mail(known.domain)
        case Found.NO_NAME:
            return messages.no_such_domain(known.domain)
        case Found.NOTHING:
            return messages.nothing_published(known.domain)
        case Found.FAILED:
            return messages.look_up_failed(known.domain, known.detail or "")
