"""Reads the addresses of a header: To, Cc, From, Reply-To and Sender, as RFC 5322 section 3.4 writes them.

Names may be quoted, in comments or in encoded words; groups are taken where several addresses may stand. What two programs could
read in two ways is refused: spaces or comments inside an address, routes, text that is left over.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from mailcordon.core import encoded_words
from mailcordon.messages import raw_mail

MOST_NESTED = 5  #: comments in comments

_SPACE = re.compile(r"[ \t]+")
_QUOTED = re.compile(r'"((?>(?:[^"\\]|\\.)*))"')
_ATOM = re.compile(r"[^\s\"(),:;<>@\[\]\\]+")
_ESCAPED = re.compile(r"\\(.)")


class Entry(NamedTuple):
    """One address with its name, as a reader sees it."""

    name: str  #: decoded; comments are part of it
    address: str  #: as it was written; not checked


class _Token(NamedTuple):
    kind: str  #: `word`, `quoted`, `space`, `comment`, or the sign itself
    text: str


def parse(value: str, most: int) -> tuple[Entry, ...]:
    """The addresses of an unfolded header value; none if it has only empty groups, as `undisclosed-recipients:;`.

    What comes after the first `most` is not read.

    Raises ValueError for what is not a list of addresses."""
    entries: list[Entry] = []
    pending: list[_Token] = []
    in_group = False
    for kind, text in _tokens(value):
        if kind == ":" and not in_group and any(one.kind in ("word", "quoted") for one in pending):
            in_group, pending = True, []
        elif kind == "," or (kind == ";" and in_group):
            _add(entries, pending)
            if len(entries) >= most:
                return tuple(entries)
            pending = []
            in_group = in_group and kind == ","
        elif kind in (":", ";"):
            raise ValueError(raw_mail.not_an_address_list())
        else:
            pending.append(_Token(kind, text))
    if in_group:
        raise ValueError(raw_mail.not_an_address_list())
    _add(entries, pending)
    return tuple(entries)


def _add(entries: list[Entry], tokens: list[_Token]) -> None:
    """Adds the one address that the tokens between two commas are."""
    kinds = [one.kind for one in tokens]
    if not any(kind not in ("space", "comment") for kind in kinds):
        return  # an empty place, as some programs write (RFC 5322 section 4.4)
    if "<" in kinds:
        begin, end = kinds.index("<"), len(kinds) - 1 - kinds[::-1].index(">") if ">" in kinds else 0
        inside, around = tokens[begin + 1 : end], tokens[:begin] + tokens[end + 1 :]
        if any(kind not in ("space", "comment") for kind in kinds[end + 1 :]):
            raise ValueError(raw_mail.not_an_address_list())
    else:
        places = [place for place, kind in enumerate(kinds) if kind not in ("space", "comment")]
        inside = tokens[places[0] : places[-1] + 1]
        around = tokens[: places[0]] + tokens[places[-1] + 1 :]
    if any(one.kind not in ("word", "quoted", "space", "comment") for one in around):
        raise ValueError(raw_mail.not_an_address_list())
    if [one.kind for one in inside] not in (["word", "@", "word"], ["quoted", "@", "word"]):
        raise ValueError(raw_mail.not_an_address_list())
    entries.append(Entry(_name(around), "".join(_written(one) for one in inside)))


def _name(tokens: list[_Token]) -> str:
    return " ".join(encoded_words.decode("".join(one.text for one in tokens)).split(" ")).strip()


def _written(token: _Token) -> str:
    return f'"{token.text}"' if token.kind == "quoted" else token.text


def _tokens(value: str) -> Iterator[_Token]:
    at = 0
    while at < len(value):
        if match := _ATOM.match(value, at):
            yield _Token("word", match[0])
            at = match.end()
        elif match := _SPACE.match(value, at):
            yield _Token("space", " ")
            at = match.end()
        elif match := _QUOTED.match(value, at):
            yield _Token("quoted", _ESCAPED.sub(r"\1", match[1]))
            at = match.end()
        elif value[at] == "(":
            end = _end_of_comment(value, at)
            yield _Token("comment", _ESCAPED.sub(r"\1", value[at + 1 : end - 1]))
            at = end
        elif value[at] in "<>@,:;":
            yield _Token(value[at], value[at])
            at += 1
        else:
            raise ValueError(raw_mail.not_an_address_list())


def _end_of_comment(value: str, at: int) -> int:
    depth = 0
    while at < len(value):
        sign = value[at]
        if sign == "\\":
            at += 1
        elif sign == "(":
            depth += 1
            if depth > MOST_NESTED:
                break
        elif sign == ")":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    raise ValueError(raw_mail.not_an_address_list())
