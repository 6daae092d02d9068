"""What a call that meets faults is answered with: nothing, late, a refusal, or the answer although the work was never
done, or nothing although it was. It knows no protocol; the front says how a call is worked on, answered and refused."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from seslocal.errors import ApiError
from seslocal.mail.sending import too_fast
from seslocal.state.faults import Fault
from seslocal.wire.protocol import HANG_UP, Answer

_PATIENCE: Final = 3600.0  # seconds; no client's is longer


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation that acts, read and checked."""

    sends: bool  #: it hands in mail
    work: Callable[[], dict[str, Any]]  #: does what it asks for; raises ApiError
    finish: Callable[[dict[str, Any]], Answer]
    refuse: Callable[[ApiError], Answer]


def respond(call: Call, struck: list[Fault]) -> Answer | Awaitable[Answer]:
    """The answer, now or later. Raises ApiError where the front would have to refuse."""
    faults = {fault.kind: fault for fault in struck}
    if stuck := faults.get("time_out"):
        return _keep_open(call, stuck)
    if slow := faults.pop("slow", None):
        return _respond_late(call, slow.seconds, list(faults.values()))
    if "throttle" in faults:
        raise too_fast()
    if "throttle_storm" in faults:
        raise (
            too_fast()
            if call.sends
            else ApiError(
                "TooManyRequestsException",
                "Too many requests have been made.",
                429,
                kind="too_many_calls",
            )
        )
    for kind, status in (("error_500", 500), ("error_503", 503)):
        if fault := faults.get(kind):
            if fault.accepted:
                call.work()
            code = "InternalServiceErrorException" if status == 500 else "ServiceUnavailable"
            raise ApiError(code, "The service failed (injected fault).", status)
    answer = call.finish(call.work())
    return HANG_UP if "accept_lose_answer" in faults else answer


async def _respond_late(call: Call, seconds: float, others: list[Fault]) -> Answer:
    """The work is done at once, the answer is what is slow: a client that gives up has been accepted."""
    try:
        answer = cast(Answer, respond(call, others))
    except ApiError as error:
        answer = call.refuse(error)
    await asyncio.sleep(seconds)  # of the world's: it is the client's patience that is tried
    return answer


async def _keep_open(call: Call, fault: Fault) -> Answer:
    """The connection stays open without a word until the client has enough of it."""
    if fault.accepted:
        with contextlib.suppress(ApiError):
            call.work()
    await asyncio.sleep(fault.seconds or _PATIENCE)
    return HANG_UP
