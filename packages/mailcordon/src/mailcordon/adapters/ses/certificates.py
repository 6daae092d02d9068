"""The certificates with which SNS signs: where they may come from, what is checked, and a bounded cache of their keys.

SNS names the URL of its certificate in each message (ses.md 4.7). Only the SNS host of the topic's own region may serve it, over
TLS that the system trusts, without redirects. Its names must be SNS's, and its chain must end in a root that the system trusts.
The file holds only the certificate itself, so its issuer is fetched from the address that the certificate names (RFC 5280
4.2.2.1). A parsed key stays cached, so that an event costs one RSA check and no parsing.

Whoever writes to the queue can name an address at SNS that does not exist, and SNS or a proxy on the way can deny for a while one
that does. So what is missing is believed only if the same host serves a certificate that was good before, twice, a minute apart.
Until then the messages that name it wait in the queue, and others are not delayed.
"""

import asyncio
import contextlib
import http.client
import random
import re
import ssl
import time
import warnings
from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import botocore
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import verification
from cryptography.x509.oid import AuthorityInformationAccessOID

from mailcordon.messages import reasons
from mailcordon.observe.ports import NoCertificate

#: The domains of AWS's partitions, by the second part of an ARN.
DOMAINS = {
    "aws": "amazonaws.com",
    "aws-us-gov": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-iso": "c2s.ic.gov",
    "aws-iso-b": "sc2s.sgov.gov",
    "aws-iso-e": "cloud.adc-e.uk",
    "aws-iso-f": "csp.hci.ic.gov",
    "aws-eusc": "amazonaws.eu",
}
MOST_KEYS = 64  #: cached; a region has one or two certificates at a time
MOST_REFUSED = 1024  #: addresses that have no usable certificate
REFUSED_SECONDS = 600.0  #: until such an address is asked again
MOST_PUT_OFF = 1024  #: addresses of which it is not certain yet
CONFIRM_SECONDS = 60.0  #: between two answers that make it certain
ASK_AGAIN_SECONDS = 20.0  #: below SQS's visibility time-out of 30 s, after which the messages come back
WELL_SECONDS = 10.0  #: for which a host that served a certificate counts as working
MOST_ASKED = 16  #: addresses of one fetch; the messages with the others come back. A region has one or two
RENEW_SECONDS = 1.0  #: between two fetches of a certificate whose address does not change with it
FETCHES = 4  #: at once
FETCH_SECONDS = 5.0  #: for each connection
LARGEST_FILE = 64 * 1024
LONGEST_CHAIN = 4  #: issuers between the certificate and a root
#: SQS keeps a message for 14 days, so a message may be signed with a certificate that has expired since.
QUEUE_DAYS = timedelta(days=14)

_PATH = re.compile(r"/SimpleNotificationService-[A-Za-z0-9_-]{1,128}\.pem")


class Unusable(Exception):
    """There is no certificate at the address, or not one of SNS. A retry cannot help."""


class Missing(Unusable):
    """The host says that there is no certificate at the address, or serves something else there."""


@dataclass(frozen=True, slots=True)
class _PutOff:
    """An address that has no certificate at present."""

    why: str
    asked: float
    #: The first time that it was missing while its host served another one; None if the host does not, or gave no answer.
    missing_since: float | None


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key of SNS, and when what it signs is valid."""

    key: RSAPublicKey
    begins: str  #: as SNS writes times, which compare as text
    ends: str

    def is_valid_at(self, timestamp: str) -> bool:
        return self.begins <= timestamp <= self.ends


class Source(Protocol):
    """Where certificates come from."""

    renews: bool  #: whether another certificate may appear at the same address

    def get(self, url: str) -> SigningKey:
        """Blocks. Raises Unusable (of which Missing may pass) or NoCertificate."""
        ...


class Certificates:
    """The cache. A message whose certificate is not in it waits for `fetch`."""

    def __init__(self, source: Source, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._keys: dict[str, tuple[float, SigningKey]] = {}
        self._refused: dict[str, tuple[float, str]] = {}
        self._put_off: dict[str, _PutOff] = {}
        self._hosts: dict[
            str, tuple[float, bool]
        ] = {}  #: whether it serves what it served before, and when that was seen

    def find(self, url: str) -> SigningKey | str | None:
        """The key, or why there is none, or None if it must be fetched."""
        found = self._keys.get(url)
        if found is not None:
            return found[1]
        refused = self._refused.get(url)
        if refused is None or self._clock() - refused[0] > REFUSED_SECONDS:
            return None
        return refused[1]

    def is_stale(self, url: str) -> bool:
        """Whether a signature that does not match may be that of a newer certificate at the same address."""
        found = self._keys.get(url)
        return self._source.renews and found is not None and self._clock() - found[0] > RENEW_SECONDS

    def why_not_yet(self, url: str) -> str | None:
        """Why a certificate that was asked for is neither here nor refused."""
        put_off = self._put_off.get(url)
        return None if put_off is None else put_off.why

    async def fetch(self, urls: Set[str]) -> None:
        """Raises NoCertificate if one cannot be had at present and its host serves no other one.

        What is put off, or is one too many, is not here afterwards.
        """
        places = asyncio.Semaphore(FETCHES)
        due = [url for url in sorted(urls) if self._may_ask(url)]

        async def fetch(url: str) -> None:
            async with places:
                await self._fetch(url)

        asked = random.sample(due, min(len(due), MOST_ASKED))  # whoever names many cannot choose which
        done = await asyncio.gather(*map(fetch, asked), return_exceptions=True)
        for problem in done:
            if problem is not None:
                raise problem

    def _may_ask(self, url: str) -> bool:
        put_off = self._put_off.get(url)
        return put_off is None or self._clock() - put_off.asked >= ASK_AGAIN_SECONDS

    async def _fetch(self, url: str) -> None:
        try:
            key = await asyncio.to_thread(self._source.get, url)
        except Missing as missing:
            await self._miss(url, str(missing))
        except Unusable as unusable:
            self._refuse(url, str(unusable))
        except NoCertificate as error:
            if not await self._is_well(url):
                raise
            self._wait_for(url, str(error), None)
        else:
            self._refused.pop(url, None)
            self._put_off.pop(url, None)
            self._keys.pop(url, None)
            _make_room(self._keys, MOST_KEYS)
            self._keys[url] = (self._clock(), key)
            self._hosts[urlsplit(url).netloc] = (self._clock(), True)

    async def _miss(self, url: str, why: str) -> None:
        if not await self._is_well(url):
            self._wait_for(url, why, None)
            return
        now, before = self._clock(), self._put_off.get(url)
        since = now if before is None or before.missing_since is None else before.missing_since
        if now - since >= CONFIRM_SECONDS:
            self._refuse(url, why)
        else:
            self._wait_for(url, why, since)

    def _refuse(self, url: str, why: str) -> None:
        self._keys.pop(url, None)
        self._put_off.pop(url, None)
        _make_room(self._refused, MOST_REFUSED)
        self._refused[url] = (self._clock(), why)

    def _wait_for(self, url: str, why: str, missing_since: float | None) -> None:
        self._put_off.pop(url, None)
        _make_room(self._put_off, MOST_PUT_OFF)
        self._put_off[url] = _PutOff(why, self._clock(), missing_since)

    async def _is_well(self, url: str) -> bool:
        """Whether the host still serves the newest other certificate that it served before."""
        host = urlsplit(url).netloc
        seen, well = self._hosts.get(host, (0.0, False))
        if host in self._hosts and self._clock() - seen <= WELL_SECONDS:
            return well
        known = next(
            (one for one in reversed(self._keys) if one != url and urlsplit(one).netloc == host), None
        )
        well = known is not None and await self._serves(known)
        self._hosts[host] = (self._clock(), well)
        return well

    async def _serves(self, url: str) -> bool:
        try:
            await asyncio.to_thread(self._source.get, url)
        except (Unusable, NoCertificate):
            return False
        return True


def _make_room(cache: dict[str, Any], most: int) -> None:
    while len(cache) >= most:
        del cache[next(iter(cache))]  # the oldest


def check_address(url: str, topic: str) -> str | None:
    """Returns why no certificate of SNS can be at this address, or None. `topic`: the ARN of the topic that the message names."""
    host = host_of(topic)
    if re.fullmatch(rf"https://{re.escape(host)}{_PATH.pattern}", url, re.ASCII):
        return None
    return reasons.certificate_elsewhere(url[:200], host)


def host_of(topic: str) -> str:
    """SNS's host in the region of a topic, by its ARN."""
    _, partition, _, region, *_ = topic.split(":")
    return f"sns.{region}.{DOMAINS.get(partition, DOMAINS['aws'])}"


def names_of(host: str) -> tuple[str, ...]:
    """The names that a certificate of SNS may have, for the host that serves it: SNS's in general, or the region's own.

    AWS's SDK for Java lists them (`SnsHostProvider` of sns-message-manager).
    """
    _, region, domain = host.split(".", 2)
    signing = "sns-us-gov-west-1" if region.startswith("us-gov-") else f"sns-{region}"
    return (f"sns.{domain}", host, f"sns-signing.{region}.{domain}", f"{signing}.{domain}")


# AWS ---------------------------------------------------------------------------------------------------------------------


class AwsSource:
    """SNS's own hosts. `download` returns the status and the body of a GET, and raises OSError or HTTPException."""

    renews = False  # an address contains a digest

    def __init__(
        self,
        *,
        download: "Download | None" = None,
        roots: list[x509.Certificate] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._download = download or _download
        self._given_roots = roots
        self._now = now

    @cached_property
    def _roots(self) -> verification.Store:
        return verification.Store(system_roots() if self._given_roots is None else self._given_roots)

    def get(self, url: str) -> SigningKey:
        leaf, *others = _certificates(_body(self._download, url))
        ended = leaf.not_valid_after_utc
        now = self._now()
        if ended + QUEUE_DAYS < now or now < leaf.not_valid_before_utc:
            raise Unusable(reasons.certificate_not_valid_now())
        # What an expired certificate signed before its end is still in the queue.
        self._check_chain(leaf, others, urlsplit(url).netloc, min(now, ended))
        return _signing_key(leaf)

    def _check_chain(
        self, leaf: x509.Certificate, others: list[x509.Certificate], host: str, at: datetime
    ) -> None:
        """Raises NoCertificate: SNS's own host served this certificate, so the roots or the way to the issuer are at fault."""
        last = others[-1] if others else leaf
        for _ in range(LONGEST_CHAIN):
            try:
                return self._verify(leaf, others, host, at)
            except verification.VerificationError as error:
                issuer = None if last.issuer == last.subject else _issuer_address(last)
                if issuer is None:
                    raise NoCertificate(reasons.certificate_not_trusted(host, str(error))) from error
                last = self._issuer(issuer)
                others = [*others, last]
        raise NoCertificate(reasons.certificate_not_trusted(host, reasons.chain_too_long(LONGEST_CHAIN)))

    def _issuer(self, address: str) -> x509.Certificate:
        """Anybody on the way may answer a plain http request: a wrong answer is no answer."""
        try:
            return _parse_issuer(_body(self._download, address))
        except Unusable as error:
            raise NoCertificate(str(error)) from error

    def _verify(
        self, leaf: x509.Certificate, others: list[x509.Certificate], host: str, at: datetime
    ) -> None:
        """Raises VerificationError."""
        builder = verification.PolicyBuilder().store(self._roots).time(at)
        problem: verification.VerificationError | None = None
        for name in names_of(host):
            try:
                builder.build_server_verifier(x509.DNSName(name)).verify(leaf, others)
                return
            except verification.VerificationError as error:
                problem = problem or error
        assert problem is not None
        raise problem


Download = Callable[[str], tuple[int, bytes]]


def system_roots() -> list[x509.Certificate]:
    """The roots that this system trusts, and those that botocore brings for AWS."""
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    bundle = Path(botocore.__file__).parent / "cacert.pem"
    if bundle.exists():
        pems = re.findall(
            "-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", bundle.read_text(), re.DOTALL
        )
        found += [ssl.PEM_cert_to_DER_cert(pem) for pem in pems]
    roots: list[x509.Certificate] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some roots break a rule of RFC 5280
        for der in dict.fromkeys(found):
            with contextlib.suppress(ValueError):
                roots.append(x509.load_der_x509_certificate(der))
    return roots


def _issuer_address(certificate: x509.Certificate) -> str | None:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return None
    for one in access:
        place = one.access_location
        if one.access_method == AuthorityInformationAccessOID.CA_ISSUERS and isinstance(
            place, x509.UniformResourceIdentifier
        ):
            return place.value if place.value.startswith(("http://", "https://")) else None
    return None


def _parse_issuer(body: bytes) -> x509.Certificate:
    try:
        return (
            x509.load_pem_x509_certificate(body)
            if body.startswith(b"-----")
            else x509.load_der_x509_certificate(body)
        )
    except ValueError as error:
        raise Unusable(reasons.certificate_unreadable(str(error))) from error


# The local SES -----------------------------------------------------------------------------------------------------------


class LocalSource:
    """The local SES, which signs with a certificate of its own and serves it at AWS's path."""

    renews = True  # it makes another one at each start

    def __init__(self, endpoint: str, *, download: Download | None = None) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._download = download or _download

    def get(self, url: str) -> SigningKey:
        leaf, *_ = _certificates(_body(self._download, self._endpoint + urlsplit(url).path))
        return _signing_key(leaf)


# Shared ------------------------------------------------------------------------------------------------------------------


def _certificates(body: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(body)
    except ValueError as error:
        raise Missing(reasons.certificate_unreadable(str(error))) from error


def _signing_key(leaf: x509.Certificate) -> SigningKey:
    key = leaf.public_key()
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        raise Unusable(reasons.certificate_without_rsa())
    begins, ends = (
        moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for moment in (leaf.not_valid_before_utc, leaf.not_valid_after_utc)
    )
    return SigningKey(key, begins, ends)


def _body(download: Download, url: str) -> bytes:
    """Raises Missing if the server says that there is no such file, else NoCertificate if there is no answer with it."""
    try:
        status, body = download(url)
    except (OSError, http.client.HTTPException) as error:
        raise NoCertificate(
            reasons.certificate_unreachable(url, str(error) or type(error).__name__)
        ) from error
    if status == 200:
        return body
    if status in (403, 404, 410):
        raise Missing(reasons.certificate_missing(url, status))
    raise NoCertificate(reasons.certificate_unreachable(url, reasons.http_status(status)))


def _download(url: str) -> tuple[int, bytes]:
    """One GET. Follows no redirect."""
    parts = urlsplit(url)
    assert parts.hostname is not None, url
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=FETCH_SECONDS, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=FETCH_SECONDS)
    try:
        connection.request("GET", parts.path or "/")
        answer = connection.getresponse()
        body = answer.read(LARGEST_FILE + 1)
        if len(body) > LARGEST_FILE:
            raise http.client.HTTPException(reasons.certificate_too_large(LARGEST_FILE))
        return answer.status, body
    finally:
        connection.close()
