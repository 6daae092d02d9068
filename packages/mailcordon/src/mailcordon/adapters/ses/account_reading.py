"""SES's management calls that read an account, through boto3 in a worker thread, one after the other and paced.

It cannot change anything: every operation but those of `control/assess/reading.py` is refused here, before it is called. The pace
is that of the control plane (control/call_budget.py); its clock and its sleep can be passed in.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError, ProfileNotFound

from mailcordon.adapters.ses.administer import as_json
from mailcordon.control import hints
from mailcordon.control.administration import SesError, Whole
from mailcordon.control.assess.forecast import METRIC_CALLS, METRIC_RATE, STATISTICS
from mailcordon.control.assess.reading import READS
from mailcordon.control.call_budget import Rates, Ticket, Turns
from mailcordon.control.observed import group
from mailcordon.control.work import Work
from mailcordon.core.errors import Unavailable
from mailcordon.messages import system

_PAGE = 100
_LONG_PAGE = 1000  #: of a suppression list
_ATTEMPTS = 5
_REFUSED_FOR_RATE = frozenset({"TooManyRequestsException", "Throttling", "ThrottlingException"})
_REPEATED_STATUS = frozenset({500, 502, 503, 504})
Sleep = Callable[[float], Awaitable[None]]


class Pace:
    """Lets one call after another go. `per_second` None: at once, for the local SES."""

    def __init__(
        self,
        per_second: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.per_second = per_second
        self._clock, self._sleep = clock, sleep
        self._turns = Turns(Rates(per_second=per_second))
        # SES documents more for this one (ses.md 3.5), so it does not wait for the others.
        self._metrics = Turns(Rates(per_second=None if per_second is None else METRIC_RATE))

    async def turn(self, operation: str) -> None:
        turns = self._of(operation)
        ticket = Ticket(Work.SCAN, None, operation, self._clock(), lambda: None)
        turns.enter(ticket)
        while not isinstance(found := turns.take(self._clock()), Ticket):
            await self._sleep(found or 0.0)

    def refused(self, operation: str) -> None:
        """SES refused a call for its rate: it is halved, and recovers."""
        self._of(operation).refused(self._clock())

    def _of(self, operation: str) -> Turns:
        return self._metrics if operation == METRIC_CALLS else self._turns


class AccountReading:
    """`profile`: the AWS profile to sign with, instead of keys. Neither: what botocore finds. Raises Unavailable if there is no
    such profile."""

    def __init__(
        self,
        pace: Pace,
        *,
        region: str,
        endpoint: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        profile: str | None = None,
    ) -> None:
        try:
            session = boto3.session.Session(
                aws_access_key_id=access_key,
                aws_secret_access_key=secret_key,
                region_name=region,
                profile_name=profile,
            )
        except ProfileNotFound:
            raise Unavailable(
                system.aws_credentials_missing(profile=profile), code="no-credentials"
            ) from None
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=30,
            user_agent_extra=hints.OUR_AGENT,
        )
        self._client: Any = session.client("sesv2", endpoint_url=endpoint, config=config)  # pyright: ignore[reportUnknownMemberType]
        self._v1: Any = session.client("ses", endpoint_url=endpoint, config=config)  # pyright: ignore[reportUnknownMemberType]
        self._pace = pace
        self.calls: Counter[str] = Counter()  #: that were made, by operation

    def close(self) -> None:
        self._client.close()
        self._v1.close()

    async def call(self, operation: str, **members: Any) -> Whole:
        if operation not in READS:
            raise ValueError(operation)
        method = getattr(self._v1 if operation == STATISTICS else self._client, xform_name(operation))
        for attempt in range(1, _ATTEMPTS + 1):
            await self._pace.turn(operation)
            self.calls[operation] += 1
            try:
                return as_json(await asyncio.to_thread(partial(method, **members)))
            except ClientError as error:
                response = cast("dict[str, Any]", error.response)
                problem = group(response, "Error")
                code = str(problem.get("Code") or "Unknown")
                if code in _REFUSED_FOR_RATE:
                    self._pace.refused(operation)
                elif group(response, "ResponseMetadata").get("HTTPStatusCode") not in _REPEATED_STATUS:
                    raise SesError(code, str(problem.get("Message") or error)) from None
                if attempt == _ATTEMPTS:
                    raise SesError(code, str(problem.get("Message") or error)) from None
            except BotoCoreError as error:
                if attempt == _ATTEMPTS or not isinstance(error, ConnectionError | HTTPClientError):
                    raise SesError(type(error).__name__, str(error)) from None
        raise AssertionError

    async def pages(self, operation: str, member: str, **members: Any) -> Sequence[Any]:
        found: list[Any] = []
        more: dict[str, Any] = {}
        while True:
            page = await self.call(operation, PageSize=_PAGE, **members, **more)
            found += page.get(member) or ()
            if not page.get("NextToken"):
                return found
            more = {"NextToken": page["NextToken"]}

    async def suppressed(self) -> Mapping[str, int]:
        found: Counter[str] = Counter()
        more: dict[str, Any] = {}
        while True:
            page = await self.call("ListSuppressedDestinations", PageSize=_LONG_PAGE, **more)
            found.update(str(each.get("Reason")) for each in page.get("SuppressedDestinationSummaries") or ())
            if not page.get("NextToken"):
                return found
            more = {"NextToken": page["NextToken"]}
