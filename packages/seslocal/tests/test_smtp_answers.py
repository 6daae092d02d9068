"""What an error of the API is in SMTP."""

from __future__ import annotations

import pytest

from seslocal.errors import ApiError, bad_request, limit_exceeded, not_found
from seslocal.mail.sending import PAUSED, too_fast
from seslocal.mail.smtp_answers import FORMS, to_smtp
from seslocal.state.settings import Behaviour

BEHAVIOUR = Behaviour()


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (bad_request("Missing start boundary"), (554, "Transaction failed: Missing start boundary")),
        (not_found("Configuration set <s> does not exist."), (554, "Transaction failed: Configuration set <s> does not exist.")),
        (ApiError("MessageRejected", "No.\r\nNo."), (554, "Message rejected: No.  No.")),
        (ApiError("AccessDeniedException", "User", 403), (554, "Access denied: User")),
        (too_fast(), (454, "Throttling failure: Maximum sending rate exceeded.")),
        (limit_exceeded("Daily message quota exceeded."), (454, "Throttling failure: Daily message quota exceeded.")),
        (ApiError("InternalServiceErrorException", "x", 500), (451, "Temporary service failure")),
        (ApiError("SomethingNew", "x"), (451, "Temporary service failure")),
    ],
)  # fmt: skip
def test_an_error_has_its_answer(error: ApiError, answer: tuple[int, str]) -> None:
    assert to_smtp(error, BEHAVIOUR) == answer


@pytest.mark.parametrize("kind", ["account_paused", "account_paused_by_ses"])
def test_a_paused_account_is_said_as_users_report_it(kind: str) -> None:
    error = ApiError("SendingPausedException", "Sending paused for this account.", kind=kind)
    assert to_smtp(error, BEHAVIOUR) == (554, f"Message rejected: {PAUSED}")
    other = Behaviour(old_pause_error="AccountSendingPausedException")
    assert to_smtp(error, other) == (554, "Message rejected: Sending paused for this account.")


def test_each_form_has_its_source() -> None:
    assert all(source for _, _, source in FORMS.values())
