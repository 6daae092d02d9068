"""What a discovery document must say before it is believed."""

from typing import Any

import pytest

from mailcordon.adapters.dashboard.sign_in.provider import checked_metadata
from mailcordon.core.errors import Unavailable

ISSUER = "https://idp.example"
GOOD: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": "https://idp.example/auth",
    "token_endpoint": "https://login.example/token",
    "jwks_uri": "https://idp.example/keys",
    "userinfo_endpoint": "https://idp.example/me",
    "code_challenge_methods_supported": ["plain", "S256"],
}


def test_a_good_document_is_taken():
    assert checked_metadata(GOOD, ISSUER) == GOOD
    local = {
        name: str(value).replace("https://idp.example", "http://127.0.0.1:3000")
        for name, value in GOOD.items()
    }
    assert checked_metadata({**local, "code_challenge_methods_supported": None}, "http://127.0.0.1:3000")


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://evil.example"},
        {"issuer": ISSUER + "/"},
        {"issuer": None},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "http://idp.example/token"},
        {"token_endpoint": "http://127.0.0.1/token"},
        {"token_endpoint": "https://"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": ["https://idp.example/keys"]},
        {"userinfo_endpoint": "http://10.0.0.1/me"},
        {"code_challenge_methods_supported": ["plain"]},
    ],
    ids=str,
)
def test_another_issuer_clear_text_or_no_pkce_is_refused(wrong: dict[str, Any]):
    with pytest.raises(Unavailable, match="cannot be used now"):
        checked_metadata({**GOOD, **wrong}, ISSUER)
