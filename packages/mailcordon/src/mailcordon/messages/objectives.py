"""What is said of service level objectives of lanes (docs/objectives.md)."""

import shlex

from mailcordon.messages import phrases
from mailcordon.messages.catalogue import example

_BAD = {
    "delivered": ("mail was not delivered", "mails were not delivered"),
    "delivery-time": ("mail took too long", "mails took too long"),
    "bounces": ("mail bounced hard", "mails bounced hard"),
    "complaints": ("complaint", "complaints"),
}


def _percent(share: float) -> str:
    text = f"{100 * share:.2f}" if share < 0.01 else f"{100 * share:.1f}"
    return f"{text.rstrip('0').rstrip('.')} %" if "." in text else f"{text} %"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "longer than a day"
    if seconds == float("inf"):
        return "more than a day"
    if seconds >= 3600 and seconds % 3600 == 0:
        return f"{seconds / 3600:g} h"
    return f"{seconds / 60:g} min" if seconds >= 60 and seconds % 60 == 0 else f"{seconds:g} s"


def _window(minutes: int) -> str:
    if minutes == 60:
        return "in the last hour"
    if minutes % 1440 == 0:
        return f"in the last {phrases.count(minutes // 1440, 'day')}"
    return f"in the last {phrases.count(minutes // 60, 'hour')}"


def _whose(of: str, provider: str | None) -> str:
    return of if provider is None else f"{of} at {provider}"


def _happened(goal: str, bad: int, mails: int) -> str:
    one, many = _BAD[goal]
    if goal == "complaints":
        return f"{bad:,} {one if bad == 1 else many} of {mails:,} mails"
    return f"{bad:,} of {mails:,} {one if mails == 1 else many}"


@example("delivered", 0.02, None)
@example("delivery-time", 0.05, 30.0)
@example("bounces", 0.02, None)
@example("complaints", 0.001, None)
def asked(goal: str, may_be_bad: float, seconds: float | None) -> str:
    """What an objective asks, in `mailcordon objective list` and beside a lane."""
    if goal == "delivered":
        return f"{_percent(1 - may_be_bad)} delivered"
    if goal == "delivery-time":
        return f"{_percent(1 - may_be_bad)} delivered within {_seconds(seconds)}"
    return f"at most {_percent(may_be_bad)} {'hard bounces' if goal == 'bounces' else 'complaints'}"


@example(
    of="acme/newsletter",
    provider=None,
    goal="bounces",
    seconds=None,
    bad=212,
    mails=1_300,
    minutes=360,
    may_be_bad=0.02,
    rate=8.2,
    spent=0.61,
    days=28,
)
@example(
    of="acme/password-reset",
    provider="gmail",
    goal="delivery-time",
    seconds=30.0,
    bad=90,
    mails=120,
    minutes=60,
    may_be_bad=0.05,
    rate=15.0,
    spent=1.4,
    days=28,
)
def burning(
    *,
    of: str,
    provider: str | None,
    goal: str,
    seconds: float | None,
    bad: int,
    mails: int,
    minutes: int,
    may_be_bad: float,
    rate: float,
    spent: float,
    days: int,
) -> str:
    """The error budget of a lane goes too fast."""
    budget = f"{100 * min(spent, 99.99):.0f} % of the error budget of {days} days is spent"
    return (
        f"{_whose(of, provider)}: {_happened(goal, bad, mails)} {_window(minutes)}, {rate:.1f} times what its objective allows"
        f" ({asked(goal, may_be_bad, seconds)}); {budget}."
    )


@example(goal="delivery-time", held=False)
@example(goal="delivered", held=True)
@example(goal="bounces", held=False)
def next_step(*, goal: str, held: bool) -> str:
    """What to do about an error budget that goes too fast."""
    if held:
        return "A hold stops the lane's mail. Its mail is late for as long as it lasts."
    if goal == "delivery-time":
        return "See whether mail waits with us or at the mailbox provider, and whether a limit or a rate keeps it."
    if goal == "delivered":
        return "Read the reasons of the bounces, and what expired."
    return "Find the campaign or list it comes from. If the lane cannot do better, change its objective."


@example(tenant="acme", type="newsletter")
def command(*, tenant: str, type: str) -> str:
    """The command that shows a lane's objectives."""
    return shlex.join(["mailcordon", "objective", "show", tenant, type])


@example(of="acme/newsletter", provider=None)
@example(of="acme/newsletter", provider="gmail")
def culprit(*, of: str, provider: str | None) -> str:
    """Whose error budget it is."""
    return of if provider is None else f"{of}, its mail at {provider}"


@example(
    of="acme/newsletter",
    provider=None,
    goal="bounces",
    may_be_bad=0.02,
    seconds=None,
    bad=31,
    mails=4_200,
    spent=0.37,
    days=28,
    p95=None,
    standing="met",
)
@example(
    of="acme/password-reset",
    provider=None,
    goal="delivery-time",
    may_be_bad=0.05,
    seconds=30.0,
    bad=40,
    mails=600,
    spent=1.33,
    days=28,
    p95=45.0,
    standing="spent",
)
@example(
    of="acme/receipt",
    provider="gmail",
    goal="delivered",
    may_be_bad=0.02,
    seconds=None,
    bad=0,
    mails=0,
    spent=0.0,
    days=28,
    p95=None,
    standing="unknown",
)
def detail(
    *,
    of: str,
    provider: str | None,
    goal: str,
    may_be_bad: float,
    seconds: float | None,
    bad: int,
    mails: int,
    spent: float,
    days: int,
    p95: float | None,
    standing: str,
) -> str:
    """Where a lane stands with one objective."""
    wants = f"{_whose(of, provider)}, {asked(goal, may_be_bad, seconds)}"
    if standing == "unknown":
        return f"{wants}: no mail in {phrases.count(days, 'day')} that says anything."
    took = "" if p95 is None else f"; 95 % within {_seconds(p95)}"
    happened = f"{_happened(goal, bad, mails)} in {phrases.count(days, 'day')}{took}"
    left = (
        f"{100 * (1 - spent):.0f} % of the error budget is left"
        if spent <= 1
        else f"{spent:.1f} times the error budget is spent"
    )
    fast = ", and it goes fast" if standing == "burning" else ""
    return f"{wants}: {happened}; {left}{fast}."


@example()
def heading() -> str:
    """Above the objectives of a lane in `mailcordon lane show`."""
    return "Objectives:"


@example(0.37)
@example(2.5)
def spent_share(spent: float) -> str:
    """How much of an error budget is spent, in a table."""
    return f"{100 * min(spent, 99.99):.0f} %"


@example(15.0)
def burn_rate(rate: float) -> str:
    """How many times the allowed share a window has, in a table."""
    return f"{rate:.1f}"
