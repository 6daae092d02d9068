"""The course of a rollout: what a look decides, and what a person's word does."""

from mailcordon.guard.rollouts.nouns import Decision, Facts, Standing


def look(standing: Standing, facts: Facts) -> Decision:
    """What to do now. Deterministic: the same standing and facts give the same decision, before a kill and after it."""
    raise NotImplementedError


def after(standing: Standing, decision: Decision, now: int) -> Standing:
    """The standing once the decision is carried out, at `now` (ms since 1970)."""
    raise NotImplementedError
