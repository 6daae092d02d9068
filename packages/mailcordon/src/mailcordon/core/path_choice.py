"""Which of a lane's two paths a recipient's mail takes (docs/paths.md).

It depends on the tenant and the recipient only, so a recipient stays on a path from mail to mail and from type to type. Who is on
the isolated path at one share is on it at every higher one.
"""

import hashlib
from collections.abc import Sequence

SHARED = "shared"
ISOLATED = "isolated"

#: In `message.other_path`: no delivery of the message changes its path, since its From cannot be changed.
KEEPS_ITS_PATH = 1 << 62
OF_ITS_FROM = 1 << 61  #: beside it: since the message is raw. Without: since its recipients see each other


def isolated(tenant_key: str, recipient_hash: bytes, share: int) -> bool:
    """Whether this recipient's mail takes the isolated path at a share of 0 to 100 percent.

    `recipient_hash` is the keyed hash of the address (core/address.py).
    """
    digest = hashlib.blake2b(recipient_hash, digest_size=8, key=tenant_key.encode()[:64]).digest()
    return int.from_bytes(digest) % 100 < share


def path(tenant_key: str, recipient_hash: bytes, share: int) -> str:
    """As `isolated`, as the name of the path."""
    return ISOLATED if isolated(tenant_key, recipient_hash, share) else SHARED


def other_of(path: str) -> str:
    return SHARED if path == ISOLATED else ISOLATED


def others(paths: Sequence[str], path: str) -> int:
    """The mask of a message on `path` whose recipients take these paths: bit n - 1 is set if recipient n, counted from 1, takes
    the other one."""
    mask = 0
    for place, each in enumerate(paths):
        if each != path:
            mask |= 1 << place
    return mask


def is_fixed(others: int | None) -> bool:
    """Whether no delivery of the message changes its path, while its lane has two."""
    return others is not None and others & KEEPS_ITS_PATH != 0


def path_of(path: str, others: int | None, number: int) -> str:
    """Which path the delivery with this number takes, counted from 1. `path` and `others` are of its message."""
    if not others or not others >> (number - 1) & 1:
        return path
    return other_of(path)
