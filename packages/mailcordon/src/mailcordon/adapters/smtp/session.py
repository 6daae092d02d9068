"""The commands of one connection, and where it is in its dialogue: greeted, logged in, a sender, recipients. Pure.

Each command line gives a reply, or a step for the connection to take. RFC 5321, 6409 (submission), 4954 (AUTH), 3207 (STARTTLS).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from mailcordon.adapters.smtp import commands
from mailcordon.adapters.smtp.replies import Reply
from mailcordon.core import address
from mailcordon.core.address import Address
from mailcordon.core.ids import MAX_RECIPIENTS
from mailcordon.messages import smtp


class Data(NamedTuple):
    """The data of a mail follows."""

    recipients: tuple[Address, ...]


class StartTls(NamedTuple):
    """TLS begins, after the reply."""


class Quit(NamedTuple):
    """The connection ends, after the reply."""


class Login(NamedTuple):
    """User name and password are to be checked. `Session.logged_in` is called if they are good."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.user!r}, ...)"


Step = Reply | Data | StartTls | Quit | Login

_OK = Reply(250, "2.0.0", smtp.ok())
_SENDER_OK = Reply(250, "2.1.0", smtp.ok())
_RECIPIENT_OK = Reply(250, "2.1.5", smtp.ok())
_OF_OTHER_EXTENSIONS = frozenset({"BDAT", "BURL", "ETRN", "EXPN", "TURN", "SEND", "SOML", "SAML"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the connection offers."""

    most_bytes: int  #: of a mail
    tls_offered: bool = False  #: STARTTLS
    keys_taken: bool = True  #: false: there is no TLS, and the client is another machine


class Session:
    """`begins` is called for each MAIL of a client that is logged in; a reply that it returns refuses it."""

    def __init__(self, terms: Terms, begins: Callable[[], Reply | None]) -> None:
        self._terms = terms
        self._begins = begins
        self._is_greeted = False
        self.is_logged_in = False
        self.errors = 0  #: commands that failed
        self._has_sender = False
        self._recipients: dict[str, Address] = {}
        self._refused = 0  #: recipients
        self._answer: Callable[[str], Step] | None = None  #: takes the next line: the answer to a challenge

    @property
    def longest_line(self) -> int:
        return commands.LONGEST_COMMAND if self._answer is None else commands.LONGEST_AUTH

    def logged_in(self) -> Reply:
        self.is_logged_in = True
        return Reply(235, "2.7.0", smtp.login_done())

    def reset(self) -> None:
        """Forgets the message that was begun, or is finished."""
        self._has_sender = False
        self._recipients = {}
        self._refused = 0

    def take(self, line: bytes) -> Step:
        """The step for one line, without its CR LF."""
        try:
            text = line.decode("ascii")
        except UnicodeDecodeError:
            self._answer = None
            return self._failed(Reply(500, "5.6.7", smtp.command_not_ascii()))
        if self._answer is not None:
            answer, self._answer = self._answer, None
            if text == "*":
                return self._failed(Reply(501, "5.7.0", smtp.login_cancelled()))
            step = answer(text)
        else:
            verb, _, argument = text.partition(" ")
            step = self._command(verb.upper(), argument.strip())
        return self._failed(step) if isinstance(step, Reply) and step.code >= 500 else step

    def _failed(self, reply: Reply) -> Reply:
        self.errors += 1
        return reply

    def _command(self, verb: str, argument: str) -> Step:
        match verb:
            case "MAIL":
                return self._mail(argument)
            case "RCPT":
                return self._rcpt(argument)
            case "DATA":
                return self._data(argument)
            case "EHLO":
                return self._greet(argument, extended=True)
            case "HELO":
                return self._greet(argument, extended=False)
            case "AUTH":
                return self._auth(argument)
            case "STARTTLS":
                return self._starttls(argument)
            case "RSET":
                self.reset()
                return _OK
            case "NOOP":
                return _OK
            case "QUIT":
                return Quit()
            case "VRFY":
                return Reply(252, "2.5.2", smtp.cannot_verify())
            case "HELP":
                return Reply(214, "2.0.0", "EHLO STARTTLS AUTH MAIL RCPT DATA RSET NOOP QUIT")
            case _ if verb in _OF_OTHER_EXTENSIONS:
                return Reply(502, "5.5.1", smtp.command_unknown(verb))
            case _:
                return Reply(500, "5.5.1", smtp.command_unknown(ascii(verb[:32])[1:-1]))

    # Greeting, TLS and login ----------------------------------------------------------------------------------------------

    def _greet(self, name: str, *, extended: bool) -> Reply:
        if not name:
            return Reply(501, "5.5.4", smtp.bad_syntax("EHLO name" if extended else "HELO name"))
        self._is_greeted = True
        self.reset()
        return Reply(250, "", "mailcordon", self._extensions() if extended else ())

    def _extensions(self) -> tuple[str, ...]:
        return (
            f"SIZE {self._terms.most_bytes}",
            "PIPELINING",
            "8BITMIME",
            "ENHANCEDSTATUSCODES",
            *(("STARTTLS",) if self._terms.tls_offered else ()),
            *(("AUTH PLAIN LOGIN",) if self._terms.keys_taken else ()),
        )

    def _starttls(self, argument: str) -> Step:
        if argument:
            return Reply(501, "5.5.4", smtp.bad_syntax("STARTTLS"))
        return StartTls() if self._terms.tls_offered else Reply(502, "5.5.1", smtp.tls_not_offered())

    def _auth(self, argument: str) -> Step:
        if not self._is_greeted:
            return Reply(503, "5.5.1", smtp.command_first("EHLO"))
        if self.is_logged_in:
            return Reply(503, "5.5.1", smtp.logged_in_already())
        if not self._terms.keys_taken:
            return Reply(538, "5.7.11", smtp.tls_needed(offered=self._terms.tls_offered))
        mechanism, _, initial = argument.partition(" ")
        match mechanism.upper():
            case "PLAIN":
                return self._plain(initial) if initial else self._ask("", self._plain)
            case "LOGIN":
                return self._user(initial) if initial else self._ask("VXNlcm5hbWU6", self._user)
            case _:
                return Reply(504, "5.5.4", smtp.mechanism_unknown())

    def _ask(self, challenge: str, answer: Callable[[str], Step]) -> Reply:
        self._answer = answer
        return Reply(334, "", challenge)

    def _plain(self, answer: str) -> Step:
        found = commands.plain(answer)
        return Reply(501, "5.5.2", smtp.login_malformed()) if found is None else Login(*found)

    def _user(self, answer: str) -> Step:
        user = commands.decoded(answer)
        if user is None:
            return Reply(501, "5.5.2", smtp.login_malformed())

        def password(answer: str) -> Step:
            text = commands.decoded(answer)
            return Reply(501, "5.5.2", smtp.login_malformed()) if text is None else Login(user, text)

        return self._ask("UGFzc3dvcmQ6", password)

    # A message ------------------------------------------------------------------------------------------------------------

    def _mail(self, argument: str) -> Reply:
        if not self._is_greeted:
            return Reply(503, "5.5.1", smtp.command_first("EHLO"))
        if not self.is_logged_in:
            if not self._terms.keys_taken:
                return Reply(530, "5.7.0", smtp.tls_needed(offered=self._terms.tls_offered))
            return Reply(530, "5.7.0", smtp.login_needed())
        if self._has_sender:
            return Reply(503, "5.5.1", smtp.transaction_open())
        path = commands.path("FROM", argument)
        if path is None or not (path.parameters.get("SIZE") or "0").isdigit():
            return Reply(501, "5.5.4", smtp.bad_syntax("MAIL FROM:<address>"))
        for name, value in path.parameters.items():
            if name == "SMTPUTF8":
                return Reply(555, "5.6.7", smtp.utf8_not_offered())
            # AUTH names who wrote the mail, for servers that trust each other (RFC 4954 section 5).
            if name not in ("SIZE", "BODY", "AUTH") or (
                name == "BODY" and value.upper() not in ("7BIT", "8BITMIME")
            ):
                return Reply(555, "5.5.4", smtp.parameter_unknown(name))
        if not path.address:
            return Reply(550, "5.7.1", smtp.null_sender())
        if int((path.parameters.get("SIZE") or "0")[:15]) > self._terms.most_bytes:
            return Reply(552, "5.3.4", smtp.too_large(self._terms.most_bytes))
        try:
            address.parse(path.address)
        except ValueError as problem:
            return Reply(553, "5.1.7", str(problem))
        if (refused := self._begins()) is not None:
            return refused
        self._has_sender = True
        return _SENDER_OK

    def _rcpt(self, argument: str) -> Reply:
        if not self._has_sender:
            return Reply(503, "5.5.1", smtp.command_first("MAIL"))
        path = commands.path("TO", argument)
        if path is None or not path.address:
            return self._refuse(Reply(501, "5.5.4", smtp.bad_syntax("RCPT TO:<address>")))
        if path.parameters:
            return self._refuse(Reply(555, "5.5.4", smtp.parameter_unknown(next(iter(path.parameters)))))
        try:
            recipient = address.parse(path.address)
        except ValueError as problem:
            return self._refuse(Reply(553, "5.1.3", str(problem)))
        key = str(recipient).lower()
        if len(self._recipients) >= MAX_RECIPIENTS and key not in self._recipients:
            return self._refuse(Reply(452, "4.5.3", smtp.too_many_recipients(MAX_RECIPIENTS)))
        self._recipients.setdefault(key, recipient)
        return _RECIPIENT_OK

    def _refuse(self, reply: Reply) -> Reply:
        self._refused += 1
        return reply

    def _data(self, argument: str) -> Step:
        if argument:
            return Reply(501, "5.5.4", smtp.bad_syntax("DATA"))
        if not self._recipients:
            if self._refused:
                return Reply(554, "5.5.1", smtp.no_recipients())
            return Reply(503, "5.5.1", smtp.command_first("RCPT" if self._has_sender else "MAIL"))
        return Data(tuple(self._recipients.values()))
