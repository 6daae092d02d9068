"""What is said of rollouts: gates, the checklist, and each step from the shared path to the lane's own (docs/migration.md)."""

from collections.abc import Sequence

from mailcordon.messages import times
from mailcordon.messages.catalogue import example

_HAPPENED = {
    "unreported": "nothing was reported by SES",
    "undelivered": "could not be delivered",
    "refused": "were refused for spam, reputation, authentication or policy",
    "suppressed": "were dropped by a suppression list of SES",
    "bounced": "bounced hard",
    "delayed": "were delayed",
    "late": "were delivered late",
    "complained": "led to a complaint",
    "opened": "were opened",
}


def _percent(share: float) -> str:
    text = f"{100 * share:.2f}" if share < 0.01 else f"{100 * share:.1f}"
    return f"{text.rstrip('0').rstrip('.')} %" if "." in text else f"{text} %"


def _of(events: int, mails: int) -> str:
    return f"{events:,} of {mails:,} ({_percent(events / mails if mails else 0.0)})"


@example(
    measure="delayed",
    verdict="back",
    new=64,
    new_of=310,
    old=402,
    old_of=30_120,
    allowed=0.1,
    provider="gmail",
    widened=3.0,
    doubtful=True,
    shown=False,
    to_show=0.3,
)
@example(
    measure="bounced",
    verdict="pass",
    new=3,
    new_of=420,
    old=310,
    old_of=39_980,
    allowed=0.023,
    provider=None,
    widened=3.0,
    doubtful=False,
    shown=True,
    to_show=0.068,
)
@example(
    measure="undelivered",
    verdict="wait",
    new=0,
    new_of=18,
    old=9,
    old_of=1_790,
    allowed=0.035,
    provider=None,
    widened=3.0,
    doubtful=False,
    shown=False,
    to_show=0.125,
)
@example(
    measure="bounced",
    verdict="back",
    new=96,
    new_of=1_800,
    old=None,
    old_of=0,
    allowed=0.023,
    provider=None,
    widened=1.0,
    doubtful=True,
    shown=True,
    to_show=0.023,
)
def gate(
    *,
    measure: str,
    verdict: str,
    new: int,
    new_of: int,
    old: int | None,
    old_of: int,
    allowed: float,
    provider: str | None,
    widened: float,
    doubtful: bool,
    shown: bool,
    to_show: float,
) -> str:
    """What one comparison of old and new path says, in `mailcordon rollout status`. `old`: None at 100 percent."""
    if new_of <= 0:
        return "No mail of the new path is old enough to be judged."
    at = f" to {provider}" if provider else ""
    seen = f"New path: of {_mails(new_of)}{at}, {new:,} {_HAPPENED[measure]} ({_percent(new / new_of)})."
    if measure == "unreported":
        seen = (
            f"New path: of {_mails(new_of)}{at}, SES reported nothing of {new:,} ({_percent(new / new_of)})."
        )
    if old is not None:
        seen += f" Old path: {_of(old, old_of)}."
    least = "least" if measure == "opened" else "most"
    margin = f" Allowed is {_percent(allowed)} at {least}"
    margin += f", {widened:g} times the usual margin while providers learn the path." if widened > 1 else "."
    if verdict == "back":
        return f"{seen}{margin} This is no luck."
    if doubtful:
        return f"{seen}{margin} It may be luck; the share does not grow until it looks so."
    if not shown:
        return f"{seen} Too little mail yet to show that the share stays below {_percent(to_show)}."
    return f"{seen}{margin}"


def _mails(number: int) -> str:
    return "1 mail" if number == 1 else f"{number:,} mails"


# The course --------------------------------------------------------------------------------------------------------------

_AT = 1_795_879_320_000


@example(
    5, "New path: of 310 mails to gmail, 64 were delayed (20.6 %). Allowed is 10 % at most. This is no luck."
)
def back(share: int, because: str) -> str:
    """A rollout went back to the old path by itself."""
    return (
        f"Back from {share} percent: {because} New mail and mail that waits take the old path. Mend what is named, then begin "
        "again with `mailcordon rollout advance`."
    )


@example(5, 25, ["Only 120 mails of the new path are old enough to be judged; 200 are needed."])
def waits(share: int, target: int, because: Sequence[str]) -> str:
    """The share of a rollout does not grow yet."""
    return f"Stays at {share} percent, {target} comes next. {' '.join(because)}"


@example(1, 5)
def grows(share: int, target: int) -> str:
    """The share of a rollout grows."""
    if target >= 100:
        return f"From {share} to 100 percent: every gate passes. Until the rollout is finished there is a way back."
    if share == 0:
        return f"Begins with {target} percent: the checklist holds."
    return f"From {share} to {target} percent: the checklist holds and every gate passes."


@example()
def stands() -> str:
    """A rollout has reached 100 percent and can still go back."""
    return "All mail takes the new path. The old one stands for a way back until `mailcordon rollout finish`."


@example()
def held() -> str:
    """A person holds a rollout at its share."""
    return "Held by a person; `mailcordon rollout advance` lets it go on."


@example("back")
@example("finished")
def nothing_to_decide(state: str) -> str:
    """A rollout that is not under way has nothing to decide."""
    return {
        "back": "All mail is back on the old path. `mailcordon rollout advance` begins again.",
        "finishing": "The old path is being dropped.",
        "finished": "The old path is gone; this lane has its own path only.",
    }.get(state, "This rollout is over.")


@example(_AT)
def rests(until: int) -> str:
    """A rollout that went back may not begin again at once."""
    return f"It went back and rests until {times.minute(until)}, so that the path does not go to and fro."


@example(_AT, "Black Friday")
def frozen(until: int, because: str) -> str:
    """No share grows in a freeze."""
    return f"Frozen until {times.minute(until)}: {because.rstrip('.')}."


@example(5, 24.0, _AT)
def too_early(share: int, hours: float, over: int) -> str:
    """A share has not lasted long enough to be judged."""
    return f"{share} percent lasts {hours:g} h at least, until {times.minute(over)}: complaints take hours to come."


@example(120, 200)
def too_few(mails: int, needed: int) -> str:
    """The new path had too little mail to be judged."""
    judged = (
        f"Only {_mails(mails)} of the new path {'is' if mails == 1 else 'are'}"
        if mails
        else "No mail of the new path is"
    )
    return f"{judged} old enough to be judged; {needed:,} are needed."
