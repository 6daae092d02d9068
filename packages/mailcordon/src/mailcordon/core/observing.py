"""Rules that say whose mail without our tags is (docs/observe-only.md): nouns that control writes and observe reads."""

from dataclasses import dataclass
from enum import StrEnum

LONGEST_VALUE = 320  #: characters: those of an address


class By(StrEnum):
    """What a rule goes by."""

    TAG = "tag"  #: a tag of the mail with this value
    SET = "set"  #: the configuration set
    FROM = "from"  #: the domain of the sender's address or one below it, or the whole address
    IDENTITY = "identity"  #: the identity that SES names


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Mail with this value is of this tenant."""

    id: int = 0
    by: By
    name: str | None = None  #: of the tag
    value: str
    tenant: int
    tenant_slug: str
    tenant_key: str
    type: (
        str | None
    )  #: of all its mail, or of mail whose `type_tag` names none; None: such mail is not mapped
    type_tag: str | None = None  #: the tag whose value is the message type

    @property
    def key(self) -> tuple[By, str | None, str]:
        return self.by, self.name, self.value
