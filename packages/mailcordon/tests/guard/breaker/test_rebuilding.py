"""The breaker's state follows from the counters and what was decided: after a restart it decides as it would have."""

import json

from mailcordon.guard.breaker.engine import Breaker
from mailcordon.guard.breaker.nouns import Decision, Level, Phase
from mailcordon_fixtures.breaker_mail import DAY, Post, lane


def rebuilt(made: Post) -> Breaker:
    """Another breaker, from what a restart finds: facts, standings and counters."""
    breaker = Breaker()
    breaker.lane(lane())
    breaker.remember_delays(json.loads(json.dumps(made.breaker.delays())))
    breaker.restore(made.breaker.standing(1))
    breaker.replay(made.minute - 1, sorted(made.sent, key=lambda each: each.minute))
    return breaker


def twin(made: Post, breaker: Breaker) -> Post:
    return Post(breaker, seed=99, minute=made.minute)


def play(made: Post, seed: int) -> list[Decision]:
    made._random = type(made._random)(type(made._random.bit_generator)(seed))  # pyright: ignore[reportPrivateUsage]
    made._coming.clear()  # pyright: ignore[reportPrivateUsage]
    before = len(made.decisions)
    for _ in range(3):
        for minute in range(60):
            made.send(
                40, at=made.minute + minute, campaign=f"d{made.minute // DAY}", list_="l1", bounces=0.035
            )
        made.run(DAY)
    return made.decisions[before:]


def test_it_decides_the_same_after_a_restart():
    made = Post(Breaker(), seed=3)
    made.breaker.lane(lane())
    made.history(40)
    made.run(5 * DAY)  # all feedback has come
    other = twin(made, rebuilt(made))
    one, two = play(made, 11), play(other, 11)
    assert one, "something is decided at all"
    assert [(each.minute, each.level, each.guilty) for each in one] == [
        (each.minute, each.level, each.guilty) for each in two
    ]
    assert [round(each.nats, 6) for each in one] == [round(each.nats, 6) for each in two]


def test_what_was_decided_is_not_decided_again():
    made = Post(Breaker(), seed=4)
    made.breaker.lane(lane())
    made.history(12)
    for minute in range(5):
        made.send(1000, at=made.minute + minute, campaign="bad", list_="import-7", bounces=0.15)
    assert any(each.level is Level.CORDON for each in made.run(30))
    breaker = rebuilt(made)
    assert breaker.permit(1, made.minute, None) == made.breaker.permit(1, made.minute, None) == 0.0
    other = twin(made, breaker)
    other.history(1)
    assert [each for each in other.decisions if not each.over] == []
    assert Phase.CORDONED in {each.phase for each in breaker.standing(1)} | {
        each.phase for each in made.breaker.standing(1)
    }


def test_the_trouble_is_not_learned_after_a_restart_either():
    made = Post(Breaker(), seed=5)
    made.breaker.lane(lane())
    made.history(12)
    for _ in range(4):
        made.history(1, bounces=0.022)
    assert made.decisions
    made.history(6)
    breaker = rebuilt(made)
    kept = [each for each in breaker.standing(1) if not each.guilty]
    assert kept == [each for each in made.breaker.standing(1) if not each.guilty]


def test_what_is_held_stays_held_without_any_counts():
    made = Post(Breaker(narrow=False), seed=6)
    made.breaker.lane(lane())
    made.history(12)
    for minute in range(5):
        made.send(1000, at=made.minute + minute, campaign="bad", bounces=0.15)
    made.run(30)
    assert made.breaker.permit(1, made.minute) == 0.0
    breaker = Breaker(narrow=False)
    breaker.lane(lane())
    breaker.restore(made.breaker.standing(1))
    breaker.replay(made.minute, [])
    assert breaker.permit(1, made.minute) == 0.0
    assert breaker.standing(1) == made.breaker.standing(1)
    breaker.tick(made.minute + 7 * 60)
    assert [each.phase for each in breaker.standing(1)] == [Phase.PROBING]
