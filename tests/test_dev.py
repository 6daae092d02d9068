"""`./dev`, the one script: small, plain sh, and silent about the network once everything is there."""

import os
import shutil
import subprocess
import sys
import tomllib
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
        timeout=240,
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


def test_compiled_modules_are_kept_where_python_is_told_to_write_none_beside_sources(checkout: Path):
    told = "import sys; print(sys.dont_write_bytecode, sys.pycache_prefix)"
    assert dev(checkout, "python", "-c", told).stdout == "False None\n"
    kept = dev(checkout, "python", "-c", told, PYTHONDONTWRITEBYTECODE="1").stdout
    assert kept == f"False {checkout}/.mailcordon/bytecode\n"


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


@pytest.mark.parametrize("command", ["build", "docs", "conformance", "crash", "lock", "messages", "test"])
def test_help_of_a_command_is_printed_and_nothing_is_done(tmp_path: Path, command: str):
    shutil.copy(ROOT / "dev", tmp_path / "dev")
    done = dev(tmp_path, command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"./dev {command}" in done.stdout
    assert list(tmp_path.iterdir()) == [tmp_path / "dev"]


def test_a_wrong_word_is_answered_with_the_right_ones(checkout: Path):
    done = dev(checkout, "dril")
    assert done.returncode == 1
    assert "./dev drill" in done.stderr
    assert dev(checkout, "help").returncode == 0


@pytest.mark.parametrize("first", ["python3.13", "python3.12", "hidden/python3.13"])
def test_a_python_built_with_optimizations_is_preferred_and_named(tmp_path: Path, first: str):
    shutil.copy(ROOT / "dev", tmp_path / "dev")
    for lock in (RUNTIME, DEV):
        (tmp_path / lock).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / lock).touch()
    uv = tmp_path / ".mailcordon" / "tools" / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    uv.write_text("#!/bin/sh\nexit 1\n")
    uv.chmod(0o755)
    tools = _tools_without_python(tmp_path)
    (tools / "hidden").mkdir()
    for name in ("python3.13", "python3.12", "hidden/python3.13"):
        fake = tools / name
        fake.write_text(
            "#!/bin/sh\n"
            f'case "$*" in *enable-optimizations*) exit {int(name != first)} ;; *print*) echo "$0" ;;'
            f" --version) echo Fake {name} ;; esac\n"
        )
        fake.chmod(0o755)
    path = f"{tools}:{tools / 'hidden'}"
    done = dev(tmp_path, "up", PATH=path)
    assert f"making .venv with Fake {first}, optimised with profiles" in done.stderr
    done = dev(tmp_path, "up", PATH=path, PYTHON="python3.12")
    assert "making .venv with Fake python3.12" in done.stderr


def test_it_names_no_registry():
    locks = [*ROOT.glob("requirements*.txt"), *ROOT.glob("packages/**/requirements*.txt")]
    assert len(locks) >= 5
    for file in (ROOT / "dev", *locks):
        assert "://" not in file.read_text(), file


@pytest.fixture
def tools(checkout: Path) -> Path:
    """Replaces the tools by ones that print their arguments, and fail if a file of their name says so."""
    for name in ("python", "ruff", "pyright"):
        tool = checkout / ".venv" / "bin" / name
        tool.unlink(missing_ok=True)
        tool.write_text(
            f'#!/bin/sh\necho "{name} $* events=${{MAILCORDON_TEST_EVENTS:-}} minutes=${{MAILCORDON_TEST_SOAK_MINUTES:-}}'
            ' kills=${MAILCORDON_TEST_KILLS:-}"\n'
            f'[ ! -e "{checkout}/{name}-fails" ]\n'
        )
        tool.chmod(0o755)
    return checkout


def test_a_quick_run_has_lint_types_and_tests_that_exist(tools: Path):
    done = dev(tools, "test", "--quick", "-k", "tags")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert [line.split()[:2] for line in said[:2]] == [["ruff", "check"], ["ruff", "format"]]
    assert "dev: pyright, beside pytest" in done.stderr
    [pytest_line] = [line for line in said if line.startswith("python -m pytest")]
    paths = [word for word in pytest_line.split() if "tests/" in word]
    assert len(paths) > 8
    assert all((ROOT / path).exists() for path in paths)
    assert " -k tags " in pytest_line


@pytest.mark.parametrize(
    ("tool", "what"), [("ruff", "lint format"), ("pyright", "types"), ("python", "tests")]
)
def test_one_failed_tool_fails_the_run_and_is_named(tools: Path, tool: str, what: str):
    (tools / f"{tool}-fails").touch()
    done = dev(tools, "test", "--quick")
    assert done.returncode == 1
    assert f"dev: failed: {what} (" in done.stderr.splitlines()[-1]
    assert "python -m pytest" in done.stdout


def test_what_pyright_found_is_printed(tools: Path):
    assert "pyright  events= minutes= kills=" not in dev(tools, "test", "--quick").stderr
    (tools / "pyright-fails").touch()
    assert "pyright  events= minutes= kills=" in dev(tools, "test", "--quick").stderr


@pytest.mark.parametrize(
    ("words", "kills", "chosen"),
    [
        ((), "20", "-k  "),
        (("--kills", "3"), "3", "-k  "),
        (("--kills=5", "api", "postgres"), "5", "-k api or postgres "),
    ],
)
def test_crash_runs_the_marked_tests_with_that_many_kills(
    tools: Path, words: tuple[str, ...], kills: str, chosen: str
):
    done = dev(tools, "crash", *words)
    assert done.returncode == 0
    assert "-m crash" in done.stdout
    assert chosen in done.stdout
    assert f"kills={kills}\n" in done.stdout


@pytest.mark.parametrize(
    ("words", "minutes"),
    [((), "0"), (("soak",), "30"), (("soak", "--minutes", "5"), "5"), (("--minutes=7", "soak"), "7")],
)
def test_a_soak_takes_half_an_hour_or_as_long_as_it_is_told(
    tools: Path, words: tuple[str, ...], minutes: str
):
    assert f" minutes={minutes} " in dev(tools, "crash", *words).stdout


@pytest.mark.parametrize(
    ("words", "events"),
    [
        ((), "1500"),
        (("events",), "1000000"),
        (("events", "--events", "9000"), "9000"),
        (("--events=7",), "7"),
    ],
)
def test_a_million_events_are_read_or_as_many_as_it_is_told(tools: Path, words: tuple[str, ...], events: str):
    assert f" events={events} " in dev(tools, "crash", *words).stdout


@pytest.mark.parametrize(
    "words", [("--kills",), ("--kills", "no"), ("--kills", "0"), ("--more",), ("soak", "--minutes", "0")]
)
def test_crash_refuses_what_it_does_not_understand(tools: Path, words: tuple[str, ...]):
    done = dev(tools, "crash", *words)
    assert done.returncode == 1
    assert "pytest" not in done.stdout


def test_all_pytest_settings_agree():
    """pytest takes the settings of the root or of one package, depending on the paths it is given."""
    files = [ROOT / "pyproject.toml", *sorted(ROOT.glob("packages/*/pyproject.toml"))]
    all_of_them = [tomllib.loads(file.read_text())["tool"]["pytest"]["ini_options"] for file in files]
    own = ("testpaths", "pythonpath")
    root, *packages = [{name: ini[name] for name in ini if name not in own} for ini in all_of_them]
    assert len(packages) == 3
    assert packages == [root] * 3


def _tools_without_python(directory: Path) -> Path:
    tools = directory / "tools"
    tools.mkdir()
    for name in ("sh", "cat", "dirname", "cksum", "grep", "sed", "printf"):
        if found := shutil.which(name):
            (tools / name).symlink_to(os.path.realpath(found))
    return tools
