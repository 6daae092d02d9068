"""The SQS operations that are implemented, over SQS's JSON 1.0 protocol and with its errors. The queues themselves are
in `state/queues.py`."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from seslocal.errors import ApiError
from seslocal.iam import resource_policies
from seslocal.iam.conditions import Unknown
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.queues import DEFAULTS, Message, Queue
from seslocal.wire.params import Params

PURGE_SECONDS: Final = 60  #: between two calls of PurgeQueue for a queue
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_ENTRY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
# Characters that a body can contain: #x9 | #xA | #xD | #x20-#xD7FF | #xE000-#xFFFD | #x10000-#x10FFFF
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_RANGES: Final = {
    "VisibilityTimeout": (0, 43200),
    "MaximumMessageSize": (1024, 1048576),
    "MessageRetentionPeriod": (60, 1209600),
    "DelaySeconds": (0, 900),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
}
_OTHER_ATTRIBUTES: Final = {"Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId"} | {
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
}


def create_queue(account: Account, params: Params, caller: Caller) -> Params:
    name: str = params["QueueName"]
    if name.endswith(".fifo") or params.get("Attributes", {}).get("FifoQueue") == "true":
        raise ApiError("UnsupportedOperation", "seslocal has standard queues only, no FIFO queues.")
    if not _NAME.fullmatch(name):
        raise _invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
    attributes = _checked_attributes(params.get("Attributes", {}))
    existing = account.queues.by_name.get(name)
    if existing and any(existing.attributes.get(key) != value for key, value in attributes.items()):
        raise ApiError(
            "QueueNameExists",
            "A queue already exists with the same name and a different value for an attribute.",
        )
    queue = existing or account.queues.ensure(name, attributes)
    if existing is None:
        queue.tags.update(params.get("tags", {}))
        connect_dead_letter_queue(account, queue)
    return {"QueueUrl": _url(account, caller, queue)}


def get_queue_url(account: Account, params: Params, caller: Caller) -> Params:
    return {"QueueUrl": _url(account, caller, _named(account, params["QueueName"]))}


def list_queues(account: Account, params: Params, caller: Caller) -> Params:
    prefix = params.get("QueueNamePrefix", "")
    names = sorted(name for name in account.queues.by_name if name.startswith(prefix))
    after = params.get("NextToken", "")
    size = params.get("MaxResults") or 1000
    page = [name for name in names if name > after][:size]
    response: Params = {"QueueUrls": [_url(account, caller, account.queues.by_name[name]) for name in page]}
    if "MaxResults" in params and page and page[-1] != names[-1]:
        response["NextToken"] = page[-1]
    return response


def delete_queue(account: Account, params: Params, caller: Caller) -> Params:
    account.queues.delete(_queue(account, params))
    return {}


def get_queue_attributes(account: Account, params: Params, caller: Caller) -> Params:
    queue = _queue(account, params)
    visible, in_flight, delayed = queue.counts()
    everything = {
        **queue.attributes,
        "QueueArn": queue.arn,
        "ApproximateNumberOfMessages": str(visible),
        "ApproximateNumberOfMessagesNotVisible": str(in_flight),
        "ApproximateNumberOfMessagesDelayed": str(delayed),
        "CreatedTimestamp": str(int(queue.created_at)),
        "LastModifiedTimestamp": str(int(queue.modified_at)),
    }
    names: list[str] = params.get("AttributeNames", [])
    if "All" in names:
        return {"Attributes": everything}
    return {"Attributes": {name: everything[name] for name in names if name in everything}}


def set_queue_attributes(account: Account, params: Params, caller: Caller) -> Params:
    queue = _queue(account, params)
    queue.set_attributes(_checked_attributes(params["Attributes"]))
    queue.modified_at = account.clock.now()
    connect_dead_letter_queue(account, queue)
    return {}


def purge_queue(account: Account, params: Params, caller: Caller) -> Params:
    """At most once in 60 seconds (aws/aws-sdk-js#4506 has the code, the status and the text)."""
    queue, now = _queue(account, params), account.clock.now()
    if queue.purged_at is not None and 0 <= now - queue.purged_at < PURGE_SECONDS:
        raise ApiError(
            "PurgeQueueInProgress",
            f"Only one PurgeQueue operation on {queue.name} is allowed every {PURGE_SECONDS} seconds.",
            403,
        )
    queue.purge(account.clock)
    queue.purged_at = now
    return {}


def send_message(account: Account, params: Params, caller: Caller) -> Params:
    return _send(_queue(account, params), params)


def send_message_batch(account: Account, params: Params, caller: Caller) -> Params:
    queue = _queue(account, params)
    entries = _entries(params)
    if sum(len(entry["MessageBody"].encode("utf-8", "surrogatepass")) for entry in entries) > 1048576:
        raise ApiError("BatchRequestTooLong", "Batch requests cannot be longer than 1048576 bytes.")
    return _for_each_entry(entries, lambda entry: _send(queue, entry))


def receive_message(account: Account, params: Params, caller: Caller) -> Params | Awaitable[Params]:
    queue = _queue(account, params)
    limit = _number(params, "MaxNumberOfMessages", 1, 1, 10)
    visibility = _number(params, "VisibilityTimeout", queue.visibility, 0, 43200)
    wait = _number(params, "WaitTimeSeconds", queue.wait, 0, 20)
    taken = queue.take(limit, visibility)
    if taken or not wait:
        return _received(account, taken, params)
    return _long_poll(account, queue, limit, visibility, wait, params)


async def _long_poll(
    account: Account, queue: Queue, limit: int, visibility: int, wait: int, params: Params
) -> Params:
    until = time.monotonic() + wait
    while not queue.deleted:
        # Checked before every wait, also the first: a message may have arrived since the caller checked.
        if account.faults.is_active("queue_outage"):
            raise ApiError("ServiceUnavailable", "The queue is down (injected fault).", 503)
        if taken := queue.take(limit, visibility):
            return _received(account, taken, params)
        left = until - time.monotonic()
        if left <= 0:
            return _received(account, [], params)
        await queue.wait_for_message(left)
    raise _no_queue()


def delete_message(account: Account, params: Params, caller: Caller) -> Params:
    return _delete(_queue(account, params), params)


def delete_message_batch(account: Account, params: Params, caller: Caller) -> Params:
    queue = _queue(account, params)
    return _for_each_entry(_entries(params), lambda entry: _delete(queue, entry))


def change_message_visibility(account: Account, params: Params, caller: Caller) -> Params:
    return _change_visibility(_queue(account, params), params)


def change_message_visibility_batch(account: Account, params: Params, caller: Caller) -> Params:
    queue = _queue(account, params)
    return _for_each_entry(_entries(params), lambda entry: _change_visibility(queue, entry))


def tag_queue(account: Account, params: Params, caller: Caller) -> Params:
    _queue(account, params).tags.update(params["Tags"])
    return {}


def untag_queue(account: Account, params: Params, caller: Caller) -> Params:
    queue = _queue(account, params)
    for key in params["TagKeys"]:
        queue.tags.pop(key, None)
    return {}


def list_queue_tags(account: Account, params: Params, caller: Caller) -> Params:
    return {"Tags": _queue(account, params).tags}


def _send(queue: Queue, params: Params) -> Params:
    body: str = params["MessageBody"]
    if not body:
        raise _invalid("The message body must not be empty.")
    if bad := _FORBIDDEN.search(body):
        raise ApiError(
            "InvalidMessageContents",
            f"Invalid binary character '#x{ord(bad[0]):X}' was found in the message body, the set of allowed "
            "characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
        )
    if len(body.encode()) > queue.maximum_size:
        raise _invalid(
            "One or more parameters are invalid. Reason: Message must be shorter than "
            f"{queue.maximum_size} bytes."
        )
    delay = _number(params, "DelaySeconds", queue.delay, 0, 900)
    attributes: Params = params.get("MessageAttributes", {})
    if len(attributes) > 10:
        raise _invalid(f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [10].")
    digest = _attributes_md5(attributes) if attributes else ""
    message = queue.put(body, delay, attributes)
    message.attributes_md5 = digest
    response = {"MessageId": message.id, "MD5OfMessageBody": message.md5}
    if digest:
        response["MD5OfMessageAttributes"] = digest
    return response


def _received(account: Account, taken: list[Message], params: Params) -> Params:
    if not taken:
        return {}
    system: set[str] = {*params.get("AttributeNames", ()), *params.get("MessageSystemAttributeNames", ())}
    wanted: list[str] = params.get("MessageAttributeNames", [])
    return {"Messages": [_shown(account, message, system, wanted) for message in taken]}


def _shown(account: Account, message: Message, system: set[str], wanted: list[str]) -> Params:
    shown: Params = {
        "MessageId": message.id,
        "ReceiptHandle": message.handle,
        "MD5OfBody": message.md5,
        "Body": message.body,
    }
    if system:
        known = {
            "SenderId": account.id,
            "SentTimestamp": str(int(message.sent_at * 1000)),
            "ApproximateReceiveCount": str(message.receipts),
            "ApproximateFirstReceiveTimestamp": str(int(message.first_received_at * 1000)),
        }
        shown["Attributes"] = known if "All" in system else {k: v for k, v in known.items() if k in system}
    if wanted and message.attributes:
        chosen = {name: v for name, v in message.attributes.items() if _is_wanted(name, wanted)}
        if chosen:
            shown["MessageAttributes"] = {name: _attribute_shown(v) for name, v in chosen.items()}
            shown["MD5OfMessageAttributes"] = _attributes_md5(chosen)
    return shown


def _is_wanted(name: str, wanted: list[str]) -> bool:
    return any(w in ("All", ".*", name) or (w.endswith(".*") and name.startswith(w[:-2])) for w in wanted)


def _attribute_shown(value: Params) -> Params:
    if isinstance(value.get("BinaryValue"), bytes):
        return {**value, "BinaryValue": b64encode(value["BinaryValue"]).decode()}
    return value


def _attributes_md5(attributes: Params) -> str:
    """The digest that clients compare: name, type, transport and value of each attribute, sorted by name."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value: Params = attributes[name]
        kind: str = value["DataType"]
        for part in (name.encode(), kind.encode()):
            digest.update(struct.pack("!I", len(part)) + part)
        binary = kind.startswith("Binary")
        content = (
            cast(bytes, value.get("BinaryValue", b"")) if binary else value.get("StringValue", "").encode()
        )
        digest.update((b"\x02" if binary else b"\x01") + struct.pack("!I", len(content)) + content)
    return digest.hexdigest()


def _delete(queue: Queue, params: Params) -> Params:
    handle: str = params["ReceiptHandle"]
    if "#" not in handle:
        raise ApiError(
            "ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not a valid receipt handle.'
        )
    # A stale handle succeeds and deletes nothing, as on a standard queue.
    if message := queue.find(handle):
        queue.remove(message)
    return {}


def _change_visibility(queue: Queue, params: Params) -> Params:
    handle: str = params["ReceiptHandle"]
    if "#" not in handle:
        raise ApiError(
            "ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not a valid receipt handle.'
        )
    seconds = _number(params, "VisibilityTimeout", queue.visibility, 0, 43200)
    queue.counts()  # returns messages whose visibility timeout has ended
    message = queue.find(handle)
    if message is None or not message.hidden:
        raise ApiError(
            "MessageNotInflight",
            f"Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not "
            "exist or is not available for visibility timeout change.",
        )
    queue.change_visibility(message, seconds)
    return {}


def _entries(params: Params) -> list[Params]:
    entries: list[Params] = params["Entries"]
    if not entries:
        raise ApiError("EmptyBatchRequest", "There should be at least one entry in the request.")
    if len(entries) > 10:
        raise ApiError(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are 10. You have sent {len(entries)}.",
        )
    if any(not _ENTRY_ID.fullmatch(entry["Id"]) for entry in entries):
        raise ApiError(
            "InvalidBatchEntryId",
            "A batch entry id can only contain alphanumeric characters, hyphens and "
            "underscores. It can be at most 80 letters long.",
        )
    if len({entry["Id"] for entry in entries}) < len(entries):
        raise ApiError(
            "BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id."
        )
    return entries


def _for_each_entry(entries: list[Params], act: Callable[[Params], Params]) -> Params:
    successful: list[Params] = []
    failed: list[Params] = []
    for entry in entries:
        try:
            successful.append({"Id": entry["Id"], **act(entry)})
        except ApiError as error:
            failed.append(
                {"Id": entry["Id"], "SenderFault": True, "Code": error.code, "Message": error.message}
            )
    return {"Successful": successful, "Failed": failed}


def _queue(account: Account, params: Params) -> Queue:
    return _named(account, params["QueueUrl"].rstrip("/").rpartition("/")[2])


def _named(account: Account, name: str) -> Queue:
    queue = account.queues.by_name.get(name)
    if queue is None:
        raise _no_queue()
    return queue


def _no_queue() -> ApiError:
    return ApiError("QueueDoesNotExist", "The specified queue does not exist.")


def _url(account: Account, caller: Caller, queue: Queue) -> str:
    return f"http://{caller.host}/{account.id}/{queue.name}"


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterValue", message)


def _number(params: Params, name: str, default: int, low: int, high: int) -> int:
    value = params.get(name, default)
    if not low <= value <= high:
        raise _invalid(
            f"Value {value} for parameter {name} is invalid. Reason: Must be between {low} and {high}, if provided."
        )
    return value


def _checked_attributes(attributes: dict[str, Any]) -> dict[str, str]:
    for name, value in attributes.items():
        if name in _RANGES:
            low, high = _RANGES[name]
            if not re.fullmatch(r"\d{1,9}", value) or not low <= int(value) <= high:
                raise ApiError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")
        elif name not in _OTHER_ATTRIBUTES and name not in DEFAULTS:
            raise ApiError("InvalidAttributeName", f"Unknown Attribute {name}.")
        if name == "RedrivePolicy" and value:
            _redrive(value)
        if name == "Policy" and value:
            _check_policy(value)
    return attributes


def _check_policy(text: str) -> None:
    try:
        resource_policies.check(text)
    except Unknown as problem:
        sentence = f"Invalid value for the parameter Policy. Reason: {problem}"
        raise ApiError("InvalidAttributeValue", sentence) from None


def _redrive(policy: str) -> tuple[str, int]:
    try:
        read = json.loads(policy)
        return str(read["deadLetterTargetArn"]).rpartition(":")[2], int(read["maxReceiveCount"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        raise ApiError("InvalidAttributeValue", "Invalid value for the parameter RedrivePolicy.") from None


def connect_dead_letter_queue(account: Account, queue: Queue) -> None:
    """Follows the queue's RedrivePolicy. Call it when the policy may have changed."""
    policy = queue.attributes.get("RedrivePolicy")
    if not policy:
        queue.dead_letters = lambda: None
        return
    name, most = _redrive(policy)

    def target() -> tuple[Queue, int] | None:
        found = account.queues.by_name.get(name)
        return (found, most) if found else None

    queue.dead_letters = target


Handler = Callable[[Account, Params, Caller], "Params | Awaitable[Params]"]
OPERATIONS: Final[dict[str, Handler]] = {
    "CreateQueue": create_queue,
    "GetQueueUrl": get_queue_url,
    "ListQueues": list_queues,
    "DeleteQueue": delete_queue,
    "GetQueueAttributes": get_queue_attributes,
    "SetQueueAttributes": set_queue_attributes,
    "PurgeQueue": purge_queue,
    "SendMessage": send_message,
    "SendMessageBatch": send_message_batch,
    "ReceiveMessage": receive_message,
    "DeleteMessage": delete_message,
    "DeleteMessageBatch": delete_message_batch,
    "ChangeMessageVisibility": change_message_visibility,
    "ChangeMessageVisibilityBatch": change_message_visibility_batch,
    "TagQueue": tag_queue,
    "UntagQueue": untag_queue,
    "ListQueueTags": list_queue_tags,
}
# Clients written for SQS's Query protocol expect these codes.
OLD_CODES: Final = {
    "AccessDeniedException": "AccessDenied",
    "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    "EmptyBatchRequest": "AWS.SimpleQueueService.EmptyBatchRequest",
    "TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
    "BatchEntryIdsNotDistinct": "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
    "InvalidBatchEntryId": "AWS.SimpleQueueService.InvalidBatchEntryId",
    "BatchRequestTooLong": "AWS.SimpleQueueService.BatchRequestTooLong",
    "PurgeQueueInProgress": "AWS.SimpleQueueService.PurgeQueueInProgress",
    "MessageNotInflight": "AWS.SimpleQueueService.MessageNotInflight",
    "UnsupportedOperation": "AWS.SimpleQueueService.UnsupportedOperation",
}
