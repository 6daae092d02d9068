"""docs/recipes.md and docs/from-moto.md: the recipes that can run here do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import clients
from conformance.server import ROOT as PACKAGE
from seslocal.testing import serving

RECIPES = PACKAGE / "docs" / "recipes.md"
HOME = PACKAGE / ".conformance"


def test_the_javascript_recipe_passes(tmp_path: Path) -> None:
    if not clients.has_javascript(HOME):
        said = "ABSENT: THE JAVASCRIPT RECIPE WAS NOT TRIED: its packages are not installed (`./dev conformance --bring`)"
        print(said, file=sys.stderr)
        pytest.skip(said)
    [recipe] = re.findall(r"```js\n(.*?client-sesv2.*?)```", RECIPES.read_text(), re.DOTALL)
    (tmp_path / "recipe.test.mjs").write_text(recipe)
    (tmp_path / "node_modules").symlink_to(HOME / "js" / "node_modules")
    with serving() as server:
        done = subprocess.run(
            [str(clients.node().node), "--test", "recipe.test.mjs"],
            capture_output=True, text=True, check=False, timeout=240, cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "SESLOCAL_URL": server.seslocal.url},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "pass 1" in done.stdout


def test_a_recipe_says_first_whether_it_was_tried() -> None:
    sections = re.split(r"^## ", RECIPES.read_text(), flags=re.MULTILINE)[1:]
    assert len(sections) >= 5
    for section in sections:
        first = section.partition("\n")[2].strip()
        assert first.startswith(("*Tried", "*Not run here: ")), section.partition("\n")[0]


def test_the_containerfile_installs_and_starts_what_is_here() -> None:
    """It cannot be built here, so what it copies and runs is compared with what exists."""
    text = (PACKAGE / "Containerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (PACKAGE / name).exists(), name
    assert 'ENTRYPOINT ["seslocal", "--host", "0.0.0.0"]' in text
    check = re.search(r'^    CMD \["python", "-c", "(.+)"\]$', text, re.MULTILINE)
    assert check is not None
    with serving() as server:
        code = check[1].replace("http://127.0.0.1:8005", server.seslocal.url)
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
