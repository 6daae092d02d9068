"""`./dev release`: nothing is released from an unclean tree or without words in the changelog, and a dry run changes nothing."""

import datetime
import shutil
import subprocess
from pathlib import Path

import pytest

import release

ROOT = Path(__file__).resolve().parents[1]
DAY = datetime.date(2026, 12, 1)


def git(repository: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(repository), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the files that a release changes, and a `dev` that notes what it is asked to build."""
    for name in (*(f"packages/{name}/pyproject.toml" for name in release.PACKAGES), *release.MODULES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## Unreleased\n\n### Added\n- Holds.\n\n## 0.0.9 - 2026-01-01\n\n- It began.\n"
    )
    (tmp_path / ".gitignore").write_text("dist/\n")
    (tmp_path / "dev").write_text(
        '#!/bin/sh\nmkdir -p "$(dirname "$0")/dist"\necho "$*" >>"$(dirname "$0")/dist/asked"\n'
    )
    (tmp_path / "dev").chmod(0o755)
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    git(tmp_path, "config", "user.name", "Ana")
    git(tmp_path, "config", "user.email", "ana@platform.example")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "all: Begin")
    return tmp_path


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(repository: Path) -> None:
    before = git(repository, "rev-parse", "HEAD")
    said = release.release(repository, "0.2.0", really=False, day=DAY)
    assert "would set 0.2.0 in packages/seslocal/pyproject.toml" in said
    assert said[-1] == "nothing was changed; --yes does it"
    assert (git(repository, "status", "--porcelain"), git(repository, "rev-parse", "HEAD")) == ("", before)
    assert not (repository / "dist").exists()


def test_a_release_sets_every_version_dates_the_changelog_builds_and_tags(repository: Path) -> None:
    release.release(repository, "0.2.0", really=True, day=DAY)
    assert release.current(repository) == "0.2.0"
    assert '"seslocal[dns]>=0.2,<0.3"' in (repository / "packages/mailcordon/pyproject.toml").read_text()
    changelog = (repository / "CHANGELOG.md").read_text()
    assert release.unreleased(changelog) == ""
    assert "## Unreleased\n\n## 0.2.0 - 2026-12-01\n\n### Added\n- Holds.\n" in changelog
    out = repository / "dist" / "0.2.0"
    assert (repository / "dist" / "asked").read_text().splitlines() == [
        f"build --try {out}",
        f"docs {out}/docs",
    ]
    assert git(repository, "rev-parse", "v0.2.0^{commit}") == git(repository, "rev-parse", "HEAD")
    assert git(repository, "status", "--porcelain") == ""


def test_a_tree_that_is_not_clean_is_not_released(repository: Path) -> None:
    (repository / "new.py").write_text("")
    with pytest.raises(release.Refused, match=r"not clean(.|\n)*new\.py"):
        release.release(repository, "0.2.0", really=True, day=DAY)


@pytest.mark.parametrize("version", ["0.2", "v0.2.0", "0.0.9", "0.1.0"])
def test_a_version_that_is_none_or_not_later_is_not_released(repository: Path, version: str) -> None:
    with pytest.raises(release.Refused):
        release.release(repository, version, really=True, day=DAY)


def test_without_words_in_the_changelog_nothing_is_released(repository: Path) -> None:
    path = repository / "CHANGELOG.md"
    path.write_text(path.read_text().replace("- Holds.\n", ""))
    git(repository, "commit", "--quiet", "--all", "--message", "docs: Say nothing")
    with pytest.raises(release.Refused, match="says nothing"):
        release.release(repository, "0.2.0", really=True, day=DAY)


def test_a_version_is_released_once(repository: Path) -> None:
    git(repository, "tag", "v0.2.0")
    with pytest.raises(release.Refused, match="tag"):
        release.release(repository, "0.2.0", really=True, day=DAY)


def test_all_distributions_of_this_checkout_have_one_version_and_the_extra_fits_it() -> None:
    version = release.current(ROOT)
    assert (
        release.edits(ROOT, version, DAY)[ROOT / "packages/mailcordon/pyproject.toml"]
        == (ROOT / "packages/mailcordon/pyproject.toml").read_text()
    )


def test_the_changelog_has_the_form_that_the_release_reads() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## Unreleased\n\n" in text
    assert release.unreleased(text).startswith("### Added\n")
