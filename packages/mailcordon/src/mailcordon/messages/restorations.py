"""What is said after a restore from a backup: `mailcordon restored`, and the reasons of mail that was queued in the backup."""

from collections.abc import Sequence

from mailcordon.messages import example, phrases, times


@example(backup_at=1764496800000, because="reports of this host are missing in it")
@example(backup_at=None, because="kim restored it after the disk failed")
def restored(*, backup_at: int | None, because: str) -> str:
    """Why nothing is sent after a restore: the stop of the cell."""
    of = "" if backup_at is None else f" of about {times.minute(backup_at)}"
    return f"The database was restored from a backup{of} ({because}): what was sent since is not in it"


@example(host="mail-1", known=57031, has=56110)
@example(host="mail-1", known=57031, has=0)
def reports_missing(*, host: str, known: int, has: int) -> str:
    """How a dispatcher found that the database was restored."""
    there = f"knows {has:,} of them" if has else "does not know this host"
    return f"{host} has reported to it {known:,} times, and it {there}"


@example(by="kim", because="calls of all three hosts are in the logs")
def settled(*, by: str, because: str) -> str:
    """Why the stop of a restored database ended."""
    return f"{by} settled it: {because}"


@example(at=1764496800000)
@example(at=None)
def called(*, at: int | None) -> str:
    """A delivery of a backup for which SES was called: it is not sent again."""
    when = "" if at is None else f" at {times.second(at)} on {times.day(at)}"
    return (
        f"SES was called for it{when}, and the database was restored from a backup that does not know the answer. "
        "It is not sent again; an event that still comes shows its outcome"
    )


@example(by="kim")
def dropped(*, by: str) -> str:
    """A delivery of a backup that a person did not want to be sent, since it may have been sent before the restore."""
    return f"{by} dropped it: the database was restored from a backup, and nothing proves that it had not been sent before"


@example()
def none_open() -> str:
    """`mailcordon restored` where nothing is to be settled."""
    return (
        "No restore is to be settled. If this database was restored from a backup and nobody has noticed: "
        'mailcordon restored --begin --because "..." stops all mail until it is settled.'
    )


@example(
    found_at=1764500400000,
    found_by="dispatch",
    backup_at=1764496800000,
    because="mail-1 has reported to it 57,031 times, and it knows 56,110 of them",
)
def open_since(*, found_at: int, found_by: str, backup_at: int | None, because: str) -> str:
    """The first line of `mailcordon restored`: nothing is sent."""
    of = "" if backup_at is None else f" of about {times.minute(backup_at)}"
    return (
        f"Nothing is sent since {times.minute(found_at)}: the database was restored from a backup{of}. "
        f"Found by {found_by}: {because}."
    )


@example(class_="urgent", sent=0, called=2, open=1)
def of_class(*, class_: str, sent: int, called: int, open: int) -> str:
    """What is queued in the backup, of one class."""
    return (
        f"{class_}: {sent:,} that SES has, by its Send event; {called:,} for which SES was called; "
        f"{open:,} of which nothing says so."
    )


@example()
def nothing_queued() -> str:
    """Nothing was queued in the backup."""
    return "Nothing was queued in the backup."


@example(files=49)
@example(files=0)
def logs_read(*, files: int) -> str:
    """Which call logs were read."""
    if not files:
        return "No call log was read. Each host of a dispatcher has one in its home: give them with --calls."
    return f"Read {phrases.count(files, 'file')} of call logs."


@example()
def proved_stay() -> str:
    """What becomes of mail for which SES was called."""
    return "What SES has, or was called for, is not sent again, whatever you decide."


@example(classes=["urgent", "marketing"])
def decide(*, classes: Sequence[str]) -> str:
    """What a person is asked for."""
    named = phrases.listed([*classes])
    words = " ".join(f"--send {one}" for one in classes)
    return (
        f"Decide on the rest of {named}. If the call logs of all hosts were read, it was not sent and --send is safe. If not, it "
        f'may have been sent: --drop it, or risk a second copy. For example: mailcordon restored {words} --because "..." --yes'
    )


@example()
def settle_next() -> str:
    """Nothing is left to decide."""
    return 'Nothing is left to decide: mailcordon restored --because "..." --yes lets mail go.'


@example()
def also_lost() -> str:
    """What else is not in the database any more."""
    return (
        "Also lost since the backup: mail that was accepted and not sent (the apps have to send it again), suppressions, "
        "unsubscribes, holds, keys that were made or revoked. docs/backup.md says what to do about each before mail goes."
    )


@example(count=3)
def still_sending(*, count: int) -> str:
    """Calls of dispatchers of before the restore are still open in the database."""
    marked = "is marked" if count == 1 else "are marked"
    return (
        f"{phrases.deliveries(count)} of the backup {marked} as on the wire. "
        "A dispatcher that runs declares such calls unknown within seconds: start one, and try again."
    )


@example(classes=["marketing"])
def undecided(*, classes: Sequence[str]) -> str:
    """`--yes` without a decision on each class."""
    named = phrases.listed([*classes])
    return f"Nothing is decided on {named}: name each with --send or --drop."


@example(both="urgent")
def both_ways(*, both: str) -> str:
    """A class in --send and --drop."""
    return f"{both} is in --send and in --drop: name it once."


@example(given="newsletter")
def not_a_class(*, given: str) -> str:
    """A value of --send or --drop."""
    return f'"{given}" is no class: urgent, transactional or marketing.'


@example()
def because_missing() -> str:
    """`--yes` or `--begin` without a reason."""
    return 'Say why, for the audit trail: --because "...".'


@example(path="/backup/calls", why="No such file or directory")
def log_not_read(*, path: str, why: str) -> str:
    """A value of --calls."""
    return f"{path} cannot be read: {why}."


@example(sent=1, called=2, dropped=0, kept=7)
def done(*, sent: int, called: int, dropped: int, kept: int) -> str:
    """It is settled."""
    return (
        f"Settled: {sent:,} sent, {called:,} without an outcome, {dropped:,} dropped; {kept:,} still queued, to leave along "
        "the ramp. Events of them that are in quarantine can be replayed: mailcordon quarantine list."
    )


@example()
def begun() -> str:
    """`mailcordon restored --begin`."""
    return "All mail is stopped until this is settled."
