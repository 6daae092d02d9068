"""Incidents: what went wrong, whose it is, what was done, and how long it took (docs/incidents.md)."""

from mailcordon.messages import times
from mailcordon.messages.catalogue import example

_LOST = "no events of set mc-urgent come back since 14:02"

# What is wrong with the alarms themselves -----------------------------------------------------------------------------------


@example()
def source_slow() -> str:
    """Why the alarms of a source are not known: it has not answered yet."""
    return "it does not answer"


@example("lost feedback", "the database is not available")
def source_unread(source: str, problem: str) -> str:
    """Alarm: a source of alarms fails, so what it would say is not known."""
    return f"alarms about {source} are not read: {problem}; those that were open stay open, and new ones are not seen"


@example()
def source_unread_next() -> str:
    """What to do about a source of alarms that fails."""
    return "the next round tries again; the log of the control process has the cause"


@example("lost feedback")
def source_culprit(source: str) -> str:
    """Who is at fault when a source of alarms fails."""
    return f"Mailcordon's reading of {source}"


# The timeline ----------------------------------------------------------------------------------------------------------------


@example("critical", _LOST)
def entry_worsened(severity: str, sentence: str) -> str:
    """Timeline: an alarm is more severe than the incident was so far."""
    return f"now {severity}: {sentence}"


@example(_LOST)
def entry_harm(sentence: str) -> str:
    """Timeline: it was mitigated, and does harm again."""
    return f"it does harm again: {sentence}"


@example(_LOST)
def entry_back(sentence: str) -> str:
    """Timeline: a closed incident opens again."""
    return f"it is back: {sentence}"


@example(1, _LOST)
@example(40, _LOST)
def entry_joined(alarms: int, sentence: str) -> str:
    """Timeline: more alarms with the same cause."""
    return sentence if alarms == 1 else f"{alarms:,} more alarms, of which the worst: {sentence}"


@example("tenant acme: list bought")
def entry_identified(culprit: str) -> str:
    """Timeline: it is known who or what is at fault."""
    return f"due to {culprit}"


@example("ann")
@example(None)
def entry_contained(by: str | None) -> str:
    """Timeline: its alarms still show and do no more harm."""
    return "it does no more harm" + ("" if by is None else f", since {by} acted")


@example()
def entry_mitigated() -> str:
    """Timeline: the last alarm has ended."""
    return "none of its alarms shows any more"


@example(600)
def closed_quiet(seconds: float) -> str:
    """Why an incident closed: nothing more was seen."""
    return f"no alarm for {times.span(seconds)}"


@example(_LOST)
def closed_as_part(sentence: str) -> str:
    """Why an incident closed: another one explains it."""
    return f"it is part of another incident: {sentence}"


@example(40, _LOST)
def more_than_listed(causes: int, example: str) -> str:
    """Alarm: there are more open incidents than can be listed."""
    return f"{causes:,} more causes of alarms than can be listed as incidents; one of the worst: {example}"


@example()
def more_than_listed_next() -> str:
    """What to do about more incidents than can be listed."""
    return "look for what they have in common; each is listed as others close"
