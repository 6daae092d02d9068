"""The local SES that `./dev conformance` started: settings for clients, and its admin API."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3

REGION = "us-east-1"
ACCOUNT = "123456789012"
DOMAIN = "shop.example"
SECRET = "user:pass"
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


class Local:
    def __init__(self, url: str) -> None:
        self.url = url

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **KEYS)

    def admin(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/_seslocal{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def sent(self) -> list[dict[str, Any]]:
        """Returns the ledger: the mails that were accepted."""
        return self.admin("GET", "/sent")["sent"]

    def only(self) -> dict[str, Any]:
        [mail] = self.sent()
        return self.admin("GET", f"/sent/{mail['message_id']}")

    def until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "what was waited for did not come"
            time.sleep(0.01)
