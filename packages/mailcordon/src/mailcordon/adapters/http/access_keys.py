"""Access keys of the SES door, and the names of configuration sets that stand for message types there. For platform keys only."""

import msgspec
from litestar import delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.shapes import AnyTenant, Time
from mailcordon.control.access_keys import AccessKey, AccessKeys, SetName
from mailcordon.core.principal import ADMIN, READ


class AccessKeyItem(msgspec.Struct):
    id: str  #: AWS_ACCESS_KEY_ID
    key: str  #: prefix of the API key that it belongs to
    made_at: Time
    made_by: str
    revoked_at: Time | None


class MintedAccessKey(AccessKeyItem):
    secret: str  #: AWS_SECRET_ACCESS_KEY; shown only once


class AccessKeyList(msgspec.Struct):
    items: list[AccessKeyItem]


class SetItem(msgspec.Struct):
    name: str  #: as requests of the SES door have it in ConfigurationSetName
    type: str
    tenant: str | None  #: null: of every tenant that has no own row of this name


class SetList(msgspec.Struct):
    items: list[SetItem]


class SetType(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    tenant: str | None = None


def routes(access_keys: AccessKeys) -> list[HTTPRouteHandler]:
    @post(
        "/v1/keys/{prefix:str}/access-keys",
        summary="Create an access key of the SES door; only this response shows its secret",
        tags=["control"],
    )
    async def create_access_key(request: AnyRequest, prefix: FromPath[str]) -> MintedAccessKey:
        principal = platform_principal(request, ADMIN)
        made, secret = await access_keys.create(principal, prefix)
        item = _item(made)
        return MintedAccessKey(item.id, item.key, item.made_at, item.made_by, item.revoked_at, secret)

    @get("/v1/keys/{prefix:str}/access-keys", summary="List the access keys of a key", tags=["control"])
    async def list_access_keys(request: AnyRequest, prefix: FromPath[str]) -> AccessKeyList:
        platform_principal(request, READ)
        return AccessKeyList([_item(one) for one in await access_keys.list(prefix)])

    @delete(
        "/v1/access-keys/{id:str}",
        status_code=200,
        summary="Revoke an access key at once, for good",
        tags=["control"],
    )
    async def revoke_access_key(request: AnyRequest, id: FromPath[str]) -> AccessKeyItem:
        principal = platform_principal(request, ADMIN)
        return _item(await access_keys.revoke(id, actor=principal.actor))

    @get(
        "/v1/ses-door/sets",
        summary="List the configuration set names that stand for message types",
        tags=["control"],
    )
    async def list_sets(request: AnyRequest, tenant: AnyTenant = None) -> SetList:
        platform_principal(request, READ)
        return SetList([SetItem(one.name, one.type, one.tenant) for one in await access_keys.sets(tenant)])

    @put(
        "/v1/ses-door/sets/{name:str}",
        summary="Let a configuration set name stand for a message type",
        tags=["control"],
    )
    async def put_set(request: AnyRequest, name: FromPath[str], data: JSONBody[SetType]) -> SetItem:
        principal = platform_principal(request, ADMIN)
        named = SetName(name=name, type=data.type, tenant=data.tenant)
        await access_keys.put_set(named, actor=principal.actor)
        return SetItem(name, data.type, data.tenant)

    @delete("/v1/ses-door/sets/{name:str}", summary="Forget a configuration set name", tags=["control"])
    async def remove_set(request: AnyRequest, name: FromPath[str], tenant: AnyTenant = None) -> None:
        principal = platform_principal(request, ADMIN)
        await access_keys.remove_set(name, tenant, actor=principal.actor)

    return [create_access_key, list_access_keys, revoke_access_key, list_sets, put_set, remove_set]


def _item(found: AccessKey) -> AccessKeyItem:
    return AccessKeyItem(
        id=found.id,
        key=found.prefix,
        made_at=shapes.iso(found.made_at),
        made_by=found.made_by,
        revoked_at=shapes.iso_or_none(found.revoked_at),
    )
