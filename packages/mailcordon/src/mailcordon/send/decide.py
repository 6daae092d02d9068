"""The decisions of the data plane that no answer of SES is needed for: at the door, and right before a call.

Pure: facts in, a decision with its reason out. What SES's answer means is decided in `send/refusals.py`. Everything else in
this plane fetches facts or carries decisions out.
"""

from typing import NamedTuple

from mailcordon.core.delivery import State
from mailcordon.core.hold import Hold
from mailcordon.core.reason import Reason
from mailcordon.messages import reasons


class Decision(NamedTuple):
    """What to do with one delivery."""

    state: (
        State  #: SENDING: call SES. READY: back to its lane. HELD, WAITING: defer it. Any other: it ends so
    )
    reason: Reason | None = None
    sentence: str = ""
    hold: int | None = None


class DoorFacts(NamedTuple):
    """What is known of one delivery when its message is accepted."""

    suppressed: str | None  #: the sentence of the suppression that covers it
    held: str | None  #: the sentence of the hold or stop that keeps its lane from sending


def at_door(facts: DoorFacts) -> Decision:
    """What a caller hears about one delivery of an accepted message.

    A suppressed address is refused; a held or stopped lane keeps the mail (settled: both are a 202).
    """
    if facts.suppressed is not None:
        return Decision(State.REFUSED, Reason.SUPPRESSED, facts.suppressed)
    if facts.held is not None:
        return Decision(State.HELD, Reason.HELD, facts.held)
    return _READY


class CallFacts(NamedTuple):
    """What is known of one claimed delivery right before its call."""

    may_start: bool  #: holds and stops are fresh, the process is not stopping, and nothing stops the lane, the host or the cell
    hold: Hold | None  #: a hold on its campaign, list or mailbox provider
    suppressed: bool
    has_content: bool


def before_call(facts: CallFacts) -> Decision:
    """Whether SES may be called for it now. In the order of cause: what stops the lane, then what stops this mail."""
    if not facts.may_start:
        return _READY
    if facts.hold is not None:
        return Decision(State.HELD, Reason.HELD, facts.hold.sentence, facts.hold.id)
    if facts.suppressed:
        return Decision(State.REFUSED, Reason.SUPPRESSED, reasons.suppressed_since())
    if not facts.has_content:
        return Decision(State.GIVEN_UP, Reason.NO_CONTENT, reasons.content_missing())
    return _CALL


_READY = Decision(State.READY)
_CALL = Decision(State.SENDING)
