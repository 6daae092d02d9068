"""`./dev bench doors`: what a mail costs at each door, beside the REST door, in one run.

The same mail, with a text and an HTML part, is handed in through each door over connections that stay open, one mail at a time on
each. Its lane is held, so that nothing is sent: the figures are the CPU of the door's process and of all of PostgreSQL, for each
mail, until it is stored durably. The load generator is not counted. Rounds take the doors in turn; the ratio is the median of the
rounds' ratios to REST.
"""

import argparse
import asyncio
import base64
import json
import statistics
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, cast

from bench import checkout, command, load, mail, seed, system
from bench.load import BadAnswer
from bench.system import Failed, System
from mailcordon.adapters.ses.signer import Credentials, Signer

TENANT, TYPE = "acme", "receipt"
TARGETS = {"SES": 1.3, "SMTP": 2.0}  #: the largest ratios to REST that are a pass
ATTACHMENT = 1024 * 1024  #: bytes
_SES_PATH = "/v2/email/outbound-emails"
#: The rates of a tenant are no part of what is measured.
_SETTINGS = {"MAILCORDON_SMTP": "on"} | {
    f"MAILCORDON_{owner}_{what}_PER_SECOND": "1000000000"
    for owner in ("KEY", "TENANT")
    for what in ("MESSAGES", "BYTES")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    mails: int  #: of each door in a round
    large: int  #: with an attachment
    connections: int
    rounds: int
    json: bool


@dataclass(frozen=True, slots=True)
class Keys:
    key: str
    access: Credentials


@dataclass(slots=True)
class Result:
    """Milliseconds of CPU a mail, of the door's process and of PostgreSQL, by size, door and round."""

    options: Options
    engine: str
    costs: dict[str, dict[str, list[tuple[float, float]]]] = field(
        default_factory=dict[str, dict[str, list[tuple[float, float]]]]
    )

    def add(self, size: str, door: str, process: float, postgres: float) -> None:
        self.costs.setdefault(size, {}).setdefault(door, []).append((process, postgres))

    def cost(self, size: str, door: str) -> tuple[float, float]:
        process, postgres = zip(*self.costs[size][door], strict=True)
        return statistics.median(process), statistics.median(postgres)

    def ratio(self, size: str, door: str) -> float:
        pairs = zip(self.costs[size][door], self.costs[size]["REST"], strict=True)
        return statistics.median(sum(one) / sum(rest) for one, rest in pairs)


def parse(argv: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="./dev bench doors", description=__doc__)
    add = parser.add_argument
    add("--mails", type=int, default=3000, help="of each door in a round (default %(default)s)")
    add("--large", type=int, default=40, help="the same with an attachment of 1 MB (default %(default)s)")
    add("--connections", type=int, default=32, help="that stay open (default %(default)s)")
    add("--rounds", type=int, default=5, help="in which each door has a turn (default %(default)s)")
    add("--short", action="store_true", help="200 and 4 mails, 1 round: to try it")
    add("--json", action="store_true", help="end with one line of JSON")
    given = parser.parse_args(argv)
    if min(given.mails, given.large, given.connections, given.rounds) < 1:
        parser.error("every number is at least 1")
    return Options(
        mails=200 if given.short else given.mails,
        large=4 if given.short else given.large,
        connections=given.connections,
        rounds=1 if given.short else given.rounds,
        json=given.json,
    )


def main(argv: list[str]) -> int:
    options = parse(argv)
    return command.run(_report(options), json=options.json)


async def _report(options: Options) -> tuple[str, str]:
    result = await _measured(options)
    return table(result), json_line(result)


def _say(sentence: str) -> None:
    print(f"bench: {sentence}", file=sys.stderr, flush=True)


async def _measured(options: Options) -> Result:
    with system.temporary_home() as home, system.local_ses(home) as ses:
        _say("starting the system, and a local SES for it in a separate process")
        async with system.beside(checkout.this(), home, ses, settings=_SETTINGS) as measured:
            keys = await _keys(measured)
            smtp = json.loads((home / "run.json").read_text())["smtp"]
            await _hold(measured)
            result = Result(options, measured.engine)
            for number in range(options.rounds + 1):  # the first only warms up
                _say(f"round {number} of {options.rounds}" if number else "warming up")
                await _round(measured, keys, smtp, options, number, result)
            return result


async def _keys(measured: System) -> Keys:
    body = {"tenant": TENANT, "name": "bench", "scopes": ["send"], "default_type": TYPE}
    made = await asyncio.to_thread(seed.call, measured.url, measured.key, "/v1/keys", body)
    path = f"/v1/keys/{made['prefix']}/access-keys"
    access = await asyncio.to_thread(seed.call, measured.url, measured.key, path, {})
    return Keys(made["key"], Credentials(access["id"], access["secret"]))


async def _hold(measured: System) -> None:
    body = {"tenant": TENANT, "type": TYPE, "because": "only doors are measured"}
    await asyncio.to_thread(seed.call, measured.url, measured.key, "/v1/holds", body)


async def _round(
    measured: System, keys: Keys, smtp: str, options: Options, number: int, result: Result
) -> None:
    for size, count in (("small", options.mails), ("1 MB", options.large)):
        if not number:
            count = min(count, 400)
        attachment = bytes(range(256)) * (ATTACHMENT // 256) if size == "1 MB" else b""
        connections = (
            options.connections if size == "small" else min(8, options.connections)
        )  # memory for bodies is bounded
        doors: dict[str, tuple[str, Callable[[Sequence[str]], Awaitable[object]]]] = {
            "REST": ("api", lambda to, a=attachment, n=connections: _rest(measured, keys, n, to, a)),
            "SES": ("api", lambda to, a=attachment, n=connections: _ses(measured, keys, n, to, a)),
            "SMTP": ("smtp", lambda to, a=attachment, n=connections: _smtp(smtp, keys, n, to, a)),
        }
        names = list(doors)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            process, send = doors[name]
            to = mail.recipients(f"{name}-{size.replace(' ', '')}-{number}".lower(), count)
            newest = await measured.newest_id()
            ready = send(to)  # requests are built before the clock starts
            before = measured.tree.sample()
            await ready
            used = measured.tree.sample().since(before)
            if (stored := len(await measured.deliveries(newest))) != count:
                raise Failed(f"{name}: {stored} of {count} mails are stored")
            if number:
                postgres = sum(cost for part, cost in used.items() if part.startswith("postgres:"))
                result.add(size, name, 1000 * used[process] / count, 1000 * postgres / count)


def _mime(to: str, attachment: bytes) -> bytes:
    message = EmailMessage()
    message["From"] = f"Team <hello@{seed.domain(TENANT, TYPE)}>"
    message["To"] = to
    message["Subject"] = mail.SUBJECT
    message["Message-ID"] = f"<{to.replace('@', '.')}@bench.example>"
    message.set_content(mail.TEXT)
    message.add_alternative(mail.HTML, subtype="html")
    if attachment:
        message.add_attachment(attachment, maintype="application", subtype="pdf", filename="invoice.pdf")
    return message.as_bytes(policy=SMTP)


def _rest(
    measured: System, keys: Keys, connections: int, to: Sequence[str], attachment: bytes
) -> Awaitable[object]:
    host, port = measured.address
    files = [
        {
            "filename": "invoice.pdf",
            "content_type": "application/pdf",
            "content": base64.b64encode(attachment).decode(),
        }
    ]
    requests: list[bytes] = []
    for one in to:
        body: dict[str, Any] = {
            "type": TYPE,
            "from": f"Team <hello@{seed.domain(TENANT, TYPE)}>",
            "to": one,
            "subject": mail.SUBJECT,
            "text": mail.TEXT,
            "html": mail.HTML,
            **({"attachments": files} if attachment else {}),
        }
        headers = {"authorization": f"Bearer {keys.key}", "idempotency-key": f"bench-{one}"}
        requests.append(_post("/v1/messages", f"{host}:{port}", json.dumps(body).encode(), headers))
    return load.run(host, port, requests, connections, 120.0)


def _ses(
    measured: System, keys: Keys, connections: int, to: Sequence[str], attachment: bytes
) -> Awaitable[object]:
    host, port = measured.address
    signer = Signer(service="ses", region="us-east-1", host=f"{host}:{port}")
    requests: list[bytes] = []
    for one in to:
        content: dict[str, Any] = {
            "Simple": {
                "Subject": {"Data": mail.SUBJECT},
                "Body": {"Text": {"Data": mail.TEXT}, "Html": {"Data": mail.HTML}},
            }
        }
        if attachment:
            content = {"Raw": {"Data": base64.b64encode(_mime(one, attachment)).decode()}}
        body = json.dumps(
            {
                "FromEmailAddress": f"Team <hello@{seed.domain(TENANT, TYPE)}>",
                "Destination": {"ToAddresses": [one]},
                "Content": content,
            }
        ).encode()
        signed = signer.sign(keys.access, _SES_PATH, body, {"content-type": "application/json"})
        requests.append(_post(_SES_PATH, signed.pop("host"), body, signed))
    return load.run(host, port, requests, connections, 120.0, status=200)


def _post(path: str, host: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = {"host": host, "content-type": "application/json", "content-length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def _smtp(at: str, keys: Keys, connections: int, to: Sequence[str], attachment: bytes) -> Awaitable[object]:
    host, _, port = at.rpartition(":")
    login = base64.b64encode(f"\0{TENANT}+{TYPE}\0{keys.key}".encode()).decode()
    sender = f"hello@{seed.domain(TENANT, TYPE)}"
    supply = iter(
        [
            (
                f"MAIL FROM:<{sender}>\r\nRCPT TO:<{one}>\r\nDATA\r\n".encode(),
                _mime(one, attachment).replace(b"\r\n.", b"\r\n..") + b".\r\n",
            )
            for one in to
        ]
    )
    clients = [_Client(login, supply) for _ in range(min(connections, len(to)))]

    async def send() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.create_connection(lambda c=c: c, host, int(port)) for c in clients))
        async with asyncio.timeout(150):
            await asyncio.gather(*(client.finished for client in clients))

    return send()


class _Client(asyncio.Protocol):
    """One connection, which sends the commands of a mail together, as Postfix does."""

    def __init__(self, login: str, supply: Iterator[tuple[bytes, bytes]]) -> None:
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._supply = supply
        self._steps = iter([b"EHLO bench\r\n", f"AUTH PLAIN {login}\r\n".encode()])
        self._data = b""
        self._waits_for = b""  #: the code of the last reply to come
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        lines = self._received.split(b"\r\n")
        # The last line of the last reply has arrived, or one that says that something is wrong.
        if lines[-1] or len(lines) < 2 or lines[-2][3:4] == b"-":
            return
        code = lines[-2][:3]
        if code not in (b"220", b"235", b"250", b"354"):
            self.finished.set_exception(BadAnswer(f"SMTP answered {lines[-2].decode(errors='replace')}"))
        elif not self._waits_for or code == self._waits_for:
            self._received = b""
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.finished.done():
            self.finished.set_exception(BadAnswer("a connection ended with a mail under way"))

    def _next(self) -> None:
        assert self._transport is not None
        if (step := next(self._steps, None)) is not None:
            self._transport.write(step)
        elif self._data:
            self._transport.write(self._data)
            self._data, self._waits_for = b"", b"250"
        elif (mail := next(self._supply, None)) is not None:
            begin, self._data = mail
            self._waits_for = b"354"
            self._transport.write(begin)
        elif not self.finished.done():
            self.finished.set_result(None)
            self._transport.close()


def table(result: Result) -> str:
    options = result.options
    lines = [
        f"{result.engine}; {options.rounds} rounds of {options.mails} mails and {options.large} with 1 MB,"
        f" {options.connections} connections",
        "",
        f"{'ms of CPU a mail':<24}{'process':>10}{'PostgreSQL':>12}{'together':>10}{'/ REST':>9}",
    ]
    for size, doors in result.costs.items():
        for door in ("REST", "SES", "SMTP"):
            if door not in doors:
                continue
            process, postgres = result.cost(size, door)
            ratio = result.ratio(size, door)
            target = TARGETS.get(door) if size == "small" else None
            verdict = (
                "" if target is None else f"  at most {target:g}: {'met' if ratio <= target else 'MISSED'}"
            )
            lines.append(
                f"{f'{door}, {size}':<24}{process:>10.3f}{postgres:>12.3f}{process + postgres:>10.3f}{ratio:>9.2f}{verdict}"
            )
    return "\n".join(lines)


def json_line(result: Result) -> str:
    found = {
        size: {
            door: {
                "process_ms": round(result.cost(size, door)[0], 4),
                "postgres_ms": round(result.cost(size, door)[1], 4),
                "ratio": round(result.ratio(size, door), 3),
            }
            for door in doors
        }
        for size, doors in result.costs.items()
    }
    return json.dumps({"bench": "doors", "costs": found})
