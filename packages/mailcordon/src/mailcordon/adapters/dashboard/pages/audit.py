"""Audit: who changed what, when and why, searched; and what proves that the trail is as it was written."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import blocks
from mailcordon.adapters.dashboard.pages.actions import link, shell
from mailcordon.adapters.dashboard.pages.blocks import Filter, Page, Section
from mailcordon.adapters.dashboard.pages.messages import since as moment
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.messages import migration_pages as messages

PATH = "/audit"
_NAMES = ("actor", "action", "text", "tenant", "since", "until")
_TIMES = (
    ("", "Any time"),
    ("1h", "Last hour"),
    ("24h", "Last 24 hours"),
    ("7d", "Last 7 days"),
    ("30d", "Last 30 days"),
)
_MOST_SHOWN = 300  #: characters of a value that changed


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get(PATH)
    async def audit(request: PageRequest) -> Response[str]:
        given = request.query_params
        asked = {name: given.get(name, "").strip() for name in _NAMES}
        query = {name: value or None for name, value in asked.items()}
        if asked["since"]:
            query["since"] = moment(asked["since"], datetime.now(UTC))
        rest = site.rest(request)
        found = await rest.get("/v1/audit", **query, after=given.get("after"), limit=50)
        proof = (
            await rest.get("/v1/audit/proof", tenant=asked["tenant"], limit=1) if asked["tenant"] else None
        )
        return blocks.shown(site, request, "audit", _page(found, asked, proof))

    return [audit]


def _page(found: Any, asked: dict[str, str], proof: Any) -> Page:
    times = [
        *_TIMES,
        *([(asked["since"], f"Since {asked['since']}")] if asked["since"] not in dict(_TIMES) else []),
    ]
    tenant = asked["tenant"]
    return Page(
        title="Audit",
        filters=[
            Filter(name="actor", label="Who", value=asked["actor"], hint="kim@example.com"),
            Filter(name="action", label="Action", value=asked["action"], hint="hold"),
            Filter(name="text", label="Object or reason", value=asked["text"]),
            Filter(name="tenant", label="Tenant", value=tenant, hint="every tenant"),
            Filter(name="since", label="When", value=asked["since"], options=times),
        ],
        sections=[
            Section(
                heads=("When", "Who", "Action", "Object", "Why", "What changed", "Row"),
                rows=[
                    [
                        blocks.clock(one["at"]),
                        blocks.text(one["actor"], href=link(PATH, actor=one["actor"])),
                        blocks.code(one["action"]),
                        blocks.text(one["object"], note=one["tenant"] or ""),
                        blocks.text(one["because"] or "–"),
                        blocks.text(changed(one["before"], one["after"])),
                        blocks.text("not chained yet" if one["seq"] is None else f"{one['seq']:,}"),
                    ]
                    for one in found["items"]
                ],
                empty="No row fits." if any(asked.values()) else "Nothing was changed yet.",
                more=link(PATH, **asked, after=found["next"]) if found["next"] else "",
                command="mailcordon audit list" + (f" --tenant {shell(tenant)}" if tenant else ""),
            ),
            _proof(found, tenant, proof),
        ],
    )


def _proof(found: Any, tenant: str, proof: Any) -> Section:
    newest = max((one["seq"] or 0 for one in found["items"]), default=0)
    if proof is None:
        return Section(
            heading="What proves it",
            says=[messages.audit_chain(newest)],
            command="mailcordon audit verify",
        )
    return Section(
        heading=f"What proves the rows of {tenant}",
        says=[messages.audit_proof(tenant)],
        facts=[
            ("Chain begins with", blocks.code(proof["hash"])),
            ("Installation", blocks.text(proof["installation"])),
        ],
        command=f"mailcordon audit export --tenant {shell(tenant)} -f {shell(tenant)}.jsonl",
    )


def changed(before: Any, after: Any) -> str:
    """What differs between two recorded objects, in one line."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return _all_of(before if after is None else after)
    old, new = cast("Mapping[str, Any]", before), cast("Mapping[str, Any]", after)
    said = ", ".join(
        f"{name}: {_short(old.get(name))} → {_short(new.get(name))}"
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    )
    return _cut(said)


def _all_of(found: Any) -> str:
    if not isinstance(found, Mapping):
        return _short(found)
    members = cast("Mapping[str, Any]", found)
    said = ", ".join(
        f"{name} {_short(value)}"
        for name, value in members.items()
        if value not in (None, [], {}) and name != "because"  # it is said beside it
    )
    return _cut(said)


def _cut(said: str) -> str:
    return said if len(said) <= _MOST_SHOWN else f"{said[: _MOST_SHOWN - 1]}…"


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        several = cast("list[object]", value)
        if all(isinstance(one, str) for one in several):
            return ", ".join(map(str, several))
        return blocks.document(several).replace("\n", " ")
    return value if isinstance(value, str) else blocks.document(value).replace("\n", " ")
