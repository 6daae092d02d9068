"""Documents as other projects hold them and documents with hostile members, with our signed tags in them: from the queue to the
rows. None stops a batch, none suppresses an address that SES does not say so of, and no signed bounce is lost."""

import base64
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from mailcordon.core.delivery import State
from mailcordon.core.event import Kind

from .conftest import IDENTITY_TOPIC, Sent, World, enveloped

SHARED = Path(os.environ.get("MAILCORDON_SHARED", "nowhere")) / "data"
ON_A_QUEUE = (
    "raw",
    "sns_http",
    "eventbridge",
)  #: envelopes as our queues bring them; the others are a program's


async def suppressed(world: World) -> list[tuple[str, str]]:
    return sorted(
        (row[0], row[1]) for row in await world.rows("select address, cause from suppression order by 1, 2")
    )


async def states(world: World) -> dict[int, State]:
    return {row[0]: State(row[1]) for row in await world.rows("select id, state from outcome")}


# Of other projects ------------------------------------------------------------------------------------------------------------


def inner(payload: dict[str, Any]) -> dict[str, Any]:
    """The event in an envelope."""
    if isinstance(payload.get("Message"), str):
        return json.loads(payload["Message"])
    return payload.get("detail", payload)


def with_inner(payload: dict[str, Any], event: dict[str, Any]) -> str:
    if isinstance(payload.get("Message"), str):
        return json.dumps(payload | {"Message": json.dumps(event)})
    return json.dumps(payload | {"detail": event} if "detail" in payload else event)


@pytest.mark.skipif(not SHARED.is_dir(), reason="MAILCORDON_SHARED names no folder with SES documents")
async def test_documents_of_other_projects_with_our_tags_suppress_what_they_say_and_nothing_else(
    world: World,
) -> None:
    with gzip.open(SHARED / "ses_events" / "envelopes.jsonl.gz", "rt") as file:
        cases = [json.loads(line) for line in file]
    documents: list[str] = []
    wanted: dict[int, tuple[str, Sent]] = {}
    for number, case in enumerate(cases):
        if case["envelope"] not in ON_A_QUEUE:
            documents.append(json.dumps(case["payload"]))
            continue
        event = inner(case["payload"])
        if "mail" not in event:  # shortened by its project
            documents.append(json.dumps(case["payload"]))
            continue
        # Each mail has an address of its own, so that each suppression is of one document.
        to = f"r{number}@example.com"
        sent = await world.sent("acme", "newsletter", to)
        mail = event["mail"] | {
            "tags": event["mail"].get("tags", {}) | sent.mail()["tags"],
            "destination": [to],
        }
        if "messageId" in mail:
            mail["messageId"] = sent.ses_id
        documents.append(with_inner(case["payload"], event | {"mail": mail}))
        if "messageId" in mail:
            wanted[sent.delivery] = (case["expected"]["kind"] if case["expected"]["suppress"] else "", sent)
    report = await world.tell(*documents)
    assert sum(report.counted.values()) == len(wanted) > 40
    cause = {"bounce": "hard-bounce", "complaint": "complaint"}
    assert await suppressed(world) == sorted((sent.to, cause[kind]) for kind, sent in wanted.values() if kind)
    found = await states(world)
    for delivery, (kind, _) in wanted.items():
        if kind:
            assert found[delivery] is {"bounce": State.BOUNCED, "complaint": State.COMPLAINED}[kind]


@pytest.mark.skipif(not SHARED.is_dir(), reason="MAILCORDON_SHARED names no folder with hostile texts")
async def test_whatever_stands_on_the_queue_the_bounce_behind_it_counts(world: World) -> None:
    with gzip.open(SHARED / "robustness" / "jsontestsuite.jsonl.gz", "rt") as file:
        bodies = [base64.b64decode(json.loads(line)["body_b64"]) for line in file]
    # A queue's body is text.
    nonsense = [body.decode("utf-8", "replace") for body in bodies]
    with (SHARED / "robustness" / "naughty_strings.jsonl").open() as file:
        texts = [json.loads(line)["s"] for line in file]
    sent = [await world.sent("acme", "newsletter", f"r{n}@example.com") for n in range(len(texts))]
    hostile = [
        one.bounce(
            bouncedRecipients=[{"emailAddress": one.to, "diagnosticCode": f"550 5.1.1 user unknown {text}"}],
            reportingMTA=text,
            feedbackId=text,
        )
        for one, text in zip(sent, texts, strict=True)
    ]
    wrapped = [enveloped(text) for text in nonsense]
    report = await world.tell(*nonsense, *wrapped, *texts, *hostile)
    assert report.counted == {Kind.HARD_BOUNCE: len(sent)}
    assert await suppressed(world) == sorted((one.to, "hard-bounce") for one in sent)
    assert set(report.quarantined) <= {"malformed"}


# Hostile members --------------------------------------------------------------------------------------------------------------

HOSTILE: tuple[Any, ...] = (
    None,
    True,
    511,
    -1,
    2**80,
    1.5,
    "",
    "x" * 70_000,
    "\0\ud800",
    "\u202e\r\n\x1b[2K",
    [],
    [None],
    [[[]]],
    {},
    {"a": 1},
    {"emailAddress": {"emailAddress": []}},
)
OF_THE_MAIL = (
    "timestamp",
    "source",
    "sourceArn",
    "sendingAccountId",
    "destination",
    "headers",
    "headersTruncated",
    "commonHeaders",
    "callerIdentity",
)
OF_THE_BOUNCE = (
    "bouncedRecipients",
    "timestamp",
    "feedbackId",
    "reportingMTA",
    "remoteMtaIp",
    "bounceSubType",
    "somethingNew",
)
OF_THE_RECIPIENT = ("emailAddress", "action", "status", "diagnosticCode", "somethingNew")


OF_THE_COMPLAINT = (
    "complainedRecipients",
    "timestamp",
    "feedbackId",
    "complaintFeedbackType",
    "userAgent",
    "arrivalDate",
)


def changed(sent: Sent, part: str, name: str, value: Any) -> str:
    """A bounce, or a complaint, with one member of another value; `...` leaves it out."""
    if part == "complaint":
        event = json.loads(sent.complaint(after=5000))
        event["complaint"] = {k: v for k, v in event["complaint"].items() if k != name or value is not ...}
        event["complaint"] |= {} if value is ... else {name: value}
        return json.dumps(event)
    event = json.loads(sent.bounce())
    of = {
        "mail": event["mail"],
        "bounce": event["bounce"],
        "recipient": event["bounce"]["bouncedRecipients"][0],
    }
    of["tags"], of["event"] = event["mail"]["tags"], event
    if value is ...:
        of[part].pop(name, None)
    else:
        of[part][name] = value
    return json.dumps(event)


async def test_no_hostile_member_of_a_signed_bounce_or_complaint_keeps_its_address_open(world: World) -> None:
    members = [
        *(("mail", name) for name in OF_THE_MAIL),
        *(("bounce", name) for name in OF_THE_BOUNCE),
        *(("recipient", name) for name in OF_THE_RECIPIENT),
        *(("complaint", name) for name in OF_THE_COMPLAINT),
        ("tags", "ses:source-ip"),
        ("tags", "campaign"),
        ("event", "somethingNew"),
    ]
    documents: list[str] = []
    sent: list[Sent] = []
    ends: list[tuple[State, str]] = []
    for part, name in members:
        for value in (*HOSTILE, ...):
            if (part, name, value) == ("bounce", "bounceSubType", ...):
                continue
            one = await world.sent("acme", "receipt", f"r{len(sent)}@example.com")
            sent.append(one)
            complained = part == "complaint"
            ends.append((State.COMPLAINED, "complaint") if complained else (State.BOUNCED, "hard-bounce"))
            document = changed(one, part, name, value)
            documents.append(enveloped(document, IDENTITY_TOPIC) if len(sent) % 2 else document)
    for start in range(0, len(documents), 500):
        report = await world.tell(*documents[start : start + 500])
        assert not report.quarantined, report.alarms
    found = await states(world)
    assert {one.to: found.get(one.delivery) for one in sent} == {
        one.to: state for one, (state, _) in zip(sent, ends, strict=True)
    }
    assert await suppressed(world) == sorted(
        (one.to, cause) for one, (_, cause) in zip(sent, ends, strict=True)
    )


async def test_a_hostile_kind_type_or_id_is_quarantined_or_suppresses_nobody(world: World) -> None:
    """What decides whether a bounce is permanent, and whose it is, is not guessed."""
    sent: list[Sent] = []
    documents: list[str] = []
    for part, name in (
        ("bounce", "bounceType"),
        ("event", "eventType"),
        ("mail", "messageId"),
        ("mail", "tags"),
    ):
        for value in HOSTILE:
            one = await world.sent("acme", "receipt", f"r{len(sent)}@example.com")
            sent.append(one)
            documents.append(changed(one, part, name, value))
    report = await world.tell(*documents)
    assert await suppressed(world) == []
    assert sum(report.counted.values()) + sum(report.quarantined.values()) == len(documents)
    assert set(report.quarantined) <= {"malformed", "ungoverned", "disagreement", "double"}
