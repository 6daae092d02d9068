"""Tags that an app gives a message for itself, such as an order number. They are kept and shown, and never sent to SES."""

import json
import re
from collections.abc import Mapping

from mailcordon.core.errors import Fault
from mailcordon.messages import raw_mail

Tags = tuple[tuple[str, str], ...]

MAX_TAGS = 20
LONGEST_VALUE = 256

_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check(given: Mapping[str, str], faults: list[Fault]) -> Tags:
    """The tags in the order of their keys. Adds a fault for each that cannot be taken."""
    if len(given) > MAX_TAGS:
        faults.append(Fault("tags", raw_mail.too_many_tags(MAX_TAGS)))
        return ()
    for key, value in given.items():
        if _KEY.fullmatch(key) is None:
            faults.append(Fault("tags", raw_mail.bad_tag_key()))
        elif not 1 <= len(value) <= LONGEST_VALUE or not value.isprintable():
            faults.append(Fault(f"tags.{key}", raw_mail.bad_tag_value(LONGEST_VALUE)))
    return tuple(sorted(given.items()))


def encode(tags: Tags) -> str | None:
    """As it is stored; None without tags."""
    return json.dumps(dict(tags), ensure_ascii=False) if tags else None


def decode(stored: str | None) -> dict[str, str]:
    return {} if stored is None else json.loads(stored)
