"""Links to unsubscribe: what a token names, who can make one, and which request unsubscribes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.core import address
from mailcordon.core.template import Source
from mailcordon.send.rendering import engine
from mailcordon.send.texts import PLACEHOLDERS
from mailcordon.send.unsubscribe import PATH, Keyring, Links, Named, UnknownKey, headers, is_one_click

OLD, NEW = bytes(range(64)), bytes(range(64, 128))
HASH_KEY = b"h" * 32
KIM = Named(7, address.hash_of_text(HASH_KEY, "kim@example.com"))
FORM = "application/x-www-form-urlencoded"
ONE_CLICK = b"List-Unsubscribe=One-Click"


def test_a_token_names_lane_and_recipient_and_says_nothing_to_others() -> None:
    ring = Keyring({1: OLD})
    token = ring.token(KIM)
    assert ring.read(token) == KIM
    assert ring.token(KIM) == token  # one link for each lane, in every mail
    assert len({token, ring.token(KIM._replace(lane=8)), ring.token(KIM._replace(hash=b"x" * 16))}) == 3
    assert Keyring({1: NEW}).read(token) is None


def test_a_link_outlives_the_rotation_of_its_key() -> None:
    token = Keyring({1: OLD}).token(KIM)
    rotated = Keyring({1: OLD, 2: NEW})
    assert rotated.read(token) == KIM
    assert rotated.token(KIM) != token
    with pytest.raises(UnknownKey):  # made after the ring was read
        Keyring({1: OLD}).read(rotated.token(KIM))


@given(place=st.integers(0, 51), letter=st.sampled_from("Aa0-_z9Q"))
def test_a_token_with_another_letter_names_nobody(place: int, letter: str) -> None:
    ring = Keyring({1: OLD, 2: NEW})
    token = ring.token(KIM)
    forged = token[:place] + letter + token[place + 1 :]
    try:
        assert ring.read(forged) == (KIM if forged == token else None)
    except UnknownKey:
        assert place < 4  # the number of the key


@given(st.text(max_size=60))
def test_no_other_text_is_a_token(text: str) -> None:
    assert Keyring({1: OLD}).read(text) is None


def test_links_begin_with_the_tenants_own_host_or_the_shared_address() -> None:
    links = Links(Keyring({1: OLD}), HASH_KEY, "https://links.platform.example")
    token = links.ring.token(KIM)
    assert links.of(7, "Kim@example.com", None) == f"https://links.platform.example{PATH}{token}"
    assert links.of(7, "kim@example.com", "u.acme.example") == f"https://u.acme.example{PATH}{token}"
    assert Links(links.ring, HASH_KEY, None).of(7, "kim@example.com", None) is None
    assert Links(Keyring({}), HASH_KEY, "https://x.example").of(7, "kim@example.com", None) is None
    assert headers("https://x.example/u/1") == (
        ("List-Unsubscribe", "<https://x.example/u/1>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )


def test_a_template_places_the_link_and_its_data_may_have_another() -> None:
    source = Source(
        subject="News", text="Bye: {{ unsubscribe_url }}", html='<a href="{{ unsubscribe_url }}">Bye</a>'
    )
    template = engine.parse(source, None)
    found = engine.render(template, {})
    assert (found.text, found.html) == (f"Bye: {PLACEHOLDERS[0]}", f'<a href="{PLACEHOLDERS[0]}">Bye</a>')
    assert engine.render(template, {"unsubscribe_url": "x"}).text == "Bye: x"


def multipart(*fields: tuple[str, str], end: bytes = b"--b1--\r\n") -> bytes:
    parts = [
        f'--b1\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields
    ]
    return b"".join(parts) + end


def test_the_request_of_rfc_8058_is_known_in_both_forms() -> None:
    assert is_one_click(FORM, ONE_CLICK)
    assert is_one_click(f"{FORM}; charset=utf-8", ONE_CLICK + b"\r\n")
    assert is_one_click("", ONE_CLICK)
    field = ("List-Unsubscribe", "One-Click")
    assert is_one_click("multipart/form-data; boundary=b1", multipart(field))
    assert is_one_click('multipart/form-data; boundary="b1"', b"\r\n" + multipart(field))


def test_any_other_post_is_no_request_to_unsubscribe() -> None:
    field = ("List-Unsubscribe", "One-Click")
    for content_type, body in [
        (FORM, b""),
        (FORM, b"List-Unsubscribe"),
        (FORM, b"List-Unsubscribe=one-click"),
        (FORM, ONE_CLICK + b"&" + ONE_CLICK),
        (FORM, b"x=1&" + ONE_CLICK),
        (FORM, b"\xff" + ONE_CLICK),
        ("application/json", ONE_CLICK),
        ("text/plain", ONE_CLICK),
        ("multipart/form-data", multipart(field)),
        ("multipart/form-data; boundary=b2", multipart(field)),
        ("multipart/form-data; boundary=b1", multipart()),
        ("multipart/form-data; boundary=b1", multipart(field, field)),
        ("multipart/form-data; boundary=b1", multipart(field, end=b"")),
        ("multipart/form-data; boundary=b1", multipart(("x", "One-Click"))),
        ("multipart/form-data; boundary=b1", ONE_CLICK),
    ]:
        assert not is_one_click(content_type, body), (content_type, body)


@given(st.text(max_size=60), st.binary(max_size=200))
def test_no_body_makes_the_check_fail(content_type: str, body: bytes) -> None:
    is_one_click(content_type, body)
    is_one_click("multipart/form-data; boundary=b1", body)
