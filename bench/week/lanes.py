"""The lanes of a fleet as the guard knows them: which lane and class a mail is of, and which parts of the lane's mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mailcordon.core import provider as providers
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard.breaker.nouns import Dimension, LaneFacts, Slice
from seslocal.fleets.operator import Waiting
from seslocal.fleets.tenants import Sender

#: Codes and receipts: a fleet's mail to a tenant's own customers.
RESET: Final = "password-reset"
NEWS: Final = "newsletter"
#: How long ago the first mail of a lane was that is not new.
KNOWN_MINUTES: Final = 365 * 1440
_NAMED: Final = {
    "gmail": Provider.GMAIL,
    "microsoft": Provider.MICROSOFT,
    "yahoo": Provider.YAHOO,
    "apple": Provider.APPLE,
    "gmx": Provider.GMX,
}


@dataclass(frozen=True, slots=True)
class Lane:
    id: int
    tenant: str
    type: str
    class_: Class
    domain: str
    new: bool  #: no mail of it has left before the week

    @property
    def name(self) -> str:
        return f"{self.tenant}/{self.type}"


class Lanes:
    """`start`: the minute since 1970 at which the week begins."""

    def __init__(self, senders: list[Sender], start: int) -> None:
        self._start = start
        self._tenants = {sender.name: number for number, sender in enumerate(senders, 1)}
        self.every: list[Lane] = []
        self._by_tenant: dict[tuple[str, bool], Lane] = {}
        for sender in senders:
            for bulk, type_, class_ in ((False, RESET, Class.URGENT), (True, NEWS, Class.MARKETING)):
                lane = Lane(len(self.every) + 1, sender.name, type_, class_, sender.domain, sender.new)
                self.every.append(lane)
                self._by_tenant[sender.name, bulk] = lane

    def of(self, mail: Waiting) -> Lane:
        return self._by_tenant[mail.tenant, mail.bulk]

    def by_id(self, lane: int) -> Lane:
        return self.every[lane - 1]

    def facts(self, lane: Lane, sensitivity: float) -> LaneFacts:
        return LaneFacts(
            lane=lane.id,
            tenant=self._tenants[lane.tenant],
            type=lane.type,
            class_=lane.class_,
            sensitivity=sensitivity,
            since=self._start if lane.new else self._start - KNOWN_MINUTES,
            labels=frozenset({"new this week"}) if lane.new else frozenset(),
        )


def list_of(mail: Waiting) -> str | None:
    """The list that a marketing mail's recipient is on: the local part of the address up to its first dot. A code is on none."""
    return mail.recipient.partition("@")[0].partition(".")[0] if mail.bulk else None


def campaign_of(mail: Waiting) -> str | None:
    return mail.campaign if mail.bulk else None


def provider_of(mail: Waiting) -> Provider:
    """As Mailcordon finds it from the domain's name and its MX records."""
    found = _NAMED.get(mail.provider)
    if found is not None:
        return found
    by_name = providers.of(mail.recipient.rpartition("@")[2])
    return by_name if by_name.known else Provider.OTHER


def slices(campaign: str | None, list_: str | None, provider: Provider) -> tuple[Slice, ...]:
    found = [Slice(Dimension.PROVIDER, provider.word)]
    if campaign is not None:
        found.append(Slice(Dimension.CAMPAIGN, campaign))
    if list_ is not None:
        found.append(Slice(Dimension.LIST, list_))
    return tuple(found)
