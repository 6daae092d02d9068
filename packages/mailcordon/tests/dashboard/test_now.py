"""What the live figures of the first page are read from, and how often."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from mailcordon.adapters.dashboard.pages import now
from mailcordon.adapters.dashboard.rest import Rest
from mailcordon.core.principal import Principal


class Answers:
    """The API, with what it says now."""

    def __init__(self) -> None:
        self.detail = "12 bounces"
        self.holds: list[dict[str, Any]] = []
        self.asked = Counter[str]()

    async def call(
        self, principal: Principal, method: str, path: str, query: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        self.asked[path] += 1
        incident = {"id": 1, "severity": "high", "detail": self.detail, "mitigated_at": None}
        answer: dict[str, Any] = {
            "/v1/incidents": {"items": [incident], "next": None},
            "/v1/holds": {"items": self.holds, "next": None},
            "/v1/stops": {"items": [], "next": None},
            "/v1/status": {
                "ok": True,
                "sentence": "",
                "problems": [],
                "notices": [],
                "incidents": [],
                "waiting": [],
            },
            "/v1/account": {"limits": [], "forecast": None, "review": None},
            "/v1/lanes/map": {"items": []},
        }
        return 200, msgspec.json.encode(answer[path])


def slow(answers: Answers) -> tuple[int, int, int]:
    return tuple(answers.asked[path] for path in ("/v1/status", "/v1/account", "/v1/lanes/map"))  # pyright: ignore[reportReturnType]


async def test_other_words_of_an_incident_read_the_status_again_and_what_is_held_reads_everything() -> None:
    answers = Answers()
    read = now._Reader(Rest(answers, now.READER))  # pyright: ignore[reportPrivateUsage]
    await read()
    await read()
    assert slow(answers) == (1, 1, 1)
    answers.detail = "13 bounces"
    await read()
    assert slow(answers) == (2, 1, 1)
    answers.holds = [{"id": 7}]
    await read()
    assert slow(answers) == (3, 2, 2)
