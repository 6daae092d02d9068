"""Plays a scenario minute by minute; only minutes with mail or events are visited."""

import heapq
import math
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.detection.laws import Law, Sent
from bench.detection.population import Population, Tenant
from bench.detection.protocol import DAY, LEVELS, SIGNALS, Decision, Detector, Row
from bench.detection.scenarios import Scenario

_Key = tuple[str, str, str, str, str]  #: tenant, message type, provider, campaign, list
_SENT, _DELIVERED, _FIRST_SIGNAL = 0, 1, 2
#: A mail that bounced or was blocked can neither complain nor be opened, so these are drawn first.
_DRAWN = ("hard_bounces", "spam_blocks", "complaints", "delays", "opens")


@dataclass(slots=True)
class Watched:
    """What a detector said, and what it took."""

    detector: Any
    decisions: list[tuple[int, Decision]] = field(default_factory=list[tuple[int, Decision]])
    seconds: float = 0.0  #: within `observe`, by the wall clock
    cpu: float = 0.0  #: the same of this thread's CPU, which other work on the machine changes less
    error: str | None = None  #: it raised, or its answer was none; it was asked no more

    def observe(self, minute: int, rows: Sequence[Row]) -> None:
        if self.error:
            return
        began, began_cpu = time.perf_counter(), time.thread_time()
        try:
            said = self.detector.observe(minute, rows)
            self.seconds += time.perf_counter() - began
            self.cpu += time.thread_time() - began_cpu
            for one in said or ():
                if one["level"] not in LEVELS or not isinstance(one["tenant"], str):
                    raise ValueError(f"no decision: {one!r}")
                self.decisions.append((minute, one))
        except Exception:
            self.error = traceback.format_exc(limit=-3)

    def permit(self, tenant: str, message_type: str, minute: int) -> float:
        if self.error:
            return 1.0
        try:
            return min(1.0, max(0.0, float(self.detector.permit(tenant, message_type, minute))))
        except Exception:
            self.error = traceback.format_exc(limit=-3)
            return 1.0


@dataclass(slots=True)
class Played:
    """What happened besides the detectors."""

    population: Population
    rows: int = 0
    offered: int = 0  #: mails planned
    sent: int = 0
    guilty: list[Sent] = field(default_factory=list[Sent])  #: of the incident's slice, from its start
    #: (minute, tenant, mails planned, mails sent), if there are guilty groups.
    sends: list[tuple[int, str, int, int]] = field(default_factory=list[tuple[int, str, int, int]])

    @property
    def guilty_mails(self) -> int:
        return self.guilty[-1].mails if self.guilty else 0


def configuration(scenario: Scenario, population: Population) -> dict[str, Any]:
    """What a control plane would tell a detector. Nothing of the truth."""
    said: dict[str, Any] = {
        "minute_zero": "1970-01-01T00:00Z",
        "signals": list(scenario.signals),
        "providers": [{"name": one.name, "fbl": one.fbl} for one in scenario.providers],
        "message_types": ["marketing", "transactional"],
        "budgets": dict(scenario.budgets),
    }
    labels = {one.name: list(one.group.labels) for one in population.tenants if one.group.labels}
    return said | ({"labels": labels} if labels else {})


def play(population: Population, detectors: Mapping[str, Detector]) -> tuple[Played, dict[str, Watched]]:
    """Plays the scenario once, before all detectors alike. In a closed loop only one can be asked.

    What is drawn, and in which order, is that of the reference simulator, so that its runs are ours.
    """
    return _World(population, {name: Watched(one) for name, one in detectors.items()}).play()


class _World:
    def __init__(self, population: Population, watched: dict[str, Watched]) -> None:
        scenario = population.scenario
        self._scenario = scenario
        self._population = population
        self._planted = population.planted
        self._watched = watched
        self._many, self._few = population.many, population.few
        shares = np.array([one.share for one in scenario.providers], float)
        self._shares = shares / shares.sum()
        self._blackouts = [
            (int(one.start_day * DAY), int(one.start_day * DAY + one.hours * 60))
            for one in scenario.blackouts
        ]
        self._signals = [signal for signal in _DRAWN if signal in scenario.signals]
        self._arrivals: dict[int, list[tuple[_Key, str, int, int]]] = {}
        self._rows: dict[_Key, list[Any]] = {}
        self._minutes = list(population.plan)
        heapq.heapify(self._minutes)
        self._known = set(self._minutes)
        self._played = Played(population)
        self._keeps_sends = any(group.guilty for group in scenario.tenants)
        self._guilty = self._bad = 0
        self._information = 0.0
        self._permits = None
        if scenario.closed_loop:
            (only,) = watched.values()
            if hasattr(only.detector, "permit"):
                self._permits = only

    def play(self) -> tuple[Played, dict[str, Watched]]:
        played = self._played
        while self._minutes:
            minute = heapq.heappop(self._minutes)
            self._rows = {}
            guilty = self._guilty
            for batch in self._population.plan.get(minute, ()):
                mails = batch.mails
                played.offered += mails
                if self._permits is not None:
                    mails = self._binomial(
                        mails, self._permits.permit(batch.tenant.name, batch.message_type, minute)
                    )
                if self._keeps_sends:
                    played.sends.append((minute, batch.tenant.name, batch.mails, mails))
                if mails:
                    played.sent += mails
                    self._send(batch.tenant, batch.message_type, batch.campaign, mails, minute)
            if self._guilty > guilty:
                played.guilty.append(Sent(minute, self._guilty, self._bad, self._information))
            for key, signal, sent_at, events in self._arrivals.pop(minute, ()):
                row = self._row(key)
                row[_FIRST_SIGNAL + SIGNALS.index(signal)] += events
                row[-1].setdefault(signal, []).append((sent_at, events))
            if self._rows:
                self._show(minute)
        return played, self._watched

    def _show(self, minute: int) -> None:
        rows = [
            Row._make(
                (minute, *key, *counts[:-1], {signal: tuple(one) for signal, one in counts[-1].items()})
            )
            for key, counts in self._rows.items()
        ]
        self._played.rows += len(rows)
        for one in self._watched.values():
            one.observe(minute, rows)

    def _row(self, key: _Key) -> list[Any]:
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = [0, 0, 0, 0, 0, 0, 0, {}]
        return row

    def _send(self, tenant: Tenant, message_type: str, campaign: str, mails: int, minute: int) -> None:
        lists = self._population.lists(tenant, message_type, campaign)
        parts = self._split(mails, [share for _, share in lists]) if len(lists) > 1 else [mails]
        for (list_id, _), of_list in zip(lists, parts, strict=True):
            if of_list == 0:
                continue
            for place, count in enumerate(self._split(of_list, self._shares)):
                if count:
                    self._send_to(tenant, message_type, campaign, list_id, place, count, minute)

    def _send_to(
        self,
        tenant: Tenant,
        message_type: str,
        campaign: str,
        list_id: str,
        place: int,
        mails: int,
        minute: int,
    ) -> None:
        provider, planted = self._scenario.providers[place], self._planted
        key = (tenant.name, message_type, provider.name, campaign, list_id)
        row = self._row(key)
        row[_SENT] += mails
        left, guilty = mails, False
        for signal in self._signals:
            rate = self._population.rate(tenant, campaign, signal)
            if signal == "hard_bounces":
                rate *= provider.bounce_mult
            bad = (
                planted is not None
                and planted.covers(tenant.name, message_type, signal, minute)
                and planted.guilty(campaign, list_id, provider.name)
            )
            if bad and planted is not None:
                rate = planted.rate(rate, minute)
                guilty = True
            if signal == "complaints" and not provider.fbl:
                continue
            events = self._binomial(
                mails if signal == "delays" else left, rate * self._weather(signal, provider.name, minute)
            )
            if signal in ("hard_bounces", "spam_blocks"):
                left -= events
            if bad:
                self._bad += events
            self._schedule(key, signal, minute, events)
        row[_DELIVERED] += left
        if guilty and planted is not None:
            self._guilty += mails
            self._information += mails * planted.worth(minute)

    def _weather(self, signal: str, provider: str, minute: int) -> float:
        factor = 1.0
        for one in self._scenario.weather:
            begin, end = one.start_day * DAY, (one.start_day + one.days) * DAY
            if one.provider == provider and one.signal == signal and begin <= minute < end:
                factor *= one.mult
        return factor

    # Chance: Python's generator for few, numpy's for many --------------------------------------------------------------

    def _binomial(self, count: int, rate: float) -> int:
        if count <= 0 or rate <= 0:
            return 0
        if count < 20:
            random = self._few.random
            return sum(1 for _ in range(count) if random() < rate)
        return int(self._many.binomial(count, min(rate, 1.0)))

    def _split(self, count: int, shares: Sequence[float] | np.ndarray) -> list[int]:
        if count >= 12:
            whole = np.asarray(shares, float)
            return [int(one) for one in self._many.multinomial(count, whole / whole.sum())]
        parts = [0] * len(shares)
        for _ in range(count):
            left = self._few.random()
            for place, share in enumerate(shares):
                left -= share
                if left < 0 or place == len(parts) - 1:
                    parts[place] += 1
                    break
        return parts

    def _schedule(self, key: _Key, signal: str, minute: int, events: int) -> None:
        if events <= 0:
            return
        law = self._scenario.delay[signal]
        if events == 1:
            delay = self._delay(law)
            self._arrive(int(minute + self._few.random() + delay), key, signal, minute, 1)
            return
        at = (minute + self._many.random(events) + self._delays(law, events)).astype(np.int64)
        for arrival, count in zip(*(one.tolist() for one in np.unique(at, return_counts=True)), strict=True):
            self._arrive(arrival, key, signal, minute, count)

    def _delay(self, law: Law) -> float:
        chance, chosen = self._few.random(), law[-1]
        for part in law:
            if chance < part.share:
                chosen = part
                break
            chance -= part.share
        if chosen.sigma is None:
            return self._few.expovariate(1 / chosen.scale)
        return chosen.scale * math.exp(chosen.sigma * self._few.gauss(0, 1))

    def _delays(self, law: Law, count: int) -> np.ndarray:
        delays, chance, low = np.empty(count), self._many.random(count), 0.0
        for part in law:
            chosen = (chance >= low) & (chance < low + part.share) if part is not law[-1] else chance >= low
            size = int(chosen.sum())
            if size:
                delays[chosen] = (
                    self._many.exponential(part.scale, size)
                    if part.sigma is None
                    else part.scale * np.exp(part.sigma * self._many.normal(size=size))
                )
            low += part.share
        return delays

    def _arrive(self, minute: int, key: _Key, signal: str, sent_at: int, events: int) -> None:
        for digest in self._scenario.digests:
            if signal == digest.signal and key[2] == digest.provider:
                minute += (digest.at_minute - minute) % DAY
        for begin, end in self._blackouts:
            if begin <= minute < end:
                minute = end
        if minute >= self._scenario.end:
            return
        arrivals = self._arrivals.get(minute)
        if arrivals is None:
            arrivals = self._arrivals[minute] = []
            if minute not in self._known:
                self._known.add(minute)
                heapq.heappush(self._minutes, minute)
        arrivals.append((key, signal, sent_at, events))
