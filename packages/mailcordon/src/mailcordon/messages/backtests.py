"""What is said of back-tests: what a policy would have done to the mail of the last weeks (docs/policy.md)."""

from mailcordon.messages import phrases, times
from mailcordon.messages.catalogue import example


def _mails(number: int) -> str:
    return f"{number:,} mail" if number == 1 else f"{number:,} mails"


def _time(seconds: int) -> str:
    for length, noun in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= length:
            return phrases.count(round(seconds / length), noun)
    return phrases.count(seconds, "second")


@example(450_000)
def too_much(rows: int) -> str:
    """A back-test would read too many counts."""
    return f"has more than {rows:,} counts: name a tenant, or look at less time"


@example()
def at_most() -> str:
    """A back-test of more time than is asked about."""
    return "--since is at most 60d."


@example()
def another_runs() -> str:
    """Only one back-test runs at a time."""
    return "Another back-test runs. Ask again when it has ended."


@example()
def hung_up() -> str:
    """The caller of a back-test hung up, so it was ended."""
    return "The caller hung up, and the back-test was ended."


@example()
def died() -> str:
    """The process of a back-test ended without an answer."""
    return "The back-test failed: its process ended without an answer. The API's log says more, if memory did not run out."


@example()
def took_too_long() -> str:
    """A back-test did not end in time."""
    return "The back-test took too long and was ended. Name a tenant, or look at less time."


@example(lanes=214, touched=2, sent=1_204_331, kept=1_900, good=1_310, since=1_795_879_320_000)
@example(lanes=1, touched=0, sent=2_000, kept=0, good=0, since=1_795_879_320_000)
@example(lanes=0, touched=0, sent=0, kept=0, good=0, since=1_795_879_320_000)
def summary(*, lanes: int, touched: int, sent: int, kept: int, good: int, since: int) -> str:
    """The first line of a back-test."""
    if not sent:
        return (
            f"No mail has been recorded since {times.minute(since)}, so this says nothing about the policy."
        )
    of = f"Of {_mails(sent)} of {phrases.count(lanes, 'lane')} since {times.minute(since)}"
    if kept == 0 and touched == 0:
        return f"{of}, this policy would have held none, and said nothing."
    would = f"this policy would have held {kept:,}" if kept else "this policy would have held none"
    cost = f", of which {good:,} were good" if kept else ""
    return f"{of}, {would}{cost}. It would have spoken of {phrases.count(touched, 'lane')}."


@example(
    of="acme/newsletter", sent=14_000, bad=580, kept=1_310, good=920, longest=21_600, waits=1_310, expired=0
)
@example(of="acme/newsletter", sent=14_000, bad=110, kept=0, good=0, longest=0, waits=0, expired=0)
@example(of="acme/digest", sent=9_000, bad=20, kept=400, good=399, longest=7_200, waits=0, expired=12)
def lane(
    *, of: str, sent: int, bad: int, kept: int, good: int, longest: int, waits: int, expired: int
) -> str:
    """What a policy would have done to one lane."""
    first = f"{of}: {_mails(sent)}, {bad:,} bad"
    if not kept:
        return f"{first}; none held."
    ends = [f"for at most {_time(longest)}"]
    ends += [f"{waits:,} still wait"] if waits else []
    ends += [f"{expired:,} expired"] if expired else []
    return f"{first}; {kept:,} held, {good:,} of them good, {', '.join(ends)}."


@example(cap=5_000, per="day", scope="lane", held=1_200, good=1_190, shadow=False)
@example(cap=100, per="hour", scope="provider", held=40, good=0, shadow=True)
def limit(*, cap: int, per: str, scope: str, held: int, good: int, shadow: bool) -> str:
    """What a limit would have held of one lane."""
    of = f"{cap:,} a {per} ({scope})"
    if shadow:
        return f"limit {of}, in shadow: {_mails(held)} over it would have been held if it enforced"
    return f"limit {of}: {_mails(held)} held, {good:,} of them good"


@example(level=1, guilty=[], mode="shadow", over=False)
@example(level=2, guilty=[], mode="enforce", over=False)
@example(level=3, guilty=[("list", "bought")], mode="enforce", over=False)
@example(level=3, guilty=[("list", "bought")], mode="enforce", over=True)
def acted(*, level: int, guilty: list[tuple[str, str]], mode: str, over: bool) -> str:
    """What the breaker would have done, before what it saw."""
    what = " and ".join(f"{kind} {name}" for kind, name in guilty) or "the lane"
    if over:
        return f"over: {what}"
    if level == 1:
        return f"warned: {what}"
    does = "slowed" if level == 2 else "held"
    return f"{does}: {what}" if mode == "enforce" else f"would be {does} if the breaker enforced: {what}"


@example(title="Plunk", stops="tenant", lanes=3, times=5)
@example(title="5 % over 100", stops="lane", lanes=1, times=1)
@example(title="coss.com", stops="tenant", lanes=0, times=0)
def peer(*, title: str, stops: str, lanes: int, times: int) -> str:
    """What the rule of another would have done to the same mail."""
    if times == 0:
        return f"{title}: nobody stopped"
    return f"{title}: would have stopped {phrases.count(lanes, stops)}, {phrases.count(times, 'time')} in all"


@example(scope="recipient", per="hour", cap=5)
def left_out(*, scope: str, per: str, cap: int) -> str:
    """A limit of the policy that recorded counts cannot tell."""
    return f"Not tested: the limit of {cap:,} a {per} ({scope}), since counts do not tell such mail apart."


@example(minutes=1_795_000_000_000, exact=1_795_879_320_000)
def how_exact(*, minutes: int, exact: int) -> str:
    """How well it is known when things happened."""
    return (
        f"Of mail since {times.minute(exact)} it is known when each count came. Before, feedback is taken to come as it usually"
        f" does; of mail before {times.minute(minutes)} only the hour is known."
    )


@example()
def heading_peers() -> str:
    """Above what the rules of others would have done."""
    return "The rules of others, on the same mail:"


@example(12)
def more_decisions(number: int) -> str:
    """Decisions of a lane that a back-test does not print."""
    return f"and {number:,} more (--json)"


@example(40)
def more_lanes(number: int) -> str:
    """Lanes that a back-test does not list."""
    return f"{number:,} more lanes are not listed. Name a tenant to see its own."
