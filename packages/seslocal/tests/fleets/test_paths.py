"""Paths of a run: a mail leaves from the domain and pool that it is given, and counts for them alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from seslocal.fleets.operator import Path, Waiting
from seslocal.fleets.result import Counts, Run
from seslocal_fixtures.fleets import BOUGHT, play, scenario

SHARED = Path(domain="mail.platform.example", pool="platform", ses_tenant="everybody")


class Everything:
    """Mail of all tenants, or of some, takes one path."""

    def __init__(self, path: Path, tenants: Sequence[str] = ()) -> None:
        self._path = path
        self._tenants = tenants
        self.asked: Counter[str] = Counter()

    def path(self, at: float, mail: Waiting) -> Path | None:
        self.asked[mail.key] += 1
        return self._path if not self._tenants or mail.tenant in self._tenants else None


def inbox(run: Run, tenant: str) -> float:
    total = Counts()
    for row in run.rows:
        if row.tenant == tenant:
            total.add(row.counts)
    return total.inbox / total.submitted


def test_a_path_that_says_what_the_tenant_has_changes_nothing_but_is_asked_once_a_mail() -> None:
    class Same:
        def path(self, at: float, mail: Waiting) -> Path | None:
            pool = mail.tenant if mail.tenant.startswith("apart") else "shared"
            return Path(domain=f"{mail.tenant}.example", pool=pool)

    run, log = play(scenario(BOUGHT), days=1)
    same, again = play(scenario(BOUGHT), days=1, paths=Same())
    assert same == run
    assert again == log
    asked = Everything(SHARED)
    other, _ = play(scenario(BOUGHT), days=1, paths=asked)
    assert set(asked.asked.values()) == {1}
    assert len(asked.asked) == other.total().wanted


def test_who_shares_a_path_with_a_bought_list_is_harmed_by_it_and_who_has_its_own_is_not() -> None:
    alone = scenario(
        BOUGHT.replace("600", "4_000") + '[ses]\npauses_tenants = "none"\nreviews_account = false'
    )
    apart, _ = play(alone, days=1)
    together, _ = play(alone, days=1, paths=Everything(SHARED))
    assert inbox(apart, "apart-001") > 0.95
    assert inbox(together, "apart-001") < inbox(apart, "apart-001") - 0.05


def test_a_path_that_nobody_knows_is_doubted() -> None:
    path = Path(domain="new.example", pool="shared")
    known, _ = play(scenario(), days=1, paths=Everything(path, ["apart-001"]))
    cold, _ = play(scenario(), days=1, paths=Everything(path, ["apart-001"]), cold=["new.example"])
    assert inbox(cold, "apart-001") < inbox(known, "apart-001")
    assert inbox(cold, "apart-002") == inbox(known, "apart-002")


def test_a_path_without_a_signature_is_refused_where_the_domain_asks_for_it() -> None:
    path = Path(domain="new.example", pool="shared", dkim=False, spf=False, dmarc="reject")
    run, _ = play(scenario(), days=1, paths=Everything(path, ["apart-001"]))
    assert inbox(run, "apart-001") < 0.3
    assert inbox(run, "apart-002") > 0.9


def test_ses_counts_a_mail_for_the_tenant_of_its_path() -> None:
    text = scenario(BOUGHT)
    strict = msgspec.structs.replace(text, ses=msgspec.structs.replace(text.ses, pauses_tenants="strict"))
    run, _ = play(strict, days=1)
    assert {one.tenant for one in run.actions if one.what == "tenant_paused"} == {"shops-002"}
    shared, _ = play(strict, days=1, paths=Everything(SHARED))
    assert {one.tenant for one in shared.actions if one.what == "tenant_paused"} == {"everybody"}
    assert sum(row.counts.paused for row in shared.rows if row.tenant == "apart-001") > 0
