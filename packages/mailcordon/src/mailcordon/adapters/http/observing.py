"""Mail that did not pass through us, over HTTP: rules that say whose it is, and what no rule names (docs/observe-only.md).

Rules name tenants, so only a platform key may read them.
"""

from datetime import timedelta
from typing import Annotated

import msgspec
from litestar import delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.control import observing
from mailcordon.control.observing import NewRule, ObservingStore
from mailcordon.core.errors import Fault, Invalid, NotFound
from mailcordon.core.observing import By, Rule
from mailcordon.core.principal import ADMIN, READ
from mailcordon.messages import api
from mailcordon.messages import observing as messages


class RuleBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    by: str  #: tag, set, from or identity
    value: str  #: of the tag; a configuration set; a domain or address of the sender; an identity
    tenant: str  #: slug; a tenant that does not exist is made, observed only
    name: str | None = None  #: of the tag
    type: str | None = None  #: of all its mail, or of mail whose `type_tag` names none
    type_tag: str | None = None  #: the tag whose value is the message type


class RulesBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    rules: list[RuleBody]
    replace: bool = False  #: a rule of the same value that names another tenant or type


class RuleItem(msgspec.Struct):
    id: int
    by: str
    name: str | None
    value: str
    tenant: str
    type: str | None
    type_tag: str | None


class MappedView(msgspec.Struct):
    rules: list[RuleItem]
    added: int
    replaced: int
    unchanged: int
    new_tenants: list[str]
    sentence: str


class RulePage(msgspec.Struct):
    items: list[RuleItem]
    next: str | None


class UnmappedItem(msgspec.Struct):
    """Mail of one origin that no rule names. `*`: origins beyond the first thousand of a day."""

    identity: str
    from_domain: str
    configuration_set: str
    mails: int
    events: int
    why: str  #: no-rule; no-type: a rule names its tenant, and nothing its message type
    tags: list[str]  #: of the last one, as name=value
    first_at: Time
    last_at: Time


class UnmappedView(msgspec.Struct):
    items: list[UnmappedItem]
    since: str  #: the first day, in UTC


def routes(store: ObservingStore) -> list[HTTPRouteHandler]:
    @get("/v1/observed/rules", summary="List rules that say whose observed mail is", tags=["observe"])
    async def list_rules(
        request: AnyRequest, tenant: AnyTenant = None, after: After = None, limit: Limit = 100
    ) -> RulePage:
        platform_principal(request, READ)
        found = await store.rules(tenant=tenant, after=shapes.id32(after), limit=limit)
        return RulePage([_item(rule) for rule in found], shapes.next_of([rule.id for rule in found], limit))

    @post(
        "/v1/observed/rules",
        status_code=200,
        summary="Map observed mail to tenants: all of these rules, or none",
        tags=["observe"],
    )
    async def add_rules(request: AnyRequest, data: JSONBody[RulesBody]) -> MappedView:
        principal = platform_principal(request, ADMIN)
        rules = observing.check([_new(rule, place) for place, rule in enumerate(data.rules)])
        made = await store.add(rules, replace=data.replace, actor=principal.actor)
        return MappedView(
            rules=[_item(rule) for rule in made.rules],
            added=made.added,
            replaced=made.replaced,
            unchanged=made.unchanged,
            new_tenants=list(made.new_tenants),
            sentence=messages.mapped(
                added=made.added,
                replaced=made.replaced,
                unchanged=made.unchanged,
                new_tenants=list(made.new_tenants),
            ),
        )

    @delete("/v1/observed/rules/{id:int}", status_code=200, summary="Remove a rule", tags=["observe"])
    async def remove_rule(request: AnyRequest, id: FromPath[int]) -> RuleItem:
        principal = platform_principal(request, ADMIN)
        if not 0 < id < 2**31:
            raise NotFound(messages.no_rule(id=id))
        return _item(await store.remove(id, actor=principal.actor))

    @get("/v1/observed/unmapped", summary="Show observed mail that no rule names", tags=["observe"])
    async def list_unmapped(
        request: AnyRequest,
        days: Annotated[int, QueryParameter(ge=1, le=observing.MOST_DAYS)] = 7,
        limit: Limit = 100,
    ) -> UnmappedView:
        platform_principal(request, READ)
        since = await store.today() - timedelta(days=days - 1)
        found = await store.unmapped(since=since, limit=limit)
        items = [
            UnmappedItem(
                identity=mail.identity,
                from_domain=mail.from_domain,
                configuration_set=mail.configuration_set,
                mails=mail.mails,
                events=mail.events,
                why=mail.why,
                tags=list(mail.tags),
                first_at=shapes.iso_ms(mail.first_at),
                last_at=shapes.iso_ms(mail.last_at),
            )
            for mail in found
        ]
        return UnmappedView(items, since.isoformat())

    return [list_rules, add_rules, remove_rule, list_unmapped]


def _new(rule: RuleBody, place: int) -> NewRule:
    try:
        by = By(rule.by)
    except ValueError:
        raise Invalid(Fault(f"rules[{place}].by", api.not_one_of([each.value for each in By]))) from None
    return NewRule(
        by=by,
        name=rule.name,
        value=rule.value,
        tenant=rule.tenant,
        type=rule.type,
        type_tag=rule.type_tag,
    )


def _item(rule: Rule) -> RuleItem:
    return RuleItem(
        id=rule.id,
        by=rule.by.value,
        name=rule.name,
        value=rule.value,
        tenant=rule.tenant_slug,
        type=rule.type,
        type_tag=rule.type_tag,
    )
