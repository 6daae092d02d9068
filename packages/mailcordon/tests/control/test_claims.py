"""What the DNS has to say before a token or a DKIM key counts."""

import pytest

from mailcordon.control import claims, dkim_keys
from mailcordon.control.authentication.lookup import Answer, Found

NAME = "_mailcordon.mail.acme.example"


def answer(*records: str, found: Found = Found.RECORDS, authoritative: bool = True) -> Answer:
    return Answer(name=NAME, type="TXT", found=found, records=records, authoritative=authoritative)


def test_a_token_counts_only_from_the_zones_own_name_servers() -> None:
    shown = "mailcordon-claim=abc"
    assert claims.judge(answer("v=other", shown), "abc")[0]
    assert not claims.judge(answer(shown, authoritative=False), "abc")[0]
    assert not claims.judge(answer(shown, found=Found.FAILED), "abc")[0]
    assert not claims.judge(answer(found=Found.NO_NAME), "abc")[0]


@pytest.mark.parametrize(
    "text", ["mailcordon-claim=abcd", "mailcordon-claim=ab", "abc", "mailcordon-claim=ABC"]
)
def test_a_token_is_compared_as_a_whole(text: str) -> None:
    assert not claims.judge(answer(text), "abc")[0]


@pytest.mark.parametrize("text", ["v=DKIM1; k=rsa; p=AAAA", "p=AAAA", "k=rsa;  p= A A AA ;t=s"])
def test_a_key_that_is_published_as_it_is_may_sign(text: str) -> None:
    assert dkim_keys.judge(answer(text), "AAAA") is None


def test_a_key_does_not_sign_before_everybody_can_look_it_up() -> None:
    good = "v=DKIM1; k=rsa; p=AAAA"
    for wrong in (
        answer(good, authoritative=False),
        answer(good, found=Found.FAILED),
        answer(found=Found.NO_NAME),
        answer("v=DKIM1; p="),
        answer("v=DKIM1; p=AAAB"),
        answer(good, good),
    ):
        assert dkim_keys.judge(wrong, "AAAA") is not None
