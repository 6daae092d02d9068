"""Configuration sets: option groups and event destinations. As in SES, a PUT replaces its whole group: members that are
left out are cleared, booleans become false."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from seslocal.errors import already_exists, bad_request, limit_exceeded, not_found
from seslocal.events.publishing import send_validation_message
from seslocal.sesv2.tenants import refuse_repeated, refuse_while_associated
from seslocal.state import cloudwatch
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.configuration_sets import ConfigurationSet, EventDestination
from seslocal.tagging import tags_in, tags_out
from seslocal.wire.paging import page
from seslocal.wire.params import Params

MOST_SETS: Final = 10_000
MOST_DESTINATIONS: Final = 10
MOST_NAME: Final = 64  # characters
_GROUPS: Final = (
    "TrackingOptions",
    "DeliveryOptions",
    "ReputationOptions",
    "SendingOptions",
    "SuppressionOptions",
    "VdmOptions",
    "ArchivingOptions",
    "MessageSecurityOptions",
)
_TARGETS: Final = (
    "KinesisFirehoseDestination",
    "CloudWatchDestination",
    "SnsDestination",
    "EventBridgeDestination",
    "PinpointDestination",
)


def create(account: Account, params: Params, caller: Caller) -> Params:
    name: str = params["ConfigurationSetName"]
    tags = tags_in(params.get("Tags", []))
    refuse_repeated(params.get("SuppressionOptions", {}).get("SuppressedReasons"))
    if name in account.configuration_sets:
        raise already_exists(f"Configuration set {name} already exists.", kind="set_exists")
    if len(account.configuration_sets) >= MOST_SETS:
        raise limit_exceeded(f"The account has {MOST_SETS} configuration sets, which is its limit.")
    options: dict[str, Params] = {
        "SendingOptions": {"SendingEnabled": True},
        "ReputationOptions": {"ReputationMetricsEnabled": False},
        "DeliveryOptions": {"TlsPolicy": "OPTIONAL"},
    }
    options.update({group: params[group] for group in _GROUPS if group in params})
    options["ReputationOptions"].pop("LastFreshStart", None)  # only SES writes it
    _check_options(account, options)
    account.configuration_sets[name] = ConfigurationSet(
        name, account.arn(f"configuration-set/{name}"), tags, options
    )
    return {}


def get(account: Account, params: Params, caller: Caller) -> Params:
    found = set_of(account, params["ConfigurationSetName"])
    return {
        "ConfigurationSetName": found.name,
        "Tags": tags_out(found.tags),
        **{group: members for group, members in found.options.items() if members},
    }


def list_all(account: Account, params: Params, caller: Caller) -> Params:
    part: str | None = params.get("Filter", {}).get("CONFIGURATION_SET_NAME_CONTAINS")
    if part is not None and not 3 <= len(part) <= MOST_NAME:
        raise bad_request(f"CONFIGURATION_SET_NAME_CONTAINS must be between 3 and {MOST_NAME} characters")
    folded = (part or "").lower()
    names = [name for name in account.configuration_sets if folded in name.lower()]
    chosen, more = page("sets", names, lambda name: name, params, most=1000)
    return {"ConfigurationSets": chosen, **more}


def delete(account: Account, params: Params, caller: Caller) -> Params:
    found = set_of(account, params["ConfigurationSetName"])
    refuse_while_associated(account, found.arn)
    for identity in account.identities.values():
        if identity.configuration_set == found.name:
            raise bad_request(
                f"Cannot delete configuration set {found.name}: it is the default of the identity {identity.name}."
            )
    del account.configuration_sets[found.name]
    return {}


def _check_options(account: Account, options: dict[str, Params]) -> None:
    """Raises ApiError if the options name something that does not exist."""
    pool: str | None = options.get("DeliveryOptions", {}).get("SendingPoolName")
    if pool is not None and not account.dedicated_ips.knows(pool):
        raise bad_request(f"SendingPool <{pool}> doesn't exist", kind="pool_absent")
    tracking = options.get("TrackingOptions", {})
    redirect: str | None = tracking.get("CustomRedirectDomain")
    if redirect == "" or (redirect is None and "HttpsPolicy" in tracking):
        raise bad_request("CustomRedirectDomain must be specified.")
    if redirect is not None:
        identity = account.identities.resolve(redirect.lower())
        if identity is None or not identity.verified:
            raise bad_request(
                f"Domain <{redirect}> is not verified under this account.", kind="redirect_unverified"
            )


def _put(group: str, booleans: tuple[str, ...] = ()) -> Callable[[Account, Params, Caller], Params]:
    def put(account: Account, params: Params, caller: Caller) -> Params:
        found = set_of(account, params.pop("ConfigurationSetName"))
        refuse_repeated(params.get("SuppressedReasons"))
        _check_options(account, {group: params})
        found.options[group] = {**dict.fromkeys(booleans, False), **params}
        return {}

    return put


def _put_vdm(account: Account, params: Params, caller: Caller) -> Params:
    set_of(account, params["ConfigurationSetName"]).options["VdmOptions"] = params.get("VdmOptions", {})
    return {}


def update(account: Account, params: Params, caller: Caller) -> Params:
    """Unlike a PUT it keeps members that are left out."""
    found = set_of(account, params["ConfigurationSetName"])
    if "MessageSecurityOptions" in params:
        found.options["MessageSecurityOptions"] = params["MessageSecurityOptions"]
    return {}


# event destinations


def create_destination(account: Account, params: Params, caller: Caller) -> Params:
    found = set_of(account, params["ConfigurationSetName"])
    name: str = params["EventDestinationName"]
    if name in found.destinations:
        raise already_exists(
            f"An event destination with name <{name}> already exists for configuration set <{found.name}>.",
            kind="destination_exists",
        )
    if len(found.destinations) >= MOST_DESTINATIONS:
        raise limit_exceeded(f"A configuration set has at most {MOST_DESTINATIONS} event destinations.")
    found.destinations[name] = _destination(account, name, params["EventDestination"])
    return {}


def get_destinations(account: Account, params: Params, caller: Caller) -> Params:
    found = set_of(account, params["ConfigurationSetName"])
    return {
        "EventDestinations": [
            {**d.definition, "Name": d.name, "Enabled": d.enabled} for d in found.destinations.values()
        ]
    }


def update_destination(account: Account, params: Params, caller: Caller) -> Params:
    found = set_of(account, params["ConfigurationSetName"])
    name = _existing(found, params["EventDestinationName"])
    found.destinations[name] = _destination(
        account, name, params["EventDestination"], found.destinations[name]
    )
    return {}


def delete_destination(account: Account, params: Params, caller: Caller) -> Params:
    found = set_of(account, params["ConfigurationSetName"])
    del found.destinations[_existing(found, params["EventDestinationName"])]
    return {}


def set_of(account: Account, name: str) -> ConfigurationSet:
    found = account.configuration_sets.get(name)
    if found is None:
        raise not_found(f"Configuration set <{name}> does not exist.", kind="set_absent")
    return found


def _existing(found: ConfigurationSet, name: str) -> str:
    if name not in found.destinations:
        raise not_found(
            f"An event destination with name <{name}> does not exist for configuration set <{found.name}>.",
            kind="destination_absent",
        )
    return name


def _destination(
    account: Account, name: str, definition: Params, before: EventDestination | None = None
) -> EventDestination:
    types: list[str] = definition.get("MatchingEventTypes", [])
    if not types:
        raise bad_request("At least one event type must be specified.")
    targets = [target for target in _TARGETS if target in definition]
    if not targets:
        raise bad_request("Event destination is not provided.")
    if len(targets) > 1:
        raise bad_request(
            "Please provide only one destination with each request. Either a Firehose Destination or a Cloudwatch "
            "Destination or an SNS Destination or an EventBridge Destination."
        )
    if "CloudWatchDestination" in definition:
        cloudwatch.check(definition["CloudWatchDestination"]["DimensionConfigurations"])
    topic: str | None = definition.get("SnsDestination", {}).get("TopicArn")
    bus: str | None = definition.get("EventBridgeDestination", {}).get("EventBusArn")
    if topic is not None:
        check_topic(account, topic)
        if before is None or before.topic != topic:
            send_validation_message(account, topic)
    if bus is not None and not _is_default_bus(account, bus):
        raise bad_request(f"Event bus {bus} is not the default event bus of this account and region.")
    enabled = definition.get("Enabled", False)
    return EventDestination(name, enabled, frozenset(types), definition, topic, bus is not None)


def _is_default_bus(account: Account, arn: str) -> bool:
    region = arn.split(":")[3] if arn.count(":") == 5 else ""
    return account.is_here(region) and arn == f"arn:aws:events:{region}:{account.id}:event-bus/default"


def check_topic(account: Account, topic: str) -> None:
    """Raises ApiError if SES cannot publish to the topic."""
    match = re.fullmatch(r"arn:aws[a-z-]*:sns:([^:]+):(\d{12}):([A-Za-z0-9_-]{1,256})(\.fifo)?", topic)
    if match is None or match[4]:
        raise bad_request(
            f"Invalid SNS topic <{topic}>: it must be the ARN of a standard topic.", kind="topic_invalid"
        )
    if not account.is_here(match[1]):
        raise bad_request(
            f"Invalid SNS topic <{topic}>: it must be in the region {account.region}.", kind="topic_invalid"
        )


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "CreateConfigurationSet": create,
    "GetConfigurationSet": get,
    "ListConfigurationSets": list_all,
    "DeleteConfigurationSet": delete,
    "UpdateConfigurationSet": update,
    "PutConfigurationSetSendingOptions": _put("SendingOptions", ("SendingEnabled",)),
    "PutConfigurationSetTrackingOptions": _put("TrackingOptions"),
    "PutConfigurationSetDeliveryOptions": _put("DeliveryOptions"),
    "PutConfigurationSetReputationOptions": _put("ReputationOptions", ("ReputationMetricsEnabled",)),
    "PutConfigurationSetSuppressionOptions": _put("SuppressionOptions"),
    "PutConfigurationSetArchivingOptions": _put("ArchivingOptions"),
    "PutConfigurationSetVdmOptions": _put_vdm,
    "CreateConfigurationSetEventDestination": create_destination,
    "GetConfigurationSetEventDestinations": get_destinations,
    "UpdateConfigurationSetEventDestination": update_destination,
    "DeleteConfigurationSetEventDestination": delete_destination,
}
