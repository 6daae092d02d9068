"""The tenants and lanes of a benchmark, onboarded over the API."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from bench.mail import Stream

TENANTS = ("acme", "zen", "orbit", "tulip")
TYPES = ("password-reset", "receipt", "newsletter")  # one of each class
MARKETING = "newsletter"


class CannotOnboard(Exception):
    """The API refused a tenant, or its lanes were not ready in time."""


async def onboard(
    url: str, key: str, tenants: Mapping[str, Sequence[str]] = dict.fromkeys(TENANTS, TYPES)
) -> list[Stream]:
    """Returns the lanes of these tenants and types when SES has all their resources."""
    await asyncio.to_thread(lift_caps, url, key)
    for slug, types in tenants.items():
        domains = {type: domain(slug, type) for type in types}
        await asyncio.to_thread(call, url, key, "/v1/tenants", {"slug": slug, "types": domains})
    slugs = list(tenants)
    async with asyncio.timeout(60):
        while slugs:
            tenant = await asyncio.to_thread(call, url, key, f"/v1/tenants/{slugs[0]}")
            if tenant["provisioning"]["done"]:
                slugs.pop(0)
            else:
                await asyncio.sleep(0.1)
    # Lanes alternate, so that neighbours in the queue differ in tenant and class.
    return [
        Stream(slug, type, domain(slug, type), type == MARKETING)
        for type in TYPES
        for slug, types in tenants.items()
        if type in types
    ]


def lift_caps(url: str, key: str) -> None:
    """Built-in caps of new senders and of one address, and paced releases, would hold a benchmark's mail. An older system has no
    policy."""
    tiers = {tier: {"new_sender": {"first": 100_000_000}} for tier in ("strict", "standard", "trusted")}
    classes = {
        "urgent": {"caps": {"recipient": {"hour": None}}},
        "marketing": {"release": {"mode": "observe"}},
    }
    document = {"tiers": tiers, "classes": classes}
    try:
        plan = call(url, key, "/v1/policy/plans", {"document": document})
    except CannotOnboard as problem:
        if "answered 404" in str(problem):
            return
        raise
    if plan["id"] is not None:
        call(url, key, f"/v1/policy/plans/{plan['id']}/apply", {})


def domain(slug: str, type: str) -> str:
    return f"{type}.{slug}.example"


def call(url: str, key: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(
        url + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise CannotOnboard(
            f"{path} answered {error.code}: {error.read().decode(errors='replace')}"
        ) from error
