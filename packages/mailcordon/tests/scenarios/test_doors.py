"""Every door for mail, and the rules that none of them may go around. A door that is not listed here turns this red.

Each door is driven over its own protocol against the running system, in the words of its clients.
"""

import ast
import asyncio
import contextlib
import os
import secrets
import signal
import smtplib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from mailcordon.core import ids, ses_door_ids
from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic

TYPE = "receipt"
SOURCES = Path(__file__).resolve().parents[2] / "src"


@dataclass(frozen=True)
class Mail:
    """What is sent through each door."""

    slug: str
    to: tuple[str, ...] = ("kim@example.com",)
    sender: str = ""  #: the domain of From; empty: the lane's own
    key: str = field(default_factory=lambda: secrets.token_hex(8))
    text: str = "Thank you."

    @property
    def mailbox(self) -> str:
        return f"a@{self.sender or traffic.domain(self.slug, TYPE)}"


@dataclass(frozen=True)
class Answer:
    id: int | None = None  #: of the message, if it was accepted
    refused: int = 0  #: recipients that the answer says are refused
    again: bool = False  #: whether the client is told to try again
    says: str = ""


class NoAnswer(Exception):
    """The connection ended first."""


@dataclass
class Door:
    """`users`: the modules that are this door's way into the intake."""

    name: str
    process: str  #: the role that serves it
    users: frozenset[str]
    send: Callable[["Clients", Mail], Answer]
    has_keys: bool = True  #: whether the door knows idempotency keys
    names_refused: bool = True  #: whether an answer says which recipients are refused


@dataclass
class Clients:
    """One tenant's means to send."""

    system: systems.System
    slug: str
    key: str
    access_id: str  #: for the SES door
    access_secret: str

    def ses(self, api: str) -> Any:
        client: Any = boto3.client  # its types want a literal
        return client(
            api,
            endpoint_url=self.system.url,
            region_name="us-east-1",
            aws_access_key_id=self.access_id,
            aws_secret_access_key=self.access_secret,
            config=Config(retries={"total_max_attempts": 1}),
        )


def _message(mail: Mail) -> dict[str, Any]:
    return {
        "type": TYPE,
        "from": mail.mailbox,
        "to": list(mail.to),
        "subject": "Your receipt",
        "text": mail.text,
        "individually": True,
    }


def _rest(clients: Clients, mail: Mail) -> Answer:
    headers = {"authorization": f"Bearer {clients.key}", "idempotency-key": mail.key}
    try:
        found = httpx.post(
            f"{clients.system.url}/v1/messages", json=_message(mail), headers=headers, timeout=60
        )
    except httpx.TransportError as problem:
        raise NoAnswer from problem
    return _answer(found.status_code, found.json())


def _answer(status: int, said: Any) -> Answer:
    """Of a message or a problem, in the REST API's words."""
    if status != 202:
        return Answer(again=said["retryable"], says=said["detail"])
    refused = [one for one in said["deliveries"] if one["state"] == "refused"]
    says = " ".join(one["detail"] for one in refused)
    return Answer(ids.parse_message_id(said["id"]), len(refused), says=says)


def _batch(clients: Clients, mail: Mail) -> Answer:
    headers = {"authorization": f"Bearer {clients.key}"}
    body = {"messages": [{**_message(mail), "idempotency_key": mail.key}]}
    try:
        found = httpx.post(f"{clients.system.url}/v1/messages/batch", json=body, headers=headers, timeout=60)
    except httpx.TransportError as problem:
        raise NoAnswer from problem
    [one] = found.json()["results"]
    return _answer(one["status"], one["problem"] if one["status"] != 202 else one["message"])


def _smtp(clients: Clients, mail: Mail) -> Answer:
    try:
        with smtplib.SMTP(*clients.system.smtp, timeout=60) as smtp:
            smtp.login(f"{clients.slug}+{TYPE}", clients.key)
            text = (
                f"From: {mail.mailbox}\r\nTo: undisclosed-recipients:;\r\nSubject: Your receipt\r\n"
                f"Message-ID: <{mail.key}@acme.example>\r\n\r\n{mail.text}\r\n"
            )
            smtp.ehlo_or_helo_if_needed()
            replies = [smtp.mail(mail.mailbox), *(smtp.rcpt(one) for one in mail.to)]
            failed = [reply for reply in replies if reply[0] >= 400]
            code, said = failed[0] if failed else smtp.data(text)
    except (smtplib.SMTPServerDisconnected, ConnectionError) as problem:
        raise NoAnswer from problem
    status, _, says = said.decode().partition(" ")
    assert status[0] == str(code)[0]
    id = ids.parse_message_id(says.split()[0]) if says.startswith("msg_") else None
    if code != 250:
        return Answer(id, len(mail.to) if id is not None else 0, again=code < 500, says=says)
    refused = int(says.split()[2]) if "recipients refused" in says else 0
    return Answer(id, refused, says=says)


def _ses_v2(clients: Clients, mail: Mail) -> Answer:
    return _ses(
        lambda: clients.ses("sesv2").send_email(
            FromEmailAddress=mail.mailbox,
            Destination={"BccAddresses": list(mail.to)},
            Content={"Simple": {"Subject": {"Data": "Your receipt"}, "Body": {"Text": {"Data": mail.text}}}},
        )
    )


def _ses_v1(clients: Clients, mail: Mail) -> Answer:
    return _ses(
        lambda: clients.ses("ses").send_email(
            Source=mail.mailbox,
            Destination={"BccAddresses": list(mail.to)},
            Message={"Subject": {"Data": "Your receipt"}, "Body": {"Text": {"Data": mail.text}}},
        )
    )


def _ses(call: Callable[[], Any]) -> Answer:
    """As SES, this door names no recipients that it refuses: events do."""
    try:
        return Answer(ses_door_ids.decode(call()["MessageId"]))
    except ClientError as problem:
        response: Any = problem.response
        said = response["Error"]
        again = said["Code"] in ("TooManyRequestsException", "Throttling", "ThrottlingException")
        return Answer(again=again, says=said["Message"])
    except BotoCoreError as problem:
        raise NoAnswer from problem


_SES_DOOR = frozenset({"mailcordon.adapters.http.ses_door.endpoint"})
DOORS = (
    Door(
        "REST",
        "api",
        frozenset({"mailcordon.adapters.http.message_endpoint"}),
        _rest,
    ),
    Door("batch", "api", frozenset({"mailcordon.adapters.http.message_batch"}), _batch),
    Door("SMTP", "smtp", frozenset({"mailcordon.adapters.smtp.submit"}), _smtp),
    Door("SES v2", "api", _SES_DOOR, _ses_v2, has_keys=False, names_refused=False),
    Door("SES v1", "api", _SES_DOOR, _ses_v1, has_keys=False, names_refused=False),
)


# The list is complete -------------------------------------------------------------------------------------------------------


def users_of_the_intake() -> set[str]:
    """Modules that call a method `take` of what they call an intake, and those that use the one accept itself."""
    found: set[str] = set()
    for path in (SOURCES / "mailcordon").rglob("*.py"):
        source = path.read_text()
        if ".take(" not in source and "enqueue" not in source:
            continue
        module = ".".join(path.relative_to(SOURCES).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = ast.unparse(node.func.value)
                if node.func.attr == "take" and "intake" in owner.lower():
                    found.add(module)
                if node.func.attr in ("enqueue", "enqueue_large") and "accept" in owner.lower():
                    found.add(module)
    return found - {"mailcordon.intake"}


def test_every_door_is_listed() -> None:
    assert users_of_the_intake() == {user for door in DOORS for user in door.users}


# Each door, each rule ---------------------------------------------------------------------------------------------------------


async def sends(door: Door, clients: Clients, mail: Mail) -> Answer:
    return await asyncio.to_thread(door.send, clients, mail)


@pytest.fixture(scope="module")
def clients(system: systems.System) -> Iterator[dict[str, Clients]]:
    """A tenant with its key for each rule."""

    async def make() -> dict[str, Clients]:
        names = ("open", "suppressed", "held", "full", "slow")
        slugs = {name: f"{name}-{secrets.token_hex(2)}" for name in names}
        made: dict[str, Clients] = {}
        async with traffic.on(system) as mail:
            await mail.onboard(dict.fromkeys(slugs.values(), (TYPE,)))
            await mail.set_lanes([slugs["full"]], backlog_deliveries=0)
            for name, slug in slugs.items():
                body: dict[str, Any] = {
                    "tenant": slug,
                    "name": slug,
                    "scopes": ["send"],
                    "default_type": TYPE,
                }
                if name == "slow":
                    body["limits"] = {"messages_per_second": 0.1}
                status, said = await mail.call("POST", "/v1/keys", body)
                assert status == 201, said
                _, access = await mail.call("POST", f"/v1/keys/{said['prefix']}/access-keys", {})
                made[name] = Clients(system, slug, said["key"], access["id"], access["secret"])
        return made

    made = asyncio.run(make())
    yield made

    async def is_full_no_more() -> None:
        # Status calls a lane full for minutes after it refused mail, if it still would.
        async with traffic.on(system) as mail:
            await mail.set_lanes([made["full"].slug], backlog_deliveries=1000)

    asyncio.run(is_full_no_more())


async def test_a_suppressed_recipient_is_refused_at_every_door(
    mail: Traffic, clients: dict[str, Clients]
) -> None:
    them = clients["suppressed"]
    status, said = await mail.call(
        "POST",
        "/v1/suppressions",
        {"tenant": them.slug, "address": "kim@example.com", "scope": "tenant", "because": "a test"},
    )
    assert status in (200, 201), said
    sentences: set[str] = set()
    for door in DOORS:
        answer = await sends(door, them, Mail(them.slug, to=("kim@example.com", "lee@example.com")))
        assert answer.id is not None, (door.name, answer)
        if not door.names_refused:
            continue
        assert answer.refused == 1, (door.name, answer)
        alone = await sends(door, them, Mail(them.slug))
        assert alone.refused == 1, (door.name, alone)
        sentences.add(alone.says.rpartition(" is not sent: ")[2])
    assert len(sentences) == 1
    await mail.all_final(them.slug)
    assert {str(one["recipients"]) for one in await mail.sent(them.slug)} == {"['lee@example.com']"}
    assert await mail.count_sent(them.slug) == len(DOORS)


async def test_a_held_lane_takes_mail_from_every_door_and_sends_none(
    mail: Traffic, clients: dict[str, Clients]
) -> None:
    them = clients["held"]
    await mail.hold(them.slug, type=TYPE)
    for number, door in enumerate(DOORS, 1):
        answer = await sends(door, them, Mail(them.slug))
        assert answer.id is not None, (door.name, answer)
        assert await mail.queued(them.slug) == number
    assert await mail.count_sent(them.slug) == 0
    await mail.lift(them.slug, type=TYPE)


async def test_a_foreign_from_is_refused_for_good_at_every_door(
    mail: Traffic, clients: dict[str, Clients]
) -> None:
    them, foreign = clients["open"], traffic.domain(clients["held"].slug, TYPE)
    before = await mail.count("message", them.slug)
    sentences: set[str] = set()
    for door in DOORS:
        answer = await sends(door, them, Mail(them.slug, sender=foreign))
        assert answer.id is None, (door.name, answer)
        assert not answer.again, (door.name, answer)
        sentences.add(answer.says)
    assert len(sentences) == 1, sentences
    assert foreign in sentences.pop()
    assert await mail.count("message", them.slug) == before


async def test_a_cap_is_a_reason_to_try_again_at_every_door(
    mail: Traffic, clients: dict[str, Clients]
) -> None:
    full, slow = clients["full"], clients["slow"]
    for door in DOORS:
        answer = await sends(door, full, Mail(full.slug))
        assert answer.id is None, (door.name, answer)
        assert answer.again, (door.name, answer)
        # A key that may send one message in ten seconds: its bucket grants a second one, and then owes.
        answers = [await sends(door, slow, Mail(slow.slug)) for _ in range(3)]
        assert answers[-1].id is None, (door.name, answers)
        assert answers[-1].again
        assert "rate" in answers[-1].says or "a second" in answers[-1].says, answers[-1]
    assert await mail.count("message", full.slug) == 0


async def test_a_repeated_key_is_one_message_at_every_door_that_has_keys(
    mail: Traffic, clients: dict[str, Clients]
) -> None:
    them = clients["open"]
    for door in DOORS:
        once = Mail(them.slug)
        first, second = [await sends(door, them, once) for _ in range(2)]
        assert first.id is not None
        assert (first.id == second.id) is door.has_keys, door.name
        if door.has_keys:
            other = await sends(door, them, Mail(them.slug, key=once.key, text="Something else."))
            assert other.id is None, (door.name, other)
            assert not other.again, (door.name, other)


@contextlib.asynccontextmanager
async def locked(system: systems.System) -> AsyncIterator[asyncpg.Connection]:
    """No message is stored as long as the body runs."""
    holding = await traffic.connect(system)
    try:
        async with holding.transaction():
            await holding.execute("lock table message in exclusive mode")
            yield holding
    finally:
        holding.terminate()


async def test_no_door_answers_before_its_mail_is_stored(
    mail: Traffic, clients: dict[str, Clients], system: systems.System
) -> None:
    them = clients["open"]
    for door in DOORS:
        async with locked(system):
            sending = asyncio.create_task(sends(door, them, Mail(them.slug)))
            await mail.until(lambda: _waits(mail), f"the mail of {door.name} is about to be stored")
            assert not sending.done(), door.name
        assert (await sending).id is not None, door.name


async def test_a_kill_between_commit_and_answer_loses_nothing_and_a_client_may_try_again(
    mail: Traffic, clients: dict[str, Clients], system: systems.System
) -> None:
    them = clients["open"]
    # One door of each process: a process starts in seconds. What a client of each door gets if it tries again, others test.
    chosen = list({door.process: door for door in reversed(DOORS)}.values())
    mails = {door.name: Mail(them.slug) for door in chosen}
    for door in chosen:
        await _kill_after_commit(mail, them, system, door, mails[door.name])
    before = await mail.count("message", them.slug)
    assert all(door.has_keys for door in chosen)
    for door in chosen:
        assert (await sends(door, them, mails[door.name])).id is not None, door.name
        assert await mail.count("message", them.slug) == before, door.name
    await mail.all_final(them.slug)
    verdict = await mail.judge(them.slug)
    assert verdict.faults == []
    assert await mail.count_sent(them.slug) == before


async def _kill_after_commit(
    mail: Traffic, them: Clients, system: systems.System, door: Door, sent: Mail
) -> None:
    """Kills the door's process when it has committed the mail, and before it can say so."""
    # Its key is known and its statements are prepared, so the commit is all that waits for the database.
    assert (await sends(door, them, Mail(them.slug))).id is not None
    stored = await mail.count("message", them.slug) + 1
    pid = system.processes[door.process]
    async with locked(system):
        sending = asyncio.create_task(sends(door, them, sent))
        await mail.until(lambda: _waits(mail), f"the mail of {door.name} is about to be stored")
        os.kill(pid, signal.SIGSTOP)
    try:
        await mail.until(lambda: _has(mail, them.slug, stored), "it is stored")
        assert not sending.done()
    finally:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(NoAnswer):
        await sending
    system.wait_replaced(door.process, pid)
    if door.process == "api":
        systems.wait_until(system.healthy, "the API is back")


async def _waits(mail: Traffic) -> bool:
    return await mail.db.fetchval(
        "select exists (select from pg_locks where not granted and relation = 'message'::regclass)"
    )


async def _has(mail: Traffic, slug: str, count: int) -> bool:
    return await mail.count("message", slug) == count
