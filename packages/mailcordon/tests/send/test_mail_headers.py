"""Which headers a message may have, for all its recipients and for one of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.core import ids
from mailcordon.core.errors import Fault
from mailcordon.core.event import Attempt
from mailcordon.send import compose, mail_headers, submission

POST = {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
LONGEST = 996 - len("References")


def link(text: str) -> dict[str, str]:
    return {"List-Unsubscribe": f"<https://acme.example/{text}>"}


def faults(shared=None, own=(), recipients: int = 1) -> list[Fault]:
    found: list[Fault] = []
    mail_headers.check(shared or {}, own, recipients, found)
    return found


# Names -------------------------------------------------------------------------------------------------------------------

ALLOWED = (
    "List-Id", "List-Unsubscribe", "list-help", "LIST-ARCHIVE", "List-Owner", "References", "In-Reply-To", "Auto-Submitted",
    "precedence", "Comments", "Keywords", "Importance", "X-Mailer", "X-Priority", "x-campaign", "X-Googleplex", "X-Msg-Id",
    "X-Spammy", "X-1",
)  # fmt: skip
REFUSED = {
    "X-SES-TENANT": "control SES",
    "x-google-original-from": "Google",
    "X-GOOGLE-DKIM-Signature": "Google",
    "X-MS-Exchange-Organization-SCL": "Microsoft",
    "x-Spam-Status": "spam filters",
    "X-Mailcordon-Tenant": "Mailcordon",
    "Resent-To": "another sender",
    "Bcc": "in the field `bcc`",
    "Received": "allowed are",
    "Authentication-Results": "allowed are",
    "ARC-Seal": "allowed are",
    "Disposition-Notification-To": "allowed are",
    "Errors-To": "allowed are",
    "Organization": "allowed are",
    "X-": "allowed are",
    "List-": "allowed are",
    "Listen": "allowed are",
    "Content-Language": "allowed are",
    "DKIM-Signature": "SES sets it",
    "Feedback-ID": "Mailcordon sets it",
}  # fmt: skip


@pytest.mark.parametrize("name", ALLOWED)
def test_a_header_of_the_list_and_an_own_x_header_are_taken(name: str) -> None:
    assert faults({name: "<1@acme.example>"}) == []


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_every_other_header_is_refused_by_name_with_the_reason(name: str) -> None:
    for spelling in (name, name.upper(), name.lower()):
        for found in (faults({spelling: "x"}), faults({}, [{spelling: "x"}])):
            (fault,) = found
            assert fault.field in (f"headers.{spelling}", f"to[0].headers.{spelling}")
            assert fault.code == "reserved-header"
            assert REFUSED[name] in fault.problem


@given(
    st.text(
        st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1, max_size=20
    )
)
def test_nothing_but_the_list_and_x_is_ever_taken(name: str) -> None:
    if not faults({name: "x"}):
        assert name.lower() in mail_headers._ALLOWED or name.lower().startswith(("list-", "x-"))


# Values ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "invalid"),
        ("ä", "invalid"),
        ("a\tb", "invalid"),
        ("x" * 996, "invalid"),
        ("a\r\nBcc: eve@example.com", "header-injection"),
        ("=?utf-8?q?a=0D=0ABcc:_eve?=", "header-injection"),
        ("=?utf-8?b?DQpCY2M6IGV2ZQ==?=", "header-injection"),
    ],
)
def test_a_value_is_one_line_of_ascii(value: str, code: str) -> None:
    (fault,) = faults({"X-A": value})
    assert (fault.field, fault.code) == ("headers.X-A", code)


def test_a_value_that_is_too_long_is_told_its_limit() -> None:
    for name, longest in (("X-A", 993), ("In-Reply-To", 985), ("X-" + "a" * 98, 896)):
        assert faults({name: "x" * longest}) == []
        (fault,) = faults({name: "x" * (longest + 1)})
        assert f"at most {longest} characters" in fault.problem


@pytest.mark.parametrize(
    "value", ["=?utf-8?q?=0D=0A?=" * 100_000, "a\r\nBcc: eve@example.com" * 100_000, "\u00e4" * 100_000]
)
@pytest.mark.parametrize("name", ["X-A", "References"])
def test_a_value_without_an_end_is_measured_and_not_read(name: str, value: str) -> None:
    (fault,) = faults({name: value})
    assert "at most 99" in fault.problem or "at most 98" in fault.problem
    assert fault.code == "invalid"


def test_a_name_without_an_end_is_refused_and_not_repeated() -> None:
    for name in ("X-" + "a" * 125, "x" * 1_000_000, "X-\r\n" * 100_000):
        (fault,) = faults({name: "x"})
        assert "1 to 126" in fault.problem
        assert len(fault.field) < 140


@pytest.mark.parametrize("shared", [True, False])
def test_headers_beyond_the_most_are_counted_and_not_read(shared: bool) -> None:
    many = {f"Received-{n}": "\u00e4" for n in range(100_000)}
    (fault,) = faults(many) if shared else faults({}, [many])
    assert fault == Fault("headers" if shared else "to[0].headers", "must be at most 15 headers")


# References --------------------------------------------------------------------------------------------------------------


def references(count: int, size: int = 40) -> list[str]:
    return [f"<{number:0{size}d}@mail.example>" for number in range(count)]


def test_references_of_a_long_thread_lose_their_middle() -> None:
    given = references(60)
    found: list[Fault] = []
    shared, _ = mail_headers.check({"references": " ".join(given)}, (), 1, found)
    assert found == []
    kept = shared[0][1].split(" ")
    assert kept[0] == given[0]
    assert kept[1:] == given[-len(kept) + 1 :]
    assert LONGEST - len(given[0]) <= len(" ".join(kept)) <= LONGEST


def test_references_that_fit_are_left_as_they_are() -> None:
    given = "  " + "  ".join(references(10))
    shared, _ = mail_headers.check({"References": given}, (), 1, [])
    assert shared == (("References", given),)


@pytest.mark.parametrize(
    "value",
    [
        " ".join(references(3, 400)),  # the first and the last two do not fit
        " ".join(references(60)) + " and more",
        "x" * 1000,
        " ".join(f"{n}@mail.example" for n in range(100)),
    ],
)
def test_references_that_cannot_be_trimmed_are_refused_with_their_limit(value: str) -> None:
    (fault,) = faults({"References": value})
    assert f"at most {LONGEST} characters" in fault.problem


@given(
    st.lists(st.from_regex(r"<[a-z0-9]{1,40}@[a-z]{1,20}>", fullmatch=True), min_size=1, max_size=80),
    st.integers(60, 996),
)
def test_trimming_keeps_the_first_the_last_two_and_the_order(given: list[str], longest: int) -> None:
    kept = mail_headers.trimmed(" ".join(given), longest)
    if kept is None:
        assert len(given) < 4 or len(" ".join([given[0], *given[-2:]])) > longest
        return
    ids = kept.split(" ")
    assert len(kept) <= longest
    assert (ids[0], ids[-2:]) == (given[0], given[-2:])
    assert ids[1:] == given[-len(ids) + 1 :]
    if len(ids) < len(given):
        assert len(kept) + 1 + len(given[-len(ids)]) > longest


# One-click ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    ["<https://a.example/1>", "<HTTPS://a.example/1>", "<mailto:a@a.example>, <hTTps://a.example>"],
)
def test_the_scheme_of_a_link_may_have_any_case(uri: str) -> None:
    assert mail_headers.one_click_link((("list-unsubscribe", uri), *POST.items())) is not None


@pytest.mark.parametrize(
    "uri", ["https://a.example/1", "<http://a.example>", "<https://>", "<https:///x>", "<https://?x>"]
)
def test_what_is_no_https_link_does_not_count(uri: str) -> None:
    assert mail_headers.one_click_link((("List-Unsubscribe", uri), *POST.items())) is None


def test_one_link_for_several_recipients_is_refused() -> None:
    def shared(headers, own, recipients: int) -> list[tuple[str, str]]:
        return [(fault.field, fault.code) for fault in faults(headers, own, recipients)]

    assert shared({**POST, **link("1")}, (), 1) == []
    assert shared({**POST, **link("1")}, (), 2) == [("headers.List-Unsubscribe", "unsubscribe-shared")]
    assert shared(POST, [link("1"), link("2"), link("1")], 3) == [
        ("to[2].headers.List-Unsubscribe", "unsubscribe-shared")
    ]
    assert shared({**POST, **link("1")}, [link("2"), None, None], 3) == [
        ("to[2].headers.List-Unsubscribe", "unsubscribe-shared")
    ]
    assert shared({**POST, **link("1")}, [link("2"), None, link("3")], 3) == []
    assert shared(link("1"), (), 2) == []  # no one-click


def test_the_headers_of_a_recipient_count_with_those_of_all() -> None:
    shared = {f"X-{n}": "1" for n in range(14)}
    assert faults(shared, [{"X-13": "2", "X-14": "2"}, {"X-14": "2"}], 2) == []
    (fault,) = faults(shared, [None, {"X-14": "2", "X-15": "2"}], 2)
    assert fault.field == "to[1].headers"


# In the call -------------------------------------------------------------------------------------------------------------

NAMES = ["X-A", "x-a", "X-B", "Comments", "X-C"]
HEADERS = st.dictionaries(st.sampled_from(NAMES), st.from_regex(r"[ -~]{1,20}", fullmatch=True)).filter(
    lambda headers: len({name.lower() for name in headers}) == len(headers)
)


@given(shared=HEADERS, own=st.lists(st.none() | HEADERS, min_size=1, max_size=4), replied=st.booleans())
def test_each_call_has_the_shared_headers_and_the_recipients_own(shared, own, replied) -> None:
    message = submission.check(
        type="receipt",
        sender="a@acme.example",
        to=[f"kim{n}@example.com" for n in range(len(own))],
        subject='"]}}\n'[:-1],
        text="\n]}}\n",
        html=None,
        reply_to=["help@acme.example"] if replied else [],
        headers=shared,
        own_headers=own,
        individually=True,
        campaign=None,
        list=None,
    )
    stored = compose.content(message)
    first = ids.IdGenerator(1).next(1_790_000_000_000)
    for place, mine in enumerate(own):
        call = json.loads(
            compose.call(
                stored,
                to=f"kim{place}@example.com",
                ses_tenant="mc-a",
                configuration_set="mc-b",
                key=b"k" * 32,
                attempt=Attempt(
                    installation="main",
                    tenant_key="mc-a",
                    type="receipt",
                    delivery=first + 1 + place,
                    attempt=1,
                    called_at=1_790_000_000_123,
                ),
            )
        )
        simple = call["Content"]["Simple"]
        sent = {one["Name"]: one["Value"] for one in simple.get("Headers", [])}
        names = {name.lower() for name in mine or {}}
        assert sent == {**{n: v for n, v in shared.items() if n.lower() not in names}, **(mine or {})}
        assert len(sent) == len(simple.get("Headers", []))
        assert (simple["Subject"]["Data"], simple["Body"]["Text"]["Data"]) == ('"]}}', "\n]}}\n")
        assert ("ReplyToAddresses" in call) is replied


def test_a_header_of_one_recipient_takes_no_space_for_the_others() -> None:
    """The shared headers are stored once, even if one recipient replaces them all."""
    shared = {f"X-{n}": "x" * 900 for n in range(15)}
    message = submission.check(
        type="receipt", sender="a@acme.example", to=[f"kim{n}@example.com" for n in range(50)], subject="s", text="t",
        html=None, reply_to=[], headers=shared, own_headers=[dict.fromkeys(shared, "1")] + [None] * 49,
        campaign=None, list=None,
    )  # fmt: skip
    assert len(compose.content(message)) < 20_000
