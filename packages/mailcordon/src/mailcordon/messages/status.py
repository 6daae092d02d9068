"""Is it well? What `mailcordon status`, GET /v1/status and `doctor` find, and what to do about it."""

from mailcordon.messages import example, phrases, times


@example(check="stops", why="no response in time")
def status_not_checked(*, check: str, why: str) -> str:
    """What a check needs could not be read, so nothing can be said of it."""
    return f'The check "{check}" could not be made: {why}'


@example()
def status_not_checked_next() -> str:
    """What to do about a check that could not be made."""
    return "Try again; if it stays, read the log of the API"


@example(period=39_600, shared=60, events=True)
@example(period=45, shared=15, events=False)
@example(period=259_200, shared=60, events=False)
def scan_period(*, period: int, shared: int, events: bool) -> str:
    """In `status` and `doctor`: within which time a change of SES behind our back is found in this installation."""
    within = times.span(period)
    said = f"each resource at SES is read again within {within}, and what all tenants share within {times.span(shared)}"
    if events:
        return f"{said}; management events find most changes in seconds"
    return f"{said}; no queue of management events is set, so only this scan finds changes"


@example(count=12, code="resource-failing")
def status_more(*, count: int, code: str) -> str:
    """There are more problems of a kind than are listed."""
    return f"{count} more of {code}"


_WITHOUT = {
    "api": "no mail is accepted",
    "dispatch": "no mail leaves",
    "observe": "bounces and complaints are not read",
    "control": "SES is not kept as it should be, and partitions are not made ahead",
    "smtp": "no mail is accepted by SMTP",
    "dashboard": "no page is shown",
}


@example(role="observe", since="28 Nov 2026 15:23 UTC")
@example(role="control", since=None)
def status_role_silent(*, role: str, since: str | None) -> str:
    """No process of a role has reported for ten seconds."""
    last = f" since {since}" if since else ""
    return f"No process of the role {role} has reported{last}, so {_WITHOUT[role]}"


@example(role="dispatch")
def status_start_role(*, role: str) -> str:
    """What to do about a silent role."""
    return f"Read the log of {role}; start it with `mailcordon up`, or `mailcordon run {role}` under a service manager"


@example(class_="urgent", tenant="acme", type="password-reset", waited="3 min", most="30 s")
def status_mail_waits(*, class_: str, tenant: str, type: str, waited: str, most: str) -> str:
    """Mail waits longer than its class may, and no hold is the reason."""
    return f"{type} mail of {tenant} has waited for {waited}; {class_} mail may wait for {most}"


@example(tenant="acme", type="password-reset")
def status_mail_waits_next(*, tenant: str, type: str) -> str:
    """What to do about mail that waits."""
    return f"See the other problems first, then `mailcordon lane show {tenant} {type}`"


@example(cause="account-paused", actor="AWS, or whoever runs the AWS account")
@example(cause="outage", actor="AWS, or whoever runs the AWS account")
def status_stop_next(*, cause: str, actor: str) -> str:
    """Who can end a stop. Its own sentence says when it ends."""
    return f"Who can act: {actor}. See {cause} in docs/reference/reasons.md"


@example()
def status_restored_next() -> str:
    """What to do about a database that was restored from a backup."""
    return "Run `mailcordon restored` on a host of the role control: it says what may have been sent since, and asks"


@example(host="mail-1", pid=4711, because="SES cannot be reached: connection refused")
def status_dispatcher_stopped(*, host: str, pid: int, because: str) -> str:
    """One dispatcher has stopped claiming mail."""
    return f"The dispatcher on {host} (pid {pid}) has stopped: {because}"


@example(count=3, host="mail-1", pid=4711)
def status_results_rejected(*, count: int, host: str, pid: int) -> str:
    """A dispatcher has results of calls to SES that the database does not take, e.g. because a partition is missing."""
    return f"The dispatcher on {host} (pid {pid}) cannot record {phrases.count(count, 'result')}: the database rejects them"


@example()
def status_results_rejected_next() -> str:
    """What to do about results that cannot be recorded."""
    return "Its log has the database's words. They are tried again every 5 s; after a restart the Send events settle them"


@example(count=3)
def status_set_aside(*, count: int) -> str:
    """SES refused mail in words that do not speak of the mail; it is kept and retried until it expires."""
    return f"{phrases.count(count, 'mail')} set aside: SES refused them with an error that Mailcordon does not know"


@example()
def status_set_aside_next() -> str:
    """What to do about mail that is set aside."""
    return "Their timelines have SES's words: `mailcordon why MESSAGE`. Each is retried until it expires"


@example(cell="default", since="28 Nov 2026 15:23 UTC")
def status_account_old(*, cell: str, since: str) -> str:
    """GetAccount has not answered for minutes, so the limits in use may be out of date."""
    return f"The limits of the account (cell {cell}) were last read from SES at {since}"


@example()
def status_ask_account_next() -> str:
    """What to do when the account's limits are not known."""
    return "Read the log of control, which asks SES for them (GetAccount)"


@example()
def status_account_paused_next() -> str:
    """What to do when sending is switched off for the account."""
    return "Mail leaves by itself when SES enables sending: see the account's page in the SES console"


@example()
def status_quota_ends_next() -> str:
    """What to do when the day's quota will end at the present pace."""
    return "A part of it is kept for urgent mail. A cap of a large lane leaves more to the others: `mailcordon policy suggest`"


@example(most=50_000)
def status_quota_next(*, most: int) -> str:
    """What to do when the day's quota is used up."""
    return f"Mail leaves by itself as the last 24 hours pass; SES can raise the quota of {most:,} a day"


@example(host="mail-1", pid=4711, because="The account's send rate is not known yet (GetAccount)")
def status_nothing_sent(*, host: str, pid: int, because: str) -> str:
    """One dispatcher gets nothing of the account's rate."""
    return f"The dispatcher on {host} (pid {pid}) sends nothing: {because}"


@example(since="28 Nov 2026 15:23 UTC")
def status_feedback_silent(*, since: str) -> str:
    """SES accepted mail, and its Send events have not arrived."""
    return f"SES has accepted mail since {since}, and no Send event of it has arrived"


@example()
def status_feedback_silent_next() -> str:
    """What to do when no events arrive."""
    return "Bounces are not seen either. Read the log of observe, then check the event destinations, the topic and the queue"


@example(
    queue="mailcordon-outcome",
    why="the certificate https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem, with which events are "
    "signed, cannot be fetched: HTTP 503",
)
def status_events_uncertain(*, queue: str, why: str) -> str:
    """The role observe cannot check SNS's signatures, so it receives nothing."""
    return f"The queue {queue} is not read: {why}"


@example(
    queue="mailcordon-outcome",
    why="its certificate https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem does not exist (HTTP 404)",
)
def status_events_left(*, queue: str, why: str) -> str:
    """Messages stay in the queue, because it is not certain whether the certificate that they name exists."""
    return f"Some messages wait in the queue {queue}, and others are read: {why}"


@example()
def status_events_uncertain_next() -> str:
    """What to do when a certificate of SNS cannot be fetched."""
    return (
        "Let observe reach SNS's host over https, and the certificate's issuer over http; the messages wait in the queue. "
        "Where that cannot be, set MAILCORDON_EVENT_PROOF=queue-policy"
    )


@example(queue="mailcordon-outcome", count=3)
@example(queue="mailcordon-outcome", count=1)
def status_events_unverified(*, queue: str, count: int) -> str:
    """A notice: messages that nothing proves to come from SES were put into quarantine since observe started."""
    messages = "1 message is" if count == 1 else f"{count:,} messages are"
    return f"{messages} in quarantine because nothing proves that SES wrote them (queue {queue})"


@example()
def status_events_unverified_next() -> str:
    """What to do about such messages."""
    return (
        "mailcordon quarantine list --why unverified says why. Either somebody else writes to the queue, or the topics deliver "
        "raw messages: then set MAILCORDON_EVENT_PROOF=queue-policy and replay them"
    )


@example(topic="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome")
def status_topic_version_1(*, topic: str) -> str:
    """A notice: a topic signs its messages with SHA-1."""
    return f"{topic} signs with version 1 (SHA-1)"


@example(topic="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome")
def status_topic_version_1_next(*, topic: str) -> str:
    """What to do about such a topic."""
    return f"aws sns set-topic-attributes --topic-arn {topic} --attribute-name SignatureVersion --attribute-value 2"


@example(failed=1, changed=2)
@example(failed=0, changed=1)
def status_unproved(*, failed: int, changed: int) -> str:
    """Lanes whose attribution was proved or was to be proved, and does not count as proved."""
    said = [
        f"{phrases.count(number, 'lane')} {words}"
        for number, words in (
            (failed, "failed the last proof of attribution"),
            (
                changed,
                "changed its route since its proof"
                if changed == 1
                else "changed their routes since their proofs",
            ),
        )
        if number
    ]
    return phrases.listed(said)


@example(tenant="acme")
def status_unproved_next(*, tenant: str) -> str:
    """What to do about lanes whose attribution is not proved."""
    return f"mailcordon prove {tenant} --list says why; mailcordon prove {tenant} asks for a new proof"


@example(why="the queue mailcordon-management returned 403 AccessDenied: not authorized")
def status_management_unread(*, why: str) -> str:
    """The role control has had no answer from the queue of SES's management events for a minute."""
    return f"SES's management events have not been read for a minute, so only the rolling check finds changes at SES: {why}"


@example()
def status_management_unread_next() -> str:
    """What to do when SES's management events are not read."""
    return "Check MAILCORDON_MANAGEMENT_QUEUE_URL and the rights of control; mailcordon doctor checks the queue's policy"


@example(
    queue="mailcordon-outcome", why="the queue mailcordon-outcome cannot be reached: no response within 30 s"
)
@example(queue="mailcordon-outcome", why=None)
def status_queue_silent(*, queue: str, why: str | None) -> str:
    """The role observe has had no answer from a queue for a minute."""
    return f"The queue {queue} has not been read for a minute{f': {why}' if why else ''}"


@example()
def status_queue_silent_next() -> str:
    """What to do when a queue is not read."""
    return "Read the log of observe; its messages wait in the queue"


@example(seconds=42)
def status_counts_behind(*, seconds: int) -> str:
    """Counts of mail, with what SES reported of it, are not up to date."""
    return f"What was sent and reported in the last {seconds:,} seconds is not in the counts yet"


@example()
def status_counts_behind_next() -> str:
    """What to do about counts that are behind."""
    return "Nothing is lost: they are folded by control and observe; read the log of both for why they cannot"


@example(count=3, since="28 Nov 2026 15:23 UTC")
def status_unknown_overdue(*, count: int, since: str) -> str:
    """Unknown outcomes should have been settled by now. `count` ends at 1,000."""
    what = "outcome" if count == 1 else "outcomes"
    return f"{count:,} unknown {what} should have been settled by now; the oldest call was at {since}"


@example()
def status_unknown_overdue_next() -> str:
    """What to do about unknown outcomes that stay."""
    return "They need Send events or a canary: see the problems of feedback and stops"


@example(kind="event-destination", name="mc-urgent/outcome", error="BadRequest: unknown topic")
def status_resource_failing(*, kind: str, name: str, error: str) -> str:
    """A resource at SES is not as it should be, and cannot be made so."""
    return f"The {kind} {name} cannot be made as it should be: {error}"


@example(tenant="acme")
@example(tenant=None)
def status_resource_failing_next(*, tenant: str | None) -> str:
    """What to do about a failing resource."""
    return "It is tried again by itself" + (
        f"; `mailcordon tenant show {tenant}` shows the progress" if tenant else ""
    )


@example(calls=8)
def status_plan_waits(*, calls: int) -> str:
    """The settings at the last start differ from those before, and would change too much at SES."""
    return f"Changed settings wait for a person: they rewire what exists, with {calls:,} calls to SES. The old ones stay in force"


@example(plan=12)
def status_plan_waits_next(*, plan: int) -> str:
    """What to do about changed settings that wait."""
    return (
        f"Look at it with `mailcordon plans show {plan}`. If it is right, `mailcordon apply {plan}`; else set the settings back "
        "and restart the control process"
    )


@example(finding=12, plan=31)
@example(finding=12, plan=None)
def status_drift_next(*, finding: int, plan: int | None) -> str:
    """What to do about something that differs at SES."""
    look = f"`mailcordon drift show {finding}` says who did it"
    return look if plan is None else f"{look}; `mailcordon apply {plan}` repairs it"


@example()
def status_partitions_missing() -> str:
    """The database has no partitions."""
    return "There are no partitions"


@example()
def status_migrate() -> str:
    """What to do when the schema is not complete."""
    return "Run `mailcordon migrate`"


@example(days=1)
def status_partitions_few(*, days: int) -> str:
    """Few partitions exist ahead."""
    return f"The partitions reach only {phrases.count(days, 'day')} ahead"


@example()
def status_partitions_few_next() -> str:
    """What to do when partitions are missing."""
    return "Start the role control, which makes them and moves such rows, or read its log"


@example(table="ledger", rows=12)
def status_default_partition(*, table: str, rows: int) -> str:
    """Rows had no partition of their day. `rows` ends at 100,000."""
    return f"{table} has {phrases.count(rows, 'row')} in its default partition: their day has none"


@example(
    why="ungoverned",
    entries=2_000,
    most_entries=2_000,
    bytes=9_876_543,
    most_bytes=33_554_432,
    not_kept=1_234,
    since="2026-03-01 12:00 UTC",
)
def status_quarantine_full(
    *, why: str, entries: int, most_entries: int, bytes: int, most_bytes: int, not_kept: int, since: str
) -> str:
    """A kind of quarantine has no room: new documents are counted and not kept."""
    return (
        f"Quarantine has no room for {why}: {phrases.count(entries, 'entry')} of {most_entries}, "
        f"{_size(bytes)} of {_size(most_bytes)}. {phrases.count(not_kept, 'document')} so far, the last at {since}, only counted"
    )


@example(why="ungoverned")
def status_quarantine_full_next(*, why: str) -> str:
    """What to do about a kind of quarantine without room."""
    return (
        f"`mailcordon quarantine list --why {why}` shows where they come from. Old entries end by themselves."
    )


@example(seconds=90)
def status_snapshot_old(*, seconds: int) -> str:
    """An old transaction keeps PostgreSQL from cleaning up, which slows the queue."""
    return f"The oldest transaction is {seconds} s old, which slows the queue"


@example()
def status_snapshot_old_next() -> str:
    """What to do about an old transaction."""
    return (
        "Find its session in pg_stat_activity (column xact_start) and end it with pg_terminate_backend(pid)"
    )


@example(host="mail-1", seconds=-600)
def status_clock_skew(*, host: str, seconds: int) -> str:
    """The clocks of a host and of the database differ."""
    off = phrases.count(abs(seconds), "second")
    return f"The clock of {host} is {off} {'behind' if seconds > 0 else 'ahead of'} the database's"


@example(count=2, since="28 Nov 2026 15:23 UTC")
def status_clock_corrected(*, count: int, since: str) -> str:
    """The database's clock was set back: times in the future were set to now."""
    return f"The database's clock was set back: {phrases.count(count, 'time')} in the future set to now, the last at {since}"


@example()
def status_clock_next() -> str:
    """What to do about clocks."""
    return "Check the time service (NTP) of these hosts"


@example(
    mail="marketing mail of acme",
    hold="Held by Ana (CLI) since 28 Nov 2026 15:23 UTC: complaints rising [hold 5]",
)
def status_held(*, mail: str, hold: str) -> str:
    """A hold stops or slows mail: a notice, since somebody placed it on purpose."""
    return f"{mail}: {hold}"


@example(tenant="acme", ends="when it is lifted")
@example(tenant="acme", ends="by itself, once this mail is normal again")
def status_held_next(*, tenant: str, ends: str) -> str:
    """What to do about held or slowed mail."""
    return f"It ends {ends}; `mailcordon uncordon {tenant}` lifts it now"


@example(tenant="acme", type="newsletter", since="28 Nov 2026, 15:23")
def status_retirement_held(*, tenant: str, type: str, since: str) -> str:
    """A lane that was retired does not end: a notice, since somebody holds its mail on purpose."""
    return f"The lane {type} of {tenant} was retired at {since}, and a hold keeps its mail"


@example(tenant="acme", type="newsletter")
def status_retirement_held_next(*, tenant: str, type: str) -> str:
    """What to do about a retired lane that is held."""
    return (
        f"Lift the hold (`mailcordon holds list --tenant {tenant}`), drop the mail (`mailcordon cancel {tenant} --type {type}`), "
        "or wait until it has expired"
    )


@example()
def status_ok() -> str:
    """`doctor`: a check of the service found nothing."""
    return "Nothing wrong."


@example(detail="The partitions reach only 1 day ahead", next="Start the role control, or read its log")
def status_finding(*, detail: str, next: str) -> str:
    """`doctor`: a problem of the service, and what to do."""
    return f"{detail}. {next}."


@example(
    bytes=12_345_678_901,
    oldest="2026-08-30",
    days=14,
    largest=[("content", 9_876_543_210), ("message", 1_234_567_890)],
)
@example(bytes=123_456, oldest=None, days=None, largest=[])
def status_storage(
    *, bytes: int, oldest: str | None, days: int | None, largest: list[tuple[str, int]]
) -> str:
    """`doctor`: what the database takes on disk, the oldest day that is kept, and how far the partitions reach."""
    tables = ", ".join(f"{table} {_size(size)}" for table, size in largest)
    return (
        f"{_size(bytes)} on disk{f' ({tables})' if tables else ''}"
        + (f"; records since {oldest}" if oldest else "")
        + (f"; partitions for {phrases.count(days, 'day')} ahead" if days is not None else "")
        + "."
    )


def _size(bytes: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if bytes >= unit:
            return f"{bytes / unit:.1f} {name}"
    return f"{bytes} bytes"


@example(count=1284, limits="head-time 1,200, connections-per-address 84", last="2 Mar 2026 10:14 UTC")
def status_door_refused(*, count: int, limits: str, last: str) -> str:
    """In the status: the API refused requests or connections by a limit of its door in the last ten minutes."""
    return (
        f"Since they started, the API processes have refused {count:,} requests and connections by their limits ({limits}); "
        f"the last was at {last}."
    )


@example()
def status_door_refused_next() -> str:
    """What to do about refusals of the door."""
    return (
        "If a client of yours is meant, change its use or the limit (docs/door.md lists them); else nothing."
    )


@example(number=12, sentence="4.1 % of the mail of acme/newsletter bounces")
def status_incident(*, number: int, sentence: str) -> str:
    """In the status: an incident is open that no other check shows."""
    return f"Incident {number}: {sentence}"


@example(since="2 Mar 2026 10:14 UTC")
@example(since=None)
def status_alarms_unread(*, since: str | None) -> str:
    """In the status: no process reads alarms, so nobody would be told of an incident."""
    return f"Alarms are not read{f' since {since}' if since else ''}: no incident opens or closes, and nobody is alerted"


@example()
def status_alarms_unread_next() -> str:
    """What to do while alarms are not read."""
    return "Read the log of the role control: each cause of a failed round is in it once"
