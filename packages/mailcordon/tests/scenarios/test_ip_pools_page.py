"""The commands of docs/ip-pools.md, in their order, against the running system."""

import json
import re
import secrets
import shlex
from collections.abc import Callable
from pathlib import Path

from mailcordon_fixtures.systems import System, wait_until

Run = Callable[..., tuple[int, str, str]]
PAGE = (Path(__file__).parents[4] / "docs" / "ip-pools.md").read_text()
LINES = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S) for line in block.splitlines()]


def test_the_commands_of_the_page_do_what_it_says(system: System, run: Run) -> None:
    slug, pool = f"pooled-{secrets.token_hex(3)}", f"bulk-{secrets.token_hex(3)}"
    assert run("tenant", "onboard", slug, "--type", f"newsletter=news.{slug}.example")[0] == 0
    # The fleet is counted from time to time; here every few seconds after a change.
    wait_until(lambda: slug in run("advise", "--fleet", "--json")[1], "the fleet is counted")
    said: dict[str, str] = {}
    for line in LINES:
        words = [{"acme": slug, "bulk": pool}.get(word, word) for word in shlex.split(line)[1:]]
        code, out, error = run(*words)
        assert code == 0, (line, out, error)
        said[" ".join(words[:2])] = " ".join(out.split())
    assert f"Keep the marketing mail of {slug} on SES's shared addresses" in said[f"advise {slug}"]
    assert slug in said["advise --fleet"]
    assert f"{slug} marketing" in said["pool show"]
    assert "managed, for marketing mail; owner: mail team" in said["pool show"]
    code, out, _ = run("pool", "show", pool, "--json")
    shown = json.loads(out)
    assert (code, shown["minimum"], shown["members"]) == (0, 2_000, []), "the last command took it out"
