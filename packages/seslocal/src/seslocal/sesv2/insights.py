"""Virtual Deliverability Manager: what happened to one mail, and counts per day (ses.md 8.3). The calls are refused while it is
off."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from seslocal.errors import ApiError, bad_request, not_found
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.insights import Event, VdmMail
from seslocal.wire.params import Params

MOST_DAYS: Final = 60
SWITCHED_OFF: Final = "To use this feature you must enable Virtual Deliverability Manager"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_IDENTITY: Final = re.compile(r"([^\s*@]+@)?[^\s*@]+")


def get_message(account: Account, params: Params, caller: Caller) -> Params:
    _require_vdm(account)
    seen = account.mail.insights.get(params["MessageId"])
    if seen is None:
        raise not_found(f"Message <{params['MessageId']}> not found for account <{account.id}>")
    sender, subject, tags = seen.read()
    own = {"ses:recipient-isp": [seen.series.ISP], "ses:sender-identity": [seen.series.EMAIL_IDENTITY]}
    shown: Params = {
        "MessageId": seen.message_id,
        "FromEmailAddress": sender,
        "EmailTags": [
            {"Name": name, "Value": value} for name, values in {**tags, **own}.items() for value in values
        ],
        "Insights": [_insight(seen)],
    }
    return {**shown, "Subject": subject} if subject else shown


def get_metrics(account: Account, params: Params, caller: Caller) -> Params:
    """Days without counts are left out. The day of EndDate is not included."""
    _require_vdm(account)
    queries: list[Params] = params["Queries"]
    if len({query["Id"] for query in queries}) < len(queries):
        raise bad_request("All queries must have a unique identifier.")
    for query in queries:
        _check_dimensions(query.get("Dimensions", {}))
    for query in queries:
        _check_dates(query["StartDate"], query["EndDate"])
    return {"Results": [_result(account, query) for query in queries], "Errors": []}


def _result(account: Account, query: Params) -> Params:
    wanted = {name: (value,) for name, value in query.get("Dimensions", {}).items()}
    days = account.mail.insights.metrics.by_day(query["Metric"], wanted, query["StartDate"], query["EndDate"])
    return {"Id": query["Id"], "Timestamps": list(days), "Values": list(days.values())}


def _require_vdm(account: Account) -> None:
    if not account.attributes.vdm_enabled:
        raise ApiError("NotFoundException", SWITCHED_OFF, 404)


def _check_dimensions(dimensions: dict[str, str]) -> None:
    for name, value in dimensions.items():
        match name:
            case "EMAIL_IDENTITY":
                refusal = None if _IDENTITY.fullmatch(value) else "Invalid email identity provided."
            case "ISP":
                refusal = None if _NAME.fullmatch(value) else "Invalid ISP name provided."
            case "CONFIGURATION_SET":
                refusal = _name(
                    "configuration set name", value, "The configuration set name must be specified."
                )
            case _:
                refusal = _name("tenant name", value, "TenantName cannot be empty")
        if refusal:
            raise bad_request(refusal)


def _name(what: str, value: str, empty: str) -> str | None:
    if not value:
        return empty
    if _NAME.fullmatch(value):
        return None
    return f"Invalid {what} <{value}>: only alphanumeric ASCII characters, '_', and '-' are allowed."


def _check_dates(start: float, end: float) -> None:
    if start >= end:
        raise bad_request("Expected start date to be before the end date.")
    if end - start > MOST_DAYS * 86400:
        raise bad_request(
            f"Invalid interval, can request at most {MOST_DAYS} days. Please partition your requested interval."
        )


def _insight(seen: VdmMail) -> Params:
    return {
        "Destination": seen.recipient,
        "Isp": seen.series.ISP,
        "Events": [_event(event) for event in seen.events],
    }


def _event(event: Event) -> Params:
    shown: Params = {"Timestamp": event.at, "Type": event.type}
    if event.type == "BOUNCE":
        details = {
            "BounceType": event.bounce_type,
            "BounceSubType": event.subtype,
            "DiagnosticCode": event.diagnostic,
        }
        shown["Details"] = {"Bounce": {name: value for name, value in details.items() if value}}
    elif event.type == "COMPLAINT":
        details = {"ComplaintSubType": event.subtype, "ComplaintFeedbackType": event.feedback}
        shown["Details"] = {"Complaint": {name: value for name, value in details.items() if value}}
    return shown


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "GetMessageInsights": get_message,
    "BatchGetMetricData": get_metrics,
}
