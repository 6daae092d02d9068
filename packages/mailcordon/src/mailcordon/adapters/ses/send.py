"""SES's SendEmail, which only the dispatcher calls.

One signed POST, never retried here. The result says whether SES can have accepted the mail (ses.md 3.4); `send/refusals.py`
decides what follows. Only if the credentials have expired are they renewed and the call made once more: SES checks them first.
If they cannot be renewed, SES's refusal is the answer: it has not accepted the mail.
"""

import asyncio
import functools
import re
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from mailcordon.adapters.ses.signer import CredentialsSource, Signer, digest_of
from mailcordon.adapters.ses.transport import CallFailed, NotSent, Response, Transport, Withdrawn
from mailcordon.messages import reasons
from mailcordon.send.refusals import WITHDRAWN, Answer

log: Any = structlog.get_logger()

PATH = "/v2/email/outbound-emails"
_HEADERS = {"content-type": "application/json"}
_LARGE = 256 * 1024  #: bytes of a body whose digest takes time
_EXPIRED = frozenset({"ExpiredTokenException", "ExpiredToken", "RequestExpired"})
_MESSAGE_ID = re.compile(rb'\{\s*"MessageId"\s*:\s*"([A-Za-z0-9-]{1,200})"\s*\}')


class SesSend:
    """Implements `send.ports.Sender`."""

    def __init__(
        self, transport: Transport, *, host: str, region: str, credentials: CredentialsSource
    ) -> None:
        self._transport = transport
        self._signer = Signer(service="ses", region=region, host=host)
        self._credentials = credentials
        self._renewing: set[asyncio.Task[None]] = set()  #: calls that wait for new credentials

    @property
    def ready(self) -> bool:
        return self._transport.has_free

    def start(
        self, body: bytes, permitted: Callable[[], bool], done: Callable[[Answer | Exception], None]
    ) -> bool:
        if len(body) > _LARGE:
            return False
        try:
            lines = self._signer.lines(self._credentials.current(), PATH, body, _HEADERS)
        except Exception:
            return False  # `send_email` says why
        return self._transport.start(PATH, body, lines, functools.partial(self._ended, body, permitted, done))

    def _ended(
        self,
        body: bytes,
        permitted: Callable[[], bool],
        done: Callable[[Answer | Exception], None],
        outcome: Response | CallFailed,
    ) -> None:
        if isinstance(outcome, CallFailed):
            done(_without_response(outcome))
            return
        try:
            answer = read_answer(outcome)
        except Exception as problem:
            done(problem)
            return
        if answer.code in _EXPIRED:
            task = asyncio.create_task(self._renew(answer, body, permitted, done))
            self._renewing.add(task)
            task.add_done_callback(self._renewing.discard)
        else:
            done(answer)

    async def _renew(
        self,
        answer: Answer,
        body: bytes,
        permitted: Callable[[], bool],
        done: Callable[[Answer | Exception], None],
    ) -> None:
        try:
            found: Answer | Exception = await self._renewed(answer, body, permitted)
        except Exception as problem:
            found = problem
        done(found)

    async def send_email(self, body: bytes, permitted: Callable[[], bool] | None = None) -> Answer:
        """Makes one attempt. Failures of SES or the network are returned, not raised.

        `permitted` is asked before the request is written if something took time since the call of this method: a connection
        that had to be made, or new credentials. If it says no, nothing is sent and the answer's code is WITHDRAWN.
        """
        answer = await self._post(body, permitted)
        return await self._renewed(answer, body, permitted) if answer.code in _EXPIRED else answer

    async def _renewed(self, answer: Answer, body: bytes, permitted: Callable[[], bool] | None) -> Answer:
        """Makes the call once more, after an answer that says that the credentials have expired."""
        try:
            await self._credentials.refresh()
        except Exception as problem:
            log.error("expired AWS credentials could not be renewed", problem=str(problem))
            return answer
        if permitted is not None and not permitted():
            return Answer(0, code=WITHDRAWN, text=reasons.withdrawn_before_call())
        return await self._post(body, permitted)

    async def _post(self, body: bytes, permitted: Callable[[], bool] | None) -> Answer:
        digest = None
        if len(body) > _LARGE:
            digest = await asyncio.to_thread(digest_of, body)
            if permitted is not None and not permitted():
                return Answer(0, code=WITHDRAWN, text=reasons.withdrawn_before_call())
        try:
            headers = self._signer.sign(self._credentials.current(), PATH, body, _HEADERS, digest=digest)
        except Exception as problem:
            return Answer(0, code="NoCredentials", text=_in_words(problem))
        try:
            response = await self._transport.post(PATH, body, headers, permitted)
        except CallFailed as problem:
            return _without_response(problem)
        except Exception as problem:
            # The transport does not say whether it had written anything.
            log.exception("a call of SES failed with an internal error")
            return Answer(-1, code="InternalError", text=_in_words(problem))
        return read_answer(response)


def _without_response(problem: CallFailed) -> Answer:
    if isinstance(problem, Withdrawn):
        return Answer(0, code=WITHDRAWN, text=str(problem))
    if isinstance(problem, NotSent):
        return Answer(0, code="NotSent", text=str(problem))
    return Answer(-1, code="NoAnswer", text=str(problem))


def read_answer(response: Response) -> Answer:
    """Reads SES's response. A 200 without a message id is not a clear answer."""
    if response.status == 200:
        match = _MESSAGE_ID.fullmatch(response.body.strip())
        if match is not None:
            return Answer(200, ses_id=match[1].decode())
        ses_id = _members(response.body).get("MessageId")
        return Answer(
            200,
            ses_id=ses_id if isinstance(ses_id, str) else None,
            code="NoMessageId",
            text=_text(response.body),
        )
    members = _members(response.body)
    named = response.headers.get("x-amzn-errortype") or members.get("code") or members.get("__type") or ""
    code = str(named).split(":", 1)[0].rsplit("#", 1)[-1]
    message = members.get("message") or members.get("Message") or ""
    return Answer(response.status, code=code, text=str(message) or _text(response.body))


def _members(body: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except msgspec.DecodeError:
        return {}


def _text(body: bytes) -> str:
    return body[:300].decode(errors="replace")


def _in_words(problem: Exception) -> str:
    return str(problem) or type(problem).__name__
