"""AWS Signature Version 4 for frequent calls, and the credentials for it.

The signing key is derived once per day. A signature costs a tenth of botocore's and equals it byte for byte (a test compares
them). Credentials are read from memory; temporary ones are renewed in a thread, by botocore's resolver, before they expire.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import quote

import structlog

from mailcordon.core import keyed_hash
from mailcordon.messages import reasons

if TYPE_CHECKING:
    from botocore.credentials import Credentials as BotocoreCredentials

log: Any = structlog.get_logger()


class NoCredentials(Exception):
    """There are no AWS credentials where botocore looks for them."""


@dataclass(frozen=True, slots=True)
class Credentials:
    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)  #: session token of temporary credentials


class CredentialsSource(Protocol):
    def current(self) -> Credentials:
        """Returns cached credentials without waiting. Raises NoCredentials if none were found yet."""
        ...

    async def refresh(self) -> None:
        """Fetches new credentials, because SES said that these have expired."""
        ...


@dataclass(frozen=True, slots=True)
class FixedCredentials:
    """For the local SES, and for tests."""

    credentials: Credentials

    def current(self) -> Credentials:
        return self.credentials

    async def refresh(self) -> None:
        return


class BotocoreCredentialsSource:
    """The credentials that boto3 would use on this host: environment, profile, IMDS, ECS, IRSA.

    `keep_fresh` runs as long as the process. botocore renews credentials 15 minutes before they expire.
    """

    CHECK_SECONDS = 60.0

    def __init__(self, profile: str | None = None) -> None:
        self._profile = profile
        self._resolved: BotocoreCredentials | None = None
        self._current: Credentials | None = None

    def current(self) -> Credentials:
        if self._current is None:
            raise NoCredentials(reasons.no_aws_credentials())
        return self._current

    async def refresh(self) -> None:
        # A new session, since a resolved credentials object only renews what it thinks is about to expire.
        self._current = await asyncio.to_thread(self._resolve)

    async def keep_fresh(self) -> None:
        while True:
            try:
                if self._resolved is None:
                    await self.refresh()
                else:
                    self._current = await asyncio.to_thread(self._freeze, self._resolved)
            except Exception as problem:  # botocore's, and those of what it asks
                # The old ones may hold for minutes. Once they have expired, SES says so, and that is a stop that people see.
                log.error("AWS credentials could not be renewed", problem=str(problem))
            await asyncio.sleep(self.CHECK_SECONDS)

    def _resolve(self) -> Credentials:
        from botocore.exceptions import ProfileNotFound
        from botocore.session import Session  # costs 100 ms: only in AWS mode

        try:
            found = Session(profile=self._profile).get_credentials()
        except ProfileNotFound:
            found = None
        if found is None:
            raise NoCredentials(reasons.no_aws_credentials())
        self._resolved = found
        return self._freeze(found)

    @staticmethod
    def _freeze(found: "BotocoreCredentials") -> Credentials:
        frozen = found.get_frozen_credentials()
        if not frozen.access_key or not frozen.secret_key:
            raise NoCredentials(reasons.no_aws_credentials())
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class _Head(NamedTuple):
    """What the signatures of one second have in common, as long as path and headers are the same."""

    asked: tuple[int, Credentials, str, Mapping[str, str]]
    key: bytes
    request: Any  #: hash of the canonical request up to the body's digest
    to_sign: bytes  #: up to the request's digest
    headers: Mapping[str, str]
    authorization: str  #: up to the signature
    lines: bytes  #: `headers` and `authorization` as they are written


class Signer:
    """Signs POSTs to one service in one region at one host."""

    def __init__(self, *, service: str, region: str, host: str) -> None:
        self._service = service
        self._region = region
        self._host = host  #: the Host header: with the port, unless it is the scheme's default
        self._second = -1
        self._date = ""
        self._key = b""
        self._key_of: tuple[str, Credentials] | None = None
        self._scope = ""
        self._paths: dict[str, str] = {}
        self._head: _Head | None = None

    def sign(
        self,
        credentials: Credentials,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        now: float | None = None,
        digest: str | None = None,
    ) -> dict[str, str]:
        """Returns the headers to send: those given (lower-case names, trimmed values), Host, date, token and Authorization.

        `path` is the path as sent, without a query. `now` is in seconds since 1970. `digest` is that of
        the body (`digest_of`), if it is known.
        """
        head, signature = self._signed(credentials, path, body, headers, now, digest)
        return {**head.headers, "authorization": head.authorization + signature}

    def lines(
        self,
        credentials: Credentials,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        now: float | None = None,
    ) -> bytes:
        """The headers of `sign` as they are written, each with its end of line."""
        head, signature = self._signed(credentials, path, body, headers, now, None)
        return b"%b%b\r\n" % (head.lines, signature.encode())

    def _signed(
        self,
        credentials: Credentials,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        now: float | None,
        digest: str | None,
    ) -> tuple[_Head, str]:
        second = int(time.time() if now is None else now)
        head = self._head
        asked = (second, credentials, path, headers)
        if head is None or head.asked != asked:
            head = self._head = self._head_of(second, credentials, path, headers)
        request = head.request.copy()
        request.update((digest or hashlib.sha256(body).hexdigest()).encode())
        return head, keyed_hash.digest(head.key, head.to_sign + request.hexdigest().encode()).hex()

    def _head_of(
        self, second: int, credentials: Credentials, path: str, headers: Mapping[str, str]
    ) -> "_Head":
        date = self._stamp(second)
        key = self._signing_key(date[:8], credentials)
        out = {"host": self._host, "x-amz-date": date, **headers}
        if credentials.token is not None:
            out["x-amz-security-token"] = credentials.token
        names = sorted(out)
        signed = ";".join(names)
        lines = "".join([f"{name}:{out[name]}\n" for name in names])
        authorization = f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{self._scope}, SignedHeaders={signed}, Signature="
        written = "".join([f"{name}: {value}\r\n" for name, value in out.items()])
        return _Head(
            (second, credentials, path, dict(headers)),
            key,
            hashlib.sha256(f"POST\n{self._canonical(path)}\n\n{lines}\n{signed}\n".encode()),
            f"AWS4-HMAC-SHA256\n{date}\n{self._scope}\n".encode(),
            out,
            authorization,
            f"{written}authorization: {authorization}".encode(),
        )

    def _stamp(self, second: int) -> str:
        if second != self._second:
            self._second = second
            self._date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        return self._date

    def _signing_key(self, day: str, credentials: Credentials) -> bytes:
        if self._key_of != (day, credentials):
            key = b"AWS4" + credentials.secret_key.encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key, self._key_of = key, (day, credentials)
            self._scope = f"{day}/{self._region}/{self._service}/aws4_request"
        return self._key

    def _canonical(self, path: str) -> str:
        """The path, URI-encoded once more, as every service except S3 requires. Cached, as there are few paths."""
        known = self._paths.get(path)
        if known is None:
            known = self._paths[path] = quote(path, safe="/~")
        return known
