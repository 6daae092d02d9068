"""What `mailcordon drill --incident` prints: a bought list in a world of mailbox providers and people."""

from collections.abc import Sequence

from mailcordon.messages.catalogue import example

# The steps ---------------------------------------------------------------------------------------------------------------


@example()
def step_onboard() -> str:
    """The first step of the drill."""
    return "Three tenants are onboarded, and their lanes are asked for a proof"


@example()
def step_healthy() -> str:
    """A step of the drill."""
    return "Each mails its own members and sends password resets, and their lanes are proved"


@example(addresses=360)
def step_list(*, addresses: int) -> str:
    """A step of the drill."""
    return f"One of them mails a bought list of {addresses:,} addresses, and the breaker holds it"


@example()
def step_others() -> str:
    """A step of the drill."""
    return "Meanwhile the others' newsletters leave, and everybody's password resets"


@example()
def step_still_held() -> str:
    """A step of the drill."""
    return "No more mail of the list leaves, and a mail that waits says why"


@example()
def step_nobody_lost() -> str:
    """A step of the drill."""
    return "Nobody else lost a mail to it, by the world's own truth"


# What showed that a step passed -------------------------------------------------------------------------------------------


@example(tenants="acme-4eedd6, otto-4eedd6 and zen-4eedd6")
def onboarded(*, tenants: str) -> str:
    """The drill's first step passed."""
    return f"{tenants} are set up"


@example(newsletters=120, resets=30, lanes=6)
def healthy(*, newsletters: int, resets: int, lanes: int) -> str:
    """What the tenants sent before the incident."""
    return (
        f"{newsletters} newsletters and {resets} password resets left, and the breaker holds nothing. It may hold what is above "
        f"the ceiling on all {lanes} lanes."
    )


@example(
    identified=2.1,
    mitigated=2.4,
    out=176,
    handed_in=300,
    decision="acme-4eedd6/newsletter: 31 hard bounces of 150 mails since 14:02; at most 2.5 % is accepted, usual is 2.",
)
def held(*, identified: float, mitigated: float, out: int, handed_in: int, decision: str) -> str:
    """The breaker holds the list. Seconds are since its first mail was handed in."""
    return (
        f"Identified after {identified:.1f} s and held after {mitigated:.1f} s: {out:,} of {handed_in:,} mails had left. "
        f"{decision}"
    )


@example(newsletters=80, resets=30)
def others_arrived(*, newsletters: int, resets: int) -> str:
    """What left while the list was held."""
    return f"{newsletters} newsletters of the others and {resets} password resets left, some of them the culprit's own."


@example(out=176, waiting=1024, why="held by the breaker since 14:02")
def still_held(*, out: int, waiting: int, why: str) -> str:
    """`why`: of a mail that waits."""
    return f"{out:,} mails of the list left in all, and {waiting:,} wait. One of them: {why}"


@example(others=2, mails=233)
def nobody_lost(*, others: int, mails: int) -> str:
    """The world played everybody's mail again without the culprit."""
    return f"All {mails:,} mails were played again without the culprit: the {others} others lost none of theirs to it."


# What failed --------------------------------------------------------------------------------------------------------------


@example(
    waited="30 s",
    lane="acme-4eedd6/newsletter",
    says=["it is not proved: run `mailcordon prove acme-4eedd6`"],
)
@example(waited="30 s", lane="acme-4eedd6/newsletter", says=[])
def not_armed(*, waited: str, lane: str, says: Sequence[str]) -> str:
    """The breaker may not hold mail of a lane although its proof was asked for. `says`: the checks that it does not pass."""
    why = "; ".join(says) if says else "it has not judged the lane yet"
    return f"After {waited} the breaker may not hold mail of {lane}: {why}."


@example(waited="20 s", out=1200, found="")
@example(waited="20 s", out=1200, found="acme-4eedd6/newsletter is warned of")
def list_not_held(*, waited: str, out: int, found: str) -> str:
    """`found`: what the breaker decided instead."""
    return (
        f"The bought list is not held after {waited}, and {out:,} of its mails have left. "
        f"{f'The breaker decided: {found}' if found else 'The breaker decided nothing.'}"
    )


@example(part="provider:gmail", lane="acme-4eedd6/newsletter")
def wrong_part(*, part: str, lane: str) -> str:
    """The breaker holds something else than the list."""
    return f"The breaker holds {part or 'all'} of {lane}, and the bought list is at fault."


@example(lane="zen-4eedd6/newsletter", seen="zen-4eedd6/newsletter: 4 hard bounces of 60 mails since 14:02.")
def bystander_held(*, lane: str, seen: str) -> str:
    """The breaker acts on somebody who did nothing."""
    return f"The breaker acts on {lane}, which did nothing: {seen}"


@example(waited="20 s", left=3, of="zen-4eedd6/newsletter", state="queued")
def others_wait(*, waited: str, left: int, of: str, state: str) -> str:
    """Mail of others does not leave."""
    return f"After {waited}, {left:,} mails of {of} have not left. The first is {state}."


@example(before=176, now=190)
def more_left(*, before: int, now: int) -> str:
    """Mail of the held list went on leaving."""
    return f"The list is held, and {now - before:,} more of its mails left: {before:,} before, {now:,} now."


@example(lost=4, tenant="zen-4eedd6")
def others_lost(*, lost: int, tenant: str) -> str:
    """By the world's own truth."""
    return f"{tenant} lost {lost:,} mails to the bought list: they reach an inbox if it is not mailed."
