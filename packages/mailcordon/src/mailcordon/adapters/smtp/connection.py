"""One connection: bytes, TLS, deadlines and what the door admits. session.py knows the commands, submit.py stores a mail.

Replies keep the order of commands, so a client may send many at once (RFC 2920). While one waits, nothing more is read than fits
into a small buffer. What is refused for good is answered and closed, after what still comes was thrown away for a moment: closing
at once would lose the answer.
"""

import asyncio
import contextlib
import functools
import ipaddress
import time
from collections.abc import Callable, Coroutine
from typing import Any, cast

from mailcordon.adapters.smtp import login, replies
from mailcordon.adapters.smtp.login import User
from mailcordon.adapters.smtp.mail_data import BareLineEnding, MailData
from mailcordon.adapters.smtp.replies import Reply
from mailcordon.adapters.smtp.session import Data, Login, Quit, Session, StartTls, Step, Terms
from mailcordon.adapters.smtp.shared import SmtpDoor
from mailcordon.adapters.smtp.submit import Mail
from mailcordon.core.errors import Later, MailcordonError, TooMuch
from mailcordon.core.principal import Principal
from mailcordon.door.admission import SMALL_BODY, Caller, Refusal, Ticket
from mailcordon.door.client_address import counted_as
from mailcordon.door.limits import Limit
from mailcordon.host import tls_start
from mailcordon.messages import smtp

LOGIN_SECONDS = 60.0  #: from the beginning of a connection to its login
#: Between two commands afterwards: RFC 5321 4.5.3.2.7 asks for 5 minutes, and clients keep connections for their next mail.
IDLE_SECONDS = 300.0
TICK = 5.0  #: seconds between two looks at the pace of a mail
MOST_ERRORS = 100  #: failed commands of one connection: two messages of which every recipient is misspelled
#: Commands of a connection before its login. A client sends three or four.
_MOST_BEFORE_LOGIN = 50
_MOST_FAILED_LOGINS = 3  #: of one connection
_MOST_BUFFERED = 64 * 1024  #: bytes that may wait while a command is answered
_MOST_REFUSED = 2  #: times the largest mail: bytes of a refused one that are read to its end
_LINGER_BYTES = 256 * 1024
_LINGER_SECONDS = 2.0
_LARGE_READ = 64 * 1024  #: bytes that came in one read: more wait probably


class Connection(asyncio.Protocol):
    def __init__(self, door: SmtpDoor, *, tls_first: bool = False) -> None:
        self._door = door
        self._loop = asyncio.get_running_loop()
        self._tls_first = tls_first
        self._transport: asyncio.Transport | None = None
        self._client = ""
        self._session: Session | None = None  #: None: during a handshake, and when the connection is closing
        self._is_encrypted = False
        self._input = bytearray()
        self._output: list[bytes] = []
        self._busy: asyncio.Task[None] | None = None  #: what the next command waits for
        self._is_unread = False  #: the client does not read its replies
        self._is_paused = False  #: nothing is read
        self._is_yielding = False  #: until the other connections have been read
        self._at_end = False  #: the client sends nothing more
        self._is_over = False  #: the last reply was written
        self._discarded = 0  #: bytes since it is closing
        self._commands = 0  #: before the login
        self._failed_logins = 0
        self._user: User | None = None
        self._data: MailData | None = None  #: the mail that is arriving
        self._recipients = Data(())
        self._ticket: Ticket | None = None
        self._refused: Reply | None = None  #: why the mail that is arriving will not be stored
        self._data_since = 0.0
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_counted = False
        self._address: Caller | None = None
        self._key: Caller | None = None

    # The connection -------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        plain = cast(asyncio.Transport, transport)
        self._transport = plain
        self._door.connections.add(self)
        peer: tuple[str, int] | None = plain.get_extra_info("peername")
        self._client = peer[0] if peer else ""
        if (refusal := self._admit()) is not None:
            if self._tls_first:
                plain.abort()  # there is nobody to encrypt the reason for
            else:
                self._close(replies.closing(refusal))
            return
        self._set_deadline(LOGIN_SECONDS)
        if not self._tls_first:
            self._greet()

    def _admit(self) -> Refusal | None:
        admission = self._door.admission
        if (refusal := admission.admit_connection()) is not None:
            return refusal
        self._is_counted = True
        admitted = admission.admit_address(counted_as(self._client))
        if isinstance(admitted, Refusal):
            return admitted
        self._address = admitted
        admission.strangers[self] = None
        return None

    def _greet(self) -> None:
        self._session = self._new_session()
        if self._door.is_stopping:
            self._close(Reply(421, "4.3.2", smtp.shutting_down()))
        else:
            self._say(Reply(220, "", smtp.greeting()))
            self._flush()

    def _new_session(self) -> Session:
        offered = self._door.tls is not None and not self._is_encrypted
        terms = Terms(
            most_bytes=self._door.most_bytes,
            tls_offered=offered,
            keys_taken=self._is_encrypted or is_loopback(self._client),
        )
        return Session(terms, self._begins_mail)

    def data_received(self, data: bytes) -> None:
        if self._session is None and self._tls_first and not self._is_encrypted and not self._is_over:
            if self._busy is None:
                self._begin_tls(data)
            return
        if self._session is None and not self._is_shaking:
            self._discarded += len(data)
            if self._discarded > _LINGER_BYTES:
                self.abort()
            return
        if self._data is not None and not self._input and self._busy is None and not self._is_unread:
            self._receive(data)
        else:
            self._input += data
        self._work()

    @property
    def _is_shaking(self) -> bool:
        """Whether a handshake is going on."""
        return self._session is None and self._busy is not None

    def eof_received(self) -> bool:
        self._at_end = True
        if self._busy is None or self._session is None:
            self._hang_up()
        return not self._is_encrypted

    def pause_writing(self) -> None:
        self._is_unread = True

    def resume_writing(self) -> None:
        self._is_unread = False
        self._work()

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.closed(self)
        self._session = None
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._busy is None:
            self._give_back_mail()
        self._data = None
        self._input.clear()
        admission = self._door.admission
        admission.strangers.pop(self, None)
        if self._is_counted:
            self._is_counted = False
            admission.release_connection()
        for caller in (self._address, self._key):
            if caller is not None:
                admission.release(caller)
        self._address = self._key = None

    def evict(self, refusal: Refusal) -> None:
        """Makes room for a newer connection."""
        self._close(replies.closing(refusal), linger=False)

    def drain(self) -> None:
        if self._busy is None:
            self._close(Reply(421, "4.3.2", smtp.shutting_down()), linger=False)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # Deadlines ------------------------------------------------------------------------------------------------------------

    def _set_deadline(self, seconds: float) -> None:
        self._deadline = self._loop.time() + seconds
        if self._timer is not None and self._timer.when() > self._deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._look)

    def _look(self) -> None:
        """One timer for a connection, which looks whether its deadline has moved."""
        self._timer = None
        if self._transport is None:
            return
        now = self._loop.time()
        if self._busy is not None and not self._is_shaking:
            self._set_deadline(IDLE_SECONDS)  # it waits for us
        elif self._deadline > now:
            self._timer = self._loop.call_at(self._deadline, self._look)
        elif self._session is None:
            self.abort()
        elif self._data is None:
            self._too_late()
        elif self._is_slow(now, self._data.received):
            self._close(replies.closing(self._door.admission.refuse(Limit.BODY_TIME)))
        else:
            self._set_deadline(TICK)

    def _too_late(self) -> None:
        if self._user is None:
            self._door.facts.refuse(Limit.HEAD_TIME.value)
            why = smtp.login_too_slow(LOGIN_SECONDS)
        else:
            why = smtp.idle_too_long(IDLE_SECONDS)
        self._close(Reply(421, "4.4.2", why), linger=False)

    def _is_slow(self, now: float, received: int) -> bool:
        limits = self._door.limits
        took = now - self._data_since
        return took > limits.body_seconds or received < limits.body_bytes_per_second * (
            took - limits.head_seconds
        )

    # Lines ----------------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """Takes lines, and the data of mails, until something must be waited for."""
        while self._session is not None and self._busy is None and not self._is_unread and self._input:
            if self._data is not None:
                data = bytes(self._input)
                self._input.clear()
                self._receive(data)
                continue
            end = self._input.find(b"\r\n")
            line = bytes(self._input if end < 0 else self._input[:end])
            if b"\n" in line or b"\r" in (line[:-1] if end < 0 else line):
                self._refuse_line_ending()
                break
            if len(line) > self._session.longest_line:
                self._close(Reply(500, "5.5.2", smtp.command_too_long(self._session.longest_line)))
                break
            if end < 0:
                break
            del self._input[: end + 2]
            self._take(self._session, line)
        self._flush()
        self._control_reading()
        if self._at_end and self._busy is None and self._transport is not None:
            self._hang_up()

    def _take(self, session: Session, line: bytes) -> None:
        self._deadline = self._loop.time() + IDLE_SECONDS if self._user else self._deadline
        if self._user is None:
            self._commands += 1
        step = session.take(line)
        if session.errors > MOST_ERRORS or self._commands > _MOST_BEFORE_LOGIN:
            self._close(Reply(421, "4.7.0", smtp.too_many_errors(MOST_ERRORS)))
            return
        self._do(session, step)

    def _do(self, session: Session, step: Step) -> None:
        match step:
            case Reply():
                self._say(step)
            case Data():
                self._begin_data(step)
            case Login():
                self._wait_for(self._log_in(session, step))
            case StartTls():
                self._start_tls()
            case Quit():
                self._say(Reply(221, "2.0.0", smtp.goodbye()))
                self._hang_up()

    def _refuse_line_ending(self) -> None:
        self._door.facts.refuse(Limit.MALFORMED.value)
        self._close(Reply(521, "5.5.2", smtp.bare_line_ending()))

    def _say(self, reply: Reply) -> None:
        self._output.append(reply.line())

    def _flush(self) -> None:
        if self._output and self._transport is not None and not self._is_over:
            self._transport.write(b"".join(self._output))
        self._output.clear()

    def _control_reading(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing() or self._is_shaking:
            return
        is_full = self._session is not None and len(self._input) > _MOST_BUFFERED
        pause = self._is_yielding or (is_full and (self._busy is not None or self._is_unread))
        if pause and not self._is_paused:
            transport.pause_reading()
        elif self._is_paused and not pause:
            transport.resume_reading()
        self._is_paused = pause

    def _hang_up(self) -> None:
        self._flush()
        self._is_over = True
        self._session = None
        if self._transport is not None:
            self._transport.close()

    def _close(self, reply: Reply, *, linger: bool = True) -> None:
        """The last reply. `linger`: the client may still be sending."""
        if not self._is_over:
            self._say(reply)
            self._flush()
        self._is_over = True
        self._session = None
        self._data = None
        self._input.clear()
        if self._busy is None:
            self._give_back_mail()
        if not linger:
            self._hang_up()
        elif self._transport is not None:
            with contextlib.suppress(OSError, RuntimeError, NotImplementedError):
                if self._transport.can_write_eof():
                    self._transport.write_eof()
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(_LINGER_SECONDS, self.abort)

    def _wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        self._busy = self._loop.create_task(work)
        self._busy.add_done_callback(self._waited)

    def _waited(self, task: asyncio.Task[None]) -> None:
        self._busy = None
        if not task.cancelled() and (problem := task.exception()) is not None:
            self._close(replies.of_error(problem))
        if self._transport is None:
            self._give_back_mail()
            return
        if self._door.is_stopping and self._session is not None:
            self._flush()
            self._close(Reply(421, "4.3.2", smtp.shutting_down()), linger=False)
        if self._session is not None:
            self._set_deadline(IDLE_SECONDS if self._user else LOGIN_SECONDS)
        self._work()

    # TLS ------------------------------------------------------------------------------------------------------------------

    def _start_tls(self) -> None:
        if self._input:
            # What was sent in clear text, maybe by somebody else, must not be taken as sent under TLS (CVE-2011-0411).
            self._close(Reply(501, "5.5.1", smtp.tls_injected()))
            return
        self._say(Reply(220, "2.0.0", smtp.tls_begins()))
        self._flush()
        self._begin_tls()

    def _begin_tls(self, received: bytes = b"") -> None:
        """`received`: what has come of the handshake."""
        transport = cast(asyncio.Transport, self._transport)
        transport.pause_reading()
        self._is_paused = False  # the encrypted transport begins to read by itself
        self._session = None
        self._user = None
        self._set_deadline(LOGIN_SECONDS)
        self._wait_for(self._shake_hands(transport))
        if received:
            # `start_tls` takes what comes from now on. What has come must reach its protocol first: in the first round of the
            # loop the task begins, in the second its protocol gets the connection, and then this.
            self._loop.call_soon(self._loop.call_soon, tls_start.hand_over, transport, received)

    async def _shake_hands(self, plain: asyncio.Transport) -> None:
        assert self._door.tls is not None
        try:
            encrypted = await self._loop.start_tls(
                plain,
                self,
                self._door.tls,
                server_side=True,
                ssl_handshake_timeout=self._door.limits.head_seconds,
            )
        except (OSError, EOFError):  # SSLError and TimeoutError are OSErrors
            plain.abort()
            self.connection_lost(None)  # the event loop tells it not in each of these cases
            return
        if encrypted is None or self._transport is None:
            plain.abort()
            self.connection_lost(None)
            return
        self._transport = encrypted
        self._is_encrypted = True
        if self._tls_first:
            self._greet()
        else:
            self._session = self._new_session()

    # Login ----------------------------------------------------------------------------------------------------------------

    async def _log_in(self, session: Session, step: Login) -> None:
        door, address = self._door, counted_as(self._client)
        try:
            user = login.user(step.user, step.password)
            if door.keys.known(user) is None and door.failed_logins.wait(address, time.monotonic()):
                self._say(Reply(454, "4.7.0", door.admission.refuse(Limit.FAILED_LOGINS).sentence))
                return
            principal = await door.keys.principal(user, self._client)
        except Later as problem:
            self._say(Reply(454, "4.7.0", str(problem)))
        except MailcordonError as problem:
            door.failed_logins.fail(address, time.monotonic())
            self._failed_logins += 1
            await asyncio.sleep(door.failure_seconds * self._failed_logins)
            reply = Reply(535, "5.7.8", str(problem))
            if self._failed_logins >= _MOST_FAILED_LOGINS:
                self._close(reply)
            else:
                self._say(reply)
        else:
            door.failed_logins.succeed(address)
            if (refusal := self._use_key(principal)) is not None:
                self._close(replies.closing(refusal))
            elif self._transport is not None:
                self._user = user
                self._say(session.logged_in())

    def _use_key(self, principal: Principal) -> Refusal | None:
        admitted = self._door.admission.admit_key(principal.key_id)
        if isinstance(admitted, Refusal):
            return admitted
        if self._key is not None:  # it had logged in before STARTTLS
            self._door.admission.release(self._key)
            self._key = None
        if self._transport is None:
            self._door.admission.release(admitted)
        else:
            self._key = admitted
            self._door.admission.strangers.pop(self, None)
        return None

    # A mail ---------------------------------------------------------------------------------------------------------------

    def _begins_mail(self) -> Reply | None:
        """A mail that would be refused for the rate when it has been read is not read."""
        user = self._user
        principal = None if user is None else self._door.keys.known(user)
        if user is None or principal is None:
            return None  # it is looked up when the mail is there
        try:
            self._door.buckets.require_room(
                principal.key_id,
                principal.prefix,
                principal.limits,
                user.tenant,
                time.monotonic(),
                platform=principal.tenant_slug is None,
            )
        except TooMuch as problem:
            return replies.of_error(problem)
        return None

    def _begin_data(self, data: Data) -> None:
        assert self._key is not None
        if (refusal := self._door.admission.admit(self._key, 0)) is not None:
            self._say(replies.of_refusal(refusal))
            return
        self._ticket = Ticket(self._door.admission, self._key, 0)
        self._recipients = data
        self._refused = None
        self._data = MailData(self._door.most_bytes)
        self._data_since = self._loop.time()
        self._set_deadline(TICK)
        self._say(Reply(354, "", smtp.begin_data()))

    def _receive(self, data: bytes) -> None:
        mail = cast(MailData, self._data)
        before = mail.received
        try:
            rest = mail.add(data)
        except BareLineEnding:
            self._refuse_line_ending()
            return
        if self._refused is None and (refused := self._grow(mail, before)) is not None:
            self._refused = refused
            self._give_back_mail()
        if self._refused is not None:
            mail.drop()
            if mail.received > _MOST_REFUSED * self._door.most_bytes:
                self._close(self._refused)
                return
        if rest is None:
            if len(data) >= _LARGE_READ:
                self._let_others_read()
            return
        self._data = None
        self._input[:0] = rest
        self._end_data(mail)

    def _grow(self, mail: MailData, before: int) -> Reply | None:
        if mail.too_large:
            return replies.of_refusal(self._door.admission.refuse_body(self._door.most_bytes))._replace(
                text=smtp.too_large(self._door.most_bytes)
            )
        if before <= SMALL_BODY < mail.received and (refused := self._begins_mail()) is not None:
            return refused
        refusal = cast(Ticket, self._ticket).grow(mail.received - before, mail.received)
        return None if refusal is None else replies.of_refusal(refusal)

    def _let_others_read(self) -> None:
        """The event loop alone would read one connection many times in a row."""
        self._is_yielding = True
        self._loop.call_soon(self._read_again)

    def _read_again(self) -> None:
        self._is_yielding = False
        self._control_reading()

    def _end_data(self, mail: MailData) -> None:
        session, user = self._session, self._user
        if session is None or user is None:
            return
        session.reset()
        if self._refused is not None:
            self._say(self._refused)
            self._set_deadline(IDLE_SECONDS)
            return
        arrived = Mail(
            user=user,
            recipients=self._recipients.recipients,
            pieces=mail.pieces,
            size=mail.received,
            client=self._client,
        )
        self._wait_for(self._submit(arrived))

    async def _submit(self, mail: Mail) -> None:
        try:
            reply = await self._door.submitter.submit(mail)
        except Exception as problem:
            reply = replies.of_error(problem)
        mail.pieces.clear()
        self._give_back_mail()
        self._say(reply)

    def _give_back_mail(self) -> None:
        ticket, self._ticket = self._ticket, None
        if ticket is not None:
            ticket.release()


def factory(door: SmtpDoor, *, tls_first: bool) -> Callable[[], asyncio.Protocol]:
    return functools.partial(Connection, door, tls_first=tls_first)


def is_loopback(client: str) -> bool:
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
