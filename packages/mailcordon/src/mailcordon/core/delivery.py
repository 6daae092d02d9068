"""The states of a delivery, and how queue, ledger and outcome rows are folded into one state.

The fold is pure and independent of the order of arrival: queue and ledger say where the delivery is or how it left, the outcome
is the highest-ranked event from SES.
"""

from enum import IntEnum


class State(IntEnum):
    # In the queue.
    READY = 1  #: leaves when its lane's turn comes
    SENDING = 2  #: on the wire: SES was called and has not answered yet
    WAITING = 3  #: for a retry, a schedule or a cap
    HELD = 4  #: a hold stops its lane, campaign, list or mailbox provider
    UNKNOWN = 5  #: SES was called and gave no clear answer
    # Left the queue; SES does not have it.
    REFUSED = 10  #: by us, before SES
    EXPIRED = 11  #: not sent within its time limit
    CANCELLED = 12  #: on request
    GIVEN_UP = 13  #: SES certainly does not have it after an unclear answer, and its class is not resent
    REJECTED_AT_CALL = 14  #: SES rejected the mail in its answer
    # SES has it.
    SENT = 20
    DELAYED = 21
    SOFT_BOUNCED = 22
    DELIVERED = 23
    SUPPRESSED_AT_SES = 24
    REJECTED = 25  #: by SES after acceptance, for its content
    BOUNCED = 26
    COMPLAINED = 27
    NO_OUTCOME = 28  #: SES reported nothing final within its own time limit

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")


class Why(IntEnum):
    """Why a delivery waits, as in `waiting.why`."""

    RETRY = 1
    UNKNOWN = 2
    HELD = 3  #: by a hold on its campaign, list or mailbox provider
    SCHEDULED = 4  #: its time has not come
    LIMITED = 5  #: a limit of its campaign, list, mailbox provider, key or address is used up
    STOPPED = 6  #: by a stop of its path; the lane's other path sends


def fold(queue: State | None, ledger: State | None, outcome: State | None) -> State:
    """Returns the state to show. `outcome` wins over the others: SES reports only mail that it had.

    Raises ValueError if there is no row at all.
    """
    if outcome is not None:
        return outcome
    if ledger is not None:
        return ledger
    if queue is not None:
        return queue
    raise ValueError("this delivery has no row")
