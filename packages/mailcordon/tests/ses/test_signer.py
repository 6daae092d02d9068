"""Our signature equals botocore's, which AWS accepts."""

from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.adapters.ses.signer import (
    BotocoreCredentialsSource,
    Credentials,
    FixedCredentials,
    NoCredentials,
    Signer,
)

HOSTS = {
    "http://127.0.0.1:8443": "127.0.0.1:8443",
    "https://email.eu-west-1.amazonaws.com": "email.eu-west-1.amazonaws.com",
}
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


def botocores(
    credentials: Credentials,
    endpoint: str,
    service: str,
    region: str,
    path: str,
    body: bytes,
    sent: dict[str, str],
) -> str:
    """The Authorization header that botocore makes for our headers and date."""
    own = {name: value for name, value in sent.items() if name not in ("authorization", "host")}
    request = AWSRequest("POST", endpoint + path, headers=own, data=body)
    request.context["timestamp"] = sent["x-amz-date"]
    auth = SigV4Auth(
        BotocoreCredentials(credentials.access_key, credentials.secret_key, credentials.token),
        service,
        region,
    )
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    names = auth.signed_headers(auth.headers_to_sign(request))
    return f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, SignedHeaders={names}, Signature={signature}"


@given(
    st.builds(Credentials, WORDS, WORDS, st.none() | WORDS),
    st.sampled_from(list(HOSTS)),
    st.sampled_from(["ses", "sqs"]),
    st.sampled_from(["us-east-1", "eu-central-2"]),
    st.sampled_from(["/", "/v2/email/outbound-emails", "/v2/email/tenants/a%40b%2Bc", "/a b", "/x~y_z-1.2"]),
    st.binary(max_size=200),
    st.dictionaries(st.sampled_from(["content-type", "x-amz-target", "x-other"]), WORDS),
    st.integers(0, 4_000_000_000),
)
def test_every_signature_equals_botocores(
    credentials: Credentials,
    endpoint: str,
    service: str,
    region: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
    now: int,
) -> None:
    sent = Signer(service=service, region=region, host=HOSTS[endpoint]).sign(
        credentials, path, body, headers, now
    )
    assert sent["authorization"] == botocores(credentials, endpoint, service, region, path, body, sent)


def test_the_cached_key_follows_the_day_and_the_credentials() -> None:
    signer = Signer(service="ses", region="us-east-1", host="127.0.0.1:8443")
    endpoint = "http://127.0.0.1:8443"
    first, second = Credentials("AK1", "one"), Credentials("AK2", "two", "session")
    for credentials, now in [(first, 0), (first, 1), (first, 86_400), (second, 86_400), (first, 86_401)]:
        sent = signer.sign(credentials, "/", b"{}", {"content-type": "application/json"}, now)
        assert sent["authorization"] == botocores(credentials, endpoint, "ses", "us-east-1", "/", b"{}", sent)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2).map(lambda n: 1_790_000_000.5 + n / 2 + 86_400 * (n == 2)),
            st.sampled_from(
                [Credentials("AK", "s"), Credentials("AK", "other"), Credentials("AK", "s", "token")]
            ),
            st.sampled_from(["/v2/email/outbound-emails", "/a b"]),
            st.sampled_from([{"content-type": "application/json"}, {"content-type": "x"}, {}]),
            st.sampled_from([b"", b"one", b"two"]),
        ),
        min_size=2,
        max_size=8,
    )
)
def test_what_calls_of_one_second_share_changes_no_signature(
    calls: list[tuple[float, Credentials, str, dict[str, str], bytes]],
) -> None:
    kept = Signer(service="ses", region="us-east-1", host="127.0.0.1:8443")
    for now, credentials, path, headers, body in calls:
        alone = Signer(service="ses", region="us-east-1", host="127.0.0.1:8443")
        assert kept.sign(credentials, path, body, headers, now) == alone.sign(
            credentials, path, body, headers, now
        )


def test_headers_that_the_caller_changes_are_signed_as_they_are() -> None:
    signer, headers = Signer(service="ses", region="us-east-1", host="h"), {"a": "1"}
    before = signer.sign(Credentials("AK", "s"), "/", b"", headers, 1.0)
    headers["a"] = "2"
    after = signer.sign(Credentials("AK", "s"), "/", b"", headers, 1.0)
    assert after["a"] == "2"
    assert after["authorization"] != before["authorization"]


def test_no_repr_shows_the_secret() -> None:
    assert "hush" not in repr(FixedCredentials(Credentials("AK", "hush", "hush-token")))


async def test_credentials_come_from_where_boto3_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    source = BotocoreCredentialsSource()
    with pytest.raises(NoCredentials):
        source.current()
    await source.refresh()
    assert source.current() == Credentials("AKENV", "secret", "token")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKNEW")
    await source.refresh()
    assert source.current().access_key == "AKNEW"


def test_hosts_of_this_test_are_what_the_endpoints_say() -> None:
    assert all(urlsplit(endpoint).netloc == host for endpoint, host in HOSTS.items())
