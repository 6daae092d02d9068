"""Mails under way as bytes, about 150 for a mail of a campaign: what many mails share is kept once, and the rest is compressed
against the first mail that shares it."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.mail_under_way import MailUnderWay, mail_of, mail_values, plans_of, plans_values
from seslocal.state.samples import Samples
from seslocal.state.suppression import SuppressionList

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder().decode


class _Shared(NamedTuple):
    """What packed mails have in common."""

    configuration_set: ConfigurationSet | None
    suppression: SuppressionList
    scope: str
    reasons: tuple[str, ...]


class PackedMails:
    def __init__(self) -> None:
        self._samples = Samples[_Shared]()

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
        # The objects themselves and not their names: a set that was deleted still gets the events of its mails.
        key = (
            id(one.configuration_set),
            id(one.suppression),
            one.scope,
            one.reasons,
            one.mail.source_arn,
            one.mail.tenant,
        )
        shared = _Shared(one.configuration_set, one.suppression, one.scope, one.reasons)
        return self._samples.pack(key, shared, values)

    def take(self, packed: bytes) -> MailUnderWay:
        """Unpacks a mail, which is packed no longer."""
        return _mail(*self._samples.take(packed))

    def read(self, packed: bytes) -> MailUnderWay:
        """Unpacks a mail, which stays packed."""
        return _mail(*self._samples.read(packed))


def _mail(shared: _Shared, values: bytes) -> MailUnderWay:
    mail, plans, infected, broken, done, left_at = _decode(values)
    return MailUnderWay(
        mail_of(mail),
        plans_of(plans),
        *shared,
        infected,
        tuple(broken) if broken else None,
        set(done),
        left_at,
    )
