"""What a person frees beside what they name."""

from mailcordon.guard.breaker.nouns import Dimension
from mailcordon.observe.breaker.records import Kept, slices_of
from mailcordon.observe.breaker.state import State, Writing


def of_pool(state: State, write: Writing, kept: Kept, because: str, by: str, minute: int) -> set[int]:
    """Who frees one lane that was slowed with others of a pool frees them all. Returns their lanes."""
    pool = next((one for one in slices_of(kept.part) if one.dimension is Dimension.POOL), None)
    if pool is None:
        return set()
    freed = {one.lane for one in state.engine.let_pool_go(kept.lane, pool, minute)}
    for each in list(state.open.values()):
        if each.lane in freed and each.part == kept.part and each is not kept:
            write.end(state, each, because, by=by)
    return freed
