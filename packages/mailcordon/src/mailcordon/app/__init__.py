"""The composition root: settings become adapters, adapters meet planes, planes become the four role processes.

The only place (with `run/`, which keeps the processes) that may import everything. A role is an async function of the
settings and of `stop`; it serves until `stop` is set, finishes what it began, and returns. Its frame (`app/process.py`) has
checked the databases before. Each role has a module of its own and loads only what it needs.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable

from mailcordon.config import Config

Body = Callable[[Config, asyncio.Event], Awaitable[None]]

ROLES = ("api", "dispatch", "observe", "control")


def body(role: str) -> Body:
    """The role's function. Raises KeyError for a role there is not."""
    if role not in ROLES:
        raise KeyError(role)
    return importlib.import_module(f"mailcordon.app.{role}").run
