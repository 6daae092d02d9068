"""On a running system: files of what others say are imported by the command line, shown, and open an incident."""

import asyncio
import json
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mailcordon_fixtures.traffic import Traffic


async def test_a_file_of_postmaster_tools_opens_an_incident_and_a_bad_one_changes_nothing(
    mail: Traffic, run: Any, tmp_path: Path
) -> None:
    tenant = f"said-{secrets.token_hex(3)}"
    await mail.onboard({tenant: ["newsletter"]})
    domain = await mail.db.fetchval(
        "select r.domain from route r join tenant t on t.id = r.tenant where t.slug = $1", tenant
    )
    day = datetime.now(UTC).date().isoformat()
    good, bad, page = tmp_path / "good.csv", tmp_path / "bad.csv", tmp_path / "report.xml"
    good.write_text(f"domain,date,spam_rate\n{domain},{day},0.42%\n{domain},2026-01-02,\n")
    bad.write_text(f"domain,date,spam_rate\n{domain},yesterday,0.42%\n")
    page.write_text("<html/>")

    for file in (bad, page):
        code, _, err = await asyncio.to_thread(run, "signal", "import", str(good), str(file))
        assert (code, f"{file} cannot be read: " in err, "Nothing was imported" in err) == (1, True, True), (
            err
        )
    code, out, _ = await asyncio.to_thread(run, "signal", "list", "--tenant", tenant)
    assert (code, "No signals of this kind" in out) == (0, True)

    code, out, err = await asyncio.to_thread(run, "signal", "import", str(good))
    assert (code, out.strip()) == (0, "1 new signal, 0 changed, 0 known before"), err
    assert "1 day without a spam rate left out" in err
    code, out, _ = await asyncio.to_thread(run, "signal", "list", "--domain", domain, "--json")
    [item] = json.loads(out)["items"]
    assert (item["rate"], item["trust"], item["tenant"], item["counts"]) == (0.0042, "medium", tenant, True)
    code, out, _ = await asyncio.to_thread(run, "signal", "list", "--tenant", tenant)
    assert (code, "0.42 %" in out) == (0, True)
    opened = "select exists (select from incident where cause = $1 and closed_at is null)"
    cause = f"outside:postmaster:{domain}"
    await mail.until(lambda: mail.db.fetchval(opened, cause), "an incident is open")
    good.write_text(f"domain,date,spam_rate\n{domain},{day},0.01%\n")
    code, out, _ = await asyncio.to_thread(run, "signal", "import", str(good), "--trust", "low")
    assert (code, out.strip()) == (0, "0 new signals, 1 changed, 0 known before")
