"""Each kind of incident has its runbook in the docs, with the same parts, and each is in their list."""

import re
from pathlib import Path

import pytest

from mailcordon.core.incident import Kind, runbook

ROOT = Path(__file__).parents[4]
PARTS = ["What it means", "Whom it touches", "Check", "Act", "How you know it is over"]


@pytest.mark.parametrize("kind", list(Kind))
def test_a_kind_has_a_runbook_with_all_its_parts(kind: Kind) -> None:
    text = (ROOT / runbook(kind)).read_text()
    assert text.startswith(f"# Runbook: `{kind}`\n")
    assert re.findall(r"^## (.*)$", text, re.M) == PARTS
    for part in ("Check", "Act"):
        section = text.partition(f"\n## {part}\n")[2].partition("\n## ")[0]
        assert "mailcordon " in section, f"{kind}: {part} names no command"


def test_the_list_of_runbooks_names_each_kind_and_no_other_page_is_there() -> None:
    index = (ROOT / "docs" / "runbooks" / "index.md").read_text()
    assert set(re.findall(r"^\| \[([\w-]+)\]\(\1\.md\)", index, re.M)) == set(Kind)
    assert {page.stem for page in (ROOT / "docs" / "runbooks").glob("*.md")} == {"index", *Kind}
