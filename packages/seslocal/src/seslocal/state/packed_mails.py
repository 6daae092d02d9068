"""Mails under way as bytes, about 150 for a mail of a campaign: what many mails share is kept once, and the rest is compressed
against the first mail that shares it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.mail_under_way import MailUnderWay, mail_of, mail_values, plans_of, plans_values
from seslocal.state.suppression import SuppressionList

_WINDOW: Final = 12  # bits: deflate looks back 4 KB, so longer dictionaries are of no use
_DICTIONARY: Final = (1 << _WINDOW) - 262  # bytes (zlib.h, deflateSetDictionary)
_MOST_DICTIONARIES: Final = 1000
_LEVEL: Final = 6  # measured: as fast as level 1 for so little, and smaller
_NUMBER: Final = 4  # bytes that say which mails it shares with

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


@dataclass(slots=True, eq=False)
class _Shared:
    """What packed mails have in common."""

    key: tuple[Any, ...]
    configuration_set: ConfigurationSet | None
    suppression: SuppressionList
    scope: str
    reasons: tuple[str, ...]
    dictionary: bytes
    mails: int = 0  #: that are packed; it is forgotten with the last one


class PackedMails:
    def __init__(self) -> None:
        self._by_key: dict[tuple[Any, ...], int] = {}
        self._by_number: dict[int, _Shared] = {}
        self._numbers = 0

    def pack(self, one: MailUnderWay) -> bytes | None:
        """Returns None if it has a value that cannot be written, such as half a surrogate pair."""
        try:
            values = _encode(
                (
                    mail_values(one.mail),
                    plans_values(one.plans),
                    one.infected,
                    one.broken,
                    list(one.done),
                    one.left_at,
                )
            )
        except (UnicodeEncodeError, OverflowError, TypeError):
            return None
        number, shared = self._shared(one, values)
        shared.mails += 1
        deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -_WINDOW, zdict=shared.dictionary)
        return number.to_bytes(_NUMBER, "little") + deflate.compress(values) + deflate.flush()

    def take(self, packed: bytes) -> MailUnderWay:
        """Unpacks a mail, which is packed no longer."""
        number, shared, mail = self._unpack(packed)
        shared.mails -= 1
        if not shared.mails:
            del self._by_number[number], self._by_key[shared.key]
        return mail

    def read(self, packed: bytes) -> MailUnderWay:
        """Unpacks a mail, which stays packed."""
        return self._unpack(packed)[2]

    def _shared(self, one: MailUnderWay, values: bytes) -> tuple[int, _Shared]:
        # The objects themselves and not their names: a set that was deleted still gets the events of its mails.
        key = (
            id(one.configuration_set),
            id(one.suppression),
            one.scope,
            one.reasons,
            one.mail.source_arn,
            one.mail.tenant,
        )
        number = self._by_key.get(key)
        if number is not None:
            return number, self._by_number[number]
        few = len(self._by_number) < _MOST_DICTIONARIES
        dictionary = values[:_DICTIONARY] if few else next(iter(self._by_number.values())).dictionary
        self._numbers += 1
        self._by_key[key] = self._numbers
        shared = self._by_number[self._numbers] = _Shared(
            key, one.configuration_set, one.suppression, one.scope, one.reasons, dictionary
        )
        return self._numbers, shared

    def _unpack(self, packed: bytes) -> tuple[int, _Shared, MailUnderWay]:
        number = int.from_bytes(packed[:_NUMBER], "little")
        shared = self._by_number[number]
        values = zlib.decompressobj(-_WINDOW, zdict=shared.dictionary).decompress(packed[_NUMBER:])
        mail, plans, infected, broken, done, left_at = _decode(values)
        return (
            number,
            shared,
            MailUnderWay(
                mail_of(mail),
                plans_of(plans),
                shared.configuration_set,
                shared.suppression,
                shared.scope,
                shared.reasons,
                infected,
                tuple(broken) if broken else None,
                set(done),
                left_at,
            ),
        )
