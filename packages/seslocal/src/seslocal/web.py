"""Serves everything other than SES and SQS: SNS and its certificate, the pixels and links of tracked mails, unsubscribe and
verification links, and the page."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

from seslocal import authentication, authorization, page, sns
from seslocal.admission import CHALLENGE, Admission
from seslocal.events.certificate import certificate
from seslocal.events.documents import CERTIFICATE_PATH
from seslocal.mail import list_management, tracking, verification_links
from seslocal.state.account import Account
from seslocal.wire import signature
from seslocal.wire.protocol import Request, Response

_SNS = b"Version=2010-03-31"


class Web:
    """`account` returns the current account. `host` is used for requests without a Host header."""

    def __init__(self, account: Callable[[], Account], admission: Admission, host: str) -> None:
        self._account = account
        self._admission = admission
        self._host = host

    def respond(self, request: Request) -> Response | None:
        """Returns None if the request is for another API."""
        path = request.path
        if path.startswith("/v2/"):
            return None
        account = self._account()
        if path == "/":
            if is_sns(request):
                posted = request.method == "POST"
                return self._sns(account, request, request.body if posted else request.query.encode())
            if request.method == "POST":
                return None
        if path == CERTIFICATE_PATH and request.method == "GET":
            return Response(200, certificate(), "application/x-pem-file")
        return (
            tracking.respond(account, request)
            or list_management.respond(account, request)
            or verification_links.respond(account, request)
            or self._page(account, request)
        )

    def _page(self, account: Account, request: Request) -> Response | None:
        if page.is_for(request) and (refused := self._admission.token_refusal(request)) is not None:
            return Response(401, refused.encode(), "text/plain", (CHALLENGE,))
        return page.respond(account, request)

    def _sns(self, account: Account, request: Request, form: bytes) -> Response:
        pairs = _pairs(form)

        def check() -> None:
            caller = authentication.caller(account, request, signature.SNS, self._host)
            if account.access.policies:
                authorization.sns(account, pairs.get("Action", ""), pairs, caller)

        return sns.respond(account, pairs, check, signed=signature.is_signed(request))


def is_sns(request: Request) -> bool:
    """Whether it is a call of SNS: a form, or the query of a link in a message."""
    if request.path != "/":
        return False
    if request.method == "POST":
        return _SNS in request.body or _scope(request) == "sns"
    is_ses = "Version=2010-12-01" in request.query or _scope(request) == "ses"
    return "Action=" in request.query and not is_ses


def _scope(request: Request) -> str:
    """Returns the service in the credential, for a form without a Version."""
    head, found, _ = request.headers.get("authorization", "").partition("/aws4_request")
    return head.rpartition("/")[2] if found else ""


def _pairs(form: bytes) -> dict[str, str]:
    text = form.decode("utf-8", "replace")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=1000))
    except ValueError:
        return {}
