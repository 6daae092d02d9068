"""The process from which `up` forks its roles: it loads their modules, once, and does nothing else.

It has no settings, opens nothing and logs nothing. What a role gets of its own is told in `host/forking.py`.
"""

import gc
import importlib
import sys
from collections.abc import Sequence

from mailcordon.app import process
from mailcordon.host import forking


def run(descriptor: int, roles: Sequence[str]) -> int:
    """Forks until `up` is gone; in a forked process, the role's whole life. Returns the exit status."""
    for role in roles:
        importlib.import_module(f"mailcordon.app.{role}")
    gc.freeze()
    return forking.serve(descriptor, _role)


def _role(program: Sequence[str]) -> int:
    sys.argv[1:] = program[-2:]
    sys.orig_argv[:] = program
    return process.run(program[-1])
