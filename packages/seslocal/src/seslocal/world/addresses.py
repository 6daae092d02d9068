"""Addresses of made-up lists: the name of a list and a number make an address at one of the providers, always the same. Who is
behind it is for `people` to say."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Final, Literal
from zlib import crc32

from seslocal.world.parameters import WrongParameter, read

Readers = Literal["consumers", "businesses"]

#: domains of each provider, one as frequent as the other
DOMAINS: Final[dict[str, tuple[str, ...]]] = {
    "gmail": ("gmail.com",),
    "microsoft": ("outlook.com", "hotmail.com"),
    "yahoo": ("yahoo.com", "yahoo.com", "aol.com"),
    "apple": ("icloud.com",),
    "gmx": ("gmx.de", "gmx.net", "web.de"),
    "telco": ("telco.example",),
    "gateways": tuple(f"corp{number:02d}.example" for number in range(40)),
    "small": tuple(f"host{number:02d}.example" for number in range(40)),
}

#: The fraction of the golden ratio in 32 bits: its multiples fall evenly (Weyl), so that each stretch of a list has the same mix.
_GOLDEN: Final = 2_654_435_769
_RANGE: Final = 2**32


class Addresses:
    """The addresses of lists whose readers are consumers or businesses."""

    def __init__(self, readers: Readers = "consumers") -> None:
        parameters = read("addresses")
        shares = {provider: parameters.number(f"{readers}.{provider}") for provider in DOMAINS}
        if abs(sum(shares.values()) - 1) > 1e-9:
            raise WrongParameter(
                f"addresses: the shares of {readers} add up to {sum(shares.values())} instead of 1."
            )
        domains = [
            (domain, share / len(DOMAINS[provider]))
            for provider, share in shares.items()
            for domain in DOMAINS[provider]
        ]
        self._bounds = [bound * _RANGE for bound in accumulate(share for _, share in domains)][:-1]
        self._ends = [f"@{domain}" for domain, _ in domains]
        self._starts: dict[str, int] = {}

    def address(self, name: str, number: int) -> str:
        """Returns `NAME.NUMBER@DOMAIN`. `name` has no dot; `number` is from 0."""
        start = self._starts.get(name)
        if start is None:
            if not name or "." in name or "@" in name:
                raise ValueError(f"The list name {name!r} is empty or has a dot or an @; take another.")
            if len(self._starts) >= 10_000:
                self._starts.clear()
            start = self._starts[name] = crc32(name.encode())
        return f"{name}.{number:06d}{self._ends[bisect_right(self._bounds, (start + number * _GOLDEN) % _RANGE)]}"
