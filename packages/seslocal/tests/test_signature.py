"""Signatures: everything that botocore signs passes, modified requests fail, and each error is AWS's, through real boto3 in
each service's protocol."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

import seslocal
from seslocal.errors import ApiError
from seslocal.wire import signature, sigv4a
from seslocal.wire.access_keys import Key, Keys
from seslocal.wire.protocol import Request
from seslocal_fixtures import signing
from seslocal_fixtures.world import SESSION, Background

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

REGION = "us-east-1"
INVALID = "The security token included in the request is invalid."
EXPIRED = "The security token included in the request is expired"
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)
Client = Callable[..., Any]


# the algorithm, against botocore's


WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
#: Characters that a client writes into an encoded path or query; slashes and dots sometimes stay raw.
PATHS = st.lists(
    st.one_of(WORDS.map(lambda text: quote(text, safe="")), st.sampled_from(["", ".", "..", "a@b"]))
)
QUERIES = st.lists(st.tuples(WORDS, WORDS), max_size=4)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E) | st.just("\t"), max_size=20)
HEADERS = st.dictionaries(
    st.sampled_from(["X-Amz-Target", "X-Amz-Meta", "Content-Type", "X-Other", "a"]), VALUES, max_size=4
)
KEYS = st.sampled_from([("test", "test", None), ("other.key", "sécret/+=", None), ("temp", "s", "tok/en+=")])


def sent(request: Any) -> Request:
    """Returns the request as the server would read it."""
    parts = urlsplit(request.url)
    headers = {name.lower(): value.strip(" \t") for name, value in request.headers.items()}
    headers.setdefault("host", parts.netloc)
    body = request.body or b""
    return Request(request.method, parts.path or "/", parts.query, headers, body, "", keep_alive=True)


def unsigned(method: str, path: list[str], query: list[tuple[str, str]], **more: Any) -> AWSRequest:
    text = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query)
    return AWSRequest(method, f"http://h:1/{'/'.join(path)}" + (f"?{text}" if text else ""), **more)


def keys(*given: tuple[str, str, str | None]) -> Keys:
    found = Keys([])
    for key_id, secret, token in given:
        found.put(Key(id=key_id, secret=secret, token=token, user=key_id))
    return found


def passes(request: Request, known: Keys, service: str = "ses", now: float | None = None) -> str:
    now = time.time() if now is None else now
    return signature.check(request, known, (service,), REGION, now).id


@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]), PATHS, QUERIES, HEADERS, st.binary(max_size=50), KEYS
)
def test_what_botocore_signs_passes(
    method: str,
    path: list[str],
    query: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    key: tuple[str, str, str | None],
) -> None:
    request = unsigned(method, path, query, headers=headers, data=body)
    SigV4Auth(Credentials(*key), "ses", REGION).add_auth(request)
    assert passes(sent(request), keys(key)) == key[0]


@given(st.sampled_from(["GET", "POST"]), PATHS, st.dictionaries(WORDS, WORDS, max_size=3), KEYS)
def test_what_botocore_presigns_passes(
    method: str, path: list[str], query: dict[str, str], key: tuple[str, str, str | None]
) -> None:
    request = unsigned(method, path, list(query.items()))
    SigV4QueryAuth(Credentials(*key), "sns", REGION, expires=600).add_auth(request)
    known = keys(key)
    assert passes(sent(request), known, "sns") == key[0]
    assert passes(sent(request), known, "sns", time.time() + 590) == key[0]
    with pytest.raises(ApiError, match="Signature expired: .* is now earlier than .* - 10 min.\\)"):
        passes(sent(request), known, "sns", time.time() + 610)


@given(st.data())
def test_nothing_of_a_signed_request_can_be_changed(data: st.DataObject) -> None:
    path, query, body = ["v2", "e%40mail"], [("b", "2"), ("a", "1"), ("a", "0")], b'{"to":"kim"}'
    headers = {"Content-Type": "application/json", "X-Amz-Target": "T.Op"}
    request = unsigned("POST", path, query, headers=headers, data=body)
    presigned = data.draw(st.booleans())
    signer: Any = SigV4QueryAuth if presigned else SigV4Auth
    # when presigning, botocore moves a body into the query
    request.data = b"" if presigned else body
    signer(Credentials("test", "test"), "ses", REGION).add_auth(request)
    good = sent(request)
    assert passes(good, Keys([("test", "test")]))
    bad = _changed(good, data)
    with pytest.raises(ApiError) as refused:
        passes(bad, Keys([("test", "test"), ("tesu", "tesu")]))
    assert refused.value.status == 403


def _changed(good: Request, data: st.DataObject) -> Request:
    """Replaces one character at a random position."""
    places: dict[str, str] = {
        "method": good.method,
        "path": good.path,
        "query": good.query,
        "body": good.body.decode() or " ",
        **{f"header {name}": value for name, value in good.headers.items()},
    }
    place = data.draw(st.sampled_from([name for name, text in places.items() if text]))
    text = places[place]
    # White space of the Authorization header, and the case of header names in it, have no meaning.
    layout = ", " if place == "header authorization" else ""
    at = data.draw(st.sampled_from([at for at, character in enumerate(text) if character not in layout]))
    other = data.draw(st.sampled_from("aZ0=%&/;, ").filter(lambda c: c.lower() != text[at].lower()))
    changed = text[:at] + other + text[at + 1 :]
    headers = dict(good.headers)
    if place.startswith("header "):
        headers[place[7:]] = changed
        return Request(good.method, good.path, good.query, headers, good.body, "", keep_alive=True)
    parts = {"method": good.method, "path": good.path, "query": good.query, place: changed}
    body = changed.encode() if place == "body" else good.body
    return Request(parts["method"], parts["path"], parts["query"], headers, body, "", keep_alive=True)


def test_a_cached_credential_is_valid_for_its_region_service_and_day_only() -> None:
    request = unsigned("GET", ["v2"], [], headers={"Date": "Thu, 01 Jan 2026 00:00:00 GMT"})
    SigV4Auth(Credentials("test", "test"), "ses", REGION).add_auth(request)
    known, now = Keys([("test", "test")]), time.time()
    assert passes(sent(request), known)
    with pytest.raises(ApiError, match="correct service: 'sqs'"):
        passes(sent(request), known, "sqs")
    with pytest.raises(ApiError, match="valid region"):
        signature.check(sent(request), known, ("ses",), "eu-west-1", now)
    request.headers.replace_header("Date", "Thu, 01 Jan 2026 00:00:00 GMT")
    with pytest.raises(ApiError, match="Date in Credential scope does not match"):
        passes(sent(request), known, now=1767225600)


def test_repeated_headers_are_signed_as_a_list(world: World) -> None:
    data = signing.wire("GET", "/v2/email/account", headers={"X-Amz-Two": "a,b   c"})
    twice = data.replace(b"X-Amz-Two: a,b   c", b"X-Amz-Two:  a \r\nX-Amz-Two: b   c")
    assert data != twice
    assert world.talk(twice).startswith(b"HTTP/1.1 200")


def test_an_unsigned_payload_is_refused() -> None:
    request = unsigned("POST", ["v2"], [], data=b"x", headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    SigV4Auth(Credentials("test", "test"), "ses", REGION).add_auth(request)
    with pytest.raises(ApiError, match="does not match"):
        passes(sent(request), Keys([("test", "test")]))


def test_an_http_date_header_is_accepted() -> None:
    request = unsigned("GET", ["v2"], [], headers={"Date": "Thu, 01 Jan 2026 00:00:00 GMT"})
    SigV4Auth(Credentials("test", "test"), "ses", REGION).add_auth(request)
    assert "X-Amz-Date" not in request.headers
    assert passes(sent(request), Keys([("test", "test")])) == "test"


# SigV4a


def wide(regions: str, *, secret: str = "test", signed_regions: bool = True) -> Request:
    """Signs for several regions with the key pair that seslocal derives; a test below compares that with AWS's own runtime."""
    names = "host;x-amz-date;x-amz-region-set" if signed_regions else "host;x-amz-date"
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    headers = {"host": "h:1", "x-amz-date": stamp, "x-amz-region-set": regions}
    lines = "".join(f"{name}:{headers[name]}\n" for name in names.split(";"))
    canonical = f"GET\n/v2/email/account\n\n{lines}\n{names}\n{hashlib.sha256(b'').hexdigest()}"
    scope = f"{stamp[:8]}/ses/aws4_request"
    to_sign = f"{sigv4a.ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    pair = sigv4a.private_key("test", secret)
    made = pair.sign(to_sign.encode(), ec.ECDSA(hashes.SHA256())).hex()
    claim = f"{sigv4a.ALGORITHM} Credential=test/{scope}, SignedHeaders={names}, Signature={made}"
    return Request(
        "GET", "/v2/email/account", "", {**headers, "authorization": claim}, b"", "", keep_alive=True
    )


def test_a_sigv4a_signature_of_awscrt_for_all_regions_passes() -> None:
    names = "content-type;host;x-amz-date;x-amz-region-set"
    made = (
        "30440220658ecd9a234a9f4d3c582e0ceced58514d071dba89d0559f992aa59c833715"
        "79022074c74346d505148670d13d1c8daee1f294d8a7d0e04553610bd0411f580d6ef4"
    )
    headers = {
        "content-type": "application/json",
        "host": "h:1",
        "x-amz-date": "20261128T074450Z",
        "x-amz-region-set": "*",
        "authorization": f"AWS4-ECDSA-P256-SHA256 Credential=test/20261128/ses/aws4_request, SignedHeaders={names}, "
        f"Signature={made}",
    }
    at = datetime(2026, 11, 28, 7, 45, tzinfo=UTC).timestamp()
    request = Request("POST", "/v2/email/a%40b/0", "b=2&a=%20x", headers, b'{"x":0}', "", keep_alive=True)
    known = Keys([("test", "test")])
    assert passes(request, known, now=at) == passes(request, known, now=at) == "test"
    request.body = b'{"x":1}'
    with pytest.raises(ApiError, match="does not match"):
        passes(request, known, now=at)


@pytest.mark.parametrize("regions", ["*", "us-east-1", "eu-west-1, us-east-1", "us-*"])
def test_a_sigv4a_signature_is_valid_in_each_of_its_regions(regions: str) -> None:
    assert passes(wide(regions), Keys([("test", "test")])) == "test"


@pytest.mark.parametrize(
    ("regions", "more", "why"),
    [
        ("eu-west-1", {}, "valid region"),
        ("us-east-11", {}, "valid region"),
        ("eu-*", {}, "valid region"),
        ("*", {"signed_regions": False}, "valid region"),
        ("*", {"secret": "other"}, "does not match"),
    ],
)
def test_a_sigv4a_signature_is_refused_in_other_regions(regions: str, more: dict[str, Any], why: str) -> None:
    known = Keys([("test", "test")])
    assert passes(wide("*"), known)
    with pytest.raises(ApiError, match=why):
        passes(wide(regions, **more), known)


def test_sigv4_and_sigv4a_cannot_be_mixed() -> None:
    request = unsigned("GET", ["v2"], [])
    SigV4Auth(Credentials("test", "test"), "ses", REGION).add_auth(request)
    known = Keys([("test", "test")])
    assert passes(sent(request), known)
    claim = request.headers["Authorization"].replace("AWS4-HMAC-SHA256", sigv4a.ALGORITHM)
    request.headers.replace_header("Authorization", claim)
    with pytest.raises(ApiError, match="exactly 4 slash-delimited"):
        passes(sent(request), known)


# each error, through boto3


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    """Makes boto3 clients with other keys, regions and signing names."""
    made: list[Any] = []

    def make(service: str, *key: str, region: str = REGION, name: str | None = None) -> Any:
        id, secret, token = (*(key or ("test", "test")), None)[:3]
        found = SESSION.client(
            service,
            endpoint_url=world.local.url,
            config=Config(retries={"total_max_attempts": 1}),
            region_name=region,
            aws_access_key_id=id,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )
        if name is not None:
            found.meta.events.register("choose-signer", lambda **_: "v4")
            found._request_signer._signing_name = name
        made.append(found)
        return found

    yield make
    for each in made:
        each.close()


#: service, a call, and the service's error codes
SERVICES = [
    ("sesv2", "get_account", ("UnrecognizedClientException", "InvalidSignatureException", "ses")),
    ("sqs", "list_queues", ("InvalidClientTokenId", "SignatureDoesNotMatch", "sqs")),
    ("sns", "list_topics", ("InvalidClientTokenId", "SignatureDoesNotMatch", "sns")),
]


@pytest.mark.parametrize(("service", "call", "codes"), SERVICES)
def test_an_unknown_key_and_a_wrong_secret_have_different_errors(
    world: World, client: Client, service: str, call: str, codes: tuple[str, str, str]
) -> None:
    assert world.refused(getattr(client(service, "nobody", "test"), call)) == (403, codes[0], INVALID)
    assert world.refused(getattr(client(service, "test", "wrong"), call)) == (403, codes[1], MISMATCH)


@pytest.mark.parametrize(("service", "call", "codes"), SERVICES)
def test_a_credential_of_another_region_or_service_is_refused(
    world: World, client: Client, service: str, call: str, codes: tuple[str, str, str]
) -> None:
    elsewhere = client(service, region="eu-west-1")
    refused = world.refused(getattr(elsewhere, call))
    assert refused == (403, codes[1], "Credential should be scoped to a valid region. ")
    refused = world.refused(getattr(client(service, name="execute-api"), call))
    assert refused == (403, codes[1], f"Credential should be scoped to correct service: '{codes[2]}'. ")


def test_old_clients_sign_for_email(client: Client) -> None:
    assert client("sesv2", name="email").get_account()["SendingEnabled"]


@pytest.mark.parametrize(("seconds", "sign"), [(301, "-"), (-301, "+")])
@pytest.mark.parametrize(("service", "call", "codes"), SERVICES)
def test_a_signature_time_off_by_more_than_five_minutes_is_refused(
    world: World,
    client: Client,
    service: str,
    call: str,
    codes: tuple[str, str, str],
    seconds: int,
    sign: str,
) -> None:
    world.fault("clock_skew", seconds=seconds)
    status, code, message = world.refused(getattr(client(service), call))
    start = "Signature expired: " if sign == "-" else "Signature not yet current: "
    assert (status, code) == (403, codes[1])
    assert message.startswith(start)
    assert message.endswith(f" {sign} 5 min.)")


def test_a_signature_time_off_by_less_passes_whatever_the_accounts_clock(
    world: World, client: Client
) -> None:
    world.admin("PUT", "/clock", {"at": "2020-01-01T00:00:00Z", "frozen": True})
    fault = world.fault("clock_skew", seconds=290)
    assert client("sesv2").get_account()
    world.admin("DELETE", f"/faults/{fault}")
    world.fault("clock_skew", seconds=-290)
    assert client("sesv2").get_account()


def test_responses_have_the_date_that_signatures_are_compared_with(world: World, client: Client) -> None:
    world.admin("PUT", "/clock", {"at": "2020-01-01T00:00:00Z", "frozen": True})
    world.fault("clock_skew", seconds=200)
    answer = client("sesv2").get_account()["ResponseMetadata"]["HTTPHeaders"]["date"]
    date = datetime.strptime(answer, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC).timestamp()
    assert abs(date - time.time() - 200) < 60


def plain(world: World, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, str, str]:
    """Makes an SES v2 call with only these headers. Returns status, code and message."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode()
    top, _, answer = world.talk(head + body).partition(b"\r\n\r\n")
    [code] = [line[18:] for line in top.decode().split("\r\n") if line.startswith("x-amzn-ErrorType: ")]
    return int(top.split()[1]), code, json.loads(answer)["message"]


ACCOUNT = "/v2/email/account"
DATED = {"X-Amz-Date": "20260101T000000Z"}
FOUR = "AWS4-HMAC-SHA256 Credential=a/b/c/d, SignedHeaders=host, Signature=e"


@pytest.mark.parametrize(
    ("headers", "code", "message"),
    [
        ({}, "MissingAuthenticationToken", "Missing Authentication Token"),
        ({"Authorization": ""}, "MissingAuthenticationToken", "Missing Authentication Token"),
        ({"Authorization": "Basic eDp5"}, "MissingAuthenticationToken", "Missing Authentication Token"),
        (
            {"Authorization": "AWS4-HMAC-SHA256"},
            "IncompleteSignature",
            "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. "
            "Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either "
            "a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256",
        ),
        (
            {"Authorization": "AWS4-HMAC-SHA256 Credential"},
            "IncompleteSignature",
            "'Credential' not a valid key=value pair (missing equal-sign) in Authorization header: "
            "'AWS4-HMAC-SHA256 Credential'.",
        ),
        (
            {"Authorization": FOUR, "X-Amz-Date": "2026"},
            "IncompleteSignature",
            "Date must be in ISO-8601 'basic format'. Got '2026'. See http://en.wikipedia.org/wiki/ISO_8601",
        ),
    ],
)
def test_the_error_for_a_malformed_authorization_names_what_is_missing(
    world: World, headers: dict[str, str], code: str, message: str
) -> None:
    assert plain(world, ACCOUNT, headers) == (403, f"{code}Exception", message)


def stamped(authorization: str) -> dict[str, str]:
    return {"Authorization": authorization, "X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())}


def test_a_signature_is_checked_in_awss_order(world: World) -> None:
    refused = plain(world, ACCOUNT, stamped(FOUR.replace("=host", "=date")))
    assert refused[2] == "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
    refused = plain(world, ACCOUNT, stamped(FOUR.replace("SHA256", "SHA512")))
    assert refused[1:] == (
        "IncompleteSignatureException",
        "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA512' (only AWS4-HMAC-SHA256 for now). ",
    )
    refused = plain(world, ACCOUNT, stamped(FOUR))
    assert refused[2].startswith("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/")
    headers = stamped(FOUR.replace("a/b/c/d", "a/20200101/us-east-1/ses/aws3_request"))
    date = headers["X-Amz-Date"]
    assert plain(world, ACCOUNT, headers) == (
        403,
        "InvalidSignatureException",
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws3_request'. "
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        f"'20200101' != '{date[:8]}', from '{date}'. ",
    )


def test_the_error_for_a_presigned_call_names_what_is_missing(world: World) -> None:
    refused = plain(world, ACCOUNT + "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=x", {})
    assert refused == (
        403,
        "IncompleteSignatureException",
        "AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include "
        "'X-Amz-Signature'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the "
        "query-string parameters.",
    )
    refused = plain(world, ACCOUNT + "?X-Amz-Algorithm=AWS4-HMAC-SHA256", {"Authorization": FOUR})
    assert refused[2].startswith("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization'")


def test_a_query_parameter_that_only_ends_like_a_signature_parameter_is_ignored(world: World) -> None:
    claim = "X-Amz-Credential=a&X-Amz-Signature=b&X-Amz-SignedHeaders=host&X-Amz-Date=x"
    refused = plain(world, f"{ACCOUNT}?{claim}&My-X-Amz-Algorithm=AWS4-HMAC-SHA256", {})
    assert refused[1] == "MissingAuthenticationTokenException"


@pytest.mark.parametrize("expires", ["", "x", "-1", "604801", "9" * 5000])
def test_a_presigned_call_is_valid_for_a_week_at_most(world: World, expires: str) -> None:
    claim = (
        f"&X-Amz-Credential=a&X-Amz-Signature=b&X-Amz-SignedHeaders=host&X-Amz-Date=x&X-Amz-Expires={expires}"
    )
    refused = plain(world, f"{ACCOUNT}?X-Amz-Algorithm=AWS4-HMAC-SHA256{claim}", {})
    assert refused[:2] == (403, "IncompleteSignatureException")
    assert refused[2].startswith("X-Amz-Expires ")


def test_an_unknown_signed_header_is_a_mismatch(world: World) -> None:
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    claim = f"X-Amz-Credential=test/{date[:8]}/us-east-1/ses/aws4_request&X-Amz-Signature=b&X-Amz-Date={date}"
    path = f"{ACCOUNT}?X-Amz-Algorithm=AWS4-HMAC-SHA256&{claim}&X-Amz-SignedHeaders=host;%E2%98%83"
    assert plain(world, path, {})[2] == MISMATCH


def test_a_presigned_call_of_boto3_works(world: World, client: Client) -> None:
    path = client("sesv2").generate_presigned_url("get_account").removeprefix(world.local.url)
    assert world.bare("GET", path)[0] == 200
    topic = client("sns").create_topic(Name="news")["TopicArn"]
    path = client("sns").generate_presigned_url("get_topic_attributes", {"TopicArn": topic}, HttpMethod="GET")
    status, answer = world.bare("GET", path.removeprefix(world.local.url))
    assert (status, topic.encode() in answer) == (200, True)
    assert world.bare("GET", path.removeprefix(world.local.url) + "&Action=DeleteTopic")[0] == 403


@given(st.text(st.characters(max_codepoint=0xFF, exclude_categories=("Cc",)), max_size=80), st.booleans())
def test_no_authorization_text_crashes_the_check(text: str, presigned: bool) -> None:
    names = ("Algorithm", "Credential", "SignedHeaders", "Date", "Expires", "Signature", "Security-Token")
    query = "&".join(f"X-Amz-{name}={quote(text)}" for name in names) if presigned else ""
    given = (
        {} if presigned else {"authorization": f"AWS4-HMAC-SHA256 {text}", "x-amz-date": text, "date": text}
    )
    for headers in (
        given,
        given and {**given, **{key.lower(): value for key, value in stamped(FOUR + text).items()}},
    ):
        request = Request("POST", "/", query, {"host": "x", **headers}, b"", "", keep_alive=True)
        with pytest.raises(ApiError) as refused:
            passes(request, Keys([("test", "test")]))
        assert refused.value.status == 403


# keys


def test_keys_are_added_and_deleted(world: World, client: Client) -> None:
    world.admin("PUT", "/keys/second", {"secret": "s3cret", "user": "mailer"})
    second = client("sesv2", "second", "s3cret")
    assert second.get_account()
    shown = world.admin("GET", "/keys")
    assert [key["key"] for key in shown["keys"]] == ["test", "second"]
    assert "s3cret" not in json.dumps(shown)
    world.admin("PUT", "/keys/second", {"secret": "changed"})
    assert world.refused(second.get_account)[2] == MISMATCH
    world.admin("DELETE", "/keys/second")
    assert world.refused(second.get_account)[2] == INVALID
    world.admin("DELETE", "/keys/second", expect=404)
    world.admin("GET", "/keys/second", expect=404)


def test_temporary_credentials_need_their_token_until_they_expire(world: World, client: Client) -> None:
    now = world.admin("GET", "/clock")["now"]
    given = {"secret": "s", "session_token": "tok", "expires": now + 3600}
    assert world.admin("PUT", "/keys/temporary", given)["expired"] is False
    for service, call, (unknown, _, _) in SERVICES:
        assert getattr(client(service, "temporary", "s", "tok"), call)()
        assert world.refused(getattr(client(service, "temporary", "s"), call)) == (403, unknown, INVALID)
        assert world.refused(getattr(client(service, "temporary", "s", "other"), call)) == (
            403,
            unknown,
            INVALID,
        )
        assert world.refused(getattr(client(service, "test", "test", "tok"), call)) == (403, unknown, INVALID)
    world.admin("PUT", "/clock", {"advance": 3601})
    assert world.admin("GET", "/keys/temporary")["expired"] is True
    for (service, call, _), code in zip(
        SERVICES, ("ExpiredTokenException", "ExpiredToken", "ExpiredToken"), strict=True
    ):
        refused = world.refused(getattr(client(service, "temporary", "s", "tok"), call))
        assert refused == (403, code, EXPIRED)


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("k", {}),
        ("k", {"secret": ""}),
        ("k", {"secret": "s", "expires": 1}),
        ("k", {"secret": "s", "session_token": "a\nb"}),
        ("a%20b", {"secret": "s"}),
        ("k", {"secret": "s", "colour": "red"}),
    ],
)
def test_an_invalid_key_is_refused(world: World, key: str, body: dict[str, object]) -> None:
    world.admin("PUT", f"/keys/{key}", body, expect=400)


def test_the_number_of_keys_is_limited(world: World) -> None:
    for number in range(999):
        world.local.account.access.keys.put(Key(id=str(number), secret="s", user="u"))
    world.admin("PUT", "/keys/more", {"secret": "s"}, expect=400)


def test_events_name_the_user_of_the_key(world: World, client: Client) -> None:
    world.ready()
    world.admin("PUT", "/keys/second", {"secret": "s", "user": "mailer"})
    world.ses = client("sesv2", "second", "s")
    world.send("kim@example.com")
    assert world.events(2)[0]["mail"]["tags"]["ses:caller-identity"] == ["mailer"]


# the switch, and what needs no signature


def test_checking_can_be_switched_off(world: World, client: Client) -> None:
    world.admin("PUT", "/account", {"check_signatures": False})
    assert client("sesv2", "nobody", "x", region="eu-west-1").get_account()
    assert world.bare("GET", ACCOUNT)[0] == 200
    assert world.bare("POST", "/", b"{}", {"X-Amz-Target": "AmazonSQS.ListQueues"})[0] == 200
    world.admin("PUT", "/account", {"check_signatures": True})
    assert world.bare("GET", ACCOUNT)[0] == 403
    assert world.bare("POST", "/", b"{}", {"X-Amz-Target": "AmazonSQS.ListQueues"})[0] == 403


def test_settings_add_keys_and_can_turn_checking_off() -> None:
    for settings, status in (
        (seslocal.Settings(keys=(("a", "b"),)), 403),
        (seslocal.Settings(check_signatures=False), 200),
    ):
        server = Background(settings)
        try:
            host, port = server.local.host, server.local.port
            assert _get(host, port, signing.signed("GET", ACCOUNT, host=f"{host}:{port}")) == status
            key = Credentials("a", "b")
            headers = signing.signed("GET", ACCOUNT, host=f"{host}:{port}", credentials=key)
            assert _get(host, port, headers) == 200
        finally:
            server.stop()


def _get(host: str, port: int, headers: dict[str, str]) -> int:
    import http.client

    connection = http.client.HTTPConnection(host, port, timeout=60)
    try:
        connection.request("GET", ACCOUNT, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_older_codes_and_explained_mismatches_are_switches(world: World, client: Client) -> None:
    switches = {"old_signature_codes": True, "explain_signatures": True}
    world.admin("PUT", "/account", {"behaviour": switches})
    assert world.refused(client("sesv2", "nobody", "x").get_account)[1] == "InvalidClientTokenId"
    _, code, message = world.refused(client("sesv2", "test", "x").get_account)
    assert code == "SignatureDoesNotMatch"
    assert message.startswith(
        MISMATCH + "\n\nThe Canonical String for this request should have been\n'GET\n" + ACCOUNT
    )
    assert "\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n" in message


def test_pages_admin_and_links_need_no_signature(world: World, client: Client) -> None:
    topic = client("sns").create_topic(Name="news")["TopicArn"]
    assert world.bare("GET", "/_seslocal/health")[0] == 200
    assert world.bare("GET", "/")[0] == 200
    refused = world.bare("GET", f"/?Action=ConfirmSubscription&TopicArn={topic}&Token=x")
    assert (refused[0], b"InvalidParameter" in refused[1]) == (400, True)
    refused = world.bare("GET", "/?Action=ListTopics")
    assert (refused[0], b"<Code>MissingAuthenticationToken</Code>" in refused[1]) == (403, True)
    assert world.bare("POST", "/", b"Version=2010-03-31&Action=ListTopics")[0] == 403


def test_an_sns_link_with_a_wrong_signature_is_refused(world: World) -> None:
    refused = world.bare(
        "GET", "/?Action=ConfirmSubscription&TopicArn=x&Token=x", None, {"Authorization": FOUR}
    )
    assert (refused[0], b"<Code>IncompleteSignature</Code>" in refused[1]) == (403, True)
