"""A look at a large rollout costs more, so there are fewer of them; a breach is still seen within seconds."""

from mailcordon.control.rollouts import loop


def test_a_large_rollout_is_looked_at_less_often_but_every_fifteen_seconds() -> None:
    assert loop.pause_ms(5_000) == 0
    assert loop.pause_ms(10_000) == 10_000
    assert loop.pause_ms(1_000_000) == loop.LONGEST_PAUSE_MS == 15_000
