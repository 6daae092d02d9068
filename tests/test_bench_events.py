"""`./dev bench events`: what its stream says is what it counts on, and its figures come from what was measured."""

from collections import Counter

import pytest

from bench import event_stream, events
from mailcordon.adapters.ses.feedback import decode
from mailcordon.core import tags
from mailcordon.core.event import Kind
from mailcordon.core.installation import Installation
from mailcordon.observe.ports import DecodedEvent

OURS = Installation(name="here", mac_key=b"m" * 32, hash_key=b"h" * 32)
NOW = 1_780_000_000_000
SAMPLE = {
    "timestamp": "x",
    "source": "a@x.example",
    "messageId": "x",
    "destination": [],
    "tags": {"other": ["kept"]},
}
LANE = event_stream.Lane(
    7, 3, "mc-acmexxxx", "receipt", "shared", SAMPLE, {"Type": "Notification", "Message": ""}
)


def stream(count: int) -> event_stream.Stream:
    return event_stream.make([LANE], OURS, count, run="r", node=64, now=NOW)


def test_the_counts_of_a_stream_are_those_of_its_documents_each_once():
    made = stream(3000)
    assert 2850 < len(made.documents) < 3150
    kinds: dict[int, set[Kind]] = {}
    copies = 0
    for document in made.documents:
        decoded = decode(document)
        assert isinstance(decoded, DecodedEvent)
        attempt = tags.verify(OURS.mac_keys, decoded.event.tags)
        seen = kinds.setdefault(attempt.delivery, set())
        copies += decoded.event.kind in seen
        seen.add(decoded.event.kind)
    assert copies > 0
    assert {delivery: sum(1 << kind for kind in seen) for delivery, seen in kinds.items()} == {
        delivery: bits for delivery, (_, bits) in made.outcomes.items()
    }
    total = sum(made.counts.values(), Counter[str]())
    assert total["sent"] == len(made.ledger) == len(kinds)
    for kind, column in event_stream.COUNTED.items():
        assert total[column] == sum(kind in seen for seen in kinds.values()) > 0


def test_a_suppression_is_waited_for_from_its_first_document():
    made = stream(3000)
    for to, place in made.suppressing.items():
        naming = [n for n, document in enumerate(made.documents) if to in document]
        suppressing = [n for n in naming if "Permanent" in made.documents[n] or "abuse" in made.documents[n]]
        assert place == suppressing[0]


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_a_bench_of_no_events_is_refused(number: str):
    with pytest.raises(SystemExit):
        events.parse(["--events", number])


def test_figures_are_of_an_event_and_parts_of_postgres_are_summed():
    parts = {"observe": 0.2, "postgres:store": 0.1, "postgres:walwriter": 0.05, "control": 0.01, "api": 9.0}
    one = events.Phase(events=1000, wall=0.5, cpu=parts, queue=0.1, others=0.0, delays=[0.1, 0.2, 0.3])
    assert one.rate == 2000
    assert one.of("postgres") == pytest.approx(150)
    assert one.each == pytest.approx(360)
    assert one.quantile(0.99) == 0.3
