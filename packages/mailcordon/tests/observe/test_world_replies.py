"""The replies of seslocal's world are read as the cause that they mean, and its domains belong to the same providers: pure."""

import pytest

from mailcordon.core import provider
from mailcordon.core.bounce_reason import BounceReason as R
from mailcordon.observe.bounce_reasons import find
from seslocal.world import providers, replies
from seslocal.world.envelope import Envelope

MEANS = {
    "no_mailbox": {R.USER_UNKNOWN},
    "moved": {R.USER_UNKNOWN, R.MAILBOX_DISABLED},
    "disabled": {R.MAILBOX_DISABLED, R.USER_UNKNOWN},
    "full": {R.MAILBOX_FULL},
    "no_host": {R.DOMAIN_INVALID, R.NETWORK, R.REMOTE_ERROR},
    "rate": {R.RATE_LIMITED},
    "greylisted": {R.GREYLISTED},
    "weather": {R.REMOTE_ERROR, R.NETWORK},
    "reputation": {R.BLOCKED_REPUTATION},
    "listed": {R.BLOCKED_REPUTATION},
    "content": {R.CONTENT},
    "authentication": {R.AUTH_FAILURE},
    "rule": {R.AUTH_FAILURE},
    "too_large": {R.TOO_LARGE},
}
#: Real words that do not say the cause, or say another one: (system, outcome, cause) and what they say.
SAY_LESS = {
    ("apple", "refuse", "reputation"): R.POLICY,  # "due to local policy"
    ("apple", "refuse", "content"): R.POLICY,
    ("apple", "refuse", "listed"): R.CONTENT,  # a domain on the DBL: a list of what mails link to
    ("postfix", "refuse", "listed"): R.CONTENT,
    (
        "barracuda",
        "refuse",
        "content",
    ): R.POLICY,  # "permanent failure for one or more recipients (...:blocked)"
    ("barracuda", "defer", "reputation"): R.GREYLISTED,  # "Try again later" and no more
    ("cisco", "refuse", "authentication"): R.POLICY,  # "SPF unauthorized mail is prohibited"
    ("comcast", "defer", "reputation"): R.RATE_LIMITED,  # "Throttled"
    ("exchange_online", "defer", "rate"): R.BLOCKED_REPUTATION,  # S77719
    ("exchange_online", "defer", "reputation"): R.POLICY,  # "Access denied, please try again later"
    ("outlook", "defer", "rate"): R.BLOCKED_REPUTATION,  # "rate limited due to IP reputation", S77719
    ("yahoo", "defer", "rate"): R.BLOCKED_REPUTATION,  # "unexpected volume or user complaints"
    ("yahoo", "refuse", "authentication"): R.POLICY,  # "for policy reasons"
    ("yahoo", "refuse", "rule"): R.POLICY,
    ("gmail", "refuse", "rule"): R.CONTENT,  # "likely unsolicited mail"
    ("gmail", "defer", "rule"): R.RATE_LIMITED,
    ("gmx", "defer", "reputation"): R.POLICY,  # "due to policy"
    ("gmx", "refuse", "reputation"): R.POLICY,
    ("gmx", "refuse", "content"): R.POLICY,
    ("mimecast", "defer", "greylisted"): R.REMOTE_ERROR,  # "Internal resources are temporarily unavailable"
    ("mimecast", "refuse", "content"): R.POLICY,  # "due to security policies"
    ("orange", "defer", "reputation"): R.REMOTE_ERROR,  # "Service refused, please try later"
    ("orange", "refuse", "reputation"): R.REMOTE_ERROR,
    ("postfix", "defer", "weather"): R.MAILBOX_FULL,  # "Insufficient system storage"
    ("telekom", "refuse", "reputation"): R.UNDETERMINED,  # "A problem occurred"
}
CASES = [
    (system, case)
    for system in (*providers.SYSTEMS, "unreachable")
    for case in replies.cases(system)
    if case[0] != "accept" and case[1]
]


def test_a_reply_is_read_as_what_it_means() -> None:
    assert len(CASES) > 200
    wrong: list[object] = []
    for system, case in CASES:
        outcome, cause, _ = case
        allowed = set(MEANS[cause])
        if (other := SAY_LESS.get((system, outcome, cause))) is not None:
            allowed.add(other)
        for reply in replies.all_of(system, case, _mail(system), at=1_790_000_000.0):
            text = f"smtp; {reply.spoken()}"
            found = find("General", reply.status or f"{reply.code // 100}.0.0", text)
            if found.reason not in allowed or found.passing != (reply.code < 500):
                wrong.append((system, case, text, found))
    assert wrong == []


def test_no_exception_is_left_over() -> None:
    said = {
        (system, case[0], case[1])
        for system in providers.SYSTEMS
        for case in replies.cases(system)
        if case[0] != "accept" and case[1]
        for reply in replies.all_of(system, case, _mail(system), at=1_790_000_000.0)
        if find("General", reply.status, f"smtp; {reply.spoken()}").reason not in MEANS[case[1]]
    }
    assert said == set(SAY_LESS)


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("gmail.com", "gmail"),
        ("hotmail.com", "microsoft"),
        ("yahoo.co.uk", "yahoo"),
        ("icloud.com", "apple"),
        ("gmx.net", "gmx"),
    ],
)
def test_public_domains_have_the_same_provider_in_both(domain: str, name: str) -> None:
    assert providers.provider_of(f"anna@{domain}") == name
    assert provider.of(domain).word == name


def _mail(system: str) -> Envelope:
    return Envelope(
        key="k",
        recipient=f"anna.smith@acme.{system}.example",
        from_domain="news.shop.example",
        signed_by="shop.example",
        spf=True,
        aligned=True,
        mail_from="bounce.shop.example",
        pool="shared",
        ip="192.0.2.25",
    )
