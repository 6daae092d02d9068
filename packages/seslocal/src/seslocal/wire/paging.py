"""Pages of a sorted list. A token holds the last key of its page, so a list that changes between two pages neither
repeats nor skips an item that stayed. A token of another list is refused."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from seslocal.errors import ApiError, bad_request

T = TypeVar("T")


def page(
    name: str,
    items: Iterable[T],
    key: Callable[[T], str],
    params: dict[str, Any],
    *,
    most: int = 100,
    refusal: str = "BadRequestException",
) -> tuple[list[T], dict[str, str]]:
    """Returns the requested page (`PageSize`, `NextToken`), and a dict with the response's `NextToken` if there are more."""
    size: int = params.get("PageSize", most)
    if not 1 <= size <= most:
        rule = "greater than or equal to 1" if size < 1 else f"less than or equal to {most}"
        raise bad_request(
            f"1 validation error detected: Value '{size}' at 'pageSize' failed to satisfy constraint: "
            f"Member must have value {rule}"
        )
    ordered = sorted(items, key=key)
    if token := params.get("NextToken"):
        after = _read(name, token, refusal)
        ordered = [item for item in ordered if key(item) > after]
    chosen = ordered[:size]
    if len(ordered) <= size:
        return chosen, {}
    return chosen, {"NextToken": b64encode(f"{name}:{key(chosen[-1])}".encode()).decode()}


def _read(name: str, token: str, refusal: str) -> str:
    try:
        kind, found, after = b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        kind, found, after = "", "", ""
    if not found or kind != name:
        raise ApiError(refusal, "The specified request includes an invalid or expired token.")
    return after
