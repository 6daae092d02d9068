"""Who imports what others say of our mail, who reads it, and what is refused."""

from typing import Any

from mailcordon.adapters.http import outside_signals

SIGNAL = {
    "source": "postmaster",
    "domain": "news.acme.example",
    "day": "2026-01-28",
    "rate": 0.002,
    "trust": "high",
    "provider": "gmail",
}
REPORT = {
    "source": "dmarc",
    "domain": "platform.example",
    "day": "2026-01-28",
    "rate": 0.25,
    "trust": "medium",
    "reporter": "google.com",
    "report": "r-1",
    "bad": 2,
    "of": 8,
    "elsewhere": 5,
    "elsewhere_bad": 1,
}


async def hand_in(world: Any, *signals: dict[str, Any]) -> Any:
    key = await world.key(None, "operate")
    return await world.ask(("POST", "/v1/signals", {"signals": list(signals), "because": "from a file"}), key)


async def listed(world: Any, key: str, query: str = "") -> list[dict[str, Any]]:
    answer = await world.ask(("GET", f"/v1/signals{query}", None), key)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_what_was_imported_counts_once_and_each_key_sees_what_is_its_own(world: Any) -> None:
    first = (await hand_in(world, SIGNAL, REPORT)).json()
    assert (first["new"], first["changed"], first["known"]) == (2, 0, 0)
    assert first["not_ours"] == ["platform.example"]
    again = (await hand_in(world, SIGNAL, REPORT | {"bad": 4, "rate": 0.5})).json()
    assert (again["new"], again["changed"], again["known"]) == (0, 1, 1)
    assert again["detail"] == "0 new signals, 1 changed, 1 known before"
    platform = await world.key(None, "read")
    everything = await listed(world, platform)
    assert [(one["domain"], one["tenant"]) for one in everything] == [
        ("platform.example", None),
        ("news.acme.example", "acme"),
    ]
    assert everything[0] == everything[0] | REPORT | {
        "bad": 4,
        "rate": 0.5,
        "counts": False,
        "provider": None,
    }
    assert everything[1] == everything[1] | SIGNAL | {"bad": None, "reporter": None}
    assert await listed(world, world.tenant_keys["acme"]) == everything[1:]
    assert await listed(world, world.tenant_keys["zen"]) == []
    assert await listed(world, platform, "?tenant=acme") == everything[1:]
    assert await listed(world, platform, "?source=dmarc") == everything[:1]
    assert await listed(world, platform, "?domain=News.acme.example") == everything[1:]
    assert await listed(world, platform, f"?after={everything[0]['id']}") == everything[1:]


async def test_a_signal_that_cannot_be_is_refused_and_nothing_of_its_request_is_stored(world: Any) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "signals[1].day": SIGNAL | {"day": "2026-11-31"},
        "signals[1].domain": SIGNAL | {"domain": "a b"},
        "signals[1].provider": SIGNAL | {"provider": "nobody"},
        "signals[1].report": REPORT | {"report": "a\0b"},
        "signals[1].trust": REPORT | {"trust": "high"},
        "signals[1].bad": REPORT | {"bad": 9},
    }
    for field, signal in wrong.items():
        answer = await hand_in(world, SIGNAL, signal)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text
    future = await hand_in(world, SIGNAL | {"day": "9999-12-31"})
    assert future.json()["errors"][0]["field"] == "signals[0].day"
    for over in ({"rate": 1.5}, {"rate": -0.1}, {"source": "rumour"}, {"trust": "blind"}):
        assert (await hand_in(world, SIGNAL | over)).status_code == 422, over
    many = await hand_in(world, *[SIGNAL] * (outside_signals.MOST_SIGNALS + 1))
    assert many.json()["errors"][0]["field"] == "signals"
    assert await listed(world, await world.key(None, "read")) == []
    bad = await world.ask(("GET", "/v1/signals?domain=a%00b", None), await world.key(None, "read"))
    assert bad.status_code == 422
