"""Where the split stands for one tenant: what a move to a path of its own waits for, and what remains shared after one. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

from mailcordon.control.suppression_split.nouns import Phase
from mailcordon.messages import suppression_split as messages
from mailcordon.messages import times


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    phase: Phase | None  #: of the newest split; None: there was none
    compared: bool  #: ours and SES's lists were found to agree
    open: int  #: entries of addresses that the tenant mailed, or that are its own, which calls to SES remain for
    kept: int  #: its entries that are still on the account's list

    @property
    def is_done(self) -> bool:
        """Whether no entry of the account's list still waits to be given to this tenant."""
        return self.phase is not None and self.compared and self.open == 0

    def sentence(self, tenant: str) -> str:
        """What is missing, or that nothing is."""
        if self.phase is None:
            return messages.never_split(tenant)
        if not self.is_done:
            return messages.not_split_yet(tenant, self.open)
        return messages.split_for(tenant, self.kept)


class Refilled(NamedTuple):
    """What came on the account's list since the split was finished, and is there still."""

    entries: int
    newest: int
    ended_at: int  #: milliseconds since 1970, as `newest`

    @property
    def sentence(self) -> str:
        return messages.refilled(self.entries, times.minute(self.newest), times.minute(self.ended_at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A tenant with domains of its own, and what it shares nevertheless."""

    tenant: str
    domains: int  #: verified, that its lanes send from on a path of their own
    account_scope: bool  #: SES checks the account's list for mail of one of its SES tenants
    standing: Standing
    channels: int  #: alert channels that name the tenant
    shared_channels: int  #: alert channels of everybody


def half_moved(moved: Moved) -> list[str]:
    """The findings "feels migrated": its identities moved while suppression or alerting is still shared. Empty: none."""
    if moved.domains == 0:
        return []
    said: list[str] = []
    if moved.account_scope:
        said.append(messages.account_scope(moved.tenant))
    if not moved.standing.is_done:
        said.append(messages.feels_migrated(moved.tenant, moved.standing.sentence(moved.tenant)))
    if moved.channels == 0:
        said.append(messages.alerts_shared(moved.tenant, everybody=moved.shared_channels > 0))
    return said
