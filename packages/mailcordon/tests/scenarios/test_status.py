"""What keeps mail from leaving is said everywhere, in one sentence: by the delivery, `why`, the lane, `status` and `doctor`.

On real processes. Each test leaves the shared system running well.
"""

import asyncio
import json
import os
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

import pytest
from typer.main import get_command

from mailcordon.adapters.cli import app as command_line
from mailcordon.core import ids
from mailcordon.messages import reasons
from mailcordon.run import doctor
from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic


@dataclass(frozen=True)
class Said:
    """What every surface says of one delivery, its lane and the service at about one time."""

    delivery: dict[str, Any]
    why: str
    lane: str
    status: dict[str, Any]
    status_exit: int
    doctor: str
    doctor_fails: bool

    @property
    def surfaces(self) -> dict[str, str]:
        return {
            "delivery": str(self.delivery["detail"]),
            "why": self.why,
            "lane": self.lane,
            "status": json.dumps(self.status),
            "doctor": self.doctor,
        }


Ask = Callable[[Traffic, str, int], Awaitable[Said]]


@pytest.fixture
def ask(system: systems.System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Commands in this process, which costs a tenth of starting them."""
    main = get_command(
        command_line.build(
            up=_local,
            down=_local,
            migrate=_local,
            doctor=_local,
            assess=(_local, "mailcordon assess"),
            iam=(("queue-policy", _local, "mailcordon iam queue-policy"),),
            verify_audit=_local,
            rebuild_metrics=_local,
            run=_local,
        )
    ).main
    for name in [name for name in os.environ if name.startswith("MAILCORDON_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MAILCORDON_HOME", str(system.home))

    def cli(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(words), prog_name="mailcordon")
        return int(ended.value.code or 0), capsys.readouterr().out

    def commands(slug: str, message: str) -> list[tuple[int, str]]:
        return [cli("why", message), cli("lane", "show", slug, "receipt"), cli("status", "--json")]

    async def ask(mail: Traffic, slug: str, id: int) -> Said:
        message = ids.message_id(id)
        why, lane, status = await asyncio.to_thread(commands, slug, message)
        _, found = await mail.call("GET", f"/v1/messages/{message}")
        findings = await doctor.find(systems.environment(system.home))
        return Said(
            delivery=found["deliveries"][0],
            why=why[1],
            lane=lane[1],
            status=json.loads(status[1]),
            status_exit=status[0],
            doctor=json.dumps([asdict(finding) for finding in findings]),
            doctor_fails=any(finding.state == "bad" for finding in findings),
        )

    return ask


def _local() -> None:
    """Not asked for here."""


async def others_problems(mail: Traffic) -> set[str]:
    """The codes of what is wrong because of other tests of this system, whose alarms may last for minutes. Mostly none."""
    await close_incidents(mail)
    return set(await problems(mail))


async def close_incidents(mail: Traffic) -> None:
    for id in await mail.db.fetch("select id from incident where closed_at is null"):
        await mail.call("POST", f"/v1/incidents/{id['id']}/close", {"because": "another test's"})


async def until_well(mail: Traffic, but: set[str]) -> None:
    """Waits until nothing is wrong that was not before the test."""
    found: list[Any] = []

    async def well() -> bool:
        await close_incidents(mail)
        found[:] = (await mail.call("GET", "/v1/status"))[1]["problems"]
        return {one["code"] for one in found} <= but

    try:
        await mail.until(well, "the service is well")
    except AssertionError as error:
        raise AssertionError([one["detail"] for one in found]) from error


async def problems(mail: Traffic) -> list[str]:
    return [one["code"] for one in (await mail.call("GET", "/v1/status"))[1]["problems"]]


async def lane_with(mail: Traffic) -> str:
    slug = f"stuck-{secrets.token_hex(3)}"
    await mail.onboard({slug: ["receipt"]})
    return slug


async def put(mail: Traffic, slug: str) -> int:
    id = await mail.put(slug, "receipt")
    assert id is not None
    return id


def all_say(said: Said, words: str) -> None:
    assert [name for name, text in said.surfaces.items() if words not in text] == [], said.surfaces


async def test_without_a_dispatcher_every_surface_says_so_and_the_api_stays_healthy(
    mail: Traffic, ask: Ask
) -> None:
    slug = await lane_with(mail)
    others = await others_problems(mail)
    with traffic.stopped(mail.system, "dispatch"):
        id = await put(mail, slug)

        async def silent() -> bool:
            return "role-silent" in await problems(mail)

        await mail.until(silent, "the dispatcher is missed")
        said = await ask(mail, slug, id)
        all_say(said, "No dispatcher has reported")
        assert (said.delivery["state"], said.delivery["reason"]) == ("queued", "no-dispatcher")
        assert (said.status_exit, said.doctor_fails) == (1, True)
        assert mail.system.healthy()
    await mail.all_final(slug)
    await until_well(mail, others)


async def test_when_the_days_quota_is_gone_every_surface_says_so(mail: Traffic, ask: Ask) -> None:
    slug = await lane_with(mail)
    others = await others_problems(mail)
    await put(mail, slug)
    await mail.all_final(slug)
    # All of it is used: what goes to the simulator does not count.
    used = (await mail.ses("GET", "/account"))["sent_last_24_hours"]
    await mail.account(quota=max(1, int(used)))
    try:
        id = await put(mail, slug)

        async def gone() -> bool:
            _, found = await mail.call("GET", f"/v1/messages/{ids.message_id(id)}")
            # A call that was on the wire when SES said so is about to go back to its lane.
            return found["deliveries"][0]["state"] != "sending" and bool(
                {one["check"] for one in (await mail.call("GET", "/v1/status"))[1]["problems"]}
                & {"stops", "account"}
            )

        await mail.until(gone, "the quota is missed")
        said = await ask(mail, slug, id)
        all_say(said, reasons.quota_used_up())
        assert (said.status_exit, said.doctor_fails) == (1, True)
        assert [one["check"] for one in said.status["problems"] if one["code"] not in others] in (
            ["stops"],
            ["account"],
        )
        assert mail.system.healthy()
    finally:
        await mail.account(quota=-1)
    await mail.all_final(slug)
    await until_well(mail, others)


async def test_held_mail_says_by_whom_also_after_it_expired_and_a_hold_is_no_problem(
    mail: Traffic, ask: Ask
) -> None:
    slug = await lane_with(mail)
    others = await others_problems(mail)
    await mail.hold(slug, type="receipt")
    id = await put(mail, slug)
    said = await ask(mail, slug, id)
    all_say(said, "a test")
    assert said.delivery["state"] == "held"
    assert {one["code"] for one in said.status["problems"]} <= others
    assert (said.status_exit, said.doctor_fails) == ((1, True) if said.status["problems"] else (0, False))
    assert [entry["what"] for entry in said.delivery["timeline"]] == ["accepted", "held"]

    await mail.set_lanes([slug], expiry_ms=1)

    async def expired() -> Any:
        _, found = await mail.call("GET", f"/v1/messages/{ids.message_id(id)}")
        one = found["deliveries"][0]
        return one if one["state"] == "expired" else None

    before = await mail.until(expired, "the mail is past its expiry")
    await mail.lift(slug, type="receipt")
    await mail.all_final(slug)
    after = await expired()
    for one in (before, after):
        assert one["reason"] == "expired"
        assert one["detail"].startswith("Expired in the queue. Held by ")
        assert ": a test [hold " in one["detail"]
    # Expired mail leaves held lanes too, once a second: before the hold was lifted, or after.
    assert [what for what in (entry["what"] for entry in after["timeline"]) if what != "released"] == [
        "accepted",
        "held",
        "expired",
    ]
    await until_well(mail, others)
