"""An operator's holds: a mail leaves at the time that it was given, once, or is counted as held."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest

from seslocal.fleets.operator import Seen, Waiting
from seslocal.fleets.result import Counts
from seslocal.state.bounce_causes import PERMANENT
from seslocal_fixtures.fleets import BOUGHT, play, scenario

DAY = 86_400.0
NEVER = 0.05  # share of the mails that never leave


class Whims:
    """Holds mail for spans that chance decides, up to three times, some of it for good. It keeps when each should leave."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.leaves: dict[str, float] = {}
        self.seen: list[Seen] = []
        self._held: Counter[str] = Counter()

    def ask(self, at: float, tenant: str, mails: Sequence[Waiting]) -> Sequence[float] | None:
        chance = self._chance.random
        if chance() < 0.1:
            self.leaves |= {mail.key: max(mail.due, at) for mail in mails}
            return None
        found: list[float] = []
        for mail in mails:
            if mail.key in self.leaves:
                assert at <= self.leaves[mail.key] < at + 60, "it is asked again in the minute that it named"
            self._held[mail.key] += 1
            when = at + chance() * 60
            if chance() < NEVER:
                when = math.inf
            elif self._held[mail.key] < 4 and chance() < 0.7:
                when = at + chance() ** 4 * DAY
            found.append(when)
            self.leaves[mail.key] = max(mail.due, at, when)
        return found

    def see(self, seen: Seen) -> None:
        self.seen.append(seen)

    def actions(self) -> Sequence[tuple[float, str, str, str]]:
        return []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_held_mail_leaves_at_its_time_and_is_neither_lost_nor_doubled(seed: int) -> None:
    operator = Whims(seed)
    run, log = play(scenario(BOUGHT), days=1, operator=operator)
    _, plain = play(scenario(BOUGHT), days=1)
    wanted, left = Counter[str](), Counter[str]()
    for line in map(msgspec.json.decode, plain.splitlines()):
        if line["what"] in ("suppressed", "rejected") or line.get("n") == 1:
            wanted[line["key"]] += 1
    for line in map(msgspec.json.decode, log.splitlines()):
        if line.get("n") == 1:
            assert line["at"] == pytest.approx(operator.leaves[line["key"]], abs=0.002)
            left[line["key"]] += 1
        elif line["what"] in ("suppressed", "rejected"):
            assert line["at"] // 60 == operator.leaves[line["key"]] // 60
            left[line["key"]] += 1
    held = {key for key, when in operator.leaves.items() if when >= DAY}
    assert left + Counter(held) == wanted
    assert not held & left.keys()
    assert sum(row.counts.held for row in run.rows) == len(held) > 10
    assert len(left) > 1_000


def test_mail_that_an_operator_held_for_hours_is_late() -> None:
    class Noon(Whims):
        def ask(self, at: float, tenant: str, mails: Sequence[Waiting]) -> Sequence[float] | None:
            return [12 * 3_600.0 + 7] * len(mails)

    run, log = play(scenario(), days=1, operator=Noon(1))
    late, inbox = Counts(), 0
    for row in run.rows:
        late.add(row.counts)
    for line in map(msgspec.json.decode, log.splitlines()):
        if line.get("n") == 1 and line["kind"] == "inbox":
            hour = int(line["key"].split("/")[2]) if "/users/" in line["key"] else 12
            inbox += line["at"] == 12 * 3_600 + 7 and hour < 11
    assert late.late >= inbox > 50


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ([math.nan], "The operator answered NaN for a mail of apart-001. It must be a time, or math.inf for never."),
        ([0.0, 0.0], "The operator was asked about 1 mails of apart-001, and answered for 2."),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_an_error(answer: list[float], error: str) -> None:
    class Wrong(Whims):
        def ask(self, at: float, tenant: str, mails: Sequence[Waiting]) -> Sequence[float] | None:
            return answer if len(mails) == 1 and tenant == "apart-001" else None

    with pytest.raises(ValueError, match=r"^The operator") as caught:
        play(scenario(), days=1, operator=Wrong(1))
    assert str(caught.value) == error


def test_bounces_that_come_back_later_have_their_cause_and_their_words() -> None:
    class Open(Whims):
        def ask(self, at: float, tenant: str, mails: Sequence[Waiting]) -> Sequence[float] | None:
            return None

    operator = Open(1)
    more = BOUGHT.replace("600", "4_000") + '[ses]\npauses_tenants = "none"\nreviews_account = false\n'
    run, log = play(scenario(more, readers='"businesses"'), days=2, operator=operator)
    attempts = {
        line["key"]: line for line in map(msgspec.json.decode, log.splitlines()) if line["what"] == "attempt"
    }
    later = [
        seen
        for seen in operator.seen
        if seen.what == "bounce" and attempts[seen.mail.key]["kind"] in ("inbox", "spam")
    ]
    assert len(later) > 20
    for seen in later:
        assert seen.permanent is (attempts[seen.mail.key]["cause"] in PERMANENT)
        assert 400 <= seen.code < 600
        assert seen.text
    total = Counts()
    for row in run.rows:
        total.add(row.counts)
    assert total.unknown == sum(line["cause"] == "no_mailbox" for line in attempts.values())
    assert total.trapped > 10
