"""Runs a program that ends when we end, however we end: a small shell script between us and the program holds our pipe.

When our process dies, the pipe closes and the guardian ends the program, first with the signal `kind`, after `patience` seconds
with `hard`. When the program ends, the guardian exits with its status. The guardian prints the program's process id as the first
line of its stdout; the program's own output goes to stderr. The caller keeps the other end of the guardian's stdin open.
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

#: File descriptors passed on to the program must be this or higher: the shell uses the lower ones itself.
LOWEST_FREE_DESCRIPTOR = 20


def command(program: Sequence[str], *, kind: str, hard: str, patience: int) -> list[str]:
    """The command line that runs `program` under a guardian. `kind` and `hard` are signal names without SIG."""
    return ["/bin/sh", "-c", _SCRIPT, "mailcordon-guardian", kind, str(patience), hard, *program]
