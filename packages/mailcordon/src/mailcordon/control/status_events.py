"""The checks of the status about what comes back from SES: events, its own findings, and backlogs of mail and events. Pure."""

from collections.abc import Iterator

from mailcordon.control import subjects
from mailcordon.control.problem import Problem
from mailcordon.control.status_facts import MINUTE, Facts, alive, by_queue
from mailcordon.messages import alarms, status, times
from mailcordon.messages import feedback as messages

#: SES publishes Send events within seconds (ses.md 4); an observer that catches up after a restart needs minutes.
FEEDBACK_MS = 5 * MINUTE
COUNTS_MS = 15_000  #: changes of counts are folded every second
QUEUE_SILENT_MS = MINUTE  #: a receive waits 20 s at most and is then repeated
QUARANTINE_NEWS_MS = 24 * 60 * MINUTE  #: a document that quarantine had no room for is shown this long
DOUBTFUL_MS = 15 * MINUTE  #: doubtful events are a problem for so long after the last one
FULL_MS = 2 * MINUTE  #: a lane counts as full for so long after it last refused mail
#: Events that wait in a queue. An observer reads some thousands a second, so this is a minute or more of work.
MOST_WAITING = 50_000


def feedback(facts: Facts) -> Iterator[Problem]:
    for loss in facts.losses:
        yield Problem(
            code="feedback-late" if loss.late else "feedback-lost",
            check="feedback",
            sentence=loss.sentence,
            next=messages.what_next(loss.cause),
            since=loss.since,
            about=subjects.of_loss(loss, sorted(by_queue(alive(facts, "observe")))),
        )
    yield from _silence(facts)
    yield from _queues(facts)
    yield from _counts(facts)


def _silence(facts: Facts) -> Iterator[Problem]:
    """SES accepted calls long enough ago, and no Send event of a call as late as these has arrived. Control raises a loss sooner,
    if it runs."""
    if any(loss.signal == "send" for loss in facts.losses):
        return
    minutes = {
        int(minute)
        for beat in facts.beats
        if beat.role == "dispatch"
        for minute in beat.facts.get("success_minutes", ())
    }
    seen = facts.seen_call or 0
    silent = [
        minute
        for minute in minutes
        if minute * MINUTE > seen and (minute + 1) * MINUTE + FEEDBACK_MS <= facts.now
    ]
    if silent:
        since = min(silent) * MINUTE
        yield Problem(
            code="feedback-silent",
            check="feedback",
            sentence=status.status_feedback_silent(since=times.minute(since)),
            next=status.status_feedback_silent_next(),
            since=since,
            about=subjects.of_silence(),
        )


def _queues(facts: Facts) -> Iterator[Problem]:
    observers = alive(facts, "observe")
    for name, queues in by_queue(observers).items():
        uncertain = next((queue["uncertain"] for queue in queues if queue.get("uncertain")), None)
        if uncertain is not None:
            yield Problem(
                code="events-uncertain",
                check="feedback",
                sentence=status.status_events_uncertain(queue=name, why=uncertain),
                next=status.status_events_uncertain_next(),
                about=subjects.of_queue(name),
            )
            continue
        left = next((queue["left"] for queue in queues if queue.get("left")), None)
        if left is not None:
            yield Problem(
                code="events-uncertain",
                check="feedback",
                sentence=status.status_events_left(queue=name, why=left),
                next=status.status_events_uncertain_next(),
                about=subjects.of_queue(name),
            )
        newest = max((queue.get("last_receive") or 0 for queue in queues), default=0)
        started = min(beat.started for beat in observers)
        if facts.now - max(newest, started) > QUEUE_SILENT_MS:
            yield Problem(
                code="queue-silent",
                check="feedback",
                sentence=status.status_queue_silent(
                    queue=name, why=next((queue["problem"] for queue in queues if queue.get("problem")), None)
                ),
                next=status.status_queue_silent_next(),
                since=newest or None,
                about=subjects.of_queue(name),
            )


def _counts(facts: Facts) -> Iterator[Problem]:
    """Of processes that run and do not fold. Without any, the roles are the problem."""
    folders = [*alive(facts, "control"), *alive(facts, "observe")]
    if folders and facts.folded_at is not None:
        since = max(facts.folded_at, min(beat.started for beat in folders))
        if facts.now - since > COUNTS_MS:
            seconds = (facts.now - since) // 1000
            yield Problem(
                code="counts-behind",
                check="feedback",
                sentence=status.status_counts_behind(seconds=seconds),
                next=status.status_counts_behind_next(),
                since=since,
                about=subjects.of_database("counts"),
            )


def full_quarantine(facts: Facts) -> Iterator[Problem]:
    for kind in facts.quarantine:
        if kind.not_kept_at is None or facts.now - kind.not_kept_at > QUARANTINE_NEWS_MS:
            continue
        yield Problem(
            code="quarantine-full",
            check="quarantine",
            sentence=status.status_quarantine_full(
                why=kind.why,
                entries=kind.entries,
                most_entries=kind.most_entries,
                bytes=kind.bytes,
                most_bytes=kind.most_bytes,
                not_kept=kind.not_kept,
                since=times.minute(kind.not_kept_at),
            ),
            next=status.status_quarantine_full_next(why=kind.why),
            since=kind.not_kept_at,
            about=subjects.of_quarantine(kind.why),
        )


def ses_findings(facts: Facts) -> Iterator[Problem]:
    for found in facts.ses_findings:
        yield Problem(
            code="ses-finding",
            check="findings of SES",
            sentence=alarms.ses_finding(
                name=found.tenant or found.name,
                type=found.type,
                impact=found.impact,
                said=found.description,
                since=found.since,
            ),
            next=alarms.ses_finding_next(tenant=found.tenant),
            whose=found.tenant,
            since=found.since,
            about=subjects.of_ses_finding(found),
        )


def doubtful(facts: Facts) -> Iterator[Problem]:
    """Notices of the status: the service is well, and nothing of these events is counted. Somebody should know who sent them."""
    for one in facts.doubtful:
        yield Problem(
            code="events-doubtful",
            check="quarantine",
            sentence=alarms.doubtful(
                why=one.why,
                tenant=one.tenant,
                source=one.source,
                documents=one.documents,
                detail=one.detail,
                since=one.since,
            ),
            next=alarms.doubtful_next(why=one.why),
            whose=one.tenant,
            since=one.since,
            about=subjects.of_doubtful(one),
        )


def backlogs(facts: Facts) -> Iterator[Problem]:
    for one in facts.full:
        yield Problem(
            code="lane-full",
            check="backlogs",
            sentence=alarms.lane_full(sentence=one.sentence, refused=one.refused),
            next=alarms.lane_full_next(type=one.type, tenant=one.tenant, held=one.held),
            whose=one.tenant,
            since=one.since,
            about=subjects.of_full(one, facts),
        )
    for name, queues in by_queue(alive(facts, "observe")).items():
        waiting = max((int(queue.get("waiting") or 0) for queue in queues), default=0)
        if waiting > MOST_WAITING:
            yield Problem(
                code="queue-grows",
                check="backlogs",
                sentence=alarms.queue_grows(queue=name, waiting=waiting),
                next=alarms.queue_grows_next(),
                about=subjects.of_queue(name),
            )
