"""The rules of large mailbox providers for bulk senders: what was not looked at is never called met."""

from dataclasses import replace

import pytest

from mailcordon.control.authentication import sender_rules
from mailcordon.control.authentication.judgement import MailAnswer, Result
from mailcordon.control.authentication.sender_rules import Rule, State
from mailcordon.control.authentication.subject import Mail
from mailcordon.core.provider import Provider

GOOD = MailAnswer(
    mail=Mail(lane="news", from_domain="acme.example"),
    result=Result.PASSES_BOTH,
    sentence="",
    organisation="acme.example",
    policy="none",
    dkim=True,
    spf=True,
)
UNKNOWN = replace(GOOD, result=Result.UNKNOWN, policy=None, dkim=None, spf=None)


def states(answer: MailAnswer, *, marketing: bool = True) -> dict[tuple[Provider, Rule], State]:
    return {
        (each.provider, each.rule): each.state for each in sender_rules.checklist(answer, marketing=marketing)
    }


def test_each_provider_has_its_own_rules_and_marketing_has_more() -> None:
    rules = {provider: [rule for of, rule in states(GOOD) if of is provider] for provider in Provider}
    assert Rule.SPAM_RATE in rules[Provider.GMAIL]
    assert rules[Provider.MICROSOFT] == [Rule.SPF_AND_DKIM, Rule.DMARC, Rule.ALIGNED]
    assert rules[Provider.GMX] == []
    assert (Provider.GMAIL, Rule.ONE_CLICK) not in states(GOOD, marketing=False)


def test_what_the_judgement_settles_is_met_or_not() -> None:
    gmail = Provider.GMAIL
    assert states(GOOD)[gmail, Rule.SPF_AND_DKIM] is State.MET
    assert states(replace(GOOD, spf=False))[gmail, Rule.SPF_AND_DKIM] is State.NOT_MET
    assert states(replace(GOOD, spf=None, dkim=False))[gmail, Rule.SPF_AND_DKIM] is State.NOT_MET
    assert states(replace(GOOD, policy=None, result=Result.FAILS))[gmail, Rule.DMARC] is State.NOT_MET
    assert states(replace(GOOD, result=Result.FAILS))[gmail, Rule.ALIGNED] is State.NOT_MET
    assert states(replace(GOOD, result=Result.PASSES_DKIM_ONLY))[gmail, Rule.ALIGNED] is State.MET


def test_nothing_is_met_that_was_not_answered() -> None:
    met = {rule for (_, rule), state in states(UNKNOWN).items() if state is State.MET}
    assert met == {Rule.ONE_CLICK}  # the door sees to it, whatever the DNS says


@pytest.mark.parametrize("rule", [Rule.SPAM_RATE, Rule.TLS, Rule.REVERSE_DNS, Rule.HONOURED])
def test_what_nobody_here_can_see_is_not_checked_and_says_why(rule: Rule) -> None:
    found = [each for each in sender_rules.checklist(GOOD, marketing=True) if each.rule is rule]
    assert {each.state for each in found} == {State.NOT_CHECKED}
    assert all("Not checked, because" in each.says for each in found)
