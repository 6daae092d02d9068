"""The chain of the audit trail: what its hashes are made of, and what a break is called."""

import hashlib
from dataclasses import replace

import pytest

from mailcordon.control import audit_chain, audit_checkpoints
from mailcordon.control.audit_chain import (
    START,
    AuditRow,
    Break,
    Entry,
    Expected,
    Kind,
    PersonalField,
    Search,
    Walk,
)


def row(id: int, **changed: object) -> AuditRow:
    made = AuditRow(
        id=id,
        at_us=1_795_925_382_394_580 + id,
        salt=bytes([id]) * 16,
        actor="Kim Lee (key ops, 4k2p9x7m)",
        action="hold.place",
        tenant=7,
        object=f"hold {id} on all mail of acme",
        before=None,
        after='{"rate": 1.50}',
        because="too many complaints",
        personal=None,
    )
    return replace(made, **changed)  # pyright: ignore[reportArgumentType]


def chain(count: int) -> list[Entry]:
    return chained([row(id) for id in range(1, count + 1)])


def chained(rows: list[AuditRow]) -> list[Entry]:
    made: list[Entry] = []
    hash = START
    for seq, one in enumerate(rows, start=1):
        digest = audit_chain.digest(one)
        hash = audit_chain.link(hash, digest)
        made.append(Entry(seq=seq, audit=one.id, digest=digest, hash=hash, row=one))
    return made


def renumbered(entries: list[Entry]) -> list[Entry]:
    return [replace(entry, seq=seq) for seq, entry in enumerate(entries, start=1)]


def found(entries: list[Entry], *expected: Expected) -> Break | None:
    walk = Walk(expected)
    for entry in entries:
        if (suspicion := walk.see(entry)) is not None:
            search = Search(suspicion)
            for one in entries:
                search.see(one)
            return search.verdict()
    return None


def test_a_form_has_each_part_with_its_length_in_bytes() -> None:
    assert audit_chain.form(("é", None, "", "a\n1:b")) == "2:é\n-\n0:\n5:a\n1:b\n".encode()


def test_no_two_lists_of_parts_have_the_same_form() -> None:
    lists = [
        ("a", "b"),
        ("ab", ""),
        ("a\n1:b",),
        ("a", None),
        ("a", "-"),
        ("-", "a"),
        (None, "a"),
        ("a",),
        (),
    ]
    assert len({audit_chain.form(parts) for parts in lists}) == len(lists)


def test_a_hash_is_of_the_hash_before_and_the_digest() -> None:
    first, second = chain(2)
    assert first.hash == hashlib.sha256(bytes(32) + first.digest).digest()
    assert second.hash == hashlib.sha256(first.hash + second.digest).digest()


def test_a_chain_as_it_was_written_has_no_break() -> None:
    entries = chain(5)
    assert found(entries, Expected(seq=5, hash=entries[4].hash.hex(), at="t")) is None


def test_every_member_of_a_row_is_in_its_digest() -> None:
    others = {
        "at_us": None, "salt": b"x", "actor": "", "action": "hold.lift", "tenant": 8, "object": "o", "before": "null",
        "after": '{"rate": 1.5}', "because": None, "personal": {"address": PersonalField(hash="1", value=None, salt=None)},
    }  # fmt: skip
    digests = [audit_chain.digest(row(1, **{name: value})) for name, value in others.items()]
    assert len({audit_chain.digest(row(1)), audit_chain.digest(row(2)), *digests}) == len(others) + 2


def test_a_personal_field_is_in_the_digest_by_its_hash_alone() -> None:
    hash = audit_chain.field_hash("address", salt="s", value="kim@example.com")
    there = row(1, personal={"address": PersonalField(hash=hash, value="kim@example.com", salt="s")})
    erased = row(1, personal={"address": PersonalField(hash=hash, value=None, salt=None)})
    assert audit_chain.digest(there) == audit_chain.digest(erased)
    assert audit_chain.fields_are_true(there)
    assert audit_chain.fields_are_true(erased)


@pytest.mark.parametrize(
    ("value", "salt"),
    [("zoe@example.com", "s"), ("kim@example.com", "t"), ("kim@example.com", None), (None, "s")],
)
def test_another_value_of_a_personal_field_is_a_change(value: str | None, salt: str | None) -> None:
    hash = audit_chain.field_hash("address", salt="s", value="kim@example.com")
    entries = chained(
        [row(1), row(2, personal={"address": PersonalField(hash=hash, value=value, salt=salt)})]
    )
    broken = found(entries)
    assert broken is not None
    assert (broken.kind, broken.id) == (Kind.CHANGED, 2)


def test_a_changed_row_is_named() -> None:
    entries = chain(5)
    entries[2] = replace(entries[2], row=row(3, actor="nobody"))
    broken = found(entries)
    assert broken is not None
    assert (broken.kind, broken.seq, broken.id, broken.previous) == (Kind.CHANGED, 3, 3, entries[1])


def test_a_recorded_hash_that_was_changed_is_the_change_of_its_row() -> None:
    entries = chain(5)
    entries[2] = replace(entries[2], hash=bytes(32))
    broken = found(entries)
    assert broken is not None
    assert (broken.kind, broken.id) == (Kind.CHANGED, 3)


def test_a_removed_row_is_named_by_its_place_even_if_its_entry_is_gone_too() -> None:
    entries = chain(5)
    without_row = [replace(entry, row=None) if entry.seq == 3 else entry for entry in entries]
    broken = found(without_row)
    assert broken is not None
    assert (broken.kind, broken.seq, broken.id) == (Kind.REMOVED, 3, 3)
    broken = found(entries[:2] + entries[3:])
    assert broken is not None
    assert (broken.kind, broken.seq, broken.id) == (Kind.REMOVED, 3, None)


def test_rows_that_were_removed_and_the_rest_renumbered_break_where_they_were() -> None:
    entries = chain(6)
    broken = found(renumbered(entries[:2] + entries[4:]))
    assert broken is not None
    assert (broken.kind, broken.id, broken.previous) == (Kind.BROKEN, 5, entries[1])


@pytest.mark.parametrize(("one", "other"), [(2, 3), (1, 5), (2, 5), (4, 5)])
def test_two_rows_that_changed_places_are_reordered(one: int, other: int) -> None:
    entries = chain(6)
    swapped = list(entries)
    swapped[one - 1], swapped[other - 1] = entries[other - 1], entries[one - 1]
    broken = found(renumbered(swapped))
    assert broken is not None
    assert (broken.kind, broken.seq, broken.id) == (Kind.REORDERED, one, other)


def test_two_rows_with_each_others_content_are_reordered() -> None:
    entries = chain(5)
    entries[1], entries[3] = (
        replace(entries[1], row=replace(row(4), id=2)),
        replace(entries[3], row=replace(row(2), id=4)),
    )
    broken = found(entries)
    assert broken is not None
    assert (broken.kind, broken.seq, broken.id) == (Kind.REORDERED, 2, 2)


def test_a_row_that_was_moved_to_the_end_leaves_its_place() -> None:
    entries = chain(6)
    broken = found(renumbered([*entries[:2], *entries[3:], entries[2]]))
    assert broken is not None
    assert (broken.kind, broken.seq, broken.id) == (Kind.REORDERED, 3, 4)


@pytest.mark.parametrize("with_a_hash_that_fits", [True, False])
def test_a_row_that_was_put_between_others_is_named(with_a_hash_that_fits: bool) -> None:
    entries = chain(5)
    digest = audit_chain.digest(row(99))
    hash = audit_chain.link(entries[1].hash, digest) if with_a_hash_that_fits else bytes(32)
    extra = Entry(seq=3, audit=99, digest=digest, hash=hash, row=row(99))
    broken = found(renumbered([*entries[:2], extra, *entries[2:]]))
    assert broken is not None
    assert (broken.kind, broken.seq, broken.id) == (Kind.ADDED, 3, 99)


def test_a_chain_that_was_rewritten_is_named_by_the_first_row_that_a_checkpoint_saw_otherwise() -> None:
    entries = chain(9)
    first = audit_checkpoints.make("t1", "local", [(entry.seq, entry.hash) for entry in entries[:4]])
    second = audit_checkpoints.make("t2", "local", [(entry.seq, entry.hash) for entry in entries[4:]])
    expected = list(audit_checkpoints.expected("f", [one.line for one in (*first, *second)]))
    assert found(entries, *expected) is None
    rewritten = chained([row(id, actor="nobody") if id == 6 else row(id) for id in range(1, 10)])
    assert found(rewritten) is None
    broken = found(rewritten, *expected)
    assert broken is not None
    assert (broken.kind, broken.id, broken.expected and broken.expected.at) == (Kind.REWRITTEN, 6, "t2")


def test_a_checkpoint_after_the_end_shows_that_rows_were_cut_off() -> None:
    entries = chain(5)
    walk = Walk([Expected(seq=2, hash=entries[1].hash.hex(), at="t1"), Expected(seq=9, hash="00", at="t2")])
    assert [walk.see(entry) for entry in entries] == [None] * 5
    ahead = walk.ahead()
    assert ahead is not None
    assert (ahead.seq, walk.checkpoints) == (9, 1)


def test_checkpoints_of_many_rows_are_lines_of_a_bounded_length() -> None:
    hashes = [(seq, hashlib.sha256(bytes([seq % 256])).digest()) for seq in range(11, 2512)]
    made = audit_checkpoints.make("t", "local", hashes)
    assert [(one.seq, len(one.rows)) for one in made] == [(1010, 1000), (2010, 1000), (2511, 501)]
    expected = list(audit_checkpoints.expected("f", (one.line for one in made)))
    assert [one.seq for one in expected] == list(range(11, 2512))
    assert all(hash.hex().startswith(one.hash) for one, (_, hash) in zip(expected, hashes, strict=True))


def test_a_line_that_a_crash_cut_short_is_left_out() -> None:
    whole = audit_checkpoints.make("t", "local", [(1, bytes(32)), (2, bytes(32))])[0].line
    lines = [whole[:40], "", "[]", '{"seq": "x"}', whole]
    assert [one.seq for one in audit_checkpoints.expected("f", lines)] == [1, 2]
    assert audit_checkpoints.latest(reversed([whole, whole[:-3]])) == audit_checkpoints.parse(whole)


def test_checkpoints_of_two_histories_are_refused() -> None:
    lines = [audit_checkpoints.make("t", "local", [(seq, bytes(32))])[0].line for seq in (5, 3)]
    with pytest.raises(audit_checkpoints.BadCheckpoints, match="Line 2"):
        list(audit_checkpoints.expected("f", lines))


def test_a_text_shows_its_personal_fields_while_they_are_there() -> None:
    text = "suppression of {address}, scope tenant"
    assert (
        audit_chain.shown(text, {"address": "kim@example.com"}, erased="-")
        == "suppression of kim@example.com, scope tenant"
    )
    assert audit_chain.shown(text, {"address": None}, erased="-") == "suppression of -, scope tenant"
    assert audit_chain.shown(text, {}, erased="-") == text
    odd = {"address": "{because}@example.com", "because": "asked"}
    assert audit_chain.shown("{address}: {because}", odd, erased="-") == "{because}@example.com: asked"
