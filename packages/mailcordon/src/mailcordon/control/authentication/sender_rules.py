"""What Gmail, Yahoo and Microsoft ask of bulk senders (ses.md 8.2), for the mail of one lane.

A rule that nothing here can see is `not checked`, with the reason: a list that says "met" of it would be believed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from mailcordon.control.authentication.judgement import MailAnswer, Result
from mailcordon.core.provider import Provider
from mailcordon.messages import identities as words

BULK_PROVIDERS = (Provider.GMAIL, Provider.YAHOO, Provider.MICROSOFT)


class State(StrEnum):
    MET = "met"
    NOT_MET = "not-met"
    NOT_CHECKED = "not-checked"


class Rule(StrEnum):
    SPF_AND_DKIM = "spf-and-dkim"
    DMARC = "dmarc"
    ALIGNED = "aligned"
    ONE_CLICK = "one-click"  #: marketing only
    HONOURED = "unsubscribe-honoured"  #: marketing only
    SPAM_RATE = "spam-rate"
    REVERSE_DNS = "reverse-dns"
    TLS = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    provider: Provider
    rule: Rule
    state: State
    says: str  #: what the provider asks, and what was seen or why it was not looked at


#: Rules that a provider has, of those above. Microsoft recommends an unsubscribe link and names no spam rate.
_RULES = {
    Provider.GMAIL: tuple(Rule),
    Provider.YAHOO: tuple(Rule),
    Provider.MICROSOFT: (Rule.SPF_AND_DKIM, Rule.DMARC, Rule.ALIGNED),
}
_ONLY_MARKETING = frozenset({Rule.ONE_CLICK, Rule.HONOURED})


def checklist(answer: MailAnswer, *, marketing: bool) -> tuple[Checked, ...]:
    """The rules that apply to the lane, in the order of the providers."""
    return tuple(_checked(answer, marketing=marketing))


def _checked(answer: MailAnswer, *, marketing: bool) -> Iterator[Checked]:
    for provider in BULK_PROVIDERS:
        for rule in _RULES[provider]:
            if marketing or rule not in _ONLY_MARKETING:
                state = _state(rule, answer)
                says = words.sender_rule(rule.value, state.value)
                yield Checked(provider=provider, rule=rule, state=state, says=says)


def _state(rule: Rule, answer: MailAnswer) -> State:
    match rule:
        case Rule.SPF_AND_DKIM:
            return _all(answer.spf, answer.dkim)
        case Rule.DMARC:
            unknown = answer.policy is None and answer.result is Result.UNKNOWN
            return State.NOT_CHECKED if unknown else _all(answer.policy is not None)
        case Rule.ALIGNED:
            unknown = answer.result is Result.UNKNOWN
            return State.NOT_CHECKED if unknown else _all(answer.result is not Result.FAILS)
        case Rule.ONE_CLICK:
            return (
                State.MET
            )  # the door accepts no marketing mail without these headers (send/mail_headers.py)
        case _:
            return State.NOT_CHECKED


def _all(*facts: bool | None) -> State:
    if any(fact is False for fact in facts):
        return State.NOT_MET
    return State.NOT_CHECKED if None in facts else State.MET
