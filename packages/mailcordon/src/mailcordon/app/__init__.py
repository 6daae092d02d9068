"""The composition root: settings become adapters, adapters are given to planes, planes become the role processes.

A role is an async function of the settings and of `stop`: it serves until `stop` is set, finishes the work in progress, and
returns. `app/process.py` has checked the databases before. Each role has a module here and imports only what it needs. `run/`
starts roles as processes and does not import this package.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable

from mailcordon.config import PROCESS_LOGINS, Config

Body = Callable[[Config, asyncio.Event], Awaitable[None]]


def body(role: str) -> Body:
    """The role's function. Raises KeyError for an unknown role."""
    if role not in PROCESS_LOGINS:
        raise KeyError(role)
    return importlib.import_module(f"mailcordon.app.{role}").run
