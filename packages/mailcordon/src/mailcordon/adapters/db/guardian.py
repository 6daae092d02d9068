"""Starts a program that cannot outlive us: a few lines of shell stand between, holding a pipe of ours.

When we die, in whatever way, the pipe closes and the guardian ends the program, first kindly, then not. When the
program ends, so does the guardian, with its status. It answers the program's process id as its first line on
stdout; all that the program prints goes to stderr. The one who starts it keeps the other end of its stdin.
"""

from collections.abc import Sequence

_SCRIPT = r"""
kind=$1 patience=$2 hard=$3
shift 3
exec 9<&0
"$@" </dev/null >&2 9<&- &
program=$!
echo "$program"
exec >&2
(
    read -r _ <&9
    kill -"$kind" "$program" 2>/dev/null
    waited=0
    while [ "$waited" -lt "$patience" ]; do
        kill -0 "$program" 2>/dev/null || exit 0
        sleep 1
        waited=$((waited + 1))
    done
    kill -"$hard" "$program" 2>/dev/null
) &
watcher=$!
exec 9<&-
wait "$program"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
"""

#: File descriptors handed through to the program lie here or above, clear of those the shell uses itself.
LOWEST_FREE_DESCRIPTOR = 20


def command(program: Sequence[str], *, kind: str, hard: str, patience: int) -> list[str]:
    """The guardian's own command line. `kind` and `hard` are signals without SIG, `patience` the seconds between."""
    return ["/bin/sh", "-c", _SCRIPT, "mailcordon-guardian", kind, str(patience), hard, *program]
