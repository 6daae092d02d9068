"""Sentences of the command line whose words depend on the values."""

import pytest

from mailcordon.messages import cli, drill


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("delivers", "is delivered"),
        ("bounces", "bounces"),
        ("complains", "is delivered, and the recipient complains"),
        ("defers", "is deferred"),
    ],
)
def test_every_outcome_of_a_mailbox_is_said_of_the_mail(outcome: str, said: str) -> None:
    sentence = cli.mailbox_set(address="kim@example.com", outcome=outcome, tenant="acme")
    assert sentence == f"From now on, mail of acme to kim@example.com {said}."
    assert drill.mail_not_delivered_by_ses(mail="the newsletter", fate=outcome).endswith(f": it {said}.")


def test_holds_are_named_in_singular_and_plural() -> None:
    assert cli.lift_question(ids=[17]) == "Lift hold 17?"
    assert cli.lift_question(ids=[17, 18]) == "Lift holds 17 and 18?"
    assert cli.no_open_hold(tenant="acme", ids=[17, 18, 21]).startswith(
        "acme has no open holds 17, 18 and 21. "
    )
