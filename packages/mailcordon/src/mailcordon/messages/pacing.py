"""Paced releases and warm-ups: why mail waits for a step, and what opens it (docs/pacing.md)."""

import shlex

from mailcordon.messages import phrases, times
from mailcordon.messages.catalogue import example

_AT = 1_795_879_320_000


def _mails(number: int) -> str:
    return "1 mail" if number == 1 else f"{number:,} mails"


@example("campaign", "spring-sale")
@example("list", "import-7")
@example("lane", "")
def batch(kind: str, name: str) -> str:
    """Names a batch inside other sentences."""
    return "mail without campaign and list" if kind == "lane" else f"{kind} {name}"


def _subject(kind: str, name: str) -> str:
    # A limit of a lane covers all of its mail, also that of campaigns.
    return "This lane" if kind == "lane" else f"{kind.capitalize()} {name}"


@example("campaign", "spring-sale", 1500)
@example("lane", "", 6000)
def leaves_in_steps(kind: str, name: str, cap: int) -> str:
    """Why a mail of a large batch waits: the reason of the limit."""
    return f"{_subject(kind, name)} leaves in steps: {_mails(cap)} so far, and more when feedback on these is good."


@example("list", "import-7", 1000, _AT)
def canary_first(kind: str, name: str, cap: int, until: int | None) -> str:
    """The same while a share of a fresh list leaves first."""
    rest = "hours later" if until is None else f"after {times.minute(until)}"
    return f"{_subject(kind, name)} is new to the lane: {_mails(cap)} leave first, and the rest {rest} if few complain."


@example("campaign", "spring-sale", "31 hard bounces, where 8 are the most that healthy mail has")
def waits_since(kind: str, name: str, because: str) -> str:
    """The same when nothing more leaves."""
    return f"{_subject(kind, name)} has stopped: {because}."


@example(31, 1500, 8.4)
def bad_bounces(events: int, mails: int, usual: float) -> str:
    """Feedback on a batch that is bad: hard bounces."""
    return f"{phrases.count(events, 'hard bounce')} of {_mails(mails)}, where at most {usual:.1f} are healthy by now"


@example(14, 9000, 2.1)
def bad_complaints(events: int, mails: int, usual: float) -> str:
    """Feedback on a batch that is bad: complaints."""
    return f"{phrases.count(events, 'complaint')} of {_mails(mails)}, where at most {usual:.1f} are healthy by now"


@example()
def warned() -> str:
    """A batch is stopped since something else warns of it."""
    return "an alarm is open about its bounces or complaints"


@example()
def still_arrives() -> str:
    """State of a release: the size of the batch is not known yet."""
    return "Its mail still arrives. A batch that turns out small leaves at once."


@example(4000)
def small(threshold: int) -> str:
    """State of a release: the batch is too small to be paced."""
    return f"It is a small batch, so all of it may leave. Beyond {_mails(threshold)} it would be paced."


@example()
def none_left() -> str:
    """State of a release: the step is open, and nothing has left yet."""
    return "None of the open step has left yet. If that stays so, see what else stops the lane: mailcordon lane show."


@example(1500, _AT)
def first_step(mails: int, at: int) -> str:
    """State of a release: the first step waits for its feedback."""
    return f"{_mails(mails)} are out. The next step opens at {times.second(at)} if few of them bounce."


@example(6000, _AT)
def next_step(mails: int, at: int) -> str:
    """State of a release: the next step has its time."""
    return f"{_mails(mails)} are out. The next step opens at {times.second(at)} if feedback stays good."


@example(1500, 310)
def silence(mails: int, heard: int) -> str:
    """State of a release: the outcomes of the mail do not come back."""
    return (
        f"{_mails(mails)} are out, and only {heard:,} outcomes came back. Nothing more leaves until half of them are known: "
        "see mailcordon feedback."
    )


@example(2000, 6000)
def unused(mails: int, cap: int) -> str:
    """State of a release: the open step is not used up."""
    return (
        f"{_mails(mails)} of the {cap:,} that may are out. The next step opens when more of them have left."
    )


@example(1000, _AT)
def canary(mails: int, until: int | None) -> str:
    """State of a release: a share of a fresh list is out, and the rest waits for complaints."""
    rest = "when some hours have passed" if until is None else f"after {times.minute(until)}"
    return f"The list is new to the lane: {_mails(mails)} are out first. The rest follows {rest} if few complain."


@example(
    "31 hard bounces of 1,500 mails, where at most 8.4 are healthy by now",
    259_200_000,
    "mailcordon campaign open acme spring-sale --type newsletter --because '...'",
)
def closed(because: str, expiry_ms: int, command: str) -> str:
    """State of a release: nothing more leaves."""
    return (
        f"Nothing more of it leaves: {because}. It goes on by itself in small steps when that is over. Mail that has not left "
        f"{times.span(expiry_ms / 1000)} after it was accepted expires. To let all of it leave: {command}"
    )


@example("acme", "spring-sale", "newsletter")
@example("acme", "", "newsletter")
def show_command(tenant: str, name: str, type: str) -> str:
    """Shows a release."""
    return f"mailcordon campaign show {tenant} {shlex.quote(name) + ' ' if name else ''}--type {type}"


@example(
    "acme",
    "newsletter",
    "Campaign spring-sale has stopped: 31 hard bounces of 1,500 mails, where at most 8.4 are healthy by now.",
    259_200_000,
)
def status_closed(tenant: str, type: str, because: str, expiry_ms: int) -> str:
    """The feedback on a batch is bad, and the rest of it waits."""
    return f"{tenant}/{type}: {because} The rest waits, and expires {times.span(expiry_ms / 1000)} after it was accepted"


@example("mailcordon campaign show acme spring-sale --type newsletter")
def status_closed_next(command: str) -> str:
    """What to do about a batch whose feedback is bad."""
    return (
        f"See `{command}`. If the list is bad, drop the rest with `mailcordon cancel`; if it is good, let it leave with "
        "`mailcordon campaign open`"
    )


@example("acme", "newsletter", "campaign", "spring-sale", 1500, 310)
def status_silent(tenant: str, type: str, kind: str, name: str, sent: int, heard: int) -> str:
    """The outcomes of a batch do not come back, and the rest of it waits."""
    return (
        f"{tenant}/{type}: {batch(kind, name)} has sent {_mails(sent)}, and only {heard:,} outcomes came back: the rest waits "
        "until half of them are known"
    )


@example("mailcordon campaign show acme spring-sale --type newsletter")
def status_silent_next(command: str) -> str:
    """What to do about a batch whose outcomes do not come back."""
    return f"See `mailcordon feedback` for why, and `{command}`. `mailcordon campaign open` lets the rest leave without them"


@example()
def wide_open() -> str:
    """State of a release: its steps are wider than the lane is fast."""
    return "Feedback is good, and the steps are wider than the lane is fast: nothing waits for a step."


@example("ann", "checked with the customer")
def opened_by(by: str, because: str) -> str:
    """State of a release: a person let all of it leave."""
    return f'{by} let all of it leave: "{because}". Holds and limits still apply.'


@example(_AT)
def over(at: int) -> str:
    """State of a release: the batch is out."""
    return f"It is over since {times.minute(at)}. The next mail of this name begins a new release."


@example("acme", "spring-sale")
@example("acme", "")
def no_release(tenant: str, name: str) -> str:
    """A release is asked for that there is none of."""
    of = f"release {name!r}" if name else "release of mail without campaign and list"
    return (
        f"{tenant} has no {of}. Marketing mail is a release from 100 mails in a minute on. All there are: "
        f"mailcordon campaign list --tenant {tenant}"
    )


@example("acme", "spring-sale", ["newsletter", "promotions"])
def several_releases(tenant: str, name: str, types: list[str]) -> str:
    """A release is asked for by a name that several have."""
    return f"{tenant} has releases {name!r} of several message types: add --type {' or --type '.join(types)}"


@example(17)
def no_release_numbered(id: int) -> str:
    """A release is to be opened that there is none of."""
    return f"There is no release {id}. See mailcordon campaign list."


@example()
def release_is_over() -> str:
    """A release is to be opened that has nothing left to open."""
    return "This release is over: nothing waits for it."


@example("news.acme.example", "gmail", 3, 20, 500)
@example("news.acme.example", "gmail", 21, 20, None)
def warm_up_day(domain: str, provider: str, day: int, of: int, cap: int | None) -> str:
    """Where a domain stands at a mailbox provider; also the reason of the limit."""
    if cap is None:
        return f"{domain} is warm at {provider}."
    return f"{domain} is new to {provider}: {_mails(cap)} today, on day {day} of {of}."


@example("news.acme.example", "gmail", 3, 20, 250, "delays")
@example("news.acme.example", "gmail", 3, 20, 250, "blocks")
def warm_up_slowed(domain: str, provider: str, day: int, of: int, cap: int, trouble: str) -> str:
    """The same on a day on which the provider slows the domain down."""
    does = "defers" if trouble == "delays" else "blocks"
    return f"{provider} {does} mail of {domain}: only {_mails(cap)} today, on day {day} of {of}."


_VERDICTS = {
    "first": "no mail has left yet",
    "advanced": "the day before used its budget, and the provider took the mail",
    "unused": "the last day used less than half of its budget, so the step stays",
    "slowed": "the provider deferred or blocked mail, so it went a step back",
    "forgotten": "it sent nothing for a month, so it begins anew",
    "warm": "all steps are behind it",
}


@example("advanced")
@example("slowed")
def warm_up_verdict(verdict: str) -> str:
    """Why a domain's warm-up stands where it does."""
    return _VERDICTS[verdict]


@example("campaign", "spring-sale", 48_500)
def open_question(kind: str, name: str, waiting: int) -> str:
    """Asked before a person lets a release leave."""
    return f"{_mails(waiting)} of {batch(kind, name)} wait for a step. Let all of it leave?"


@example(31, 8.4)
def at_most(events: int, most: float) -> str:
    """Bad feedback on a release beside what healthy mail has."""
    return f"{events:,}; healthy mail of this age has at most {most:.1f}"


@example(3, 20, warm=False)
@example(20, 20, warm=True)
def day_of(day: int, of: int, *, warm: bool) -> str:
    """The day of a warm-up in a table."""
    return "warm" if warm else f"day {day} of {of}"


@example()
def shared_addresses() -> str:
    """A route without an IP pool of its own."""
    return "shared"


@example("acme")
def nothing_warms_up(tenant: str) -> str:
    """`mailcordon warmup show` without any domain to show."""
    return f"No domain of {tenant} is being warmed up. `--all` shows where its domains are warm."
