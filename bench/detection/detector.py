"""Our breaker in the benchmark: the very code that the roles run, fed with the benchmark's rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.detection.protocol import Decision, Level, Row
from mailcordon.core.priority import Class
from mailcordon.guard.breaker import engine, nouns
from mailcordon.guard.breaker.engine import Breaker
from mailcordon.guard.counts import Delta

_LEVELS: dict[nouns.Level, Level] = {
    nouns.Level.WARN: "warn",
    nouns.Level.THROTTLE: "throttle",
    nouns.Level.CORDON: "cordon",
}
_DELTA = {"hard_bounces": 6, "complaints": 7, "spam_blocks": 8, "delays": 9, "opens": 10}
_CLASSES = {"marketing": Class.MARKETING, "urgent": Class.URGENT}


def make_detector(config: Mapping[str, Any]) -> "Detector":
    return Detector(config)


class Detector:
    def __init__(self, config: Mapping[str, Any]) -> None:
        self._names = [each["name"] for each in config["providers"]]
        #: Numbers of our own: a scenario's providers have any names.
        self._providers = {name: number for number, name in enumerate(self._names, 1)}
        self._silent = {self._providers[each["name"]] for each in config["providers"] if not each["fbl"]}
        self._labels: Mapping[str, Sequence[str]] = config.get("labels") or {}
        self._lanes: dict[tuple[str, str], int] = {}
        self._keys: list[tuple[str, str]] = []
        self._breaker = self._make(narrow=True)
        self._ticked = 0

    def _make(self, *, narrow: bool) -> Breaker:
        return engine.Breaker(silent=self._silent, word=self._word, narrow=narrow)

    def _word(self, provider: int) -> str:
        return self._names[provider - 1]

    def observe(self, minute: int, rows: Sequence[Row]) -> list[Decision]:
        lanes, providers = self._lanes, self._providers
        deltas: list[Delta] = []
        add = deltas.append
        for row in rows:
            lane = lanes.get((row.tenant, row.message_type))
            if lane is None:
                lane = self._new_lane(row.tenant, row.message_type, minute)
            # Mail without a campaign is named by its day, and without a list "none".
            transactional = row.message_type != "marketing"
            campaign = None if transactional else row.campaign
            list_ = None if row.list_id == "none" else row.list_id
            provider = providers[row.provider]
            if row.sent:
                add(Delta(minute, lane, campaign, list_, provider, row.sent, row.delivered))
            if row.cohorts:
                for signal, cohorts in row.cohorts.items():
                    place = _DELTA[signal] - 5
                    for sent, events in cohorts:
                        counts = [0, 0, 0, 0, 0, 0, 0]
                        counts[place + 1] = events
                        add(Delta(sent, lane, campaign, list_, provider, *counts))
        decisions = self._tick(minute)
        decisions += self._breaker.observe(minute, deltas)
        return [self._decision(each) for each in decisions if not each.over]

    def _tick(self, minute: int) -> list[nouns.Decision]:
        if minute - self._ticked < 10:
            return []
        self._ticked = minute
        return self._breaker.tick(minute)

    def permit(self, tenant: str, message_type: str, minute: int) -> float:
        """The benchmark asks for whole lanes: nothing narrower can be held."""
        if not self._lanes:
            self._breaker = self._make(narrow=False)
        self._tick(minute)
        lane = self._lanes.get((tenant, message_type))
        return 1.0 if lane is None else self._breaker.permit(lane, minute, None)

    def _new_lane(self, tenant: str, message_type: str, minute: int) -> int:
        lane = self._lanes[tenant, message_type] = len(self._keys)
        self._keys.append((tenant, message_type))
        self._breaker.lane(
            nouns.LaneFacts(
                lane=lane,
                tenant=hash(tenant),
                type=message_type,
                class_=_CLASSES.get(message_type, Class.TRANSACTIONAL),
                since=minute,
                labels=frozenset(self._labels.get(tenant, ())),
            )
        )
        return lane

    def _decision(self, decision: nouns.Decision) -> Decision:
        tenant, message_type = self._keys[decision.lane]
        guilty = decision.guilty[0] if decision.guilty else None
        cause = [
            (str(each.slices[0].dimension), each.slices[0].value)
            for each in decision.suspects
            if len(each.slices) == 1
        ]
        found = Decision(
            tenant=tenant,
            level=_LEVELS[decision.level],
            message_type=message_type,
            cause=cause,
            signal=str(decision.signal),
            over_the_ceiling=decision.over_the_ceiling,
            evidence={"nats": decision.nats, "since": decision.since, "half": str(decision.half)},
        )
        if guilty is not None and guilty.dimension is nouns.Dimension.PROVIDER:
            found["provider"] = guilty.value
        elif guilty is not None and guilty.dimension is nouns.Dimension.POOL:
            found["pool"] = guilty.value
        elif guilty is not None:
            found["part"] = (str(guilty.dimension), guilty.value)
        return found
