"""Reads the policies that are attached to a key, from an admin call or a file of `--policy`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from seslocal.admin import fields, messages
from seslocal.admin.fields import Json, Refused
from seslocal.iam import documents
from seslocal.iam.conditions import Unknown
from seslocal.iam.decision import KINDS, MOST, Attached, Policy

_PRINCIPAL: Final = re.compile(r"arn:aws:iam::\d{12}:(user|role)/[\w+=,.@/-]{1,600}", re.ASCII)
_NAME: Final = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)


def read(body: Json) -> Attached:
    """`{"policies": [{"name": ..., "kind": ..., "document": {...}}], "principal": ...}`. Raises Refused, and then nothing of it
    counts."""
    fields.allow_only(body, "policies", "principal", "used")
    given = body.get("policies")
    if not isinstance(given, list):
        raise Refused(400, messages.must_be("policies", "a list of policies"))
    entries = cast("list[Any]", given)
    if len(entries) > MOST:
        raise Refused(400, messages.too_many_policies(MOST))
    principal = fields.text(body, "principal")
    if principal is not None and not _PRINCIPAL.fullmatch(principal):
        raise Refused(400, messages.bad_principal())
    return Attached(tuple(_policy(one, number) for number, one in enumerate(entries, 1)), principal)


def read_file(path: Path) -> Attached:
    """A policy document, or what the admin call takes. Raises Refused."""
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Refused(
            400, messages.policies_unreadable(str(path), getattr(error, "strerror", None) or str(error))
        ) from None
    if isinstance(found, dict) and "policies" in found:
        return read(cast(Json, found))
    return read({"policies": [{"name": path.stem, "document": found}]})


def shown(attached: Mapping[str, Attached]) -> dict[str, Json]:
    """By access key, as `read` takes it."""
    return {
        key: {
            "principal": one.principal,
            "policies": [{"name": p.name, "kind": p.kind, "document": p.source} for p in one.policies],
        }
        for key, one in attached.items()
    }


def _policy(value: object, number: int) -> Policy:
    if not isinstance(value, dict):
        raise Refused(400, messages.must_be(f"policy {number}", "an object with document"))
    one = cast(Json, value)
    fields.allow_only(one, "name", "kind", "document")
    name = fields.text(one, "name") or f"policy-{number}"
    if not _NAME.fullmatch(name):
        raise Refused(
            400, messages.must_be("name", "up to 128 letters, digits or characters of + = , . @ _ -")
        )
    kind = fields.choice(one, "kind", KINDS) or KINDS[0]
    document: Any = one.get("document")
    if _length(document) > documents.MOST_CHARACTERS:
        raise Refused(400, messages.policy_too_long(documents.MOST_CHARACTERS))
    try:
        read = documents.read(document)
    except Unknown as unknown:
        raise Refused(400, messages.policy_refused(name, str(unknown))) from None
    return Policy(
        name=name,
        kind="scp" if kind == "scp" else "identity",
        source=cast("Mapping[str, Any]", document),
        document=read,
    )


def _length(document: object) -> float:
    try:
        return len(json.dumps(document, separators=(",", ":")))
    except RecursionError:
        return float("inf")
