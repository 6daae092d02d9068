"""The JSON reader: what it reads, and the code of everything that it refuses."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.adapters.http import json_body
from mailcordon.adapters.http.problems import Malformed, TooLarge
from mailcordon.core.errors import Invalid
from mailcordon_fixtures.bodies import FAULTY_JSON


class Mail(msgspec.Struct, forbid_unknown_fields=True):
    to: str | None = None
    text: str | None = None
    headers: dict[str, str] = {}


DECODER = msgspec.json.Decoder(Mail)


def code_of(raw: bytes) -> str:
    with pytest.raises(Malformed) as caught:
        json_body.read(raw)
    return caught.value.code


def test_each_fault_of_the_json_has_a_code_of_the_closed_set() -> None:
    assert {name: code_of(raw) for name, (raw, _) in FAULTY_JSON.items()} == {
        name: code for name, (_, code) in FAULTY_JSON.items()
    }
    assert {code for _, code in FAULTY_JSON.values()} == set(json_body.CODES)


@pytest.mark.parametrize("name", sorted(FAULTY_JSON))
def test_a_typed_body_has_the_same_fault_as_an_untyped_one(name: str) -> None:
    """The JSON comes first: a field of the wrong type does not hide it."""
    raw, code = FAULTY_JSON[name]
    with pytest.raises(Malformed) as caught:
        json_body.read_as(DECODER, raw, lambda mail: not mail.headers)
    assert caught.value.code == code


def test_a_wrong_type_and_an_unknown_field_are_named() -> None:
    for raw, field in (
        (b'{"to": 1}', "to"),
        (b'{"cc": "a"}', "cc"),
        (b'{"headers": {"a": 1}}', "headers[...]"),
    ):
        with pytest.raises(Invalid) as caught:
            json_body.read_as(DECODER, raw, lambda mail: not mail.headers)
        assert [fault.field for fault in caught.value.faults] == [field]


def test_the_member_that_came_twice_is_named_without_its_control_characters() -> None:
    for raw, name in ((b'{"a": 1, "a": 2}', "'a'"), (b'{"\\u001b[2J": 1, "\\u001b[2J": 2}', "'\\x1b[2J'")):
        with pytest.raises(Malformed, match="twice in one object") as caught:
            json_body.read(raw)
        assert name in str(caught.value)


def test_members_of_different_objects_and_names_of_different_case_are_not_twice() -> None:
    text = {"a": {"a": [{"a": 1}, {"a": 2}]}, "A": 1, "": {"": ""}}
    assert json_body.read(json.dumps(text).encode()) == text


def test_names_of_members_are_plain_strings_afterwards() -> None:
    assert {type(name) for name in json_body.read(b'{"a": 1, "b": {}}')} == {str}


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False)
)


@given(
    st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
)
def test_what_python_writes_is_read_back(value: object) -> None:
    def depth(one: object) -> int:
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        return 1 + max(map(depth, inner), default=0) if isinstance(one, dict | list) else 0

    raw = json.dumps(value).encode()
    if depth(value) > json_body.MAX_DEPTH:
        assert code_of(raw) == "json-too-deep"
    else:
        assert json_body.read(raw) == value


@given(st.dictionaries(st.sampled_from(["to", "text"]), st.text()), st.dictionaries(st.text(), st.text()))
def test_a_typed_body_with_any_text_in_it_is_read_and_a_second_member_is_noticed(
    texts: dict[str, str], headers: dict[str, str]
) -> None:
    """Colons, quotes, backslashes and escapes in the text hide nothing."""
    whole = {**texts, "headers": headers}
    for raw in (json.dumps(whole), json.dumps(whole, ensure_ascii=False), json.dumps(whole, indent=1)):
        mail = json_body.read_as(DECODER, raw.encode(), lambda mail: not mail.headers)
        assert mail == Mail(**whole)
    for name in whole:
        twice = json.dumps(whole)[:-1] + f', "{name}": {json.dumps(whole[name])}}}'
        with pytest.raises(Malformed, match="twice"):
            json_body.read_as(DECODER, twice.encode(), lambda mail: not mail.headers)


MOST = 1000  #: bytes beside the texts


@pytest.mark.parametrize(
    "body",
    [
        b'{"headers":{' + b",".join(b'"X-%d":"1"' % n for n in range(1000)) + b"}}",
        b'{"to":["a"' + b',"a"' * 1000 + b'],"text":"a"}',
        b'{"a":[' + b"1," * 1000 + b'1],"html":"a"}',
        b'{"text":"a"}' + b" " * 1000,
    ],
)
def test_a_large_message_with_much_beside_its_texts_is_too_large(body: bytes) -> None:
    with pytest.raises(TooLarge):
        json_body.check_beside_texts(body, MOST)


def test_texts_do_not_count_as_beside_the_texts() -> None:
    text = b"a" * 10 * MOST
    json_body.check_beside_texts(b'{"to":"a","text":"' + text + b'","html":"' + text + b'"}', MOST)


@pytest.mark.parametrize("body", [b'{"text":"' + b"a" * 5000, b"\xff" * 5000])
def test_a_large_body_that_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        json_body.check_beside_texts(body, MOST)
