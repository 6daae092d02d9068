"""Translates errors of SES v2 to the codes of SES v1: by `kind` where the error has one, else by code."""

from __future__ import annotations

from typing import Final

from seslocal.errors import ApiError
from seslocal.mail.sending import PAUSED
from seslocal.state.settings import Behaviour
from seslocal.wire.signature import as_query

_BY_KIND: Final = {
    "attribute_missing": "MissingRenderingAttribute",
    "data_invalid": "InvalidRenderingParameter",
    "dimensions_invalid": "InvalidCloudWatchDestination",
    "destination_absent": "EventDestinationDoesNotExist",
    "destination_exists": "EventDestinationAlreadyExists",
    "from_unverified": "FromEmailAddressNotVerified",
    "policy_invalid": "InvalidPolicy",
    "quota_gone": "Throttling",
    "production_needed": "ProductionAccessNotGranted",
    "redirect_unverified": "InvalidTrackingOptions",
    "set_absent": "ConfigurationSetDoesNotExist",
    "set_exists": "ConfigurationSetAlreadyExists",
    "set_paused": "ConfigurationSetSendingPausedException",
    "template_absent": "TemplateDoesNotExist",
    "template_invalid": "InvalidTemplate",
    "template_too_large": "InvalidTemplate",
    "too_many_calls": "Throttling",
    "topic_invalid": "InvalidSNSDestination",
    "verification_template_absent": "CustomVerificationEmailTemplateDoesNotExist",
    "verification_template_exists": "CustomVerificationEmailTemplateAlreadyExists",
    "verification_template_invalid": "CustomVerificationEmailInvalidContent",
}
_BY_CODE: Final = {
    "AccountSuspendedException": "MessageRejected",
    "AccessDeniedException": "AccessDenied",
    "AlreadyExistsException": "AlreadyExists",
    "BadRequestException": "InvalidParameterValue",
    "InternalServiceErrorException": "InternalFailure",
    "LimitExceededException": "LimitExceeded",
    "NotFoundException": "InvalidParameterValue",
    "SerializationException": "MalformedInput",
    "TooManyRequestsException": "Throttling",
}


#: errors whose text differs in SES v1
_SENTENCES: Final = {"too_many_calls": "Rate exceeded"}


#: the account is paused, by its owner or by SES. A live answer and the model disagree: `old_pause_error` decides
_PAUSES: Final = ("account_paused", "account_paused_by_ses")


def to_v1_error(error: ApiError, behaviour: Behaviour) -> ApiError:
    """Returns the same error as SES v1 has it: nearly always a 400."""
    if error.kind in _PAUSES:
        code = behaviour.old_pause_error
        return ApiError(code, PAUSED if code == "MessageRejected" else error.message, kind=error.kind)
    code = _BY_KIND.get(error.kind) or _BY_CODE.get(error.code)
    if code is None:
        return as_query(error)
    status = error.status if error.status >= 500 or error.status == 403 else 400
    return ApiError(code, _SENTENCES.get(error.kind, error.message), status)
