"""An OpenID provider: what it publishes of itself, and codes exchanged for claims (OpenID Connect Core 1.0, 3.1; RFC 7636, PKCE).

Every answer is bounded in size and time, redirects are not followed, and nothing is asked while a request of a page that needs no
provider waits.
"""

import asyncio
import base64
import json
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
from authlib.oauth2.rfc6749.parameters import (  # pyright: ignore[reportMissingTypeStubs]
    prepare_grant_uri,  # pyright: ignore[reportUnknownVariableType]
    prepare_token_request,  # pyright: ignore[reportUnknownVariableType]
)
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]
from joserfc.jwk import KeySet

from mailcordon.adapters.dashboard.sign_in import id_token
from mailcordon.adapters.dashboard.sign_in.id_token import NotProved, UnknownKey
from mailcordon.control.people.oidc_settings import OidcSettings
from mailcordon.core.errors import Forbidden, NotFound, Unavailable
from mailcordon.messages import sign_in as messages

_SECONDS = 10.0  #: for one answer, whole
_MOST_BYTES = 512 * 1024
_FRESH_SECONDS = 3600.0  #: after which discovery document and keys are read again
_STALE_SECONDS = 86_400.0  #: as long as a document still counts if it cannot be read again
_NEW_KEYS_SECONDS = (
    60.0  #: between two looks for keys that we do not know: anybody can make up the name of a key
)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")

Document = Mapping[str, Any]


class _Cached:
    """One document, read when it is needed, by one caller at a time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = asyncio.Lock()
        self._value: Any = None
        self._at = 0.0

    async def get(self, read: Callable[[], Any], *, older_than: float = _FRESH_SECONDS) -> Any:
        """`read` is called if what is there is older than that. If it fails, a document of today still counts."""
        async with self._lock:
            age = self._clock() - self._at
            if self._value is not None and age < older_than:
                return self._value
            try:
                self._value = await read()
            except Unavailable:
                if self._value is None or age > _STALE_SECONDS:
                    raise
                return self._value
            self._at = self._clock()
            return self._value


class Provider:
    """To be entered before it is used. `clock` is the time of day in seconds."""

    def __init__(
        self, settings: OidcSettings, redirect_uri: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.settings = settings
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._metadata = _Cached(time.monotonic)
        self._keys = _Cached(time.monotonic)
        self._session: aiohttp.ClientSession | None = None

    @property
    def home(self) -> str:
        """The sign-in page: where the provider sends a browser back to that has signed out there."""
        return self._redirect_uri.removesuffix("/oidc/callback")

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_SECONDS), cookie_jar=aiohttp.DummyCookieJar()
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @staticmethod
    def is_error_code(text: str) -> bool:
        """Whether it can be `error` of RFC 6749, which a page may show."""
        return 0 < len(text) <= 64 and text.isascii() and text.replace("_", "").isalnum()

    async def authorization_url(self, *, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes. Raises Unavailable."""
        found = await self._discovered()
        return cast(
            str,
            prepare_grant_uri(
                found["authorization_endpoint"],
                self.settings.client_id,
                "code",
                redirect_uri=self._redirect_uri,
                scope=" ".join(self.settings.scopes),
                state=state,
                nonce=nonce,
                code_challenge=cast(str, create_s256_code_challenge(verifier)),
                code_challenge_method="S256",
            ),
        )

    async def sign_out_url(self, back: str) -> str:
        """Where a browser goes to end its session at the provider, and comes back from (RP-Initiated Logout 1.0, 2).

        Without an ID token as a hint, which is not kept, the provider asks the person first. Raises Unavailable, or NotFound
        if the provider publishes no such place.
        """
        endpoint = (await self._discovered()).get("end_session_endpoint")
        clear_text = urlsplit(self.settings.issuer).scheme == "http"
        if not isinstance(endpoint, str) or not _is_endpoint(endpoint, clear_text):
            raise NotFound(messages.no_sign_out_at_provider(), code="no-sign-out")
        asked = urlencode({"client_id": self.settings.client_id, "post_logout_redirect_uri": back})
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{asked}"

    async def claims(self, code: str, *, nonce: str, verifier: str, issuer: str | None) -> Document:
        """Exchanges a code for what the provider says of the person. `issuer`: the callback's `iss` (RFC 9207), if there was one.

        Raises Forbidden if nothing is proved, Unavailable if the provider does not respond.
        """
        found = await self._discovered()
        promises = found.get("authorization_response_iss_parameter_supported") is True
        if (issuer is not None or promises) and issuer != self.settings.issuer:
            raise _refused("it comes from another issuer")
        answer = await self._exchange(found, code, verifier)
        token, access = answer.get("id_token"), answer.get("access_token")
        if not isinstance(token, str):
            raise _refused("it has no ID token")
        access = access if isinstance(access, str) else None
        claims = await self._proved(found, token, access, nonce)
        wanted = (self.settings.person_claim, self.settings.roles.claim.partition(".")[0])
        endpoint = found.get("userinfo_endpoint")
        if access is None or not isinstance(endpoint, str) or all(one in claims for one in wanted):
            return claims
        # Many providers put little into the ID token. What it has stands before what this brings (Core 1.0, 5.3.2).
        more = await self._get(endpoint, {"Authorization": f"Bearer {access}"})
        if more.get("sub") != claims.get("sub"):
            raise _refused("its user information is of somebody else")
        return {**more, **claims}

    async def _proved(self, found: Document, token: str, access: str | None, nonce: str) -> Document:
        keys = await self._known_keys(found)
        try:
            return self._checked(token, keys, access, nonce)
        except UnknownKey:
            keys = await self._known_keys(found, older_than=_NEW_KEYS_SECONDS)
        except NotProved as problem:
            raise _refused(str(problem)) from None
        try:
            return self._checked(token, keys, access, nonce)
        except NotProved as problem:
            raise _refused(str(problem)) from None

    def _checked(self, token: str, keys: KeySet, access: str | None, nonce: str) -> Document:
        return id_token.claims(
            token,
            keys,
            issuer=self.settings.issuer,
            client_id=self.settings.client_id,
            nonce=nonce,
            access_token=access,
            now=self._clock(),
        )

    async def _known_keys(self, found: Document, *, older_than: float = _FRESH_SECONDS) -> KeySet:
        async def read() -> KeySet:
            try:
                return id_token.key_set(await self._get(found["jwks_uri"]))
            except NotProved as problem:
                raise _unusable(str(problem)) from None

        return await self._keys.get(read, older_than=older_than)

    async def _discovered(self) -> Document:
        async def read() -> Document:
            url = self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
            return checked_metadata(await self._get(url), self.settings.issuer)

        return await self._metadata.get(read)

    async def _exchange(self, found: Document, code: str, verifier: str) -> Document:
        settings = self.settings
        body = prepare_token_request(
            "authorization_code",
            redirect_uri=self._redirect_uri,
            code=code,
            code_verifier=verifier,
            **_in_body(settings, found),
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded", **_in_header(settings, found)}
        status, answer = await self._ask("POST", found["token_endpoint"], headers, body)
        if status >= 500:
            raise _unusable(f"its token endpoint answers {status}")
        if status != 200:
            raise _refused(f"the code was not taken ({_error_code(answer)})")
        return answer

    async def _get(self, url: str, headers: Mapping[str, str] | None = None) -> Document:
        status, answer = await self._ask("GET", url, headers or {}, None)
        if status != 200:
            raise _unusable(f"{urlsplit(url).path or '/'} answers {status}")
        return answer

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: str | None
    ) -> tuple[int, Document]:
        assert self._session is not None, "the provider was not entered"
        try:
            async with self._session.request(
                method,
                url,
                headers={"Accept": "application/json", **headers},
                data=body,
                allow_redirects=False,
            ) as response:
                raw = await response.content.read(_MOST_BYTES + 1)
                while len(raw) <= _MOST_BYTES and (more := await response.content.read(_MOST_BYTES)):
                    raw += more
                status = response.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as problem:
            raise _unusable(f"it does not respond ({type(problem).__name__})") from None
        if len(raw) > _MOST_BYTES:
            raise _unusable("its answer is too long")
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            if status == 200:
                raise _unusable("its answer is not JSON")
            answer = {}
        return status, cast(Document, answer)


def checked_metadata(document: Document, issuer: str) -> Document:
    """The discovery document (OpenID Connect Discovery 1.0, 4.3) if it can be used. Raises Unavailable."""
    if document.get("issuer") != issuer:
        raise _unusable("its discovery document names another issuer")
    clear_text = urlsplit(issuer).scheme == "http"
    for name in _ENDPOINTS:
        endpoint = document.get(name)
        if not isinstance(endpoint, str) or not _is_endpoint(endpoint, clear_text):
            raise _unusable(f"its discovery document has no usable {name}")
    userinfo = document.get("userinfo_endpoint")
    if userinfo is not None and not (isinstance(userinfo, str) and _is_endpoint(userinfo, clear_text)):
        raise _unusable("its discovery document has no usable userinfo_endpoint")
    methods = document.get("code_challenge_methods_supported")
    if isinstance(methods, list) and "S256" not in methods:
        raise _unusable("it knows no PKCE with S256")
    return document


def _is_endpoint(url: str, clear_text: bool) -> bool:
    """TLS, or this machine if the issuer is on it, too."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    return clear_text and parts.scheme == "http" and parts.hostname in _LOOPBACK


def _by_body(settings: OidcSettings, found: Document) -> bool:
    """Whether the secret goes into the body: only where the provider says that it takes no header (Discovery 1.0, 3)."""
    methods = found.get("token_endpoint_auth_methods_supported")
    return (
        isinstance(methods, list) and "client_secret_basic" not in methods and "client_secret_post" in methods
    )


def _in_body(settings: OidcSettings, found: Document) -> dict[str, str]:
    if settings.client_secret is None:
        return {"client_id": settings.client_id}
    if _by_body(settings, found):
        return {"client_id": settings.client_id, "client_secret": settings.client_secret}
    return {}


def _in_header(settings: OidcSettings, found: Document) -> dict[str, str]:
    """RFC 6749 2.3.1: both parts are form-encoded first."""
    if settings.client_secret is None or _by_body(settings, found):
        return {}
    both = f"{quote(settings.client_id, safe='')}:{quote(settings.client_secret, safe='')}"
    return {"Authorization": "Basic " + base64.b64encode(both.encode()).decode()}


def _error_code(answer: Document) -> str:
    """`error` of RFC 6749 5.2: a word of the provider. Anything else is not shown."""
    error = answer.get("error")
    return error if isinstance(error, str) and Provider.is_error_code(error) else "no reason given"


def _refused(problem: str) -> Forbidden:
    return Forbidden(messages.answer_refused(problem), code="not-proved")


def _unusable(problem: str) -> Unavailable:
    return Unavailable(messages.provider_unusable(problem), retry_after=30, code="provider-unusable")
