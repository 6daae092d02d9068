"""The same digest as the standard library's."""

import hmac

from hypothesis import given
from hypothesis import strategies as st

from mailcordon.core import keyed_hash


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_it_is_hmac_sha256(key: bytes, text: bytes) -> None:
    for _ in range(2):  # a key that is used again
        assert keyed_hash.digest(key, text) == hmac.digest(key, text, "sha256")
