"""The reasons of bounces beside labels that others gave to real texts, where `MAILCORDON_SHARED` has them. Prints the table.

`accepted`: the share of texts with one of the reasons that their labels allow. `wrongly suppressed`: texts that must not close an
address and would, if SES called each of them permanent. `missed`: texts that should and would not. The rules were written with
every second text in view; `held out` are the others, which were only counted.
"""

import json
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mailcordon.core.bounce_reason import Follow
from mailcordon.observe.bounce_reasons import find

SHARED = Path(os.environ.get("MAILCORDON_SHARED") or "/nonexistent") / "data/bounces/diagnostics.jsonl"
pytestmark = pytest.mark.skipif(not SHARED.is_file(), reason="MAILCORDON_SHARED names no data")

TIERS = ("gold", "hard", "silver", "contested")
#: As published beside the labels, for the texts labelled by hand.
OTHERS = {"sisimai": 0.56, "postalsys/bounce-classifier": 0.69}


@dataclass(slots=True)
class Score:
    texts: int = 0
    accepted: int = 0
    open: int = 0  #: texts that must not close an address
    wrongly: int = 0
    for_a_while: int = 0  #: of `open`, those that would be off for a limited time
    gone: int = 0  #: texts that should close it
    missed: int = 0

    def add(self, row: dict[str, Any]) -> None:
        found = find("General", row["status"], row["diagnostic"])
        follow = found.reason.follow(permanent=True, passing=found.passing)
        self.texts += 1
        self.accepted += found.reason.word in row["accept"]
        if row["suppress"] is False:
            self.open += 1
            self.wrongly += follow is Follow.SUPPRESS
            self.for_a_while += follow is Follow.WEAKEN
        if row["suppress"] is True:
            self.gone += 1
            self.missed += follow is not Follow.SUPPRESS

    def line(self, name: str) -> str:
        return (
            f"{name:22} {self.texts:5} {self.accepted / max(1, self.texts):9.3f} {self.wrongly:10} of {self.open:3} "
            f"{self.for_a_while:12} {self.missed:6} of {self.gone:3}"
        )


def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in SHARED.read_text().splitlines()]


def held_out(row: dict[str, Any]) -> bool:
    return zlib.crc32(row["id"].encode()) % 2 == 1


def score(found: Iterable[dict[str, Any]]) -> Score:
    total = Score()
    for row in found:
        total.add(row)
    return total


def test_reasons_agree_with_the_labels_and_close_no_address_wrongly(
    capsys: pytest.CaptureFixture[str],
) -> None:
    labelled = rows()
    table = [
        f"{'':22} {'texts':>5} {'accepted':>9} {'wrongly suppressed':>17} {'for a while':>12} {'missed':>13}"
    ]
    for name, wanted in (("all", None), ("in view", False), ("held out", True)):
        part = [row for row in labelled if wanted is None or held_out(row) is wanted]
        table += [score(row for row in part if row["tier"] == tier).line(f"{name}, {tier}") for tier in TIERS]
        table.append(
            score(row for row in part if row["tier"] in ("gold", "silver")).line(f"{name}, gold+silver")
        )
    table += [f"{name:22} {'gold':>5} {accepted:9.2f}" for name, accepted in OTHERS.items()]
    with capsys.disabled():
        print("\n" + "\n".join(table))
    total = score(row for row in labelled if row["tier"] in ("gold", "silver"))
    unseen = score(row for row in labelled if row["tier"] in ("gold", "silver") and held_out(row))
    assert total.accepted / total.texts >= 0.85
    assert unseen.accepted / unseen.texts >= 0.85
    assert total.wrongly == 0
    assert total.missed <= 0.05 * total.gone
    assert score(row for row in labelled if row["tier"] == "hard").wrongly == 0


def test_parts_of_sentences_rarely_close_an_address_that_the_whole_leaves_open() -> None:
    """Fragments of other engines' rules: they say less than a text would."""
    parts = score(row for row in rows() if row["tier"] in ("fragment", "provider_fragment"))
    assert parts.wrongly <= 0.04 * parts.open
