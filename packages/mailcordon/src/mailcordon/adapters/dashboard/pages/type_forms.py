"""Message types as people add and change them."""

from typing import Any

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import forms
from mailcordon.adapters.dashboard.pages.actions import Given, shell
from mailcordon.adapters.dashboard.pages.forms import Form, Input, given_only
from mailcordon.adapters.dashboard.pages.one_of_a_list import one_of
from mailcordon.adapters.dashboard.pages.settings_tabs import PATH
from mailcordon.adapters.dashboard.rest import Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.messages import dashboard_forms as messages

TYPES = PATH + "/types"
_CLASSES = ("urgent", "transactional", "marketing")
_CRITICALITY = (
    ("5", "5: people are locked out without it"),
    ("4", "4"),
    ("3", "3"),
    ("2", "2"),
    ("1", "1: nice to have"),
)
_RESEND = {"": "as its class", "yes": "send it again", "no": "give it up"}


def routes(site: Site) -> list[HTTPRouteHandler]:
    return [
        *forms.routes(site, TYPES + "/new", section="settings", ask=_ask_new, perform=_add, done="made"),
        *forms.routes(
            site, TYPES + "/{name:str}/change", section="settings", ask=_ask_change, perform=_change
        ),
    ]


def _fields(of: Any) -> list[Input]:
    """`of`: the type that is changed."""

    def seconds(name: str) -> str:
        return "" if of is None or of[name] is None else f"{of[name]:g}"

    resend = "" if of is None or of["resend"] is None else "yes" if of["resend"] else "no"
    return [
        Input(
            name="description",
            label="What this mail is for",
            value="" if of is None else of["description"],
            required=True,
        ),
        Input(
            name="criticality",
            label="Criticality",
            kind="select",
            value="3" if of is None else str(of["criticality"]),
            options=_CRITICALITY,
            hint="Which lanes come first.",
        ),
        Input(
            name="expiry_seconds",
            label="Worth sending for so many seconds",
            kind="number",
            value=seconds("expiry_seconds"),
            hint="Mail that was not sent by then is dropped. Empty: as its class.",
            is_rare=True,
        ),
        Input(
            name="grace_seconds",
            label="A call without a clear answer is settled after so many seconds",
            kind="number",
            value=seconds("grace_seconds"),
            hint="Empty: as its class.",
            is_rare=True,
        ),
        Input(
            name="resend",
            label="If SES did not accept such a call",
            kind="select",
            value=resend,
            options=list(_RESEND.items()),
            is_rare=True,
        ),
    ]


async def _ask_new(_: Rest, given: Given) -> Form:
    name, class_ = given.get("name") or "NAME", given.get("class") or "transactional"
    described = given.get("description") or "TEXT"
    return Form(
        title="Add a message type",
        back=TYPES,
        says=[messages.new_type()],
        fields=[
            Input(
                name="name",
                label="Name",
                required=True,
                hint="Small letters, digits and hyphens, such as `password-reset`.",
            ),
            Input(
                name="class",
                label="Class",
                kind="select",
                value="transactional",
                options=[(one, one) for one in _CLASSES],
            ),
            *_fields(None),
        ],
        button="Add the type",
        leave="Add none",
        needs_reason=False,
        command=f"mailcordon type add {shell(name)} --class {shell(class_)}"
        f" --criticality {shell(given.get('criticality') or '3')} --description {shell(described)}",
    )


def _values(given: Given) -> dict[str, Any]:
    resend = given.get("resend")
    return {
        "description": given.get("description"),
        "criticality": forms.whole(given, "criticality"),
        "expiry_seconds": forms.number(given, "expiry_seconds"),
        "grace_seconds": forms.number(given, "grace_seconds"),
        "resend": None if resend not in ("yes", "no") else resend == "yes",
    }


async def _add(rest: Rest, given: Given) -> str:
    body = {"name": given.get("name"), "class": given.get("class"), **_values(given)}
    await rest.post("/v1/types", body=given_only(**body) | {"description": given.get("description")})
    return TYPES


async def _ask_change(rest: Rest, given: Given) -> Form:
    one = await one_of(rest, "/v1/types", "name", given["name"])
    return Form(
        title=f"Change the type {one['name']}",
        back=TYPES,
        says=[messages.changes_type(one["name"])],
        fields=_fields(one),
        needs_reason=False,
        command=f"mailcordon type change {shell(one['name'])} --help",
    )


async def _change(rest: Rest, given: Given) -> str:
    one = await one_of(rest, "/v1/types", "name", given["name"])
    await rest.patch("/v1/types/{}", one["name"], body=forms.changed(_values(given), one))
    return TYPES
