"""The other side of the comparison, in a separate process: real boto3, one client, one thread, `send_email` in a loop.

CPU is that of this process from the first call of the loop to the return of the last. A few warm-up calls before it do what boto3
does once: connect, load the endpoint rules, derive the signing key.
"""

import argparse
import json
import resource
import sys
import time
from typing import Any

import boto3
from botocore.config import Config

from bench import mail

DOMAIN = "bare.example"
_WARM_UP = 20


def client(endpoint: str):
    return boto3.client(
        "sesv2",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


def send(client: Any, to: str) -> None:
    client.send_email(
        FromEmailAddress=f"Team <hello@{DOMAIN}>",
        Destination={"ToAddresses": [to]},
        Content={
            "Simple": {
                "Subject": {"Data": mail.SUBJECT},
                "Body": {"Text": {"Data": mail.TEXT}, "Html": {"Data": mail.HTML}},
            }
        },
    )


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench bare")
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args(argv)
    ses = client(options.endpoint)

    for to in mail.recipients(f"{options.run}-warm", _WARM_UP):
        send(ses, to)
    sent = 0
    cpu, began = _cpu(), time.perf_counter()
    for to in mail.recipients(options.run, options.messages):
        send(ses, to)
        sent += 1
        if time.perf_counter() - began > options.seconds:
            break
    whole, wall = _cpu(), time.perf_counter() - began
    ses.close()
    print(
        json.dumps(
            {
                "sent": sent,
                "cpu_seconds": whole - cpu,
                "wall_seconds": wall,
                "warm_up": _WARM_UP,
                "whole_cpu_seconds": whole,
            }
        )
    )
    return 0


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
