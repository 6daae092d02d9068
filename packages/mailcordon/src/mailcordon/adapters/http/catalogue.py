"""The catalogue of message types over HTTP: list, add and change them."""

from typing import Any

import msgspec
from litestar import get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, UnsetType

from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.control.catalogue import LONGEST_DAYS, MessageType, TypeStore
from mailcordon.control.views import Reads
from mailcordon.core.errors import Fault, Invalid, parse_field
from mailcordon.core.principal import ADMIN, READ
from mailcordon.core.priority import parse_class
from mailcordon.messages import api

_LEAST_SECONDS = 0.001  #: durations are kept in milliseconds
_LONGEST_SECONDS = 10**9  #: keeps milliseconds within an integer; the limit of the catalogue is lower


class TypeItem(msgspec.Struct):
    name: str
    class_: str = msgspec.field(name="class")
    criticality: int
    description: str
    expiry_seconds: float | None  #: null: the value of its class
    grace_seconds: float | None
    resend: bool | None


class TypePage(msgspec.Struct):
    items: list[TypeItem]
    next: str | None = None


class NewType(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    class_: str = msgspec.field(name="class")
    criticality: int
    description: str
    expiry_seconds: float | None = None
    grace_seconds: float | None = None
    resend: bool | None = None


class TypeChange(msgspec.Struct, forbid_unknown_fields=True):
    """A field that is left out keeps its value; null means the value of the class."""

    criticality: int | UnsetType = UNSET
    description: str | UnsetType = UNSET
    expiry_seconds: float | UnsetType | None = UNSET
    grace_seconds: float | UnsetType | None = UNSET
    resend: bool | UnsetType | None = UNSET


def routes(reads: Reads, store: TypeStore) -> list[HTTPRouteHandler]:
    @get("/v1/types", summary="List message types", tags=["control"])
    async def list_types(request: AnyRequest) -> TypePage:
        principal_of(request).require(READ)
        return TypePage([_item(one) for one in await reads.types()])

    @post("/v1/types", summary="Add a message type", tags=["control"])
    async def add_type(request: AnyRequest, data: JSONBody[NewType]) -> TypeItem:
        principal = platform_principal(request, ADMIN)
        new = MessageType(
            name=data.name,
            class_=parse_field("class", parse_class, data.class_),
            criticality=data.criticality,
            description=data.description,
            expiry_ms=_ms("expiry_seconds", data.expiry_seconds),
            grace_ms=_ms("grace_seconds", data.grace_seconds),
            resend=data.resend,
        )
        return _item(await store.add_type(new, actor=principal.actor))

    @patch(
        "/v1/types/{name:str}",
        summary="Change a message type, and with it all its lanes",
        tags=["control"],
    )
    async def change_type(request: AnyRequest, name: FromPath[str], data: JSONBody[TypeChange]) -> TypeItem:
        principal = platform_principal(request, ADMIN)
        change: dict[str, Any] = {}
        if data.criticality is not UNSET:
            change["criticality"] = data.criticality
        if data.description is not UNSET:
            change["description"] = data.description
        if data.resend is not UNSET:
            change["resend"] = data.resend
        if data.expiry_seconds is not UNSET:
            change["expiry_ms"] = _ms("expiry_seconds", data.expiry_seconds)
        if data.grace_seconds is not UNSET:
            change["grace_ms"] = _ms("grace_seconds", data.grace_seconds)
        return _item(await store.change_type(name, change, actor=principal.actor))

    return [list_types, add_type, change_type]


def _ms(field: str, seconds: float | None) -> int | None:
    if seconds is None:
        return None
    if not _LEAST_SECONDS <= seconds <= _LONGEST_SECONDS:
        raise Invalid(Fault(field, api.bad_duration(LONGEST_DAYS)))
    return round(seconds * 1000)


def _item(one: MessageType) -> TypeItem:
    return TypeItem(
        name=one.name,
        class_=one.class_.word,
        criticality=one.criticality,
        description=one.description,
        expiry_seconds=None if one.expiry_ms is None else one.expiry_ms / 1000,
        grace_seconds=None if one.grace_ms is None else one.grace_ms / 1000,
        resend=one.resend,
    )
