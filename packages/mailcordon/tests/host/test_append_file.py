"""A file that only grows: whole lines, readable by its owner only, whatever a crash left."""

from pathlib import Path

import pytest

from mailcordon.host import append_file


def test_lines_are_appended_and_only_the_owner_may_read_them(tmp_path: Path) -> None:
    file = tmp_path / "new" / "file"
    for line in ("a", "é", "c"):
        append_file.append_line(file, line)
    assert file.read_text() == "a\né\nc\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_line_that_was_cut_short_ends_before_the_next_one(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("a\nb")
    append_file.append_line(file, "c")
    assert file.read_text() == "a\nb\nc\n"


def test_the_last_lines_come_newest_first_and_no_line_of_them_is_cut(tmp_path: Path) -> None:
    file = tmp_path / "file"
    assert list(append_file.last_lines(file)) == []
    lines = [f"{n:07d} " + "x" * 1000 for n in range(3000)]
    file.write_text("\n".join(lines) + "\n")
    found = list(append_file.last_lines(file))
    assert 1000 < len(found) < 1100
    assert found == lines[::-1][: len(found)]


def test_a_line_that_is_appended_while_others_are_read_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("a\nb\n")
    lines = append_file.lines(file)
    append_file.append_line(file, "c")
    assert [line.strip() for line in lines] == ["a", "b"]


def test_a_file_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        append_file.lines(tmp_path / "none")
