"""`./dev bench guard-scale`: what the guard costs at the size that is promised: 10,000 tenants with 20,000 lanes.

Each part has a PostgreSQL of its own with rows written directly, and measures the code that the roles run, in this process.
Figures are CPU of this process and of PostgreSQL together, which a busy machine changes less than the time that passes. Parts
are in `guard_scale_parts`.
"""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping

from bench import command
from bench.guard_scale_parts import alarms, breaker, objectives, policy
from bench.guard_scale_parts.world import Figures, World, opened

_PARTS: Mapping[str, Callable[[World, int], Awaitable[Figures]]] = {
    "policy": policy.measure,
    "breaker": breaker.measure,
    "objectives": objectives.measure,
    "alarms": alarms.measure,
}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev bench guard-scale", description=__doc__)
    parser.add_argument(
        "--tenants", type=int, nargs="+", default=[500, 2_000, 10_000], help="each with two lanes"
    )
    parser.add_argument("--parts", nargs="+", choices=list(_PARTS), default=list(_PARTS))
    parser.add_argument("--json", action="store_true", help="print a line for machines too")
    options = parser.parse_args(argv)
    # PostgreSQL is started as its own user, which uvloop cannot do.
    return command.run(
        _measured(options.parts, options.tenants), json=options.json, loop=asyncio.new_event_loop
    )


async def _measured(parts: list[str], sizes: list[int]) -> tuple[str, str]:
    found: dict[str, dict[int, Figures]] = {}
    lines: list[str] = []
    for part in parts:
        for tenants in sizes:
            async with opened(tenants) as world:
                found.setdefault(part, {})[tenants] = await _PARTS[part](world, tenants)
        lines += ["", part, f"{'':44}" + "".join(f"{tenants:>12,}" for tenants in sizes)]
        for name in found[part][sizes[0]]:
            lines.append(f"{name:44}" + "".join(f"{found[part][tenants][name]:12.3g}" for tenants in sizes))
    return "\n".join(lines), json.dumps(found)
