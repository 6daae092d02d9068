"""The tags on every mail by which its events are attributed: installation, tenant, type, delivery and the signed attempt.

The attempt is committed before the call, so an event finds its delivery even if it arrives before SES's answer is recorded. The
signature covers all five tags: a tenant that copies another tenant's delivery id is detected, and so is mail of another
installation. Values match `[A-Za-z0-9_-]{1,256}` (ses.md 3.3).
"""

import hmac
from collections.abc import Mapping, Sequence

from mailcordon.core import ids, keyed_hash
from mailcordon.core.event import Attempt

INSTALLATION = "mc-installation"
TENANT = "mc-tenant"
TYPE = "mc-type"
DELIVERY = "mc-delivery"
ATTEMPT = "mc-attempt"  #: number, call time and signature, joined by `-`; a canary's starts with `c`
SIGNED = (INSTALLATION, TENANT, TYPE, DELIVERY, ATTEMPT)  #: covered by the signature

_MAC_BYTES = 10  #: 80 bits: too many to guess, short enough for a tag


def sign(key: bytes, attempt: Attempt) -> dict[str, str]:
    """Returns tag names and values, in the order they are sent."""
    delivery, value = attempt_values(key, attempt)
    return {
        INSTALLATION: attempt.installation,
        TENANT: attempt.tenant_key,
        TYPE: attempt.type,
        DELIVERY: delivery,
        ATTEMPT: value,
    }


def attempt_values(key: bytes, attempt: Attempt) -> tuple[str, str]:
    """Returns the values of the delivery and attempt tags. The signature covers the other three as well."""
    delivery = ids.encode(attempt.delivery)
    head = f"{'c' if attempt.canary else ''}{attempt.attempt}-{attempt.called_at}"
    mac = _mac(key, attempt.installation, attempt.tenant_key, attempt.type, delivery, head)
    return delivery, f"{head}-{mac}"


def carries_ours(tags: Mapping[str, str]) -> bool:
    """Whether a mail has tags of this or another installation."""
    return ATTEMPT in tags and INSTALLATION in tags


def verify(keys: Sequence[bytes], tags: Mapping[str, str]) -> Attempt:
    """Returns the attempt that these tags prove with one of the keys.

    Raises ValueError if one is missing or the signature is wrong."""
    try:
        installation, tenant, type, delivery, made = [tags[name] for name in SIGNED]
    except KeyError:
        missing = [name for name in SIGNED if name not in tags]
        raise ValueError(f"the tags {', '.join(missing)} are missing") from None
    parts = made.split("-")
    if len(parts) != 3:
        raise ValueError("the attempt tag must have three parts")
    number, called_at, mac = parts
    canary = number.startswith("c")
    head = f"{number}-{called_at}"
    given = mac.encode()
    for key in keys:
        expected = _mac(key, installation, tenant, type, delivery, head)
        if hmac.compare_digest(given, expected.encode()):
            break
    else:
        raise ValueError("the signature does not match the tags")
    return Attempt(
        installation=installation,
        tenant_key=tenant,
        type=type,
        delivery=ids.decode(delivery),
        attempt=int(number.removeprefix("c")),
        called_at=int(called_at),
        canary=canary,
    )


def _mac(key: bytes, installation: str, tenant: str, type: str, delivery: str, head: str) -> str:
    text = f"{installation}\n{tenant}\n{type}\n{delivery}\n{head}"
    return keyed_hash.digest(key, text.encode())[:_MAC_BYTES].hex()
