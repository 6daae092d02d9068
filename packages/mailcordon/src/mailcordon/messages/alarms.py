"""Alarms: whom or what a problem is due to, and what SES's own findings, doubtful events and full lanes mean."""

from mailcordon.messages import phrases, times
from mailcordon.messages.catalogue import example

_SINCE = 1_795_879_380_000

# Whose fault it is -------------------------------------------------------------------------------------------------------------


@example(role="dispatch", host="mail-1", pid=4242)
@example(role="observe", host=None, pid=None)
def role_culprit(*, role: str, host: str | None, pid: int | None) -> str:
    """The culprit of an incident: a process that no longer reports, or a role that nothing runs."""
    if host is None:
        return f"nothing runs the role {role}"
    return f"{role} (process {pid} on {host}), which does not report"


@example(hosts="mail-1 (pid 4242)")
def idle_culprit(*, hosts: str) -> str:
    """The culprit of an incident: dispatchers that report and take no mail."""
    return f"dispatch, which reports and takes no mail: {hosts}"


@example(type="password-reset", tenant="acme")
def lane_culprit(*, type: str, tenant: str) -> str:
    """The culprit of an incident that one lane causes."""
    return f"the lane {type} of {tenant}"


@example(pool="bulk")
def pool_culprit(*, pool: str) -> str:
    """The culprit of an incident about an IP pool."""
    return f"the IP pool {pool}, and whose mail leaves from it"


@example(kind="campaign", name="spring-sale", type="newsletter", tenant="acme")
def batch_culprit(*, kind: str, name: str, type: str, tenant: str) -> str:
    """The culprit of an incident: a campaign or list whose feedback is bad."""
    return f"{kind} {name} of {tenant}/{type}"


@example(lanes=812)
def slow_culprit(*, lanes: int) -> str:
    """The culprit when mail of many lanes waits and nothing is stopped."""
    return f"what all lanes share: the account's rate, or too few dispatchers ({phrases.count(lanes, 'lane')} wait)"


@example(scope="cell", name="default", tenant=None)
@example(scope="set", name="mc-urgent", tenant=None)
@example(scope="identity", name="mail.acme.example", tenant="acme")
@example(scope="tenant", name="mc-acme", tenant="acme")
@example(scope="lane", name="12", tenant="acme")
@example(scope="worker", name="3", tenant=None)
def stop_culprit(*, scope: str, name: str, tenant: str | None) -> str:
    """The culprit of an incident: what SES refuses."""
    match scope:
        case "cell":
            return f"the AWS account (cell {name})"
        case "worker":
            return f"dispatcher {name}, or its way to SES"
        case "tenant":
            return f"tenant {tenant or name}"
        case "lane":
            return f"lane {name} of {tenant}"
        case _:
            what = "configuration set" if scope == "set" else scope
            return f"{what} {name}" + (f" of {tenant}" if tenant else "")


@example(by="role deploy (203.0.113.7)", resource="event-destination mc-urgent/outcome")
@example(by=None, resource="event-destination mc-urgent/outcome")
def drift_culprit(*, by: str | None, resource: str) -> str:
    """The culprit of a difference at SES: who made it, if SES's management events tell, else what was changed."""
    return f"{by}, who changed {resource}" if by else f"{resource}, changed by somebody unknown"


@example(name="role deploy", address="203.0.113.7")
@example(name="root", address=None)
def caller(*, name: str, address: str | None) -> str:
    """Who called SES."""
    return name + (f" ({address})" if address else "")


@example(kind="event-destination", name="mc-urgent/outcome")
def resource_culprit(*, kind: str, name: str) -> str:
    """The culprit: a resource that SES does not let us make as it should be."""
    return f"{kind} {name}"


@example(domain="mail.acme.example", tenant="acme")
def domain_culprit(*, domain: str, tenant: str) -> str:
    """The culprit of a domain that lapsed."""
    return f"the DNS of {domain}, which {tenant} publishes"


@example(queue="mailcordon-outcome")
def queue_culprit(*, queue: str) -> str:
    """The culprit: a queue of events that is not read, or not fast enough."""
    return f"the queue {queue}"


@example(host="mail-1")
def clock_culprit(*, host: str) -> str:
    """The culprit: a host whose clock is wrong."""
    return f"the clock of {host}"


@example()
def database_culprit() -> str:
    """The culprit: the database's maintenance."""
    return "the database's maintenance, which the role control does"


@example()
def settings_culprit() -> str:
    """The culprit: changed settings that wait for a person."""
    return "the settings of the last start"


@example()
def dns_culprit() -> str:
    """The culprit: look-ups that fail or do not happen."""
    return "the look-ups of the role control, or its name server"


# SES's own findings ------------------------------------------------------------------------------------------------------------

_FINDINGS = {
    "BOUNCE": "too much of the mail bounces",
    "COMPLAINT": "too many recipients complain",
    "FEEDBACK_3P": "mailbox providers report bad mail (third-party complaints, the nearest to a spam trap that SES shows)",
    "IP_LISTING": "an address that its mail leaves from is on a blocklist",
}


@example(name="acme", type="BOUNCE", impact="HIGH", said="The bounce rate exceeded 15.0%.", since=_SINCE)
@example(name="acme", type="FEEDBACK_3P", impact="HIGH", said="Yahoo reports complaints.", since=_SINCE)
@example(name="acme", type="IP_LISTING", impact="LOW", said="", since=_SINCE)
@example(name="acme", type="COMPLAINT", impact="LOW", said="", since=_SINCE)
def ses_finding(*, name: str, type: str, impact: str, said: str, since: int) -> str:
    """SES itself finds something wrong with a tenant, an identity or the account. In the status and in incidents."""
    means = _FINDINGS.get(type, "something is wrong")
    words = said.strip().rstrip(".")
    return (
        f"SES has found since {times.minute(since)} that of {name} {means} ({type}, impact {impact.lower()})"
        + (f": {words}" if words else "")
    )


@example(tenant="acme")
@example(tenant=None)
def ses_finding_next(*, tenant: str | None) -> str:
    """What to do about a finding of SES."""
    if tenant is None:
        return "See the finding in the SES console (Virtual Deliverability Manager, Advisor). It ends when SES closes it"
    return (
        f"See what it mailed with `mailcordon metrics --tenant {tenant}`, and stop the cause with `mailcordon cordon {tenant}`."
        " SES pauses a tenant with such findings by itself, as its reputation policy says. The finding ends when SES closes it"
    )


@example(name="acme", type="IP_LISTING")
def ses_finding_culprit(*, name: str, type: str) -> str:
    """The culprit of a finding of SES."""
    return f"{name}: {_FINDINGS.get(type, type)}"


@example(why="AccessDeniedException: not authorized to perform ses:ListRecommendations")
def advice_unread(*, why: str) -> str:
    """A notice of the status: SES's findings cannot be read."""
    return f"SES's findings (ListRecommendations) cannot be read: {why}"


@example()
def advice_unread_next() -> str:
    """What to do when SES's findings cannot be read."""
    return "Give the role of control ses:ListRecommendations: `mailcordon iam administer` prints its policy"


# Doubtful events ---------------------------------------------------------------------------------------------------------------

_DOUBTS = {
    "disagreement": "contradict our records",
    "double": "say that a mail was sent twice",
    "unverified": "carry nothing that proves they are from SES",
    "unknown-delivery": "are of a delivery that is not in our records",
    "malformed": "cannot be read",
}


@example(
    why="disagreement", tenant="acme", source="mailcordon-outcome", documents=12, detail="", since=_SINCE
)
@example(
    why="unverified",
    tenant=None,
    source="mailcordon-outcome",
    documents=1,
    detail="The signature does not fit",
    since=_SINCE,
)
def doubtful(*, why: str, tenant: str | None, source: str, documents: int, detail: str, since: int) -> str:
    """Events that lately went to quarantine since they contradict our records, or may be forged."""
    whose = f" about mail of {tenant}" if tenant else ""
    said = detail.strip().rstrip(".")
    return (
        f"{documents:,} {'event' if documents == 1 else 'events'} from {source}{whose}, since {times.minute(since)},"
        f" {_DOUBTS.get(why, why)}" + (f". The last: {said}" if said else "")
    )


@example(why="double")
def doubtful_next(*, why: str) -> str:
    """What to do about doubtful events."""
    return (
        f"They are in quarantine and not counted: `mailcordon quarantine list --why {why}` shows them with what contradicts what."
        " It ends when none has come for 15 minutes"
    )


@example(tenant="acme", source="mailcordon-outcome")
@example(tenant=None, source="mailcordon-outcome")
def doubtful_culprit(*, tenant: str | None, source: str) -> str:
    """The culprit of doubtful events: the tenant whose mail they name, or who writes to the door that they came through."""
    return f"mail of {tenant}, by events from {source}" if tenant else f"who writes to {source}"


# Backlogs ----------------------------------------------------------------------------------------------------------------------


@example(sentence="The backlog of newsletter of acme is full: 2,000,000 deliveries wait", refused=12)
def lane_full(*, sentence: str, refused: int) -> str:
    """A lane refuses mail since its backlog is full. `sentence` is what callers are answered: its advice to them is left out."""
    full, _, _ = sentence.partition(". ")
    return (
        f"{full.rstrip('.')}. {refused:,} {'message was' if refused == 1 else 'messages were'} refused for it"
    )


@example(type="newsletter", tenant="acme", held=True)
@example(type="newsletter", tenant="acme", held=False)
def lane_full_next(*, type: str, tenant: str, held: bool) -> str:
    """What to do about a lane that refuses mail."""
    look = f"`mailcordon lane show {tenant} {type}` shows its backlog and rate"
    return (
        f"{look}. It is held: lift the hold, or drop the mail with `mailcordon cancel {tenant}`"
        if held
        else look
    )


@example(queue="mailcordon-outcome", waiting=120_000)
def queue_grows(*, queue: str, waiting: int) -> str:
    """More events wait in a queue than the observers can read soon."""
    return f"{waiting:,} events wait in the queue {queue}, so bounces and complaints are seen late"


@example()
def queue_grows_next() -> str:
    """What to do about a queue of events that grows."""
    return "Nothing if it shrinks (`mailcordon status`); else start another `mailcordon run observe`. Nothing is lost meanwhile"


# Waiting mail ------------------------------------------------------------------------------------------------------------------


@example(since="28 Nov 2026 15:23 UTC")
@example(since=None)
def dispatch_idle(*, since: str | None) -> str:
    """Dispatchers report, mail that may leave waits, and none of it is taken."""
    last = f" since {since}" if since else ""
    return f"The dispatchers report and have taken no mail{last}, although mail that may leave waits"


@example()
def dispatch_idle_next() -> str:
    """What to do about dispatchers that take no mail."""
    return (
        "Read the log of dispatch, then restart it: calls on the wire are recorded first, and no mail is lost"
    )


@example(lanes=812, tenants=40)
def many_lanes_wait(*, lanes: int, tenants: int) -> str:
    """Mail of many lanes waits longer than it may, and nothing is stopped. `lanes` ends at 200."""
    return f"Mail of {phrases.count(lanes, 'lane')} of {phrases.count(tenants, 'tenant')} has waited longer than its class may"


@example()
def many_lanes_wait_next() -> str:
    """What to do when mail of many lanes waits."""
    return "Compare what is accepted with the account's rate (`mailcordon account`); SES can raise it"
