"""Whose an entry of the account's list is, how long a split takes, and who only feels migrated."""

from typing import Any

from mailcordon.control.suppression_split.assignment import APART_MS, decide
from mailcordon.control.suppression_split.forecast import forecast
from mailcordon.control.suppression_split.nouns import By, Candidate, Phase, State
from mailcordon.control.suppression_split.standing import Moved, Standing, half_moved

AT = 1_790_000_000_000
ACME, ZEN = 1, 2


def candidate(tenant: int, **more: Any) -> Candidate:
    named: dict[str, Any] = {
        "slug": {ACME: "acme", ZEN: "zen"}[tenant],
        "class_": 1,
        "at": AT,
        "complaint": False,
        "ses_id": None,
        "archive": False,
    }
    return Candidate(tenant=tenant, **(named | more))


def owner(
    *candidates: Candidate, message_id: str | None = "m1", reason: str = "BOUNCE"
) -> tuple[int, By] | None:
    found = decide(reason=reason, listed_at=AT, message_id=message_id, candidates=candidates)
    return None if found is None else (found.tenant, found.by)


def test_the_mail_that_ses_names_decides_whatever_else_is_known() -> None:
    nearer = candidate(ZEN, ses_id="m2")
    assert owner(nearer, candidate(ACME, ses_id="m1", at=AT - 9 * APART_MS)) == (ACME, By.MESSAGE)
    assert owner(nearer, candidate(ACME, ses_id="m1", archive=True)) == (ACME, By.ARCHIVE)
    found = decide(
        reason="COMPLAINT",
        listed_at=AT,
        message_id="m1",
        candidates=[nearer, candidate(ACME, ses_id="m1", class_=0)],
    )
    assert found is not None
    assert (found.class_, found.others) == (0, ["zen"])


def test_without_that_mail_a_report_as_old_as_the_entry_decides() -> None:
    assert owner(candidate(ACME, ses_id="m8", at=AT + APART_MS)) == (ACME, By.HISTORY)
    assert owner(candidate(ACME, ses_id="m8", at=AT + APART_MS + 1)) is None, "it is about another mail"
    assert owner(candidate(ACME, ses_id="m8"), reason="COMPLAINT") is None, "a bounce explains no complaint"
    near, far = candidate(ZEN, ses_id="m8", at=AT - 5), candidate(ACME, ses_id="m9", at=AT - 6)
    assert owner(far, near) == (ZEN, By.HISTORY)


def test_an_entry_that_a_person_made_is_one_tenants_only_if_nobody_else_has_evidence() -> None:
    old = candidate(ACME, at=AT - 400 * APART_MS)
    assert owner(old, message_id=None) == (ACME, By.HISTORY)
    assert owner(old, candidate(ZEN), message_id=None) is None
    assert owner(message_id=None) is None


def test_the_forecast_of_a_long_list_is_made_of_calls_and_the_budget() -> None:
    found = forecast(
        states={State.LISTED: 100_000}, phase=Phase.READING, releases=True, lists=200, rate=1.0, pace=None
    )
    assert (found.calls, found.most_calls) == (300_300, 300_300), "read, store and take off; then 300 pages"
    assert (found.seconds, found.most_seconds) == (300_300, 300_300 * 20)
    # A fifth of what was read is a tenant's, and the pace is known.
    half = {State.LISTED: 50_000, State.ASSIGNED: 10_000, State.UNOWNED: 40_000}
    found = forecast(states=half, phase=Phase.READING, releases=True, lists=0, rate=1.0, pace=0.5)
    assert (found.calls, found.most_calls) == (70_100, 150_100)
    assert found.seconds == 140_200
    found = forecast(states=half, phase=Phase.READING, releases=False, lists=0, rate=None, pace=None)
    assert (found.calls, found.seconds, found.most_seconds) == (60_100, None, None)
    assert (
        forecast(
            states={State.ASSIGNED: 9}, phase=Phase.WATCHING, releases=True, lists=9, rate=1.0, pace=1.0
        ).calls
        == 0
    )
    assert not forecast(states={}, phase=Phase.LISTING, releases=True, lists=0, rate=1.0, pace=1.0).complete


def test_a_tenant_feels_migrated_until_suppressions_and_alerts_have_moved_too() -> None:
    def said(**more: Any) -> list[str]:
        standing = Standing(
            phase=more.pop("phase", Phase.WATCHING),
            compared=more.pop("compared", True),
            open=more.pop("open", 0),
            kept=0,
        )
        moved: dict[str, Any] = {"domains": 1, "account_scope": False, "channels": 1, "shared_channels": 0}
        return half_moved(Moved(tenant="acme", standing=standing, **(moved | more)))

    assert said() == []
    assert said(domains=0, phase=None, channels=0) == [], "its identities have not moved either"
    for more, words in (
        ({"phase": None}, "never taken apart"),
        ({"compared": False}, "not compared"),
        ({"open": 3}, "3 entries"),
        ({"account_scope": True}, "still checks the account's suppression list"),
        ({"channels": 0}, "nobody is told"),
        ({"channels": 0, "shared_channels": 1}, "only channels of everybody"),
    ):
        [line] = said(**more)
        assert words in line
        assert "acme" in line
