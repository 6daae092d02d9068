"""What is installed: everything is locked with hashes, from uv itself on, and `./dev audit` says what it could not check."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLACES = (ROOT, *(ROOT / "packages").iterdir(), ROOT / "packages" / "seslocal" / "conformance")
LOCKS = sorted(path for place in PLACES for path in place.glob("requirements*.txt"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_a_lock_names_every_version_and_hash_and_no_registry(lock: Path):
    text = lock.read_text()
    entries = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).strip())
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert "://" not in text
    assert "--index-url" not in text


def test_uv_is_locked_and_pip_checks_its_hash():
    [entry] = [
        line for line in (ROOT / "requirements-bootstrap.txt").read_text().splitlines() if line[:1].isalpha()
    ]
    assert re.fullmatch(r"uv==[0-9.]+ \\", entry)
    calls = re.findall(r"-m pip install(?:.|\\\n)*?\|\|", (ROOT / "dev").read_text())
    assert len(calls) == 1
    assert "--require-hashes" in calls[0]
    assert "requirements-bootstrap.txt" in calls[0]


@pytest.mark.parametrize(
    ("packages", "code"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], 0),
        ([{"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": []}]}, {"name": "b", "skip_reason": "?"}], 1),
        ([{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "not found"}], 3),
    ],
)  # fmt: skip
def test_the_audit_tells_a_vulnerability_from_a_package_that_was_not_checked(
    tmp_path: Path, packages: list[dict[str, object]], code: int
):
    report = tmp_path / "report"
    report.write_text(json.dumps({"dependencies": packages}))
    done = subprocess.run(
        [sys.executable, ROOT / "audit_report.py", report],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code
    assert ("NOT CHECKED" in done.stdout) is any("skip_reason" in package for package in packages)
