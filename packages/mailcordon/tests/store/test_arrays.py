"""PostgreSQL reads the arrays that we write as text without a change, whatever is in them."""

from typing import Any

import asyncpg
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcordon.adapters.db import arrays

HOSTILE = [
    "",
    "NULL",
    "null",
    '"',
    "\\",
    '\\"',
    "{",
    "}",
    "{a,b}",
    ",",
    " a ",
    "\n",
    "'",
    "\\x41",
    "ü",
    "\U0001f4e8",
    None,
]
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


async def test_an_array_written_as_text_is_read_unchanged(database: Any) -> None:
    texts: list[list[str | None]] = [
        HOSTILE,
        [],
        *[[one] for one in HOSTILE],
        ["a", "b"],
        ["a", '","', "b"],
        ["\x1f", ""],
        [None, None],
    ]
    bytes_: list[list[bytes | None]] = [[b"", b"\0\xff", b'\\"', None]]
    numbers: list[list[int | None]] = [[0, -1, 2**63 - 1, None]]

    @settings(max_examples=50, database=None, deadline=None)
    @given(
        st.lists(TEXTS),
        st.lists(st.none() | st.binary()),
        st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)),
    )
    def gather(text: list[str | None], binary: list[bytes | None], number: list[int | None]) -> None:
        texts.append(text)
        bytes_.append(binary)
        numbers.append(number)

    gather()
    connection = await asyncpg.connect(database.dsn("observe"))
    try:
        for kind, cases in (("text", texts), ("bytea", bytes_), ("bigint", numbers)):
            for case in cases:
                found = await connection.fetchval(f"select $1::text::{kind}[]", arrays.mixed(case))
                assert found == case
        for case in texts:
            assert await connection.fetchval("select $1::text::text[]", arrays.texts(case)) == case
        for case in bytes_:
            there = [one for one in case if one is not None]
            assert await connection.fetchval("select $1::text::bytea[]", arrays.digests(there)) == there
        for case in numbers:
            whole = [one for one in case if one is not None]
            assert await connection.fetchval("select $1::text::bigint[]", arrays.integers(whole)) == whole
    finally:
        await connection.close()
