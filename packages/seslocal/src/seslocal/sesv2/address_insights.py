"""GetEmailAddressInsights: how likely an address is valid (ses.md 2.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seslocal.mail import auto_validation
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.wire.params import Params


def get_address_insights(account: Account, params: Params, caller: Caller) -> Params:
    found = auto_validation.assess(account, params["EmailAddress"])
    evaluations = {
        "HasValidSyntax": found.valid_syntax,
        "HasValidDnsRecords": found.valid_dns,
        "MailboxExists": found.mailbox_exists,
        "IsRoleAddress": found.role_address,
        "IsDisposable": found.disposable,
        "IsRandomInput": found.random_input,
    }
    return {
        "MailboxValidation": {
            "IsValid": {"ConfidenceVerdict": found.valid},
            "Evaluations": {name: {"ConfidenceVerdict": verdict} for name, verdict in evaluations.items()},
        }
    }


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "GetEmailAddressInsights": get_address_insights
}
