"""The guard of the account: how near it is to AWS's review line, what room is left, and whose lanes are slowed for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailcordon.guard import account_guard
from mailcordon.guard.account_guard import Slowed
from mailcordon.guard.breaker.nouns import Level
from mailcordon.guard.delays import Signal
from mailcordon.messages import breaker as messages
from mailcordon.observe.breaker.ports import BreakerStore
from mailcordon.observe.breaker.records import MINUTE_MS, Kept, Watched

SIGNAL = "account"
WINDOW = 1440  #: minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    room: (
        dict[Signal, float] | None
    )  #: bad events a day that the account can still have; None: it sent too little to tell
    slowed: Sequence[Slowed]
    over: Sequence[Kept]  #: lanes that need not be slowed any more
    state: str | None


class AccountWatch:
    def __init__(self, store: BreakerStore) -> None:
        self._store = store

    async def look(self, now: int, open_: Sequence[Kept]) -> Found:
        """`open_`: the lanes that are slowed for the account."""
        since = now // MINUTE_MS - WINDOW
        account = await self._store.account(since, by_lane=False)
        probation = account.state == "PROBATION"
        before = {
            signal: any(one.document.get("of") == str(signal) for one in open_)
            for signal in account_guard.REVIEW
        }
        danger = [
            signal
            for signal in account_guard.REVIEW
            if account_guard.in_danger(
                signal,
                account.mails[signal],
                account.events[signal],
                probation=probation,
                before=before[signal],
            )
        ]
        slowed: list[Slowed] = []
        if danger:
            by_lane = await self._store.account(since, by_lane=True)
            for signal in danger:
                slowed += account_guard.slowed(
                    signal, by_lane.lanes[signal], probation=probation, before=before[signal]
                )
        if slowed:
            # A person who has ended such a decision is obeyed for the length of the window.
            spoken = await self._store.spoken(now - WINDOW * MINUTE_MS)
            slowed = [one for one in slowed if (one.lane, SIGNAL) not in spoken]
        over = [one for one in open_ if one.document.get("of") not in {str(signal) for signal in danger}]
        return Found(
            room=account_guard.room(account.mails, account.events),
            slowed=slowed,
            over=over,
            state=account.state,
        )


def kept(lane: Watched, slowed: Slowed, state: str | None, rate: float, now: int) -> Kept:
    """The decision to slow a lane. `rate`: mails a second."""
    return Kept(
        id=0,
        tenant=lane.facts.tenant,
        lane=slowed.lane,
        part="",
        signal=SIGNAL,
        half="absolute",
        level=Level.THROTTLE,
        mode=lane.mode("absolute"),
        at=now,
        since=now,
        seen=messages.account_seen(
            of=lane.name, signal=str(slowed.signal), share=slowed.share, rate=slowed.rate, state=state
        ),
        rate=rate,
        document={
            "of": str(slowed.signal),
            "share": round(slowed.share, 3),
            "rate": round(slowed.rate, 6),
        },
    )
