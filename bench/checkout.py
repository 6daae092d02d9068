"""Which checkout is measured: this one, or another one beside it (`--against PATH`), with the interpreter that runs it."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PROBE = """
import json, platform, sysconfig
get = lambda name: sysconfig.get_config_var(name) or ""
flags = f"{get('CONFIG_ARGS')} {get('PY_CORE_CFLAGS')} {get('PY_CORE_LDFLAGS')}"
print(json.dumps({
    "version": platform.python_version(),
    "level": next((word for word in reversed(get("PY_CORE_CFLAGS").split()) if word.startswith("-O")), "-O?"),
    "pgo": "--enable-optimizations" in flags or "-fprofile-use" in flags,
    "lto": "--with-lto" in flags or "-flto" in flags,
}))
"""


class NoCheckout(Exception):
    """The path given with --against cannot be measured."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    version: str
    level: str  #: of the C compiler's optimisation: -O2, -O3
    pgo: bool  #: profile-guided optimisation is recorded in the build's flags
    lto: bool  #: so is link-time optimisation

    def __str__(self) -> str:
        flags = [
            self.level,
            "PGO" if self.pgo else "no PGO recorded",
            "LTO" if self.lto else "no LTO recorded",
        ]
        text = f"Python {self.version}, built with {', '.join(flags)}"
        if not self.pgo:
            text += " (a CPython built without --enable-optimizations uses about 20 % more CPU)"
        return text


@dataclass(frozen=True, slots=True)
class Checkout:
    name: str  #: how the report calls it
    python: str
    mailcordon: Sequence[str]  #: the command that runs its `mailcordon`
    seslocal: Sequence[str]

    def interpreter(self) -> Interpreter:
        done = subprocess.run([self.python, "-c", _PROBE], capture_output=True, text=True, check=True)
        return Interpreter(**json.loads(done.stdout))


def commit(path: Path) -> str | None:
    """The commit of a checkout, short; None where it is no repository, or git is not here."""
    try:
        done = subprocess.run(
            ["git", "-C", path, "rev-parse", "--short=8", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def this() -> Checkout:
    modules = [[sys.executable, "-m", name] for name in ("mailcordon", "seslocal")]
    return Checkout("this checkout", sys.executable, *modules)


def at(path: Path) -> Checkout:
    """Another checkout, set up by its own `./dev`. Raises NoCheckout if it has none, or if it cannot be set up."""
    dev = path.resolve() / "dev"
    if not dev.is_file():
        raise NoCheckout(f"{path} is not a checkout of this project: it has no ./dev")
    done = subprocess.run([dev, "mailcordon", "--help"], stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise NoCheckout(f"`{dev} mailcordon --help` failed with status {done.returncode} (see above)")
    return Checkout(
        str(path),
        str(dev.parent / ".venv" / "bin" / "python"),
        [str(dev), "mailcordon"],
        [str(dev), "seslocal"],
    )
