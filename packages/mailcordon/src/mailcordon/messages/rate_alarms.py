"""Rates of bounces and complaints that are above what is accepted as healthy (docs/incidents.md)."""

import shlex
from collections.abc import Sequence

from mailcordon.messages import phrases, times
from mailcordon.messages.catalogue import example

_EVENTS = {"bounces": ("hard bounce", "hard bounces"), "complaints": ("complaint", "complaints")}
_SINCE = 1_795_879_320_000

Named = tuple[str, str]  #: list, campaign or provider, and its name


def _percent(share: float) -> str:
    text = f"{100 * share:.2f}" if share < 0.01 else f"{100 * share:.1f}"
    return f"{text.rstrip('0').rstrip('.')} %"


def _part(part: Named) -> str:
    kind, name = part
    return f"mailbox provider {name}" if kind == "provider" else f"{kind} {name}"


@example(
    of="acme/newsletter",
    part=("list", "bought"),
    signal="bounces",
    events=31,
    mails=140,
    since=_SINCE,
    rate=0.221,
    low=0.161,
    high=0.297,
    limit=0.025,
    young=False,
)
@example(
    of="acme/newsletter",
    part=None,
    signal="complaints",
    events=14,
    mails=9_000,
    since=_SINCE,
    rate=0.0031,
    low=0.0019,
    high=0.0052,
    limit=0.001,
    young=True,
)
def above(
    *,
    of: str,
    part: Named | None,
    signal: str,
    events: int,
    mails: int,
    since: int,
    rate: float,
    low: float,
    high: float,
    limit: float,
    young: bool,
) -> str:
    """A lane, or a part of its mail, has more hard bounces or complaints than is accepted as healthy. The interval holds the true
    rate 19 times in 20."""
    one, many = _EVENTS[signal]
    whose = of if part is None else f"{of}, {_part(part)}"
    counted = f"{events:,} {one if events == 1 else many} of {phrases.count(mails, 'mail')}"
    about = f"about {_percent(rate)} when all have come" if young else _percent(rate)
    return (
        f"{whose}: {counted} since {times.minute(since)} ({about}, between {_percent(low)} and {_percent(high)});"
        f" at most {_percent(limit)} is accepted."
    )


@example(
    of="acme/newsletter",
    part=("list", "bought"),
    shares=[("list", "bought", 0.96), ("provider", "gmail", 0.2)],
)
@example(
    of="acme/newsletter",
    part=None,
    shares=[("list", "june", 0.52), ("list", "july", 0.44), ("campaign", "sale", 0.4)],
)
@example(of="acme/newsletter", part=None, shares=[])
def culprit(*, of: str, part: Named | None, shares: Sequence[tuple[str, str, float]]) -> str:
    """Whose mail it is, and which part of it explains the events that are too many."""
    shown = [f"{_part((kind, name))} {100 * share:.0f} %" for kind, name, share in shares if share >= 0.1]
    if part is not None:
        share = next((share for kind, name, share in shares if (kind, name) == part), None)
        said = f"{_part(part)} of {of}"
        return said if share is None else f"{said} ({100 * share:.0f} % of what is too much)"
    return f"{of} (of what is too much: {', '.join(shown)})" if shown else of


@example(part=("list", "bought"), held=False, last=_SINCE)
@example(part=("list", "bought"), held=True, last=_SINCE)
@example(part=None, held=False, last=None)
def next_step(*, part: Named | None, held: bool, last: int | None) -> str:
    """What to do about a rate that is too high."""
    what = (
        "the lane's mail"
        if part is None
        else f"mail of this {'mailbox provider' if part[0] == 'provider' else part[0]}"
    )
    left = "" if last is None else f" Its last mail left at {times.minute(last)}."
    if held:
        return f"A hold stops {what}.{left} Ask the tenant where the addresses come from before it is lifted."
    if part is not None and part[0] == "provider":
        return f"Nothing stops {what} by itself.{left} Hold it, and read the provider's reasons (`mailcordon metrics`)."
    return f"Nothing stops {what} by itself.{left} Hold it, and ask the tenant where the addresses come from."


@example(tenant="acme", type="newsletter", part=("list", "bought"), signal="bounces")
@example(tenant="acme", type="newsletter", part=None, signal="complaints")
def cordon(*, tenant: str, type: str, part: Named | None, signal: str) -> str:
    """The command that holds the mail at fault."""
    words = ["mailcordon", "cordon", tenant, "--type", type]
    words += [] if part is None else [f"--{part[0]}", part[1]]
    return shlex.join([*words, "--because", f"too many {_EVENTS[signal][1]}"])


@example(provider="gmail", signal="bounces", tenants=4, lanes=6)
def provider_above(*, provider: str, signal: str, tenants: int, lanes: int) -> str:
    """Several tenants have the same trouble with one mailbox provider: it is probably not theirs."""
    return (
        f"Too many {_EVENTS[signal][1]} at {provider} in {phrases.count(lanes, 'lane')} of {phrases.count(tenants, 'tenant')}:"
        " the mailbox provider itself is the likely cause."
    )


@example(provider="gmail")
def provider_next(*, provider: str) -> str:
    """What to do if a mailbox provider refuses everybody."""
    return f"Read the provider's reasons, and whether {provider} reports trouble. Other providers' mail is not concerned."


@example(provider="gmail", signal="bounces")
def provider_command(*, provider: str, signal: str) -> str:
    """The command that shows the lanes concerned."""
    return shlex.join(["mailcordon", "top", "--by", signal, "--provider", provider])
