"""Every metric that a role process has: its name, type and labels. Tests compare them with the documentation, the dashboard and
the alert rules.

Labels have few values: roles, classes, kinds, queues, reasons. Only `mailcordon_lane_...` names tenants, for so many lanes as
TOP_LANES says, and `mailcordon_webhook_...` as many webhooks; the rest is added up under `other`.
"""

from dataclasses import dataclass
from typing import Literal

from mailcordon.core.health import Role

TOP_LANES = 20
OTHER = "other"

Type = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Family:
    name: str
    type: Type
    labels: tuple[str, ...] = ()


def _gauges(*names: str, labels: tuple[str, ...] = ()) -> tuple[Family, ...]:
    return tuple(Family(f"mailcordon_{name}", "gauge", labels) for name in names)


def _counters(*names: str, labels: tuple[str, ...] = ()) -> tuple[Family, ...]:
    return tuple(Family(f"mailcordon_{name}_total", "counter", labels) for name in names)


EVERY_ROLE = (Family("mailcordon_process_info", "gauge", ("role", "cell", "installation", "version")),)

_DOOR = (
    *_counters("accepted_deliveries"),
    *_gauges("last_accepted_timestamp_seconds", "clock_skew_seconds"),
    *_counters("door_refusals", labels=("limit",)),
    *_gauges("door_connections", "door_body_bytes"),
)
_API = (
    *_DOOR,
    *_counters("event_door_events", labels=("door",)),
    *_counters("event_door_refusals", labels=("reason",)),
)
_DASHBOARD = (
    *_counters("door_refusals", labels=("limit",)),
    *_gauges("door_connections", "door_body_bytes"),
    *_counters("dashboard_pages", labels=("status",)),
    *_gauges("dashboard_live_viewers"),
)
_DISPATCH = (
    *_counters("claimed_deliveries", "sent_deliveries", "set_aside", "clock_corrections"),
    *_gauges("calls_in_flight", "results_rejected", "dispatch_stopped"),
    *_gauges("last_claim_timestamp_seconds", "last_sent_timestamp_seconds"),
    Family("mailcordon_call_seconds", "histogram"),
    Family("mailcordon_accepted_to_sent_seconds", "histogram", ("loop",)),
)
_OBSERVE = (
    *_counters(
        "queue_received_messages",
        "queue_stored_messages",
        "queue_quarantined_messages",
        "queue_unverified_messages",
        "queue_odd_events",
        labels=("queue",),
    ),
    *_counters("events", labels=("queue", "kind")),
    *_gauges(
        "queue_receiving",
        "queue_last_receive_timestamp_seconds",
        "queue_last_event_timestamp_seconds",
        labels=("queue",),
    ),
    Family("mailcordon_event_lag_seconds", "histogram", ("queue",)),
)
_CONTROL = (
    *_gauges("last_reconcile_timestamp_seconds", "last_account_timestamp_seconds"),
    *_gauges("ses_calls_allowed_per_second", "scan_period_seconds"),
    *_counters("management_events", labels=("verdict",)),
    *_counters("webhook_messages", labels=("webhook", "result")),
)
#: Of the whole installation, read from the database when control is asked.
STATE = (
    *_gauges("state_read_success", "state_read_timestamp_seconds"),
    *_gauges("problems", labels=("check", "code")),
    *_gauges("processes_running", labels=("role",)),
    *_gauges("queued_deliveries", "oldest_waiting_seconds", labels=("class",)),
    *_gauges("waiting_deliveries", labels=("why",)),
    *_gauges("unknown_outcomes_overdue", "set_aside_waiting"),
    *_gauges("holds_open", labels=("owner", "effect")),
    *_gauges("stops_open", labels=("scope", "cause")),
    *_gauges("account_quota", "account_sent_24h", "account_sending_enabled", labels=("cell",)),
    *_gauges("account_polled_timestamp_seconds", labels=("cell",)),
    *_gauges("feedback_losses_open", labels=("signal",)),
    *_gauges("last_call_with_send_event_timestamp_seconds", "counts_folded_timestamp_seconds"),
    *_gauges("findings_open", "domains_lapsed", "partitions_ahead", "oldest_snapshot_seconds"),
    *_gauges("quarantine_entries", "quarantine_bytes", labels=("why",)),
    *_gauges("incidents_open", labels=("kind", "severity")),
    *_gauges("incident_oldest_open_timestamp_seconds", labels=("kind",)),
    *_gauges(
        "incident_time_to_identify_seconds",
        "incident_time_to_mitigate_seconds",
        labels=("kind", "percentile"),
    ),
    *_gauges("lane_queued_deliveries", labels=("tenant", "type")),
    *_gauges("lane_last_hour_deliveries", labels=("tenant", "type", "outcome")),
    *_gauges("webhook_waiting_messages", "webhook_oldest_waiting_seconds", labels=("webhook",)),
)

OF_ROLE: dict[Role, tuple[Family, ...]] = {
    "api": (*EVERY_ROLE, *_API),
    "dispatch": (*EVERY_ROLE, *_DISPATCH),
    "observe": (*EVERY_ROLE, *_OBSERVE),
    "control": (*EVERY_ROLE, *_CONTROL, *STATE),
    "smtp": (*EVERY_ROLE, *_DOOR),
    "dashboard": (*EVERY_ROLE, *_DASHBOARD),
}
