"""What the local SES needs before the roles start: the queues of SES's events, and the rule for its management events.

On AWS, queues and topics are part of the infrastructure and exist already. In the local SES `up` creates them and sets their
attributes after each of its starts: its state may be from an earlier version, or may have been unusable.
"""

import asyncio
import json
import os
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from mailcordon.adapters.ses.signer import Credentials, Signer
from mailcordon.config import MANAGEMENT_QUEUE, QUEUES
from mailcordon.core.errors import Unavailable
from mailcordon.messages import queues, system

#: Seconds. Well below the shortest grace period (60 s), so that a crashed observer's events come back before it ends.
VISIBILITY_TIMEOUT = 20

_CREDENTIALS = Credentials("test", "test")  #: every local SES accepts this pair


async def wait_ready(ready_file: Path, patience: float = 20.0) -> str:
    """The URL that a starting seslocal writes to its ready file. Raises Unavailable after `patience` seconds."""
    deadline = time.monotonic() + patience
    while not ready_file.exists():
        if time.monotonic() > deadline:
            raise Unavailable(system.local_ses_not_ready(seconds=patience))
        await asyncio.sleep(0.02)
    return str(json.loads(ready_file.read_text())["url"])


async def sign_events(endpoint: str) -> None:
    """Makes the local SES sign what it puts on queues, as SNS does. Off by default, because it is slow. Raises Unavailable."""
    try:
        await asyncio.to_thread(_put_account, endpoint, {"behaviour": {"sign_in_queues": True}})
    except (OSError, ValueError) as error:
        raise Unavailable(queues.events_not_signed(url=endpoint, why=str(error))) from error


async def report_management(endpoint: str) -> None:
    """Makes the local SES report its management calls to the queue for them. Raises Unavailable."""
    try:
        await asyncio.to_thread(_put_account, endpoint, {"management_queue": MANAGEMENT_QUEUE})
    except (OSError, ValueError) as error:
        raise Unavailable(queues.management_not_reported(url=endpoint, why=str(error))) from error


def _put_account(endpoint: str, members: dict[str, object]) -> None:
    body = json.dumps(members).encode()
    headers = {"content-type": "application/json"}
    if token := os.environ.get("SESLOCAL_TOKEN"):
        headers["authorization"] = f"Bearer {token}"
    request = urllib.request.Request(  # noqa: S310 (the local SES's own address)
        f"{endpoint}/_seslocal/account", body, headers, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=5):  # noqa: S310
        pass


async def create_queues(endpoint: str, region: str) -> dict[str, str]:
    """Creates the queues if they do not exist. Returns their URLs by kind. Raises Unavailable."""
    signer = Signer(service="sqs", region=region, host=urlsplit(endpoint).netloc)
    names = QUEUES | {"management": MANAGEMENT_QUEUE}
    calls = {kind: asyncio.to_thread(_create_queue, endpoint, name, signer) for kind, name in names.items()}
    return dict(zip(calls, await asyncio.gather(*calls.values()), strict=True))


def _create_queue(endpoint: str, name: str, signer: Signer) -> str:
    attributes = {"VisibilityTimeout": str(VISIBILITY_TIMEOUT)}
    try:
        # Creating a queue that exists with other attributes would be refused.
        url = str(_call(endpoint, signer, "CreateQueue", {"QueueName": name})["QueueUrl"])
        _call(endpoint, signer, "SetQueueAttributes", {"QueueUrl": url, "Attributes": attributes})
        return url
    except (OSError, ValueError, KeyError) as error:
        why = getattr(error, "reason", None) or error  # URLError keeps the cause in `reason`
        why = getattr(why, "strerror", None) or str(why)
        raise Unavailable(system.queue_not_created(url=endpoint, queue=name, why=why)) from error


def _call(endpoint: str, signer: Signer, operation: str, members: dict[str, object]) -> dict[str, object]:
    # SQS's JSON protocol by hand: loading boto3 for two calls takes longer than everything else that starts here.
    body = json.dumps(members).encode()
    headers = {"x-amz-target": f"AmazonSQS.{operation}", "content-type": "application/x-amz-json-1.0"}
    signed = signer.sign(_CREDENTIALS, "/", body, headers)
    request = urllib.request.Request(endpoint, body, signed)  # noqa: S310 (the local SES's own address)
    with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310
        return dict(json.loads(response.read() or b"{}"))
