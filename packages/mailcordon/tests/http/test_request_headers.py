"""Headers of which a request may have one."""

import pytest

from mailcordon.adapters.http import request_headers
from mailcordon.adapters.http.problems import Malformed

ONE = [
    (b"host", b"a"),
    (b"authorization", b"Bearer x"),
    (b"idempotency-key", b"k"),
    (b"accept", b"a"),
    (b"accept", b"b"),
]


def test_the_key_and_the_idempotency_key_are_returned() -> None:
    assert request_headers.credentials(ONE) == ("Bearer x", "k")
    assert request_headers.credentials([]) == (None, None)


@pytest.mark.parametrize("name", [b"authorization", b"host", b"idempotency-key"])
@pytest.mark.parametrize("value", [b"another", b""])
def test_a_second_one_is_refused_by_name(name: bytes, value: bytes) -> None:
    with pytest.raises(Malformed, match="more than one") as caught:
        request_headers.credentials([*ONE, (name, value)])
    assert caught.value.code == "duplicate-header"
    assert name.decode() in str(caught.value).lower()
