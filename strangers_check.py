"""`./dev build --strangers`: the tests in seslocal's README, as a stranger copies them, pass many times in a row.

    strangers_check.py DIRECTORY [TIMES]

In a new environment in a temporary directory, from the wheel of the directory and a package index: the README's three tests, each
TIMES (100) times in one run of pytest, as often again with two workers of pytest-xdist, and in five runs of their own.
"""

import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

README = Path(__file__).resolve().parent / "packages" / "seslocal" / "README.md"
_RUNS = 5
REPEATED = """
import pytest


@pytest.fixture
def turn():
    pass


def pytest_generate_tests(metafunc):
    metafunc.fixturenames.append("turn")
    metafunc.parametrize("turn", range({times}), indirect=True)
"""


def tests_of_the_readme() -> str:
    [found] = [
        block
        for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
        if "(seslocal)" in block
    ]
    return found


def write(place: Path, times: int) -> int:
    """Writes the tests, and a conftest that repeats them. Returns how many there are then."""
    place.mkdir(exist_ok=True)
    tests = tests_of_the_readme()
    (place / "test_readme.py").write_text(tests)
    (place / "conftest.py").write_text(REPEATED.format(times=times))
    return tests.count("\ndef test_") * times


def passed(python: Path, place: Path, count: int, *more: str) -> str | None:
    """Returns what pytest said if not all passed."""
    # pytest-asyncio, where it is installed, warns of a project without its settings.
    plugins = ["-p", "no:cacheprovider", "-p", "no:asyncio"]
    command = [str(python), "-W", "error", "-m", "pytest", "-q", *plugins, *more, str(place)]
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "AWS_"))
    }
    done = subprocess.run(command, cwd=place, env=clean, capture_output=True, text=True, check=False)
    good = done.returncode == 0 and re.search(rf"^{count} passed\b", done.stdout, re.MULTILINE)
    return None if good else done.stdout + done.stderr


def main() -> int:
    directory, times = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100
    [wheel] = directory.glob("seslocal-*.whl")
    with tempfile.TemporaryDirectory(prefix="seslocal-strangers-") as temporary:
        place = Path(temporary)
        venv.create(place / "venv", with_pip=True)
        python = place / "venv" / "bin" / "python"
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"{wheel}[pytest]", "pytest-xdist"], check=True)
        many, once = write(place / "many", times), write(place / "once", 1)
        runs = [
            ("in one process", place / "many", many, ()),
            ("with two workers of xdist", place / "many", many, ("-n", "2")),
            *[(f"by themselves, run {n + 1}", place / "once", once, ()) for n in range(_RUNS)],
        ]
        for what, tests, count, more in runs:
            if (said := passed(python, tests, count, *more)) is not None:
                print(f"{what}: NOT ALL OF {count} PASSED\n{said}", file=sys.stderr)
                return 1
            print(f"{what}: {count} passed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
