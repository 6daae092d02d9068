"""What the local SES has to hold before the roles start: the two queues that SES's events arrive in.

On AWS, queues and topics are infrastructure with owners of their own; here `up` makes them, again after each start, since the
local SES remembers nothing.
"""

import asyncio
import json
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from mailcordon.adapters.ses.signer import Credentials, Signer
from mailcordon.config import QUEUES
from mailcordon.core.errors import Unavailable

#: Seconds. Well below the shortest grace period (60 s), so that a crashed observer's events come back before it ends.
VISIBILITY = 20

_KEYS = Credentials("test", "test")  #: the pair that every local SES knows


async def wait_ready(ready_file: Path, patience: float = 20.0) -> str:
    """The URL that a starting seslocal writes into its ready file."""
    deadline = time.monotonic() + patience
    while not ready_file.exists():
        if time.monotonic() > deadline:
            raise Unavailable(f"the local SES did not start within {patience:.0f} s.")
        await asyncio.sleep(0.02)
    return str(json.loads(ready_file.read_text())["url"])


async def make_queues(endpoint: str, region: str) -> dict[str, str]:
    """Creates both queues, where they are not there yet, and answers their URLs, by kind."""
    signer = Signer(service="sqs", region=region, host=urlsplit(endpoint).netloc)
    made = {kind: asyncio.to_thread(_create_queue, endpoint, name, signer) for kind, name in QUEUES.items()}
    return dict(zip(made, await asyncio.gather(*made.values()), strict=True))


def _create_queue(endpoint: str, name: str, signer: Signer) -> str:
    # SQS's JSON protocol, spoken to the local SES alone: loading boto3 for two calls would take longer than all else
    # that starts here.
    body = json.dumps({"QueueName": name, "Attributes": {"VisibilityTimeout": str(VISIBILITY)}}).encode()
    headers = {"x-amz-target": "AmazonSQS.CreateQueue", "content-type": "application/x-amz-json-1.0"}
    signed = signer.sign(_KEYS, "/", body, headers)
    request = urllib.request.Request(endpoint, body, signed)  # noqa: S310 (the local SES's own address)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return str(json.load(answer)["QueueUrl"])
    except (OSError, ValueError, KeyError) as trouble:
        raise Unavailable(
            f"the local SES at {endpoint} did not make the queue {name}: {trouble}."
        ) from trouble
