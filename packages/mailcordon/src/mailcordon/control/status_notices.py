"""What people did on purpose, or what may be meant, shown beside the problems (control/status.py). Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence

from mailcordon.control.problem import Problem
from mailcordon.control.status_events import QUEUE_SILENT_MS, doubtful
from mailcordon.control.status_facts import MINUTE, Beat, Facts, alive, by_queue, doors, refusals
from mailcordon.control.suppression_split.standing import half_moved
from mailcordon.messages import alarms, alerts, event_doors, observing, status, suppression_split, times

CLOCK_NEWS_MS = 10 * MINUTE  #: a correction of a clock is shown this long
REFUSAL_NEWS_MS = 10 * MINUTE  #: and the last refusal of a door


def notices(facts: Facts) -> Iterator[Problem]:
    yield from _door(facts)
    yield from _event_doors(facts)
    yield from _observing(facts)
    if facts.alert_channels == 0:
        yield Problem(
            code="no-alert-channel",
            check="incidents",
            sentence=alerts.status_no_channel(),
            next=alerts.status_no_channel_next(),
        )
    for moved in facts.half_moved:
        for said in half_moved(moved):
            yield Problem(
                code="feels-migrated",
                check="findings of SES",
                sentence=said,
                next=suppression_split.feels_migrated_next(),
                whose=moved.tenant,
            )
    if facts.refilled is not None:
        yield Problem(
            code="account-list-refilled",
            check="findings of SES",
            sentence=facts.refilled.sentence,
            next=suppression_split.refilled_next(),
            since=facts.refilled.ended_at,
        )
    for account in facts.accounts:
        ends = account.forecast and account.forecast.ends_at
        if account.forecast is not None and ends is not None and ends > facts.now:
            yield Problem(
                code="quota-ends",
                check="account",
                sentence=account.forecast.sentence,
                next=status.status_quota_ends_next(),
            )
    for hold in facts.holds:
        yield Problem(
            code="held",
            check="waiting mail",
            sentence=status.status_held(mail=hold.mail, hold=hold.sentence),
            next=status.status_held_next(tenant=hold.tenant, ends=hold.ends),
            whose=hold.tenant,
            since=hold.since,
        )
    for one in facts.retirements:
        yield Problem(
            code="retirement-held",
            check="waiting mail",
            sentence=status.status_retirement_held(
                tenant=one.tenant, type=one.type, since=times.minute(one.since)
            ),
            next=status.status_retirement_held_next(tenant=one.tenant, type=one.type),
            whose=one.tenant,
            since=one.since,
        )
    for beat in alive(facts, "dispatch"):
        if (because := beat.facts.get("because")) and because not in {stop.because for stop in facts.stops}:
            yield Problem(
                code="nothing-sent",
                check="account",
                sentence=status.status_nothing_sent(host=beat.host, pid=beat.pid, because=because),
                next=status.status_ask_account_next(),
            )
        corrected = beat.facts.get("last_clock_correction")
        if corrected is not None and facts.now - corrected < CLOCK_NEWS_MS:
            yield Problem(
                code="clock-corrected",
                check="clocks",
                sentence=status.status_clock_corrected(
                    count=int(beat.facts.get("clock_corrections") or 0), since=times.minute(corrected)
                ),
                next=status.status_clock_next(),
                since=corrected,
            )
    if (unproved := facts.unproved) is not None:
        yield Problem(
            code="attribution-unproved",
            check="feedback",
            sentence=status.status_unproved(failed=unproved.failed, changed=unproved.changed),
            next=status.status_unproved_next(tenant=unproved.tenant),
            whose=unproved.tenant,
        )
    for why in {str(why) for beat in alive(facts, "control") if (why := beat.facts.get("advice_problem"))}:
        yield Problem(
            code="findings-unread",
            check="findings of SES",
            sentence=alarms.advice_unread(why=why),
            next=alarms.advice_unread_next(),
        )
    yield from doubtful(facts)
    yield from _event_notices(alive(facts, "observe"))
    yield from _signal_notices(facts)


def _observing(facts: Facts) -> Iterator[Problem]:
    if not facts.observe_only:
        return
    yield Problem(
        code="observe-only", check="roles", sentence=observing.observes_only(), next=observing.how_to_end()
    )
    if (unmapped := facts.unmapped) is not None:
        yield Problem(
            code="mail-unmapped",
            check="feedback",
            sentence=observing.status_unmapped(
                events=unmapped.events, origins=unmapped.origins, identity=unmapped.identity
            ),
            next=observing.status_unmapped_next(),
        )


def _event_notices(observers: Sequence[Beat]) -> Iterator[Problem]:
    for name, queues in by_queue(observers).items():
        unverified = sum(int(queue.get("unverified") or 0) for queue in queues)
        if unverified:
            yield Problem(
                code="events-unverified",
                check="feedback",
                sentence=status.status_events_unverified(queue=name, count=unverified),
                next=status.status_events_unverified_next(),
            )
    for topic in sorted({topic for beat in observers for topic in beat.facts.get("version_1_topics", ())}):
        yield Problem(
            code="topic-signs-with-sha-1",
            check="feedback",
            sentence=status.status_topic_version_1(topic=topic),
            next=status.status_topic_version_1_next(topic=topic),
        )


def _signal_notices(facts: Facts) -> Iterator[Problem]:
    """Nothing is lost while management events are not read: the rolling check finds the same, later."""
    queues = [queue for beat in alive(facts, "control") if (queue := beat.facts.get("signals"))]
    newest = max((queue.get("last_receive") or 0 for queue in queues), default=0)
    why = next((queue["problem"] for queue in queues if queue.get("problem")), None)
    if why and facts.now - newest > QUEUE_SILENT_MS:
        yield Problem(
            code="management-events-unread",
            check="resources at SES",
            sentence=status.status_management_unread(why=why),
            next=status.status_management_unread_next(),
            since=newest or None,
        )


def _event_doors(facts: Facts) -> Iterator[Problem]:
    doors = [beat.facts.get("event_doors", {}) for beat in alive(facts, "api")]
    last = max((door.get("last_refusal") or 0 for door in doors), default=0)
    if facts.now - last < REFUSAL_NEWS_MS:
        refused = Counter[str]()
        for door in doors:
            refused.update(door.get("refused") or {})
        yield Problem(
            code="pushed-events-refused",
            check="feedback",
            sentence=event_doors.status_refused(
                count=sum(refused.values()),
                codes=", ".join(f"{code} {count:,}" for code, count in refused.items()),
                last=times.minute(last),
            ),
            next=event_doors.status_refused_next(),
            since=last,
        )


def _door(facts: Facts) -> Iterator[Problem]:
    beats = doors(facts)
    last = max((beat.facts.get("door", {}).get("last_refusal") or 0 for beat in beats), default=0)
    if facts.now - last < REFUSAL_NEWS_MS:
        refused = refusals(beats)
        yield Problem(
            code="door-refused",
            check="roles",
            sentence=status.status_door_refused(
                count=sum(refused.values()),
                limits=", ".join(f"{limit} {count:,}" for limit, count in refused.items()),
                last=times.minute(last),
            ),
            next=status.status_door_refused_next(),
            since=last,
        )
