"""Alerts about incidents, the channels that they go over, and why one did not arrive (docs/alerts.md)."""

from collections.abc import Sequence

from mailcordon.messages import phrases, times
from mailcordon.messages.catalogue import example

_SINCE = 1_795_879_380_000
_SENTENCE = "Destination `outcome` of set mc-urgent is disabled at SES, so 412 mails have no events"

# What an alert says ---------------------------------------------------------------------------------------------------------

_STATES = {
    "opened": "New",
    "reopened": "Again",
    "worsened": "Worse",
    "identified": "Culprit known",
    "acknowledged": "Acknowledged",
    "reminder": "Not acknowledged",
    "closed": "Closed",
}


@example("opened", "critical", _SENTENCE, 12)
@example("closed", "high", _SENTENCE, 12)
def title(what: str, severity: str, sentence: str, incident: int) -> str:
    """The first line of an alert, and the subject of its mail."""
    return f"[{severity}] {_STATES[what]}: {sentence} (incident {incident})"


@example(
    incident=12,
    what="opened",
    kind="rates",
    severity="high",
    whose="acme",
    culprit="list bought",
    since=_SINCE,
    now=_SINCE + 240_000,
    done=["28 Nov 2026 15:24 UTC, ann: held newsletter mail of acme, list bought"],
    next="Ask acme where the list is from",
)
@example(
    incident=13,
    what="closed",
    kind="feedback-lost",
    severity="critical",
    whose=None,
    culprit=None,
    since=_SINCE,
    now=_SINCE + 900_000,
    done=[],
    next="",
    closed=(_SINCE + 900_000, "incidents", "no alarm for 10 min"),
)
def alert(
    *,
    incident: int,
    what: str,
    kind: str,
    severity: str,
    whose: str | None,
    culprit: str | None,
    since: int,
    now: int,
    done: Sequence[str],
    next: str,
    mitigated: int | None = None,
    acknowledged_by: str | None = None,
    closed: tuple[int, str, str] | None = None,
    open_incidents: int = 1,
) -> str:
    """The lines of an alert below its first one: whose it is, since when, what was done, and what to do next."""
    lines = [
        f"Whose: {whose or 'the platform'}",
        f"Due to: {culprit or 'not known yet'}",
        f"Since: {times.minute(since)} ({times.span(max(0, now - since) / 1000)} ago)",
        f"Kind: {kind}, {severity}",
        f"Done: {'; '.join(done) if done else 'nothing yet'}",
    ]
    if mitigated is not None:
        lines.append(f"No more harm since {times.minute(mitigated)}")
    if acknowledged_by is not None:
        lines.append(f"Acknowledged by {acknowledged_by}")
    if closed is not None:
        at, by, because = closed
        lines.append(f"Closed: {times.minute(at)} by {by}{f': {because}' if because else ''}")
    else:
        lines.append(f"Next: {next}")
        if acknowledged_by is None:
            lines.append(f"Acknowledge: mailcordon incident ack {incident}")
        if open_incidents > 1:
            lines.append(f"Open now: {open_incidents} incidents (mailcordon incident list)")
    return "\n".join(lines)


@example(_SENTENCE, "Whose: the platform", "mailcordon incident show 12")
@example(_SENTENCE, "Whose: the platform", None)
def whole(sentence: str, lines: str, command: str | None) -> str:
    """An alert as plain text: what is wrong, the facts, and one command to paste."""
    return f"{sentence}\n\n{lines}" + ("" if command is None else f"\n\n    {command}")


@example(_SINCE, "ann", "held newsletter mail of acme, list bought")
def done(at: int, author: str, text: str) -> str:
    """Something that was done about an incident, in an alert."""
    return f"{times.minute(at)}, {author}: {text}"


@example("night")
def test(name: str) -> str:
    """The message with which `mailcordon alert channel test` tries a channel, and a tenant's contact is tried."""
    return f"This is a test of the channel {name} of Mailcordon. Nothing is wrong."


@example()
def test_title() -> str:
    """The subject of such a mail."""
    return "Test of an alert channel"


# The timeline ---------------------------------------------------------------------------------------------------------------


@example("night", "events.pagerduty.com", "opened")
def told(channel: str, target: str, what: str) -> str:
    """An incident's timeline: a message about it arrived."""
    return f"{channel} ({target}) was told: {what}"


@example("night", "events.pagerduty.com", "the answer was 503")
def not_told(channel: str, target: str, why: str) -> str:
    """An incident's timeline: a message about it did not arrive, or was not sent."""
    return f"{channel} ({target}) was not told: {why}"


# Why a message did not arrive -----------------------------------------------------------------------------------------------


@example(10.0)
def no_answer(seconds: float) -> str:
    """A message did not arrive: the receiver took too long."""
    return f"no answer within {times.span(seconds)}"


@example(503)
@example(302)
@example(410)
def answered(status: int) -> str:
    """A message did not arrive: the receiver's answer was not 2xx. Redirects are not followed."""
    if 300 <= status < 400:
        return f"the answer was {status}, a redirect, and redirects are not followed"
    return f"the answer was {status}"


@example("hooks.example.com")
def bad_certificate(host: str) -> str:
    """A message did not arrive: the receiver's certificate is not valid for its name."""
    return f"the certificate of {host} is not valid for this name"


@example("Connection refused")
def not_reached(why: str) -> str:
    """A message did not arrive: no connection, or it broke."""
    return f"not reached ({why})"


@example("hooks.example.com")
def name_not_found(host: str) -> str:
    """A message did not arrive: the receiver's name has no address."""
    return f"the name {host} has no address"


@example("hooks.example.com", "169.254.169.254")
def resolves_to(host: str, address: str) -> str:
    """A message was not sent: the name leads into a network that is not public."""
    return f"{host} leads to {address}, which is not public; MAILCORDON_ALERT_NETWORKS allows more"


@example("10.0.0.7")
def address_not_allowed(address: str) -> str:
    """A URL is refused: its address is not public."""
    return f"{address} is not a public address; MAILCORDON_ALERT_NETWORKS allows more"


@example()
def url_without_tls() -> str:
    """A URL is refused: it begins with http:// and leads to no network that is allowed by name."""
    return "must begin with https://, except for addresses in MAILCORDON_ALERT_NETWORKS"


@example()
def bad_url() -> str:
    """A URL is refused: it is none, or has a user in it."""
    return (
        "must be a URL such as https://hooks.example.com/mailcordon, in ASCII and without a user or password"
    )


@example("suppressed")
def mail_refused(why: str) -> str:
    """An alert's mail was not taken: the lane's own rules refuse its recipient."""
    return f"our own API refused the mail: {why}"


@example(422, "unknown-tenant")
def api_refused(status: int, code: str) -> str:
    """An alert's mail was not taken by our own API."""
    return f"our own API answered {status} {code}"


@example()
def no_api_url() -> str:
    """An e-mail channel is used or made, and this process does not know where the API is."""
    return "MAILCORDON_ALERT_API_URL is not set, so e-mail cannot be submitted"


# Why a lane does not carry an alert -----------------------------------------------------------------------------------------


@example("platform/notification")
def lane_nothing_leaves(lane: str) -> str:
    """An alert's mail is not sent: no mail leaves."""
    return f"its lane {lane} cannot send: SES stops the account, or every dispatcher"


@example("platform/notification")
def lane_no_dispatcher(lane: str) -> str:
    """An alert's mail is not sent: no dispatcher reports."""
    return f"its lane {lane} cannot send: no dispatcher reports"


@example("platform/notification")
def lane_held(lane: str) -> str:
    """An alert's mail is not sent: the lane that would carry it is held or stopped."""
    return f"its lane {lane} is held or stopped itself"


@example("platform/notification", "role:dispatch")
def lane_needs(lane: str, cause: str) -> str:
    """An alert's mail is not sent: what is wrong is something that every mail needs."""
    return f"its lane {lane} needs what is wrong ({cause})"


@example("platform/notification")
def lane_same_tenant(lane: str) -> str:
    """An alert's mail is not sent: the incident is about the tenant or lane that would carry it."""
    return f"its lane {lane} is of the tenant that the incident is about"


@example("platform/notification", "mc-urgent")
def lane_same_set(lane: str, name: str) -> str:
    """An alert's mail is not sent: the incident is about the configuration set of the lane that would carry it."""
    return f"its lane {lane} uses the configuration set {name}, which the incident is about"


@example("platform/notification", "ops.example")
def lane_same_domain(lane: str, domain: str) -> str:
    """An alert's mail is not sent: the incident is about the domain of the lane that would carry it."""
    return f"its lane {lane} sends from {domain}, which the incident is about"


# Setting channels and contacts ----------------------------------------------------------------------------------------------


@example("night")
def no_channel(name: str) -> str:
    """A channel is named that does not exist."""
    return f"there is no alert channel {name}"


@example("night")
def channel_exists(name: str) -> str:
    """A channel is to be made whose name is taken."""
    return f"there is an alert channel {name} already; remove it first, or take another name"


@example("night")
def channel_changed_meanwhile(name: str) -> str:
    """A channel is to be changed that somebody else changes at the same time."""
    return f"alert channel {name} was changed or removed meanwhile: look at it again, then repeat the change"


@example(50)
def too_many_channels(most: int) -> str:
    """One channel too many is to be made."""
    return f"there are {most} alert channels already, the most that there can be"


@example("night")
def key_name(channel: str) -> str:
    """The name of the API key that an e-mail channel submits with."""
    return f"alert channel {channel}"


@example("slack")
def not_of_form(form: str) -> str:
    """A channel is to be made with a field that its form does not have."""
    return f"is not for {form}"


@example("email")
def only_for(form: str) -> str:
    """A contact is set with a field that only contacts of another form have."""
    return f"is for {form} only"


@example("pagerduty")
def needed_for(form: str) -> str:
    """A channel is to be made without a field that its form needs."""
    return f"is needed for {form}"


@example()
def bad_signing_secret() -> str:
    """The signing secret of a webhook is none."""
    return (
        "must be whsec_ and 24 to 64 bytes in base64, as Standard Webhooks has it; without one, it is made up"
    )


@example()
def bad_routing_key() -> str:
    """PagerDuty's routing key is none."""
    return "must be the integration key of an Events API v2 integration: letters and digits"


@example()
def no_marketing_lane() -> str:
    """An e-mail channel is to use a marketing lane."""
    return "must be of the class urgent or transactional: marketing mail can be unsubscribed from"


@example("ops.example")
def sender_elsewhere(domain: str) -> str:
    """An e-mail channel's From address is not of its lane's domain."""
    return f"must be an address at {domain}, from which the lane sends"


@example()
def one_address() -> str:
    """A contact is set with no address, or with two."""
    return "must be given, or url, and not both"


@example()
def email_channel_missing() -> str:
    """A tenant's contact by e-mail is set, and no lane carries such mail."""
    return "no e-mail channel exists, whose lane could carry this mail: make one with `mailcordon alert channel add`"


@example(["night", "day"])
def which_email_channel(names: list[str]) -> str:
    """A tenant's contact by e-mail is set, and it is not clear which lane carries its mail."""
    return f"must name one of the e-mail channels: {', '.join(names)}"


@example("night")
def no_email_channel(name: str) -> str:
    """A tenant's contact by e-mail is to use a channel that is not for e-mail."""
    return f"{name} is not for e-mail"


@example("night", 2)
def channel_carries(name: str, contacts: int) -> str:
    """A channel is to be removed whose lane carries notices to tenants."""
    return f"the lane of {name} carries the notices to {phrases.count(contacts, 'contact')} of tenants; set these anew first"


# On the command line --------------------------------------------------------------------------------------------------------


@example("night", None)
@example("night", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
def channel_made(name: str, secret: str | None) -> str:
    """After a channel was made."""
    if secret is None:
        return f"Channel {name} gets alerts from now on. Try it: mailcordon alert channel test {name}"
    return f"Channel {name} gets alerts from now on. Its signing secret, shown once:\n\n  {secret}"


@example("night")
def channel_removed(name: str) -> str:
    """After a channel was removed."""
    return f"Channel {name} gets no more alerts. Its secrets are deleted."


@example("night", "hooks.example.com")
def channel_changed(name: str, target: str) -> str:
    """After a channel was changed."""
    return f"Channel {name} leads to {target}. Try it: mailcordon alert channel test {name}"


@example()
def no_change_of_a_channel() -> str:
    """`alert channel change` without anything to change."""
    return "name at least one thing to change"


@example("night", None)
@example("night", "the answer was 503")
def channel_tried(name: str, problem: str | None) -> str:
    """After a test message was sent."""
    return (
        f"{name} took the test message"
        if problem is None
        else f"{name} did not take the test message: {problem}"
    )


@example()
def no_channels() -> str:
    """There is no channel."""
    return f"{status_no_channel()}. {status_no_channel_next()}"


@example()
def no_alerts() -> str:
    """There is no alert."""
    return "No channel was told of an incident."


@example(12)
def acknowledged(incident: int) -> str:
    """After an alert was acknowledged."""
    return f"Incident {incident} is acknowledged: no channel is reminded of it any more."


@example()
def one_form() -> str:
    """`alert channel add` without a form, or with two."""
    return "give exactly one of --webhook, --slack, --pagerduty and --email"


# The alarm that a channel does not work --------------------------------------------------------------------------------------


@example("night", "hooks.example.com", "the answer was 503")
def channel_fails(name: str, target: str, problem: str) -> str:
    """An incident: messages do not arrive at a channel."""
    return f"Alert channel {name} ({target}) takes no messages: {problem}"


@example("night")
def channel_fails_next(name: str) -> str:
    """What to do about it."""
    return f"Repair its receiver, or remove the channel: mailcordon alert channel remove {name}"


@example("hooks.example.com")
def channel_receiver(target: str) -> str:
    """Who is at fault."""
    return f"the receiver {target}"


@example(12)
def no_alert(alert: int) -> str:
    """An alert is named that does not exist."""
    return f"there is no alert {alert}"


@example()
def state_open() -> str:
    """`alert list`: nobody has acknowledged the incident."""
    return "not acknowledged"


@example("ann")
def state_acknowledged(by: str) -> str:
    """`alert list`: somebody takes care of it."""
    return f"acknowledged by {by}"


@example()
def state_closed() -> str:
    """`alert list`: the incident is over."""
    return "closed"


@example("the answer was 503")
def state_problem(why: str) -> str:
    """`alert list`: the last message did not arrive."""
    return f"not delivered: {why}"


# In `mailcordon status` ------------------------------------------------------------------------------------------------------


@example()
def status_no_channel() -> str:
    """A notice: no alert channel is set up."""
    return "There is no alert channel: nobody is told of incidents"


@example()
def status_no_channel_next() -> str:
    """What to do about it."""
    return "Make one: `mailcordon alert channel add NAME --webhook URL` (docs/alerts.md)"
