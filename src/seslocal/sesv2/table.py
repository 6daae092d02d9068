"""Every operation of SES v2 that acts, from the modules that own them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seslocal.sesv2 import (
    accounts,
    bulk,
    configuration_sets,
    identities,
    reputation,
    sending,
    suppression,
    tags,
    templates,
    tenants,
)
from seslocal.state import Account, Caller, Params

Act = Callable[[Account, Params, Caller], Params]

ACTING: Final[dict[str, Act]] = {
    **accounts.OPERATIONS,
    **bulk.OPERATIONS,
    **configuration_sets.OPERATIONS,
    **identities.OPERATIONS,
    **reputation.OPERATIONS,
    **sending.OPERATIONS,
    **suppression.OPERATIONS,
    **tags.OPERATIONS,
    **templates.OPERATIONS,
    **tenants.OPERATIONS,
}
