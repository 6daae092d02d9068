"""What every door for mail does once it knows the key: the key's and the tenant's rates, the check of the content, a place in the
next batch. There is no other way from a door to the queue."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mailcordon.core.errors import Fault, Invalid, Unavailable
from mailcordon.core.principal import SEND, Principal
from mailcordon.core.template import Rendered
from mailcordon.door.buckets import Buckets
from mailcordon.messages import keys as key_messages
from mailcordon.messages import templates
from mailcordon.send import raw_mail
from mailcordon.send.accept import Accept
from mailcordon.send.accept_item import LARGE, Accepted, Repeated
from mailcordon.send.submission import Submission
from mailcordon.send.templates import Rendering, Unrendered

#: Reads what a caller handed in. Returns the tenant, and the checked message or what it is made of; raises MailcordonError.
Parse = Callable[[], tuple[str, Submission | Unrendered]]

_RENDER_SECONDS = 15.0  #: that the thread of large messages waits for a template


class Intake:
    """One per process, shared by its doors. Without `rendering` a message with a template is refused."""

    def __init__(self, accept: Accept, buckets: Buckets, rendering: Rendering | None = None) -> None:
        self.accept = accept
        self.buckets = buckets
        self.rendering = rendering

    def take(
        self,
        principal: Principal,
        size: int,
        parse: Parse,
        *,
        key: str | None,
        again: Callable[[], Awaitable[Principal]],
        mime: bool = False,
    ) -> asyncio.Future[Accepted | Repeated]:
        """Puts a message of `size` bytes, as it arrived, into the next batch. The future is `Accept.enqueue`'s.

        `parse` runs here, or in a thread if the message is large; of a MIME message (`mime`), less is large. `key` is the
        idempotency key. `again` looks the caller's key up once more and raises if it has ended; it is called when the control
        epoch has moved.

        Raises MailcordonError for what can be checked at once: TooMuch, Forbidden, Invalid and what `parse` raises.
        """
        principal.require(SEND)
        now, slug = time.monotonic(), principal.tenant_slug
        self.buckets.message_of_key(
            principal.key_id, principal.prefix, principal.limits, size, now, platform=slug is None
        )
        if slug is not None:  # else the message names it
            self.buckets.message_of_tenant(slug, size, now)
        if size > (raw_mail.SLOW if mime else LARGE):
            return self._take_large(principal, size, parse, key, again)
        slug, checked = parse()
        principal.require_type(checked.type)
        if principal.tenant_slug is None:
            self.buckets.message_of_tenant(slug, size, now)
        if isinstance(checked, Unrendered):
            return asyncio.ensure_future(self._take_unrendered(principal, slug, checked, key, again))
        return self.accept.enqueue(
            slug,
            checked,
            api_key=principal.key_id,
            key=key,
            still_allowed=_still_allowed(again, principal, checked.type),
        )

    async def _take_unrendered(
        self,
        principal: Principal,
        slug: str,
        message: Unrendered,
        key: str | None,
        again: Callable[[], Awaitable[Principal]],
    ) -> Accepted | Repeated:
        allowed = _still_allowed(again, principal, message.type)
        try:
            made = await self._made(slug, message)
        except Invalid as refusal:
            if key is None:
                raise
            # The template may have changed since this key was used: what was accepted then has its answer.
            unmade = _Made(message, Rendered("-", "-", None), None).finish()
            return await self.accept.enqueue(
                slug, unmade, api_key=principal.key_id, key=key, still_allowed=allowed, refusal=refusal
            )
        if made.size > LARGE:
            return await self.accept.enqueue_large(
                slug,
                made.size,
                lambda: (slug, made.finish()),
                admit=lambda slug: None,  # it was, before it was rendered
                api_key=principal.key_id,
                key=key,
                still_allowed=allowed,
            )
        return await self.accept.enqueue(
            slug, made.finish(), api_key=principal.key_id, key=key, still_allowed=allowed
        )

    async def _made(self, slug: str, message: Unrendered) -> "_Made":
        if self.rendering is None:
            raise Invalid(Fault("template", templates.no_renderer()))
        content, label = await self.rendering.render(slug, message)
        return _Made(message, content, label)

    def _take_large(
        self,
        principal: Principal,
        size: int,
        parse: Parse,
        key: str | None,
        again: Callable[[], Awaitable[Principal]],
    ) -> asyncio.Future[Accepted | Repeated]:
        def admit(slug: str) -> None:
            if principal.tenant_slug is None:
                self.buckets.message_of_tenant(slug, size, time.monotonic())

        loop = asyncio.get_running_loop()

        def allowed() -> tuple[str, Submission]:
            slug, checked = parse()
            principal.require_type(checked.type)
            if isinstance(checked, Unrendered):
                made = asyncio.run_coroutine_threadsafe(self._made(slug, checked), loop)
                try:
                    checked = made.result(_RENDER_SECONDS).finish()
                except TimeoutError:
                    made.cancel()
                    raise Unavailable(templates.nothing_renders()) from None
            return slug, checked

        return self.accept.enqueue_large(
            principal.tenant_slug or principal.key_id,  # a tenant with many keys has one turn
            size,
            allowed,
            admit=admit,
            api_key=principal.key_id,
            key=key,
            still_allowed=_still_allowed(again, principal, None),
        )


@dataclass(frozen=True, slots=True)
class _Made:
    message: Unrendered
    content: Rendered
    label: str | None

    @property
    def size(self) -> int:
        """Characters."""
        return len(self.content.text or "") + len(self.content.html or "")

    def finish(self) -> Submission:
        return self.message.finish(self.content, self.label)._replace(asked=self.message.asked)


def _still_allowed(
    again: Callable[[], Awaitable[Principal]], principal: Principal, type: str | None
) -> Callable[[], Awaitable[object]]:
    """Raises if the key has ended, or was narrowed so that it may not send this. `type` None: it is not known yet."""

    async def check() -> None:
        now = await again()
        now.require(SEND)
        if type is not None:
            now.require_type(type)
        if now.networks != principal.networks or (type is None and now.types != principal.types):
            raise Unavailable(
                key_messages.key_changed(now.prefix), code="key-changed"
            )  # the retry is judged by the new terms

    return check
