"""What sending costs: a dated file that the operator edits (prices.toml). Pure, but for `shipped`."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from mailcordon.core.errors import Fault, Invalid
from mailcordon.messages import advice as messages

FILE: Final = "prices.toml"
_KNOWN: Final = {
    "month": ("standard_ip", "managed_pools", "ses_tenant", "configuration_set", "identity"),
    "thousand_mails": ("mail", "managed_ips", "vdm"),
    "million": ("events",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    dated: date
    currency: str
    of: Mapping[str, float] = field(default_factory=dict[str, float])  #: such as `month.standard_ip`
    unchecked: frozenset[str] = frozenset()  #: of these, those that nobody looked up

    def get(self, name: str) -> float | None:
        """None: not known."""
        return self.of.get(name)

    def not_looked_up(self, names: Iterable[str]) -> tuple[str, ...]:
        """Of these, by name."""
        return tuple(sorted(self.unchecked.intersection(names)))

    def mails(self, name: str, mails: float) -> float | None:
        """What so many mails cost at a price for a thousand."""
        price = self.of.get(f"thousand_mails.{name}")
        return None if price is None else price * mails / 1_000


@cache
def shipped() -> Prices:
    return parse((Path(__file__).parent / FILE).read_text())


def parse(text: str) -> Prices:
    """Raises Invalid, naming the member."""
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(Fault(FILE, messages.prices_unreadable(str(error)))) from None
    faults: list[Fault] = []
    dated, currency, unchecked = (data.pop(name, None) for name in ("dated", "currency", "unchecked"))
    if not isinstance(dated, date):
        faults.append(Fault("dated", messages.prices_need_date()))
    if not isinstance(currency, str) or not currency:
        faults.append(Fault("currency", messages.prices_need_currency()))
    found: dict[str, float] = {}
    for table, members in data.items():
        known = _KNOWN.get(table)
        if known is None or not isinstance(members, Mapping):
            faults.append(Fault(table, messages.price_unknown(sorted(_KNOWN))))
            continue
        for name, value in cast("Mapping[str, object]", members).items():
            where = f"{table}.{name}"
            if name not in known:
                faults.append(Fault(where, messages.price_unknown(sorted(known))))
            elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
                faults.append(Fault(where, messages.price_wrong()))
            else:
                found[where] = float(value)
    marked = cast("list[object]", unchecked) if isinstance(unchecked, list) else []
    if unchecked is not None and (not marked or any(name not in found for name in marked)):
        faults.append(Fault("unchecked", messages.price_unknown(sorted(found))))
    if faults:
        raise Invalid(*faults)
    assert isinstance(dated, date)
    assert isinstance(currency, str)
    return Prices(dated=dated, currency=currency, of=found, unchecked=frozenset(map(str, marked)))
