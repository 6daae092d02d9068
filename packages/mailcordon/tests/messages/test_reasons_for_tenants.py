"""A report to a tenant does not name the platform's people."""

from mailcordon.messages import reasons


def held(**over: str) -> str:
    given = {
        "owner": "person",
        "by": "kim@example.com (key dashboard, 4k2p9x7m)",
        "because": "Held by us since May",
        "hold": "5",
    }
    return reasons.held(**{**given, **over}, since="28 Nov 2026 15:23 UTC")  # pyright: ignore[reportArgumentType]


def test_a_person_becomes_the_platform_and_the_reason_stays() -> None:
    assert reasons.for_the_tenant(held()) == (
        "Held by the platform since 28 Nov 2026 15:23 UTC: Held by us since May [hold 5]"
    )
    assert "kim" not in reasons.for_the_tenant(held(by="kim since 1 May 2026 x"))


def test_a_part_of_the_system_is_named() -> None:
    for owner in ("ses", "breaker", "policy", "rollout"):
        assert reasons.for_the_tenant(held(owner=owner)) == held(owner=owner)
    assert reasons.for_the_tenant("acme/newsletter is slowed") == "acme/newsletter is slowed"
