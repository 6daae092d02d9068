"""A local SES that behaves like SES: tenants, suppression, events, quotas and faults over SES's own wire protocol, with the SQS
queues that receive its events. docs/architecture.md describes its layers. The names below are imported on first use, so that a
test run that has the pytest plugin installed but does not use it pays nothing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seslocal.clock import Clock
    from seslocal.server import Local, running, start
    from seslocal.state.settings import Settings
    from seslocal.wire.smtp_password import smtp_password

__all__ = ["Clock", "Local", "Settings", "running", "smtp_password", "start"]

_HOMES = {
    "Clock": "seslocal.clock",
    "Local": "seslocal.server",
    "Settings": "seslocal.state.account",
    "running": "seslocal.server",
    "smtp_password": "seslocal.wire.smtp_password",
    "start": "seslocal.server",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'seslocal' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
