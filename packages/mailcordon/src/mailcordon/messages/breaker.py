"""What the breaker saw, what it did, and what comes next, for somebody who is woken by it (docs/breaker.md, docs/observe.md)."""

import shlex
from collections.abc import Sequence

from mailcordon.messages import phrases, times
from mailcordon.messages.catalogue import example

_EVENTS = {
    "bounces": ("hard bounce", "hard bounces"),
    "complaints": ("complaint", "complaints"),
    "blocks": ("refusal for spam or reputation", "refusals for spam or reputation"),
    "delays": ("delayed mail", "delayed mails"),
}
_SINCE = 1_795_879_320_000
_LATER = 1_795_900_920_000

Named = tuple[str, str]  #: list, campaign, provider, pool or lane, and its name
Part = Sequence[Named]  #: what all of these have in common; none: the whole lane
Share = tuple[Part, float, int, int]  #: a part, its share of what is too much, its events and its mails


def _percent(share: float) -> str:
    text = f"{100 * share:.2f}" if share < 0.01 else f"{100 * share:.1f}"
    return f"{text.rstrip('0').rstrip('.')} %"


@example([("list", "import-7")], "acme/newsletter")
@example([("campaign", "june"), ("provider", "gmail")], "acme/newsletter")
@example([], "acme/newsletter")
def named(part: Part, lane: str) -> str:
    """A part of a lane's mail, or the whole lane."""
    words = [_one(*one) for one in part if one[0] not in ("lane", "pool")]
    return " ".join(words) if words else lane


def _one(kind: str, name: str) -> str:
    if kind == "provider":
        return f"mail to {name}"
    return f"{kind} {name}"


def _mails(number: int) -> str:
    return "1 mail" if number == 1 else f"{number:,} mails"


# What was seen ---------------------------------------------------------------------------------------------------------


@example(
    of="acme/newsletter",
    signal="bounces",
    events=31,
    mails=420,
    since=_SINCE,
    usual=3.1,
    ceiling=0.025,
    half="absolute",
    days=36_500,
    above=False,
)
@example(
    of="acme/newsletter",
    signal="complaints",
    events=14,
    mails=9_000,
    since=_SINCE,
    usual=2.7,
    ceiling=0.001,
    half="relative",
    days=3_650,
    above=False,
)
@example(
    of="acme/newsletter",
    signal="bounces",
    events=130,
    mails=4_000,
    since=_SINCE,
    usual=36,
    ceiling=0.025,
    half="absolute",
    days=36_500,
    above=True,
)
def seen(
    *,
    of: str,
    signal: str,
    events: int,
    mails: int,
    since: int,
    usual: float,
    ceiling: float,
    half: str,
    days: float,
    above: bool,
) -> str:
    """What the breaker saw: counts, since when, what is usual, and how rare that is in a healthy lane. `above`: one campaign
    or list is above the ceiling, and the lane itself is not ill."""
    one, many = _EVENTS[signal]
    counted = (
        f"{of}: {events:,} {one if events == 1 else many} of {_mails(mails)} since {times.minute(since)}"
    )
    normal = f"usual is {_about(usual)}"
    accepted = f"at most {_percent(ceiling)} is accepted"
    why = f"{accepted}, {normal}" if half == "absolute" else f"{normal} for this lane"
    rare = f"A healthy lane shows that at most once in {_span(days)}."
    if above:
        rare = "The lane itself is healthy: it is this one campaign or list that is above what is accepted."
    return f"{counted}; {why}. {rare}"


def _about(number: float) -> str:
    if number < 1:
        return "less than 1"
    return f"{number:,.0f}"


def _span(days: float) -> str:
    if days >= 365_000:
        return "1,000 years"
    if days >= 730:
        return f"{days / 365:,.0f} years"
    return phrases.count(max(1, round(days)), "day")


@example(pool="sign-up partner-x")
def pool_culprit(*, pool: str) -> str:
    """New senders that have something in common."""
    return f"the new senders of {pool}"


@example(signal="bounces", shares=[([("list", "import-7")], 0.96, 29, 120)])
@example(
    signal="complaints",
    shares=[([("campaign", "june")], 0.55, 8, 2_000), ([("provider", "yahoo")], 0.31, 5, 900)],
)
@example(signal="bounces", shares=[])
def cause(*, signal: str, shares: Sequence[Share]) -> str:
    """Which part of the mail brings what is too much."""
    shown = [
        (part, round(100 * min(1.0, share)), f"{events:,} of {_mails(mails)}")
        for part, share, events, mails in shares
        if share >= 0.1
    ]
    many = _EVENTS[signal][1]
    if not shown:
        return f"No list, campaign or provider stands out among the {many}."
    if len(shown) == 1:
        part, share, counts = shown[0]
        return f"{share} % of what is too much comes from {named(part, 'the lane')} ({counts})."
    each = phrases.listed(
        [f"{share} % from {named(part, 'the lane')} ({counts})" for part, share, counts in shown]
    )
    if shown[0][1] < 50:
        return f"No one part brings most of what is too much: {each}."
    return f"Of what is too much, {each}; these may hold the same mail."


@example(pool="sign-up partner-x", lanes=40, events=31, mails=410, ceiling=0.025, signal="bounces")
def pool_seen(*, pool: str, lanes: int, events: int, mails: int, ceiling: float, signal: str) -> str:
    """Many new senders with something in common are ill together, though each alone sends too little to tell."""
    many = _EVENTS[signal][1]
    of = "" if pool == "new" else f" of {pool}"
    return (
        f"{phrases.count(lanes, 'new lane')}{of} together: {events:,} {many} of {_mails(mails)};"
        f" at most {_percent(ceiling)} is accepted. Each alone sends too little to tell."
    )


@example(of="acme/password-reset", sent=4_000, usual=42, since=_SINCE, by="hours")
@example(of="acme/newsletter", sent=90_000, usual=6_000, since=_SINCE, by="days")
@example(of="acme/newsletter", sent=9_000, usual=0, since=_SINCE, by="new")
def volume_seen(*, of: str, sent: int, usual: float, since: int, by: str) -> str:
    """A lane sends far more than it does at these hours of the week, or on its days with mail, or as a new lane: mostly a loop in
    a program."""
    usually = {
        "hours": f"at these hours of the week {_about(usual)} {'is' if usual < 1.5 else 'are'} usual",
        "days": f"{_about(usual)} a day are usual",
        "new": "the lane is new, and nobody announced so much",
    }[by]
    return f"{of}: {_mails(sent)} since {times.minute(since)}; {usually}. A program that repeats itself looks like this."


@example(of="acme/newsletter", signal="bounces", share=0.62, rate=0.031, state=None)
@example(of="acme/newsletter", signal="complaints", share=0.4, rate=0.0004, state="PROBATION")
def account_seen(*, of: str, signal: str, share: float, rate: float, state: str | None) -> str:
    """The whole account comes near the line where AWS reviews it, and this lane brings most of what is too much."""
    many = _EVENTS[signal][1]
    where = f"AWS has the account in {state}" if state else "the account comes near AWS's review line"
    return (
        f"{of} brings {100 * share:.0f} % of the account's {many} above what is accepted, and {where}"
        f" ({_percent(rate)} of all mail in 24 hours)."
    )


@example(found="COMPLAINT", impact="HIGH")
def second_opinion(*, found: str, impact: str) -> str:
    """SES itself found the same about this tenant."""
    return f"SES itself has an open finding about this tenant: {found}, impact {impact}."


# What was done ---------------------------------------------------------------------------------------------------------


@example(of="acme/newsletter", part=[("list", "import-7")], waiting=1_900)
@example(of="acme/newsletter", part=[], waiting=0)
def held(*, of: str, part: Part, waiting: int) -> str:
    """The breaker holds mail."""
    queue = (
        "no mail waits yet" if waiting == 0 else f"{_mails(waiting)} {'waits' if waiting == 1 else 'wait'}"
    )
    return f"Held: {_of(part, of)}; {queue}."


@example(of="acme/newsletter", part=[], rate=0.7)
@example(of="acme/newsletter", part=[("provider", "gmail")], rate=12.0)
def slowed(*, of: str, part: Part, rate: float) -> str:
    """The breaker slows mail."""
    return f"Slowed: {_of(part, of)} to {_rate(rate)}, half of what it was."


@example(of="acme/password-reset", rate=0.024)
def volume_slowed(*, of: str, rate: float) -> str:
    """The breaker slows a lane that sends far more than it usually does."""
    return f"Slowed: {of} to {_rate(rate)}, twice its busiest usual hour; the rest waits."


@example(of="acme/newsletter")
def volume_told(*, of: str) -> str:
    """A lane that is new, or sends now and then, is never slowed for its volume."""
    return f"Nothing is held or slowed: {of} has no usual hours of the week, so the breaker only says what it sees."


@example(of="acme/newsletter", cap=25)
def capped(*, of: str, cap: int) -> str:
    """New senders of an ill pool may send less for a day. None of them is held."""
    return f"Slowed: {of} to {_mails(cap)} a day. None of its mail is held for good."


@example(of="acme/newsletter")
def warned(*, of: str) -> str:
    """A warning changes nothing about the mail."""
    return f"Nothing is held or slowed: this is a warning about {of}."


@example(of="acme/newsletter", part=[("list", "import-7")], level=3, waiting=1_900, why="it was never proved")
@example(of="acme/newsletter", part=[], level=2, waiting=0, why="it is not armed")
def would(*, of: str, part: Part, level: int, waiting: int, why: str) -> str:
    """In shadow the breaker says what it would have done."""
    did = "held" if level == 3 else "slowed"
    queue = f" ({_mails(waiting)} in the queue now)" if waiting else ""
    return f"Nothing is held: the lane is in shadow, since {why}. Armed, the breaker would have {did} {_of(part, of)}{queue}."


def _of(part: Part, of: str) -> str:
    name = named(part, of)
    return name if name == of else f"{name} of {of}"


def _rate(rate: float) -> str:
    if rate >= 2:
        return f"{rate:,.0f} mails a second"
    if rate * 60 >= 5:
        return f"{rate * 60:,.0f} mails a minute"
    return f"{rate * 3600:,.0f} mails an hour"


# What still flows, and what next ---------------------------------------------------------------------------------------


@example(of="acme/newsletter", tenant="acme", part=[("list", "import-7")])
@example(of="acme/newsletter", tenant="acme", part=[])
def flows(*, of: str, tenant: str, part: Part) -> str:
    """What is not concerned."""
    if named(part, of) != of:
        return f"All other mail of {of}, of {tenant} and of everybody else still leaves."
    return f"All other mail of {tenant} and of everybody else still leaves."


@example(at=_LATER, mails=400)
def probe_next(*, at: int, mails: int) -> str:
    """When a held lane is tried again."""
    return f"From {times.minute(at)} on up to {_mails(mails)} leave as a probe; if they are healthy, the hold ends by itself."


@example(until=1_796_022_180_000)
def part_next(*, until: int) -> str:
    """How long a held campaign or list stays held. Nothing of it is tried."""
    return (
        f"It stays held until a person lets it go, at most until {times.minute(until)}; "
        "then its lane is watched ten times more strictly for a week."
    )


@example(mails=400, out=120)
def probing(*, mails: int, out: int) -> str:
    """A held lane is being tried."""
    return f"Now: a probe of {_mails(mails)}, of which {out:,} have left; the hold ends once their feedback is healthy."


@example(tenant="acme", part=[("list", "import-7")])
def ask_next(*, tenant: str, part: Part) -> str:
    """What a person does about a part that stays held."""
    return f"Next: ask {tenant} where the addresses of {named(part, 'this mail')} come from, and cancel it if they are bought."


@example(tenant="acme", type="receipt")
def refused_next(*, tenant: str, type: str) -> str:
    """What a person does about mail that a mailbox provider refuses."""
    return (
        f"Next: read what the provider says (mailcordon messages --tenant {tenant} --type {type} --state bounced), "
        "and mend it: content, a block list, or a rate that is too high for it."
    )


@example()
def quiet_next() -> str:
    """A slowed lane goes on by itself."""
    return "Next: it ends by itself once the rate is normal for 6 hours."


@example(tenant="acme")
def warn_next(*, tenant: str) -> str:
    """What to do about a warning."""
    return f"Next: tell {tenant}. If it gets worse, the breaker acts; it ends by itself otherwise."


@example(tenant="acme", type="newsletter")
def arm_next(*, tenant: str, type: str) -> str:
    """What to do about a decision in shadow."""
    return f"Next: look at it, then arm the lane (mailcordon breaker show {tenant} --type {type} says what is missing)."


@example(tenant="acme")
def volume_next(*, tenant: str) -> str:
    """What to do about a lane that sends too much."""
    return f"Next: ask {tenant} whether this is a launch or a loop. It ends by itself an hour after the volume is usual again."


@example()
def account_next() -> str:
    """What to do when the account is in danger."""
    return "Next: ask the tenant where its addresses come from. It ends by itself when the account has room again."


@example(until=_LATER)
def probation_next(*, until: int) -> str:
    """A lane that was let go is watched more strictly for a while."""
    return f"Until {times.minute(until)} the breaker acts ten times sooner on it."


@example(decision=12)
def accept(*, decision: int) -> str:
    """The command that undoes a decision: mail goes on, and the breaker takes what it saw as normal."""
    return f'mailcordon breaker accept {decision} --because "..."'


@example(tenant="acme", type="newsletter", kind="list", name="import-7")
@example(tenant="acme", type="newsletter", kind="campaign", name="Spring sale")
def drop(*, tenant: str, type: str, kind: str, name: str) -> str:
    """The command that drops what waits of a held list or campaign. It shows what would go, and asks."""
    quoted = shlex.quote(name)
    if kind == "list":
        return f'mailcordon cancel {tenant} --type {type} --list {quoted} --because "..."'
    return f'mailcordon cancel {tenant} --type {type} --campaign {quoted} --because "..."'


@example(command='mailcordon breaker accept 12 --because "..."')
def undo(*, command: str) -> str:
    """How to undo it."""
    return f"Undo: {command}"


@example(others=0, domain=0, pool=0)
@example(others=0, domain=1, pool=12)
def blast(*, others: int, domain: int, pool: int) -> str:
    """Who else is touched."""
    touched = "Nobody else's mail is held" if others == 0 else f"{_mails(others)} of others are held too"
    parts = [
        *([f"{phrases.count(domain, 'other lane')} with the same domain"] if domain else []),
        *([f"{phrases.count(pool, 'other tenant')} in the same pool"] if pool else []),
    ]
    if not parts:
        return f"{touched}, and nobody shares its domain or pool."
    return f"{touched}. Its reputation is shared with {phrases.listed(parts)}."


# The end of a decision -------------------------------------------------------------------------------------------------


@example(because="a probe of 400 mails was healthy")
def over(*, because: str) -> str:
    """How a decision ended."""
    return f"It is over: {because}."


@example(mails=400)
def probed(*, mails: int) -> str:
    """A probe was healthy."""
    return f"a probe of {_mails(mails)} was healthy"


@example()
def quiet() -> str:
    """The rate is normal again."""
    return "the rate has been normal for long enough"


@example()
def expired() -> str:
    """It lasted as long as such a decision may."""
    return "its time is over; the lane is watched more strictly for a week"


@example(by="ana", because="these addresses opted in")
def accepted(*, by: str, because: str) -> str:
    """A person said that this is normal."""
    return f"{by} accepted it as normal: {because}"


@example(by="ana", because="list was cleaned")
def lifted(*, by: str, because: str) -> str:
    """A person lifted the hold."""
    return f"{by} lifted the hold: {because}"


@example()
def superseded() -> str:
    """A stronger decision took its place."""
    return "a stronger decision took its place"


@example()
def lane_gone() -> str:
    """The lane was retired."""
    return "the lane is gone"


@example()
def account_over() -> str:
    """The account is safe again."""
    return "the account has room again"


@example()
def accepted_end() -> str:
    """A person said that this is normal."""
    return "a person accepted it as normal"


@example()
def volume_over() -> str:
    """A lane that ran away sends as much as usual."""
    return "the volume is usual again"


@example()
def other_hold() -> str:
    """A hold of the breaker that is replaced by another, or not needed since its lane is in shadow."""
    return "the breaker does something else about it now, or the lane is in shadow"


# Errors and the command line -------------------------------------------------------------------------------------------


@example(id=12)
def no_decision(*, id: int) -> str:
    """There is no such decision."""
    return f"No decision of the breaker has the number {id}."


@example(id=12, because="a probe of 400 mails was healthy")
def is_over(*, id: int, because: str) -> str:
    """A decision that has ended cannot be accepted."""
    return f"Decision {id} is over: {because}."


@example()
def none_open() -> str:
    """The breaker holds, slows and warns of nothing."""
    return "The breaker holds, slows and warns of nothing."


@example()
def none_ever() -> str:
    """The breaker has decided nothing."""
    return "The breaker has decided nothing yet."


@example(lane="acme/newsletter")
def armed(*, lane: str) -> str:
    """A lane was armed."""
    return f"{lane} is armed: the breaker holds what is above the ceiling and what is unusual for the lane."


@example(lane="acme/newsletter")
def disarmed(*, lane: str) -> str:
    """A lane was disarmed."""
    return f"{lane} is disarmed: what the breaker held of it leaves, and from now on it only says what it would have held."


@example(decision=12)
def accepting(*, decision: int) -> str:
    """A decision was accepted as normal."""
    return f"Decision {decision} is accepted: its mail leaves within seconds, and the breaker takes what it saw as normal."


@example()
def heading_numbers() -> str:
    """Above the numbers of a decision."""
    return "Numbers:"
