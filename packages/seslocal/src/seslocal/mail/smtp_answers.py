"""What SES's SMTP says for an error of its API: a code and one line. The forms are those of the page "SMTP response codes" in the
Developer Guide; the third member of a row is a report of it, or why there is none. Pure."""

from __future__ import annotations

from typing import Final

from seslocal.errors import ApiError
from seslocal.mail.sending import PAUSED
from seslocal.state.settings import Behaviour

#: by the error's code in SES v2: reply code, what stands before the error's own words, source
FORMS: Final[dict[str, tuple[int, str, str]]] = {
    "BadRequestException": (
        554,
        "Transaction failed: ",
        "authelia/authelia#498 (Duplicate header), swiftmailer/swiftmailer#563 (Missing start boundary)",
    ),
    "MessageRejected": (
        554,
        "Message rejected: ",
        "mageplaza/magento-2-smtp#152, dawidd6/action-send-mail#157 (not verified)",
    ),
    "AccessDeniedException": (
        554,
        "Access denied: ",
        "ministryofjustice/analytical-platform#6944, GSA/data.gov#3810",
    ),
    "TooManyRequestsException": (454, "Throttling failure: ", "knadh/listmonk#992"),
    "LimitExceededException": (
        454,
        "Throttling failure: ",
        "the Developer Guide: Daily message quota exceeded.",
    ),
    "SendingPausedException": (
        554,
        "Message rejected: ",
        "as for the account; nothing is reported of a configuration set by SMTP",
    ),
    "AccountSuspendedException": (554, "Message rejected: ", "nothing is reported by SMTP"),
    "MailFromDomainNotVerifiedException": (554, "Message rejected: ", "nothing is reported by SMTP"),
    "NotFoundException": (
        554,
        "Transaction failed: ",
        "nothing is reported by SMTP; SES v1 has it as an InvalidParameterValue, as what fails a transaction",
    ),
}
_FAULT: Final = (451, "Temporary service failure")
INVALID_SENDER: Final = (501, "Invalid MAIL FROM address provided")  #: dawidd6/action-send-mail#157
_PAUSES: Final = ("account_paused", "account_paused_by_ses")


def to_smtp(error: ApiError, behaviour: Behaviour) -> tuple[int, str]:
    """Returns reply code and text. A paused account is said as users of SES v1 and SMTP report it, or in the API's words with
    `old_pause_error` set to the model's code."""
    if error.kind in _PAUSES:
        said = PAUSED if behaviour.old_pause_error == "MessageRejected" else error.message
        return 554, f"Message rejected: {said}"
    if error.status >= 500 or error.code not in FORMS:
        return _FAULT
    code, begins, _ = FORMS[error.code]
    return code, begins + error.message.replace("\r", " ").replace("\n", " ")
