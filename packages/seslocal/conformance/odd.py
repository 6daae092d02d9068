"""Unusual calls that a model allows: members are filled with odd values of their type (empty, huge, negative, non-ASCII, control
characters, half a surrogate pair), or with names of things that exist. A seed gives the same calls each time."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Collection, Mapping, Sequence
from random import Random
from typing import Any, Final

STRINGS: Final = (
    "",
    " ",
    "\x00",
    "\ud800",
    "a\r\nBcc: b@x.example",
    "x" * 300,
    "Ä ö <&> 💩 \u202e",
    "a@b@c",
    "kim@nowhere",
    '"odd one"@x.example',
    "Ada <ada@x.example>, <",
    "=?utf-8?q?=ff?=",
    "{{#each a}}{{x}}",
    "{{x}}{{{y.z}}} {{#if x}}b{{/if}}",
    '{"x": [1, {"y": null}]}',
    "[" * 500,
    "{}",
    "arn:aws:ses:us-east-1:123456789012:",
    "arn:aws:sns:us-east-1:123456789012:a:b",
    "%00%ff../..",
    "-1",
    "1e400",
    "null",
    "true",
    "2026-01-05T12:00:00Z",
    "https://x.example/\u00e4 b",
    "<a href='http://x.example' ses:tags='a:b;c'>x</a>{{ses:openTracker}}",
)
NUMBERS: Final = (-(2**31), -1, 0, 1, 2, 50, 100, 101, 2**31, 10**14)
BYTES: Final = (
    b"",
    b"\x00\xff",
    b"From: a@odd.example\r\nTo: b@x.example\r\nSubject: =?utf-8?b?/w?=\r\n\r\nHello",
    b"From: a@odd.example\nTo: undisclosed:;\nContent-Type: multipart/mixed; boundary=\n\n--\n--",
    b"From: =?x?q?=ff?= <a@odd.example>\r\nTo: \xff\xfe@x, <b@x.example\r\nX-SES-MESSAGE-TAGS: a=b, c\r\n\r\n",
    b"From: a@odd.example\r\nX-SES-CONFIGURATION-SET: odd-set\r\nX-SES-LIST-MANAGEMENT-OPTIONS: odd; topic=\r\n"
    b"Cc: b@x.example\r\n\r\n<a href=x>",
    b"From: a@odd.example\r\nTo: b@x.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    b'Content-Disposition: attachment; filename*0="a."; filename*1=exe\r\n\r\nx\r\n--b--',
)
#: Ordinary values, for members whose pattern allows little else.
_PLAIN: Final = ("a", "odd-one", "1")
_DEEPEST: Final = 6


class Odd:
    """`known`: useful values by the name of a member or shape, such as names of things that exist. `wanted`: members
    that the model makes optional but almost every call needs. `choices`: by a structure's name, members of which it takes one."""

    def __init__(
        self,
        random: Random,
        known: Mapping[str, Sequence[Any]],
        wanted: Collection[str] = (),
        choices: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._random = random
        self._known = known
        self._wanted = wanted
        self._choices = choices or {}
        self._strange = self._optional = 0.5
        self._fits: dict[str, list[str]] = {}

    def call(self, shape: Any) -> dict[str, Any]:
        """Returns an input of that shape: mostly with few odd members, sometimes with many, because a call that is refused early
        tests little."""
        self._strange = self._random.choice((0.02, 0.02, 0.2, 0.7))
        self._optional = self._random.choice((0.1, 0.4))
        return self._structure(shape, 0) if shape is not None else {}

    def _structure(self, shape: Any, depth: int) -> dict[str, Any]:
        needed = {*shape.required_members, *self._wanted}
        left: set[str] = set()
        if (choice := self._choices.get(shape.name)) and self._random.random() > self._strange / 2:
            chosen = self._random.choice(choice)
            left = {*choice} - {chosen}
            needed.add(chosen)
        return {
            name: self._value(name, member, depth + 1)
            for name, member in shape.members.items()
            if depth < _DEEPEST
            and name not in left
            and self._random.random() < (0.98 if name in needed else self._optional)
        }

    def _value(self, name: str, shape: Any, depth: int) -> Any:
        kind = {
            "structure": dict,
            "list": list,
            "map": dict,
            "string": str,
            "blob": bytes,
            "timestamp": int,
        }.get(shape.type_name)
        tried = self._known.get(name) or self._known.get(shape.name, ())
        known = [one for one in tried if type(one) is kind]
        if known and self._random.random() > self._strange:
            return self._random.choice(known)
        match shape.type_name:
            case "structure":
                return self._structure(shape, depth)
            case "list":
                size = self._random.choice((0, 2, 3, 51)) if self._random.random() < self._strange else 1
                return [self._value(name, shape.member, depth + 1) for _ in range(size)]
            case "map":
                return {key: self._value(name, shape.value, depth + 1) for key in self._keys(shape)}
            case "boolean":
                return self._random.random() < 0.5
            case "integer" | "long":
                return self._random.choice(NUMBERS)
            case "double" | "float":
                return self._random.choice(NUMBERS) / 7
            case "timestamp":
                return self._random.choice((0, 1767614400, -(10**9), 10**10))
            case "blob":
                return self._random.choice(BYTES)
            case _:
                return self._string(shape)

    def _keys(self, shape: Any) -> list[str]:
        return [self._string(shape.key) for _ in range(self._random.choice((0, 1, 2)))]

    def _string(self, shape: Any) -> str:
        if shape.enum and self._random.random() > self._strange / 4:
            return self._random.choice(shape.enum)
        fitting = self._fitting(shape) if self._random.random() > self._strange else ()
        return self._random.choice(fitting or STRINGS)

    def _fitting(self, shape: Any) -> Sequence[str]:
        """Returns values within the shape's own bounds."""
        if shape.name not in self._fits:
            rules = shape.metadata
            fits = re.compile(rules.get("pattern", r"[\s\S]*")).fullmatch
            low, high = rules.get("min", 0), rules.get("max", 1 << 20)
            self._fits[shape.name] = [
                one for one in (*STRINGS, *_PLAIN) if low <= len(one) <= high and fits(one)
            ]
        return self._fits[shape.name]


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    if headers is None and path.startswith("/_seslocal/"):
        headers = {"Content-Type": "application/json"}
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read()


def look(connection: http.client.HTTPConnection) -> list[str]:
    """Reads everything about the newest mails. Returns the requests that got a 5xx."""
    sent: list[dict[str, Any]] = json.loads(
        ask(connection, "GET", "/_seslocal/sent?limit=1000&order=newest")[1]
    )["sent"]
    assert sent
    mails = [mail["message_id"] for mail in sent]
    ends = (
        ("_seslocal/sent/", ""),
        ("_seslocal/sent/", "/html"),
        ("mail/", ""),
        ("mail/", "/source"),
        ("mail/", "/body"),
    )
    paths = [f"/{kind}{one}{end}" for one in mails for kind, end in ends]
    return [
        path
        for path in ("/", "/_seslocal/outbox", "/_seslocal/cloudwatch", *paths)
        if ask(connection, "GET", path)[0] >= 500
    ]
