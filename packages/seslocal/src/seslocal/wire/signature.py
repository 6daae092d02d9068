"""Checks AWS Signature Version 4 as the services do: in the Authorization header or the query, in AWS's order, with AWS's error
texts. `check` is pure: it takes a request, the keys and the time, and returns the key that signed, or raises an ApiError with
the code of the JSON protocols; `QUERY_CODES` maps it to the Query protocol's. It runs on every call, so derived values are
cached and the common case takes a shortcut."""

from __future__ import annotations

from calendar import timegm
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256
from time import gmtime, strftime
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_plus, unquote_to_bytes

from seslocal.errors import ApiError
from seslocal.wire import sigv4a
from seslocal.wire.access_keys import Key, Keys, Scope
from seslocal.wire.protocol import Request

SES: Final = ("ses", "email")  #: signing names that SES accepts; old clients use email
SQS: Final = ("sqs",)
SNS: Final = ("sns",)

#: Codes of the JSON protocols -> codes in SES v1, SNS and SQS's older protocol.
QUERY_CODES: Final[Mapping[str, str]] = {
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "IncompleteSignatureException": "IncompleteSignature",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "ExpiredTokenException": "ExpiredToken",
}

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_TERMINATOR: Final = "aws4_request"
_SKEW: Final = 300  # seconds
_LONGEST: Final = 604_800  # seconds that a presigned request can be valid
_IN_HEADER: Final = (
    "'Credential' parameter",
    "'Signature' parameter",
    "'SignedHeaders' parameter",
    "existence of either a 'X-Amz-Date' or a 'Date' header",
)
_IN_QUERY: Final = ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")
_MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and "
    "signing method. Consult the service documentation for details."
)


class Claim(NamedTuple):
    """The signature of a request and its parameters."""

    algorithm: str
    credential: str
    signed_headers: str
    signature: str
    date: str  #: as sent
    token: str | None
    regions: str | None  #: those that a SigV4a signature is valid for
    lifetime: int | None  #: seconds that a presigned request is valid
    presigned: bool


def check(
    request: Request, keys: Keys, services: Collection[str], region: str, now: float, *, explain: bool = False
) -> Key:
    """Returns the key that signed this request. Raises ApiError; with `explain` it includes the string to sign, as AWS's did."""
    claim = _claim(request)
    stamp, at = _moment(claim.date)
    _check_time(claim, stamp, at, now)
    signed, names = _names(claim.signed_headers)
    if "host" not in names:
        raise _invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    if claim.regions is not None and not claim.presigned and "x-amz-region-set" not in names:
        claim = claim._replace(regions=None)  # the header is not signed
    scope = _scope(claim, keys, services, region, stamp)
    canonical = _canonical_request(request, signed, names, claim.presigned)
    digest = sha256(canonical.encode("latin-1", "replace")).hexdigest()  # query names may be any text
    to_sign = f"{claim.algorithm}\n{stamp}\n{scope.text}\n{digest}"
    if not scope.is_valid(to_sign.encode(), claim.signature):
        raise _invalid(_MISMATCH + _explained(canonical, to_sign) if explain else _MISMATCH)
    if claim.token != scope.key.token:
        raise _unknown()
    return scope.key


def is_signed(request: Request) -> bool:
    """Whether the request has a signature. The few calls that need none are still refused if it is wrong."""
    return "authorization" in request.headers or _is_presigned(request.query)


def expired() -> ApiError:
    return _refusal("ExpiredTokenException", "The security token included in the request is expired")


def as_query(error: ApiError) -> ApiError:
    """Returns the same error with the Query protocol's code."""
    return ApiError(QUERY_CODES.get(error.code, error.code), error.message, error.status, key=error.key)


# the claim


def _is_presigned(query: str) -> bool:
    return "X-Amz-Algorithm=" in query and any(
        part.startswith("X-Amz-Algorithm=") for part in query.split("&")
    )


def _claim(request: Request) -> Claim:
    text = request.headers.get("authorization")
    presigned = _is_presigned(request.query)
    if text is not None:
        if presigned:
            raise _invalid(
                "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
            )
        if text.startswith("AWS4-"):
            return _claim_in_header(text, request.headers)
    elif presigned:
        return _claim_in_query(request.query)
    raise _refusal("MissingAuthenticationTokenException", "Missing Authentication Token")


def _claim_in_header(text: str, headers: Mapping[str, str]) -> Claim:
    # All but the signature, which clients put last, stays the same all day.
    start, _, signature = text.rpartition("Signature=")
    if not start or not signature or "," in signature:
        start, signature = text, ""
    algorithm, found = _members(start)
    date = headers.get("x-amz-date") or headers.get("date")
    credential, signed_headers = found.get("Credential"), found.get("SignedHeaders")
    signature = signature or found.get("Signature")
    if not credential or not signature or not signed_headers or not date:
        raise _missing_parts(text, credential, signature, signed_headers, date)
    token = headers.get("x-amz-security-token")
    return Claim(
        algorithm,
        credential,
        signed_headers,
        signature,
        date,
        token,
        headers.get("x-amz-region-set"),
        None,
        False,
    )


@lru_cache(64)
def _members(text: str) -> tuple[str, Mapping[str, str]]:
    """Returns the algorithm, and the NAME=VALUE pairs after it."""
    algorithm, _, rest = text.partition(" ")
    found: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if equals:
            found[name] = value
        elif name:
            raise _incomplete(
                f"'{name}' not a valid key=value pair (missing equal-sign) in Authorization header: '{text}'."
            )
    return algorithm, found


def _missing_parts(text: str, *found: str | None) -> ApiError:
    lacking = [
        f"Authorization header requires {what}. "
        for what, value in zip(_IN_HEADER, found, strict=True)
        if not value
    ]
    return _incomplete(f"{''.join(lacking)}Authorization={text}")


def _claim_in_query(query: str) -> Claim:
    found: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name.startswith("X-Amz-"):
            found[name] = unquote_plus(value)
    lacking = [
        f"AWS query-string parameters must include '{name}'. " for name in _IN_QUERY if not found.get(name)
    ]
    if lacking:
        raise _incomplete("".join(lacking) + "Re-examine the query-string parameters.")
    lifetime = found.get("X-Amz-Expires", str(_SKEW))
    if not lifetime.isascii() or not lifetime.isdigit() or len(lifetime) > 9:
        raise _incomplete("X-Amz-Expires should be a number.")
    if int(lifetime) > _LONGEST:
        raise _incomplete(
            f"X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be "
            f"less than {_LONGEST} seconds."
        )
    credential, signature, signed_headers, date = (found[name] for name in _IN_QUERY)
    token = found.get("X-Amz-Security-Token")
    algorithm, regions = found["X-Amz-Algorithm"], found.get("X-Amz-Region-Set")
    return Claim(algorithm, credential, signed_headers, signature, date, token, regions, int(lifetime), True)


# time


@lru_cache(64)
def _moment(text: str) -> tuple[str, int]:
    """Returns the date as YYYYMMDDTHHMMSSZ, and in seconds since the epoch. A Date header may be in HTTP's format."""
    try:
        if len(text) == 16 and text.isascii() and (text[:8] + text[9:15]).isdigit() and text[8::7] == "TZ":
            at = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return text, timegm(at.timetuple())
        found = parsedate_to_datetime(text)
        found = found.astimezone(UTC) if found.tzinfo else found
        return f"{found:%Y%m%dT%H%M%SZ}", timegm(found.timetuple())
    except (ValueError, TypeError, OverflowError, IndexError):
        raise _incomplete(
            f"Date must be in ISO-8601 'basic format'. Got '{text}'. See http://en.wikipedia.org/wiki/ISO_8601"
        ) from None


def _check_time(claim: Claim, stamp: str, at: int, now: float) -> None:
    past = _SKEW if claim.lifetime is None else claim.lifetime
    if at < now - past:
        raise _invalid(
            f"Signature expired: {stamp} is now earlier than {_stamp(now - past)} ({_stamp(now)} - {past / 60:g} min.)"
        )
    if at > now + _SKEW:
        raise _invalid(
            f"Signature not yet current: {stamp} is still later than {_stamp(now + _SKEW)} ({_stamp(now)} + 5 min.)"
        )


def _stamp(at: float) -> str:
    return strftime("%Y%m%dT%H%M%SZ", gmtime(at))


# the credential


def _scope(claim: Claim, keys: Keys, services: Collection[str], region: str, stamp: str) -> Scope:
    wide = claim.algorithm == sigv4a.ALGORITHM
    if claim.algorithm != _ALGORITHM and not wide:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{claim.algorithm}' (only {_ALGORITHM} for now). ")
    scope = keys.scope(claim.credential)
    if (
        scope is not None
        and not wide
        and scope.region == region
        and scope.service in services
        and scope.date == stamp[:8]
    ):
        return scope
    parts = claim.credential.split("/")
    if len(parts) != (4 if wide else 5):
        raise _incomplete(
            f"Credential must have exactly {'4' if wide else '5'} slash-delimited elements, e.g. "
            f"keyid/date/{'' if wide else 'region/'}service/term, got '{claim.credential}'"
        )
    key_id, date, *middle, service, terminator = parts
    here = sigv4a.covers(claim.regions or "", region) if wide else middle == [region]
    _check_scope(here, service, services, terminator, date, stamp)
    key = keys.by_id.get(key_id)
    if key is None:
        raise _unknown()
    if wide:
        return scope or keys.derive_sigv4a(claim.credential, key, date, service)
    return keys.derive(claim.credential, key, date, region, service)


def _check_scope(
    here: bool, service: str, services: Collection[str], terminator: str, date: str, stamp: str
) -> None:
    wrong = "" if here else "Credential should be scoped to a valid region. "
    if service not in services:
        wrong += f"Credential should be scoped to correct service: '{next(iter(services))}'. "
    if terminator != _TERMINATOR:
        wrong += f"Credential should be scoped with a valid terminator: '{_TERMINATOR}', not '{terminator}'. "
    if date != stamp[:8]:
        wrong += (
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{date}' != '{stamp[:8]}', from '{stamp}'. "
        )
    if wrong:
        raise _invalid(wrong)


# the canonical request


def _canonical_request(request: Request, signed: str, names: tuple[str, ...], presigned: bool) -> str:
    headers = request.headers
    lines = "".join([f"{name}:{headers.get(name, '')}\n" for name in names])
    if "  " in lines or "\t" in lines:
        lines = "".join([f"{name}:{_spaces_collapsed(headers.get(name, ''))}\n" for name in names])
    query = _canonical_query(request.query, presigned) if request.query else ""
    # x-amz-content-sha256 is ignored: only S3 accepts UNSIGNED-PAYLOAD or another digest.
    digest = sha256(request.body).hexdigest()
    return f"{request.method}\n{_canonical_path(request.path)}\n{query}\n{lines}\n{signed}\n{digest}"


@lru_cache(64)
def _names(signed_headers: str) -> tuple[str, tuple[str, ...]]:
    names = tuple(sorted({name.strip().lower() for name in signed_headers.split(";")}))
    return ";".join(names), names


def _spaces_collapsed(value: str) -> str:
    """Collapses runs of spaces. Not with str.split, which also splits at some Latin-1 characters."""
    return b" ".join(value.encode("latin-1").split()).decode("latin-1")


@lru_cache(128)
def _canonical_path(path: str) -> str:
    """Removes dot segments and empty ones, and encodes the path once more, as every service but S3 does."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment and segment != ".":
            kept.append(segment)
    last = "/" if kept and path.endswith("/") else ""
    return quote(f"/{'/'.join(kept)}{last}".encode("latin-1"), safe="/~")


def _canonical_query(query: str, presigned: bool) -> str:
    pairs: list[tuple[str, str]] = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        name = _encoded(name)
        if not (presigned and name == "X-Amz-Signature"):
            pairs.append((name, _encoded(value)))
    return "&".join([f"{name}={value}" for name, value in sorted(pairs)])


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text.replace("+", " ").encode("latin-1")), safe="-_.~")


# refusals


def _explained(canonical: str, to_sign: str) -> str:
    return (
        f"\n\nThe Canonical String for this request should have been\n'{canonical}'"
        f"\n\nThe String-to-Sign should have been\n'{to_sign}'\n"
    )


def _refusal(code: str, message: str) -> ApiError:
    return ApiError(code, message, 403)


def _incomplete(message: str) -> ApiError:
    return _refusal("IncompleteSignatureException", message)


def _invalid(message: str) -> ApiError:
    return _refusal("InvalidSignatureException", message)


def _unknown() -> ApiError:
    return _refusal("UnrecognizedClientException", "The security token included in the request is invalid.")
