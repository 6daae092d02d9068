"""SNS's API in the Query protocol (forms in, XML out): topics, subscriptions of queues and HTTP endpoints, confirmations. The
links in SNS messages lead here too."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from seslocal.errors import ApiError
from seslocal.events import http_subscribers
from seslocal.events.publishing import publish_to_topic
from seslocal.iam import resource_policies
from seslocal.iam.conditions import Unknown
from seslocal.state.account import Account
from seslocal.state.topics import Subscription, Topic
from seslocal.wire.protocol import Response
from seslocal.wire.signature import as_query

Form = dict[str, str]
Tree = dict[str, Any]
_NAMESPACE: Final = "http://sns.amazonaws.com/doc/2010-03-31/"
_PENDING: Final = "PendingConfirmation"
_PROTOCOLS: Final = ("sqs", "http", "https")
_PAGE: Final = 100
FREE: Final = ("ConfirmSubscription", "Unsubscribe")  #: need no signature: the links in messages call them
_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def respond(account: Account, form: Form, check: Callable[[], None], *, signed: bool) -> Response:
    """`check` raises ApiError if the request's signature is wrong or a policy denies the call. The links in messages need no
    signature."""
    request_id = account.ids.uuid()
    action = form.get("Action", "")
    try:
        act = OPERATIONS.get(action)
        if act is None:
            raise ApiError("InvalidAction", f"seslocal does not implement {_word(action)} of SNS.")
        if signed or action not in FREE:
            check()
        result = _xml(act(account, form))
    except ApiError as refused:
        return error_response(request_id, refused)
    text = (
        f'<{action}Response xmlns="{_NAMESPACE}"><{action}Result>{result}</{action}Result><ResponseMetadata>'
        f"<RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    )
    return Response(200, text.encode(), "text/xml", (("x-amzn-RequestId", request_id),))


def error_response(request_id: str, refused: ApiError) -> Response:
    error = as_query(refused)
    text = (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{error.code}</Code><Message>'
        f"{_text(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return Response(error.status, text.encode(), "text/xml", (("x-amzn-RequestId", request_id),))


# topics


def create_topic(account: Account, form: Form) -> Tree:
    name = _needed(form, "Name")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", name):
        raise _invalid("Topic Name")
    topic = account.events.topics.get(name)
    if topic is None:
        topic = account.events.topics[name] = Topic(name, f"arn:aws:sns:{account.region}:{account.id}:{name}")
        for attribute, value in _entries(form, "Attributes").items():
            _set(topic, attribute, value)
    return {"TopicArn": topic.arn}


def delete_topic(account: Account, form: Form) -> Tree:
    account.events.topics.pop(_name(_needed(form, "TopicArn")), None)
    return {}


def list_topics(account: Account, form: Form) -> Tree:
    topics = list(account.events.topics.values())
    return _page("Topics", [{"TopicArn": topic.arn} for topic in topics], form)


def get_topic_attributes(account: Account, form: Form) -> Tree:
    topic = _topic(account, form)
    found = list(topic.subscriptions.values())
    confirmed = sum(1 for subscription in found if subscription.confirmed)
    attributes = {
        "TopicArn": topic.arn,
        "Owner": account.id,
        "DisplayName": topic.display_name,
        "SignatureVersion": topic.signature_version,
        "SubscriptionsConfirmed": str(confirmed),
        "SubscriptionsPending": str(len(found) - confirmed),
        "SubscriptionsDeleted": "0",
        **topic.attributes,
    }
    return {"Attributes": _entry_list(attributes)}


def set_topic_attributes(account: Account, form: Form) -> Tree:
    _set(_topic(account, form), _needed(form, "AttributeName"), form.get("AttributeValue", ""))
    return {}


def publish(account: Account, form: Form) -> Tree:
    arn = form.get("TopicArn") or _needed(form, "TargetArn")
    _topic(account, {"TopicArn": arn})
    return {"MessageId": publish_to_topic(account, arn, _needed(form, "Message"), form.get("Subject"))}


# subscriptions


def subscribe(account: Account, form: Form) -> Tree:
    topic = _topic(account, form)
    protocol, endpoint = _needed(form, "Protocol"), _needed(form, "Endpoint")
    if protocol not in _PROTOCOLS:
        raise _invalid(f"Protocol: seslocal supports {', '.join(_PROTOCOLS)}")
    if protocol == "sqs":
        _check_queue(account, endpoint)
    elif not _leads_by(protocol, endpoint):
        raise _invalid("Endpoint must match the specified protocol")
    attributes = _entries(form, "Attributes")
    for subscription in topic.subscriptions.values():
        if (subscription.protocol, subscription.endpoint) == (protocol, endpoint):
            if not subscription.confirmed:
                http_subscribers.request_confirmation(account, topic, subscription)
            break
    else:
        subscription = Subscription(
            f"{topic.arn}:{account.ids.uuid()}",
            topic.name,
            protocol,
            endpoint,
            token=account.ids.token(),
            confirmed=protocol == "sqs",
            raw=attributes.get("RawMessageDelivery", "").lower() == "true",
        )
        topic.subscriptions[subscription.arn] = subscription
        if not subscription.confirmed:
            http_subscribers.request_confirmation(account, topic, subscription)
    returns_arn = subscription.confirmed or form.get("ReturnSubscriptionArn", "").lower() == "true"
    return {"SubscriptionArn": subscription.arn if returns_arn else "pending confirmation"}


def confirm_subscription(account: Account, form: Form) -> Tree:
    topic = _topic(account, form)
    token = _needed(form, "Token")
    for subscription in topic.subscriptions.values():
        if subscription.token == token:
            subscription.confirmed = True
            return {"SubscriptionArn": subscription.arn}
    raise _invalid("Token")


def unsubscribe(account: Account, form: Form) -> Tree:
    arn = _needed(form, "SubscriptionArn")
    for topic in account.events.topics.values():
        if subscription := topic.subscriptions.pop(arn, None):
            if subscription.protocol != "sqs" and subscription.confirmed:
                http_subscribers.confirm_unsubscribe(account, topic, subscription)
            break
    return {}


def list_subscriptions(account: Account, form: Form) -> Tree:
    found = [s for topic in account.events.topics.values() for s in topic.subscriptions.values()]
    return _page("Subscriptions", [_shown(account, s) for s in found], form)


def list_subscriptions_by_topic(account: Account, form: Form) -> Tree:
    found = _topic(account, form).subscriptions.values()
    return _page("Subscriptions", [_shown(account, s) for s in found], form)


def get_subscription_attributes(account: Account, form: Form) -> Tree:
    subscription = _subscription(account, form)
    attributes = {
        "SubscriptionArn": subscription.arn,
        "TopicArn": account.events.topics[subscription.topic].arn,
        "Owner": account.id,
        "Protocol": subscription.protocol,
        "Endpoint": subscription.endpoint,
        "RawMessageDelivery": str(subscription.raw).lower(),
        "PendingConfirmation": str(not subscription.confirmed).lower(),
        "ConfirmationWasAuthenticated": "false",
    }
    return {"Attributes": _entry_list(attributes)}


def set_subscription_attributes(account: Account, form: Form) -> Tree:
    subscription = _subscription(account, form)
    if _needed(form, "AttributeName") == "RawMessageDelivery":
        subscription.raw = form.get("AttributeValue", "").lower() == "true"
    return {}


# forms and XML


def _set(topic: Topic, name: str, value: str) -> None:
    if name == "SignatureVersion":
        if value not in ("1", "2"):
            raise _invalid("SignatureVersion: it is 1 or 2")
        topic.signature_version = value
    elif name == "Policy" and value:
        try:
            resource_policies.check(value)
        except Unknown as problem:
            raise _invalid(f"Policy: {problem}") from None
        topic.attributes[name] = value
    elif name == "DisplayName":
        topic.display_name = value
    elif name == "FifoTopic" and value == "true":
        raise _invalid("FifoTopic: SES publishes to standard topics only")
    else:
        topic.attributes[name] = value


def _leads_by(protocol: str, endpoint: str) -> bool:
    try:
        url = urlsplit(endpoint)
    except ValueError:  # brackets without an IPv6 address
        return False
    return url.scheme == protocol and bool(url.hostname)


def _check_queue(account: Account, arn: str) -> None:
    name = arn.rpartition(":")[2]
    region = arn.split(":")[3] if arn.count(":") == 5 else ""
    if not account.is_here(region) or arn != f"arn:aws:sqs:{region}:{account.id}:{name}":
        raise _invalid("SQS endpoint ARN")


def _topic(account: Account, form: Form) -> Topic:
    arn = _needed(form, "TopicArn")
    topic = account.events.topics.get(_name(arn))
    if topic is None or topic.arn != arn:
        raise ApiError("NotFound", "Topic does not exist", 404)
    return topic


def _subscription(account: Account, form: Form) -> Subscription:
    arn = _needed(form, "SubscriptionArn")
    for topic in account.events.topics.values():
        if subscription := topic.subscriptions.get(arn):
            return subscription
    raise ApiError("NotFound", "Subscription does not exist", 404)


def _shown(account: Account, subscription: Subscription) -> Tree:
    return {
        "SubscriptionArn": subscription.arn if subscription.confirmed else _PENDING,
        "Owner": account.id,
        "Protocol": subscription.protocol,
        "Endpoint": subscription.endpoint,
        "TopicArn": account.events.topics[subscription.topic].arn,
    }


def _word(action: str) -> str:
    return action if re.fullmatch(r"\w{1,64}", action) else "nameless action"


def _needed(form: Form, name: str) -> str:
    value = form.get(name)
    if not value:
        raise _invalid(name)
    return value


def _invalid(what: str) -> ApiError:
    return ApiError("InvalidParameter", f"Invalid parameter: {what}")


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]


def _entries(form: Form, member: str) -> dict[str, str]:
    """Returns a map as forms encode it: member.entry.1.key and member.entry.1.value."""
    return {
        value: form.get(f"{name[:-4]}.value", "")
        for name, value in form.items()
        if re.fullmatch(member + r"\.entry\.\d+\.key", name)
    }


def _entry_list(attributes: dict[str, str]) -> list[Tree]:
    return [{"key": name, "value": value} for name, value in attributes.items()]


def _page(name: str, found: list[Tree], form: Form) -> Tree:
    token = form.get("NextToken", "0")
    if not re.fullmatch(r"\d{1,9}", token):
        raise _invalid("NextToken")
    start = int(token)
    more: Tree = {"NextToken": str(start + _PAGE)} if start + _PAGE < len(found) else {}
    return {name: found[start : start + _PAGE], **more}


def _xml(value: Any, item: str = "member") -> str:
    if isinstance(value, dict):
        return "".join(
            f"<{name}>{_xml(inner, 'entry' if name == 'Attributes' else 'member')}</{name}>"
            for name, inner in value.items()  # pyright: ignore[reportUnknownVariableType]
        )
    if isinstance(value, list):
        return "".join(f"<{item}>{_xml(inner)}</{item}>" for inner in value)  # pyright: ignore[reportUnknownVariableType]
    return _text(str(value))


def _text(text: str) -> str:
    """Escapes text and replaces characters that XML does not allow."""
    return escape(_NO_XML.sub("\ufffd", text))


OPERATIONS: Final[dict[str, Callable[[Account, Form], Tree]]] = {
    "CreateTopic": create_topic,
    "DeleteTopic": delete_topic,
    "ListTopics": list_topics,
    "GetTopicAttributes": get_topic_attributes,
    "SetTopicAttributes": set_topic_attributes,
    "Publish": publish,
    "Subscribe": subscribe,
    "ConfirmSubscription": confirm_subscription,
    "Unsubscribe": unsubscribe,
    "ListSubscriptions": list_subscriptions,
    "ListSubscriptionsByTopic": list_subscriptions_by_topic,
    "GetSubscriptionAttributes": get_subscription_attributes,
    "SetSubscriptionAttributes": set_subscription_attributes,
}
