"""The pytest plugin: the fixture `seslocal` is an empty local SES for one test. The server runs in a thread for the whole run
and is reset between tests, which is cheap. Override `seslocal_settings` in a conftest to change its settings. Nothing is imported
or started before a test uses the fixture."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import pytest

if TYPE_CHECKING:
    from seslocal.server import Local
    from seslocal.state.settings import Settings

_T = TypeVar("_T")
_PATIENCE = 30.0  # seconds for any call of the server


class SesLocal:
    """The fixture's value. `url` is the endpoint for any client of SES, SQS or SNS."""

    def __init__(self, local: Local) -> None:
        self.url = local.url
        self.region = local.account.region
        self.account_id = local.account.id
        self.token = local.token  #: that the admin API requires; None by default
        self.dns_port = local.names.port if local.names is not None else None
        self._clients: list[Any] = []

    def client(self, service: str, **more: Any) -> Any:
        """Returns a boto3 client of `sesv2`, `sqs` or `sns`; it is closed when the test ends."""
        import boto3

        session = boto3.Session("test", "test", region_name=self.region)
        make: Callable[..., Any] = session.client  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        client = make(service, endpoint_url=self.url, **more)
        self._clients.append(client)
        return client

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """Calls the admin API at a path below `/_seslocal`. Raises AssertionError with the message if it fails."""
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(f"{self.url}/_seslocal{path}", data, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as response:  # noqa: S310
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                sentence = json.loads(error.read()).get("error", error.reason)
            raise AssertionError(f"seslocal: {sentence}") from None

    def sent(self, **filters: str) -> list[dict[str, Any]]:
        """Returns the newest thousand accepted mails, oldest first. Filters as in `GET /_seslocal/sent`."""
        found = self.admin("GET", "/sent?" + urlencode({"limit": "1000", "order": "newest", **filters}))[
            "sent"
        ]
        return found[::-1]

    def mail(self, message_id: str) -> dict[str, Any]:
        """Returns one accepted mail with its content."""
        return self.admin("GET", f"/sent/{message_id}")

    def mailbox(self, address: str, fate: str, **more: object) -> None:
        """Sets a mailbox's fate: delivers, bounces, complains or defers."""
        self.admin("PUT", f"/mailboxes/{address}", {"fate": fate, **more})

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
        for client in self._clients:
            client.close()


class _Thread:
    """Runs the server on an event loop in a thread, so that blocking tests can call it."""

    def __init__(self, settings: Settings) -> None:
        from seslocal.server import start

        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="seslocal", daemon=True)
        self._thread.start()
        self.local = self._run(start(settings=settings))

    def reset(self) -> None:
        async def reset() -> None:
            self.local.reset()

        self._run(reset())

    def stop(self) -> None:
        self._run(self.local.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)


@pytest.fixture(scope="session")
def seslocal_settings() -> Settings:
    """The server's settings. Override this fixture to change them."""
    from seslocal.state.settings import Settings

    return Settings()


@pytest.fixture(scope="session")
def _seslocal_server(seslocal_settings: Settings) -> Iterator[_Thread]:  # pyright: ignore[reportUnusedFunction]
    server = _Thread(seslocal_settings)
    yield server
    server.stop()


@pytest.fixture
def seslocal(_seslocal_server: _Thread) -> Iterator[SesLocal]:
    """An empty local SES."""
    _seslocal_server.reset()
    found = SesLocal(_seslocal_server.local)
    yield found
    found.close()
