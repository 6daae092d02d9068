"""The installation: its name, which distinguishes its mail from other installations in the AWS account, and its keys.

The key that signs attempt tags can be rotated (adapters/db/installation.py): two are accepted meanwhile. The key of recipient
hashes cannot: what is stored under it, suppressions above all, could not be found any more, and the addresses to hash again are
not kept.
"""

from dataclasses import dataclass, field

from mailcordon.core import names


@dataclass(slots=True, kw_only=True)  # not frozen: a process takes over a new MAC key while it runs
class Installation:
    name: str  #: a tag on every mail
    mac_key: bytes = field(repr=False)  #: signs attempt tags; 32 bytes
    hash_key: bytes = field(repr=False)  #: key of the recipient hash; 32 bytes
    other_mac_key: bytes | None = field(
        default=None, repr=False
    )  #: accepted as well, while the key is rotated
    observe_only: bool = False  #: sends nothing and changes nothing at SES (docs/observe-only.md)

    def __post_init__(self) -> None:
        if not names.is_short(self.name):
            raise ValueError(
                f"an installation's name has 1 to 32 lower-case letters, digits and hyphens, not {self.name!r}"
            )

    @property
    def mac_keys(self) -> tuple[bytes, ...]:
        """All that prove an attempt, the most likely one first."""
        return (self.mac_key,) if self.other_mac_key is None else (self.mac_key, self.other_mac_key)
