"""The evidence of a suppression in one line: pure."""

from typing import Any

from mailcordon.core.suppression import Scope, Suppression
from mailcordon.observe import suppression_view as view


def entry(**evidence: Any) -> Suppression:
    return Suppression(
        tenant=1,
        hash=b"h",
        address="kim@example.com",
        scope=Scope.TENANT,
        cause="hard-bounce",
        evidence=evidence,
        since=0,
    )


def test_what_the_mail_server_said_comes_first() -> None:
    bounced = entry(text="550 5.1.1 user unknown", reason="Permanent/General", delivery="dlv_1", event="ab")
    assert view.evidence_sentence(bounced) == "550 5.1.1 user unknown (Permanent/General, dlv_1)"
    assert view.evidence_sentence(entry(because="asked by letter")) == "asked by letter"


def test_values_that_are_not_text_are_left_out() -> None:
    odd = entry(text={"status": "5.1.1"}, reason=["Permanent"], because="", type="newsletter")
    assert view.evidence_sentence(odd) == "(newsletter)"
