"""The parts of `./dev bench seslocal`: what each part of a mail's way through the local SES costs, in CPU of one process.

It runs the server's own code in this process, without sockets: the bytes of requests go in, and a transport that drops what it
is given takes the responses. So the difference to the CPU of a real server is what its event loop and sockets cost. It reads
from standard input how many mails to send, and writes one line of JSON: CPU microseconds a mail, by part.

The other side of a comparison runs this too, with its own seslocal. So it only uses what was there before: classes and
functions that other modules of seslocal use.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import uvloop

from bench import seslocal_load as load
from seslocal import authentication
from seslocal.admin.api import Admin
from seslocal.admission import Admission
from seslocal.clock import Clock
from seslocal.front import Front
from seslocal.sesv2.table import IMPLEMENTED
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.settings import Settings
from seslocal.web import Web
from seslocal.wire import signature
from seslocal.wire.model import read_input, ses_routes
from seslocal.wire.protocol import Connection, Connections, Limits, Request, Response

_BATCH = 100  #: mails that are sent before their events happen and are consumed
_HOST = "127.0.0.1"

HTTP, SIGNATURE, INPUT, CALL = "HTTP", "signature", "input check", "rest of the call"
EVENTS, QUEUE = "two events", "SQS"
PARTS: list[str] = [HTTP, SIGNATURE, INPUT, CALL, EVENTS, QUEUE]
SOCKETS = "event loop, sockets"  #: what the parts leave of a server's CPU


class _Sink(asyncio.Transport):
    """Drops what a connection writes."""

    def __init__(self) -> None:
        super().__init__({"peername": (_HOST, 1)})

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        pass

    def is_closing(self) -> bool:
        return False


class Server:
    """An account with its front, and a connection whose requests and responses do not reach the front."""

    def __init__(self) -> None:
        self.account = Account(Settings(account_id=load.ACCOUNT, rate=1e6, quota=-1, ledger=2000), Clock())
        admission = Admission((_HOST,))
        admin = Admin(lambda: self.account, lambda: None, lambda most: 0)
        self._front = Front(
            lambda: self.account, admission, admin, Web(lambda: self.account, admission, _HOST), _HOST
        )
        self._operations = ses_routes()
        self._requests: list[Request] = []
        self._responses: Iterator[Response] = iter(())
        self._connection = Connection(
            self._parsed,
            Connections(Limits()),
            lambda _, __: None,
            lambda: authentication.date_line(self.account),
        )
        self._connection.connection_made(_Sink())
        for operation, params in load.set_up_calls():
            IMPLEMENTED[operation](self.account, params, Caller("test", load.REGION, _HOST, _HOST, "test"))

    def transfer(self, requests: list[bytes], responses: list[Response]) -> list[Request]:
        """Parses the requests and writes a response to each."""
        self._requests, self._responses = [], iter(responses)
        for request in requests:
            self._connection.data_received(request)
        return self._requests

    def check_signatures(self, requests: list[Request]) -> None:
        for request in requests:
            authentication.caller(self.account, request, signature.SES, _HOST)

    def check_input(self, requests: list[Request]) -> None:
        for request in requests:
            operation = self._operations.find(request.method, request.path)
            assert operation is not None
            read_input(operation, request.path, request.query, request.body)

    def answer(self, requests: list[Request]) -> list[Response]:
        responses: list[Response] = []
        for request in requests:
            response = self._front(request)
            if not isinstance(response, Response) or response.status != 200:
                raise load.Void(f"a call was not answered at once with 200: {response}")
            responses.append(response)
        return responses

    def _parsed(self, request: Request) -> Response:
        self._requests.append(request)
        return next(self._responses)


class Stopwatch:
    """CPU seconds of this process, by part."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = dict.fromkeys(PARTS, 0.0)

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        began = time.process_time()
        yield
        self.spent[part] += time.process_time() - began


def measure(server: Server, requests: load.Requests, first: int, count: int) -> dict[str, float]:
    """CPU microseconds of each part for each of about `count` mails, whose numbers begin at `first`."""
    watch = Stopwatch()
    batches = range(first, first + count, _BATCH)
    for start in batches:
        raw = [requests.send(number) for number in range(start, start + _BATCH)]
        with watch.on(HTTP):
            calls = server.transfer(
                raw, [Response(200, b"{}", headers=(("x-amzn-RequestId", "0" * 36),))] * _BATCH
            )
        with watch.on(SIGNATURE):
            server.check_signatures(calls)
        with watch.on(INPUT):
            server.check_input(calls)
        with watch.on(CALL):
            server.answer(calls)
        with watch.on(EVENTS):
            server.account.clock.advance(1.0)
        _consume(server, requests, watch)
    spent = watch.spent
    spent[CALL] -= spent[SIGNATURE] + spent[INPUT]  # the front did both once more
    return {part: seconds / (len(batches) * _BATCH) * 1e6 for part, seconds in spent.items()}


def _consume(server: Server, requests: load.Requests, watch: Stopwatch) -> None:
    """Receives and deletes both events of a batch of mails, ten at a time."""
    handles: list[str] = []
    for _ in range(2 * _BATCH // load.MOST_RECEIVED):
        received = _ask(server, requests.receive(), watch)
        handles = [one.ReceiptHandle for one in load.read_received(received.body).Messages]
        if len(handles) != load.MOST_RECEIVED:
            raise load.Void(f"{len(handles)} events were received, and {load.MOST_RECEIVED} were expected")
        _ask(server, requests.delete(handles), watch)


def _ask(server: Server, raw: bytes, watch: Stopwatch) -> Response:
    with watch.on(HTTP):
        calls = server.transfer([raw], [Response(200)])
    with watch.on(QUEUE):
        [response] = server.answer(calls)
    return response


async def _serve() -> None:
    """The event loop is needed, because the account's clock sets timers; nothing runs on it."""
    server, requests, sent = Server(), load.Requests(_HOST, 80), 0
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)  # as in the server
    while order := sys.stdin.readline():
        print(json.dumps(measure(server, requests, sent, int(order))), flush=True)
        sent += int(order)


if __name__ == "__main__":
    uvloop.run(_serve())
