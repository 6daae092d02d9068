"""GetSendStatistics: counts of mail and its outcomes per 15 minutes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.statistics import MOST, POINT
from seslocal.wire.params import Params


def get(account: Account, params: Params, caller: Caller) -> Params:
    oldest = int(account.clock.now()) // POINT - MOST
    shown = [
        {
            "Timestamp": float(point * POINT),
            "DeliveryAttempts": attempts,
            "Bounces": bounces,
            "Complaints": complaints,
            "Rejects": rejects,
        }
        for point, attempts, bounces, complaints, rejects in account.mail.statistics.points
        if point > oldest
    ]
    return {"SendDataPoints": shown}


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {"GetSendStatistics": get}
