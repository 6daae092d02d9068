"""The home: the one directory that holds everything a system keeps. The files in it are named here.

Removing the directory removes the system. docs/operations.md says what each file is.
"""

from collections.abc import Mapping
from pathlib import Path

AUDIT_CHECKPOINTS_FILE = "audit-checkpoints.jsonl"  #: proves that the audit trail was not rewritten
CLI_FILE = "cli.json"  #: URL and key for the command line, like a kubeconfig
DATABASE_FILE = "database.json"  #: the address of each database login
LOCK_FILE = "lock"  #: locked by the process that runs in this home
LOCAL_SES = "seslocal"  #: directory of the local SES's state
RUN_FILE = "run.json"  #: process ids and URLs, while the system is ready
SECRET_KEYS_FILE = "secret-keys"  # noqa: S105 (the file's name)


def find_home(environ: Mapping[str, str], code: Path = Path(__file__)) -> Path:
    """MAILCORDON_HOME; else `.mailcordon` of the checkout that contains `code`; else the user's state directory.

    Raises RuntimeError if a `~` in the path cannot be expanded: no such user, or no HOME.
    """
    named = environ.get("MAILCORDON_HOME")
    if named:
        return Path(named).expanduser().absolute()
    for checkout in list(code.resolve().parents)[5:6]:
        if (checkout / "dev").exists() and (checkout / "packages" / "mailcordon").is_dir():
            return checkout / ".mailcordon"
    state = environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "mailcordon"
