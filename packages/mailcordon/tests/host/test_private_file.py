"""Files with secrets: nobody else may read them, at no moment."""

import stat
from pathlib import Path

from mailcordon.host.private_file import write_private


def test_a_private_file_is_readable_by_its_owner_only(tmp_path: Path):
    file = tmp_path / "new" / "secret"
    write_private(file, "one")
    write_private(file, "two")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("two", 0o600)


def test_replacing_a_private_file_leaves_no_temporary_file(tmp_path: Path):
    write_private(tmp_path / "secret", "one")
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
