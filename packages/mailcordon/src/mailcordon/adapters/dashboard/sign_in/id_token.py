"""Whether an ID token proves who somebody is (OpenID Connect Core 1.0, 3.1.3.7). No network, no clock of its own."""

from collections.abc import Mapping
from typing import Any

from authlib.oidc.core import CodeIDToken  # pyright: ignore[reportMissingTypeStubs]
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError, MissingKeyError
from joserfc.jwk import KeySet

#: Signatures with a key that only the provider has. Not `none`, and none with a secret that is shared (HS256): a public key must
#: never be taken for one.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
SKEW_SECONDS = 60  #: by which the provider's clock may differ from ours
LONGEST = 64 * 1024  #: characters of a token; a person in hundreds of groups has some kilobytes


class NotProved(Exception):
    """The token proves nothing. The message says why, in words for a person."""


class UnknownKey(NotProved):
    """It is signed with a key that is not among those that we know: the provider may have a new one."""


def key_set(document: Mapping[str, Any]) -> KeySet:
    """The provider's public keys. Raises NotProved."""
    try:
        return KeySet.import_key_set({"keys": list(document["keys"])})
    except (JoseError, KeyError, TypeError, ValueError):
        raise NotProved("its keys cannot be read") from None


def claims(
    token: str,
    keys: KeySet,
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str | None,
    now: float,
) -> dict[str, Any]:
    """What the token says of a person. Raises NotProved.

    Checked: signature, issuer, audience and authorized party, times, the nonce of this browser's request, and that it belongs to
    the access token that came with it.
    """
    if len(token) > LONGEST:
        raise NotProved("the ID token is too long")
    try:
        found = jwt.decode(token, keys, algorithms=ALGORITHMS)
    except (InvalidKeyIdError, MissingKeyError):
        raise UnknownKey("the ID token is signed with an unknown key") from None
    except (JoseError, ValueError, KeyError, TypeError) as problem:
        raise NotProved(f"the signature of the ID token is not valid ({type(problem).__name__})") from None
    made: Any = CodeIDToken
    checked = made(
        found.claims,
        found.header,
        options={
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": client_id},
            "nonce": {"essential": True, "value": nonce},
        },
        params={"nonce": nonce, "client_id": client_id, "access_token": access_token},
    )
    try:
        checked.validate(now=int(now), leeway=SKEW_SECONDS)
    except (JoseError, ValueError, KeyError, TypeError) as problem:
        raise NotProved(f"the ID token is not for this sign-in ({_why(problem)})") from None
    return dict(found.claims)


def _why(problem: Exception) -> str:
    """The claim that is wrong, without its value."""
    claim = getattr(problem, "claim", None)
    return f"{type(problem).__name__}: {claim}" if isinstance(claim, str) else type(problem).__name__
