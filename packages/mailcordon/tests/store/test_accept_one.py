"""A mail that comes alone is accepted by `accept_one`. Its twin `accept` gives the same answer and leaves the same rows."""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from mailcordon.adapters.db import accept_arguments, engine, queries
from mailcordon.adapters.db.accept_store import AcceptStore
from mailcordon.core.route import Route
from mailcordon.send.ports import NewDelivery, NewMessage
from mailcordon_fixtures.queue_world import World, new_message

from .test_hot_statements import rows

_SQL = queries.load("accept_store.sql")
TYPES = ("password-reset", "receipt", "newsletter")
HASHES = [bytes([n]) * 16 for n in range(9)]
KEYS = [bytes([n]) * 16 for n in range(2)]
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_NODE = 3
ID = 1 << 40


class Case(NamedTuple):
    slug: str
    type: str
    hash: bytes
    key: bytes | None
    stale: bool
    campaign: str | None
    list: str | None
    tags: str | None
    likeness: int
    others: int | None
    content: bytes
    provider: int


CASES = st.builds(
    Case,
    slug=st.sampled_from(["acme", "zen"]),
    type=st.sampled_from(TYPES),
    hash=st.sampled_from(HASHES),
    key=st.none() | st.sampled_from(KEYS),
    stale=st.sampled_from([False] * 9 + [True]),
    campaign=TEXTS,
    list=TEXTS,
    tags=st.none() | st.just('{"order": "17"}'),
    likeness=st.integers(-(2**31), 2**31 - 1),
    others=st.none() | st.integers(0, 2**62),
    content=st.binary(max_size=40),
    provider=st.integers(0, 20),
)


def message(case: Case, routes: dict[tuple[str, str], Route]) -> NewMessage:
    return new_message(
        ID,
        case.slug,
        routes[case.slug, case.type],
        deliveries=(NewDelivery(id=ID + 1, address="kim@x.example", hash=case.hash, provider=case.provider),),
        campaign=case.campaign,
        list=case.list,
        tags=case.tags,
        alike=case.likeness,
        others=case.others,
        content=case.content,
        key=case.key,
        body=b"b" * 16,
    )


async def outcome(connection: engine.Connection, statement: str, *arguments: object) -> list[object]:
    """The answer, but for the time, and all rows that are there then. The statement is undone."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        answer = await connection.fetchrow(statement, *arguments)
        assert answer is not None
        keys = await connection.fetch(
            "select tenant, key, body, message from idempotency order by tenant, key"
        )
        return [
            answer["epoch"],
            answer["ok"],
            answer["held"],
            await rows(connection),
            [tuple(row) for row in keys],
        ]
    finally:
        await transaction.rollback()


async def stop(owner: engine.Connection, scope: str | None) -> None:
    """The only stop besides those of lanes."""
    await owner.execute("update stop set ended_at = 1, ended_by = 'x'")
    await owner.execute(
        "insert into stop (scope, name, cause, because, urgent, since, last_seen, probe_at) "
        "select $1, '7', 'x', 'x', true, 1, 1, 1 where $1::text is not null",
        scope,
    )


async def test_one_mail_is_accepted_as_a_batch_of_one_would_be(
    world: World, pinned: engine.Connection
) -> None:
    lanes = {(slug, type): await world.lane(slug, type) for slug in ("acme", "zen") for type in TYPES}
    owner = world.connection
    await owner.execute("update lane set held = true where id = $1", lanes["acme", "receipt"])
    await owner.execute("update lane set stopped = true where id = $1", lanes["zen", "newsletter"])
    # Some turns are due, others idle; each lane of acme has counted mail of this node before.
    await owner.execute("update turn set next_at = 1 where class = 1")
    await owner.execute("insert into lane_intake select id, $1, 5, 500 from lane where id % 2 = 0", _NODE)
    acme = await owner.fetchval("select id from tenant where slug = 'acme'")
    for n, (scope, target, until) in enumerate(
        [(0, 0, None), (1, 1, None), (2, lanes["acme", "newsletter"], None), (0, 0, 1), (0, 0, 1 << 50)]
    ):
        await owner.execute(
            "insert into suppression (tenant, hash, scope, target, address, cause, since, until, by) "
            "values ($1, $2, $3, $4, 'k', 'manual', 1, $5, 'x')",
            *(acme, HASHES[n], scope, target, until),
        )
    for hash, class_ in ((HASHES[5], None), (HASHES[6], 2)):
        await owner.execute(
            "insert into platform_suppression values ($1, 'k', 'complaint', 1, 'x', 'unowned', 'kim', $2)",
            *(hash, class_),
        )
    await owner.execute("insert into idempotency values ($1, $2, $3, 64)", acme, KEYS[0], b"b" * 16)
    store = AcceptStore(world.database.dsn("send"))
    try:
        found = await store.lanes(["acme", "zen"])
    finally:
        await store.close()
    routes = {(slug, type): found[slug].entries[type][0].route for slug, type in lanes}
    epoch = await owner.fetchval("select value from epoch where name = 'control'")
    cases: list[Case] = []
    each = [
        Case(slug, type, hash, None, False, None, None, None, 0, None, b"", 0)
        for slug, type in lanes
        for hash in HASHES
    ]

    @settings(max_examples=40, database=None, deadline=None)
    @given(CASES)
    def gather(case: Case) -> None:
        cases.append(case)

    gather()
    answers: set[object] = set()
    for scope in (None, "cell", "worker"):  # no worker is there that is not stopped
        await stop(owner, scope)
        for case in cases if scope else [*each, *cases]:
            new = message(case, routes)
            at = epoch - 1 if case.stale else epoch
            lean = await outcome(pinned, _SQL.accept_one, at, *accept_arguments.of_one(new, _NODE))
            whole = await outcome(pinned, _SQL.accept, at, *accept_arguments.build([new], _NODE))
            if not whole[1]:
                whole[2] = lean[2]  # whether the lane is held is not asked of mail that was not accepted
            assert lean == whole, (scope, case)
            answers.add((lean[1], bool(lean[2])))
    assert answers == {(True, True), (True, False), (False, False)}
