"""The local SES: its ledger, its mailboxes and faults over its admin pages, and two questions over SES's own protocols.

packages/seslocal/docs/guide.md describes the admin pages. Nothing here sends mail.
"""

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mailcordon.adapters.cli import failures, text
from mailcordon.adapters.cli.client import Client, local_path
from mailcordon.adapters.cli.document import Document, children
from mailcordon.messages import cli as messages

if TYPE_CHECKING:
    import boto3

T = TypeVar("T")

OUTCOME_QUEUE = "mailcordon-outcome"
_LINES = 1000  #: the most lines of one response


class LocalSes:
    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._admin = Client(self.url, os.environ.get("SESLOCAL_TOKEN"))  # it requires one beyond loopback

    async def close(self) -> None:
        await self._admin.close()

    async def sent(
        self, *, recipient: str | None = None, tenant: str | None = None, limit: int = _LINES
    ) -> Document:
        """The ledger's lines, newest first, as {"sent"}. Times are ISO 8601 in UTC, as in every other document."""
        query = {"recipient": recipient, "tenant": tenant, "limit": min(limit, _LINES), "order": "newest"}
        found = await self._admin.get(local_path("sent"), query)
        lines = [{**line, "at": _iso(line.get("at"))} for line in children(found, "sent")]
        return {**found, "sent": lines}

    async def mailboxes(self) -> Document:
        """The mailboxes that were set, as {"mailboxes"}. `tenant` is SES's name of a tenant, None for all."""
        return await self._admin.get(local_path("mailboxes"))

    async def set_mailbox(self, address: str, fate: str, tenant: str | None) -> Document:
        """Sets what happens from now on to mail to the address: to one SES tenant's mail, or to all mail."""
        body = {"fate": fate, "tenant": tenant} if tenant else {"fate": fate}
        return await self._admin.call("PUT", local_path("mailboxes", address), body=body)

    async def faults(self) -> list[Document]:
        return children(await self._admin.get(local_path("faults")), "faults")

    async def without(self, tenant: str) -> Document:
        """What every other tenant lost to this one, by the truth of the world behind SES (its `tenants`, with `lost`)."""
        return await self._admin.post(local_path("world", "counterfactual"), {"without": [tenant]})

    async def has_tenant(self, key: str) -> bool:
        """Asks over the SES API, as an application would. Raises Failure if it does not respond."""

        def ask() -> bool:
            ses = _session().client("sesv2", endpoint_url=self.url)  # pyright: ignore[reportUnknownMemberType]
            try:
                ses.get_tenant(TenantName=key)
            except ses.exceptions.NotFoundException:
                return False
            return True

        return await self._ask(messages.ses_api(), ask)

    async def switch_events(self, configuration_set: str, *, on: bool) -> None:
        """Switches the destination `outcome` of a set on or off, as somebody at SES would. Raises Failure."""

        def ask() -> None:
            ses = _session().client("sesv2", endpoint_url=self.url)  # pyright: ignore[reportUnknownMemberType]
            name = {"ConfigurationSetName": configuration_set}
            found = ses.get_configuration_set_event_destinations(**name).get("EventDestinations", [])
            [was] = [one for one in found if one.get("Name") == "outcome"]
            ses.update_configuration_set_event_destination(
                **name,
                EventDestinationName="outcome",
                EventDestination={
                    "Enabled": on,
                    "MatchingEventTypes": was.get("MatchingEventTypes", []),
                    "SnsDestination": was.get("SnsDestination", {"TopicArn": ""}),
                },
            )

        await self._ask(messages.ses_api(), ask)

    async def unread(self) -> int:
        """Number of events in the outcome queue, including those received but not yet deleted. Raises Failure."""

        def ask() -> int:
            sqs = _session().client("sqs", endpoint_url=self.url)  # pyright: ignore[reportUnknownMemberType]
            queue = sqs.get_queue_url(QueueName=OUTCOME_QUEUE)["QueueUrl"]
            found = sqs.get_queue_attributes(
                QueueUrl=queue,
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )
            return sum(int(value) for value in found.get("Attributes", {}).values())

        return await self._ask(messages.queue(name=OUTCOME_QUEUE), ask)

    async def _ask(self, what: str, ask: Callable[[], T]) -> T:
        from botocore import exceptions

        try:
            return await asyncio.to_thread(ask)
        except (exceptions.BotoCoreError, exceptions.ClientError) as error:
            raise failures.Failure(
                failures.Exit.UNAVAILABLE,
                messages.local_ses_silent(what=what, url=self.url, why=str(error)),
                "no-local-ses",
            ) from None


def _iso(at: object) -> object:
    return text.iso(at) if isinstance(at, int | float) else at


def _session() -> "boto3.Session":
    """With the only credentials that the local SES takes."""
    import boto3  # takes 0.2 s to import; only the drill needs it

    return boto3.Session(region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")  # noqa: S106
