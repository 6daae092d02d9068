"""Checks AWS Signature Version 4 in the Authorization header, as SES's SDKs send it.

The digest of the body is computed here, whatever a client says in X-Amz-Content-Sha256: of AWS's services only S3 takes unsigned
and streamed payloads (ses.md 10). All that stays the same from one request to the next is kept: the members of the header but the
signature, the signing key, the canonical path.
"""

import hashlib
import hmac
import time
from calendar import timegm
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from mailcordon.adapters.http.ses_door.errors import SesError
from mailcordon.control.access_keys import KnownAccess
from mailcordon.core import text as texts
from mailcordon.messages import ses_door as messages

SKEW = 300  #: seconds (ses.md 10)
ALGORITHM = "AWS4-HMAC-SHA256"
PREFIX = b"AWS4-"
_SERVICES = ("ses", "email")  #: signing names; old clients use the second
_SIGNATURE = "Signature="
_LONGEST_SCOPE = 64  #: characters of `DATE/REGION/SERVICE`

Headers = Sequence[tuple[bytes, bytes]]


class Claim(NamedTuple):
    """An Authorization header without its signature: the same all day."""

    access_key: str
    scope: str  #: `DATE/REGION/SERVICE`
    signed: str  #: names, as they stand in the canonical request
    names: tuple[bytes, ...]


def claimed_key(authorization: str) -> str | None:
    """The id of the access key that the header names. Nothing is checked."""
    _, found, rest = authorization.partition("Credential=")
    return rest.partition("/")[0] if found and len(rest) < 4096 else None


def claim(authorization: str | None) -> tuple[Claim, str]:
    """What the header says, and the signature. Raises SesError."""
    if authorization is None:
        raise refusal("MissingAuthenticationTokenException", messages.no_signature())
    if not authorization.startswith("AWS4-"):
        raise refusal("MissingAuthenticationTokenException", messages.bearer_at_ses_door())
    # SDKs put the signature last.
    start, found, signature = authorization.rpartition(_SIGNATURE)
    if not found or "," in signature:
        start, signature = _signature_inside(authorization)
    return _claim(start), signature


def _signature_inside(authorization: str) -> tuple[str, str]:
    parts = [part.strip() for part in authorization.replace(",", ", ").split(",")]
    rest = ",".join(part for part in parts if not part.startswith(_SIGNATURE))
    found = [part.removeprefix(_SIGNATURE) for part in parts if part.startswith(_SIGNATURE)]
    return rest, found[0] if len(found) == 1 else ""


@lru_cache(256)
def _claim(start: str) -> Claim:
    algorithm, _, rest = start.partition(" ")
    if algorithm != ALGORITHM:
        shown = texts.harmless(algorithm, 64)
        raise refusal("IncompleteSignatureException", messages.unknown_algorithm(shown))
    members = {name.strip(): value for name, _, value in (part.partition("=") for part in rest.split(","))}
    credential, names = members.get("Credential"), members.get("SignedHeaders")
    if not credential or not names:
        missing = [n for n, v in (("Credential", credential), ("SignedHeaders", names)) if not v]
        raise refusal("IncompleteSignatureException", messages.signature_incomplete(", ".join(missing)))
    parts = credential.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request" or len(credential) > _LONGEST_SCOPE + 64:
        raise refusal("IncompleteSignatureException", messages.signature_incomplete("Credential"))
    id, date, region, service, _ = parts
    if service not in _SERVICES:
        raise refusal("InvalidSignatureException", messages.wrong_service(texts.harmless(service, 64)))
    ordered = sorted({name.strip().lower() for name in names.split(";")})
    if "host" not in ordered:
        raise refusal("InvalidSignatureException", messages.host_not_signed())
    signed = tuple(name.encode("latin-1", "replace") for name in ordered)
    return Claim(id, f"{date}/{region}/{service}", ";".join(ordered), signed)


def verify(
    claim: Claim,
    signature: str,
    access: KnownAccess,
    *,
    method: str,
    target: bytes,
    headers: Headers,
    digest: str,
    now: float,
) -> None:
    """Raises SesError unless the secret of `access` made the signature.

    `target` is path and query as sent, `digest` the SHA-256 of the body in hexadecimal. Names of `headers` are in lower case.
    """
    by_name = dict(headers)
    if len(by_name) != len(headers):
        by_name = _joined(headers)
    stamp = by_name.get(b"x-amz-date", b"").decode("latin-1")
    _check_time(stamp, claim.scope, now)
    lines = b"".join([b"%b:%b\n" % (name, by_name.get(name, b"").strip()) for name in claim.names])
    if b"  " in lines or b"\t" in lines:
        lines = b"".join([b"%b:%b\n" % (name, _value(by_name.get(name, b""))) for name in claim.names])
    path, _, query = target.partition(b"?")
    request = f"{method}\n{_path(path)}\n{_query(query) if query else ''}\n{lines.decode('latin-1')}\n{claim.signed}\n{digest}"
    hashed = hashlib.sha256(request.encode("latin-1", "replace")).hexdigest()
    to_sign = f"{ALGORITHM}\n{stamp}\n{claim.scope}/aws4_request\n{hashed}".encode("latin-1", "replace")
    made = hmac.digest(access.signing_key(claim.scope, _derived), to_sign, "sha256").hex()
    if not hmac.compare_digest(made.encode(), signature.strip().encode("latin-1", "replace")):
        raise refusal("InvalidSignatureException", messages.signature_mismatch())


def unknown(id: str) -> SesError:
    """The access key is none that works."""
    shown = texts.harmless(id, 64)
    sentence = (
        messages.access_key_of_aws(shown)
        if shown[:4] in ("AKIA", "ASIA")
        else messages.access_key_unknown(shown)
    )
    return refusal("UnrecognizedClientException", sentence)


def refusal(code: str, sentence: str) -> SesError:
    return SesError(code, sentence, 403)


def _derived(secret: bytes, scope: str) -> bytes:
    key = b"AWS4" + secret
    for part in (*scope.split("/"), "aws4_request"):
        key = hmac.digest(key, part.encode("latin-1", "replace"), "sha256")
    return key


def _check_time(stamp: str, scope: str, now: float) -> None:
    at = _moment(stamp)
    if at is None or scope[:8] != stamp[:8]:
        raise refusal("IncompleteSignatureException", messages.bad_date(texts.harmless(stamp, 64)))
    if abs(now - at) > SKEW:
        here = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        raise refusal("InvalidSignatureException", messages.signature_expired(stamp, here))


@lru_cache(64)
def _moment(stamp: str) -> int | None:
    """Seconds since 1970. None if it is no date of the form 20261129T170000Z."""
    if len(stamp) != 16 or not stamp.isascii() or not (stamp[:8] + stamp[9:15]).isdigit():
        return None
    try:
        return timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return None


def _joined(headers: Headers) -> dict[bytes, bytes]:
    joined: dict[bytes, bytes] = {}
    for name, value in headers:
        joined[name] = joined[name] + b"," + value.strip() if name in joined else value
    return joined


def _value(value: bytes) -> bytes:
    value = value.strip()
    return b" ".join(value.split()) if b"  " in value or b"\t" in value else value


@lru_cache(256)
def _path(path: bytes) -> str:
    """Without dot segments and empty ones, and encoded once more, as every service but S3 does."""
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment and segment != b".":
            kept.append(segment)
    last = b"/" if kept and path.endswith(b"/") else b""
    return quote(b"/" + b"/".join(kept) + last, safe="/~")


def _query(query: bytes) -> str:
    pairs = [part.partition(b"=") for part in query.split(b"&")]
    return "&".join(sorted(f"{_encoded(name)}={_encoded(value)}" for name, _, value in pairs))


def _encoded(text: bytes) -> str:
    return quote(unquote_to_bytes(text.replace(b"+", b" ")), safe="-_.~")
