"""SES's management calls that read an account, and CloudWatch's that read its counts, through boto3 in a worker thread, one after
the other and paced.

It cannot change anything: every operation but those of `control/assess/reading.py` is refused here, before it is called. The pace
is that of the control plane (control/call_budget.py); its clock and its sleep can be passed in.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from mailcordon.adapters.ses import boto_calls
from mailcordon.control.administration import Whole
from mailcordon.control.assess.forecast import FAST, METRIC_RATE, STATISTICS, WATCH_LIST
from mailcordon.control.assess.reading import READS, WATCHES
from mailcordon.control.call_budget import Rates, Ticket, Turns
from mailcordon.control.work import Work

_PAGE = 100
_LONG_PAGE = 1000  #: of a suppression list
_ATTEMPTS = 5
_ANSWER_SECONDS = 30
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
        # SES documents more for one of these (ses.md 3.5) and CloudWatch more than that, so they do not wait for the others.
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
        return self._metrics if operation in FAST else self._turns


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
        session = boto_calls.session(
            region=region, access_key=access_key, secret_key=secret_key, profile=profile
        )
        config = boto_calls.configuration(_ANSWER_SECONDS)
        self._client: Any = session.client("sesv2", endpoint_url=endpoint, config=config)  # pyright: ignore[reportUnknownMemberType]
        self._v1: Any = session.client("ses", endpoint_url=endpoint, config=config)  # pyright: ignore[reportUnknownMemberType]
        self._watch: Any = session.client("cloudwatch", endpoint_url=endpoint, config=config)  # pyright: ignore[reportUnknownMemberType]
        self._pace = pace
        self.calls: Counter[str] = Counter()  #: that were made, by operation

    def close(self) -> None:
        self._client.close()
        self._v1.close()
        self._watch.close()

    async def call(self, operation: str, **members: Any) -> Whole:
        if operation not in (*READS, *WATCHES):
            raise ValueError(operation)
        client = self._v1 if operation == STATISTICS else self._client
        method = getattr(self._watch if operation in WATCHES else client, xform_name(operation))
        for attempt in range(1, _ATTEMPTS + 1):
            await self._pace.turn(operation)
            self.calls[operation] += 1
            try:
                return boto_calls.as_json(await asyncio.to_thread(partial(method, **members)))
            except (ClientError, BotoCoreError) as error:
                failed = boto_calls.failure(error)
                if failed.refused_for_rate:
                    self._pace.refused(operation)
                if attempt == _ATTEMPTS or not failed.may_be_repeated:
                    raise failed.error from None
        raise AssertionError

    async def pages(self, operation: str, member: str, **members: Any) -> Sequence[Any]:
        found: list[Any] = []
        more: dict[str, Any] = {}
        size = {} if operation == WATCH_LIST else {"PageSize": _PAGE}
        while True:
            page = await self.call(operation, **size, **members, **more)
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
