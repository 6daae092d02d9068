"""`mailcordon metrics rebuild`, with the rights of the control role."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mailcordon import config as configs
from mailcordon.adapters.db import cohort_rebuild
from mailcordon.core.provider import Provider
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


async def test_each_delivery_of_a_lane_with_two_paths_is_counted_on_its_own_again(
    world: World, database: Any
) -> None:
    """One by the path of its message, one by the mask of those that take the other."""
    for path, others in (("isolated", 0), ("isolated", 1), ("shared", 1 << 62), ("shared", 1)):
        sent = await world.sent("acme", "newsletter", "kim@gmail.com", known=False)
        await world.owner.execute(
            "update message set path = $2, other_path = $3 where id = $1",
            sent.attempt.delivery & -64, path, others,
        )  # fmt: skip
        await world.owner.execute("delete from ready")
        tenant, lane = world.tenants["acme"], world.lanes["acme", "newsletter"]
        await world.answered(sent, tenant, lane, int(Provider.GMAIL))
        await world.tell(sent.bounce() if others == 1 else sent.delivery_event())
    counted = (
        "select s.path, sum(c.sent)::int as sent, coalesce(sum(c.hard_bounced), 0)::int as bounced"
        " from cohort_minute c join slice s on s.id = c.slice group by 1 order by 1"
    )

    async def live() -> list[tuple[str, int, int]]:
        return [(row["path"], row["sent"], row["bounced"]) for row in await world.owner.fetch(counted)]

    async def differences(*, check: bool) -> set[tuple[str, tuple[int, int]]]:
        found = await cohort_rebuild.rebuild(world.owner, world.now // 60_000 - 1440, check=check)
        return {(one.cell.path, (one.counts[0], one.counts[3])) for one in found.differences}

    assert await differences(check=False) == set()
    before = await live()
    assert before == [("isolated", 2, 1), ("shared", 2, 1)]
    # As if the live counts had ignored the masks.
    await world.owner.execute("update message set other_path = 0 where other_path = 1 and path = 'isolated'")
    assert await differences(check=False) == {("isolated", (1, 1)), ("shared", (-1, -1))}
    assert await live() == [("isolated", 3, 2), ("shared", 1, 0)]
    assert await differences(check=True) == set()
