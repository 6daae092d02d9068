"""A local SES for tests that need no event loop of their own: `serving` runs one in a thread, `SesLocal` is what a test sees of
it. The pytest plugin hands it out as the fixture `seslocal`; with unittest or another runner use `serving` directly.

Nothing here waits for time to pass: the clock stands still, and every call first lets happen what is due. So a test that sends
and then asserts the consequence sees it."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar
from urllib.parse import quote, urlencode

from seslocal import messages
from seslocal.wire.smtp_password import smtp_password

if TYPE_CHECKING:
    from seslocal.clock import Clock
    from seslocal.server import Local
    from seslocal.smtp.door import Door
    from seslocal.state.settings import Settings

_T = TypeVar("_T")
_PATIENCE = 30.0  # seconds for any call of the server
_PAGE = 1000  # entries that one call returns at most


SentMail = TypedDict(
    "SentMail",
    {
        "message_id": str,
        "at": float,  #: seconds since the epoch, on seslocal's clock
        "tenant": str | None,
        "configuration_set": str | None,
        "recipients": list[str],
        "from": str,
        "subject": str | None,
        "tags": dict[str, list[str]],
        "headers": list[dict[str, str]],
        "size": int,
        "fates": dict[str, dict[str, Any]],  #: by recipient: what the mailbox does
    },
)


@dataclass(frozen=True, slots=True)
class SmtpDoor:
    """Where mail is taken by SMTP, and what a client needs for it: `smtplib.SMTP(host, port)`, `starttls(context=tls())`,
    `login(user, password)`."""

    host: str
    port: int
    user: str
    password: str
    certificate: str  #: PEM; a client that trusts it can check the server
    needs_tls: bool  #: AUTH and mail are refused before STARTTLS, as at SES

    def tls(self) -> ssl.SSLContext:
        """Returns a context for `starttls` that trusts this server alone."""
        return ssl.create_default_context(cadata=self.certificate)


class MailWithContent(SentMail):
    """`content` is what the call said: `Simple`, `Raw` or `Template`; None: dropped to save memory."""

    content: dict[str, Any] | None


class SesLocal:
    """The value of the fixture `seslocal`. `url` is the endpoint for any client of SES, SQS or SNS. Methods raise AssertionError
    with a sentence if the server refuses what they ask."""

    def __init__(self, local: Local, open_smtp: Callable[[], Door] | None = None) -> None:
        self._open_smtp = open_smtp
        self.url = local.url
        self.region = local.account.region
        self.account_id = local.account.id
        self.token = local.token  #: that the admin API requires; None by default
        self.dns_port = local.names.port if local.names is not None else None
        self._clients: list[Any] = []

    def client(self, service: str, **more: Any) -> Any:
        """Returns a boto3 client of `sesv2`, `ses`, `sqs`, `sns` or `cloudwatch`, which is closed when the test ends. `more` goes
        to boto3. Raises ModuleNotFoundError without boto3."""
        try:
            import boto3
        except ModuleNotFoundError as error:
            if error.name != "boto3":
                raise
            raise ModuleNotFoundError(messages.boto3_is_not_installed(), name="boto3") from None
        session = boto3.Session("test", "test", region_name=self.region)
        make: Callable[..., Any] = session.client  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        client = make(service, endpoint_url=self.url, **more)
        self._clients.append(client)
        return client

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which boto3, the AWS CLI and most SDKs call this server without being told an endpoint."""
        names = ("SESV2", "SES", "SQS", "SNS", "CLOUDWATCH")
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            **{f"AWS_ENDPOINT_URL_{name}": self.url for name in names},
        }

    @property
    def smtp(self) -> SmtpDoor:
        """The SMTP door, and the credentials of the key `test`. It opens when this is first read, or at the start with
        `Settings(smtp_port=...)`. Raises ModuleNotFoundError without aiosmtpd."""
        from seslocal.server import SmtpNotInstalled

        if self._open_smtp is not None:
            try:
                self._open_smtp()
            except SmtpNotInstalled as error:
                raise ModuleNotFoundError(str(error), name="aiosmtpd") from None
        shown = self.admin("GET", "/smtp")
        return SmtpDoor(
            host=shown["host"],
            port=shown["port"],
            user="test",
            password=smtp_password("test", self.region),
            certificate=shown["certificate"],
            needs_tls=shown["needs_tls"],
        )

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """Calls the admin API at a path below `/_seslocal` and returns its JSON."""
        return json.loads(self._call(method, path, body))

    # what was sent and what happened

    def sent(
        self,
        *,
        recipient: str | None = None,
        tenant: str | None = None,
        configuration_set: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> list[SentMail]:
        """Returns the accepted mails that fit, oldest first."""
        asked = _given(recipient=recipient, tenant=tenant, configuration_set=configuration_set)
        asked |= {f"tag.{name}": value for name, value in (tags or {}).items()}
        found: list[SentMail] = []
        while True:
            page = self.admin("GET", "/sent?" + urlencode({"limit": _PAGE, **asked}))
            found += page["sent"]
            if page["next"] is None:
                return found
            asked["after"] = page["next"]

    def mail(self, message_id: str) -> MailWithContent:
        """Returns one accepted mail with its content."""
        return self.admin("GET", f"/sent/{quote(message_id, safe='')}")

    def eml(self, message_id: str) -> bytes:
        """Returns one accepted mail as an RFC 822 message, for `email.message_from_bytes`."""
        return self._call("GET", f"/sent/{quote(message_id, safe='')}/eml")

    def events(
        self,
        type: str | None = None,
        recipient: str | None = None,
        *,
        message_id: str | None = None,
        tenant: str | None = None,
        configuration_set: str | None = None,
    ) -> list[dict[str, Any]]:
        """Returns the newest thousand events that fit, oldest first, as the documents that SES publishes: `eventType`, `mail`,
        `bounce`, ... An event is here whether or not a configuration set publishes it. `type` is an eventType such as `Bounce`,
        `recipient` an address that the event is about."""
        asked = _given(
            type=type,
            recipient=recipient,
            message_id=message_id,
            tenant=tenant,
            configuration_set=configuration_set,
        )
        return self.admin("GET", "/events?" + urlencode({"limit": _PAGE, **asked}))["events"]

    # waiting

    def settle(self, seconds: float = 10.0) -> None:
        """A barrier. When it returns, everything that is due has happened: events are published, SQS messages can be received,
        bounces are on the suppression lists, and each HTTP endpoint of SNS or Firehose was sent its messages and has answered.
        Raises AssertionError if an endpoint has not answered after `seconds`, naming it."""
        self.admin("POST", "/settle", {"seconds": seconds})

    def wait_for(self, condition: Callable[[], _T], seconds: float = 5.0) -> _T:
        """Settles and calls `condition` until it returns something true, and returns that. It is for consequences in the
        tester's own process, such as a row that a worker thread writes when it has received an event. An AssertionError in
        `condition` counts as not yet. Raises AssertionError after `seconds` of real time, saying what was seen instead."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            self.settle(max(left, 0.1))
            try:
                found = condition()
                seen = f"{_name(condition)} returned {found!r:.500}"
            except AssertionError as error:
                found, seen = None, f"{_name(condition)} said: {str(error) or 'assertion failed':.500}"
            if found:
                return found
            if time.monotonic() >= end:
                raise AssertionError(messages.waited_in_vain(seconds, seen, self._summary()))
            time.sleep(0.01)

    # what happens

    def mailbox(self, address: str, fate: str, **more: object) -> None:
        """Sets a mailbox's fate: delivers, bounces, complains or defers. `more` as in PUT /_seslocal/mailboxes/{address}:
        `subtype`, `then`, `seconds`, `tenant`, ..."""
        self.admin("PUT", f"/mailboxes/{quote(address, safe='@*')}", {"fate": fate, **more})

    def fault(self, kind: str, **more: object) -> str:
        """Adds a fault. Returns its id."""
        return self.admin("POST", "/faults", {"fault": kind, **more})["id"]

    def world(self, **settings: object) -> None:
        """Puts a world behind this local SES: mailbox providers with opinions, and people. Settings as in PUT /_seslocal/world:
        `world(seed=7, lists=[{"name": "spring", "quality": "bought"}])`."""
        self.admin("PUT", "/world", settings)

    def advance(self, seconds: float) -> None:
        """Moves the clock forward, and returns when it is there."""
        shown = self.admin("PUT", "/clock", {"advance": seconds, "wait": False})
        while "moving" in shown:
            shown = self.admin("GET", "/clock?wait=20")

    def close(self) -> None:
        """Closes the clients that `client` made."""
        for client in self._clients:
            client.close()

    def _call(self, method: str, path: str, body: object = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(f"{self.url}/_seslocal{path}", data, headers, method=method)  # noqa: S310
        try:
            with _direct.open(request, timeout=_PATIENCE + 60) as response:
                return response.read()
        except urllib.error.HTTPError as error:
            with error:
                sentence = json.loads(error.read()).get("error", error.reason)
            raise AssertionError(f"seslocal: {sentence}") from None

    def _summary(self) -> str:
        mails, events = self.admin("GET", "/sent?limit=5&order=newest"), self.admin("GET", "/events?limit=10")
        settled = self.admin("POST", "/settle", {"seconds": 0.1})
        return messages.seen_instead(
            mails["total"],
            [f"{', '.join(mail['recipients'])} ({mail['subject']})" for mail in mails["sent"]],
            [
                f"{event['eventType']} of {', '.join(event['mail']['destination'])}"
                for event in events["events"]
            ],
            [f"{name} {ready} ready, {hidden} hidden" for name, ready, hidden in self._queues()],
            settled["outbox"],
        )

    def _queues(self) -> list[tuple[str, int, int]]:
        shown = self.admin("GET", "/queues")["queues"]
        return [(queue["name"], queue["ready"], queue["hidden"]) for queue in shown]


@contextmanager
def serving(settings: Settings | None = None, clock: Clock | None = None) -> Generator[Server]:
    """Runs a local SES in a thread. By default its clock stands still, and events follow without a delay."""
    server = Server(settings, clock)
    try:
        yield server
    finally:
        server.stop()


class Server:
    """A server that runs on an event loop in a thread, so that blocking tests can call it."""

    def __init__(self, settings: Settings | None = None, clock: Clock | None = None) -> None:
        from seslocal.clock import Clock
        from seslocal.server import start
        from seslocal.state.settings import Settings

        chosen, clock = settings or Settings(), clock or Clock(speed=0)
        if clock.frozen and chosen.event_delay == Settings().event_delay:
            chosen = replace(chosen, event_delay=0.0)  # on a clock that stands still a delay would never pass
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="seslocal", daemon=True)
        self._thread.start()
        try:
            self._local = self._run(start(settings=chosen, clock=clock))
        except BaseException:
            self._stop_loop()
            raise

    @property
    def seslocal(self) -> SesLocal:
        """A view of the server for one test; close it when the test ends."""
        return SesLocal(self._local, lambda: self._run(self._local.open_smtp()))

    def reset(self) -> None:
        """Empties it; faults, mailboxes and the clock are as at the start."""

        async def reset() -> None:
            self._local.reset()

        self._run(reset())

    def stop(self) -> None:
        self._run(self._local.close())
        self._stop_loop()

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)


#: ignores HTTP_PROXY, which is not meant for a server on this machine
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _given(**filters: str | None) -> dict[str, str]:
    return {name: value for name, value in filters.items() if value is not None}


def _name(condition: Callable[[], object]) -> str:
    name = getattr(condition, "__qualname__", repr(condition))
    return "the condition" if name.endswith("<lambda>") else name.rpartition(".")[2]
