"""Samples from what a process reports of itself (its `facts`, as in the heartbeat).

A value that is not known gives no sample: a made-up 0 would look well.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from mailcordon.core.health import Role
from mailcordon.core.histogram import Histogram


class Sample(NamedTuple):
    """`name` without `mailcordon_`. A histogram's value is cumulative, as Histogram.cumulative, with the sum."""

    name: str
    labels: tuple[str, ...]
    value: float | Histogram


Document = Mapping[str, Any]


def of_role(role: Role, facts: Document, histograms: Iterable[Sample] = ()) -> Iterator[Sample]:
    of = {
        "api": _api,
        "dispatch": _dispatch,
        "observe": _observe,
        "control": _control,
        "smtp": _door,
        "dashboard": _dashboard,
    }
    yield from of[role](facts)
    yield from histograms


def _door(facts: Document) -> Iterator[Sample]:
    """What every process that takes mail reports."""
    yield Sample("accepted_deliveries_total", (), facts["accepted"])
    yield from at("last_accepted_timestamp_seconds", facts["last_accepted"])
    yield from seconds("clock_skew_seconds", facts["skew_ms"])
    yield from _connections(facts)


def _connections(facts: Document) -> Iterator[Sample]:
    door: Document = facts["door"]
    for limit, count in sorted(door["refused"].items()):
        yield Sample("door_refusals_total", (limit,), count)
    yield Sample("door_connections", (), door["connections"])
    yield Sample("door_body_bytes", (), door["body_bytes"])


def _dashboard(facts: Document) -> Iterator[Sample]:
    yield from _connections(facts)
    for status, count in sorted(facts["pages"].items()):
        yield Sample("dashboard_pages_total", (status,), count)
    yield Sample("dashboard_live_viewers", (), facts["live_viewers"])


def _api(facts: Document) -> Iterator[Sample]:
    yield from _door(facts)
    events: Document = facts["event_doors"]
    for name, count in sorted(events["taken"].items()):
        yield Sample("event_door_events_total", (name,), count)
    for reason, count in sorted(events["refused"].items()):
        yield Sample("event_door_refusals_total", (reason,), count)


def _dispatch(facts: Document) -> Iterator[Sample]:
    yield Sample("claimed_deliveries_total", (), facts["claimed"])
    yield Sample("sent_deliveries_total", (), facts["sent"])
    yield Sample("set_aside_total", (), facts["set_aside"])
    yield Sample("clock_corrections_total", (), facts["clock_corrections"])
    yield Sample("calls_in_flight", (), facts["in_flight"])
    yield Sample("results_rejected", (), facts["rejected"])
    yield Sample("dispatch_stopped", (), float(facts["stopped"] is not None))
    yield from at("last_claim_timestamp_seconds", facts["last_claim"])
    yield from at("last_sent_timestamp_seconds", facts["last_success"])


def _observe(facts: Document) -> Iterator[Sample]:
    for queue in facts["queues"]:
        name = (queue["name"],)
        yield Sample("queue_received_messages_total", name, queue["received"])
        yield Sample("queue_stored_messages_total", name, queue["stored"])
        yield Sample("queue_quarantined_messages_total", name, queue["quarantined"])
        yield Sample("queue_unverified_messages_total", name, queue["unverified"])
        yield Sample("queue_odd_events_total", name, queue["odd"])
        yield Sample("queue_receiving", name, float(queue["live"]))
        yield from at("queue_last_receive_timestamp_seconds", queue["last_receive"], name)
        yield from at("queue_last_event_timestamp_seconds", queue["last_event"], name)


def _control(facts: Document) -> Iterator[Sample]:
    yield from at("last_reconcile_timestamp_seconds", facts["last_reconcile"])
    yield from at("last_account_timestamp_seconds", facts["last_account"])
    calls: Document = facts["calls"] or {}
    if (rate := calls.get("calls_per_second_now")) is not None:
        yield Sample("ses_calls_allowed_per_second", (), rate)
    if scan := calls.get("scan"):
        yield Sample("scan_period_seconds", (), scan["period_seconds"])
    signals: Document = facts["signals"] or {}
    events: Mapping[str, int] = signals.get("events") or {}
    for verdict, count in sorted(events.items()):
        yield Sample("management_events_total", (verdict,), count)
    webhooks: Mapping[str, Mapping[str, int]] = facts["webhooks"]
    for name, counts in sorted(webhooks.items()):
        for result, count in sorted(counts.items()):
            yield Sample("webhook_messages_total", (name, result), count)


def at(name: str, ms: int | None, labels: tuple[str, ...] = ()) -> Iterator[Sample]:
    return seconds(name, ms, labels)


def seconds(name: str, ms: float | None, labels: tuple[str, ...] = ()) -> Iterator[Sample]:
    if ms is not None:
        yield Sample(name, labels, ms / 1000)
