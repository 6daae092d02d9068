"""docs/start.md as a new user types it: each block in its order, against one running system, without its installation."""

import json
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mailcordon_fixtures import served_programs, systems
from mailcordon_fixtures.served_programs import Shell

PAGE = (Path(__file__).parents[4] / "docs" / "start.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE.partition("## 2. ")[2], re.M | re.S)
#: What a reader must see, by a command of the block.
SHOWN = {
    "identity records": "_dmarc",
    "identity check": "passes DMARC",
    "mailcordon prove": "Proved: all",
    "messages --to": "kim@example.com",
    "incident show": "list bought",
    "holds list": "list bought",
    "why lee": "Nothing keeps",
    "incident report": "list bought",
}


@pytest.fixture
def api(system: systems.System) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {system.key}"}
    with httpx.Client(base_url=system.url, headers=headers, timeout=60) as client:
        yield client


@pytest.mark.timeout(900)  # on a machine with much else to do
@pytest.mark.skipif(shutil.which("curl") is None, reason="the page sends with curl")
def test_each_block_of_the_page_works_in_its_order(
    system: systems.System, api: httpx.Client, tmp_path: Path
) -> None:
    name = f"acme-{secrets.token_hex(3)}"
    shell = Shell(tmp_path, {"mailcordon": served_programs.mailcordon}, systems.environment(system.home))
    incident, hold = 0, 0

    def found(what: str, **values: object) -> list[int]:
        """Numbers of the open ones of the tenant with these values."""
        items = api.get(f"/v1/{what}", params={"tenant": name, "open": True}).json()["items"]
        return [one["id"] for one in items if values.items() <= one.items()]

    try:
        for block in BLOCKS:
            if "incident list" in block:
                try:
                    systems.wait_until(
                        lambda: bool(found("holds", list="bought")), "the breaker has held the list", 180
                    )
                    systems.wait_until(
                        lambda: bool(found("incidents", kind="breaker")), "there is an incident", 180
                    )
                except AssertionError as late:
                    for what in ("breaker/lanes", "breaker/decisions", "holds", "incidents", "messages"):
                        answer = api.get(f"/v1/{what}", params={"tenant": name})
                        late.add_note(f"{what}: {answer.text[:4000]}")
                    raise
                [hold], [incident] = found("holds", list="bought"), found("incidents", kind="breaker")
            # Numbers and the port are this system's.
            text = re.sub(r"(?<=incident )(show|note|report) 1\b", rf"\1 {incident}", block)
            text = re.sub(r"--hold \d+", f"--hold {hold}", text).replace("acme", name)
            text = text.replace("http://127.0.0.1:8005", system.ses_url)
            said = shell.run(text)
            if "eval" in block:
                assert json.loads(said)["deliveries"][0]["state"] == "queued"
            for command, words in SHOWN.items():
                assert command not in block or words in said, (text, said)
    finally:
        shell.close()
        for hold in found("holds"):
            system.cli("uncordon", name, "--hold", str(hold), "--because", "the test is over", "--yes")
        for incident in found("incidents"):
            api.post(f"/v1/incidents/{incident}/close", json={"because": "the test is over"})
    assert all(any(command in block for block in BLOCKS) for command in SHOWN)
