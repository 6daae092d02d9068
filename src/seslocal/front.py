"""The front: one port for all. It tells SQS, the admin side and SES apart, lets the faults on calls strike,
and turns what an operation returned or refused into its protocol's answer. An exception nobody expected is the
only way to an unasked 500, and it is logged."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Final, cast

import msgspec

from seslocal.admin.calls import PREFIX, Admin
from seslocal.admin.faults import Fault
from seslocal.errors import ApiError, not_acting
from seslocal.mail import sending
from seslocal.sesv2 import accounts, configuration_sets, identities, reputation, suppression, tenants
from seslocal.sqs import operations as sqs
from seslocal.state import Account, Caller
from seslocal.wire.model import Params, check_sqs, read_input, ses_routes, sqs_checks
from seslocal.wire.protocol import HANG_UP, Answer, Request
from seslocal.wire.web import Web

log = logging.getLogger("seslocal")

_encode = msgspec.json.Encoder().encode
_CREDENTIAL: Final = re.compile(r"Credential=([^/,\s]+)/\d+/([^/,\s]+)/")
_PATIENCE: Final = 3600.0  # seconds; no client's is longer
_SQS_KIND: Final = "application/x-amz-json-1.0"
_SQS_TARGET: Final = "AmazonSQS."

#: every operation of SES v2 that acts
ACTING: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    **tenants.OPERATIONS,
    **reputation.OPERATIONS,
    **suppression.OPERATIONS,
    **identities.OPERATIONS,
    **configuration_sets.OPERATIONS,
    **accounts.OPERATIONS,
    **sending.OPERATIONS,
}


class Front:
    def __init__(self, account: Callable[[], Account], admin: Admin, web: Web, host: str) -> None:
        self._account = account
        self._admin = admin
        self._web = web
        self._host = host  #: for requests that name none
        self._routes = ses_routes()
        self._sqs = sqs_checks()

    def __call__(self, request: Request) -> Answer | Awaitable[Answer]:
        target = request.headers.get("x-amz-target", "")
        is_sqs = target.startswith(_SQS_TARGET)
        self._account().clock.settle()
        try:
            if is_sqs:
                return self._answer_sqs(request, target[len(_SQS_TARGET) :])
            if request.path == PREFIX or request.path.startswith(PREFIX + "/"):
                return self._admin.answer(request)
            if (answer := self._web.answer(request)) is not None:
                return answer
            return self._answer_ses(request)
        except ApiError as error:
            return self._refusal(error, is_sqs)
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            broken = ApiError(
                "InternalServiceErrorException", "seslocal itself failed; its log says how.", 500
            )
            return self._refusal(broken, is_sqs)

    # SES

    def _answer_ses(self, request: Request) -> Answer | Awaitable[Answer]:
        operation = self._routes.find(request.method, request.path)
        if operation is None:
            raise ApiError(
                "UnknownOperationException",
                f"No operation of SES v2 is at {request.method} {request.path}.",
                404,
            )
        account = self._account()
        params = read_input(operation, request.path, request.query, request.body)
        act = ACTING.get(operation.name)
        if act is None:
            raise not_acting(operation.name)
        if account.faults.standing:
            struck = account.faults.on_call(operation.name, *sending.whose(params))
            if struck:
                return self._answer_struck(account, act, params, self._caller(request), struck)
        return self._done(act(account, params, self._caller(request)))

    def _answer_struck(
        self,
        account: Account,
        act: Callable[[Account, Params, Caller], Params],
        params: Params,
        caller: Caller,
        struck: list[Fault],
    ) -> Answer | Awaitable[Answer]:
        faults = {fault.kind: fault for fault in struck}
        if stuck := faults.get("time_out"):
            return self._never_answer(stuck, act, account, params, caller)
        slow = faults.pop("slow", None)
        if slow is not None:
            return self._answer_slowly(account, slow.seconds, act, params, caller, list(faults.values()))
        if "throttle" in faults:
            raise sending.too_fast()
        if "throttle_storm" in faults:
            raise (
                sending.too_fast()
                if "Content" in params
                else ApiError("TooManyRequestsException", "Too many requests have been made.", 429)
            )
        for kind, status in (("error_500", 500), ("error_503", 503)):
            if fault := faults.get(kind):
                if fault.accepted:
                    act(account, params, caller)
                code = "InternalServiceErrorException" if status == 500 else "ServiceUnavailable"
                raise ApiError(code, "The service failed, as a fault asks.", status)
        answer = self._done(act(account, params, caller))
        return HANG_UP if "accept_lose_answer" in faults else answer

    async def _answer_slowly(
        self,
        account: Account,
        seconds: float,
        act: Callable[[Account, Params, Caller], Params],
        params: Params,
        caller: Caller,
        others: list[Fault],
    ) -> Answer:
        """The work is done at once, the answer is what is slow: a client that gives up has been accepted."""
        try:
            answer = cast(Answer, self._answer_struck(account, act, params, caller, others))
        except ApiError as error:
            answer = self._refusal(error, False)
        await asyncio.sleep(seconds)  # of the world's: it is the client's patience that is tried
        return answer

    async def _never_answer(
        self,
        fault: Fault,
        act: Callable[[Account, Params, Caller], Params],
        account: Account,
        params: Params,
        caller: Caller,
    ) -> Answer:
        """The connection stays open without a word until the client has enough of it."""
        if fault.accepted:
            with contextlib.suppress(ApiError):
                act(account, params, caller)
        await asyncio.sleep(fault.seconds or _PATIENCE)
        return HANG_UP

    # SQS

    def _answer_sqs(self, request: Request, name: str) -> Answer | Awaitable[Answer]:
        check = self._sqs.get(name)
        if check is None:
            raise ApiError("UnknownOperationException", f"SQS has no operation {name}.")
        account = self._account()
        if account.faults.standing and account.faults.strikes("queue_outage"):
            raise ApiError("ServiceUnavailable", "The queue is out, as a fault asks.", 503)
        params = check_sqs(check, request.body)
        act = sqs.OPERATIONS.get(name)
        if act is None:
            raise ApiError("UnsupportedOperation", f"seslocal knows SQS's {name} but does not act on it.")
        result = act(account, params, self._caller(request))
        if isinstance(result, dict):
            return Answer(200, _encode(result), _SQS_KIND, self._ids())
        return self._answer_sqs_late(result)

    async def _answer_sqs_late(self, pending: Awaitable[Params]) -> Answer:
        try:
            return Answer(200, _encode(await pending), _SQS_KIND, self._ids())
        except ApiError as error:
            return self._refusal(error, True)

    # both

    def _done(self, result: Params) -> Answer:
        return Answer(200, _encode(result), headers=self._ids())

    def _ids(self) -> tuple[tuple[str, str], ...]:
        return (("x-amzn-RequestId", self._account().ids.uuid()),)

    def _refusal(self, error: ApiError, is_sqs: bool) -> Answer:
        if not is_sqs:
            headers = (*self._ids(), ("x-amzn-ErrorType", error.code))
            return Answer(error.status, _encode({error.key: error.message}), headers=headers)
        fault = "Receiver" if error.status >= 500 else "Sender"
        old = sqs.OLD_CODES.get(error.code, error.code)
        headers = (*self._ids(), ("x-amzn-query-error", f"{old};{fault}"))
        body = _encode({"__type": f"com.amazonaws.sqs#{error.code}", "message": error.message})
        return Answer(error.status, body, _SQS_KIND, headers)

    def _caller(self, request: Request) -> Caller:
        # The place where the signature will be checked; for now it is only read.
        found = _CREDENTIAL.search(request.headers.get("authorization", ""))
        host = request.headers.get("host") or self._host
        if found is None:
            return Caller("anonymous", self._account().region, request.peer, host)
        return Caller(found[1], found[2], request.peer, host)
