"""Injected faults: what goes wrong, how often and for whom. This module only decides whether a fault applies; the code
that responds, publishes or closes connections asks it and acts. A fault with a count is used up; one without stays until
it is removed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from seslocal.state.name_faults import NameFaults
from seslocal.state.scenario import Step

# In order of precedence; at most one of a group applies.
_RESPONSES: Final = (
    "throttle",
    "throttle_storm",
    "refuse",
    "error_500",
    "error_503",
    "time_out",
    "accept_lose_answer",
)
_ON_DELIVERY: Final = ("drop_events", "reorder_events", "delay_events")
ON_CALLS: Final = (*_RESPONSES, "slow")
ON_EVENTS: Final = (*_ON_DELIVERY, "double_events", "untagged_events")
ON_MANAGEMENT_EVENTS: Final = ("drop_management_events", "delay_management_events")
#: faults that are a state of the account while they are active
STATES: Final = ("quota_gone", "tenant_paused", "account_under_review", "clock_skew")
KINDS: Final = (
    *ON_CALLS,
    "entry_fails",
    "close_idle",
    *ON_EVENTS,
    *ON_MANAGEMENT_EVENTS,
    "queue_outage",
    "dns_outage",
    *STATES,
)


@dataclass(slots=True)
class Fault:
    id: str
    kind: str  #: one of KINDS
    left: int | None  #: how many more times it applies; None: until removed
    seconds: float  #: for slow, time_out, delay_events, delay_management_events, reorder_events, clock_skew
    share: float  #: 0..1, probability that it applies
    events: frozenset[str]  #: event types as in eventType; empty: all
    tenant: str | None
    configuration_set: str | None
    operation: str  #: SES operation it applies to; * for all
    accepted: bool  #: error_500, error_503, time_out and entry_fails: the mail was accepted nevertheless
    until: float | None = None  #: when it ends; None: when removed
    status: int = 400  #: refuse: HTTP status
    code: str = ""  #: refuse: the error code
    message: str = ""  #: refuse: the message that a client sees
    used: int = 0  #: how often it has applied


class Faults:
    def __init__(self, random: Random) -> None:
        self.active: dict[str, Fault] = {}
        self.scenario: list[Step] = []  #: the steps of the latest scenario
        self.names = NameFaults()  #: of the DNS, by name
        self._random = random

    def add(self, fault: Fault) -> None:
        self.active[fault.id] = fault

    def is_active(self, kind: str) -> bool:
        return any(fault.kind == kind for fault in self.active.values())

    def skew(self) -> float:
        """Returns how many seconds SES's clock is ahead, in the times it returns and when it checks signatures."""
        if not self.active:
            return 0.0
        return sum(fault.seconds for fault in self.active.values() if fault.kind == "clock_skew")

    def on_call(self, operation: str, tenant: str | None, configuration_set: str | None) -> list[Fault]:
        """Returns the faults that apply to this call: at most one that decides the response, and `slow`."""
        if not self.active:
            return []
        candidates = [
            fault
            for fault in self.active.values()
            if fault.operation in ("*", operation) and _matches(fault, tenant, configuration_set)
        ]
        return self._first_of(candidates, ("slow",)) + self._first_of(candidates, _RESPONSES)

    def on_entry(self, tenant: str | None, configuration_set: str | None) -> Fault | None:
        """Returns the fault that applies to this entry of bulk mail."""
        if not self.active:
            return None
        candidates = [one for one in self.active.values() if _matches(one, tenant, configuration_set)]
        applying = self._first_of(candidates, ("entry_fails",))
        return applying[0] if applying else None

    def on_event(self, event: str, tenant: str | None, configuration_set: str | None) -> list[Fault]:
        if not self.active:
            return []
        candidates = [
            fault
            for fault in self.active.values()
            if (not fault.events or event in fault.events) and _matches(fault, tenant, configuration_set)
        ]
        delivery = self._first_of(candidates, _ON_DELIVERY)
        if delivery and delivery[0].kind == "drop_events":
            return delivery
        doubled = self._first_of(candidates, ("double_events",))
        return delivery + doubled + self._first_of(candidates, ("untagged_events",))

    def on_management_event(self, operation: str) -> list[Fault]:
        """Returns the fault that applies to the event about a call of this operation, if any."""
        if not self.active:
            return []
        candidates = [fault for fault in self.active.values() if fault.operation in ("*", operation)]
        return self._first_of(candidates, ON_MANAGEMENT_EVENTS)

    def use(self, kind: str) -> Fault | None:
        """Uses a fault of this kind, if one is active: for kinds without tenant, operation or event."""
        if not self.active:
            return None
        applying = self._first_of(list(self.active.values()), (kind,))
        return applying[0] if applying else None

    def _first_of(self, candidates: list[Fault], kinds: tuple[str, ...]) -> list[Fault]:
        """Returns the first that applies, if any. Only that one is used up."""
        for kind in kinds:
            for fault in candidates:
                if fault.kind != kind or (fault.share < 1 and self._random.random() >= fault.share):
                    continue
                fault.used += 1
                if fault.left is not None:
                    fault.left -= 1
                    if fault.left <= 0:
                        self.active.pop(fault.id, None)
                return [fault]
        return []


def _matches(fault: Fault, tenant: str | None, configuration_set: str | None) -> bool:
    return (fault.tenant is None or fault.tenant == tenant) and (
        fault.configuration_set is None or fault.configuration_set == configuration_set
    )
