"""ID tokens: one that proves who somebody is, and every attack on it that the specification names."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from mailcordon.adapters.dashboard.sign_in import id_token
from mailcordon.adapters.dashboard.sign_in.id_token import SKEW_SECONDS, NotProved, UnknownKey

NOW = 1_800_000_000
KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
CLAIMS: dict[str, Any] = {
    "iss": "https://idp.example",
    "sub": "u1",
    "aud": "dashboard",
    "exp": NOW + 300,
    "iat": NOW,
    "nonce": "the-nonce",
}


def published(*keys: Any) -> KeySet:
    return id_token.key_set({"keys": [key.as_dict(private=False) for key in keys or (KEY,)]})


def signed(key: Any = KEY, alg: str = "RS256", header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return jwt.encode({"alg": alg, "kid": key.kid, **(header or {})}, claims, key, algorithms=[alg])


def read(token: str, keys: KeySet | None = None, access: str | None = None) -> dict[str, Any]:
    return id_token.claims(
        token,
        keys or published(),
        issuer="https://idp.example",
        client_id="dashboard",
        nonce="the-nonce",
        access_token=access,
        now=NOW,
    )


def part(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def test_a_good_token_says_who_it_is():
    assert read(signed())["sub"] == "u1"
    assert read(signed(aud=["dashboard", "other"], azp="dashboard"))["sub"] == "u1"
    curve = ECKey.generate_key("P-256", {"kid": "second"})
    assert read(signed(curve, "ES256"), published(KEY, curve))["sub"] == "u1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://other.example"},
        {"iss": "https://idp.example/"},
        {"iss": None},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": None},
        {"aud": "other", "azp": "dashboard"},  # given to somebody else by us
        {"aud": ["other"], "azp": "dashboard"},
        {"aud": ["dashboard", "other"]},  # no authorized party
        {"aud": ["dashboard", "other"], "azp": "other"},
        {"azp": "other"},
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": ""},
        {"sub": None},
        {"exp": None},
        {"exp": NOW - SKEW_SECONDS - 1},
        {"exp": "soon"},
        {"iat": None},
        {"iat": NOW + SKEW_SECONDS + 1},
        {"nbf": NOW + SKEW_SECONDS + 1},
    ],
    ids=str,
)
def test_a_token_for_somebody_else_or_of_another_time_is_refused(wrong: dict[str, Any]):
    with pytest.raises(NotProved, match="not for this sign-in"):
        read(signed(**wrong))


def test_the_providers_clock_may_differ_by_a_minute_and_no_more():
    assert read(signed(exp=NOW - SKEW_SECONDS + 5, iat=NOW + SKEW_SECONDS - 5))


@pytest.mark.parametrize("alg", ["none", "None", "nOnE"])
def test_a_token_without_signature_is_refused(alg: str):
    token = f"{part({'alg': alg, 'kid': 'first'})}.{part(CLAIMS)}."
    with pytest.raises(NotProved, match="signature"):
        read(token)


def test_the_public_key_is_no_shared_secret():
    said = f"{part({'alg': 'HS256', 'kid': 'first'})}.{part(CLAIMS)}"
    for secret in (KEY.as_pem(private=False), json.dumps(KEY.as_dict(private=False)).encode()):
        signature = hmac.new(secret, said.encode(), hashlib.sha256).digest()
        with pytest.raises(NotProved, match="signature"):
            read(f"{said}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}")
    shared = OctKey.import_key(b"a-client-secret-of-32-characters", {"kid": "shared"})
    with pytest.raises(NotProved):  # nor one that the provider publishes by mistake
        read(signed(shared, "HS256"), id_token.key_set({"keys": [shared.as_dict(private=True)]}))


def test_a_key_that_a_token_brings_along_is_not_believed():
    own = RSAKey.generate_key(2048, {"kid": "first"})
    with pytest.raises(NotProved, match="signature"):
        read(signed(own))
    with pytest.raises(NotProved):
        read(signed(own, header={"jwk": own.as_dict(private=False), "jku": "https://evil.example"}))
    with pytest.raises(UnknownKey):
        read(signed(RSAKey.generate_key(2048, {"kid": "new"})))


def test_what_was_changed_after_the_signature_is_refused():
    header, body, signature = signed().split(".")
    for token in (
        f"{header}.{part({**CLAIMS, 'sub': 'u2'})}.{signature}",
        f"{part({'alg': 'RS512', 'kid': 'first'})}.{body}.{signature}",
        f"{header}.{body}.",
        f"{header}.{body}",
        "",
        "a.b.c",
        "x" * 70_000,
    ):
        with pytest.raises(NotProved):
            read(token)


def test_it_belongs_to_the_access_token_that_came_with_it():
    good = "77QmUPtjPfzWtF2AnpK9RQ"  # of the access token of OpenID Connect Core 1.0, A.3
    access = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
    assert read(signed(at_hash=good), access=access)
    with pytest.raises(NotProved, match="not for this sign-in"):
        read(signed(at_hash=good), access="another")


@pytest.mark.parametrize(
    "document", [{}, {"keys": None}, {"keys": []}, {"keys": ["x"]}, {"keys": [{"kty": "RSA"}]}, {"keys": 1}]
)
def test_keys_that_cannot_be_read_are_said_to_be(document: dict[str, Any]):
    with pytest.raises(NotProved, match="keys cannot be read"):
        id_token.key_set(document)
