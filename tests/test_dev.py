"""`./dev`, the one script: small, plain sh, and silent about the network once everything is there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RUNTIME, DEV = "packages/mailcordon/requirements-local.txt", "requirements-dev.txt"
#: Nothing answers here, so that whoever goes to the network fails.
NOWHERE = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that is set up already: the stamp says that the environment holds what the lock names."""
    for name in ("dev", RUNTIME, DEV):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    for kind, lock in (("runtime", RUNTIME), ("dev", DEV)):
        with (tmp_path / lock).open() as text:
            sum = subprocess.run(
                ["cksum"], stdin=text, capture_output=True, text=True, check=True
            ).stdout.strip()
        (tmp_path / ".venv" / f".mailcordon-{kind}").write_text(f"{sum} {tmp_path}\n")
    return tmp_path


def dev(checkout: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(checkout), **NOWHERE, **settings}
    return subprocess.run(
        [checkout / "dev", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_is_plain_sh():
    shells = [shell for shell in ("dash", "bash", "sh") if shutil.which(shell)]
    for shell in shells:
        subprocess.run([shell, "-n", ROOT / "dev"], check=True)
    assert (ROOT / "dev").read_text().startswith("#!/bin/sh\n")


def test_once_set_up_it_needs_neither_network_nor_word(checkout: Path):
    done = dev(checkout, "python", "-c", "print('hello')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")


def test_a_changed_lock_is_installed_again(checkout: Path):
    with (checkout / DEV).open("a") as lock:
        lock.write("\n# changed\n")
    done = dev(checkout, "python", "-c", "print('hello')", PATH=str(_tools_without_python(checkout)))
    assert done.returncode == 1
    assert "no Python 3.11" in done.stderr


def test_a_checkout_that_was_moved_is_set_up_again(checkout: Path):
    moved = checkout.with_name("moved")
    checkout.rename(moved)
    done = dev(
        moved,
        "python",
        "-c",
        "print('hello')",
        PYTHON="/nowhere/python",
        PATH=str(_tools_without_python(moved)),
    )
    assert done.returncode != 0
    assert "no Python 3.11" in done.stderr


def test_without_python_it_says_what_to_install(checkout: Path):
    shutil.rmtree(checkout / ".venv")
    done = dev(checkout, "up", PATH=str(_tools_without_python(checkout)))
    assert done.returncode == 1
    assert "no Python 3.11 or newer" in done.stderr


def test_a_wrong_word_is_answered_with_the_right_ones(checkout: Path):
    done = dev(checkout, "dril")
    assert done.returncode == 1
    assert "./dev drill" in done.stderr
    assert dev(checkout, "help").returncode == 0


def test_it_names_no_registry():
    locks = [*ROOT.glob("requirements*.txt"), *ROOT.glob("packages/**/requirements*.txt")]
    assert len(locks) >= 5
    for file in (ROOT / "dev", *locks):
        assert "://" not in file.read_text(), file


def _tools_without_python(directory: Path) -> Path:
    tools = directory / "tools"
    tools.mkdir()
    for name in ("sh", "cat", "dirname", "cksum", "grep", "sed", "printf"):
        if found := shutil.which(name):
            (tools / name).symlink_to(os.path.realpath(found))
    return tools
