"""The two ends of a comparison: where a client's mail arrives directly, and where it arrives through Mailcordon."""

import email
import email.policy
import json
import logging
import secrets
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

import aiosmtpd.controller
import aiosmtpd.smtp
import boto3

from mailcordon_fixtures import systems

REGION: Final = "us-east-1"
TYPE: Final = "receipt"
_PATIENCE: Final = 60.0  #: seconds until all that was accepted has been sent


class Absence(Exception):
    """Something that a client needs is not on this machine."""


@dataclass(frozen=True)
class Arrived:
    recipients: tuple[str, ...]
    source: bytes


def header(source: bytes, name: str) -> str:
    head = source.partition(b"\r\n\r\n")[0].partition(b"\n\n")[0]
    return str(email.message_from_bytes(head, policy=email.policy.default)[name])


def json_of(method: str, url: str, body: object = None, **headers: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    if data is not None:
        headers["content-type"] = "application/json"
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {url}: {error.code} {error.read().decode()}") from None


@dataclass
class Ledger:
    """What a local SES accepted."""

    url: str
    _after: str | None = None
    _seen: list[Arrived] = field(default_factory=list[Arrived])

    def arrived(self, marker: str) -> list[Arrived]:
        """The mails with this mark in their subject, in the order in which SES accepted them."""
        return [one for one in self.all() if marker in header(one.source, "subject")]

    def wait(self, number: int, marker: str = "") -> list[Arrived]:
        """As `arrived`, once there are so many; all mails if there is no mark."""
        began = time.monotonic()
        while len(found := self.arrived(marker) if marker else self.all()) < number:
            assert time.monotonic() - began < _PATIENCE, f"{len(found)} of {number} mails arrived"
            time.sleep(0.05)
        return found

    def all(self) -> list[Arrived]:
        while True:
            after = f"&after={self._after}" if self._after else ""
            page = json_of("GET", f"{self.url}/_seslocal/sent?limit=1000{after}")
            for one in page["sent"]:
                self._after = one["message_id"]
                with urllib.request.urlopen(
                    f"{self.url}/mail/{one['message_id']}/source", timeout=60
                ) as answer:
                    self._seen.append(Arrived(tuple(one["recipients"]), answer.read()))
            if page["next"] is None:
                return list(self._seen)


@dataclass
class Direct:
    """A local SES without Mailcordon in front."""

    url: str

    @property
    def ses(self) -> dict[str, str]:
        return {"endpoint": self.url, "key": "test", "secret": "test", "region": REGION}

    def verify(self, domain: str) -> None:
        ses = boto3.client(
            "sesv2",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        ses.create_email_identity(EmailIdentity=domain)
        ses.close()


@dataclass
class Sink:
    """An SMTP server that keeps what it is given, byte for byte."""

    port: int
    got: list[Arrived]

    @property
    def smtp(self) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "username": "anyone",
            "password": "anything",
            "starttls": False,
            "ca": None,
        }


@contextmanager
def sink() -> Iterator[Sink]:
    got: list[Arrived] = []
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # it warns of itself at each login

    class Keep:
        async def handle_DATA(self, server: Any, session: Any, envelope: aiosmtpd.smtp.Envelope) -> str:
            got.append(
                Arrived(tuple(cast("list[str]", envelope.rcpt_tos)), cast("bytes", envelope.original_content))
            )
            return "250 Kept"

    with socket.create_server(("127.0.0.1", 0)) as probing:
        port = probing.getsockname()[1]
    controller = aiosmtpd.controller.Controller(
        Keep(),
        hostname="127.0.0.1",
        port=port,
        authenticator=lambda *_: aiosmtpd.smtp.AuthResult(success=True),
        auth_require_tls=False,
        data_size_limit=40 * 1024 * 1024,
    )
    controller.start()
    try:
        yield Sink(port, got)
    finally:
        controller.stop()


@dataclass
class Through:
    """A tenant of a running system, with a key for each door."""

    system: systems.System
    slug: str
    domain: str
    key: str  #: of the tenant, whose mail is of TYPE if a door names no other
    prefix: str
    ledger: Ledger

    @property
    def ses(self) -> dict[str, str]:
        made = operator(self.system, "POST", f"/v1/keys/{self.prefix}/access-keys", {})
        return {"endpoint": self.system.url, "key": made["id"], "secret": made["secret"], "region": REGION}

    @property
    def smtp(self) -> dict[str, Any]:
        host, port = self.system.smtp
        return {
            "host": host,
            "port": port,
            "username": self.slug,
            "password": self.key,
            "starttls": False,
            "ca": None,
        }

    def django(self) -> dict[str, Any]:
        return {
            "EMAIL_BACKEND": "mailcordon_client.django.EmailBackend",
            "MAILCORDON_URL": self.system.url,
            "MAILCORDON_KEY": self.key,
            "MAILCORDON_TYPE": TYPE,
        }


def operator(system: systems.System, method: str, path: str, body: object = None) -> Any:
    return json_of(method, system.url + path, body, authorization=f"Bearer {system.key}")


def tenant_of(system: systems.System, **domains: str) -> Through:
    """Onboards a tenant with TYPE and these types, each with its domain, "" for the one of TYPE; waits until it may send."""
    slug = f"clients-{secrets.token_hex(3)}"
    domain = domains.pop(TYPE, f"{slug}.example")
    types = {TYPE: domain, **{type: own or domain for type, own in domains.items()}}
    operator(system, "POST", "/v1/tenants", {"slug": slug, "types": types})
    systems.wait_until(
        lambda: operator(system, "GET", f"/v1/tenants/{slug}")["provisioning"]["done"],
        f"{slug} is provisioned",
    )
    made = operator(
        system,
        "POST",
        "/v1/keys",
        {"name": slug, "scopes": ["send", "read"], "tenant": slug, "default_type": TYPE},
    )
    return Through(system, slug, domain, made["key"], made["prefix"], Ledger(system.ses_url))


def recipients_of(arrived: Iterable[Arrived]) -> list[str]:
    return sorted(address.lower() for one in arrived for address in one.recipients)
