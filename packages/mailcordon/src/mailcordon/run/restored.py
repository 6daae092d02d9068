"""`mailcordon restored`: what was queued in the backup that the database was restored from, and what becomes of it.

It works on the database, with the logins governor and control, so that it can be answered before any mail is accepted again.
"""

import asyncio
import getpass
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mailcordon.adapters.db import connect_errors, engine
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.installation import load_installation
from mailcordon.adapters.db.restoration_store import RestorationStore
from mailcordon.adapters.ses import feedback
from mailcordon.config import Config, login_setting
from mailcordon.control.governor import Governor
from mailcordon.control.restorations import Evidence, Fate, Found, Open, Restorations, last_calls
from mailcordon.core import names, tags
from mailcordon.core.errors import Fault, Invalid, Refused
from mailcordon.core.priority import Class
from mailcordon.host import dispatch_memory
from mailcordon.messages import restorations as messages
from mailcordon.observe.ports import DecodedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options of the command."""

    begin: bool
    calls: Sequence[Path]
    send: Sequence[str]
    drop: Sequence[str]
    because: str | None
    yes: bool
    as_json: bool


async def restored(config: Config, asked: Asked) -> int:
    """Returns 0 if nothing is to be settled, or if it was settled; 1 while it is open."""
    send, drop = _classes(asked.send), _classes(asked.drop)
    if both := sorted(send & drop):
        raise Invalid(Fault("--drop", messages.both_ways(both=both[0].word)))
    if (asked.begin or asked.yes) and not asked.because:
        raise Invalid(Fault("--because", messages.because_missing()))
    config.require_logins("control")
    url = config.login_url("governor")
    with connect_errors.explained(url, login_setting("governor")):
        pool = await engine.create_pool(url, max_size=2)
    async with pool as governors:
        store = RestorationStore(governors)
        restorations = Restorations(store, Governor(GovernorStore(governors)).stops, config.cell)
        by = names.holder(getpass.getuser())
        if asked.begin:
            await restorations.found(by=by, because=asked.because or "")
        open_ = await restorations.open()
        if open_ is None:
            print(json.dumps({"open": False}) if asked.as_json else messages.none_open())
            return 0
        files = await asyncio.to_thread(_files, config, asked.calls)
        evidence = await _evidence(config, store, open_, files)
        found = await restorations.look(open_, evidence)
        if asked.yes:
            return await _settle(restorations, open_, evidence, found, send, drop, by, asked)
        _say(open_, found, len(files), as_json=asked.as_json)
        return 1


async def _settle(
    restorations: Restorations,
    open_: Open,
    evidence: Mapping[int, Evidence],
    found: Found,
    send: frozenset[Class],
    drop: frozenset[Class],
    by: str,
    asked: Asked,
) -> int:
    if found.sending:
        raise Refused(messages.still_sending(count=found.sending), code="still-sending")
    if undecided := [one.word for one in found.open_classes if one not in send | drop]:
        raise Invalid(Fault("--send", messages.undecided(classes=undecided)))
    done = await restorations.settle(open_, evidence, drop=drop, by=by, because=asked.because or "")
    dropped = sum(counts[Fate.OPEN] for class_, counts in done.counts.items() if class_ in drop)
    counts = {
        "sent": done.total(Fate.SENT),
        "called": done.total(Fate.CALLED),
        "dropped": dropped,
        "kept": done.total(Fate.OPEN) - dropped,
    }
    print(json.dumps({"open": False, **counts}) if asked.as_json else messages.done(**counts))
    return 0


def _say(open_: Open, found: Found, files: int, *, as_json: bool) -> None:
    if as_json:
        classes = {
            class_.word: {what.value: counts[what] for what in Fate}
            for class_, counts in sorted(found.counts.items())
        }
        print(json.dumps({"open": True, **open_._asdict(), "call_log_files": files, "queued": classes}))
        return
    print(
        messages.open_since(
            found_at=open_.found_at,
            found_by=open_.found_by,
            backup_at=open_.backup_at,
            because=open_.because,
        )
    )
    for class_, counts in sorted(found.counts.items()):
        print(
            messages.of_class(
                class_=class_.word,
                sent=counts[Fate.SENT],
                called=counts[Fate.CALLED],
                open=counts[Fate.OPEN],
            )
        )
    print(messages.proved_stay() if found.counts else messages.nothing_queued())
    print(messages.logs_read(files=files))
    print(messages.also_lost())
    open_classes = [one.word for one in found.open_classes]
    print(messages.decide(classes=open_classes) if open_classes else messages.settle_next())


def _classes(words: Sequence[str]) -> frozenset[Class]:
    by_word = {one.word: one for one in Class}
    for word in words:
        if word not in by_word:
            raise Invalid(Fault("--send, --drop", messages.not_a_class(given=word)))
    return frozenset(by_word[word] for word in words)


def _files(config: Config, given: Sequence[Path]) -> list[Path]:
    """Of the call logs that were given; without any, that of this host's own home."""
    own = config.home / dispatch_memory.CALLS_DIRECTORY
    found: list[Path] = []
    for path in given or ([own] if own.is_dir() else []):
        try:
            found += dispatch_memory.call_files([path])
        except OSError as problem:
            why = problem.strerror or str(problem)
            raise Invalid(Fault("--calls", messages.log_not_read(path=str(path), why=why))) from None
    return found


async def _evidence(
    config: Config, store: RestorationStore, open_: Open, files: Sequence[Path]
) -> dict[int, Evidence]:
    """What tells of calls for mail that is queued in the backup: the call logs, and events in quarantine."""
    queued = {one.id async for page in store.queued(open_.found_at) for one in page}
    found = await asyncio.to_thread(lambda: last_calls(dispatch_memory.read_calls(files), queued))
    url = config.login_url("control")
    with connect_errors.explained(url, login_setting("control")):
        connection = await engine.connect(url)
    try:
        installation = await load_installation(connection, config.secret_keys)
    finally:
        await connection.close()
    if installation is None:
        return found
    async for document in store.documents():
        decoded = feedback.decode(document)
        if not isinstance(decoded, DecodedEvent):
            continue
        try:
            attempt = tags.verify(installation.mac_keys, decoded.event.tags)
        except ValueError:
            continue
        if attempt.delivery in queued and not attempt.canary:
            found[attempt.delivery] = Evidence(attempt.called_at, attempt.attempt, decoded.event.ses_id)
    return found
