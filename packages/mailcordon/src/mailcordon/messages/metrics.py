"""What the command line and the API say about counts and rates of mail."""

from mailcordon.messages import example, times

_EVENTS = {
    "bounces": ("hard bounce", "hard bounces"),
    "complaints": ("complaint", "complaints"),
    "blocks": ("block", "blocks"),
    "delays": ("delayed mail", "delayed mails"),
}
_RATES = {
    "bounces": "bounce rate",
    "complaints": "complaint rate",
    "blocks": "block rate",
    "delays": "delay rate",
}


def _percent(share: float) -> str:
    """`7.4 %`, `0.12 %`, `0.031 %`: more digits for small rates, since complaints matter at 0.1 %."""
    return f"{_digits(share)} %"


def _digits(share: float) -> str:
    value = 100 * share
    if value >= 1 or value == 0:
        return f"{value:.1f}" if value < 99.95 and value else f"{value:.0f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


@example(since=1_796_000_000_000, until=1_796_003_600_000)
@example(since=1_796_000_000_000, until=None)
def in_window(*, since: int, until: int | None) -> str:
    """The window of a line of `mailcordon metrics` or `top`, if it is not one that ends now."""
    return f"from {times.minute(since)} to {'now' if until is None else times.minute(until)}"


@example(60)
@example(10_080)
def in_last(minutes: int) -> str:
    """The window of a line of `mailcordon metrics` or `top`."""
    if minutes == 60:
        return "in the last hour"
    if minutes == 1440:
        return "in the last day"
    for size, noun in ((1440, "days"), (60, "hours")):
        if minutes % size == 0:
            return f"in the last {minutes // size} {noun}"
    return f"in the last {minutes} minutes"


@example(start=1_796_000_000_000, size="hour")
@example(start=1_796_000_000_000, size="day")
def in_bucket(*, start: int, size: str) -> str:
    """The time of a line of `mailcordon metrics --by day`, hour or minute."""
    return f"on {times.day(start)}" if size == "day" else f"in the {size} of {times.minute(start)}"


@example(tenant="acme", what="campaign", name="spring")
@example(tenant="acme", what="list", name=None)
def part_of(*, tenant: str, what: str, name: str | None) -> str:
    """The beginning of a line by campaign or list."""
    return f"{tenant}, no {what}" if name is None else f"{tenant}, {what} {name}"


@example(name="dedicated-1")
@example(name=None)
def pool_named(name: str | None) -> str:
    """The beginning of a line by IP pool."""
    return "No IP pool" if name is None else f"IP pool {name}"


@example()
def all_mail() -> str:
    """The beginning of a line that counts all mail of a time."""
    return "All mail"


@example(
    of="acme/newsletter",
    signal="bounces",
    events=31,
    mails=420,
    window="in the last hour",
    rate=0.0738,
    low=0.0525,
    high=0.1028,
    usual=0.008,
    young=False,
    left_out=0.0,
)
@example(
    of="acme/newsletter",
    signal="complaints",
    events=7,
    mails=9_000,
    window="in the last hour",
    rate=0.0104,
    low=0.005,
    high=0.0213,
    usual=0.0003,
    young=True,
    left_out=0.1,
)
@example(
    of="acme/receipt",
    signal="complaints",
    events=0,
    mails=0,
    window="in the last 7 days",
    rate=None,
    low=0.0,
    high=1.0,
    usual=None,
    young=False,
    left_out=1.0,
)
@example(
    of="acme/receipt",
    signal="bounces",
    events=0,
    mails=0,
    window="in the last hour",
    rate=None,
    low=0.0,
    high=1.0,
    usual=None,
    young=False,
    left_out=0.0,
)
def rate_of(
    *,
    of: str,
    signal: str,
    events: int,
    mails: int,
    window: str,
    rate: float | None,
    low: float,
    high: float,
    usual: float | None,
    young: bool,
    left_out: float,
) -> str:
    """A line of `mailcordon metrics` or `top`: the rate that differs most from what is usual, with the interval that holds
    the true rate 19 times in 20. "Usual" is the rate of the same mail in the time before."""
    if rate is None and left_out > 0:
        return f"{of}: no mail to providers that report complaints {window}."
    if rate is None:
        return f"{of}: no mail sent {window}."
    one, many = _EVENTS[signal]
    said = f"{of}: {events:,} {one if events == 1 else many} of {mails:,} {'mail' if mails == 1 else 'mails'} {window}"
    interval = f"{_digits(low)} to {_digits(high)}"
    said += (
        f" (about {_percent(rate)} when all have come, {interval})"
        if young
        else f" ({_percent(rate)}, {interval})"
    )
    said += "" if usual is None else f"; usual {_percent(usual)}"
    if signal == "complaints" and left_out >= 0.005:
        said += f"; {100 * left_out:.0f} % of the mail is left out, since its providers report no complaints"
    return f"{said}."


@example(of="acme/newsletter", sent=1_200, window="in the last hour", usual=900.0)
@example(of="acme/newsletter", sent=1_200, window="in the last hour", usual=None)
def volume_of(*, of: str, sent: int, window: str, usual: float | None) -> str:
    """A line of `mailcordon top --by volume`. "Usual" is how many mails a window of this length had in the time before."""
    said = f"{of}: {sent:,} {'mail' if sent == 1 else 'mails'} {window}"
    return f"{said}." if usual is None else f"{said}; usual {usual:,.0f}."


@example(of="acme/newsletter", signal="bounces", points=0.0041, what="31 hard bounces of 420 mails")
@example(of="zen/receipt", signal="bounces", points=-0.0002, what="0 hard bounces of 9,000 mails")
def moved_by(*, of: str, signal: str, points: float, what: str) -> str:
    """A line of `mailcordon top --movers`: what it adds to the change of the rate of all mail, in percentage points."""
    way = "raises" if points >= 0 else "lowers"
    return f"{of} {way} the {_RATES[signal]} of all mail by {100 * abs(points):.3f} points: {what}."


@example(signal="bounces", before=0.008, now=0.013, window="in the last day")
@example(signal="bounces", before=None, now=0.013, window="in the last day")
def whole_rate(*, signal: str, before: float | None, now: float | None, window: str) -> str:
    """The first line of `mailcordon top --movers`: how the rate of all mail changed against the time before the window."""
    name = _RATES[signal].capitalize()
    if now is None:
        return f"{name} of all mail {window}: no mail was sent."
    if before is None:
        return f"{name} of all mail {window}: {_percent(now)}; there was no mail before."
    return f"{name} of all mail {window}: {_percent(now)}, before {_percent(before)}."


@example(signal="bounces", events=31, mails=420)
def counted(*, signal: str, events: int, mails: int) -> str:
    """A part of the lines of `mailcordon top --movers`."""
    one, many = _EVENTS[signal]
    return f"{events:,} {one if events == 1 else many} of {mails:,} {'mail' if mails == 1 else 'mails'}"


@example(signal="send", since=1_796_000_000_000, until=None, late=False)
@example(signal="bounce", since=1_796_000_000_000, until=1_796_000_600_000, late=False)
@example(signal="send", since=1_796_000_000_000, until=None, late=True)
def unreliable(*, signal: str, since: int, until: int | None, late: bool) -> str:
    """Feedback of a part of the mail that a line counts is lost or late, so its rates read too low."""
    what, are, come = {
        "send": ("all feedback", "is", "comes"),
        "bounce": ("bounces", "are", "come"),
        "complaint": ("complaints", "are", "come"),
    }[signal]
    how = f"{come} late" if late else f"{are} lost"
    end = "" if until is None else f" until {times.minute(until)}"
    return f"Unreliable, the rates read too low: {what} on mail sent since {times.minute(since)}{end} {how}."


@example()
def moved_in_window() -> str:
    """A line by domain or pool: a lane of it has another sending domain or IP pool since a time in the window."""
    return "A lane changed its sending domain or IP pool in this window; all of its mail is counted under those of now."


@example(lines=12)
def nothing_above(*, lines: int) -> str:
    """The first line of `mailcordon metrics`: no rate is above that of the time before by more than chance."""
    return f"No rate of these {lines} lines is above its usual one by more than chance."


@example(count=4)
def more_above(*, count: int) -> str:
    """`mailcordon metrics` has said of three lines that a rate is above its usual one."""
    return f"{count} more {'line is' if count == 1 else 'lines are'} above {'its' if count == 1 else 'their'} usual rate."


@example()
def feedback_unreliable() -> str:
    """Below the table of `mailcordon metrics` and `top`: a mark at a rate."""
    return "! feedback of this mail is lost or late: the rates read too low (`mailcordon status`)."


@example()
def still_young() -> str:
    """Below the table of `mailcordon metrics` and `top`: a mark at a rate."""
    return "~ much of the feedback on this mail has not come yet: the rate is an estimate of what it will be."


@example(share=0.43)
def complaints_left_out(*, share: float) -> str:
    """Below the table of `mailcordon metrics`: complaint rates are over the other mail."""
    return f"Complaint rates leave out {100 * share:.0f} % of the mail, to mailbox providers that report none, as Gmail."


@example()
def not_a_time() -> str:
    """A query parameter is no time (422)."""
    return "must be a time, such as 2026-11-28T15:23:00Z"


@example()
def bad_window() -> str:
    """`since` is not before `until`, or lies more than three years back (422)."""
    return "must be a time before `until`, and not more than three years ago"


@example()
def window_twice() -> str:
    """Both `minutes` and `since` or `until` are given (422)."""
    return "cannot be used together with `since` or `until`"


@example(by="minute", most=1)
def window_too_long(*, by: str, most: int) -> str:
    """The window has too many lines of this kind (422)."""
    return f"a window by {by} can have at most {most} {'day' if most == 1 else 'days'}"


@example(most=8)
def name_a_tenant(*, most: int) -> str:
    """Campaigns and lists of all tenants are asked for, in a long window (422)."""
    return f"name a tenant: campaigns and lists of all tenants can be read for at most {most} days"


@example(most=100)
def bad_tenants(*, most: int) -> str:
    """The parameter `tenants` is no list of slugs, is too long, or comes with a tenant that is named otherwise (422)."""
    return f"give at most {most} slugs with commas between them, with a platform key and without `tenant`"


@example(lanes=12, held=1, stopped=0, throttled=1, waiting=1200)
@example(lanes=1, held=0, stopped=0, throttled=0, waiting=0)
@example(lanes=None, held=3, stopped=0, throttled=0, waiting=1200, some=True)
def lanes_now(
    *, lanes: int | None, held: int, stopped: int, throttled: int, waiting: int, some: bool = False
) -> str:
    """The first line of `mailcordon top`."""
    known = {"held": held, "stopped": stopped, "throttled": throttled}
    said = [f"{count:,} {word}" for word, count in known.items() if count]
    number = "More than 1,000 lanes" if lanes is None else "1 lane" if lanes == 1 else f"{lanes:,} lanes"
    state = ", ".join(said) or ("open" if lanes == 1 else "all open")
    mails = "1 delivery waits" if waiting == 1 else f"{waiting:,} deliveries wait"
    return f"{number}: {state}. {mails}{' in those that were read' if some else ''}."
