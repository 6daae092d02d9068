"""The local SES as its judges use it: its ledger, its mailboxes and faults, and two questions over the real wire protocols.

packages/seslocal/docs/guide.md describes the admin pages. Nothing here sends mail.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mailcordon.adapters.cli import failures
from mailcordon.adapters.cli.client import Client, local_path
from mailcordon.adapters.cli.document import Document, parts

if TYPE_CHECKING:
    import boto3

T = TypeVar("T")

OUTCOME_QUEUE = "mailcordon-outcome"
_LINES = 1000  #: the most that one answer holds


class LocalSes:
    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._admin = Client(self.url, None)

    async def close(self) -> None:
        await self._admin.close()

    async def sent(
        self, *, recipient: str | None = None, tenant: str | None = None, limit: int = _LINES
    ) -> Document:
        """The ledger's lines, newest first, as {"sent"}."""
        query = {"recipient": recipient, "tenant": tenant, "limit": min(limit, _LINES), "order": "newest"}
        return await self._admin.get(local_path("sent"), query)

    async def set_mailbox(self, address: str, fate: str, tenant: str | None) -> Document:
        """From now on, this becomes of mail to the address: of one SES tenant's mail, or of everybody's."""
        body = {"fate": fate, "tenant": tenant} if tenant else {"fate": fate}
        return await self._admin.call("PUT", local_path("mailboxes", address), body=body)

    async def faults(self) -> list[Document]:
        return parts(await self._admin.get(local_path("faults")), "faults")

    async def knows_tenant(self, key: str) -> bool:
        """Asked as an application would ask SES. Raises Failure where it does not answer."""

        def ask() -> bool:
            ses = _session().client("sesv2", endpoint_url=self.url)  # pyright: ignore[reportUnknownMemberType]
            try:
                ses.get_tenant(TenantName=key)
            except ses.exceptions.NotFoundException:
                return False
            return True

        return await self._ask("SES", ask)

    async def unread(self) -> int:
        """How many events lie in the outcome queue, received ones that may come back included. Raises Failure."""

        def ask() -> int:
            sqs = _session().client("sqs", endpoint_url=self.url)  # pyright: ignore[reportUnknownMemberType]
            queue = sqs.get_queue_url(QueueName=OUTCOME_QUEUE)["QueueUrl"]
            found = sqs.get_queue_attributes(
                QueueUrl=queue,
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )
            return sum(int(value) for value in found.get("Attributes", {}).values())

        return await self._ask(f"the queue {OUTCOME_QUEUE}", ask)

    async def _ask(self, what: str, ask: Callable[[], T]) -> T:
        from botocore import exceptions

        try:
            return await asyncio.to_thread(ask)
        except (exceptions.BotoCoreError, exceptions.ClientError) as error:
            raise failures.Failure(
                failures.Exit.UNAVAILABLE,
                f"{what} of the local SES at {self.url} cannot be asked: {error}",
                "no-local-ses",
            ) from None


def _session() -> "boto3.Session":
    """With the only credentials that the local SES takes."""
    import boto3  # takes 0.2 s, which only the drill is to pay

    return boto3.Session(region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")  # noqa: S106
