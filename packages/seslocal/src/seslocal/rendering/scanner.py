"""Splits a template into text and tags, in one pass in linear time, because templates are untrusted. Applies the trimming of `~`;
the parser reads what is in a tag. Lines that contain only a tag keep their line break, as in Handlebars' Java edition by
default."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MOST_IN_TAG: Final = 4096  #: characters; comments may be longer

_SPACE: Final = " \t\r\n\f\v"
_COMMENT: Final = re.compile(r"\{\{~?!--")
_COMMENT_END: Final = re.compile(r"--~?\}\}")
_TRIPLE: Final = re.compile(r"\{\{~?\{")
_TRIPLE_END: Final = re.compile(r"\}~?\}\}")


class TemplateError(Exception):
    """The template cannot be parsed. Its text says why and in which line."""


@dataclass(slots=True)
class Words:
    """Text between tags."""

    text: str


@dataclass(slots=True)
class Tag:
    kind: str  #: one of # ^ / > or "" for a value
    inner: str
    line: int


def scan(template: str) -> list[Words | Tag]:
    """Raises TemplateError."""
    return _Scanner(template).all()


class _Scanner:
    def __init__(self, template: str) -> None:
        self._template = template
        self._found: list[Words | Tag] = []
        self._trims = False  #: the last tag trims the space after it
        self._counted = 0  #: offset up to which line breaks were counted
        self._line = 1

    def all(self) -> list[Words | Tag]:
        template, done = self._template, 0
        while (at := template.find("{{", done)) >= 0:
            if template.endswith("\\\\", done, at):
                text = template[done : at - 1]
            elif template.endswith("\\", done, at):
                self._words(template[done : at - 1] + "{{", trims=False)
                done = at + 2
                continue
            else:
                text = template[done:at]
            end = self._end(at)
            body = template[at + 2 : end - 2]
            self._words(text, trims=body.startswith("~"))
            self._tag(at, body)
            self._trims = body.endswith("~")
            done = end
        self._words(template[done:], trims=False)
        return self._found

    def _words(self, text: str, *, trims: bool) -> None:
        if self._trims:
            text = text.lstrip(_SPACE)
        if trims:
            text = text.rstrip(_SPACE)
        self._trims = False
        if text:
            self._found.append(Words(text))

    def _end(self, at: int) -> int:
        """Returns the end of the tag that starts at this offset."""
        template = self._template
        for opens, closes in ((_COMMENT, _COMMENT_END), (_TRIPLE, _TRIPLE_END)):
            if opens.match(template, at):
                found = closes.search(template, at + 3)
                if found is None:
                    raise self._wrong(at, "a tag is not closed")
                return found.end()
        end = template.find("}}", at + 2)
        if end < 0:
            raise self._wrong(at, "a tag is not closed")
        return end + 2

    def _tag(self, at: int, body: str) -> None:
        inner = body[body.startswith("~") : len(body) - (body.endswith("~") and len(body) > 1)]
        if inner.startswith("!"):
            return
        if len(inner) > MOST_IN_TAG:
            raise self._wrong(at, f"a tag is longer than {MOST_IN_TAG} characters")
        if inner.startswith("{"):
            inner = "&" + inner[1:-1]
        inner = inner.strip()
        kind = inner[:1] if inner[:1] in ("#", "^", "/", ">", "&") else ""
        inner = inner[len(kind) :].strip()
        self._found.append(Tag(kind if kind != "&" else "", inner, self._line_of(at)))

    def _line_of(self, at: int) -> int:
        self._line += self._template.count("\n", self._counted, at)
        self._counted = at
        return self._line

    def _wrong(self, at: int, why: str) -> TemplateError:
        return TemplateError(f"line {self._line_of(at)}: {why}")
