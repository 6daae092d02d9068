"""Samples of the state of the installation, as `mailcordon status` judges it. Only control has them."""

from collections import Counter
from collections.abc import Iterator
from typing import get_args

from mailcordon.adapters.prometheus.samples import Sample, at
from mailcordon.control import status
from mailcordon.control.machine_state import State
from mailcordon.control.problem import CHECKS
from mailcordon.control.status_facts import Facts, alive
from mailcordon.core.feedback import Signal
from mailcordon.core.health import OPTIONAL_ROLES, ROLES
from mailcordon.core.hold import OWNERS
from mailcordon.core.incident import Kind
from mailcordon.core.priority import Class


def of_state(state: State | None) -> Iterator[Sample]:
    """None: the database could not be read."""
    yield Sample("state_read_success", (), float(state is not None))
    if state is None:
        return
    facts = state.facts
    yield Sample("state_read_timestamp_seconds", (), facts.now / 1000)
    yield from _problems(facts)
    yield from _mail(state)
    yield from _ways_out(state)
    yield from _feedback(facts)
    yield from _house(facts)
    yield from _incidents(state)
    yield from _lanes(state)
    yield from _webhooks(state)


def _problems(facts: Facts) -> Iterator[Sample]:
    """As `mailcordon status` judges. Checks without a problem are 0 with an empty code."""
    found = Counter((one.check, one.code) for one in status.judge(facts).problems)
    for check in CHECKS:
        codes = sorted(code for of, code in found if of == check)
        for code in codes or [""]:
            yield Sample("problems", (check, code), found[check, code])
    for role in ROLES:
        running = len(alive(facts, role))
        if (role == "dispatch" and facts.observe_only) or (role in OPTIONAL_ROLES and not facts.of(role)):
            continue  # it has none, and a 0 would call for somebody
        yield Sample("processes_running", (role,), running)


def _mail(state: State) -> Iterator[Sample]:
    facts = state.facts
    since = {one.class_: one.since for one in facts.waiting}
    queued: Counter[Class] = Counter()
    for lane in state.lanes:
        queued[lane.class_] += lane.deliveries
    for class_ in Class:
        yield Sample("queued_deliveries", (class_.word,), queued[class_])
        waited = 0 if class_ not in since else max(0, facts.now - since[class_])
        if "waiting mail" not in facts.unread:
            yield Sample("oldest_waiting_seconds", (class_.word,), waited / 1000)
    for why, count in state.waiting.items():
        yield Sample("waiting_deliveries", (why,), count)
    if "unknown outcomes" not in facts.unread:
        yield Sample("unknown_outcomes_overdue", (), 0 if facts.overdue is None else facts.overdue.count)
    if "set-aside mail" not in facts.unread:
        yield Sample("set_aside_waiting", (), facts.set_aside)


def _ways_out(state: State) -> Iterator[Sample]:
    facts = state.facts
    holds = {(hold.owner, hold.stops): hold.count for hold in state.holds}
    for owner in sorted({*OWNERS, *(owner for owner, _ in holds)}):
        for stops, effect in ((True, "stops"), (False, "slows")):
            yield Sample("holds_open", (owner, effect), holds.get((owner, stops), 0))
    for (scope, cause), count in sorted(Counter((one.scope, str(one.cause)) for one in facts.stops).items()):
        yield Sample("stops_open", (scope, cause), count)
    for account in facts.accounts:
        cell = (account.cell,)
        quota = float("inf") if account.max_24h < 0 else account.max_24h
        yield Sample("account_quota", cell, quota)
        yield Sample("account_sent_24h", cell, account.sent_24h)
        yield Sample("account_sending_enabled", cell, float(account.enabled))
        yield from at("account_polled_timestamp_seconds", account.polled_at, cell)


def _feedback(facts: Facts) -> Iterator[Sample]:
    losses = Counter(one.signal for one in facts.losses)
    if "feedback" not in facts.unread:
        for signal in sorted({*get_args(Signal), *losses}):
            yield Sample("feedback_losses_open", (signal,), losses[signal])
    yield from at("last_call_with_send_event_timestamp_seconds", facts.seen_call)
    yield from at("counts_folded_timestamp_seconds", facts.folded_at or None)


def _house(facts: Facts) -> Iterator[Sample]:
    if "resources at SES" not in facts.unread:
        yield Sample("findings_open", (), len(facts.findings))
    if "domains" not in facts.unread:
        yield Sample("domains_lapsed", (), len(facts.lapsed))
    if facts.storage is not None and facts.storage.days_left is not None:
        yield Sample("partitions_ahead", (), facts.storage.days_left)
    if "snapshots" not in facts.unread:
        yield Sample("oldest_snapshot_seconds", (), facts.snapshot_seconds or 0.0)
    for kind in facts.quarantine:
        yield Sample("quarantine_entries", (kind.why,), kind.entries)
        yield Sample("quarantine_bytes", (kind.why,), kind.bytes)


def _incidents(state: State) -> Iterator[Sample]:
    open_ = {(one.kind, one.severity): one.count for one in state.incidents}
    kinds = sorted({*Kind, *(kind for kind, _ in open_)})
    for kind in kinds:
        for severity in ("critical", "high", "medium", "low"):
            yield Sample("incidents_open", (kind, severity), open_.get((kind, severity), 0))
    oldest: dict[str, int] = {}
    for one in state.incidents:
        oldest[one.kind] = min(one.since, oldest.get(one.kind, one.since))
    for kind, since in sorted(oldest.items()):
        yield from at("incident_oldest_open_timestamp_seconds", since, (kind,))
    for one in state.times:
        for name, values in (("identify", one.identify_ms), ("mitigate", one.mitigate_ms)):
            for percentile, value in zip(("50", "95"), values or (), strict=False):
                yield Sample(f"incident_time_to_{name}_seconds", (one.kind, percentile), value / 1000)


def _lanes(state: State) -> Iterator[Sample]:
    queued: Counter[tuple[str, str]] = Counter()
    for lane in state.lanes:
        queued[lane.tenant, lane.type] += lane.deliveries
    for (tenant, type), count in queued.items():
        yield Sample("lane_queued_deliveries", (tenant, type), count)
    for lane in state.last_hour:
        for outcome, count in lane.outcomes.items():
            yield Sample("lane_last_hour_deliveries", (lane.tenant, lane.type, outcome), count)


def _webhooks(state: State) -> Iterator[Sample]:
    for one in state.webhooks:
        waited = 0 if one.oldest is None else max(0, state.facts.now - one.oldest)
        yield Sample("webhook_waiting_messages", (one.name,), one.waiting)
        yield Sample("webhook_oldest_waiting_seconds", (one.name,), waited / 1000)
