"""SNS's certificates: only from SNS's hosts, only with SNS's names, only up to a root that the system trusts."""

import http.client
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from mailcordon.adapters.ses import certificates
from mailcordon.adapters.ses.certificates import (
    AwsSource,
    Certificates,
    LocalSource,
    Missing,
    SigningKey,
    Unusable,
    check_address,
    names_of,
)
from mailcordon.observe.ports import NoCertificate

NOW = datetime(2026, 11, 28, 15, 0, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-west-1:123456789012:outcome"
HOST = "sns.eu-west-1.amazonaws.com"
URL = f"https://{HOST}/SimpleNotificationService-{'a' * 32}.pem"
ISSUER_URL = "http://crt.example/issuer.cer"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)


def authority(name: str, above: Authority | None = None, *, issuer_url: str | None = None) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = key if above is None else above.key
    builder = (
        _certificate(
            subject, subject if above is None else above.certificate.subject, key.public_key(), signer
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Authority(_with_issuer(builder, issuer_url).sign(signer, hashes.SHA256()), key)


def leaf(
    by: Authority,
    *names: str,
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | None = None,
    begins: datetime = NOW - timedelta(days=30),
    ends: datetime = NOW + timedelta(days=30),
    issuer_url: str | None = ISSUER_URL,
) -> bytes:
    names = names or ("sns.amazonaws.com",)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    builder = (
        _certificate(subject, by.certificate.subject, key or KEY.public_key(), by.key, begins, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    made = _with_issuer(builder, issuer_url).sign(by.key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    begins: datetime = NOW - timedelta(days=1000),
    ends: datetime = NOW + timedelta(days=1000),
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )


def _with_issuer(builder: x509.CertificateBuilder, url: str | None) -> x509.CertificateBuilder:
    if url is None:
        return builder
    place = x509.AccessDescription(
        AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(url)
    )
    return builder.add_extension(x509.AuthorityInformationAccess([place]), critical=False)


ROOT = authority("Root")
MIDDLE = authority("Middle", ROOT)
STRANGER = authority("Stranger")


@dataclass
class Web:
    """What addresses answer: a body, a status, or a failure."""

    answers: Mapping[str, bytes | int | Exception]
    asked: list[str] = field(default_factory=list[str])

    def __call__(self, url: str) -> tuple[int, bytes]:
        self.asked.append(url)
        answer = self.answers.get(url, 404)
        if isinstance(answer, Exception):
            raise answer
        return (answer, b"") if isinstance(answer, int) else (200, answer)


def source(answers: Mapping[str, bytes | int | Exception], now: datetime = NOW) -> AwsSource:
    return AwsSource(download=Web(answers), roots=[ROOT.certificate], now=lambda: now)


def test_the_issuer_is_fetched_from_where_the_certificate_says() -> None:
    web = Web({URL: leaf(MIDDLE), ISSUER_URL: MIDDLE.der})
    found = AwsSource(download=web, roots=[ROOT.certificate], now=lambda: NOW).get(URL)
    assert web.asked == [URL, ISSUER_URL]
    assert found.key.public_numbers() == KEY.public_key().public_numbers()
    assert found.is_valid_at("2026-11-28T15:00:00.000Z")
    assert not found.is_valid_at("2027-11-28T15:00:00.000Z")
    assert not found.is_valid_at("2025-11-28T15:00:00.000Z")


def test_an_issuer_of_the_issuer_is_fetched_too_and_one_in_the_file_is_not() -> None:
    lowest = authority("Lowest", MIDDLE, issuer_url="http://crt.example/middle.cer")
    chain = {URL: leaf(lowest), ISSUER_URL: lowest.der, "http://crt.example/middle.cer": MIDDLE.der}
    source(chain).get(URL)
    source({URL: leaf(MIDDLE) + MIDDLE.certificate.public_bytes(serialization.Encoding.PEM)}).get(URL)


@pytest.mark.parametrize(
    "answers",
    [
        {URL: leaf(STRANGER), ISSUER_URL: STRANGER.der},  # another root
        {URL: leaf(MIDDLE), ISSUER_URL: STRANGER.der},  # not its issuer
        {URL: leaf(MIDDLE), ISSUER_URL: b"<html>log in</html>"},
        {URL: leaf(MIDDLE), ISSUER_URL: 404},
        {URL: leaf(MIDDLE), ISSUER_URL: OSError("unreachable")},
        {URL: leaf(MIDDLE, issuer_url=None)},
        {URL: leaf(MIDDLE, "sns.evil.example"), ISSUER_URL: MIDDLE.der},
        {URL: leaf(MIDDLE, "sns.us-east-1.amazonaws.com"), ISSUER_URL: MIDDLE.der},  # another region's
        {URL: leaf(MIDDLE, "amazonaws.com"), ISSUER_URL: MIDDLE.der},
        {URL: 503},
        {URL: 429},
        {URL: 302},
        {URL: http.client.HTTPException("cut off")},
        {URL: TimeoutError("timed out")},
    ],
)
def test_without_a_trusted_certificate_receiving_has_to_wait(
    answers: Mapping[str, bytes | int | Exception],
) -> None:
    with pytest.raises(NoCertificate):
        source(answers).get(URL)


@pytest.mark.parametrize(
    "answer",
    [
        404,
        403,
        b"no certificate",
        leaf(MIDDLE, key=ec.generate_private_key(ec.SECP256R1()).public_key()),
        leaf(MIDDLE, ends=NOW - timedelta(days=15)),
        leaf(MIDDLE, begins=NOW + timedelta(days=1)),
    ],
)
def test_where_there_is_no_certificate_of_sns_waiting_does_not_help(answer: bytes | int) -> None:
    with pytest.raises(Unusable):
        source({URL: answer, ISSUER_URL: MIDDLE.der}).get(URL)


def test_a_message_signed_before_its_certificate_ended_is_still_read() -> None:
    ends = NOW - timedelta(days=3)
    found = source({URL: leaf(MIDDLE, ends=ends), ISSUER_URL: MIDDLE.der}).get(URL)
    assert found.is_valid_at((ends - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    assert not found.is_valid_at((ends + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z"))


@pytest.mark.parametrize(
    "name", ["sns.amazonaws.com", HOST, "sns-signing.eu-west-1.amazonaws.com", "sns-eu-west-1.amazonaws.com"]
)
def test_names_of_sns_are_taken(name: str) -> None:
    source({URL: leaf(MIDDLE, name), ISSUER_URL: MIDDLE.der}).get(URL)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("sns.us-gov-east-1.amazonaws.com", "sns-us-gov-west-1.amazonaws.com"),
        ("sns.cn-north-1.amazonaws.com.cn", "sns-cn-north-1.amazonaws.com.cn"),
        ("sns.us-iso-east-1.c2s.ic.gov", "sns-us-iso-east-1.c2s.ic.gov"),
        ("sns.eusc-de-east-1.amazonaws.eu", "sns-signing.eusc-de-east-1.amazonaws.eu"),
        ("sns.af-south-1.amazonaws.com", "sns-signing.af-south-1.amazonaws.com"),
    ],
)
def test_partitions_have_their_own_names(host: str, name: str) -> None:
    assert name in names_of(host)


@pytest.mark.parametrize(
    ("topic", "host"),
    [
        (TOPIC, HOST),
        ("arn:aws-cn:sns:cn-north-1:1:o", "sns.cn-north-1.amazonaws.com.cn"),
        ("arn:aws-us-gov:sns:us-gov-west-1:1:o", "sns.us-gov-west-1.amazonaws.com"),
        ("arn:aws-iso:sns:us-iso-east-1:1:o", "sns.us-iso-east-1.c2s.ic.gov"),
        ("arn:aws-eusc:sns:eusc-de-east-1:1:o", "sns.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_a_certificate_is_at_sns_in_the_region_of_the_topic(topic: str, host: str) -> None:
    assert check_address(f"https://{host}/SimpleNotificationService-{'b' * 32}.pem", topic) is None


@pytest.mark.parametrize(
    "url",
    [
        URL.replace("https", "http"),
        URL.replace(HOST, "sns.us-east-1.amazonaws.com"),
        URL.replace(HOST, HOST + ".evil.example"),
        URL.replace(HOST, "evil.example/" + HOST),
        URL.replace(HOST, "user@" + HOST),
        URL.replace(HOST, HOST + ":8443"),
        URL.replace(HOST, "s3.amazonaws.com/bucket"),
        URL.replace(HOST, HOST.upper()),
        URL.replace("/Simple", "/x/../Simple"),
        URL.replace("/Simple", "/?Action=Simple"),
        URL + "?x",
        URL + "#x",
        URL + "\n",
        URL.replace("SimpleNotificationService-", "other-"),
        "",
        "file:///etc/passwd",
    ],
)
def test_no_other_address_is_asked(url: str) -> None:
    assert check_address(url, TOPIC) is not None


def test_the_roots_that_the_system_trusts_include_amazons() -> None:
    names = {root.subject.rfc4514_string() for root in certificates.system_roots()}
    assert "CN=Amazon Root CA 1,O=Amazon,C=US" in names


# The cache -------------------------------------------------------------------------------------------------------------------


@dataclass
class Served:
    """A source that counts."""

    key: SigningKey
    renews: bool = False
    asked: list[str] = field(default_factory=list[str])
    answer: Callable[[], None] = lambda: None

    def get(self, url: str) -> SigningKey:
        self.asked.append(url)
        self.answer()
        return self.key


@pytest.fixture
def served() -> Served:
    return Served(source({URL: leaf(MIDDLE), ISSUER_URL: MIDDLE.der}).get(URL))


async def test_a_certificate_is_fetched_once(served: Served) -> None:
    cache = Certificates(served)
    assert cache.find("a") is None
    await cache.fetch({"a"})
    assert cache.find("a") is served.key
    assert served.asked == ["a"]


async def test_the_cache_is_bounded(served: Served) -> None:
    cache = Certificates(served)
    for n in range(certificates.MOST_KEYS + 3):
        await cache.fetch({f"{n}"})
    assert [n for n in range(certificates.MOST_KEYS + 3) if cache.find(f"{n}") is None] == [0, 1, 2]

    def refuse() -> None:
        raise Unusable("none")

    served.answer = refuse
    for n in range(certificates.MOST_REFUSED + 5):
        await cache.fetch({f"no {n}"})
    found = [cache.find(f"no {n}") for n in range(certificates.MOST_REFUSED + 5)]
    assert found.count(None) == 5
    assert cache.find(f"{certificates.MOST_KEYS}") is served.key  # what is refused displaces no key


async def test_an_address_without_a_certificate_is_asked_again_after_a_while(served: Served) -> None:
    now = 1000.0
    cache = Certificates(served, clock=lambda: now)

    def refuse() -> None:
        raise Unusable("none")

    served.answer = refuse
    await cache.fetch({"a"})
    assert cache.find("a") == "none"
    now += certificates.REFUSED_SECONDS + 1
    assert cache.find("a") is None


async def test_one_certificate_that_cannot_be_had_does_not_keep_the_others(served: Served) -> None:
    cache = Certificates(served)

    def away() -> None:
        if served.asked[-1].startswith("https://away"):
            raise NoCertificate("away")

    served.answer = away
    with pytest.raises(NoCertificate, match="away"):
        await cache.fetch({"https://one/a", "https://away/x", "https://one/b"})
    assert cache.find("https://one/a") is cache.find("https://one/b") is served.key


# What is missing is believed of a host that works ------------------------------------------------------------------------------


@dataclass
class Host:
    """A host of SNS at a time of its own: what it serves, what it says to all that it has not, and what it was asked."""

    key: SigningKey
    serves: set[str]
    otherwise: Exception = field(default_factory=lambda: Missing("HTTP 404"))
    renews: bool = False
    now: float = 1000.0
    asked: list[str] = field(default_factory=list[str])

    def get(self, url: str) -> SigningKey:
        self.asked.append(url)
        if url in self.serves:
            return self.key
        raise self.otherwise

    async def later(self, cache: Certificates, seconds: float, *urls: str) -> None:
        self.now += seconds
        await cache.fetch(set(urls))


@pytest.fixture
def host(served: Served) -> Host:
    return Host(served.key, {"good"})


@pytest.fixture
def cache(host: Host) -> Certificates:
    return Certificates(host, clock=lambda: host.now)


async def test_what_a_working_host_has_not_is_refused_after_a_minute(host: Host, cache: Certificates) -> None:
    await cache.fetch({"good"})
    await host.later(cache, 30, "forged")
    assert (cache.find("forged"), cache.why_not_yet("forged")) == (None, "HTTP 404")
    await host.later(cache, certificates.CONFIRM_SECONDS - 1, "forged")
    assert cache.find("forged") is None
    await host.later(cache, certificates.ASK_AGAIN_SECONDS, "forged")
    assert cache.find("forged") == "HTTP 404"
    assert cache.find("good") is host.key
    assert host.asked.count("good") == 4, "asked again each time that its host denied another one"


async def test_a_certificate_that_appears_within_the_minute_is_taken(host: Host, cache: Certificates) -> None:
    """SNS signs with a new certificate before all of its hosts have it."""
    await cache.fetch({"good"})
    await host.later(cache, 0, "new")
    host.serves.add("new")
    await host.later(cache, 30, "new")
    assert cache.find("new") is host.key
    assert cache.why_not_yet("new") is None


@pytest.mark.parametrize("known", [True, False])
async def test_a_host_that_denies_everything_is_never_believed(
    host: Host, cache: Certificates, known: bool
) -> None:
    """A proxy on the way, or SNS itself for a while. Without any certificate nobody can tell it from a forged address."""
    if known:
        await cache.fetch({"good"})
    host.serves.clear()
    for _ in range(20):
        await host.later(cache, 60, "genuine")
        assert cache.find("genuine") is None
        assert cache.why_not_yet("genuine") == "HTTP 404"
    host.serves = {"good", "genuine"}
    await host.later(cache, 60, "genuine")
    assert cache.find("genuine") is host.key


async def test_a_denial_of_a_host_that_did_not_work_is_not_one_of_the_two(
    host: Host, cache: Certificates
) -> None:
    await cache.fetch({"good"})
    await host.later(cache, 60, "new")
    host.serves.clear()
    await host.later(cache, 60, "new")
    host.serves.add("good")
    await host.later(cache, 60, "new")
    assert cache.find("new") is None
    await host.later(cache, 60, "new")
    assert cache.find("new") == "HTTP 404"


async def test_one_address_without_an_answer_does_not_stop_what_the_same_host_serves(
    host: Host, cache: Certificates
) -> None:
    host.otherwise = NoCertificate("HTTP 500")
    await cache.fetch({"good"})
    for _ in range(5):
        await host.later(cache, 60, "odd")
        assert (cache.find("odd"), cache.why_not_yet("odd")) == (None, "HTTP 500")
    host.serves.clear()
    with pytest.raises(NoCertificate, match="HTTP 500"):
        await host.later(cache, 60, "odd")


async def test_what_is_not_certain_is_asked_seldom_and_kept_in_bounds(
    host: Host, cache: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cache.fetch({"good"})
    for _ in range(3):
        await cache.fetch({"forged"})
    assert host.asked.count("forged") == 1
    many = {f"forged {n}" for n in range(100)}
    await cache.fetch(many)
    assert len(many & set(host.asked)) == certificates.MOST_ASKED
    monkeypatch.setattr(certificates, "MOST_PUT_OFF", 30)
    for _ in range(5):
        await cache.fetch({f"forged {n}" for n in range(1000)})
    assert len(cache._put_off) == 30


async def test_only_where_an_address_may_serve_a_new_certificate_an_old_one_is_stale(served: Served) -> None:
    now = 1000.0
    served.renews = True
    cache = Certificates(served, clock=lambda: now)
    await cache.fetch({"a"})
    assert not cache.is_stale("a")
    now += certificates.RENEW_SECONDS + 0.1
    assert cache.is_stale("a")
    served.renews = False
    assert not cache.is_stale("a")


def test_the_local_ses_is_asked_at_its_own_address_and_trusted() -> None:
    web = Web({"http://127.0.0.1:8005/SimpleNotificationService-0.pem": leaf(STRANGER)})
    found = LocalSource("http://127.0.0.1:8005/", download=web).get(
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem"
    )
    assert found.key.public_numbers() == KEY.public_key().public_numbers()
