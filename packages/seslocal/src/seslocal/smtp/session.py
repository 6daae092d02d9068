"""One SMTP connection: aiosmtpd's state machine with SES's words. Where SES's words are not known they are aiosmtpd's."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from aiosmtpd.smtp import Session as State

from seslocal.errors import ApiError
from seslocal.mail.address import bare_address
from seslocal.mail.content import MOST_BYTES
from seslocal.mail.smtp_answers import INVALID_SENDER
from seslocal.smtp.credentials import ANONYMOUS, sign_in
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.wire.protocol import MAX_BODY, Response

log = logging.getLogger("seslocal")

#: whole sessions: mautic/mautic#3704, jetmore/swaks#15 (greeting, EHLO before and after TLS, AUTH LOGIN, RSET, QUIT)
HOST: Final = "email-smtp.amazonaws.com"
GREETING: Final = "ESMTP SimpleEmailService-seslocal"
SIGNED_IN: Final = "235 Authentication successful."  #: SES Developer Guide, "SMTP response codes"
WRONG_CREDENTIALS: Final = (
    "535 Authentication Credentials Invalid"  #: mautic/mautic#3704, knadh/listmonk#2160
)
NO_CREDENTIALS: Final = "530 Authentication required"  #: at MAIL FROM: Billionmail/BillionMail#156
TOO_LONG: Final = "552 5.3.4 Message is too long."  #: freescout-help-desk/freescout#375
TOO_MANY: Final = "421 Too many concurrent SMTP connections"  #: SES Developer Guide, "SMTP response codes"
FAILED: Final = "451 Temporary service failure"  #: the same page
_OK: Final = "250 Ok"
_TOO_LARGE: Final = (
    "552 Error: Too much mail data",
    "552 Error: message size exceeds fixed maximum message size",
)
_LONGEST_LINE: Final = 1024 * 1024  # bytes; the mail's grammar refuses shorter ones, in SES's words
_PATH: Final = re.compile(r'<((?:"(?:[^"\\]|\\.)*"|[^>"])*)>\s*(.*)')
_BREAKS: Final = re.compile(r"[\r\n]+")

Send = Callable[[str, list[str], bytes, Caller], "Response | Awaitable[Response]"]


@dataclass(slots=True)
class Shared:
    """What the connections of a door have in common."""

    account: Callable[[], Account]
    send: Send
    context: ssl.SSLContext
    needs_tls: bool
    host: str  #: host and port of the HTTP server, for links in mails
    most: int  #: connections
    open: set[Session] = field(default_factory=lambda: set[Session]())


class Session(SMTP):
    line_length_limit = _LONGEST_LINE
    AuthLoginUsernameChallenge = "Username:"
    AuthLoginPasswordChallenge = "Password:"

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._received = 0  #: bytes since the last reply
        self._is_refused = False
        self._raw: asyncio.Transport | None = None  #: of the connection, below TLS
        super().__init__(
            _Hooks(shared),
            data_size_limit=MOST_BYTES,
            hostname=HOST,
            ident=GREETING,
            tls_context=shared.context,
            require_starttls=shared.needs_tls,
            auth_require_tls=False,  # require_starttls has SES's words
            authenticator=_authenticate,
            loop=asyncio.get_running_loop(),
        )

    @property
    def shared(self) -> Shared:
        return self._shared

    def abort(self) -> asyncio.Task[None] | None:
        """Closes the connection without a reply. Returns what then ends."""
        if self._raw is not None:
            self._raw.abort()  # below TLS, which would wait for the client
        return self._handler_coroutine

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.transport is None and len(self._shared.open) >= self._shared.most:
            self._is_refused = True
            if isinstance(transport, asyncio.WriteTransport):
                transport.write(TOO_MANY.encode() + b"\r\n")
            transport.close()
            return
        self._shared.open.add(self)
        if self._raw is None and isinstance(transport, asyncio.Transport):
            self._raw = transport
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._shared.open.discard(self)
        if not self._is_refused:
            super().connection_lost(error)

    def eof_received(self) -> bool | None:
        return None if self._is_refused else super().eof_received()

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._received += len(data)
        if self._received > MAX_BODY:  # aiosmtpd keeps a line that does not end
            self.abort()
            return
        super().data_received(data)

    # replies

    async def push(self, status: str | bytes) -> None:
        """A reply is one line of ASCII, whatever of the client's it repeats."""
        text = status if isinstance(status, str) else status.decode("ascii", "backslashreplace")
        if text in _TOO_LARGE:
            text = TOO_LONG
        self._received = 0
        await super().push(_BREAKS.sub(" ", text).encode("ascii", "backslashreplace"))

    async def check_auth_needed(self, caller_method: str) -> bool:
        assert self.session is not None
        if self.session.authenticated or not self._shared.account().access.check_signatures:
            return False
        await self.push(NO_CREDENTIALS)
        return True

    # commands

    async def smtp_STARTTLS(self, arg: str) -> None:
        if self.session is not None and self.session.ssl is not None:
            await self.push("503 TLS is already in use")
            return
        await super().smtp_STARTTLS(arg)

    async def smtp_AUTH(self, arg: str) -> None:
        mechanism, space, rest = (arg or "").partition(" ")
        await super().smtp_AUTH(mechanism.upper() + space + rest)  # RFC 4954: in any case of letters

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """What stands in the brackets, and what follows. The mail's grammar judges it, in SES's words."""
        found = _PATH.fullmatch(arg)
        if found is not None:
            return found[1] or "<>", found[2]
        address, _, rest = arg.partition(" ")
        return address, rest


def _authenticate(
    server: SMTP, session: State, envelope: Envelope, mechanism: str, data: object
) -> AuthResult:
    assert isinstance(server, Session)
    assert isinstance(data, LoginPassword)
    user, password = (part.decode("utf-8", "replace") for part in data)
    shared = server.shared
    caller = sign_in(shared.account(), user, password, _address(session), shared.host)
    if caller is None:
        return AuthResult(success=False, handled=False, message=WRONG_CREDENTIALS)
    return AuthResult(success=True, message=SIGNED_IN, auth_data=caller)


class _Hooks:
    """What aiosmtpd calls at each command."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def handle_EHLO(
        self, server: Session, session: State, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        words = ("8BITMIME", f"SIZE {MOST_BYTES}", "STARTTLS", "AUTH PLAIN LOGIN")
        return [f"250-{HOST}", *(f"250-{word}" for word in words), _OK]

    async def handle_MAIL(
        self, server: Session, session: State, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        try:
            bare_address(address)
        except ApiError:
            return "{} {}".format(*INVALID_SENDER)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return _OK

    async def handle_RCPT(
        self, server: Session, session: State, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """SES says at the end of the mail what is wrong with recipients (skaut/SRS#1027)."""
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return _OK

    async def handle_RSET(self, server: Session, session: State, envelope: Envelope) -> str:
        return _OK

    async def handle_NOOP(self, server: Session, session: State, envelope: Envelope, arg: str) -> str:
        return _OK

    async def handle_DATA(self, server: Session, session: State, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        assert envelope.mail_from is not None
        caller = cast("Caller | None", session.auth_data)  # as `_authenticate` set it
        if caller is None:
            account = self._shared.account()
            caller = Caller(ANONYMOUS, account.region, _address(session), self._shared.host, ANONYMOUS)
        response = self._shared.send(envelope.mail_from, envelope.rcpt_tos, envelope.content, caller)
        if not isinstance(response, Response):
            response = await response
        if response.hang_up:
            server.abort()
            await asyncio.Event().wait()  # cancelled when the connection is gone
        return f"{response.status} {response.body.decode()}"

    async def handle_exception(self, error: Exception) -> str:
        log.error("the SMTP door failed", exc_info=error)
        return FAILED


def _address(session: State) -> str:
    peer: Any = session.peer
    return str(peer[0]) if peer else ""
