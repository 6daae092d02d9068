"""Others' rules (guard/peers.py) as detectors of the bench."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from bench.detection.protocol import DAY, Decision, Row
from mailcordon.guard.peers import PEERS, Peer, Stop, Watch


class Peers:
    """All peers at once. `said` holds what each of them decided; as a detector it says what all did.

    A peer that has stopped somebody lets all mail go on after a day, as if a person had looked at it.
    """

    def __init__(self, config: Mapping[str, Any], peers: Iterable[Peer] = PEERS) -> None:
        self._reporting = {one["name"] for one in config["providers"] if one["fbl"]}
        self._peers = tuple(peers)
        self._watches: dict[tuple[str, str | None], Watch] = {}
        self._stopped: dict[tuple[str, str | None], int] = {}
        self.said: dict[str, list[tuple[int, Decision]]] = {one.name: [] for one in self._peers}

    def observe(self, minute: int, rows: Sequence[Row]) -> list[Decision]:
        counts: dict[tuple[str, str | None], list[int]] = {}
        for row in rows:
            reporting = row.sent if row.provider in self._reporting else 0
            for subject in ((row.tenant, None), (row.tenant, row.message_type)):
                counted = counts.setdefault(subject, [0, 0, 0, 0])
                counted[0] += row.sent
                counted[1] += row.hard_bounces
                counted[2] += row.complaints
                counted[3] += reporting
        found: list[Decision] = []
        for subject, counted in counts.items():
            for stop in self._watch(subject, minute).count(minute, *counted):
                found.append(self._decided(subject, minute, stop))
        return found

    def permit(self, tenant: str, message_type: str, minute: int) -> float:
        until = max(self._stopped.get((tenant, type_), -1) for type_ in (None, message_type))
        return 0.0 if minute < until else 1.0

    def _watch(self, subject: tuple[str, str | None], minute: int) -> Watch:
        watch = self._watches.get(subject)
        if watch is None:
            stops = "tenant" if subject[1] is None else "lane"
            watch = self._watches[subject] = Watch(
                [one for one in self._peers if one.stops == stops], first_minute=minute
            )
        return watch

    def _decided(self, subject: tuple[str, str | None], minute: int, stop: Stop) -> Decision:
        tenant, message_type = subject
        self._stopped[subject] = minute + DAY
        decision: Decision = {
            "tenant": tenant,
            "message_type": message_type,
            "level": "cordon",
            "signal": stop.line.signal,
        }
        self.said[stop.peer.name].append((minute, decision))
        return decision


def alone(config: Mapping[str, Any], names: Collection[str]) -> Peers:
    """Only some of them, for a run in which their decisions have effect."""
    return Peers(config, [peer for peer in PEERS if peer.name in names])
