"""Delivers webhooks: writes each in its endpoint's form, signs it and posts it."""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from mailcordon.adapters.web import json_text, sns_message, standard_webhooks, webhook_forms
from mailcordon.adapters.web.post import Line, Poster
from mailcordon.adapters.web.sns_message import Signer
from mailcordon.messages import webhooks as messages
from mailcordon.observe.alerts.ports import NotDelivered
from mailcordon.observe.webhooks.loop import REQUESTS
from mailcordon.observe.webhooks.nouns import Endpoint, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class SesForm:
    """What SES's form needs. `signer`: None while the installation has no address for its certificate."""

    signer: Callable[[], Awaitable[Signer | None]]
    region: str
    message_id: Callable[
        [int], str
    ]  #: what a program that sent through the SES door was given, by the delivery


class WebhookCourier:
    def __init__(self, poster: Poster, ses: SesForm) -> None:
        self._poster = poster
        self._ses = ses

    @contextlib.asynccontextmanager
    async def line(self, endpoint: Endpoint) -> AsyncGenerator["WebhookLine"]:
        signer = await self._ses.signer() if endpoint.form == "ses-sns" else None
        if endpoint.form == "ses-sns" and signer is None:
            raise NotDelivered(messages.no_public_url())
        async with self._poster.line(endpoint.url, connections=REQUESTS) as line:
            yield WebhookLine(line, endpoint, self._ses, signer)


class WebhookLine:
    def __init__(self, line: Line, endpoint: Endpoint, ses: SesForm, signer: Signer | None) -> None:
        self._line = line
        self._endpoint = endpoint
        self._ses = ses
        self._signer = signer
        self._topic = sns_message.topic_arn(ses.region, webhook_forms.ACCOUNT, endpoint.name)

    async def send(self, message: Message, now: int) -> None:
        if self._signer is None:
            await self._standard(message.id, webhook_forms.standard(message), now)
            return
        try:
            text = webhook_forms.ses(message, self._ses.message_id)
        except (ValueError, RecursionError):  # one odd document keeps no other from being sent
            raise NotDelivered(messages.nothing_to_tell()) from None
        await self._sns(self._signer, message.id, text, now)

    async def try_out(self, now: int) -> None:
        """A message that says that the endpoint works. Raises NotDelivered."""
        sentence, id = messages.test(self._endpoint.name), f"test-{self._endpoint.id}-{now}"
        if self._signer is None:
            body = {"type": "test", "timestamp": json_text.iso(now), "data": {"text": sentence}}
            await self._standard(id, json_text.encoded(body), now)
        else:
            await self._sns(self._signer, id, sentence, now)

    async def _standard(self, id: str, body: bytes, now: int) -> None:
        headers = standard_webhooks.headers(self._endpoint.signing, id, now // 1_000, body)
        await self._line.post(body, {"Content-Type": "application/json", **headers})

    async def _sns(self, signer: Signer, id: str, text: str, now: int) -> None:
        body, headers = sns_message.notification(signer, topic=self._topic, message=text, id=id, now=now)
        await self._line.post(body, headers)
