"""Delivers alerts and notices: writes each in its channel's form, signs it and posts it."""

from collections.abc import Mapping

from mailcordon.adapters.web import forms, own_api, standard_webhooks
from mailcordon.adapters.web.post import Poster
from mailcordon.messages import alerts as messages
from mailcordon.observe.alerts.nouns import Channel, Contact, Due, DueNotice
from mailcordon.observe.alerts.ports import NotDelivered

_JSON = {"Content-Type": "application/json"}


class WebCourier:
    """`installation`: tells our incidents from another Mailcordon's at PagerDuty. `api_url`: our own API, for e-mail."""

    def __init__(self, poster: Poster, *, installation: str, api_url: str | None) -> None:
        self._poster = poster
        self._installation = installation
        self._api_url = api_url

    async def deliver(self, due: Due, now: int) -> None:
        channel = due.channel
        match channel.form:
            case "webhook":
                await self._signed(channel.secret, due.message, now, forms.webhook(due, now))
            case "slack":
                await self._poster.post(channel.secret["url"], forms.slack(due, now), _JSON)
            case "pagerduty":
                body = forms.pagerduty(
                    due, now, routing_key=channel.secret["key"], installation=self._installation
                )
                await self._poster.post(channel.secret["url"], body, _JSON)
            case "email":
                subject, text = forms.email(due, now)
                await self._mail(channel, channel.secret["to"], due.message, subject, text)

    async def try_out(self, channel: Channel, now: int) -> None:
        sentence, message = messages.test(channel.name), f"test-{channel.id}-{now}"
        match channel.form:
            case "webhook":
                await self._signed(channel.secret, message, now, forms.test_webhook(now, sentence))
            case "slack":
                await self._poster.post(channel.secret["url"], forms.test_slack(sentence), _JSON)
            case "pagerduty":
                for action in ("trigger", "resolve"):  # so that nobody is left with an open test
                    body = forms.test_pagerduty(
                        action,
                        sentence,
                        routing_key=channel.secret["key"],
                        installation=self._installation,
                        now=now,
                    )
                    await self._poster.post(channel.secret["url"], body, _JSON)
            case "email":
                await self._mail(channel, channel.secret["to"], message, messages.test_title(), sentence)

    async def tell(self, notice: DueNotice, now: int) -> None:
        contact = notice.contact
        if contact.channel is None:
            await self._signed(contact.secret, notice.message, now, forms.notice_webhook(notice, now))
        else:
            subject, text = forms.notice(notice, now)
            await self._mail(contact.channel, contact.secret["to"], notice.message, subject, text)

    async def greet(self, contact: Contact, now: int) -> None:
        sentence, message = messages.test(contact.slug), f"test-contact-{contact.tenant}-{now}"
        if contact.channel is None:
            await self._signed(contact.secret, message, now, forms.test_webhook(now, sentence))
        else:
            to = contact.secret["to"]
            await self._mail(contact.channel, to, message, messages.test_title(), sentence)

    async def _signed(self, secret: Mapping[str, str], message: str, now: int, body: bytes) -> None:
        headers = standard_webhooks.headers([secret["signing"]], message, now // 1_000, body)
        await self._poster.post(secret["url"], body, {**_JSON, **headers})

    async def _mail(self, channel: Channel, to: str, message: str, subject: str, text: str) -> None:
        """Over the channel's lane."""
        if self._api_url is None:
            raise NotDelivered(messages.no_api_url())
        tenant, _, type = (channel.lane_name or "").partition("/")
        body: dict[str, object] = {
            "tenant": tenant,
            "type": type,
            "from": channel.sender,
            "to": to,
            "subject": subject,
            "text": text,
        }
        await own_api.submit(self._api_url, channel.secret["key"], message, body)
