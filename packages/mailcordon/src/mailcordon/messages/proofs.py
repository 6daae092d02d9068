"""Proofs of attribution: what was shown, what did not come back, and which part of the way is dead (docs/proofs.md)."""

from collections.abc import Sequence

from mailcordon.messages.catalogue import example


@example("acme", "newsletter", 12)
def proved(tenant: str, type: str, events: int) -> str:
    """A proof ended well."""
    return f"all {events} events of the proof came back and were attributed to {tenant} / {type}"


@example("held by a person since 28 Nov 2026 15:23 UTC: complaints rise (hold 17)")
def not_sent(why: str) -> str:
    """A proof ended before its mails were sent, since no mail of the lane may leave. It says nothing about attribution."""
    return f"the mails of the proof were not sent: {why}"


@example()
def lane_closed() -> str:
    """Why no mail of a proof may leave: the lane is being retired, or it has no route any more."""
    return "the lane takes no mail any more"


@example()
def no_dispatcher() -> str:
    """Why no mail of a proof left within its time limit."""
    return "no dispatcher is running"


@example("the account's sending rate is used up")
@example(None)
def no_turn(said: str | None) -> str:
    """Why no mail of a proof left within its time limit, although a dispatcher runs."""
    return said or (
        "no dispatcher called SES within the time limit: they are starting, something stops them (`mailcordon status` says what),"
        " or other mail uses the account's rate"
    )


@example("bounce", "MessageRejected: Email address is not verified.")
def refused(what: str, said: str) -> str:
    """SES did not accept a mail of a proof."""
    return f"SES did not accept the {what} mail: {said}"


@example("bounce")
def no_answer(what: str) -> str:
    """It is not known whether SES has a mail of a proof, and no event of it came."""
    return (
        f"the {what} mail was called once and has neither an answer nor an event: the dispatcher died, or SES did not"
        " answer. A proof's mail is never sent twice; ask for a new proof"
    )


@example("bounce", ["bounce"], 60)
@example("success", ["send", "delivery"], 60)
def missing(what: str, kinds: Sequence[str], seconds: int) -> str:
    """Events of a mail of a proof did not come within its time limit."""
    return f"of the {what} mail SES reported no {' and no '.join(kinds)} within {seconds} s"


@example("bounce", "bounce")
def of_another_lane(what: str, kind: str) -> str:
    """An event of a proof was attributed to a lane that did not send the mail. Which one, the evidence shows to the platform."""
    return f"the {kind} event of the {what} mail was attributed to another lane"


@example("bounce", "send")
def contradicted(what: str, kind: str) -> str:
    """The SES tenant or set of an event of a proof is not the lane's. Which it is, the evidence shows to the platform."""
    return f"the {kind} event of the {what} mail names an SES tenant or set that is not the lane's"


@example("bounce", "send")
def of_another_mail(what: str, kind: str) -> str:
    """An event of a proof has another SES message id than SES returned for the mail."""
    return f"a {kind} event has the tags of the {what} mail and another SES message id: a second mail had the same tags"


@example()
def route_changed() -> str:
    """The lane's route changed while a proof ran. It says nothing about the new one."""
    return "the lane's route changed while the proof ran: ask for a new one"


@example("AccessDeniedException: not allowed")
@example(None)
def scope_not_read(said: str | None) -> str:
    """The suppression scope could not be read from SES within the time limit."""
    return f"the suppression of the SES tenant and of the set could not be read: {said or 'SES did not answer in time'}"


@example("mc-acme")
def no_ses_tenant(name: str) -> str:
    """The SES tenant of a lane does not exist."""
    return f"the SES tenant {name} does not exist"


# The way of the events ---------------------------------------------------------------------------------------------------


@example("mc-urgent")
def no_set(name: str) -> str:
    """The configuration set of a lane does not exist at SES."""
    return f"the configuration set {name} does not exist at SES"


@example("mc-urgent")
def no_destination(name: str) -> str:
    """A configuration set has lost the event destination that our observer reads."""
    return f"the configuration set {name} has no destination `outcome`: SES publishes none of its events to Mailcordon"


@example("mc-urgent")
def destination_disabled(name: str) -> str:
    """The event destination of a configuration set is switched off."""
    return f"destination `outcome` of set {name} is disabled at SES"


@example("mc-urgent", ["BOUNCE", "COMPLAINT"])
def destination_lacks(name: str, events: Sequence[str]) -> str:
    """The event destination of a configuration set does not publish events that a proof needs."""
    return f"destination `outcome` of set {name} does not publish {', '.join(events)}"


@example(
    "mc-urgent",
    "arn:aws:sns:us-east-1:123456789012:old",
    "arn:aws:sns:us-east-1:123456789012:mailcordon-outcome",
)
def destination_elsewhere(name: str, has: str | None, want: str) -> str:
    """The event destination of a configuration set publishes to another topic."""
    where = f"to {has}" if has else "to no SNS topic"
    return f"destination `outcome` of set {name} publishes {where}, not to {want}"


@example("arn:aws:sns:us-east-1:123456789012:mailcordon-outcome")
def no_topic(arn: str) -> str:
    """The topic that SES publishes to does not exist."""
    return f"the topic {arn} does not exist"


@example("arn:aws:sns:us-east-1:123456789012:mailcordon-outcome")
def topic_policy(arn: str) -> str:
    """The policy of the topic does not let SES publish."""
    return f"the policy of topic {arn} does not let ses.amazonaws.com publish for this configuration set"


@example(
    "arn:aws:sns:us-east-1:123456789012:mailcordon-outcome",
    "arn:aws:sqs:us-east-1:123456789012:mailcordon-outcome",
)
def no_subscription(topic: str, queue: str) -> str:
    """The topic does not lead to the queue that the observer reads."""
    return f"the topic {topic} has no subscription of the queue {queue}"


@example("arn:aws:sqs:us-east-1:123456789012:mailcordon-outcome")
def no_queue(arn: str) -> str:
    """The queue that the observer reads does not exist."""
    return f"the queue {arn} does not exist"


@example(
    "arn:aws:sqs:us-east-1:123456789012:mailcordon-outcome",
    "arn:aws:sns:us-east-1:123456789012:mailcordon-outcome",
)
def queue_policy(queue: str, topic: str) -> str:
    """The policy of the queue does not let the topic write."""
    return f"the policy of queue {queue} does not let the topic {topic} write to it"


@example()
def no_observer() -> str:
    """No process reads the event queues."""
    return "no observer is running: nothing reads the event queues"


@example("mailcordon-outcome", "AccessDenied: not allowed to receive")
def observer_stuck(queue: str, problem: str) -> str:
    """The observer runs and does not receive."""
    return f"the observer does not receive from the queue {queue}: {problem}"


@example()
def not_in_time() -> str:
    """SES, SNS or SQS did not answer in time while the way of events was looked at."""
    return "no answer in time"


@example("destination `outcome` of set mc-urgent is disabled at SES")
def road_was(says: str) -> str:
    """Events of a proof were lost while something was wrong that has been repaired since."""
    return f"while the mails were sent, {says}. That has been repaired: ask for a new proof"


@example("mc-urgent", [])
@example("mc-urgent", ["the topic: AccessDenied: no sns:GetTopicAttributes"])
def road_unknown(name: str, unread: Sequence[str]) -> str:
    """SES took the calls, no event came, and no part of the way that could be looked at is wrong."""
    what = f" ({'; '.join(unread)})" if unread else ""
    return (
        f"SES took the calls and no event came. Destination `outcome` of set {name} is on and an observer reads its queue, so"
        f" what is left is the policy of the topic, its subscription, or the policy of the queue{what}"
    )


# Fresh or stale ------------------------------------------------------------------------------------------------------------


@example("28 Nov 2026 15:23 UTC")
def fresh(until: str) -> str:
    """The attribution of a lane is proved, and until when that counts."""
    return f"proved, valid until {until}"


@example()
def never() -> str:
    """The attribution of a lane was never proved."""
    return "never proved"


@example("28 Nov 2026 15:23 UTC", 7)
def too_old(at: str, days: int) -> str:
    """A proof no longer counts because of its age."""
    return f"proved {at}, more than {days} days ago"


@example("28 Nov 2026 15:23 UTC", ["the configuration set was mc-marketing and is mc-acme-marketing"])
def changed(at: str, parts: Sequence[str]) -> str:
    """A proof no longer counts because a part of the route is another one."""
    return f"proved {at}, and since then {'; '.join(parts)}"


@example("configuration_set", "mc-marketing", "mc-acme-marketing")
@example("enabled", True, False)
@example("topic", None, "arn:aws:sns:us-east-1:123456789012:mailcordon-outcome")
def part(name: str, was: object, now: object) -> str:
    """One part of a route that changed since its proof."""
    words = {
        "ses_tenant": "the SES tenant",
        "domain": "the From domain",
        "configuration_set": "the configuration set",
        "ip_pool": "the IP pool",
        "topic": "the topic of its outcome destination",
        "events": "the events of its outcome destination",
    }
    if name == "enabled":
        return f"its outcome destination was {_on(was)} and is {_on(now)}"
    return f"{words.get(name, name)} was {_value(was)} and is {_value(now)}"


def _on(value: object) -> str:
    return "unknown" if value is None else "enabled" if value else "disabled"


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return "none" if value is None else str(value)


@example("28 Nov 2026 15:23 UTC", "destination `outcome` of set mc-urgent is disabled at SES")
def failed(at: str, because: str) -> str:
    """The last proof of a lane failed."""
    return f"the proof of {at} failed: {because}"


@example()
def unjudged() -> str:
    """A proof is past its time limit and no control process has judged it."""
    return "it is past its time limit, and no control process has judged it: `mailcordon status` shows whether one runs"


# Asking ------------------------------------------------------------------------------------------------------------------


@example(50, 61)
def too_many_of_tenant(most: int, number: int) -> str:
    """`prove` names too many lanes of one tenant at once."""
    return (
        f"{number} proofs of this tenant would run at once, and {most} may: name fewer types, or wait until others"
        " have ended"
    )


@example(200)
def too_many(most: int) -> str:
    """`prove` while too many proofs of all tenants run."""
    return f"{most} proofs run already: wait until some have ended"


@example(12)
def no_proof(id: int) -> str:
    """A proof does not exist, or is not for this key."""
    return f"There is no proof {id}."


@example("acme")
def no_lanes(tenant: str) -> str:
    """`prove` of a tenant without lanes."""
    return f"{tenant} has no lane to prove"


@example("invoice", 12, "ann (key 4k2p9x7m)", "15:23:07 UTC")
def already(type: str, proof: int, by: str, at: str) -> str:
    """`prove` while a proof of a lane runs. The second one who asks waits for the first one's."""
    return f"{type}: proof {proof} runs already, asked for by {by} at {at}; waiting for that one"


# The command line --------------------------------------------------------------------------------------------------------


@example()
def none_yet() -> str:
    """`prove --list` of a tenant without lanes."""
    return "No lanes."


@example(
    "acme",
    "newsletter",
    "mc-marketing > arn:aws:sns:us-east-1:123456789012:mailcordon-outcome > mailcordon-outcome",
)
def heading(tenant: str, type: str, road: str) -> str:
    """`prove`: above the mails of one lane."""
    return f"{tenant} / {type} ({road})"


@example()
def never_came() -> str:
    """`prove`: instead of the way that events came, if none came."""
    return "no event came"


@example("bounce", False)
@example("bounce", True)
def event(kind: str, late: bool) -> str:
    """`prove`: an event that came."""
    return f"{kind} (late)" if late else kind


@example(
    True,
    "all 7 events of the proof came back and were attributed to acme / newsletter",
    "5 Dec 2026 15:23 UTC",
)
@example(False, "destination `outcome` of set mc-urgent is disabled at SES", None)
def verdict(is_proved: bool, because: str, until: str | None) -> str:
    """`prove`: how a proof ended."""
    if not is_proved:
        return f"Not proved: {because}."
    return f"Proved: {because}." + (f" Valid until {until}." if until else "")


@example(12, "60 s")
def still_running(proof: int, waited: str) -> str:
    """`prove` stops waiting before the proof has ended. Exit code 1."""
    return f"Proof {proof} has not ended after {waited}. `mailcordon prove --show {proof}` shows it later."


@example("TENANT", ["BOUNCE", "COMPLAINT"], None, ["BOUNCE"])
@example("TENANT", ["BOUNCE", "COMPLAINT"], None, None)
def scope(
    tenant_scope: str | None,
    reasons: Sequence[str] | None,
    set_scope: str | None,
    set_reasons: Sequence[str] | None,
) -> str:
    """`prove`: the suppression that applies to a lane's mail, as read from SES."""
    own = f"the SES tenant {_suppresses(', '.join(reasons or ()), tenant_scope)}"
    if set_scope is None and set_reasons is None:
        return f"Suppression, read from SES: {own}; the set leaves it so."
    what = "the SES tenant's reasons" if set_reasons is None else ", ".join(set_reasons)
    return f"Suppression, read from SES: {own}; the set {_suppresses(what, set_scope)}."


def _suppresses(what: str, scope: str | None) -> str:
    where = "no scope of its own" if scope is None else f"the scope {scope}"
    return f"suppresses for {what or 'nothing'}, in {where}"
