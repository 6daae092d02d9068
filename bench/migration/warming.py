"""Warm-up of the tenants' own domains: the budgets of `guard.warm_up`, by the mail of the isolated path alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from bench.week.feedback import BLOCKS
from bench.week.lanes import provider_of
from mailcordon.control.rollouts.facts import WARM_UP_ROOM
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard import warm_up
from mailcordon.guard.policy import layers
from mailcordon.guard.policy.document import PolicyDocument
from mailcordon.observe import bounce_reasons
from seslocal.fleets.operator import Seen, Waiting

_DAY: Final = 86_400.0
_SENT, _DELAYS, _BLOCKS = range(3)


class Warming:
    """`domains`: by tenant. `first_day`: of the run, since 1970. Curves are those of a policy that nobody changed, enforced."""

    def __init__(self, domains: Mapping[str, str], first_day: int) -> None:
        self._domains = domains
        self._first_day = first_day
        policy = layers.effective(PolicyDocument(), 0, "any", "any", Class.MARKETING).policy.warm_up
        self._curves = {provider: warm_up.curve(policy, provider) for provider in Provider if provider.named}
        self._days: defaultdict[tuple[str, Provider], dict[int, list[int]]] = defaultdict(dict)
        self._caps: dict[tuple[str, Provider], int | None] = {}
        self._today = -1
        self._left: dict[str, tuple[str, Provider, int]] = {}  #: key -> where it is counted
        self._delayed: set[str] = set()

    def until(self, mail: Waiting, at: float) -> float | None:
        """When to ask again; None: it may leave. Codes are never held by warm-up."""
        self._turn(at)
        if not mail.bulk:
            return None
        key = self._domains[mail.tenant], provider_of(mail)
        cap = self._cap(key)
        if cap is None or self._sent_today(key) < cap:
            return None
        return (at // _DAY + 1) * _DAY

    def sent(self, mail: Waiting, at: float) -> None:
        self._turn(at)
        domain, provider = self._domains[mail.tenant], provider_of(mail)
        day = self._days[domain, provider].setdefault(self._today, [0, 0, 0])
        day[_SENT] += 1
        self._left[mail.key] = domain, provider, self._today

    def see(self, seen: Seen) -> None:
        where = self._left.get(seen.mail.key)
        if where is None:
            return
        domain, provider, day = where
        counts = self._days[domain, provider][day]
        if seen.what == "delay" and seen.mail.key not in self._delayed:
            self._delayed.add(seen.mail.key)
            counts[_DELAYS] += 1
            self._caps.pop((domain, provider), None)
        elif seen.what == "bounce":
            reason = bounce_reasons.find(None, seen.status or None, seen.text).reason
            if reason.group in BLOCKS:
                counts[_BLOCKS] += 1
                self._caps.pop((domain, provider), None)

    def too_small(self, daily: Mapping[tuple[str, Provider], float], target: int, at: float) -> str | None:
        """The first domain and provider whose budget has no room for its mail of a day at a share. `daily`: mails a day, by
        tenant and provider."""
        self._turn(at)
        for (tenant, provider), mails in daily.items():
            cap = self._cap((self._domains[tenant], provider))
            if cap is not None and mails * target / 100 > WARM_UP_ROOM * cap:
                return f"{self._domains[tenant]}:{provider.word}"
        return None

    def _turn(self, at: float) -> None:
        today = self._first_day + int(at // _DAY)
        if today != self._today:
            self._today = today
            self._caps.clear()

    def _sent_today(self, key: tuple[str, Provider]) -> int:
        day = self._days[key].get(self._today)
        return day[_SENT] if day else 0

    def _cap(self, key: tuple[str, Provider]) -> int | None:
        if key not in self._caps:
            curve = self._curves.get(key[1], ())
            days = [warm_up.Day(day, *counts) for day, counts in sorted(self._days[key].items())]
            self._caps[key] = warm_up.replay(days, self._today, curve).cap if curve else None
        return self._caps[key]
