"""The documents and commands of docs/rehearse.md, against a running system whose tenant has sent mail."""

import asyncio
import json
import re
import secrets
import shlex
from pathlib import Path
from typing import Any

from mailcordon_fixtures.traffic import Traffic

PAGE = (Path(__file__).parents[4] / "docs" / "rehearse.md").read_text()
LINES = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S) for line in block.splitlines()]
LIST, ROLLOUT = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)


async def test_the_documents_of_the_page_are_rehearsed_and_faults_have_their_line(
    mail: Traffic, run: Any, tmp_path: Path
) -> None:
    tenant = f"rehearsed-{secrets.token_hex(3)}"
    await mail.onboard({tenant: ["password-reset"]})
    await mail.put(tenant, "password-reset", ["kim@example.com"])
    counted = (
        "select exists (select from cohort_lane c join tenant t on t.id = c.tenant"
        " where t.slug = $1 and c.span = 1440 and c.sent > 0)"
    )
    await mail.until(lambda: mail.db.fetchval(counted, tenant), "its mail is counted")
    file = tmp_path / "change.yaml"

    def written(document: str) -> None:
        file.write_text(document.replace("acme", tenant).replace("newsletter", "password-reset"))

    written(LIST)
    for line in LINES:
        words = [str(file) if word == "change.yaml" else word for word in shlex.split(line)[1:]]
        code, out, err = await asyncio.to_thread(run, *words)
        assert code == 0, (line, err)
        if "--json" not in words:
            said = " ".join(out.split())
            assert said.startswith(f"{tenant}/password-reset mails a bought list of 10,000 mails."), said
            # How bad depends on what other tests sent: the list is most of the account's mail, or nearly all.
            assert re.search("SES would (pause the account|put the account under review)", said), said
            assert "How far this can be trusted:" in said
            assert "Too few mails to tell" in said
        else:
            assert json.loads(out)["bought_list"]["mails"] == 10_000
    written(ROLLOUT)
    code, out, err = await asyncio.to_thread(run, "rehearse", "-f", str(file))
    assert code == 0, err
    assert out.startswith(f"The rollout of {tenant} (password-reset) would still be at 1 %"), out
    written(LIST.replace("dead: 0.23", "dead: 23"))
    code, _, err = await asyncio.to_thread(run, "rehearse", "-f", str(file))
    assert (code, f"{file}:8: bought_list.dead" in err) == (1, True), err
