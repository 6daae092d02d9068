"""The REST API as the commands see it: JSON in, JSON out, and every other answer a `Failure` with a sentence.

One session for one command; nothing is retried here, since only the person (or script) at the prompt knows whether once more is
right. Lists are followed page by page up to the limit that was asked for.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import yarl

from mailcordon.adapters.cli import failures
from mailcordon.adapters.cli.document import Document, parts

PAGE = 1000  #: the most that one answer holds
Query = Mapping[str, str | int | float | None]


def path(*parts: str) -> str:
    """`/v1/...` with each part quoted as one path segment, whatever is in it."""
    return "/v1/" + "/".join(quote(part, safe="@") for part in parts)


def local_path(*parts: str) -> str:
    """`/_seslocal/...`: the local SES's own pages."""
    return "/_seslocal/" + "/".join(quote(part, safe="@*") for part in parts)


class Client:
    """Talks to one server. `Api` and the local SES's admin pages both speak through it."""

    def __init__(self, url: str, key: str | None, *, timeout: float = 30.0) -> None:
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
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Document:
        return await self.call("POST", path, body=body, headers=headers)

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Document:
        """The JSON object of a 2xx answer ({} for an empty one). Raises Failure for anything else."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        url = yarl.URL(self.url + path + (f"?{urlencode(given)}" if given else ""), encoded=True)
        try:
            async with self._session.request(method, url, json=body, headers=headers) as answer:
                text = await answer.read()
                found = _decode(text)
                if answer.status >= 400:
                    raise failures.from_problem(answer.status, found, answer.headers.get("Retry-After"))
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            raise failures.cannot_connect(self.url, str(error) or "no answer in time") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise failures.usage(f"{self.url} cannot be asked: {error or type(error).__name__}") from None
        if not text:
            return {}
        if not isinstance(found, dict):
            raise failures.Failure(
                failures.Exit.REFUSED,
                f"{self.url} answered {method} {path} with something that is no JSON object: is it Mailcordon?",
                "not-mailcordon",
            )
        return found  # pyright: ignore[reportUnknownVariableType]

    async def items(self, path: str, query: Query | None = None, *, limit: int = PAGE) -> Document:
        """Up to `limit` of a list, as {"items", "next"}: `next` is where the rest begins, null where there is none."""
        found: list[Any] = []
        after: str | int | None = None
        while True:
            wanted = min(PAGE, limit - len(found))
            page = await self.get(path, {**(query or {}), "limit": wanted, "after": after})
            found += parts(page, "items")
            after = page.get("next")
            if after is None or not page.get("items") or len(found) >= limit:
                return {"items": found[:limit], "next": after}


def _decode(text: bytes) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
