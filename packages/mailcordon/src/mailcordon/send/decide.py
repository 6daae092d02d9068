"""The decisions of the data plane that no answer of SES is needed for: at the door, and right before a call.

Pure: facts in, a decision with its reason out. What SES's answer means is decided in `send/refusals.py`. Everything else in
this plane fetches facts or carries decisions out.
"""

from typing import NamedTuple

from mailcordon.core.delivery import State, Why
from mailcordon.core.hold import Hold
from mailcordon.core.reason import Reason
from mailcordon.core.reserved_domains import Undeliverable
from mailcordon.core.stop import Stop
from mailcordon.messages import reasons


class Decision(NamedTuple):
    """What to do with one delivery."""

    #: SENDING: call SES. READY: back to its lane. HELD, WAITING: defer it, as `why` says. Any other: it ends in this state
    state: State
    reason: Reason | None = None
    sentence: str = ""
    why: Why | None = None
    until: int | None = None  #: milliseconds since 1970, if a deferred delivery waits for a time
    hold: int | None = None  #: that it waits for: a hold, or with `why` STOPPED a stop


class Kept(NamedTuple):
    """Why a lane may not send now."""

    reason: Reason  #: HELD or STOPPED
    sentence: str


class DoorFacts(NamedTuple):
    """What is known of one delivery when its message is accepted."""

    undeliverable: Undeliverable | None  #: why no mail can be delivered to its domain
    suppressed: str | None  #: the sentence of the suppression that covers it
    held: Kept | None  #: the hold or stop that keeps its lane from sending
    scheduled: str | None = None  #: the sentence of the time that it is for


def at_door(facts: DoorFacts) -> Decision:
    """What a caller hears about one delivery of an accepted message.

    An undeliverable or suppressed address is refused; mail for a later time waits for it, whatever its lane may do now; a held or
    stopped lane keeps the mail (settled: each is a 202).
    """
    if facts.undeliverable is not None:
        return Decision(State.REFUSED, Reason.UNDELIVERABLE_DOMAIN, facts.undeliverable.sentence)
    if facts.suppressed is not None:
        return Decision(State.REFUSED, Reason.SUPPRESSED, facts.suppressed)
    if facts.scheduled is not None:
        return Decision(State.WAITING, Reason.SCHEDULED, facts.scheduled)
    if facts.held is not None:
        return Decision(State.HELD, facts.held.reason, facts.held.sentence)
    return _READY


class RowFacts(NamedTuple):
    """What the claim found out about a delivery in the database.

    Each field is a column of the statement `claim`: a new one needs no other change than that column, its field here, and the
    rule in `before_call`.
    """

    #: The sentence of the suppression that covers it. Suppressed mail ends in bulk, by the same rule, before it takes a call
    #: slot, so it is None for what is claimed.
    suppressed: str | None


class Unlearnt(NamedTuple):
    """A mail's mailbox provider is being looked up, and a hold may be about it."""

    sentence: str
    until: int  #: milliseconds since 1970, when the mail is looked at again


class CallFacts(NamedTuple):
    """What is known of one claimed delivery right before its call."""

    may_start: bool  #: holds and stops are fresh, the process is not stopping, and nothing stops the lane, the host or the cell
    hold: Hold | None  #: a hold on its campaign, list or mailbox provider
    has_content: bool
    row: RowFacts
    unlearnt: Unlearnt | None = None
    path_stop: Stop | None = None  #: nothing but this keeps it, and its lane has another path that goes on


def before_call(facts: CallFacts) -> Decision:
    """Whether SES may be called for it now. In the order of cause: what stops the lane, then what stops this mail."""
    if facts.path_stop is not None:
        stop = facts.path_stop
        return Decision(State.HELD, Reason.STOPPED, stop.record, Why.STOPPED, hold=stop.id)
    if not facts.may_start:
        return _READY
    if facts.hold is not None:
        return Decision(State.HELD, Reason.HELD, facts.hold.sentence, Why.HELD, hold=facts.hold.id)
    if facts.row.suppressed is not None:
        return Decision(State.REFUSED, Reason.SUPPRESSED, facts.row.suppressed)
    if facts.unlearnt is not None:
        return Decision(
            State.WAITING, Reason.HELD, facts.unlearnt.sentence, Why.RETRY, until=facts.unlearnt.until
        )
    if not facts.has_content:
        return Decision(State.GIVEN_UP, Reason.NO_CONTENT, reasons.content_missing())
    return _CALL


_READY = Decision(State.READY)
_CALL = Decision(State.SENDING)
