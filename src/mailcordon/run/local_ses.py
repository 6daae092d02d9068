"""What the local SES has to hold before the roles start: the two queues that SES's events arrive in.

On AWS, queues and topics are infrastructure with owners of their own; here `up` makes them, again after each start, since the
local SES remembers nothing.
"""

import asyncio
import json
import time
from pathlib import Path

import boto3
from botocore.config import Config as ClientConfig

from mailcordon.config import QUEUES
from mailcordon.core.errors import Unavailable

#: Seconds. Well below the shortest grace period (60 s), so that a crashed observer's events come back before it ends.
VISIBILITY = 20


async def wait_ready(ready_file: Path, patience: float = 20.0) -> str:
    """The URL that a starting seslocal writes into its ready file."""
    deadline = time.monotonic() + patience
    while not ready_file.exists():
        if time.monotonic() > deadline:
            raise Unavailable(f"the local SES did not start within {patience:.0f} s.")
        await asyncio.sleep(0.02)
    return str(json.loads(ready_file.read_text())["url"])


async def make_queues(endpoint: str, region: str) -> dict[str, str]:
    """Creates both queues and answers their URLs, by kind."""
    return await asyncio.to_thread(_make_queues, endpoint, region)


def _make_queues(endpoint: str, region: str) -> dict[str, str]:
    client = boto3.client(  # pyright: ignore[reportUnknownMemberType] (its overloads name services without stubs)
        "sqs",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 (the local SES takes only this)
        config=ClientConfig(
            retries={"max_attempts": 8, "mode": "standard"}, connect_timeout=2, read_timeout=5
        ),
    )
    try:
        return {
            kind: client.create_queue(QueueName=name, Attributes={"VisibilityTimeout": str(VISIBILITY)})[
                "QueueUrl"
            ]
            for kind, name in QUEUES.items()
        }
    finally:
        client.close()
