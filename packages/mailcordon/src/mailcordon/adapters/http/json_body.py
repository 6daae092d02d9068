"""The one JSON reader of the API: the bytes of a body become a value, or one of a closed set of errors (`CODES`), all 400.

What RFC 8259 leaves to the reader is refused: two members of one name in an object (readers take the first, the last or both),
lone surrogates, and numbers that a double or a 64-bit integer cannot hold. A value of the wrong type and an unknown field are
no fault of the JSON: they are 422, and name the field.

msgspec takes the last of two members silently. So the text is read once more, with keys that do not allow an equal one beside
them. That costs about 0.1 us a member and 0.35 us a KB.
"""

import operator
import re
from collections.abc import Callable
from typing import Annotated, Any, NewType, TypeVar

import msgspec
from litestar import Request

from mailcordon.adapters.http import problems
from mailcordon.adapters.http.auth import platform_principal
from mailcordon.adapters.http.problems import Malformed
from mailcordon.core.principal import ADMIN
from mailcordon.messages import api, mail

T = TypeVar("T")

MAX_DEPTH = (
    10  #: arrays and objects inside each other, as a policy has; each level makes the reader twice as large
)

NOT_UTF8 = "json-not-utf8"
MALFORMED = "malformed-json"
TOO_DEEP = "json-too-deep"
DUPLICATE = "json-duplicate-member"
NOT_A_NUMBER = "json-not-a-number"
OUT_OF_RANGE = "json-number-out-of-range"
LONE_SURROGATE = "json-lone-surrogate"
CODES = (NOT_UTF8, MALFORMED, TOO_DEEP, DUPLICATE, NOT_A_NUMBER, OUT_OF_RANGE, LONE_SURROGATE)

#: Bytes of a body with a field of the wrong type, up to which a fault of the JSON itself is looked for first. The look makes
#: objects of everything in the body: of `[[],[],...` many times its size.
_LONGEST_SECOND_LOOK = 1024 * 1024

_BYTE = re.compile(r"\(byte (\d+)\)")
_NOT_NUMBERS = re.compile(rb"-?(NaN|Infinity)")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_BAD_NUMBERS = ("Number out of range", "Integer value out of range", "Expected `int` <", "Expected `int` >")


class _Twice(ValueError):
    """An object has two members of one name."""


class _Key(str):
    """The name of a member. A dict compares two keys only if their hashes are equal."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        if str.__eq__(self, other):
            raise _Twice(self)
        return False


def _any_json(depth: int) -> Any:
    integer: Any = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    scalar: Any = integer | bool | float | str | None
    value = scalar
    for _ in range(depth):
        # A name for the type: a union of unions is hashed again and again, twice as long with each level.
        named: Any = NewType("named", value)  # pyright: ignore[reportGeneralTypeIssues]
        value = scalar | list[named] | dict[_Key, named]
    return value


_made: Any = operator.call  # calls the key's constructor without a frame of Python
_check = msgspec.json.Decoder(_any_json(MAX_DEPTH), dec_hook=_made).decode
_check_flat = msgspec.json.Decoder(dict[_Key, msgspec.Raw], dec_hook=_made).decode
_decode = msgspec.json.Decoder().decode


class JSONRequest(Request[Any, Any, Any]):
    """Litestar's request with this reader in place of Litestar's: `JSONBody` of every route goes through it."""

    async def body(self) -> bytes:
        """Never empty: Litestar leaves out an empty body without asking for its JSON."""
        return await super().body() or b" "

    async def json(self) -> Any:
        """Raises Malformed. What is larger than other bodies is read for a key of the platform alone: it costs memory."""
        raw = await self.body()
        if len(raw) > problems.MAX_BODY:
            platform_principal(self, ADMIN)
        return read(raw)


def read(raw: bytes) -> Any:
    """The value of a JSON text. Raises Malformed."""
    try:
        _check(raw)
        return _decode(raw)
    except (ValueError, RecursionError) as error:
        raise _malformed(raw, error) from None


def read_as(decoder: msgspec.json.Decoder[T], raw: bytes, is_flat: Callable[[T], bool]) -> T:
    """The value of a JSON object as the decoder's type: as `read`, and faster.

    `is_flat` says of the value that its object has no object in it. Raises Malformed, or Invalid with the field at fault.
    """
    try:
        value = decoder.decode(raw)
        if is_flat(value):
            _check_flat(raw)
        else:
            _check(raw)
    except msgspec.ValidationError as error:
        if len(raw) <= _LONGEST_SECOND_LOOK:
            read(raw)
        raise problems.from_decoding(error) from None
    except (ValueError, RecursionError) as error:
        raise _malformed(raw, error) from None
    return value


class _Content(msgspec.Struct):
    content: msgspec.Raw = msgspec.Raw()


class _Texts(msgspec.Struct):
    text: msgspec.Raw = msgspec.Raw()
    html: msgspec.Raw = msgspec.Raw()
    raw: msgspec.Raw = msgspec.Raw()
    attachments: msgspec.Raw = msgspec.Raw()


_texts = msgspec.json.Decoder(_Texts).decode
_contents = msgspec.json.Decoder(list[_Content]).decode
_MOST_FILES = 1000  #: objects among the attachments that are looked at; no message may have so many


def check_beside_texts(raw: bytes, most: int) -> None:
    """Raises TooLarge if an object has more than `most` bytes beside its members `text`, `html` and `raw` and the files of its
    `attachments`.

    A long text is decoded at the speed of memory. Millions of small members keep the interpreter's lock for seconds, also in
    another thread, and take many times their size. No object is made here for what is skipped.
    """
    try:
        found = _texts(raw)
        long = [found.text, found.html, found.raw, *_files(found.attachments)]
    except msgspec.ValidationError as error:
        raise problems.from_decoding(error) from None
    except (ValueError, RecursionError) as error:
        raise _malformed(raw, error) from None
    if len(raw) - sum(len(memoryview(one)) for one in long) > most:
        raise problems.TooLarge(mail.too_much_beside_texts(most))


def _files(attachments: msgspec.Raw) -> list[msgspec.Raw]:
    """The content of each; none if they cannot be read, which says what is wrong with them when they are."""
    if not len(memoryview(attachments)) or bytes(attachments).count(b"{") > _MOST_FILES:
        return []
    try:
        return [one.content for one in _contents(attachments)]
    except msgspec.ValidationError:
        return []


def _malformed(raw: bytes, error: ValueError | RecursionError) -> Malformed:
    text = str(error)
    if isinstance(error, _Twice):
        return Malformed(api.json_member_twice(repr(text[:64])), code=DUPLICATE)
    if isinstance(error, UnicodeDecodeError):
        return Malformed(api.body_not_utf8(), code=NOT_UTF8)
    if isinstance(error, msgspec.ValidationError) and text.startswith(_BAD_NUMBERS):
        return Malformed(api.json_number_out_of_range(), code=OUT_OF_RANGE)
    if isinstance(error, msgspec.ValidationError | RecursionError):
        return Malformed(api.json_too_deep(MAX_DEPTH), code=TOO_DEEP)
    place = int(found[1]) if (found := _BYTE.search(text)) else len(raw)
    if _NOT_NUMBERS.match(raw, place) or _NOT_NUMBERS.match(raw, max(place - 1, 0)):
        return Malformed(api.json_not_a_number(), code=NOT_A_NUMBER)
    # msgspec expects the other half of a surrogate pair next, and reports what it finds, or the end of the text.
    if _SURROGATE.search(raw, max(place - 16, 0), place + 1):
        return Malformed(api.json_lone_surrogate(), code=LONE_SURROGATE)
    try:
        raw.decode()
    except UnicodeDecodeError:
        return Malformed(api.body_not_utf8(), code=NOT_UTF8)
    return Malformed(api.body_not_json(text), code=MALFORMED)
