"""On a running system: mail that was delivered shows in its lane's objectives, and a back-test of it runs."""

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

from mailcordon_fixtures.traffic import Traffic


async def test_mail_shows_in_the_objectives_of_its_lane_and_in_a_back_test(
    mail: Traffic, run: Any, tmp_path: Path
) -> None:
    tenant = f"goals-{secrets.token_hex(3)}"
    await mail.onboard({tenant: ["password-reset"]}, objectives=True)
    await mail.put(tenant, "password-reset", ["kim@example.com"])
    counted = (
        "select exists (select from delivery_time d join tenant t on t.id = d.tenant"
        " where t.slug = $1 and d.span = 1440)"
    )
    await mail.until(lambda: mail.db.fetchval(counted, tenant), "its time of delivery is added up")

    code, out, err = await asyncio.to_thread(run, "objective", "show", tenant, "password-reset", "--json")
    assert code == 0, err
    found = {one["goal"]: one for one in json.loads(out)["objectives"]}
    assert (found["delivery-time"]["mails"], found["delivery-time"]["standing"]) == (1, "met")
    assert found["delivered"]["bad"] == 0
    code, out, _ = await asyncio.to_thread(run, "lane", "show", tenant, "password-reset")
    assert (
        code,
        f"{tenant}/password-reset, 95 % delivered within 1 min: 0 of 1 mail took too long" in out,
    ) == (0, True)
    code, out, _ = await asyncio.to_thread(run, "objective", "list", "--tenant", tenant)
    assert (code, "95 % delivered within 1 min" in out) == (0, True)

    policy = tmp_path / "new.yaml"
    policy.write_text("version: 1\nclasses:\n  urgent:\n    because: a test\n    breaker: {mode: enforce}\n")
    said = ""

    async def has_mail() -> bool:
        nonlocal said
        code, said, err = await asyncio.to_thread(
            run, "policy", "backtest", "-f", str(policy), "--since", "1d", "--tenant", tenant
        )
        assert code == 0, err
        return said.startswith("Of 1 mail of 1 lane since ")

    await mail.until(has_mail, "its counts are folded")
    assert "Plunk: nobody stopped" in said
    policy.write_text("version: 1\nclasses:\n  urgent:\n    breaker: {mode: never}\n")
    code, _, err = await asyncio.to_thread(run, "policy", "backtest", "-f", str(policy), "--tenant", tenant)
    assert (code, f"{policy}:4: classes.urgent.breaker.mode" in err) == (1, True), err
