"""The installation: its name, which distinguishes its mail from other installations in the AWS account, and its keys."""

from dataclasses import dataclass, field

from mailcordon.core import names


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    name: str  #: a tag on every mail
    mac_key: bytes = field(repr=False)  #: signs attempt tags; 32 bytes
    hash_key: bytes = field(repr=False)  #: key of the recipient hash; 32 bytes

    def __post_init__(self) -> None:
        if not names.is_short(self.name):
            raise ValueError(
                f"an installation's name has 1 to 32 lower-case letters, digits and hyphens, not {self.name!r}"
            )
