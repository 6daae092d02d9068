"""Plays runs before a detector and its peers, in this process or in several."""

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TypeVar

from bench.detection import score
from bench.detection.peers import Peers
from bench.detection.population import Population
from bench.detection.protocol import Factory
from bench.detection.scenarios import Scenario
from bench.detection.score import Score
from bench.detection.simulator import Watched, configuration, play
from bench.system import Failed
from mailcordon.guard.peers import PEERS, Peer

OURS = "ours"  #: the detector's name beside its peers
DETECTOR = "bench.detection.detector:make_detector"
One = TypeVar("One")
Done = TypeVar("Done")


def factory(spec: str) -> Factory:
    """Of `package.module:factory`, importable from here or the current directory. Raises Failed."""
    module, _, name = spec.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return getattr(importlib.import_module(module), name or "make_detector")
    except (ImportError, AttributeError, ValueError) as error:
        raise Failed(f"the detector {spec} cannot be imported: {error}") from None


@dataclass(frozen=True, slots=True)
class Run:
    """Plays a scenario before the detector `spec` and, if wanted, its peers. Can be pickled: each process makes its own."""

    spec: str
    peers: bool = True

    def __call__(self, scenario: Scenario) -> Mapping[str, Score]:
        """The score of the detector, as OURS, and of each peer by its name. Who raises has failed the run."""
        make = factory(self.spec)
        try:
            found = _together(scenario, make, peers=self.peers and not scenario.closed_loop)
            if self.peers and scenario.closed_loop:
                found |= {peer.name: _alone(scenario, peer) for peer in PEERS}
        except Exception:
            return {OURS: score.failed(scenario, traceback.format_exc(limit=-3))}
        return found


def _together(scenario: Scenario, make: Factory, *, peers: bool) -> dict[str, Score]:
    """What is decided has no effect, so one play does for all."""
    population = Population(scenario)
    config = configuration(scenario, population)
    watching = Peers(config) if peers else None
    played, watched = play(population, {OURS: make(config)} | ({"peers": watching} if watching else {}))
    found = {OURS: score.judge(played, watched[OURS])}
    if watching:
        found |= {name: score.judge(played, Watched(watching, said)) for name, said in watching.said.items()}
    return found


def _alone(scenario: Scenario, peer: Peer) -> Score:
    population = Population(scenario)
    played, watched = play(population, {OURS: Peers(configuration(scenario, population), [peer])})
    return score.judge(played, watched[OURS])


def each(work: Callable[[One], Done], ones: Sequence[One], jobs: int) -> Iterator[tuple[One, Done]]:
    """Does the work in so many processes, and yields what is done as soon as it is. Everything has to be picklable."""
    if jobs <= 1:
        for one in ones:
            yield one, work(one)
        return
    with ProcessPoolExecutor(jobs) as pool:
        waiting = {pool.submit(work, one): one for one in ones}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
