"""What is wrong now, in one sentence: the first line of the dashboard, of `mailcordon status` and of GET /v1/status."""

from collections.abc import Sequence

from mailcordon.messages import times
from mailcordon.messages.catalogue import example

_NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


def _count(number: int, what: str) -> str:
    words = _NUMBERS[number] if number < len(_NUMBERS) else f"{number:,}"
    return f"{words} {what}" if number == 1 else f"{words} {what}s"


@example(scope="lane", name="acme/newsletter", tenant="acme", type="newsletter")
@example(scope="list", name="bought", tenant="acme", type="newsletter")
@example(scope="tenant", name="acme", tenant="acme", type=None)
@example(scope="set", name="mc-urgent", tenant=None, type=None)
def subject(*, scope: str, name: str, tenant: str | None, type: str | None) -> str:
    """What an incident is about, in a few words."""
    of = name if tenant is None else tenant if type is None else f"{tenant}'s {type}"
    if scope in ("list", "campaign"):
        return f"{scope} {name} of {of}"
    if scope == "provider":
        return f"mail to {name}" if tenant is None else f"{of} to {name}"
    if scope in ("lane", "tenant"):
        return of
    return name


_WRONG = {
    "ungoverned": "{of} sends past us",
    "drift": "{of} is not as it should be at SES",
    "integrity": "events about {of} contradict our records",
    "ses-status": "SES refuses {of}",
    "ses-finding": "SES has a finding about {of}",
    "stuck": "{of} waits too long",
    "backlog": "{of} has no more room in its queue",
    "domain-lapsed": "{of} lost DNS records",
    "rates": "{of} has too many bounces or complaints",
    "breaker": "{of} has too many bounces or complaints",
    "objective": "{of} misses its objective",
    "rollout": "the rollout of {of} went back",
}
_OF_A_PROCESS = {
    "feedback-lost": "feedback is not read by {of}",
    "stuck": "{of} takes no mail",
    "backlog": "the queue {of} grows",
    "integrity": "{of} brings events that contradict our records",
}


_OF_THE_PLATFORM = {
    "feedback-lost": "feedback is lost",
    "ses-status": "SES refuses mail of the whole account",
    "stuck": "{of} waits too long",
}


@example(kind="breaker", scope="list", of="list bought of acme's newsletter", held=True)
@example(kind="feedback-lost", scope="set", of="mc-urgent", held=False)
@example(kind="stuck", scope="process", of="dispatch", held=False)
@example(kind="ses-status", scope="cell", of="default", held=False)
@example(kind="service", scope="process", of="control", held=False)
def wrong(*, kind: str, scope: str, of: str, held: bool) -> str:
    """What is wrong, in a few words. `held`: a hold keeps that mail."""
    if held:
        return f"{of} is held"
    if scope == "process" and kind in _OF_A_PROCESS:
        return _OF_A_PROCESS[kind].format(of=of)
    if scope == "cell" and kind in _OF_THE_PLATFORM:
        return _OF_THE_PLATFORM[kind].format(of="mail of many lanes" if of == "lanes" else of)
    if kind == "feedback-lost":
        return f"feedback of {of} is lost"
    return _WRONG.get(kind, "{of} does not work").format(of=of)


@example(what="acme's newsletter is held", because="list bought", seconds=190)
@example(what="feedback of mc-urgent is lost", because=None, seconds=40)
def since(*, what: str, because: str | None, seconds: float) -> str:
    """One incident of the sentence: what, due to what, since when."""
    return f"{what} ({'' if because is None else because + ', '}{times.span(seconds)} ago)"


@example(
    count=2,
    named=["acme's newsletter is held (3 min ago)", "feedback of mc-urgent is lost (40 s ago)"],
)
@example(count=5, named=["acme's newsletter is held (3 min ago)"])
def incidents(*, count: int, named: Sequence[str]) -> str:
    """The incidents that do harm or keep mail: how many, and the worst of them."""
    more = count - len(named)
    rest = "" if more == 0 else f"; and {more:,} more"
    return f"{_count(count, 'incident')}: {'; '.join(named)}{rest}."


@example("newsletter mail of acme", more=0)
@example("newsletter mail of acme", more=2)
def slowed(mail: str, *, more: int) -> str:
    """Holds that slow mail: it leaves, later than the rest."""
    said = mail[0].upper() + mail[1:]
    return f"{said} and {more:,} more are slowed." if more else f"{said} is slowed."


@example(1)
@example(3)
def over(count: int) -> str:
    """Open incidents that do no more harm, and of which nothing is held."""
    return f"{_count(count, 'incident')} {'does' if count == 1 else 'do'} no more harm and will close."


@example(count=1, first="No process of the role observe has reported")
@example(count=3, first="No process of the role observe has reported")
def problems(*, count: int, first: str) -> str:
    """Problems that belong to no open incident."""
    said = first.rstrip(".")
    return (
        f"{said}."
        if count == 1
        else f"{said}; and {count - 1:,} more {'problem' if count == 2 else 'problems'}."
    )


@example()
def no_mail_leaves() -> str:
    """What keeps all mail from leaving is among what was named."""
    return "No mail leaves."


@example("stops")
def not_known(check: str) -> str:
    """What cannot be said, since a check could not be made."""
    return f"Whether everything else flows is not known: the check of {check} could not be made."


@example(wrong=True, holds=0, observing=False)
@example(wrong=True, holds=2, observing=False)
@example(wrong=False, holds=1, observing=False)
@example(wrong=False, holds=0, observing=False)
@example(wrong=False, holds=0, observing=True)
def flows(*, wrong: bool, holds: int, observing: bool) -> str:
    """The end of the sentence. `holds`: that people or policies placed; they keep mail, and that is no problem."""
    if observing:
        return "Everything else is well." if wrong else "Nothing is wrong."
    if holds:
        kept = "one hold keeps" if holds == 1 else f"{holds:,} holds keep"
        return (
            f"Everything else flows, except what {kept}." if wrong else f"All mail flows, except what {kept}."
        )
    return "Everything else flows." if wrong else "Nothing is wrong: all mail flows."
