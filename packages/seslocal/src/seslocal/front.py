"""Routes each request on the one port to SQS, CloudWatch, the admin API, the web or SES, applies the faults on calls, and writes
results and errors in the service's protocol. An unexpected exception is logged and returned as a 500."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from seslocal import (
    authentication,
    authorization,
    eventbridge,
    faulted_calls,
    sns,
    sts_and_iam,
    web,
)
from seslocal.admin.api import PREFIX, Admin
from seslocal.admission import CHALLENGE, Admission
from seslocal.cloudwatch import endpoint as cloudwatch
from seslocal.errors import ApiError, not_implemented
from seslocal.events import cloudtrail
from seslocal.faulted_calls import Call
from seslocal.sesv1 import endpoint
from seslocal.sesv2.sending import tenant_and_set
from seslocal.sesv2.table import IMPLEMENTED
from seslocal.sqs import operations as sqs
from seslocal.state.account import Account
from seslocal.web import Web
from seslocal.wire import signature
from seslocal.wire.model import check_sqs, read_input, ses_routes, sqs_checks
from seslocal.wire.params import Params
from seslocal.wire.protocol import Request, Response

log = logging.getLogger("seslocal")

_encode = msgspec.json.Encoder().encode
_SQS_KIND: Final = "application/x-amz-json-1.0"
_SQS_TARGET: Final = "AmazonSQS."
_SES_PATH: Final = "/v2/email/"  #: no other API is below it


class Front:
    def __init__(
        self, account: Callable[[], Account], admission: Admission, admin: Admin, web: Web, host: str
    ) -> None:
        self._account = account
        self._admission = admission
        self._admin = admin
        self._web = web
        self._host = host  #: for requests without a Host header
        self._routes = ses_routes()
        self._sqs = sqs_checks()

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        target = request.headers.get("x-amz-target", "")
        is_sqs = target.startswith(_SQS_TARGET)
        if (refused := self._admission.refusal(request)) is not None:
            return self._refuse(refused, request, is_sqs)
        self._account().clock.settle()
        try:
            if is_sqs:
                return self._respond_sqs(request, target[len(_SQS_TARGET) :])
            if _is_admin(request):
                if (sentence := self._admission.token_refusal(request)) is not None:
                    return self._admin.refuse(401, sentence, CHALLENGE)
                return self._admin.respond(request)
            if not target and request.path.startswith(_SES_PATH):
                return self._respond_ses(request)
            if (response := self._web.respond(request)) is not None:
                return response
            if sts_and_iam.is_for(request):
                return self._respond_sts_and_iam(request)
            if endpoint.is_for(request):
                return self._respond_v1(request)
            if cloudwatch.is_for(request):
                return self._respond_cloudwatch(request)
            if eventbridge.is_for(request):
                return self._respond_eventbridge(request)
            return self._respond_ses(request)
        except ApiError as error:
            return self._error_response(error, is_sqs)
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            broken = ApiError(
                "InternalServiceErrorException", "seslocal itself failed; its log says how.", 500
            )
            return self._error_of_others(request, broken) or self._error_response(broken, is_sqs)

    # SES

    def _respond_ses(self, request: Request) -> Response | Awaitable[Response]:
        operation = self._routes.find(request.method, request.path)
        if operation is None:
            raise ApiError(
                "UnknownOperationException",
                f"No operation of SES v2 is at {request.method} {request.path}.",
                404,
            )
        account = self._account()
        caller = authentication.caller(account, request, signature.SES, self._host)
        params = read_input(operation, request.path, request.query, request.body)
        if account.access.policies:
            authorization.ses(account, operation.name, params, caller, authorization.V2)
        act = IMPLEMENTED.get(operation.name)
        if act is None:
            raise not_implemented(operation.name)
        request_id = account.ids.uuid()
        if account.events.management_queue is not None:
            data = account.events.data_events
            act = cloudtrail.reporting(act, operation.name, request, request_id, data=data)
        if account.access.management_rate.rate:
            account.access.management_rate.spend(operation.name, account.clock.now())
        if account.faults.active:
            applying = account.faults.on_call(operation.name, *tenant_and_set(params))
            if applying:
                call = Call(
                    operation.name.startswith("Send"),
                    lambda: act(account, params, caller),
                    lambda result: self._done(result, request_id),
                    lambda error: self._error_response(error, False),
                )
                return faulted_calls.respond(call, applying)
        return self._done(act(account, params, caller), request_id)

    def _respond_v1(self, request: Request) -> Response | Awaitable[Response]:
        account = self._account()
        return endpoint.respond(
            account, request, lambda: authentication.caller(account, request, signature.SES, self._host)
        )

    def _respond_cloudwatch(self, request: Request) -> Response:
        account = self._account()
        signed_for = cloudwatch.SIGNED_FOR
        return cloudwatch.respond(
            account, request, lambda: authentication.caller(account, request, signed_for, self._host)
        )

    def _respond_sts_and_iam(self, request: Request) -> Response:
        account = self._account()
        also = sts_and_iam.GLOBAL_REGION
        return sts_and_iam.respond(
            account,
            request,
            lambda name: authentication.caller(account, request, (name,), self._host, also=also),
        )

    def _respond_eventbridge(self, request: Request) -> Response:
        account = self._account()
        signed_for = eventbridge.SIGNED_FOR
        return eventbridge.respond(
            account, request, lambda: authentication.caller(account, request, signed_for, self._host)
        )

    # SQS

    def _respond_sqs(self, request: Request, name: str) -> Response | Awaitable[Response]:
        check = self._sqs.get(name)
        if check is None:
            raise ApiError("UnknownOperationException", f"SQS has no operation {name}.")
        account = self._account()
        if account.faults.active and account.faults.use("queue_outage"):
            raise ApiError("ServiceUnavailable", "The queue is down (injected fault).", 503)
        caller = authentication.caller(account, request, signature.SQS, self._host)
        params = check_sqs(check, request.body)
        if account.access.policies:
            authorization.sqs(account, name, params, caller)
        act = sqs.OPERATIONS.get(name)
        if act is None:
            raise ApiError("UnsupportedOperation", f"seslocal does not implement {name} of SQS.")
        result = act(account, params, caller)
        if isinstance(result, dict):
            return Response(200, _encode(result), _SQS_KIND, self._ids())
        return self._respond_sqs_late(result)

    async def _respond_sqs_late(self, pending: Awaitable[Params]) -> Response:
        try:
            return Response(200, _encode(await pending), _SQS_KIND, self._ids())
        except ApiError as error:
            return self._error_response(error, True)

    # both

    def _refuse(self, error: ApiError, request: Request, is_sqs: bool) -> Response:
        """Writes what admission says as the service that the request is for would."""
        if is_sqs:
            return self._error_response(error, True)
        if _is_admin(request):
            return self._admin.refuse(error.status, error.message)
        if web.is_sns(request):
            return sns.error_response(self._account().ids.uuid(), error)
        return self._error_of_others(request, error) or self._error_response(error, False)

    def _error_of_others(self, request: Request, error: ApiError) -> Response | None:
        """As a service beside SES v2 and SQS writes it; None if the request is for none."""
        account = self._account()
        if sts_and_iam.is_for(request):
            return sts_and_iam.error_response(account, request, error)
        if endpoint.is_for(request):
            return endpoint.error_response(account, error)
        if cloudwatch.is_for(request):
            return cloudwatch.error_response(account, error)
        if eventbridge.is_for(request):
            return eventbridge.error_response(account, error)
        return None

    def _done(self, result: Params, request_id: str) -> Response:
        return Response(200, _encode(result), headers=self._ids(request_id))

    def _ids(self, request_id: str | None = None) -> tuple[tuple[str, str], ...]:
        return (("x-amzn-RequestId", request_id or self._account().ids.uuid()),)

    def _error_response(self, error: ApiError, is_sqs: bool) -> Response:
        if not is_sqs:
            request_id = error.request_id
            if self._account().behaviour.old_signature_codes:
                error = signature.as_query(error)
            headers = (*self._ids(request_id), ("x-amzn-ErrorType", error.code))
            return Response(error.status, _encode({error.key: error.message}), headers=headers)
        fault = "Receiver" if error.status >= 500 else "Sender"
        old = sqs.OLD_CODES.get(error.code) or signature.QUERY_CODES.get(error.code, error.code)
        space = "com.amazon.coral.service" if error.code in signature.QUERY_CODES else "com.amazonaws.sqs"
        headers = (*self._ids(), ("x-amzn-query-error", f"{old};{fault}"))
        body = _encode({"__type": f"{space}#{error.code}", "message": error.message})
        return Response(error.status, body, _SQS_KIND, headers)


def _is_admin(request: Request) -> bool:
    return request.path == PREFIX or request.path.startswith(PREFIX + "/")
