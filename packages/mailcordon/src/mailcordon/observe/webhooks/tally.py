"""What became of the messages that this process sent to webhooks, for its metrics."""

from collections.abc import Sequence

from mailcordon.observe.webhooks.nouns import Result

MOST_NAMED = 20  #: webhooks; those that come later are added up
OTHER = "other"


class Tally:
    """Counts since the start of the process. A webhook that is named stays so, that no count goes back."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, int]] = {}

    def count(self, webhook: str, results: Sequence[Result]) -> None:
        named = webhook in self._counts or len(self._counts.keys() - {OTHER}) < MOST_NAMED
        of = self._counts.setdefault(webhook if named else OTHER, {"delivered": 0, "failed": 0})
        failed = sum(one.problem is not None for one in results)
        of["failed"] += failed
        of["delivered"] += len(results) - failed

    def document(self) -> dict[str, dict[str, dict[str, int]]]:
        return {"webhooks": {name: dict(counts) for name, counts in self._counts.items()}}
