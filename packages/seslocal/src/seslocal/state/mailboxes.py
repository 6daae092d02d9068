"""Mailboxes: what happens to the mail of a recipient. SES's mailbox simulator comes first, then the mailboxes set through the
admin API, then the world if there is one; any other mail is delivered."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Protocol

from seslocal.state.outcomes import (
    BY_WORLD,
    CLICK,
    DELIVERS,
    DELIVERY,
    OPEN,
    SIMULATOR,
    Plan,
    bounce,
    complaint,
    delay,
)
from seslocal.state.world_state import WorldState

FATES: Final = ("delivers", "bounces", "complains", "defers")


def _plan(fate: str, subtype: str | None) -> Plan:
    match fate:
        case "bounces":
            return (bounce(subtype or "General"),)
        case "complains":
            return (DELIVERY, complaint(subtype or "abuse"))
        case "defers":
            return (delay(subtype or "TransientCommunicationFailure"),)
        case _:
            return DELIVERS


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox with a fate, set through the admin API."""

    fate: str  #: one of FATES
    subtype: str | None = None  #: of the bounce, complaint or delay
    then: str | None = None  #: the fate after a delivery or a delay; a delay ends in a delivery by default
    seconds: float = 0.0  #: until the last outcome: how long it defers, how late it bounces or complains
    delays: int = 1  #: number of DeliveryDelay events in that time
    diagnostic: str | None = None  #: what the receiving host says in its bounces and delays
    opens: int = 0  #: after a delivery, if the mail is tracked
    clicks: int = 0

    @property
    def plan(self) -> Plan:
        plan = _plan(self.fate, self.subtype)
        defers = self.fate == "defers"
        step = self.seconds / self.delays if defers else self.seconds
        if defers:
            plan += (replace(plan[0], after=step),) * (self.delays - 1)
        then = self.then or ("delivers" if defers else None)
        if then and then != "nothing":
            rest = _plan(then, None)
            plan += rest[1:] if plan[-1] == rest[0] else rest
        late = self.delays if defers else len(plan) - 1  # the last outcome
        if step and late < len(plan):
            plan = (*plan[:late], replace(plan[late], after=step), *plan[late + 1 :])
        if self.diagnostic is not None:
            plan = tuple(
                [replace(one, diagnostic=self.diagnostic) if one.diagnostic else one for one in plan]
            )
        kinds = [one.kind for one in plan]
        if (self.opens or self.clicks) and "Delivery" in kinds:
            done = kinds.index("Delivery") + 1
            plan = (*plan[:done], *(OPEN,) * self.opens, *(CLICK,) * self.clicks, *plan[done:])
        return plan


class Provider(Protocol):
    """A source of mailboxes."""

    def receive(self, recipient: str, tenant: str | None, now: float) -> Plan | None:
        """Returns what happens to this mail, or None if it has no such mailbox. `recipient` is in lower case."""
        ...


class Simulator:
    """SES's mailbox simulator. Its bounces and complaints are not added to suppression lists."""

    def receive(self, recipient: str, tenant: str | None, now: float) -> Plan | None:
        local, _, domain = recipient.rpartition("@")
        if domain != SIMULATOR:
            return None
        match local.partition("+")[0]:
            case "bounce":
                return (bounce("General", listed=False),)
            case "complaint":
                return (DELIVERY, complaint("abuse", listed=False))
            case "suppressionlist":
                return (bounce("Suppressed", listed=False),)
            case _:
                return DELIVERS


class Mailboxes:
    """The mailboxes set through the admin API, for one tenant or for all. `*@domain` is every address of a domain, `*@*.domain`
    of its subdomains. An address wins over its domain, and that over the domains above it, the nearest first."""

    def __init__(self) -> None:
        self.by_tenant: dict[str | None, dict[str, Mailbox]] = {}
        self.world: WorldState | None = None  #: what happens to all other mail, if there is a world
        self._providers: tuple[Provider, ...] = (Simulator(), self)

    def plan(self, recipient: str, tenant: str | None, now: float) -> Plan:
        """Returns what happens to a mail. The first provider that has the recipient decides."""
        for provider in self._providers:
            if (plan := provider.receive(recipient, tenant, now)) is not None:
                return plan
        return DELIVERS if self.world is None else BY_WORLD

    def put(self, address: str, tenant: str | None, mailbox: Mailbox) -> None:
        self.by_tenant.setdefault(tenant, {})[address.lower()] = mailbox

    def delete(self, address: str, tenant: str | None) -> bool:
        return self.by_tenant.get(tenant, {}).pop(address.lower(), None) is not None

    def receive(self, recipient: str, tenant: str | None, now: float) -> Plan | None:
        if not self.by_tenant:
            return None
        names = _names(recipient)
        for owner in (tenant, None) if tenant else (None,):
            boxes = self.by_tenant.get(owner)
            if boxes and (name := next((one for one in names if one in boxes), None)):
                return boxes[name].plan
        return None


def _names(recipient: str) -> list[str]:
    """What a mailbox of a recipient can be set as, the narrowest first."""
    domain = recipient.rpartition("@")[2]
    above = (domain[dot.end() :] for dot in re.finditer(r"\.", domain))
    return [recipient, f"*@{domain}", *(f"*@*.{one}" for one in above)]
