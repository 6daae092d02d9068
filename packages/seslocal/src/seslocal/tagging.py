"""Tags of resources: SES's limits and allowed characters, checked in SES's order. Pure; each resource stores its own tags."""

from __future__ import annotations

import re
from typing import Final

from seslocal.errors import bad_request

MOST_TAGS: Final = 50  # of one resource
_MOST_KEY: Final = 128  # characters
_MOST_VALUE: Final = 256
#: Letters, digits and spaces of any script; tabs and line breaks are not allowed.
_TEXT: Final = re.compile(r"(\w|[^\S\t-\r\x1c-\x1f\x85]|[.:/=+@-])*")
_TOO_MANY: Final = (
    f"Maximum of {MOST_TAGS} user tags are allowed per resource, "
    "consider reducing the number of tags in the request"
)


def tags_in(tags: list[dict[str, str]]) -> dict[str, str]:
    """Returns the tags of a call by key. Raises ApiError."""
    if len(tags) > MOST_TAGS:
        raise bad_request(_TOO_MANY)
    if not all(_TEXT.fullmatch(tag["Value"]) and _TEXT.fullmatch(tag["Key"]) for tag in tags):
        raise bad_request(
            "Tags can only contain letters, numbers, spaces, and the following special characters: _ . : / = + - @"
        )
    if any(tag["Key"].lower().startswith("aws:") for tag in tags):
        raise bad_request("Caller is an end user and not allowed to mutate system tags")
    _check_lengths(tags)
    read = {tag["Key"]: tag["Value"] for tag in tags}
    if len(read) < len(tags):
        raise bad_request("Cannot provide multiple tags with the same key")
    return read


def tags_out(tags: dict[str, str]) -> list[dict[str, str]]:
    """Returns tags as responses list them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def merged(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """Returns both. Raises ApiError if they are too many together."""
    both = {**old, **new}
    if len(both) > MOST_TAGS:
        raise bad_request(f"{_TOO_MANY} or delete existing tags and retry")
    return both


def _check_lengths(tags: list[dict[str, str]]) -> None:
    wrong = [
        f"Value at 'tags.{number}.member.{member.lower()}' failed to satisfy constraint: Member must have length {limit}"
        for number, tag in enumerate(tags, 1)
        for member, most in (("Value", _MOST_VALUE), ("Key", _MOST_KEY))
        if (limit := _broken(len(tag[member]), 1 if member == "Key" else 0, most))
    ]
    if wrong:
        many = "s" if len(wrong) > 1 else ""
        raise bad_request(f"{len(wrong)} validation error{many} detected: {'; '.join(wrong)}")


def _broken(length: int, least: int, most: int) -> str:
    if length > most:
        return f"less than or equal to {most}"
    return f"greater than or equal to {least}" if length < least else ""
