"""Endpoints as people set them: what is accepted, and what is done with them.

A URL can be a secret itself, so it is stored encrypted with the signing secrets, and only its host is shown.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypedDict, Unpack

from mailcordon.core import ids, names, ses_door_ids
from mailcordon.core.errors import Conflict, Fault, Invalid, NotFound, parse_field
from mailcordon.core.principal import Principal
from mailcordon.core.text import harmless
from mailcordon.messages import alerts as alert_messages
from mailcordon.messages import api
from mailcordon.messages import webhooks as messages
from mailcordon.observe.alerts.channels import host_of
from mailcordon.observe.alerts.ports import NotDelivered
from mailcordon.observe.webhooks.nouns import (
    ENDPOINT_FORMS,
    EVENTS,
    FREQUENT,
    OF_SES,
    Endpoint,
    EndpointForm,
)

MOST_ENDPOINTS = 10  #: of a tenant, and of the platform
MOST_REPLAYED = 10_000  #: messages by one request
LONGEST_OVERLAP_MS = 7 * 86_400_000
DEFAULT_OVERLAP_MS = 86_400_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewEndpoint:
    """`secret`: the signing secret, else one is made up. `events`: empty: all but the frequent ones."""

    name: str
    url: str
    tenant: str | None = None
    form: str = "standard"
    events: Sequence[str] = ()
    secret: str | None = None


class EndpointChanges(TypedDict, total=False):
    """What of an endpoint can be changed. What is left out stays; `tenant`: None: events of every tenant."""

    url: str
    tenant: tuple[int, str] | None
    events: Sequence[str]
    secret: str


class EndpointStore(Protocol):
    async def now(self) -> int: ...

    async def endpoints(
        self, *, tenant: int | None, name: str | None = None, of: int | None = None
    ) -> list[Endpoint]: ...

    async def with_secret(self, name: str) -> Endpoint | None: ...

    async def waiting(self, endpoint: Endpoint) -> int: ...

    async def add(
        self,
        new: NewEndpoint,
        *,
        form: EndpointForm,
        tenant: int | None,
        target: str,
        secret: Mapping[str, object],
        events: Sequence[str],
        most: int,
        actor: str,
        because: str | None,
    ) -> None:
        """`most`: of one tenant, or of the platform. Raises Conflict for one more, and if the name is taken."""
        ...

    async def change(
        self,
        name: str,
        decide: Callable[[Endpoint, int], Endpoint],
        *,
        what: str,
        most: int,
        actor: str,
        because: str | None,
    ) -> bool:
        """Stores what `decide` makes of the locked endpoint at a time; what it raises, this raises. `what`: a word for the audit.
        Returns whether there is such an endpoint. Raises Conflict if its new tenant has `most` already."""
        ...

    async def pause(self, endpoint: Endpoint, *, actor: str, because: str) -> bool: ...

    async def resume(self, endpoint: Endpoint, *, actor: str, because: str | None) -> bool: ...

    async def works(self, endpoint: Endpoint) -> None: ...

    async def remove(self, endpoint: Endpoint, *, actor: str, because: str) -> bool: ...

    async def replay_since(
        self,
        endpoint: Endpoint,
        since: int,
        until: int,
        *,
        after: int,
        arrived: bool,
        most: int,
        actor: str,
        because: str | None,
    ) -> tuple[int, int | None]: ...

    async def replay_mail(
        self,
        endpoint: Endpoint,
        message: int,
        delivery: int | None,
        *,
        events: Sequence[str],
        actor: str,
        because: str | None,
    ) -> int | None: ...


class TestLine(Protocol):
    async def try_out(self, now: int) -> None:
        """Raises NotDelivered."""
        ...


class Tester(Protocol):
    def line(self, endpoint: Endpoint) -> AbstractAsyncContextManager[TestLine]: ...


class Endpoints:
    """`check_url` raises ValueError. `ses_form`: makes sure that messages in SES's form can be signed, or raises Conflict."""

    def __init__(
        self,
        store: EndpointStore,
        courier: Tester,
        *,
        check_url: Callable[[str], None],
        new_secret: Callable[[], str],
        is_secret: Callable[[str], bool],
        ses_form: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._courier = courier
        self._check_url = check_url
        self._new_secret = new_secret
        self._is_secret = is_secret
        self._ses_form = ses_form

    async def seen_by(
        self, principal: Principal, name: str | None = None, *, of: int | None = None
    ) -> list[Endpoint]:
        """A tenant's key sees the tenant's own; to it, others do not exist. `of`: only this tenant's. Raises NotFound for a name
        that is none."""
        known = name is None or names.is_slug(name)
        found = await self._store.endpoints(tenant=principal.tenant_id, name=name, of=of) if known else []
        if name is not None and not found:
            raise _no_endpoint(name)
        return found

    async def waiting(self, endpoint: Endpoint) -> int:
        return await self._store.waiting(endpoint)

    async def add(
        self, new: NewEndpoint, tenant: int | None, principal: Principal, *, because: str | None
    ) -> str | None:
        """`tenant`: of the slug in `new`. Returns the signing secret if one was made up; SES's form has none. Raises Invalid or
        Conflict."""
        parse_field("name", names.slug, new.name)
        form = _form(new.form)
        events = _events(new.events, form)
        parse_field("url", self._checked, new.url)
        if new.secret is not None:
            self._check_secret(new.secret, form)
        if form == "ses-sns":
            await self._ses_form()
        made = self._new_secret() if new.secret is None else None
        await self._store.add(
            new,
            form=form,
            tenant=tenant,
            target=host_of(new.url),
            secret={"url": new.url, "signing": [new.secret or made]},
            events=events,
            most=MOST_ENDPOINTS,
            actor=principal.actor,
            because=because,
        )
        return None if form == "ses-sns" else made

    async def rotate(
        self, name: str, principal: Principal, *, overlap_ms: int = DEFAULT_OVERLAP_MS, because: str | None
    ) -> str:
        """Returns the new signing secret. The former one signs too for the overlap. Raises NotFound or Conflict."""
        made = self._new_secret()

        def decide(endpoint: Endpoint, now: int) -> Endpoint:
            if endpoint.form != "standard":
                raise Conflict(messages.no_secret_of_form(endpoint.form), code="no-signing-secret")
            return _signed_by(made, endpoint, now + overlap_ms)

        await self._store_change(name, decide, "rotate", principal, because)
        return made

    async def change(
        self, name: str, principal: Principal, *, because: str | None, **changes: Unpack[EndpointChanges]
    ) -> None:
        """What waits goes to the new address. A new secret takes the place of the former one, which signs too for a day. A change
        to what it is already changes nothing. Raises NotFound, Invalid or Conflict."""

        def decide(endpoint: Endpoint, now: int) -> Endpoint:
            after = endpoint
            if "url" in changes and changes["url"] != endpoint.url:
                url = parse_field("url", self._checked, changes["url"])
                after = dataclasses.replace(after, url=url, target=host_of(url))
            if "tenant" in changes:
                tenant, slug = changes["tenant"] or (None, None)
                after = dataclasses.replace(after, tenant=tenant, slug=slug)
            if "events" in changes:
                after = dataclasses.replace(after, events=tuple(_events(changes["events"], endpoint.form)))
            if "secret" in changes:
                self._check_secret(changes["secret"], endpoint.form)
                if changes["secret"] != endpoint.signing[0]:
                    after = _signed_by(changes["secret"], after, now + DEFAULT_OVERLAP_MS)
            return after

        await self._store_change(name, decide, "change", principal, because)

    async def _store_change(
        self,
        name: str,
        decide: Callable[[Endpoint, int], Endpoint],
        what: str,
        principal: Principal,
        because: str | None,
    ) -> None:
        if not names.is_slug(name) or not await self._store.change(
            name, decide, what=what, most=MOST_ENDPOINTS, actor=principal.actor, because=because
        ):
            raise _no_endpoint(name)

    async def pause(self, name: str, principal: Principal, *, because: str) -> None:
        """Raises NotFound, or Conflict if it is paused."""
        endpoint = await self._named(name)
        if not await self._store.pause(endpoint, actor=principal.actor, because=because):
            raise Conflict(messages.is_paused(name), code="webhook-paused")

    async def resume(self, name: str, principal: Principal, *, because: str | None) -> None:
        """Raises NotFound, or Conflict if it is not paused."""
        endpoint = await self._named(name)
        if endpoint.paused_at is None:
            raise Conflict(messages.is_not_paused(name), code="webhook-not-paused")
        if not await self._store.resume(endpoint, actor=principal.actor, because=because):
            raise _no_endpoint(name)

    async def remove(self, name: str, principal: Principal, *, because: str) -> None:
        """Raises NotFound."""
        if not await self._store.remove(await self._named(name), actor=principal.actor, because=because):
            raise _no_endpoint(name)

    async def try_out(self, name: str) -> str | None:
        """Sends a test message. Returns why it did not arrive."""
        endpoint = await self._named(name)
        try:
            async with self._courier.line(endpoint) as line:
                await line.try_out(await self._store.now())
        except NotDelivered as failed:
            return str(failed)
        await self._store.works(endpoint)
        return None

    async def replay_since(
        self,
        name: str,
        principal: Principal,
        *,
        since: int,
        until: int | None,
        after: int,
        arrived: bool,
        because: str | None,
    ) -> tuple[int, int | None]:
        """How many messages are sent again, and where to go on if there may be more. Raises NotFound or Invalid."""
        endpoint = await self._named(name)
        now = await self._store.now()
        if since > (now if until is None else until):
            raise Invalid(Fault("since", messages.replay_of_nothing()))
        return await self._store.replay_since(
            endpoint,
            since,
            now + 1 if until is None else until,
            after=after,
            arrived=arrived,
            most=MOST_REPLAYED,
            actor=principal.actor,
            because=because,
        )

    async def replay_mail(self, name: str, principal: Principal, *, id: str, because: str | None) -> int:
        """`id`: of a message or of a delivery. Raises NotFound or Invalid."""
        endpoint = await self._named(name)
        message = parse_field("message", ses_door_ids.parse_message_id, id)
        delivery = ids.decode(id[4:]) if id.startswith("dlv_") else None
        count = await self._store.replay_mail(
            endpoint,
            message,
            delivery,
            events=endpoint.events,
            actor=principal.actor,
            because=because,
        )
        if count is None:
            raise NotFound(messages.no_such_mail(id), code="no-such-message")
        return count

    async def _named(self, name: str) -> Endpoint:
        found = await self._store.with_secret(name) if names.is_slug(name) else None
        if found is None:
            raise _no_endpoint(name)
        return found

    def _checked(self, url: str) -> str:
        self._check_url(url)
        return url

    def _check_secret(self, secret: str, form: EndpointForm) -> None:
        if not self._is_secret(secret):
            raise Invalid(Fault("secret", alert_messages.bad_signing_secret()))
        if form != "standard":
            raise Invalid(Fault("secret", messages.no_secret_of_form(form)))


def _signed_by(secret: str, endpoint: Endpoint, former_until: int) -> Endpoint:
    signing = (secret, *endpoint.signing[:1])
    return dataclasses.replace(endpoint, signing=signing, former_until=former_until)


def _no_endpoint(name: str) -> NotFound:
    return NotFound(messages.no_endpoint(harmless(name, 64)), code="no-such-webhook")


def _form(text: str) -> EndpointForm:
    for form in ENDPOINT_FORMS:
        if form == text:
            return form
    raise Invalid(Fault("form", api.not_one_of(list(ENDPOINT_FORMS))))


def _events(wanted: Sequence[str], form: EndpointForm) -> list[str]:
    possible = [one for one in EVENTS if form == "standard" or one in OF_SES]
    for number, one in enumerate(wanted):
        if one not in possible:
            raise Invalid(Fault(f"events[{number}]", api.not_one_of(possible)))
    chosen = set(wanted) or {one for one in possible if one not in FREQUENT}
    return [one for one in possible if one in chosen]
