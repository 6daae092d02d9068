"""`mailcordon metrics rebuild`, with the rights of the control role."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mailcordon import config as configs
from mailcordon.run import metrics

from .conftest import World


async def test_differences_are_shown_and_corrected_only_without_check(
    world: World, database: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = await world.sent("acme", "newsletter", "kim@gmail.com")
    await world.tell(sent.bounce())
    read = configs.read({"MAILCORDON_HOME": str(tmp_path)})
    config = replace(read, login_urls={"control": database.dsn("control")})

    async def rebuild(*, check: bool, as_json: bool = False) -> tuple[int, str]:
        code = await metrics.rebuild(config, since_seconds=86_400, check=check, as_json=as_json)
        return code, capsys.readouterr().out

    assert (await rebuild(check=True))[0] == 0
    await world.owner.execute("update cohort_minute set sent = 5")
    code, said = await rebuild(check=True)
    assert (code, "sent -4" in said, "Not corrected" in said) == (1, True, True)
    code, said = await rebuild(check=False, as_json=True)
    found = json.loads(said)
    assert (code, found["corrected"]) == (0, True)
    assert [one["missing"] for one in found["differences"]] == [{"sent": -4}]
    assert (await rebuild(check=True))[0] == 0
    assert await world.metrics("sent", "hard_bounced") == [(1, 1)]
