"""Responds to a call that faults apply to: with an error, late, or not at all, with the operation run or not. Independent of the
protocol: the caller passes how to run the operation and how to write its result or error."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from seslocal.errors import ApiError
from seslocal.mail.sending import too_fast
from seslocal.state.faults import Fault
from seslocal.wire.protocol import HANG_UP, Response

_PATIENCE: Final = 3600.0  # seconds; longer than any client waits


@dataclass(frozen=True, slots=True)
class Call:
    """One parsed and checked call of an implemented operation."""

    sends: bool  #: the operation sends mail
    work: Callable[[], dict[str, Any]]  #: runs the operation; raises ApiError
    finish: Callable[[dict[str, Any]], Response]
    refuse: Callable[[ApiError], Response]


def respond(call: Call, applying: list[Fault]) -> Response | Awaitable[Response]:
    """Returns the response, now or later. Raises ApiError for an error that the caller must write."""
    faults = {fault.kind: fault for fault in applying}
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
    if refused := faults.get("refuse"):
        raise ApiError(refused.code, refused.message, refused.status)
    for kind, status in (("error_500", 500), ("error_503", 503)):
        if fault := faults.get(kind):
            if fault.accepted:
                call.work()
            code = "InternalServiceErrorException" if status == 500 else "ServiceUnavailable"
            raise ApiError(code, "The service failed (injected fault).", status)
    response = call.finish(call.work())
    return HANG_UP if "accept_lose_answer" in faults else response


async def _respond_late(call: Call, seconds: float, others: list[Fault]) -> Response:
    """Runs the operation at once and responds late: the mail of a client that times out was accepted."""
    try:
        response = cast(Response, respond(call, others))
    except ApiError as error:
        response = call.refuse(error)
    await asyncio.sleep(seconds)  # real time: the client's timeout is what is tested
    return response


async def _keep_open(call: Call, fault: Fault) -> Response:
    """Keeps the connection open without a response until the client gives up."""
    if fault.accepted:
        with contextlib.suppress(ApiError):
            call.work()
    await asyncio.sleep(fault.seconds or _PATIENCE)
    return HANG_UP
