"""Third-party clients, with a few short tests of each; `./dev conformance` runs all of them. The clients are in a separate
environment, which `./dev` makes: nothing is downloaded here."""

from __future__ import annotations

import sys

import pytest

from conformance import clients
from conformance.__main__ import SUITES, Suite, run
from conformance.server import ROOT

HOME = ROOT / ".conformance"
SHORT = [suite for suite in SUITES if suite.short is not None]


def skip(suite: Suite, why: str) -> None:
    said = f"ABSENT: {suite.title.upper()} WAS NOT TRIED: {why}"
    print(said, file=sys.stderr)
    pytest.skip(said)


@pytest.mark.parametrize("suite", SHORT, ids=lambda suite: suite.name)
def test_a_client_works_unchanged(suite: Suite) -> None:
    if suite.name in ("javascript", "nodemailer") and not clients.has_javascript(HOME):
        skip(suite, "its packages are not installed (`./dev conformance --bring`)")
    row = run(suite, HOME, short=True)
    if row.verdict is None:
        skip(suite, row.why)
    else:
        assert row.verdict.failed == ()
        assert len(row.verdict.passed) >= 1


def test_every_kind_of_client_has_a_short_form() -> None:
    assert {suite.name for suite in SHORT} == {"awscli", "javascript", "nodemailer", "django-ses", "anymail"}
