"""The paces of control's duties are those that docs/operations.md gives reasons for."""

import re
from dataclasses import fields
from pathlib import Path

from mailcordon.control.paces import AWS, LOCAL, Paces
from mailcordon.core.pace import Pace

_ROW = re.compile(r"^\| `(\w+)` \| ([\d./ -]+) \| ([\d./ -]+) \|", re.MULTILINE)
PAGE = next(up for up in Path(__file__).parents if (up / "docs").is_dir()) / "docs" / "operations.md"


def in_words(pace: Pace) -> str:
    if pace.quick == pace.slow:
        return f"{pace.quick:g}"
    return f"{pace.quick:g} / {'-' if pace.other is None else f'{pace.other:g}'} / {pace.slow:g}"


def test_the_page_has_each_pace():
    section = PAGE.read_text().partition("## What an idle system does\n")[2].partition("\n## ")[0]
    said = {name: (aws.strip(), local.strip()) for name, aws, local in _ROW.findall(section)}
    paces = [
        one.name for one in fields(Paces) if one.name != "lock"
    ]  # how long two processes may reconcile at once
    assert said == {name: (in_words(getattr(AWS, name)), in_words(getattr(LOCAL, name))) for name in paces}


def test_a_local_system_is_never_slower_after_a_change():
    for one in fields(Paces):
        if one.name != "lock":
            assert getattr(LOCAL, one.name).quick <= getattr(AWS, one.name).quick
