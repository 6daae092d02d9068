"""What people do with a mail that was accepted: open, click, complain, unsubscribe, and what machines do for them."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache

from seslocal.world.delays import reported
from seslocal.world.draws import Draws
from seslocal.world.envelope import Envelope
from seslocal.world.habits import Habit, Habits, Programs, habits
from seslocal.world.people import Person
from seslocal.world.programs import SCANNERS, Program, own_address, proxy_address
from seslocal.world.reaction import Reaction
from seslocal.world.verdict import Verdict


def react(
    envelope: Envelope, person: Person, verdict: Verdict, at: float, draws: Draws
) -> tuple[Reaction, ...]:
    """Returns what will be done with a mail that was accepted at `at`, in the order of time. The same mail accepted at the same
    time always has the same reactions. Mail that was refused, deferred or returned has none."""
    if verdict.returned is not None or not verdict.accepted:
        return ()
    known = habits()
    provider = verdict.provider
    # who waits for receipts did not ask for mailings: those are read as opted-in ones
    quality = "opted-in" if envelope.bulk and person.quality == "transactional" else person.quality
    habit = known.people[quality].get(person.who)
    scans = known.scanners.get(provider)
    if habit is None and scans is None:
        return ()
    drawn = draws.four("react", f"{envelope.key} {envelope.recipient}")
    found: list[Reaction] = []
    if scans is not None:
        scanner = _scanner(draws.seed, envelope.recipient.rpartition("@")[2].lower(), scans)
        if scanner is not None:
            _scan(found, known, scanner, envelope, draws)
    if habit is not None:
        if verdict.kind == "inbox":
            _in_inbox(found, known, habit, envelope, person, provider, at, drawn)
        else:
            _in_spam(found, known, habit, person, provider, at, drawn)
    if len(found) > 1:
        found.sort(key=_after)
    return tuple(found)


def _after(reaction: Reaction) -> float:
    return reaction.after


def _in_inbox(
    found: list[Reaction],
    known: Habits,
    habit: Habit,
    envelope: Envelope,
    person: Person,
    provider: str,
    at: float,
    drawn: tuple[float, float, float, float],
) -> None:
    # A chance below its bound, divided by the bound, is uniform again and is used once more; that saves hashes.
    chance, when, mood, machine = drawn
    swing = 2 * person.keen - 1
    opens = habit.opens * (1 + habit.keenness * swing)
    annoyed = habit.annoyed * (1 - known.annoyance * swing)
    opened, complained = chance < opens, False
    deleted = not opened and chance - opens < habit.deletes * (1 - opens)
    programs = known.programs[provider]
    index = bisect_right(programs.bounds, person.program)
    after = -1.0
    if opened or deleted or mood < annoyed:
        after = habit.times.at(when)
        if not habit.waits:
            after = _by_day(known, person, at, after)
        if mood < annoyed:
            complaining = annoyed * habit.complains[0 if envelope.one_click else 1 if envelope.bulk else 2]
            complained = mood < complaining
            if complained:
                later = after + 10
                told = reported(provider, at + later, min(mood / complaining, 0.999_999))
                found.append(
                    Reaction(deed="complaint", after=later, reported=None if told is None else told - at)
                )
            elif envelope.bulk:
                found.append(Reaction(deed="unsubscribe", after=after + 15))
    kept = machine < programs.prefetches[index] and _prefetch(
        found, known, programs, index, machine, after if opened else None
    )
    if opened:
        _open(found, known, habit, programs.programs[index], person, after, kept, chance / opens)
    elif deleted and not complained:
        found.append(Reaction(deed="delete", after=after))


def _in_spam(
    found: list[Reaction],
    known: Habits,
    habit: Habit,
    person: Person,
    provider: str,
    at: float,
    drawn: tuple[float, float, float, float],
) -> None:
    """Nothing is fetched in a spam folder before somebody looks, and nobody complains there."""
    chance, when, mood, _ = drawn
    swing = 1 + habit.keenness * (2 * person.keen - 1)
    opens = habit.opens_in_spam * swing
    rescued = mood < habit.not_spam * swing
    if chance >= opens and not rescued:
        return
    after = habit.times_in_spam.at(when)
    if not habit.waits:
        after = _by_day(known, person, at, after)
    programs = known.programs[provider]
    program = programs.programs[bisect_right(programs.bounds, person.program)]
    _open(found, known, habit, program, person, after, False, min(chance / opens, 1.0))
    if rescued:
        found.append(Reaction(deed="not_spam", after=after + 5))


def _by_day(known: Habits, person: Person, at: float, active: float) -> float:
    return known.daytime.seconds(at + known.spread * (2 * person.day - 1), active)


def _prefetch(
    found: list[Reaction], known: Habits, programs: Programs, index: int, machine: float, opened: float | None
) -> bool:
    """The program fetches the pictures before the person opens the mail. Returns whether the open then fetches none."""
    program = programs.programs[index]
    chance = machine / programs.prefetches[index]
    after = known.prefetches.at(chance) if program.keeps else 0.5 + chance
    if opened is not None and after >= opened:
        return False
    address = proxy_address(program.proxy, chance)
    found.append(Reaction(deed="machine_open", after=after, agent=program.prefetches, address=address))
    return program.keeps


def _open(
    found: list[Reaction],
    known: Habits,
    habit: Habit,
    program: Program,
    person: Person,
    after: float,
    kept: bool,
    chance: float,
) -> None:
    own = own_address(person.day)
    if kept or not program.opens:
        found.append(Reaction(deed="open", after=after))
    else:
        address = proxy_address(program.proxy, chance) if program.proxy else own
        found.append(Reaction(deed="open", after=after, agent=program.opens, address=address))
    if chance < habit.clicks:
        later = after + known.clicks.at(chance / habit.clicks)
        found.append(Reaction(deed="click", after=later, agent=program.clicks, address=own))


def _scan(found: list[Reaction], known: Habits, scanner: int, envelope: Envelope, draws: Draws) -> None:
    """A link scanner looks into the mail wherever it is put and whoever it is for."""
    opens, clicks, when, links = draws.four("scan", f"{envelope.key} {envelope.recipient}")
    after = known.scans.at(when)
    agent, address = SCANNERS[scanner], proxy_address("scanner", links)
    if opens < known.scanner_opens:
        found.append(Reaction(deed="machine_open", after=after, agent=agent, address=address))
    if clicks < known.scanner_clicks:
        for number in range(1, 1 + int(links * known.scanner_links) + 1):
            found.append(
                Reaction(deed="machine_click", after=after + 0.2 * number, agent=agent, address=address)
            )


@lru_cache(maxsize=10_000)
def _scanner(seed: int, domain: str, share: float) -> int | None:
    """Returns which of SCANNERS is in front of a domain, or None."""
    scans, which, _, _ = Draws(seed).four("scanner", domain)
    return min(int(which * len(SCANNERS)), len(SCANNERS) - 1) if scans < share else None
