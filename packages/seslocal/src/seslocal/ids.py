"""All ids of the local SES, from one generator that can be seeded: the same seed and the same calls give the same ids. Their
shapes follow SES's; clients should not interpret them."""

from __future__ import annotations

import hashlib
from random import Random
from secrets import token_bytes

_FIXED = 0x4000_8000_0000_0000_0000  # version 4, variant 1 (RFC 9562)
_FREE = ~0xF000_C000_0000_0000_0000
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class Ids:
    def __init__(self, seed: int | None = None, region: str = "us-east-1") -> None:
        self.random = Random(seed)
        self._seed = seed
        self._prefix = "0100" if region == "us-east-1" else "0102"

    def uuid(self) -> str:
        bits = "%032x" % (self.random.getrandbits(128) & _FREE | _FIXED)
        return f"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-{bits[16:20]}-{bits[20:]}"

    def message(self, at: float) -> str:
        """A MessageId or feedback id: milliseconds in hex, then a UUID."""
        return f"{self._prefix}{int(at * 1000):012x}-{self.uuid()}-000000"

    def token(self) -> str:
        """The token that confirms an SNS subscription."""
        return f"{self.random.getrandbits(1024):0256x}"

    def tenant(self) -> str:
        return f"tn-{self.random.getrandbits(120):030x}"

    def secret(self) -> bytes:
        """Not from the generator of ids, whose sequence must not change."""
        return (
            hashlib.sha256(f"seslocal {self._seed}".encode()).digest()
            if self._seed is not None
            else token_bytes(32)
        )

    def dkim_token(self) -> str:
        return "".join(self.random.choice(_LETTERS) for _ in range(32))
