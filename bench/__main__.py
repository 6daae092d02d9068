"""`./dev bench NAME ARGS`."""

import sys

from bench import (
    control,
    door,
    doors,
    events,
    guard_scale,
    isolation,
    metrics,
    search,
    send,
    seslocal,
    suppression_split,
)
from bench.curve import command as curve
from bench.detection import command as detect
from bench.migration import command as migration
from bench.migration import moves_command as moves
from bench.pages import command as pages
from bench.rehearsal import command as rehearsal
from bench.week import command as week

_BENCHES = {
    "control": control.main,
    "curve": curve.main,
    "detect": detect.main,
    "door": door.main,
    "doors": doors.main,
    "events": events.main,
    "guard-scale": guard_scale.main,
    "isolation": isolation.main,
    "metrics": metrics.main,
    "migration": migration.main,
    "moves": moves.main,
    "pages": pages.main,
    "rehearsal": rehearsal.main,
    "search": search.main,
    "send": send.main,
    "seslocal": seslocal.main,
    "split": suppression_split.main,
    "week": week.main,
}


def main(argv: list[str]) -> int:
    if not argv or argv[0] not in _BENCHES:
        print(f"usage: ./dev bench {{{','.join(_BENCHES)}}} [--help]", file=sys.stderr)
        return 0 if argv[:1] in (["-h"], ["--help"]) else 2
    return _BENCHES[argv[0]](argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
