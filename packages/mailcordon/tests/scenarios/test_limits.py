"""Limits on a running system: a loop of resets to one person, and a cap under two dispatchers of which one is killed."""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

from mailcordon.core import ids
from mailcordon_fixtures import traffic
from mailcordon_fixtures.systems import System
from mailcordon_fixtures.traffic import Traffic

Run = Callable[..., tuple[int, str, str]]


async def set_limits(mail: Traffic, slug: str, owner: str, *limits: dict[str, Any]) -> None:
    wanted = [
        {"spares_urgent": True, "refuses": False, "mode": "enforce", "because": "A test.", **one}
        for one in limits
    ]
    await mail.db.execute(
        "select replace_limits(id, $2, $3::jsonb) from tenant where slug = $1",
        slug,
        owner,
        json.dumps(wanted),
    )


async def lane_of(mail: Traffic, slug: str) -> int:
    return await mail.db.fetchval(
        "select l.id from lane l join tenant t on t.id = l.tenant where t.slug = $1", slug
    )


async def test_a_loop_of_resets_to_one_person_stops_after_five_and_delays_nobody_else(mail: Traffic) -> None:
    hour = "select now_ms() / 3600000"
    began = await mail.db.fetchval(hour)
    try:
        await play_a_loop(mail)
    except AssertionError:
        if await mail.db.fetchval(hour) == began:
            raise
        await play_a_loop(mail)  # an hour ended meanwhile, and five more left


async def play_a_loop(mail: Traffic) -> None:
    slug = f"loop-{secrets.token_hex(3)}"
    await mail.onboard({slug: ["password-reset"]})
    lane = await lane_of(mail, slug)
    await mail.db.execute("select default_limits($1)", [lane])
    for _ in range(10):
        await asyncio.gather(*(mail.put(slug, "password-reset") for _ in range(20)))
    last = await mail.put(slug, "password-reset")
    others = [f"other{n}@example.com" for n in range(20)]
    await mail.put(slug, "password-reset", others)

    async def settled() -> bool:
        return await mail.count("ready", slug) == 0 and await mail.count_sent(slug) >= 25

    await mail.until(settled, "what may leave has left")
    to = Counter(one["recipients"][0] for one in await mail.sent(slug))
    assert to == {"kim@example.com": 5, **dict.fromkeys(others, 1)}
    assert last is not None
    _, said = await mail.call("GET", f"/v1/messages/{ids.message_id(last)}")
    delivery = said["deliveries"][0]
    assert (delivery["state"], delivery["reason"]) == ("waiting", "recipient-limit")
    assert f"5 mails an hour of {slug}/password-reset to one address" in delivery["detail"]
    assert "195 mails of the same wait before it, so it can leave from" in delivery["detail"]

    own = {"scope": "recipient", "lane": lane, "per": "hour", "cap": 8}
    await set_limits(mail, slug, "guard", own)

    async def eight() -> bool:
        return await mail.count_sent(slug) >= 28 and await mail.count("ready", slug) == 0

    await mail.until(eight, "three more have left")
    assert Counter(one["recipients"][0] for one in await mail.sent(slug))["kim@example.com"] == 8


async def test_a_loop_of_the_same_receipt_to_one_person_stops_and_other_mail_goes_on(mail: Traffic) -> None:
    hour = "select now_ms() / 3600000"
    began = await mail.db.fetchval(hour)
    try:
        await play_a_loop_of_receipts(mail)
    except AssertionError:
        if await mail.db.fetchval(hour) == began:
            raise
        await play_a_loop_of_receipts(mail)  # an hour ended meanwhile, and twenty more left


async def play_a_loop_of_receipts(mail: Traffic) -> None:
    slug = f"again-{secrets.token_hex(3)}"
    await mail.onboard({slug: ["receipt"]})
    repeat = {"scope": "repeat", "lane": await lane_of(mail, slug), "per": "hour", "cap": 20}
    await set_limits(mail, slug, "guard", repeat)
    for n in range(30):
        await mail.put(slug, "receipt", subject=f"Kim, your receipt {n} is here")
    last = await mail.put(slug, "receipt", subject="Kim, your receipt 31 is here")
    await mail.put(slug, "receipt", ["lee@example.com"], subject="Lee, your receipt 1 is here")
    for _ in range(3):
        await mail.put(slug, "receipt", subject="Your order is on its way")

    async def settled() -> bool:
        return await mail.count("ready", slug) == 0 and await mail.count_sent(slug) >= 24

    await mail.until(settled, "what may leave has left")
    to = Counter(one["recipients"][0] for one in await mail.sent(slug))
    assert to == {"kim@example.com": 20 + 3, "lee@example.com": 1}
    assert last is not None
    _, said = await mail.call("GET", f"/v1/messages/{ids.message_id(last)}")
    delivery = said["deliveries"][0]
    assert (delivery["state"], delivery["reason"]) == ("waiting", "recipient-limit")
    assert (
        f"20 mails an hour of {slug}/receipt with one template or subject to one address"
        in delivery["detail"]
    )
    _, page = await mail.call("GET", f"/v1/limits?tenant={slug}&type=receipt")
    [shown] = [one for one in page["items"] if one["waiting"]]
    assert (shown["scope"], shown["cap"], shown["used"], shown["waiting"]) == ("repeat", 20, None, 11)


async def test_a_cap_is_exact_with_two_dispatchers_of_which_one_is_killed(mail: Traffic) -> None:
    slug = f"capped-{secrets.token_hex(3)}"
    await mail.onboard({slug: ["receipt"]}, grace_ms=1_000)
    cap = {"scope": "lane", "lane": await lane_of(mail, slug), "per": "ever"}
    await set_limits(mail, slug, "guard", {**cap, "cap": 30})
    another = traffic.start_another(mail.system, "dispatch")
    try:
        await mail.fill(slug, "receipt", 150)

        async def used(wanted: int) -> bool:
            return bool(await mail.count("limit_use", slug, f"ever >= {wanted}"))

        await mail.until(lambda: used(1), "mail leaves")
    finally:
        another.kill()
        another.wait()
    await mail.until(lambda: used(30), "the cap is used up")
    last = max(mail.accepted)
    _, said = await mail.call("GET", f"/v1/messages/{ids.message_id(last)}")
    closed = said["deliveries"][-1]
    assert (closed["state"], closed["reason"]) == ("waiting", "limit")
    assert "It can leave when the limit grows" in closed["detail"]
    await set_limits(mail, slug, "guard", {**cap, "cap": 60})
    await mail.until(lambda: used(60), "the cap that grew is used up")
    _, page = await mail.call("GET", f"/v1/limits?tenant={slug}&type=receipt&owner=guard")
    [shown] = page["items"]
    assert (shown["used"], shown["left"], shown["waiting"]) == (60, 0, 90)

    async def recorded() -> bool:
        return not await mail.count("ready", slug, "state = 1") and not await mail.count("waiting", slug)

    await mail.until(recorded, "every call's outcome is known")
    # What had no clear outcome when its dispatcher died, and was sent again, counts twice.
    sent = await mail.sent(slug)
    assert len(sent) <= 60
    assert await mail.count("ready", slug) == 90 + 60 - len({traffic.delivery_of(one) for one in sent})


def test_limits_are_listed_and_shown_on_the_command_line(system: System, run: Run) -> None:
    slug = f"listed-{secrets.token_hex(3)}"
    assert run("tenant", "onboard", slug, "--type", f"login-code=mail.{slug}.example")[0] == 0
    code, out, _ = run("limit", "list", "--tenant", slug, "--type", "login-code", "--json")
    [one] = [one for one in json.loads(out)["items"] if one["owner"] == "new-sender"]
    assert (code, one["scope"], one["per"], one["used"]) == (0, "lane", "day", 0)
    code, out, _ = run("limit", "list", "--tenant", slug)
    assert code == 0
    assert f"of {slug}/login-code" in " ".join(out.split())
    code, out, _ = run("limit", "show", str(one["id"]))
    assert code == 0
    assert f"mails a day of {slug}/login-code: 0 used" in out
    code, out, _ = run("limit", "list", "--tenant", slug, "--used-up")
    assert (code, out.strip()) == (0, "No limit is used up")
    code, _, error = run("limit", "show", "999999999")
    assert code == 3
    assert "There is no limit 999999999" in error
