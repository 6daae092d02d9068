"""API keys as people make, change and replace them. The key itself is on the page that answers, and nowhere else."""

from datetime import UTC, datetime, timedelta
from typing import Any

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard import formats
from mailcordon.adapters.dashboard.links import link
from mailcordon.adapters.dashboard.pages import forms
from mailcordon.adapters.dashboard.pages.actions import Given, shell
from mailcordon.adapters.dashboard.pages.forms import Form, Input, ShownOnce, given_only, options
from mailcordon.adapters.dashboard.pages.one_of_a_list import one_of
from mailcordon.adapters.dashboard.pages.settings_tabs import PATH
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.core.principal import SCOPES
from mailcordon.messages import dashboard_forms as messages

KEYS = PATH + "/keys"
_RATES = (
    ("messages_per_second", "Messages a second"),
    ("bytes_per_second", "Bytes of messages a second"),
    ("reads_per_second", "Other requests a second"),
)
_SCOPES = (
    ("send", "send: send mail, and cancel it"),
    ("read", "read: see what is there"),
    ("operate", "operate: hold, release, throttle (platform only)"),
    ("admin", "admin: change tenants, policies and keys (platform only)"),
    ("events", "events: hand in events of SES (platform only)"),
)
_PLATFORM = "platform"


def routes(site: Site) -> list[HTTPRouteHandler]:
    def page(path: str, ask: forms.Ask, perform: forms.Perform) -> list[HTTPRouteHandler]:
        return forms.routes(site, KEYS + path, section="settings", ask=ask, perform=perform)

    return [
        *page("/new", _ask_new, _create),
        *page("/{prefix:str}/change", _ask_change, _change),
        *page("/{prefix:str}/rotate", _ask_rotate, _rotate),
    ]


async def _ask_new(_: Rest, given: Given) -> Form:
    tenant = given.get("tenant")
    is_platform = given.get("whose") == _PLATFORM
    of = " --platform" if is_platform else f" {shell(tenant or 'TENANT')}"
    return Form(
        title=f"Make a key for {tenant}" if tenant else "Make a key",
        back=_keys_of(tenant),
        says=[messages.new_key()],
        warnings=[messages.platform_key()] if is_platform else (),
        fields=[
            Input(
                name="whose",
                label="For",
                kind="select",
                value="tenant",
                options=[("tenant", "one tenant"), (_PLATFORM, "the platform: every tenant")],
            ),
            Input(name="tenant", label="Tenant", hint="Its slug. Empty for a key of the platform."),
            Input(
                name="name",
                label="Name",
                required=True,
                hint="What it is for, such as `shop`.",
            ),
            Input(name="scopes", label="It may", kind="checks", value="send read", options=_SCOPES),
            *_terms(None),
            Input(
                name="ses",
                label="Make an access key of the SES door too, for boto3 and other SDKs of AWS",
                kind="check",
                is_rare=True,
            ),
        ],
        button="Make the key",
        leave="Make none",
        needs_reason=False,
        command=f"mailcordon key create --name {shell(given.get('name') or 'NAME')}"
        f"{of}{options('scope', forms.chosen(given, 'scopes', SCOPES) or ['send', 'read'])}",
    )


def _terms(key: Any) -> list[Input]:
    """The fields that most keys leave as they are. `key`: the one that is changed."""
    limits: dict[str, Any] = {} if key is None else key["limits"]

    def value(name: str) -> str:
        found = None if key is None else key[name]
        return ", ".join(found) if isinstance(found, list) else str(found or "")  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]

    return [
        Input(
            name="holder",
            label="Holder",
            value=value("holder"),
            hint="The person or program that uses it: who acts, in the audit trail. Empty: you.",
            is_rare=True,
        ),
        Input(
            name="types",
            label="Message types",
            value=value("types"),
            hint="That it may send and cancel, with commas between. Empty: all.",
            limit=4000,
            is_rare=True,
        ),
        Input(
            name="default_type",
            label="Type of mail whose door names none",
            value=value("default_type"),
            hint="For SMTP and the SES door.",
            is_rare=True,
        ),
        Input(
            name="networks",
            label="Works from",
            value=value("networks"),
            hint="Ranges of client addresses, such as `192.0.2.0/24`, with commas between. Empty: anywhere.",
            limit=4000,
            is_rare=True,
        ),
        *_end(key),
        *(
            Input(
                name=name,
                label=f"{label}, at most",
                kind="number",
                value="" if limits.get(name) is None else f"{limits[name]:g}",
                hint="Empty: the server's limit.",
                of=[f"limits.{name}"],
                is_rare=True,
            )
            for name, label in _RATES
        ),
    ]


def _end(key: Any) -> list[Input]:
    if key is None:
        return [
            Input(
                name="days",
                label="Ends after so many days",
                kind="number",
                hint="Empty: never.",
                of=["expires_at"],
                is_rare=True,
            )
        ]
    return [
        Input(
            name="end",
            label="Ends",
            kind="select",
            options=[("", "as it does now"), ("never", "never"), ("days", "after so many days")],
            is_rare=True,
        ),
        Input(name="days", label="Days", kind="number", of=["expires_at"], is_rare=True),
    ]


async def _create(rest: Rest, given: Given) -> ShownOnce:
    tenant, is_platform = given.maybe("tenant"), given.get("whose") == _PLATFORM
    if (tenant is None) != is_platform:
        raise forms.refused("tenant", messages.whose_key())
    days = forms.whole(given, "days")
    limits = {name: forms.number(given, name) for name, _ in _RATES}
    body = given_only(
        tenant=tenant,
        holder=given.get("holder"),
        types=forms.words(given, "types"),
        networks=forms.words(given, "networks"),
        default_type=given.get("default_type"),
        expires_at=_after(days),
        limits={name: rate for name, rate in limits.items() if rate is not None},
    )
    scopes = forms.chosen(given, "scopes", SCOPES)
    made = await rest.post("/v1/keys", body={"name": given.get("name"), "scopes": scopes, **body})
    secrets, after = [("API key", made["key"])], [messages.how_to_end_key(made["prefix"])]
    if given.get("ses"):
        try:
            access = await rest.post("/v1/keys/{}/access-keys", made["prefix"])
        except Problem as problem:  # the key is made, so it has to be shown
            after = [messages.no_access_key(problem.sentence), *after]
        else:
            secrets += [("AWS_ACCESS_KEY_ID", access["id"]), ("AWS_SECRET_ACCESS_KEY", access["secret"])]
            after = [messages.access_key_is(), *after]
    return ShownOnce(
        title=f"The key {made['name']}",
        says=[messages.key_made(_name(made), made["tenant"], " and ".join(made["scopes"]))],
        secrets=secrets,
        after=after,
        back=_keys_of(made["tenant"]),
        back_words="To the keys",
    )


async def _ask_change(rest: Rest, given: Given) -> Form:
    key = await one_of(rest, "/v1/keys", "prefix", given["prefix"])
    return Form(
        title=f"Change the key {key['prefix']}",
        back=_keys_of(key["tenant"]),
        says=[messages.changes_key(key["prefix"])],
        fields=[
            Input(name="name", label="Name", value=key["name"], required=True),
            Input(
                name="scopes", label="It may", kind="checks", value=" ".join(key["scopes"]), options=_SCOPES
            ),
            *_terms(key),
        ],
        needs_reason=False,
        command=f"mailcordon key change {key['prefix']} --help",
    )


async def _change(rest: Rest, given: Given) -> str:
    key = await one_of(rest, "/v1/keys", "prefix", given["prefix"])
    wanted: dict[str, Any] = {
        "name": given.get("name"),
        "holder": given.get("holder") or key["holder"],
        "scopes": forms.chosen(given, "scopes", SCOPES),
        "types": forms.words(given, "types") or None,
        "networks": forms.words(given, "networks"),
        "default_type": given.maybe("default_type"),
        "limits": {name: forms.number(given, name) for name, _ in _RATES},
    }
    ends = {"expires_at": _after(_days(given))} if given.get("end") else {}
    await rest.patch("/v1/keys/{}", key["prefix"], body=forms.changed(wanted, key, **ends))
    return _keys_of(key["tenant"])


async def _ask_rotate(rest: Rest, given: Given) -> Form:
    key = await one_of(rest, "/v1/keys", "prefix", given["prefix"])
    ends = key["expires_at"] is not None
    end = f" --expires {given.get('days') or '90'}d" if ends else ""
    return Form(
        title=f"Replace the key {key['prefix']}",
        back=_keys_of(key["tenant"]),
        says=[messages.rotates_key(key["prefix"])],
        fields=[
            Input(
                name="hours",
                label="The old key still works for so many hours",
                kind="number",
                value="24",
                required=True,
                of=["overlap_seconds"],
                hint="0: it ends at once.",
            ),
            Input(
                name="end",
                label="The new key ends",
                kind="select",
                value="days" if ends else "never",
                options=[("never", "never"), ("days", "after so many days")],
            ),
            Input(name="days", label="Days", kind="number", of=["expires_at"]),
        ],
        button="Make the new key",
        needs_reason=False,
        command=f"mailcordon key rotate {key['prefix']}{end} --overlap {given.get('hours') or '24'}h",
    )


async def _rotate(rest: Rest, given: Given) -> ShownOnce:
    hours = forms.number(given, "hours")
    if hours is None:
        raise forms.refused("hours", messages.not_a_number())
    body = {"overlap_seconds": hours * 3600, "expires_at": _after(_days(given))}
    made = await rest.post("/v1/keys/{}/rotation", given["prefix"], body=body)
    ends = formats.exact(made["predecessor"]["expires_at"])
    return ShownOnce(
        title=f"The new key {made['name']}",
        says=[
            messages.key_rotated(_name(made), given["prefix"], ends),
            messages.key_made(_name(made), made["tenant"], " and ".join(made["scopes"])),
        ],
        secrets=[("API key", made["key"])],
        after=[messages.how_to_end_key(made["prefix"])],
        back=_keys_of(made["tenant"]),
        back_words="To the keys",
    )


def _days(given: Given) -> int | None:
    """None: never. Raises Problem if an end is chosen and not said."""
    if given.get("end") != "days":
        return None
    days = forms.whole(given, "days")
    if days is None:
        raise forms.refused("days", messages.not_whole())
    return days


def _after(days: int | None) -> str | None:
    """The time so many days from now, as the API takes it."""
    return None if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")


def _name(key: Any) -> str:
    """A key as logs and lists name it."""
    return f"mck_{key['prefix']}_…"


def _keys_of(tenant: str | None) -> str:
    return link(KEYS, tenant=tenant)
