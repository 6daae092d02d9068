"""Account, templates and configuration sets in SES v1, each translated to SES v2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from seslocal.errors import ApiError, bad_request
from seslocal.mail import templated
from seslocal.sesv2 import accounts, configuration_sets, templates, verification_mail
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.account_review import SHUTDOWN
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.wire.paging import page
from seslocal.wire.params import Params

_TLS_V2: Final = {"Require": "REQUIRE", "Optional": "OPTIONAL"}
_TLS_V1: Final = {v2: v1 for v1, v2 in _TLS_V2.items()}
_PARTS: Final = {"SubjectPart": "Subject", "TextPart": "Text", "HtmlPart": "Html"}
_EVENTS: Final = {
    "send": "SEND",
    "reject": "REJECT",
    "bounce": "BOUNCE",
    "complaint": "COMPLAINT",
    "delivery": "DELIVERY",
    "open": "OPEN",
    "click": "CLICK",
    "renderingFailure": "RENDERING_FAILURE",
}
_SOURCES: Final = {"messageTag": "MESSAGE_TAG", "emailHeader": "EMAIL_HEADER", "linkTag": "LINK_TAG"}


# the account


def quota(account: Account, params: Params, caller: Caller) -> Params:
    return accounts.get_account(account, {}, caller)["SendQuota"]


def sending_enabled(account: Account, params: Params, caller: Caller) -> Params:
    return {"Enabled": account.sending.enabled and account.sending.enforcement != SHUTDOWN}


def enable_sending(account: Account, params: Params, caller: Caller) -> Params:
    return accounts.put_sending(account, {"SendingEnabled": params.get("Enabled", False)}, caller)


# templates


def create_template(account: Account, params: Params, caller: Caller) -> Params:
    return templates.create(account, _template(params["Template"]), caller)


def update_template(account: Account, params: Params, caller: Caller) -> Params:
    return templates.update(account, _template(params["Template"]), caller)


def get_template(account: Account, params: Params, caller: Caller) -> Params:
    found = templated.template_of(account, params["TemplateName"])
    parts = {v1: found.parts[v2] for v1, v2 in _PARTS.items() if v2 in found.parts}
    return {"Template": {"TemplateName": found.name, **parts}}


def delete_template(account: Account, params: Params, caller: Caller) -> Params:
    """Succeeds if the template does not exist."""
    if params["TemplateName"] in account.templates:
        templates.delete(account, params, caller)
    return {}


def list_templates(account: Account, params: Params, caller: Caller) -> Params:
    chosen, more = page(
        "templates", account.templates.values(), lambda one: one.name, _page_params(params, "MaxItems")
    )
    shown = [{"Name": one.name, "CreatedTimestamp": one.created} for one in chosen]
    return {"TemplatesMetadata": shown, **more}


def _template(given: dict[str, str]) -> Params:
    content = {v2: given[v1] for v1, v2 in _PARTS.items() if v1 in given}
    return {"TemplateName": given["TemplateName"], "TemplateContent": content}


# configuration sets


def create_set(account: Account, params: Params, caller: Caller) -> Params:
    return configuration_sets.create(
        account, {"ConfigurationSetName": params["ConfigurationSet"]["Name"]}, caller
    )


def list_sets(account: Account, params: Params, caller: Caller) -> Params:
    asked = _page_params(params, "MaxItems")
    chosen, more = page("sets", account.configuration_sets, lambda name: name, asked, most=1000)
    return {"ConfigurationSets": [{"Name": name} for name in chosen], **more}


def describe_set(account: Account, params: Params, caller: Caller) -> Params:
    found = configuration_sets.set_of(account, params["ConfigurationSetName"])
    wanted: list[str] = params.get("ConfigurationSetAttributeNames", [])
    shown: Params = {"ConfigurationSet": {"Name": found.name}}
    if "eventDestinations" in wanted:
        shown["EventDestinations"] = [
            _destination_shown(one.definition, one.name) for one in found.destinations.values()
        ]
    if "trackingOptions" in wanted and (tracking := found.options.get("TrackingOptions")):
        shown["TrackingOptions"] = tracking
    if "deliveryOptions" in wanted:
        policy: str = found.options.get("DeliveryOptions", {}).get("TlsPolicy", "OPTIONAL")
        shown["DeliveryOptions"] = {"TlsPolicy": _TLS_V1[policy]}
    if "reputationOptions" in wanted:
        metrics = found.options.get("ReputationOptions", {}).get("ReputationMetricsEnabled", False)
        shown["ReputationOptions"] = {
            "SendingEnabled": found.sending_enabled,
            "ReputationMetricsEnabled": metrics,
        }
    return shown


def put_delivery(account: Account, params: Params, caller: Caller) -> Params:
    found = configuration_sets.set_of(account, params["ConfigurationSetName"])
    policy = params.get("DeliveryOptions", {}).get("TlsPolicy", "Optional")
    found.options["DeliveryOptions"] = {
        **found.options.get("DeliveryOptions", {}),
        "TlsPolicy": _TLS_V2[policy],
    }
    return {}


def create_tracking(account: Account, params: Params, caller: Caller) -> Params:
    found = configuration_sets.set_of(account, params["ConfigurationSetName"])
    if found.options.get("TrackingOptions"):
        raise ApiError("TrackingOptionsAlreadyExistsException", f"{found.name} has tracking options already.")
    return _put_tracking(account, found, params["TrackingOptions"], caller)


def update_tracking(account: Account, params: Params, caller: Caller) -> Params:
    found = _with_tracking(account, params)
    return _put_tracking(account, found, params["TrackingOptions"], caller)


def delete_tracking(account: Account, params: Params, caller: Caller) -> Params:
    _with_tracking(account, params).options.pop("TrackingOptions")
    return {}


def enable_metrics(account: Account, params: Params, caller: Caller) -> Params:
    found = configuration_sets.set_of(account, params["ConfigurationSetName"])
    found.options["ReputationOptions"] = {"ReputationMetricsEnabled": params["Enabled"]}
    return {}


def enable_set(account: Account, params: Params, caller: Caller) -> Params:
    found = configuration_sets.set_of(account, params["ConfigurationSetName"])
    found.options["SendingOptions"] = {"SendingEnabled": params["Enabled"]}
    return {}


def _with_tracking(account: Account, params: Params) -> ConfigurationSet:
    found = configuration_sets.set_of(account, params["ConfigurationSetName"])
    if not found.options.get("TrackingOptions"):
        raise ApiError("TrackingOptionsDoesNotExistException", f"{found.name} has no tracking options.")
    return found


def _put_tracking(account: Account, found: ConfigurationSet, options: Params, caller: Caller) -> Params:
    put = configuration_sets.OPERATIONS["PutConfigurationSetTrackingOptions"]
    return put(account, {"ConfigurationSetName": found.name, **options}, caller)


# event destinations


def create_destination(account: Account, params: Params, caller: Caller) -> Params:
    return configuration_sets.create_destination(account, _destination(params), caller)


def update_destination(account: Account, params: Params, caller: Caller) -> Params:
    return configuration_sets.update_destination(account, _destination(params), caller)


def _destination(params: Params) -> Params:
    given: Params = params["EventDestination"]
    definition: Params = {
        "Enabled": given.get("Enabled", False),
        "MatchingEventTypes": [_EVENTS[kind] for kind in given["MatchingEventTypes"]],
    }
    if "SNSDestination" in given:
        definition["SnsDestination"] = {"TopicArn": given["SNSDestination"]["TopicARN"]}
    if "KinesisFirehoseDestination" in given:
        stream: dict[str, str] = given["KinesisFirehoseDestination"]
        definition["KinesisFirehoseDestination"] = {
            "IamRoleArn": stream["IAMRoleARN"],
            "DeliveryStreamArn": stream["DeliveryStreamARN"],
        }
    if "CloudWatchDestination" in given:
        dimensions: list[dict[str, str]] = given["CloudWatchDestination"]["DimensionConfigurations"]
        definition["CloudWatchDestination"] = {
            "DimensionConfigurations": [
                {**one, "DimensionValueSource": _SOURCES[one["DimensionValueSource"]]} for one in dimensions
            ]
        }
    name: str = given["Name"]
    return {
        "ConfigurationSetName": params["ConfigurationSetName"],
        "EventDestinationName": name,
        "EventDestination": definition,
    }


def _destination_shown(definition: Params, name: str) -> Params:
    kinds = {v2: v1 for v1, v2 in _EVENTS.items()}
    shown: Params = {
        "Name": name,
        "Enabled": definition.get("Enabled", False),
        "MatchingEventTypes": [kinds[kind] for kind in definition["MatchingEventTypes"] if kind in kinds],
    }
    if topic := definition.get("SnsDestination"):
        shown["SNSDestination"] = {"TopicARN": topic["TopicArn"]}
    if stream := definition.get("KinesisFirehoseDestination"):
        shown["KinesisFirehoseDestination"] = {
            "IAMRoleARN": stream["IamRoleArn"],
            "DeliveryStreamARN": stream["DeliveryStreamArn"],
        }
    if watch := definition.get("CloudWatchDestination"):
        sources = {v2: v1 for v1, v2 in _SOURCES.items()}
        dimensions: list[dict[str, Any]] = watch["DimensionConfigurations"]
        shown["CloudWatchDestination"] = {
            "DimensionConfigurations": [
                {**one, "DimensionValueSource": sources[one["DimensionValueSource"]]} for one in dimensions
            ]
        }
    return shown


# custom verification e-mails


def update_verification(account: Account, params: Params, caller: Caller) -> Params:
    """Members that are left out keep their value."""
    before = verification_mail.get(account, {"TemplateName": params["TemplateName"]}, caller)
    return verification_mail.update(account, {**before, **params}, caller)


def get_verification(account: Account, params: Params, caller: Caller) -> Params:
    return {k: v for k, v in verification_mail.get(account, params, caller).items() if k != "Tags"}


def delete_verification(account: Account, params: Params, caller: Caller) -> Params:
    account.identities.verification_templates.pop(params["TemplateName"], None)
    return {}


def list_verifications(account: Account, params: Params, caller: Caller) -> Params:
    return verification_mail.list_all(account, _page_params(params, "MaxResults"), caller)


def _page_params(params: Params, size: str) -> Params:
    """Returns the paging parameters as SES v2 names them."""
    asked: Params = {}
    if size in params:
        if params[size] < 1:
            raise bad_request(f"{size} must be at least 1.")
        asked["PageSize"] = min(params[size], 50 if size == "MaxResults" else 100)
    if params.get("NextToken"):
        asked["NextToken"] = params["NextToken"]
    return asked


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "GetSendQuota": quota,
    "GetAccountSendingEnabled": sending_enabled,
    "UpdateAccountSendingEnabled": enable_sending,
    "CreateTemplate": create_template,
    "UpdateTemplate": update_template,
    "GetTemplate": get_template,
    "DeleteTemplate": delete_template,
    "ListTemplates": list_templates,
    "TestRenderTemplate": templates.test_render,
    "CreateConfigurationSet": create_set,
    "ListConfigurationSets": list_sets,
    "DescribeConfigurationSet": describe_set,
    "DeleteConfigurationSet": configuration_sets.delete,
    "PutConfigurationSetDeliveryOptions": put_delivery,
    "CreateConfigurationSetTrackingOptions": create_tracking,
    "UpdateConfigurationSetTrackingOptions": update_tracking,
    "DeleteConfigurationSetTrackingOptions": delete_tracking,
    "UpdateConfigurationSetReputationMetricsEnabled": enable_metrics,
    "UpdateConfigurationSetSendingEnabled": enable_set,
    "CreateConfigurationSetEventDestination": create_destination,
    "UpdateConfigurationSetEventDestination": update_destination,
    "DeleteConfigurationSetEventDestination": configuration_sets.delete_destination,
    "CreateCustomVerificationEmailTemplate": verification_mail.create,
    "UpdateCustomVerificationEmailTemplate": update_verification,
    "GetCustomVerificationEmailTemplate": get_verification,
    "DeleteCustomVerificationEmailTemplate": delete_verification,
    "ListCustomVerificationEmailTemplates": list_verifications,
}
