"""When sources of alarms are asked, and what counts meanwhile."""

from collections.abc import Sequence

import pytest

from mailcordon.core.incident import Alarm
from mailcordon.observe.incidents import sources
from mailcordon.observe.incidents.sources import Source, Sources
from mailcordon_fixtures.incidents import alarm


class Counted:
    def __init__(self, name: str) -> None:
        self.name, self.times, self.fails = name, 0, False

    async def read(self) -> Sequence[Alarm]:
        self.times += 1
        if self.fails:
            raise OSError("away")
        return [alarm(self.name)]


async def test_a_slow_source_is_asked_again_once_something_was_written_or_a_minute_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow, other = Counted("slow"), Counted("other")
    quiet = 3600.0
    asked = Sources(
        [Source(name="slow", read=slow.read, is_slow=True), Source(name="other", read=other.read)],
        lambda: quiet,
    )
    for _ in range(3):
        answers = await asked.ask(1)
        assert [name for name, _ in answers.alarms] == ["slow", "other"]
    assert (slow.times, other.times) == (1, 3)
    quiet = 0.0
    await asked.ask(1)
    assert slow.times == 2
    slow.fails = True
    assert (await asked.ask(1)).unread == {"slow"}
    quiet = 3600.0
    assert (await asked.ask(1)).unread == {"slow"}  # what failed is asked each time
    slow.fails = False
    for _ in range(2):
        assert not (await asked.ask(1)).unread
    assert slow.times == 5
    monkeypatch.setattr(sources, "UNCHANGED_SECONDS", 0.0)
    await asked.ask(1)
    assert slow.times == 6
