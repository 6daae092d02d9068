"""Whatever holds SES's events, the same events come out of it: all nine forms of other projects' documents, and files."""

import base64
import gzip
import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from mailcordon.adapters.ses.envelopes import documents
from mailcordon.adapters.ses.event_values import bare_address, milliseconds
from mailcordon.adapters.ses.feedback import decode
from mailcordon.core.event import Event, Kind
from mailcordon.observe.ports import DecodedEvent

SHARED = Path(os.environ.get("MAILCORDON_SHARED", "nowhere")) / "data" / "ses_events"
FORMS = {
    "raw",
    "sns_http",
    "eventbridge",
    "sqs_of_sns",
    "sqs_of_sns_raw",
    "sqs_of_eventbridge",
    "lambda_sns",
    "firehose",
    "firehose_http",
}
KINDS = {
    "delivery": {Kind.DELIVERY},
    "bounce": {Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE, Kind.SUPPRESSED},
    "complaint": {Kind.COMPLAINT, Kind.SUPPRESSED},
    "reject": {Kind.REJECT},
    "open": {Kind.OPEN},
    "click": {Kind.CLICK},
}
EVENT = {"eventType": "Send", "mail": {"messageId": "0100", "timestamp": "2026-03-01T10:00:00.000Z"}}
TEXT = json.dumps(EVENT)


def ids(body: str | bytes) -> list[str]:
    found = [decode(one) for one in documents(body)]
    return [one.event.ses_id if isinstance(one, DecodedEvent) else type(one).__name__ for one in found]


def events_of(payload: dict[str, Any]) -> Any:
    """The event in its normal form, or why there is none."""
    [one] = documents(json.dumps(payload))
    found = decode(one)
    return (
        found.event if isinstance(found, DecodedEvent) else (type(found).__name__, getattr(found, "why", ""))
    )


@pytest.mark.skipif(not SHARED.is_dir(), reason="MAILCORDON_SHARED names no folder with SES documents")
def test_all_nine_forms_of_an_event_give_one_normal_form() -> None:
    with gzip.open(SHARED / "envelopes.jsonl.gz", "rt") as file:
        cases = [json.loads(line) for line in file]
    groups: dict[str, dict[str, Any]] = defaultdict(dict)
    for case in cases:
        groups[case["base"]][case["envelope"]] = case
    assert len(groups) == 19
    for base, forms in groups.items():
        assert set(forms) == FORMS
        found = {form: events_of(case["payload"]) for form, case in forms.items()}
        if isinstance(found["raw"], Event):
            assert all(one == found["raw"] for one in found.values()), (base, found)
        else:  # shortened by its project
            assert {one[0] for one in found.values()} == {"Malformed"}
        check(found["raw"], forms["raw"]["expected"], forms["raw"]["payload"])


@pytest.mark.skipif(not SHARED.is_dir(), reason="MAILCORDON_SHARED names no folder with SES documents")
def test_documents_as_they_came_give_what_is_expected_of_them() -> None:
    lines = (SHARED / "expected.jsonl").read_text().splitlines()
    for case in map(json.loads, lines):
        payload = json.loads((SHARED / "payloads" / case["file"]).read_text())
        if isinstance(payload, dict) and isinstance(payload.get("Message"), dict):
            payload["Message"] = json.dumps(payload["Message"])  # its project shows it parsed
        found = events_of(payload)
        if case["expected"]["kind"] in KINDS:
            check(found, case["expected"], payload)
        else:
            assert not isinstance(found, Event), case["file"]


def check(event: Any, expected: dict[str, Any], payload: dict[str, Any]) -> None:
    if expected["message_id"] is None:  # shortened by its project
        assert event[0] == "Malformed", payload
        return
    assert isinstance(event, Event), (event, payload)
    assert event.kind in KINDS[expected["kind"]] or event.detail.get("not_spam") or event.kind is Kind.OTHER
    assert event.ses_id == expected["message_id"]
    assert event.configuration_set == expected.get("configuration_set")
    assert dict(event.tags) == {name: values[0] for name, values in expected.get("tags", {}).items()}
    named = [bare_address(one["email"]) for one in expected.get("recipients", [])]
    if expected["kind"] in ("bounce", "complaint", "delivery"):
        assert list(event.recipients) == named
    if (at := milliseconds(expected.get("timestamp"))) is not None and expected["kind"] != "open":
        assert event.mail_at == at or event.at == at
    if expected["kind"] == "bounce":
        assert event.reason == f"{expected['bounce_type']}/{expected['bounce_subtype']}"


@pytest.mark.parametrize("between", ["", "\n", "\r\n", " "])
def test_documents_that_follow_each_other_are_told_apart(between: str) -> None:
    others = [TEXT, TEXT.replace("0100", "0200"), TEXT.replace("0100", "0300")]
    assert ids(between.join(others)) == ["0100", "0200", "0300"]
    assert ids((between.join(others) + "\n").encode()) == ["0100", "0200", "0300"]


def test_a_bad_text_behind_good_ones_stands_alone() -> None:
    assert ids(f"{TEXT}\n{TEXT}\n{{nonsense") == ["0100", "0100", "Malformed"]


def test_a_body_with_very_many_documents_is_taken_apart_so_far_and_the_rest_is_one() -> None:
    """A mebibyte of the smallest ones would take seconds, in which the API does nothing else."""
    found = documents("{}" * 6_000)
    assert found[:-1] == ["{}"] * 5_000
    assert found[-1] == "{}" * 1_000


def test_what_firehose_could_not_deliver_is_read_from_its_error_file() -> None:
    failed = {
        "attemptsMade": 3,
        "arrivalTimestamp": 1772366400000,
        "errorCode": "HttpEndpoint.RequestTimeout",
        "errorMessage": "x",
        "rawData": base64.b64encode(TEXT.encode()).decode(),
    }
    assert ids(json.dumps(failed)) == ["0100"]
    assert ids("\n".join([json.dumps(failed)] * 2)) == ["0100", "0100"]


def test_messages_as_sqs_returns_them_are_read_from_a_file() -> None:
    assert ids(json.dumps({"Messages": [{"MessageId": "1", "Body": TEXT}] * 2})) == ["0100", "0100"]


@pytest.mark.parametrize(
    "odd",
    [
        {"records": []},
        {"Records": [{}]},
        {"Records": [{"ses": {"mail": {"messageId": "x"}}, "eventSource": "aws:ses"}]},
        {"records": [{"data": 7}]},
        {"records": "x"},
        {"rawData": TEXT},
        {"Records": [{"body": TEXT}, {}]},
    ],
)
def test_what_is_no_container_of_events_is_one_document(odd: Any) -> None:
    body = json.dumps(odd)
    assert documents(body) == [body]


def test_a_record_that_is_no_base64_is_a_document_of_its_own() -> None:
    good = base64.b64encode(TEXT.encode()).decode()
    assert ids(json.dumps({"records": [{"data": good}, {"data": "!"}, {"data": good}]})) == [
        "0100",
        "Malformed",
        "0100",
    ]


def test_containers_in_containers_end_somewhere() -> None:
    body = TEXT
    for _ in range(10):
        body = json.dumps({"Messages": [{"Body": body}]})
    [left] = documents(body)
    assert len(left) > len(TEXT)
    assert len(documents("[]" * 10)) == 1
