"""Every operation of SES v2 that is implemented."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seslocal.sesv2 import (
    accounts,
    address_insights,
    bulk,
    configuration_sets,
    contact_lists,
    contacts,
    dedicated_ips,
    export_jobs,
    identities,
    identity_policies,
    import_jobs,
    insights,
    reputation,
    sending,
    suppression,
    tags,
    templates,
    tenants,
    verification_mail,
)
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.wire.params import Params

Act = Callable[[Account, Params, Caller], Params]

IMPLEMENTED: Final[dict[str, Act]] = {
    **accounts.OPERATIONS,
    **address_insights.OPERATIONS,
    **bulk.OPERATIONS,
    **configuration_sets.OPERATIONS,
    **contact_lists.OPERATIONS,
    **contacts.OPERATIONS,
    **dedicated_ips.OPERATIONS,
    **export_jobs.OPERATIONS,
    **identities.OPERATIONS,
    **identity_policies.OPERATIONS,
    **import_jobs.OPERATIONS,
    **insights.OPERATIONS,
    **reputation.OPERATIONS,
    **sending.OPERATIONS,
    **suppression.OPERATIONS,
    **tags.OPERATIONS,
    **templates.OPERATIONS,
    **tenants.OPERATIONS,
    **verification_mail.OPERATIONS,
}
