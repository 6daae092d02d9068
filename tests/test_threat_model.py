"""docs/threat-model.md names what holds each claim. What it names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "threat-model.md").read_text()
SOURCES = ROOT / "packages" / "mailcordon" / "src" / "mailcordon"


def test_every_test_that_it_names_exists():
    tests = [
        path
        for name in ("mailcordon", "seslocal")
        for path in (ROOT / "packages" / name / "tests").rglob("test_*.py")
    ]
    sources = "\n".join(path.read_text() for path in tests)
    exists = set(re.findall(r"def (test_\w+)\(", sources))
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    assert named
    assert sorted(named - exists) == []


def test_every_module_that_it_names_exists():
    named = re.findall(r"`(\w+(?:/\w+)+\.py)`", TEXT)
    assert named
    assert [path for path in named if not (SOURCES / path).is_file()] == []


def test_every_setting_that_it_names_is_documented():
    operations = (ROOT / "docs" / "operations.md").read_text()
    named = set(re.findall(r"`(MAILCORDON_\w+)`", TEXT))
    assert [name for name in sorted(named) if f"| `{name}` |" not in operations] == []


def test_every_page_that_it_links_exists():
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", TEXT):
        assert (ROOT / "docs" / target).is_file(), target
