"""Addresses of the people on a list."""

from __future__ import annotations

from typing import Final

from seslocal.world.draws import Draws

_MIX: Final = (
    (0.45, "gmail.com"),
    (0.65, "outlook.com"),
    (0.75, "yahoo.com"),
    (0.85, "icloud.com"),
    (1.0, "mail.example"),
)


def address(name: str, number: int, draws: Draws) -> str:
    local = f"{name}.{number:06}"
    chance, *_ = draws.four("domain of address", local)
    for below, domain in _MIX:
        if chance < below:
            return f"{local}@{domain}"
    return f"{local}@mail.example"
