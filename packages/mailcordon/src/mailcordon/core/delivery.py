"""What can become of one delivery, and how what the queue, the ledger and SES's events say is folded into one state.

The fold is pure and does not depend on the order in which anything arrived: the queue side says where the delivery is or how
it left, the outcome side is the highest-ranked thing SES reported, and the two are joined here and nowhere else.
"""

from enum import IntEnum


class State(IntEnum):
    # In the queue.
    READY = 1  #: may leave as soon as its lane's turn comes
    SENDING = 2  #: on the wire: SES was called, no answer yet
    WAITING = 3  #: a retry, a schedule, a cap
    HELD = 4  #: a hold stops its lane, or the narrower thing it belongs to
    UNKNOWN = 5  #: SES was called and no clear answer came
    # Left the queue without SES having it.
    REFUSED = 10  #: by us, before SES, with a reason
    EXPIRED = 11  #: no longer worth sending
    CANCELLED = 12  #: somebody asked
    GIVEN_UP = (
        13  #: outcome unknown, absence proved, and its class would rather lose a mail than send it twice
    )
    REJECTED_AT_CALL = 14  #: SES refused the call for good
    # SES has it.
    SENT = 20
    DELAYED = 21
    SOFT_BOUNCED = 22
    DELIVERED = 23
    SUPPRESSED_AT_SES = 24
    REJECTED = 25  #: by SES after acceptance: content
    BOUNCED = 26
    COMPLAINED = 27
    NO_OUTCOME = 28  #: SES's own time limit has passed and it said nothing

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")


def fold(queue: State | None, ledger: State | None, outcome: State | None) -> State:
    """The one state to show. `outcome` wins wherever there is one: SES spoke of a mail it really had.

    Raises ValueError when nothing is known, which the caller answers with "not found".
    """
    if outcome is not None:
        return outcome
    if ledger is not None:
        return ledger
    if queue is not None:
        return queue
    raise ValueError("nothing is known of this delivery")
