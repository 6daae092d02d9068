"""The AWS account as `mailcordon doctor --aws` asks it: through the profile of each kind of calls."""

import asyncio
import threading
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from mailcordon.adapters.ses import boto_calls
from mailcordon.config import Config

KINDS = ("send", "administer", "observe")
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException"}
)


@dataclass(slots=True)
class Aws:
    """The account, asked through the profile of each kind of calls."""

    config: Config
    sessions: dict[str, Any] = field(default_factory=dict[str, Any])
    _made: dict[tuple[str, str], Any] = field(default_factory=dict[tuple[str, str], Any])
    _making: threading.Lock = field(
        default_factory=threading.Lock
    )  #: sessions are not safe to share while they make clients

    @property
    def local(self) -> bool:
        """Whether this is a local SES, which answers for STS, IAM and EventBridge too. An endpoint of AWS (VPC, FIPS) is for SES
        alone, and speaks TLS."""
        return (self.config.ses_endpoint or "").startswith("http://")

    def client(self, service: str, kind: str) -> Any:
        with self._making:
            if (service, kind) not in self._made:
                self._made[service, kind] = self._make(service, kind)
            return self._made[service, kind]

    def _make(self, service: str, kind: str) -> Any:
        config = self.config
        if kind not in self.sessions:
            own = kind in config.profiles
            self.sessions[kind] = boto_calls.session(
                region=config.region,
                access_key=None if own else config.access_key,
                secret_key=None if own else config.secret_key,
                profile=config.profiles.get(kind),
            )
        endpoints = {"sesv2": config.ses_endpoint, "sns": config.sqs_endpoint, "sqs": config.sqs_endpoint}
        if self.local:
            endpoints |= dict.fromkeys(("sts", "iam", "events"), config.ses_endpoint)
        return self.sessions[kind].client(
            service, endpoint_url=endpoints.get(service), config=boto_calls.configuration(10)
        )

    async def call(self, service: str, kind: str, method: str, **members: object) -> Any:
        """Raises ClientError, BotoCoreError or Unavailable."""
        client = await asyncio.to_thread(self.client, service, kind)
        return await asyncio.to_thread(partial(getattr(client, method), **members))

    def close(self) -> None:
        for client in self._made.values():
            client.close()


def is_denied(error: ClientError) -> bool:
    return boto_calls.failure(error).error.code in _DENIED
