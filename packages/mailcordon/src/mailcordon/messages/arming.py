"""What arming the breaker for a lane asks for, and what it may do to a lane (docs/breaker.md)."""

import shlex
from collections.abc import Sequence

from mailcordon.messages import phrases
from mailcordon.messages.catalogue import example


def _percent(share: float) -> str:
    text = f"{100 * share:.2f}"
    return f"{text.rstrip('0').rstrip('.')} %"


@example(ok=True, says="Proved; valid until 5 Dec 2026 14:02 UTC")
@example(ok=False, says="Never proved")
def check_proof(*, ok: bool, says: str) -> str:
    """Whether a lane's attribution is proved."""
    said = f"{says[:1].upper()}{says[1:]}".rstrip(".")
    return f"{said}." if ok else f"{said}. Run `mailcordon prove`."


@example(lost=[])
@example(lost=["of 200 mails, none has its Send event"])
def check_feedback(*, lost: Sequence[str]) -> str:
    """Whether events of the lane's mail come back."""
    return f"Its feedback is lost or late: {lost[0]}." if lost else "Its feedback comes back."


@example(events=12_000, stray=0)
@example(events=900, stray=4)
def check_attribution(*, events: int, stray: int) -> str:
    """Whether the events of the last 7 days belong to mail of ours."""
    whole = events + stray
    if whole == 0:
        return "No event has come yet."
    return f"{_percent(events / whole)} of {whole:,} events of the last 7 days were attributed; 99.9 % is asked for."


@example(days=3.2)
@example(days=30.0)
def check_days(*, days: float) -> str:
    """How long events have come."""
    return (
        f"Events have come for {days:.0f} of the 7 days that are asked for."
        if days < 7
        else "Events have come for 7 days."
    )


@example(sent=12_000, ended=11_990)
@example(sent=0, ended=0)
def check_ends(*, sent: int, ended: int) -> str:
    """Whether mail older than a day has its end."""
    if sent == 0:
        return "No mail is older than a day."
    return (
        f"{_percent(min(1.0, ended / sent))} of the mail older than a day has its outcome; 99 % is asked for."
    )


@example(cordons=0)
@example(cordons=1)
def check_shadow(*, cordons: int) -> str:
    """Whether shadow would have held mail that nobody has explained."""
    if cordons == 0:
        return "Shadow has held nothing unexplained in 14 days."
    return f"Shadow would have held mail {phrases.count(cordons, 'time')} in 14 days and nobody accepted it."


@example(lane="acme/newsletter", checks=["Never proved: run `mailcordon prove`."])
def not_armed(*, lane: str, checks: Sequence[str]) -> str:
    """A lane cannot be armed yet."""
    return f"{lane} cannot be armed yet. {' '.join(checks)}"


@example(lane="acme/newsletter", checks=["Never proved: run `mailcordon prove`."])
def disarmed_alarm(*, lane: str, checks: Sequence[str]) -> str:
    """An armed lane lost what arming asks for: the breaker only watches it now."""
    return f"The breaker no longer protects {lane}: it is armed, and went back to shadow. {' '.join(checks)}"


@example()
def disarmed_next() -> str:
    """What to do about a lane that is back in shadow."""
    return "It enforces again by itself once this is repaired. Until then nothing is held for bounces or complaints."


@example(tenant="acme", type="newsletter")
def prove(*, tenant: str, type: str) -> str:
    """The command that proves a lane anew."""
    return shlex.join(["mailcordon", "prove", tenant, "--type", type])


@example(tenant="acme", type="newsletter")
def show(*, tenant: str, type: str) -> str:
    """The command that shows what the breaker knows of a lane."""
    return shlex.join(["mailcordon", "breaker", "show", tenant, "--type", type])


@example(wish=None, policy="shadow", absolute="enforce", relative="shadow", proposed=True)
@example(wish="armed", policy="shadow", absolute="enforce", relative="enforce", proposed=False)
@example(wish="disarmed", policy="shadow", absolute="shadow", relative="shadow", proposed=False)
def state(*, wish: str | None, policy: str, absolute: str, relative: str, proposed: bool) -> str:
    """What the breaker may do to a lane."""
    if wish == "disarmed":
        return "disarmed by a person: it only says what it would have held"
    if relative == "enforce":
        return "armed: it holds what is above the ceiling and what is unusual for the lane"
    if absolute == "enforce":
        also = "; ready to be armed" if proposed else ""
        return f"it holds what is above the ceiling; what is unusual for the lane it only says{also}"
    return "shadow: it only says what it would have held"


@example(bounces=37)
@example(bounces=1)
def one_cause(*, bounces: int) -> str:
    """Bounces of a lane that the breaker does not count."""
    return (
        f"of the hard bounces of today it leaves out {bounces:,}, since they are many at one recipient domain, "
        "which has one cause, such as a domain that is gone: about three of each domain count"
    )


@example()
def why_unjudged() -> str:
    """The lane was only just seen."""
    return "it was not looked at yet"


@example(check="proof")
@example(check="days")
def why_not(*, check: str) -> str:
    """Why a lane does not enforce, in a few words."""
    return {
        "proof": "its attribution is not proved",
        "feedback": "its feedback does not come back",
        "attribution": "its events contradict our records",
        "days": "it is younger than 7 days",
        "ends": "too many of its mails have no outcome",
        "shadow": "shadow held mail that nobody explained",
    }[check]


@example(reasons=["its attribution is not proved"])
@example(reasons=[])
def shadow_because(*, reasons: Sequence[str]) -> str:
    """Why a lane is in shadow, in a few words."""
    return phrases.listed(reasons) if reasons else "nobody has armed it"
