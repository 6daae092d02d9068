"""What `mailcordon drill` prints: its start and end, its steps, and what failed."""

from collections.abc import Sequence

from mailcordon.messages import example, phrases

# The drill: its start and its end ---------------------------------------------------------------------------------------


@example()
def drill_starts_system() -> str:
    """No system runs in this home, or --temporary was given."""
    return "Starting a temporary system for the drill."


@example(url="http://127.0.0.1:8025", ses_url="http://127.0.0.1:8005")
def drill_runs_on(*, url: str, ses_url: str) -> str:
    """The first line of the drill."""
    return f"Mailcordon at {url}, local SES at {ses_url}"


@example(why="https://mail.example.com is not known to send through a local SES")
def drill_needs_local_ses(*, why: str) -> str:
    """The drill refuses a system."""
    return (
        f"The drill runs on the local SES only, and {why}. Nothing was sent or changed. "
        "`mailcordon drill --temporary` starts a temporary system with a local SES."
    )


@example(url="https://mail.example.com")
def ses_not_known_to_be_local(*, url: str) -> str:
    """In `drill_needs_local_ses`."""
    return f"{url} is not known to send through a local SES"


@example(url="http://10.0.0.8:8005")
def ses_on_another_machine(*, url: str) -> str:
    """In `drill_needs_local_ses`."""
    return f"{url} is not on this machine"


@example(value="aws")
def ses_setting_is(*, value: str) -> str:
    """In `drill_needs_local_ses`."""
    return f"MAILCORDON_SES is {value}"


@example(waited="", last_lines="the port 8025 is taken")
@example(waited="1 min", last_lines="starting Mailcordon in /home/ana/tmp/mailcordon-drill-x1")
def temporary_system_did_not_start(*, waited: str, last_lines: str) -> str:
    """The drill's temporary system ended, or did not become healthy. Exit code 5."""
    how = f"it was not healthy after {waited}" if waited else "it ended"
    return f"The drill's temporary system did not start: {how}. The last lines of its log: {last_lines}"


@example(file="/home/ana/tmp/mailcordon-drill-x1/up.log")
def log_is_kept(*, file: str) -> str:
    """The drill's temporary system did not start."""
    return f"The log is in {file}."


@example(steps=11, seconds="1.5", total="4.3", started=True)
@example(steps=11, seconds="1.5", total="1.6", started=False)
def drill_passed(*, steps: int, seconds: str, total: str, started: bool) -> str:
    """The last line of a drill in which every step passed."""
    whole = f"{total} s with the start of the temporary system" if started else f"{total} s in total"
    return f"All {steps} steps passed in {seconds} s ({whole})."


@example(seconds="12.0", logs="/home/ana/tmp/mailcordon-drill-x1")
@example(seconds="12.0", logs="")
def drill_failed(*, seconds: str, logs: str) -> str:
    """The last line of a drill in which a step failed. Exit code 6."""
    kept = f" The logs of the temporary system are in {logs}." if logs else ""
    return f"The drill FAILED after {seconds} s: see the last step above.{kept}"


@example()
def drill_reason() -> str:
    """The reason of the drill's cordon, in its hold and in the audit trail."""
    return "mailcordon drill"


# The drill: its steps ---------------------------------------------------------------------------------------------------


@example()
def step_onboard() -> str:
    """Title of step 1."""
    return "Two new tenants are onboarded"


@example()
def step_both_send() -> str:
    """Title of step 2."""
    return "Both send, each as its own SES tenant"


@example()
def step_bounce() -> str:
    """Title of step 3."""
    return "Mail of one tenant to kim bounces: that tenant may not mail kim"


@example()
def step_refused() -> str:
    """Title of step 4."""
    return "Its next mail to kim is refused, with the reason"


@example()
def step_other_tenant() -> str:
    """Title of step 5."""
    return "The other tenant's mail to kim is delivered"


@example()
def step_complaint() -> str:
    """Title of step 6."""
    return "lee complains about a newsletter: the next newsletter is refused"


@example()
def step_reset_arrives() -> str:
    """Title of step 7."""
    return "A password reset to lee is still delivered"


@example()
def step_cordon() -> str:
    """Title of step 8."""
    return "Marketing is cordoned: newsletters are held, other mail is delivered"


@example()
def step_uncordon() -> str:
    """Title of step 9."""
    return "The cordon is lifted: the held newsletter is delivered"


@example()
def step_metrics() -> str:
    """Title of step 10."""
    return "The metrics name the tenant and the lanes"


@example()
def step_ledger() -> str:
    """Title of step 11."""
    return "SES accepted exactly the mails that were sent"


@example()
def step_culprits() -> str:
    """Title of step 12."""
    return "One tenant mails a bought list while the events of a third are cut off: two incidents, each with its culprit"


@example()
def step_mitigated() -> str:
    """Title of step 13."""
    return "The list is held and the events are switched on again: both incidents are mitigated"


@example(one="acme-4eedd6", other="zen-4eedd6")
def two_tenants(*, one: str, other: str) -> str:
    """Step 1 passed."""
    return f"{one} and {other}"


@example(one="mc-s7wbigebcqsw", other="mc-gqn858s6wbaa")
def seen_in_ledger_as(*, one: str, other: str) -> str:
    """Step 2 passed."""
    return f"In SES's ledger as {one} and {other}"


@example()
def seen_in_ledger() -> str:
    """Steps 5 and 9 passed."""
    return "In SES's ledger"


@example()
def seen_in_ledger_despite_complaint() -> str:
    """Step 7 passed."""
    return "In SES's ledger, although SES's suppression list of this tenant has lee (complaint)"


@example(tenant="acme-4eedd6")
def metrics_right(*, tenant: str) -> str:
    """Step 10 passed."""
    return f"1 bounce and 1 complaint, both of {tenant}"


@example(accepted=9, refused=2)
def ledger_right(*, accepted: int, refused: int) -> str:
    """Step 11 passed."""
    return f"{accepted} accepted by SES, {refused} refused before SES"


@example(
    found=[
        ("list bought of acme-4eedd6/newsletter (100 % of what is too much)", 2.8),
        ("user test (127.0.0.1), who changed event-destination mc-hccd4zr2weyk-marketing/outcome", 5.2),
    ]
)
def culprits_right(*, found: Sequence[tuple[str, float]]) -> str:
    """Step 12 passed. The seconds are those from the beginning of the trouble on."""
    return "; ".join(f"{culprit}: identified after {seconds:.1f} s" for culprit, seconds in found)


@example(seconds=[7.1, 8.9], other="zen-4eedd6")
def mitigated_right(*, seconds: Sequence[float], other: str) -> str:
    """Step 13 passed. The seconds are those from the beginning of each trouble on."""
    times = phrases.listed([f"{one:.1f} s" for one in seconds])
    return f"After {times}; {other} is in no incident, and all of its mail was delivered"


@example(type="newsletter", tenant="acme-4eedd6", to="lee@people-4eedd6.example")
def drill_mail(*, type: str, tenant: str, to: str) -> str:
    """How the drill names a mail in the sentences below."""
    return f"the {type} of {tenant} to {to}"


# The drill: what failed -------------------------------------------------------------------------------------------------

_MAIL = "the password-reset of acme-4eedd6 to kim@people-4eedd6.example"


@example(tenant="acme-4eedd6", url="http://127.0.0.1:8005")
def set_up_at_another_ses(*, tenant: str, url: str) -> str:
    """The system set the tenant up at an SES that is not the local one. The drill ends before it sends anything."""
    return (
        f"{tenant} is set up, but not at {url}: this system does not send through the local SES. "
        "The drill stops before it sends anything."
    )


@example(tenant="acme-4eedd6", waited="20 s", step="identity mail.acme-4eedd6.example waiting for DNS")
@example(tenant="acme-4eedd6", waited="20 s", step="")
def set_up_takes_too_long(*, tenant: str, waited: str, step: str) -> str:
    """SES is not set up for a tenant of the drill in time."""
    at = f" The first open step: {step}." if step else ""
    return f"SES was not set up for {tenant} within {waited}.{at} Is the control role running?"


@example(
    mail=_MAIL,
    waited="10 s",
    id="msg_0r4tq2v6k7m8n",
    state="queued",
    reason="-",
    last="accepted",
    role="dispatch",
)
@example(
    mail=_MAIL,
    waited="10 s",
    id="msg_0r4tq2v6k7m8n",
    state="waiting",
    reason="SES is throttling",
    last="called",
    role="",
)
def mail_not_sent(*, mail: str, waited: str, id: str, state: str, reason: str, last: str, role: str) -> str:
    """A mail of the drill is not in SES's ledger."""
    hint = f" Is the {role} role running?" if role else ""
    return (
        f"SES did not receive {mail} within {waited}: it is not in SES's ledger. "
        f"Our record {id} is {state} (reason: {reason}; last step: {last}).{hint}"
    )


@example(
    mail=_MAIL,
    recipients="kim@people-4eedd6.example, robin@people-4eedd6.example",
    configuration_set="-",
    tags=0,
)
def mail_not_governed(*, mail: str, recipients: str, configuration_set: str, tags: int) -> str:
    """A mail of the drill reached SES without what every governed mail has."""
    return (
        f"SES received {mail}, but not with one recipient, a configuration set and tags: "
        f"recipients {recipients}; configuration set {configuration_set}; {tags} tags."
    )


@example(mail=_MAIL, fate="bounces")
def mail_not_delivered_by_ses(*, mail: str, fate: str) -> str:
    """A mail of the drill reached SES, but not its mailbox."""
    return f"SES accepted {mail} but did not deliver it: it {phrases.mailbox_does(fate)}."


@example(
    event="Bounce",
    address="kim@people-4eedd6.example",
    waited="10 s",
    mail=_MAIL,
    ses_id="010001a2236b6f25-8bd69d26-000000",
    fate="bounces",
    state="sent",
)
def no_event(*, event: str, address: str, waited: str, mail: str, ses_id: str, fate: str, state: str) -> str:
    """An event of SES did not change our record. One of the four sentences below follows."""
    return (
        f"No {event} event for {address} was processed within {waited}. SES accepted {mail} (ledger id {ses_id}), "
        f"and there it {phrases.mailbox_does(fate)}; our record says {state}."
    )


@example(count=3, queue="mailcordon-outcome")
def events_unread(*, count: int, queue: str) -> str:
    """After `no_event`: events are in the queue."""
    return f"{count} events are unread in the queue {queue}: is the observe role running?"


@example(
    found="unknown-delivery: The signature is valid, but there is no dlv_0r4tq2v6k7m8n, attempt 2. "
    "Was the database restored from a backup?"
)
def events_in_quarantine(*, found: str) -> str:
    """After `no_event`: events of the drill are in quarantine."""
    end = "" if found.endswith((".", "?")) else "."
    return f"In quarantine since the drill began: {found}{end}"


@example(queue="mailcordon-outcome", faults="drop_events of Bounce, 2 times")
@example(queue="mailcordon-outcome", faults="")
def event_lost(*, queue: str, faults: str) -> str:
    """After `no_event`: the event is nowhere."""
    active = f" Active faults at the local SES: {faults}." if faults else ""
    return (
        f"The event is not in the queue {queue}, in quarantine or in our records: "
        f"it was lost between SES and the queue.{active}"
    )


@example(name="drop_events", events="Bounce", times="2 times")
def fault(*, name: str, events: str, times: str) -> str:
    """A fault in `event_lost`."""
    return f"{name} of {events}, {times}"


@example()
def all_events() -> str:
    """A fault that names no event, in `fault`."""
    return "all events"


@example(address="kim@people-4eedd6.example", waited="10 s", scope="tenant", found="")
def no_suppression(*, address: str, waited: str, scope: str, found: str) -> str:
    """An event arrived, but did not lead to the suppression that it should."""
    return (
        f"The event about {address} was processed, but no suppression of scope {scope} followed within {waited}. "
        f"Recorded: {found or 'nothing'}."
    )


@example(address="kim@people-4eedd6.example", tenant="acme-4eedd6", other="zen-4eedd6")
def suppressed_for_both(*, address: str, tenant: str, other: str) -> str:
    """A bounce of one tenant suppressed the address for the other tenant."""
    return f"{address} bounced for {tenant} and is suppressed for {other} too."


@example(mail=_MAIL, state="queued", address="kim@people-4eedd6.example")
def mail_not_refused(*, mail: str, state: str, address: str) -> str:
    """A mail to a suppressed address was accepted."""
    return f"The API accepted {mail} ({state}), although {address} is suppressed for it."


@example(mail=_MAIL, cause="bounce", reason="suppressed")
def refused_without_cause(*, mail: str, cause: str, reason: str) -> str:
    """A mail was refused, but its reason does not name the cause."""
    return f"The reason why {mail} was refused does not name the cause ({cause}): {reason}"


@example(named="newsletter, password-reset", wanted="newsletter")
def preview_wrong(*, named: str, wanted: str) -> str:
    """The preview of the drill's cordon names other lanes than it should."""
    return f"The preview of the cordon names {named or 'no lane'}, not only {wanted}."


@example(mail=_MAIL, state="queued", hold="5")
def mail_not_held(*, mail: str, state: str, hold: str) -> str:
    """A mail of a cordoned lane is not held."""
    return f"The state of {mail} is {state}, not held, although hold {hold} stops it."


@example(mail=_MAIL, hold="5")
def mail_sent_despite_hold(*, mail: str, hold: str) -> str:
    """A mail of a cordoned lane is in SES's ledger."""
    return f"SES received {mail}, although hold {hold} stops it."


@example(count=2)
def lifted_wrong_number(*, count: int) -> str:
    """The drill's uncordon lifted another number of holds than one."""
    return f"The uncordon lifted {count} holds, not 1."


@example(waited="10 s", found="acme-4eedd6 newsletter: 0 bounced, 0 complained")
@example(waited="10 s", found="")
def metrics_wrong(*, waited: str, found: str) -> str:
    """The metrics do not have the drill's bounce and complaint."""
    return f"The metrics did not show the bounce and the complaint within {waited}. They show: {found or 'nothing'}."


@example(tenant="acme-4eedd6", type="newsletter", bounces=0, complaints=1)
def lane_counts(*, tenant: str, type: str, bounces: int, complaints: int) -> str:
    """A lane in `metrics_wrong`."""
    return f"{tenant} {type}: {bounces} bounced, {complaints} complained"


@example(subjects="News [4eedd6-7]")
def ledger_has_more(*, subjects: str) -> str:
    """SES received a mail that should not have been sent."""
    return f"SES's ledger has mails that should not have been sent: {subjects}."


@example(subjects="News [4eedd6-7]")
def ledger_lacks(*, subjects: str) -> str:
    """SES did not receive a mail that should have been sent."""
    return f"SES's ledger does not have: {subjects}."


@example(subjects="News [4eedd6-7]")
def ledger_has_twice(*, subjects: str) -> str:
    """SES received a mail more than once."""
    return f"SES's ledger has more than once: {subjects}."


@example(waited="20 s", cause="list:bought", found="")
@example(
    waited="20 s",
    cause="set:mc-hccd4zr2weyk-marketing",
    found="culprit not known: events of its mail are lost",
)
def no_incident(*, waited: str, cause: str, found: str) -> str:
    """Something went wrong, and no incident says so, or none with its culprit."""
    return f"No incident of {cause} had a culprit within {waited}. Open incidents: {found or 'none'}."


@example(culprit="acme-4eedd6/newsletter", wanted="list bought")
def wrong_culprit(*, culprit: str, wanted: str) -> str:
    """An incident names another culprit than the one that is at fault."""
    return f"The incident names {culprit}, not {wanted}."


@example(tenant="zen-4eedd6", found="zen-4eedd6/newsletter: 11 hard bounces of 50 mails")
def bystander_named(*, tenant: str, found: str) -> str:
    """A tenant that did nothing is in an incident."""
    return f"{tenant} did nothing and is in an incident: {found}"


@example(tenant="zen-4eedd6", waited="10 s", left=3)
def bystander_waits(*, tenant: str, waited: str, left: int) -> str:
    """Mail of a tenant that did nothing was not delivered."""
    return f"{phrases.deliveries(left)} of {tenant}, which did nothing, had not arrived after {waited}."


@example(
    waited="10 s", detail="The event destination outcome of mc-marketing is switched off: its events are lost"
)
def not_mitigated(*, waited: str, detail: str) -> str:
    """An incident whose cause was removed is not mitigated."""
    return f"What caused an incident was removed, and it is not mitigated after {waited}: {detail}"
