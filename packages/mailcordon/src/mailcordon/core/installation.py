"""The installation: what tells our mail from another Mailcordon's in the same AWS account, and the keys it uses."""

import re
from dataclasses import dataclass, field

_NAME = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    name: str  #: travels as a tag on every mail
    mac_key: bytes = field(repr=False)  #: signs attempt tags; 32 bytes
    hash_key: bytes = field(repr=False)  #: keys the recipient hash; 32 bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"an installation's name has 1 to 32 lower-case letters, digits and hyphens, not {self.name!r}"
            )
