"""Incidents: what went wrong, whose it is, what was done, and how long it took (docs/incidents.md)."""

from mailcordon.messages import times
from mailcordon.messages.catalogue import example

_LOST = "no events of set mc-urgent come back since 14:02"

# What is wrong with the alarms themselves -----------------------------------------------------------------------------------


@example()
def source_slow() -> str:
    """Why the alarms of a source are not known: it has not answered yet."""
    return "it does not answer"


@example("lost feedback", "the database is not available")
def source_unread(source: str, problem: str) -> str:
    """Alarm: a source of alarms fails, so what it would say is not known."""
    return f"alarms about {source} are not read: {problem}; those that were open stay open, and new ones are not seen"


@example()
def source_unread_next() -> str:
    """What to do about a source of alarms that fails."""
    return "the next round tries again; the log of the control process has the cause"


@example("lost feedback")
def source_culprit(source: str) -> str:
    """Who is at fault when a source of alarms fails."""
    return f"Mailcordon's reading of {source}"


# The timeline ----------------------------------------------------------------------------------------------------------------


@example("critical", _LOST)
def entry_worsened(severity: str, sentence: str) -> str:
    """Timeline: an alarm is more severe than the incident was so far."""
    return f"now {severity}: {sentence}"


@example(_LOST)
def entry_harm(sentence: str) -> str:
    """Timeline: it was mitigated, and does harm again."""
    return f"it does harm again: {sentence}"


@example(_LOST)
def entry_back(sentence: str) -> str:
    """Timeline: a closed incident opens again."""
    return f"it is back: {sentence}"


@example(1, _LOST)
@example(40, _LOST)
def entry_joined(alarms: int, sentence: str) -> str:
    """Timeline: more alarms with the same cause."""
    return sentence if alarms == 1 else f"{alarms:,} more alarms, of which the worst: {sentence}"


@example("tenant acme: list bought")
def entry_identified(culprit: str) -> str:
    """Timeline: it is known who or what is at fault."""
    return f"due to {culprit}"


@example("ann")
@example(None)
def entry_contained(by: str | None) -> str:
    """Timeline: its alarms still show and do no more harm."""
    return "it does no more harm" + ("" if by is None else f", since {by} acted")


@example()
def entry_mitigated() -> str:
    """Timeline: the last alarm has ended."""
    return "none of its alarms shows any more"


@example(600)
def closed_quiet(seconds: float) -> str:
    """Why an incident closed: nothing more was seen."""
    return f"no alarm for {times.span(seconds)}"


@example(_LOST)
def closed_as_part(sentence: str) -> str:
    """Why an incident closed: another one explains it."""
    return f"it is part of another incident: {sentence}"


@example(40, _LOST)
def more_than_listed(causes: int, example: str) -> str:
    """Alarm: there are more open incidents than can be listed."""
    return f"{causes:,} more causes of alarms than can be listed as incidents; one of the worst: {example}"


@example()
def more_than_listed_next() -> str:
    """What to do about more incidents than can be listed."""
    return "look for what they have in common; each is listed as others close"


# What a tenant is told -------------------------------------------------------------------------------------------------------

_OWN = {
    "feedback-lost": "events of some of your mail did not come back, so its rates were not reliable",
    "ungoverned": "mail was sent past the platform",
    "drift": "a resource at the sending service differed from what it should be",
    "integrity": "events contradicted the platform's records",
    "ses-status": "the sending service stopped or slowed mail",
    "ses-finding": "the sending service reported a finding about the reputation of mail",
    "stuck": "mail waited longer than it should",
    "backlog": "a queue had no more room",
    "domain-lapsed": "the DNS records of a domain no longer let mail be sent from it",
    "rates": "the rate of bounces or complaints was too high",
    "objective": "more mail than its objective allows was late, not delivered, bounced or complained about",
    "breaker": "bounces or complaints were too many, and mail was held or slowed for it",
    "rollout": "mail took a new path that did worse, and takes the old one again",
    "service": "a part of the platform did not work",
}


@example("feedback-lost")
@example("service")
def own_sentence(kind: str) -> str:
    """An incident as a tenant is told of it, where its own sentence would name others."""
    return _OWN.get(kind, "a part of the platform did not work")


_RESUME = {
    "domain-lapsed": "publish the records that `mailcordon identity show DOMAIN` lists; mail goes on after the next check",
    "rates": "stop mailing the addresses that caused it; mail goes on while the rates fall",
    "breaker": "stop mailing the addresses that caused it; what is held leaves once the rates are normal",
    "ses-status": "mail waits and goes on when the sending service takes it again",
    "ses-finding": "stop mailing the addresses that caused it",
    "ungoverned": "send through the platform, or ask for the sender to be declared",
    "backlog": "send again what was refused, later and more slowly",
}


@example("domain-lapsed", True)
@example("service", False)
def resume(kind: str, own: bool) -> str:
    """What a tenant can do about an incident that lasts."""
    return (
        _RESUME.get(kind, "nothing is to be done on your side")
        if own
        else "nothing is to be done on your side"
    )


@example(1)
@example(3)
def resume_held(holds: int) -> str:
    """What a tenant can do while its mail is held."""
    if holds == 1:
        return (
            "mail is kept and goes on when this hold ends; ask the platform to lift it once the cause is gone"
        )
    return f"mail is kept and goes on when these {holds} holds end; ask the platform to lift them once their causes are gone"


@example()
def resume_over() -> str:
    """What a tenant can do about an incident that does no more harm."""
    return "nothing is to be done: mail goes on"


# What people do --------------------------------------------------------------------------------------------------------------


@example(12)
def no_incident(number: int) -> str:
    """The API was asked for an incident that there is not, or that is not the tenant's."""
    return f"there is no incident {number}"


@example(12, "zen")
def does_not_concern(number: int, tenant: str) -> str:
    """The platform asked for the report of an incident for a tenant that it neither belongs to nor concerns."""
    return f"incident {number} does not concern {tenant}: there is nothing to report to it"


@example(12)
def already_closed(number: int) -> str:
    """The API refuses to acknowledge or close an incident that is closed."""
    return f"incident {number} is closed"


@example(1000)
def too_many_notes(most: int) -> str:
    """The API refuses one more note."""
    return f"an incident takes {most} notes at most"


@example()
def reported_in_future() -> str:
    """The API refuses a time at which a customer cannot have reported it."""
    return "is in the future"


@example("10:05 UTC")
@example(None)
def entry_reported(when: str | None) -> str:
    """Timeline: when a customer reported it first."""
    return "no customer reported it" if when is None else f"first reported by a customer at {when}"


@example()
def entry_acknowledged() -> str:
    """Timeline: somebody looks at it."""
    return "somebody looks at it"


@example()
def bad_moment() -> str:
    """The API refuses a time that it cannot read."""
    return "is not a time in UTC such as 2026-11-28T15:23:00Z"


# The command line ------------------------------------------------------------------------------------------------------------


@example()
def none_open() -> str:
    """`mailcordon incident list` when nothing is open."""
    return "No incident is open."


@example()
def none_ever() -> str:
    """`mailcordon incident list --all` and `times` when there is none."""
    return "There is no incident."


@example(True, False, False)
@example(True, False, True)
@example(True, True, False)
@example(False, True, False)
def state_of(is_open: bool, mitigated: bool, acknowledged: bool) -> str:
    """The state of an incident in a list."""
    if not is_open:
        return "closed"
    if mitigated:
        return "mitigated"
    return "acknowledged" if acknowledged else "open"


@example("28 Nov 15:23:07Z", 42.5)
def after(when: str, seconds: float) -> str:
    """When something of an incident was, and how long after its beginning."""
    return f"{when}, after {took(seconds)}"


@example(4.2)
@example(42)
@example(4_200)
def took(seconds: float) -> str:
    """How long something took: with a decimal below ten seconds."""
    return f"{seconds:.1f} s" if seconds < 10 else times.span(seconds)


@example("12", "mitigated")
def report_title(number: str, state: str) -> str:
    """The first line of a report."""
    return f"Incident {number}: {state}"


@example(kind="list", name="bought", share=0.97, events=31, mails=140)
@example(kind="lane", name="newsletter", share=1.0, events=31, mails=1_300)
def culprit(*, kind: str, name: str, share: float, events: int, mails: int) -> str:
    """A part of the mail in the ranking of who brings what is too much."""
    of = "the whole lane" if kind == "lane" else f"{kind} {name}"
    return f"{of}: {100 * share:.0f} % of what is too much, {events:,} of {mails:,} mails"


@example()
def heading_culprits() -> str:
    """Above the ranking of who brings what is too much."""
    return "Who brings it"


@example()
def heading_evidence() -> str:
    """Above the evidence of an incident."""
    return "Evidence"


@example()
def heading_alarms() -> str:
    """Above the alarms of an incident."""
    return "Alarms"


@example()
def heading_timeline() -> str:
    """Above the timeline of an incident."""
    return "Timeline"


@example()
def heading_effects() -> str:
    """Above what was wrong of a tenant's own, in its report."""
    return "Effect"


@example()
def heading_actions() -> str:
    """Above what was done, in a tenant's report."""
    return "What was done"


@example()
def heading_holds() -> str:
    """Above the holds that keep a tenant's mail, in its report."""
    return "What is held"


@example()
def heading_resume() -> str:
    """Above what a tenant can do, in its report."""
    return "How mail goes on"


@example(12)
def noted(number: int) -> str:
    """`mailcordon incident note` has written it."""
    return f"Noted in the timeline of incident {number}."


@example(12)
def acknowledged(number: int) -> str:
    """`mailcordon incident ack` is done."""
    return f"Incident {number} is acknowledged: alerts about it are not sent again."


@example(12)
def closed(number: int) -> str:
    """`mailcordon incident close` is done."""
    return (
        f"Incident {number} is closed. It opens again if an alarm of it ends and returns, or becomes worse."
    )


@example(12, False)
@example(12, True)
def reported(number: int, nobody: bool) -> str:
    """`mailcordon incident reported` is done."""
    return f"Incident {number}: " + ("no customer reported it." if nobody else "a customer reported it.")


_CHANGES = {
    "hold.lift": "Lifted: {object}",
    "lane.rate": "Rate set: {object}",
    "delivery.cancel": "Waiting mail dropped: {object}",
    "message.cancel": "Cancelled: {object}",
    "breaker.accept": "Accepted as normal: {object}",
    "breaker.probe": "Tried: {object}",
}


@example(
    action="hold.lift", object="hold 5 on newsletter mail of acme, list bought", because="the list is deleted"
)
@example(action="delivery.cancel", object="newsletter mail of acme, list bought", because=None)
def entry_change(*, action: str, object: str, because: str | None) -> str:
    """In the timeline: what somebody changed about the mail, as the audit trail has it."""
    said = _CHANGES[action].format(object=object)
    return said if because is None else f"{said}: {because}"
