"""What our clients of SES's management API have in common: how they sign, what SES's errors mean, and responses as JSON.

botocore repeats nothing: a repeat has to wait for its turn as any call does, so the clients repeat calls themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError, ProfileNotFound

from mailcordon.control import hints
from mailcordon.control.administration import SesError
from mailcordon.control.observed import group
from mailcordon.core.errors import Unavailable
from mailcordon.messages import system

_REFUSED_FOR_RATE = frozenset({"TooManyRequestsException", "Throttling", "ThrottlingException"})
_REPEATED_STATUS = frozenset({500, 502, 503, 504})


def session(
    *, region: str, access_key: str | None, secret_key: str | None, profile: str | None
) -> boto3.session.Session:
    """`profile`: the AWS profile to sign with, instead of keys. Neither: what botocore finds. Raises Unavailable if there is no
    such profile."""
    try:
        return boto3.session.Session(
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            region_name=region,
            profile_name=profile,
        )
    except ProfileNotFound:
        raise Unavailable(system.aws_credentials_missing(profile=profile), code="no-credentials") from None


def configuration(read_seconds: int) -> Config:
    return Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=5,
        read_timeout=read_seconds,
        user_agent_extra=hints.OUR_AGENT,
    )


@dataclass(frozen=True, slots=True)
class Failure:
    error: SesError
    refused_for_rate: bool
    may_be_repeated: bool


def failure(error: ClientError | BotoCoreError) -> Failure:
    """What a failed call means. One that was refused for its rate may be repeated too."""
    if isinstance(error, BotoCoreError):
        repeated = isinstance(error, ConnectionError | HTTPClientError)
        return Failure(SesError(type(error).__name__, str(error)), False, repeated)
    response = cast("dict[str, Any]", error.response)
    problem = group(response, "Error")
    code = problem.get("Code") or "Unknown"
    refused = code in _REFUSED_FOR_RATE
    repeated = refused or group(response, "ResponseMetadata").get("HTTPStatusCode") in _REPEATED_STATUS
    return Failure(SesError(code, problem.get("Message") or str(error)), refused, repeated)


def as_json(response: Mapping[str, Any]) -> dict[str, Any]:
    """A response as JSON: everything SES returned, without what botocore adds."""
    return {
        name: _json_value(value)
        for name, value in response.items()
        if name != "ResponseMetadata" and value is not None
    }


def _json_value(value: Any) -> Any:
    match value:
        case dict():
            return as_json(cast("dict[str, Any]", value))
        case list():
            return [_json_value(each) for each in cast("list[Any]", value)]
        case datetime():
            return value.astimezone(UTC).isoformat()
        case _:
            return value
