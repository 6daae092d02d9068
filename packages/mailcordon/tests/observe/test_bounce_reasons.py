"""The reason of a bounce: each rule has a text of its own, and no text closes an address that SES's type leaves open: pure."""

import itertools
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.core.bounce_reason import Actor, BounceReason, Follow, Group
from mailcordon.core.event import Attempt, Event, Kind
from mailcordon.core.lane import Lane
from mailcordon.core.priority import Class
from mailcordon.messages import bounces
from mailcordon.observe import closing, suppress
from mailcordon.observe.attribute import Attributed
from mailcordon.observe.bounce_reasons import codes, engine, find
from mailcordon.observe.bounce_reasons.phrases import BROAD_PHRASES, LAST_PHRASES, PHRASES
from mailcordon.observe.bounce_reasons.reading import LONGEST_WORD, read

R = BounceReason
RULES = (*PHRASES, *BROAD_PHRASES, *LAST_PHRASES)
LANE = Lane(id=7, tenant=3, tenant_key="mc-acmexxxx", type="newsletter", class_=Class.MARKETING)
GONE = [reason for reason in BounceReason if reason.gone]


def _texts() -> list[tuple[str, str | None, str]]:
    lines = (Path(__file__).parent / "bounce_texts.txt").read_text().splitlines()
    rows = [line.split(" | ", 2) for line in lines if not line.startswith("#")]
    return [
        (reason, None if status == "-" else status, text.replace("\\n", "\n"))
        for reason, status, text in rows
    ]


TEXTS = _texts()


def test_each_text_has_its_reason() -> None:
    wrong = [
        (text, found, reason)
        for reason, status, text in TEXTS
        if (found := find("General", status, text).reason.word) != reason
    ]
    assert wrong == []


def test_each_rule_over_words_and_marks_decides_a_text() -> None:
    decided = {find("General", status, text).rule for _, status, text in TEXTS}
    names = {f"phrase: {phrase.name}" for phrase in RULES}
    assert names | {f"mark: {source}" for _, _, source in codes.MARKS} <= decided


def test_each_rule_names_its_source() -> None:
    assert all(phrase.source for phrase in RULES)
    assert len({phrase.name for phrase in RULES}) == len(RULES)


def test_a_status_without_words_has_its_reason() -> None:
    for code, reason in [*codes.PRECISE.items(), *codes.WRONG_ADDRESS.items(), *codes.GENERAL.items()]:
        dotted = "5.{}.{}".format(*code)
        assert find("General", dotted, None).reason is reason, dotted
        assert find("General", None, f"smtp; 550 {dotted}").reason is reason, dotted


@pytest.mark.parametrize(("subject", "reason"), codes.SUBJECTS.items())
def test_a_status_that_is_not_known_has_the_reason_of_its_subject(subject: int, reason: BounceReason) -> None:
    assert find("General", f"5.{subject}.999", None).reason is reason


@pytest.mark.parametrize(("reply", "reason"), codes.REPLIES.items())
def test_a_reply_without_words_has_its_reason(reply: int, reason: BounceReason) -> None:
    assert find("General", None, f"smtp; {reply} kittens").reason is reason


@pytest.mark.parametrize(("sub_type", "reason"), codes.SUB_TYPES.items())
def test_a_sub_type_that_names_a_reason_counts_where_the_text_says_nothing(
    sub_type: str, reason: BounceReason
) -> None:
    assert find(sub_type, "5.0.0", "smtp; 554 kittens").reason is reason


def test_the_text_tells_more_than_a_sub_type_unless_ses_found_no_such_mailbox() -> None:
    assert find("ContentRejected", "5.7.26", "550 5.7.26 unauthenticated").reason is R.AUTH_FAILURE
    assert find("NoEmail", "5.1.1", "550 blocked as spam").reason is R.USER_UNKNOWN


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("smtp; 550 5.1.1 <spam.virus@mailbox-full.example>: User unknown", R.USER_UNKNOWN),
        ("smtp; 552 5.2.2 <user.unknown@example.com>: over quota", R.MAILBOX_FULL),
        ("smtp; 550 no-such-user.example.com refuses <kim@example.com>: DKIM fail", R.AUTH_FAILURE),
        ("smtp; 550 see https://example.com/user-unknown/no-such-user 5.7.1 spam", R.CONTENT),
        ("host blacklist.example.com[192.0.2.1] said: 550 No such user", R.USER_UNKNOWN),
    ],
)
def test_names_and_links_do_not_decide(text: str, reason: BounceReason) -> None:
    assert find("General", None, text).reason is reason


def test_words_of_two_sentences_do_not_make_a_rule() -> None:
    assert (
        find("General", None, "550 The recipient is fine. Unknown is the colour of the sky.").reason
        not in GONE
    )


# Hostile texts ------------------------------------------------------------------------------------------------------------

HOSTILE = [
    *("a", "a@", "a.", "5.1.", "<", "\n", "\0", " ", "\u0345\ufdfa", "550 ", "https://", "mailbox is not ", "user "),
    *("sender address ", "connection host network server ", "by spf no ", "too many limit exceeded max ", "-", "=?"),
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_text_of_256_kb_is_read_as_quickly_as_its_first_part(piece: str) -> None:
    """A rule that backtracks over the whole text would take minutes here, not milliseconds."""
    text = (piece * 262_144)[:262_144]
    started = time.process_time()
    assert find("General", "5.0.0", text) == find("General", "5.0.0", text[: 2 * 2000])
    assert time.process_time() - started < 5


@given(st.text(alphabet=st.characters(), max_size=400), st.text(max_size=30) | st.none())
def test_no_text_makes_it_raise(text: str, status: str | None) -> None:
    find("General", status, text)


# What follows -------------------------------------------------------------------------------------------------------------


def test_each_reason_has_a_group_an_actor_and_a_bit() -> None:
    assert {reason for reason in BounceReason if reason.group is None} == {R.AUTOREPLY}
    assert {reason.actor for reason in BounceReason} == set(Actor)
    assert {reason.group for reason in BounceReason} - {None} == set(Group)
    assert max(BounceReason) < 31


@pytest.mark.parametrize("reason", BounceReason)
def test_a_transient_bounce_never_suppresses_whatever_its_text_says(reason: BounceReason) -> None:
    for passing in (False, True):
        assert reason.follow(permanent=False, passing=passing) in (Follow.NOTHING, Follow.RETRY)


def test_the_documented_table_is_the_one_of_the_code() -> None:
    page = (Path(__file__).parents[4] / "docs/bounces.md").read_text()
    for reason in BounceReason:
        group = "" if reason.group is None else f"`{reason.group.word}`"
        follows = [reason.follow(permanent=permanent).value for permanent in (True, False)]
        row = [f"`{reason.word}`", bounces.meaning(reason.word), group, reason.actor.value, *follows]
        assert f"| {' | '.join(row)} |" in page


def bounced(text: str | None, *, type: str = "Permanent", at: int = 5000, key: bytes = b"k") -> Attributed:
    reading = find("General", None, text)
    event = Event(
        kind=Kind.HARD_BOUNCE if type == "Permanent" else Kind.SOFT_BOUNCE,
        at=at,
        mail_at=1000,
        ses_id="ses-1",
        configuration_set=None,
        ses_tenant=None,
        destinations=("kim@example.com",),
        recipients=("kim@example.com",),
        tags={},
        key=key * 16,
        reason=f"{type}/General",
        text=text,
        bounce_reason=reading.reason,
        bounce_passing=reading.passing,
    )
    attempt = Attempt(
        installation="i", tenant_key=LANE.tenant_key, type=LANE.type, delivery=9, attempt=1, called_at=1000
    )
    return Attributed(event, attempt, LANE, "kim@example.com", 0, True, True)


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("550 5.1.1 user unknown", None),
        ("550 5.2.1 mailbox disabled", None),
        ("550 5.1.2 no such domain", None),
        ("550 kittens", 5000 + closing.WEAK_MS),
        ("421 account disabled, try later", 5000 + closing.WEAK_MS),
        (None, None),
    ],
)
def test_a_permanent_bounce_suppresses_as_long_as_its_text_supports(
    text: str | None, until: int | None
) -> None:
    row = suppress.suppression_of(bounced(text), b"h")
    assert row is not None
    assert (row.cause, row.until) == ("hard-bounce", until)
    assert row.evidence["bounce_reason"] == find("General", None, text).reason.word


@pytest.mark.parametrize(
    "text",
    [
        "550 5.7.1 Service unavailable; client [192.0.2.1] blocked using zen.spamhaus.org",
        "550 5.7.1 rejected due to local policy",
        "554 5.7.1 message identified as spam",
        "550 5.7.26 unauthenticated mail is not accepted",
        "554 5.7.1 <kim@example.com>: Relay access denied",
        "552 5.3.4 message too large",
        "553 5.1.8 sender domain does not exist",
        "552 5.2.2 mailbox full",
        "421 4.7.0 too many connections",
        "connection timed out",
    ],
)
def test_a_permanent_bounce_that_is_not_about_the_address_leaves_it_open(text: str) -> None:
    assert suppress.suppression_of(bounced(text), b"h") is None


def test_a_transient_bounce_of_an_unknown_user_leaves_the_address_open() -> None:
    assert suppress.suppression_of(bounced("550 5.1.1 user unknown", type="Transient"), b"h") is None


def test_what_stands_after_several_bounces_does_not_depend_on_their_order() -> None:
    texts = [
        "550 5.1.1 user unknown",
        "550 kittens",
        "554 message identified as spam",
        None,
        "550 no such user",
    ]
    rows = [
        suppress.suppression_of(bounced(text, at=5000 + 1000 * index, key=bytes([index])), b"h")
        for index, text in enumerate(texts)
    ]
    standing = set()
    for order in itertools.permutations([row for row in rows if row is not None]):
        strongest = order[0]
        for row in order[1:]:
            strongest = suppress.stronger(strongest, row)
        standing.add((strongest.since, strongest.until, str(strongest.evidence["text"])))
    assert standing == {(5000, None, "550 5.1.1 user unknown")}


def test_a_full_mailbox_counts_for_repetition_whatever_ses_calls_it() -> None:
    found = bounced("552 5.2.2 mailbox full")
    assert suppress.is_of_the_mailbox(found.event)
    assert suppress.is_of_the_mailbox(replace(found.event, kind=Kind.SOFT_BOUNCE))
    assert not suppress.is_of_the_mailbox(bounced("554 message identified as spam").event)


def test_of_a_long_word_only_the_beginning_is_read() -> None:
    words = read("x" * 1500 + " user unknown", None).words.split()
    assert (len(words[0]), words[1:]) == (LONGEST_WORD, ["user", "unknown"])


def test_the_cache_holds_the_read_part_only() -> None:
    before = engine._of_text.cache_info().currsize
    find("General", None, "y" * 5000 + "1")
    find("General", None, "y" * 5000 + "2")
    assert engine._of_text.cache_info().currsize <= before + 1
