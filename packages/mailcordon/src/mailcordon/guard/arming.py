"""Whether the breaker may hold mail of a lane, or only say what it would have held (detection.md 13).

The comparison with the ceiling needs no history: it enforces as soon as the lane's attribution is proved and its feedback comes
back. The comparison with the lane's own past enforces once a person has armed the lane, or its policy says so, and seven days of
complete feedback are there. Losing the proof or the feedback disarms both until it is back.
"""

from dataclasses import dataclass
from enum import StrEnum

from mailcordon.core.limit import Mode
from mailcordon.messages import arming as messages

ATTRIBUTED = 0.999  #: of the events of the last 7 days
ENDED = 0.99  #: of the mail older than a day
DAYS = 7.0  #: of events
LEAST_ENDS = (
    100  #: mails older than a day of which the share is taken; of fewer, one that is missing is allowed
)


class Wish(StrEnum):
    """What a person said about a lane."""

    ARMED = "armed"
    DISARMED = "disarmed"


class Name(StrEnum):
    PROOF = "proof"
    FEEDBACK = "feedback"
    ATTRIBUTION = "attribution"
    DAYS = "days"
    ENDS = "ends"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmingFacts:
    wish: Wish | None
    policy: Mode  #: of the lane's effective policy
    proved: bool  #: its proof is fresh
    proof_says: str
    lost: tuple[str, ...] = ()  #: what of its feedback is lost or late now
    events: int = 0  #: of the last 7 days that were attributed to its tenant
    stray: int = 0  #: that name its tenant and contradict our records
    days: float = 0.0  #: since its first event
    sent: int = 0  #: mails of the last 7 days that are older than a day
    ended: int = 0  #: of these, with an outcome
    cordons: int = 0  #: that shadow would have made in the last 14 days and nobody has accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    name: Name
    ok: bool
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arming:
    absolute: Mode  #: what the comparison with the ceiling may do
    relative: Mode  #: what the comparison with the lane's past may do
    checks: tuple[Check, ...]
    proposed: bool  #: all that arming asks for is there, and nobody armed it
    lost: bool  #: it is to enforce and may not

    @property
    def failed(self) -> tuple[str, ...]:
        return tuple(check.says for check in self.checks if not check.ok)

    def mode(self, half: str) -> Mode:
        return self.absolute if half == "absolute" else self.relative


def judge(facts: ArmingFacts) -> Arming:
    checks = _checks(facts)
    ok = {check.name: check.ok for check in checks}
    trusted = ok[Name.PROOF] and ok[Name.FEEDBACK] and ok[Name.ATTRIBUTION]
    kept = trusted and ok[Name.DAYS] and ok[Name.ENDS]
    wanted = facts.wish is Wish.ARMED or (facts.policy is Mode.ENFORCE and facts.wish is not Wish.DISARMED)
    silent = Mode.OBSERVE if facts.policy is Mode.OBSERVE and not wanted else Mode.SHADOW
    return Arming(
        absolute=Mode.ENFORCE if trusted and facts.wish is not Wish.DISARMED else Mode.SHADOW,
        relative=Mode.ENFORCE if kept and wanted else silent,
        checks=checks,
        proposed=kept and ok[Name.SHADOW] and not wanted and facts.wish is None,
        lost=wanted and not kept,
    )


def missing(facts: ArmingFacts) -> tuple[str, ...]:
    """What a person is told who arms the lane too early; empty: it may be armed."""
    return judge(facts).failed


def _checks(facts: ArmingFacts) -> tuple[Check, ...]:
    seen = facts.events + facts.stray
    attributed = facts.events >= ATTRIBUTED * seen
    lacking = facts.sent - facts.ended
    ended = lacking <= max(1.0 if facts.sent < LEAST_ENDS else 0.0, (1 - ENDED) * facts.sent)
    return (
        Check(
            name=Name.PROOF,
            ok=facts.proved,
            says=messages.check_proof(ok=facts.proved, says=facts.proof_says),
        ),
        Check(name=Name.FEEDBACK, ok=not facts.lost, says=messages.check_feedback(lost=facts.lost)),
        Check(
            name=Name.ATTRIBUTION,
            ok=attributed,
            says=messages.check_attribution(events=facts.events, stray=facts.stray),
        ),
        Check(name=Name.DAYS, ok=facts.days >= DAYS, says=messages.check_days(days=facts.days)),
        Check(name=Name.ENDS, ok=ended, says=messages.check_ends(sent=facts.sent, ended=facts.ended)),
        Check(name=Name.SHADOW, ok=facts.cordons == 0, says=messages.check_shadow(cordons=facts.cordons)),
    )
