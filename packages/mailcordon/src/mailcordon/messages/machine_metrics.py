"""Metrics for machines: what each one means, and what an endpoint answers (docs/machine-metrics.md)."""

from collections.abc import Mapping

from mailcordon.messages.catalogue import example

_HELP: Mapping[str, str] = {
    "process_info": "The role process that answers: always 1",
    # api
    "accepted_deliveries_total": "Deliveries that this process accepted and committed",
    "last_accepted_timestamp_seconds": "When this process last accepted mail, by the database's clock",
    "clock_skew_seconds": "The database's clock minus this host's, at the last commit",
    "door_refusals_total": "Connections and requests that were refused, by limit",
    "door_connections": "Open connections of clients",
    "dashboard_pages_total": "Answers, by HTTP status",
    "dashboard_live_viewers": "Pages that receive live figures now",
    "door_body_bytes": "Bytes of bodies in memory or announced",
    "event_door_events_total": "Events that came over HTTP and were stored",
    "event_door_refusals_total": "Requests at the doors for events that were refused",
    # dispatch
    "claimed_deliveries_total": "Deliveries that this dispatcher claimed, a retry counted again",
    "sent_deliveries_total": "Calls that SES accepted",
    "set_aside_total": "Mails that SES refused with an error that Mailcordon does not know",
    "clock_corrections_total": "Stamps from the future that were set to now: the database's clock went back",
    "calls_in_flight": "Calls to SES on the wire, and results that are not recorded yet",
    "results_rejected": "Results of calls that the database does not take",
    "dispatch_stopped": "1 while this dispatcher claims nothing because of SES's answers",
    "last_claim_timestamp_seconds": "When this dispatcher last claimed mail",
    "last_sent_timestamp_seconds": "When the last call was made that SES accepted",
    "call_seconds": "How long calls to SES took, whatever was answered",
    "accepted_to_sent_seconds": "From the acceptance of a delivery to the call that SES accepted; `loop` is urgent or other mail",
    # observe
    "queue_received_messages_total": "Messages received from an event queue, one that comes back counted again",
    "queue_stored_messages_total": "Messages whose batch was committed",
    "queue_quarantined_messages_total": "Messages that went to quarantine",
    "queue_unverified_messages_total": "Of these, messages that nothing proves to come from SES",
    "queue_odd_events_total": "Events with a time that cannot be, or with another recipient",
    "events_total": "New events of our mail, by kind",
    "queue_receiving": "1 while the queue and the database answer",
    "queue_last_receive_timestamp_seconds": "When the queue last answered, with messages or without",
    "queue_last_event_timestamp_seconds": "When a batch with messages was last committed",
    "event_lag_seconds": "From SES's time of an event to its commit, copies and replays included",
    # control
    "last_reconcile_timestamp_seconds": "When a round last found nothing left to do at SES",
    "last_account_timestamp_seconds": "When GetAccount last answered",
    "ses_calls_allowed_per_second": "Management calls to SES a second that are allowed at present",
    "scan_period_seconds": "Within which time the rolling check looks at every resource at SES",
    "management_events_total": "Management events of SES's account, by verdict",
    # the state of the installation
    "state_read_success": "1 if the database could be read for the metrics below; if not, they are missing",
    "state_read_timestamp_seconds": "When they were read, by the database's clock",
    "problems": "Problems that `mailcordon status` shows; 0 without a code for a check that found none",
    "processes_running": "Role processes that report; an installation that observes only has no dispatch",
    "queued_deliveries": "Accepted deliveries that have not ended, held ones included",
    "oldest_waiting_seconds": "How long the mail of a class has waited for its turn at most, held mail apart",
    "waiting_deliveries": "Deliveries that wait for a retry, an outcome or the end of a narrow hold, counted up to 100,000",
    "unknown_outcomes_overdue": "Unknown outcomes that should be settled by now, counted up to 1,000",
    "set_aside_waiting": "Mail that SES refused with an error that Mailcordon does not know, counted up to 1,000",
    "holds_open": "Open holds, by who placed them and whether they stop or slow mail",
    "stops_open": "Open stops, counted up to 200; none of a scope and cause: no sample",
    "account_quota": "Mails in 24 hours that SES allows",
    "account_sent_24h": "Mails of the last 24 hours that SES counts, and what dispatchers took since",
    "account_sending_enabled": "0 while SES does not let the account send",
    "account_polled_timestamp_seconds": "When SES was last asked for these",
    "feedback_losses_open": "Open losses of feedback, late feedback included, counted up to 200",
    "last_call_with_send_event_timestamp_seconds": "The latest call whose Send event is stored",
    "counts_folded_timestamp_seconds": "Changes of counts that were committed before are in the counts",
    "findings_open": "Differences at SES that are high or critical, counted up to 200",
    "domains_lapsed": "Domains that lost their DNS records, counted up to 200",
    "partitions_ahead": "Days after today for which every table has a partition",
    "oldest_snapshot_seconds": "Age of the oldest transaction with a snapshot, which slows the queue",
    "quarantine_entries": "Documents in quarantine",
    "quarantine_bytes": "Bytes of these documents",
    "incidents_open": "Open incidents",
    "incident_oldest_open_timestamp_seconds": "When the oldest open incident of a kind began, estimated",
    "incident_time_to_identify_seconds": "From the estimated start to a known culprit, of incidents of the last 30 days",
    "incident_time_to_mitigate_seconds": "From the estimated start to no more harm, of incidents of the last 30 days",
    "lane_queued_deliveries": "Accepted deliveries that have not ended, of the 20 lanes with the most, and of all others",
    "lane_last_hour_deliveries": (
        "Mail handed to SES in the last full hour and what is known of it, of the 20 lanes with the most, and of all others"
    ),
    "webhook_messages_total": (
        "Messages of this process to webhooks: delivered, and tries that failed; of the first 20 webhooks, and of all others"
    ),
    "webhook_waiting_messages": (
        "Messages that wait for a webhook, counted up to 10,000, of the 20 webhooks with the most, and of all others"
    ),
    "webhook_oldest_waiting_seconds": "How long ago the oldest of these happened; 0 if nothing waits",
}


@example("mailcordon_sent_deliveries_total")
@example("mailcordon_oldest_waiting_seconds")
def help_of(name: str) -> str:
    """Beside a metric, in its HELP line."""
    return _HELP[name.removeprefix("mailcordon_")]


@example()
def wrong_path() -> str:
    """A metrics port was asked for something else."""
    return "This port has only /metrics.\n"


@example()
def wrong_method() -> str:
    """A metrics port got another method."""
    return "Use GET.\n"


@example()
def wrong_token() -> str:
    """A scraper sent no token, or a wrong one."""
    return "Send the token in MAILCORDON_METRICS_TOKEN as a bearer token.\n"


@example()
def not_made() -> str:
    """An error in Mailcordon: the log has the traceback."""
    return "The metrics could not be made; the log of this process says why.\n"


@example("127.0.0.1:8027")
def listening(address: str) -> str:
    """Log: where a role answers a scraper."""
    return f"metrics are at http://{address}/metrics"
