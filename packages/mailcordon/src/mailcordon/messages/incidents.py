"""Incidents: what went wrong, whose it is, what was done, and how long it took (docs/incidents.md)."""

from mailcordon.messages.catalogue import example

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
