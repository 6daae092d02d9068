"""A client of the REST API: JSON in, JSON out, and a `Failure` with a sentence for every error response.

One session per command. Nothing is retried here, because only the caller can decide whether to try again. Lists are read page
by page up to the requested limit.
"""

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from mailcordon.adapters.cli import failures
from mailcordon.adapters.cli.document import Document, children
from mailcordon.messages import cli as messages

PAGE = 1000  #: the most items of one response
Query = Mapping[str, str | int | float | None]


def path(*segments: str) -> str:
    """`/v1/...` with each segment quoted, whatever is in it."""
    return "/v1/" + "/".join(quote(segment, safe="@") for segment in segments)


def local_path(*segments: str) -> str:
    """`/_seslocal/...`: the local SES's own pages."""
    return "/_seslocal/" + "/".join(quote(segment, safe="@*") for segment in segments)


class Client:
    """A client of one server: of the REST API, or of the local SES's admin pages."""

    def __init__(self, url: str, key: str | None, *, timeout: float = 30.0) -> None:
        import aiohttp  # half of the start-up time, which completion and --help do not need

        self.url = url
        headers = {"User-Agent": "mailcordon-cli", "Accept": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._session = aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=timeout))

    async def close(self) -> None:
        await self._session.close()

    async def get(self, path: str, query: Query | None = None) -> Document:
        return await self.call("GET", path, query=query)

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        *,
        timeout: float | None = None,
    ) -> Document:
        return await self.call("POST", path, body=body, headers=headers, timeout=timeout)

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Document:
        """The JSON object of a 2xx response, {} if it is empty. Raises Failure for any other response. `timeout`: seconds; None:
        that of the client."""
        import aiohttp
        import yarl

        given = {name: value for name, value in (query or {}).items() if value is not None}
        url = yarl.URL(self.url + path + (f"?{urlencode(given)}" if given else ""), encoded=True)
        try:
            limit = self._session.timeout if timeout is None else aiohttp.ClientTimeout(total=timeout)
            async with self._session.request(
                method, url, json=body, headers=headers, timeout=limit
            ) as response:
                text = await response.read()
                found = _decode(text)
                if response.status >= 400:
                    raise failures.from_problem(response.status, found, response.headers.get("Retry-After"))
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            raise failures.cannot_connect(self.url, _why(error)) from None
        except (aiohttp.ClientError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise failures.usage(messages.not_an_http_server(url=self.url, why=why)) from None
        if not text:
            return {}
        if not isinstance(found, dict):
            raise failures.Failure(
                failures.Exit.REFUSED,
                messages.not_mailcordon(url=self.url, method=method, path=path),
                "not-mailcordon",
            )
        return found  # pyright: ignore[reportUnknownVariableType]

    async def items(self, path: str, query: Query | None = None, *, limit: int = PAGE) -> Document:
        """Up to `limit` items of a list, as {"items", "next"} and what else the first page has. `next` is the cursor of the rest,
        None at the end."""
        found: list[Any] = []
        first: Document | None = None
        after: str | int | None = None
        while True:
            wanted = min(PAGE, limit - len(found))
            page = await self.get(path, {**(query or {}), "limit": wanted, "after": after})
            first = first or page
            found += children(page, "items")
            after = page.get("next")
            if after is None or not page.get("items") or len(found) >= limit:
                return {**first, "items": found[:limit], "next": after}


def _why(error: Exception) -> str:
    """What the operating system said; aiohttp's own text repeats the address in its own notation."""
    cause = getattr(error, "os_error", error)
    if isinstance(cause, OSError) and cause.errno is not None:
        return os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror)
    return str(error) or messages.timed_out()


def _decode(text: bytes) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
