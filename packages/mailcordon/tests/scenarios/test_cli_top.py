"""`mailcordon top` on a running system: what may not leave and why, then what sends most."""

import asyncio
import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from mailcordon_fixtures import systems
from mailcordon_fixtures.traffic import Traffic

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tenant() -> str:
    return f"top-{secrets.token_hex(3)}"


def lines_of(document: dict[str, Any], tenant: str) -> dict[str, dict[str, Any]]:
    return {one["type"]: one for one in document["items"] if one["tenant"] == tenant}


async def test_lanes_that_are_held_stand_first_with_the_reason_then_those_that_send(
    system: systems.System, mail: Traffic, run: Run, tenant: str
) -> None:
    await mail.onboard({tenant: ("newsletter", "password-reset", "invoice")})
    await mail.hold(tenant, type="newsletter", because="complaints rise")
    await mail.fill(tenant, "newsletter", 3)
    await mail.fill(tenant, "password-reset", 4)

    async def sent() -> bool:
        items = (await mail.call("GET", f"/v1/metrics?tenant={tenant}&by=tenant"))[1]["items"]
        return [one["sent"] for one in items] == [4]

    await mail.until(sent, "the mail is counted")
    code, out, err = await asyncio.to_thread(run, "top", "--json", "--limit", "100")
    assert code == 0, err
    document = json.loads(out)
    own = lines_of(document, tenant)
    assert (own["newsletter"]["state"], own["newsletter"]["waiting"], own["newsletter"]["sent"]) == (
        "held",
        3,
        0,
    )
    assert (own["password-reset"]["state"], own["password-reset"]["sent"]) == ("open", 4)
    assert "invoice" not in own  # it is open and sends nothing
    states = [one["state"] for one in document["items"]]
    assert states == sorted(
        states, key=lambda state: state in ("open", None)
    )  # None: of a lane that is gone by now

    code, out, err = await asyncio.to_thread(run, "top", "--limit", "100")
    assert (code, err) == (0, "")
    (held,) = [line for line in out.splitlines() if f"{tenant}/newsletter" in line]
    assert re.search(rf"{tenant}/newsletter +held +0 .* 3 .*Held by .*: complaints rise", held), held
    assert re.match(r"[\d,]+ lanes?: .*\d+ held.* deliver(y|ies) waits?", out)

    # As the tenant sees it: its own lanes, and nobody else's.
    key = (await mail.call("POST", "/v1/keys", {"tenant": tenant, "name": "x", "scopes": ["read"]}))[1]["key"]
    document = json.loads((await asyncio.to_thread(run, "top", "--json", "--limit", "100", "--key", key))[1])
    assert {one["tenant"] for one in document["items"]} == {tenant}
    assert document["lanes"] == 3

    assert json.loads((await asyncio.to_thread(run, "top", "--by", "volume", "--json"))[1])[
        "items"
    ]  # the ranking is still there
    await mail.lift(tenant, type="newsletter")


def test_on_a_terminal_it_is_live_until_ctrl_c_and_with_once_it_ends(system: systems.System) -> None:
    for words, ending in ((("top",), None), (("top", "--once"), 0)):
        keyboard, terminal = os.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "mailcordon", *words],
            env=systems.environment(system.home),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        seen = b""
        while ending is None and seen.count(b"\x1b[H") < 2:
            seen += os.read(keyboard, 65536)
        if ending is None:
            process.send_signal(2)
        assert process.wait(systems.PATIENCE) == 0
        if ending is not None:
            seen += os.read(keyboard, 65536)
            assert b"\x1b[H" not in seen
        assert b"lane" in seen
        os.close(keyboard)
