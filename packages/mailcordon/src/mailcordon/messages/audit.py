"""What `mailcordon audit` and `doctor` say of the audit trail."""

from mailcordon.messages import example


@example(file="audit-checkpoints.jsonl", line=1204, seq=17, before=310)
def audit_checkpoints_not_ascending(*, file: str, line: int, seq: int, before: int) -> str:
    """`mailcordon audit verify` reads a file of checkpoints that goes back to an earlier row."""
    return (
        f"Line {line} of {file} is a checkpoint of row {seq}, and a line before it of row {before}: the file has the checkpoints "
        "of more than one history, for example of before and after a restored backup. Give the lines of one of them with "
        "--checkpoints."
    )


@example(line=3)
def audit_export_unreadable(*, line: int) -> str:
    """`mailcordon audit verify --export` reads a file that `mailcordon audit export` did not write."""
    return f"Line {line} is no part of an export of the audit trail: `mailcordon audit export` writes one."


@example(file="/srv/acme.jsonl", why="No such file or directory")
def audit_file_unreadable(*, file: str, why: str) -> str:
    """A file that `mailcordon audit verify` was given cannot be read."""
    return f"{file} cannot be read: {why}."


def _times(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else noun + 's'}"


@example(rows=1204, checkpoints=310, last="2026-11-29T04:12:00.000Z", file="audit-checkpoints.jsonl")
@example(rows=1, checkpoints=0, last=None, file="audit-checkpoints.jsonl")
@example(rows=1204, checkpoints=0, last=None, file=None)
def audit_whole(*, rows: int, checkpoints: int, last: str | None, file: str | None) -> str:
    """`mailcordon audit verify` found nothing wrong."""
    found = f"The audit trail is whole: {_times(rows, 'row')}, each as it was written and in its place."
    if last is not None:
        return f"{found} The checkpoints in {file} agree for {_times(checkpoints, 'row')}; the last is of {last}."
    if file is None:
        return (
            f"{found} No checkpoint was compared: a chain that was rewritten as a whole would look the same."
        )
    return f"{found} {file} has no checkpoint to compare: a chain that was rewritten as a whole would look the same."


@example(
    tenant="acme", own=17, rows=1204, checkpoints=310, last="2026-11-29T04:12:00.000Z", end="9f86d081884c7d65"
)
@example(tenant="acme", own=1, rows=1204, checkpoints=0, last=None, end="9f86d081884c7d65")
def audit_export_whole(
    *, tenant: str, own: int, rows: int, checkpoints: int, last: str | None, end: str
) -> str:
    """`mailcordon audit verify --export` found nothing wrong."""
    found = (
        f"The export is whole: {_times(own, 'row')} of {tenant} in a chain of {_times(rows, 'row')}, each as it was written and "
        f"in its place. The chain ends with {end}."
    )
    if last is not None:
        return f"{found} The checkpoints agree for {_times(checkpoints, 'row')}; the last is of {last}."
    return f"{found} Compare it with a checkpoint (--checkpoints FILE): only that proves whose chain it is."


@example(id=17, action="hold.place", at="2026-11-29T04:12:00.123456Z", actor="Kim Lee (key ops, 4k2p9x7m)")
@example(id=17, action=None, at=None, actor=None)
def audit_row(*, id: int, action: str | None, at: str | None, actor: str | None) -> str:
    """Names a row of the audit trail inside other sentences. Of a removed row only the id is left."""
    if action is None:
        return f"row {id}"
    return f"row {id} ({action} by {actor}, {at or 'at no valid time'})"


@example(
    kind="changed",
    row="row 17 (hold.place by Kim Lee (key ops, 4k2p9x7m), 2026-11-29T04:12:00.123456Z)",
    seq=17,
    previous="row 16 (key.create by mailcordon up, 2026-11-29T04:11:00.123456Z)",
    checkpoint=None,
)
@example(
    kind="removed",
    row="row 17",
    seq=17,
    previous="row 16 (key.create by ann, 2026-11-29T04:11:00.000000Z)",
    checkpoint=None,
)
@example(kind="removed", row=None, seq=17, previous=None, checkpoint=None)
@example(
    kind="added",
    row="row 17 (hold.lift by ann, 2026-11-29T04:12:00.000000Z)",
    seq=None,
    previous=None,
    checkpoint=None,
)
@example(
    kind="reordered",
    row="row 17 (hold.lift by ann, 2026-11-29T04:12:00.000000Z)",
    seq=17,
    previous=None,
    checkpoint=None,
)
@example(
    kind="broken",
    row="row 17 (hold.lift by ann, 2026-11-29T04:12:00.000000Z)",
    seq=17,
    previous="row 16 (key.create by ann, 2026-11-29T04:11:00.000000Z)",
    checkpoint=None,
)
@example(
    kind="rewritten",
    row="row 17 (hold.lift by ann, 2026-11-29T04:12:00.000000Z)",
    seq=17,
    previous="row 16 (key.create by ann, 2026-11-29T04:11:00.000000Z)",
    checkpoint="2026-11-29T04:13:00.000Z",
)
@example(
    kind="cut",
    row=None,
    seq=18,
    previous="row 17 (hold.lift by ann, 2026-11-29T04:12:00.000000Z)",
    checkpoint="2026-11-29T04:13:00.000Z",
)
def audit_break(
    *, kind: str, row: str | None, seq: int | None, previous: str | None, checkpoint: str | None
) -> str:
    """`mailcordon audit verify` names the first row that is not as it was written. `doctor` does too."""
    place = "" if seq is None else f", place {seq} of the chain"
    after = f" The last row that is well is {previous}." if previous else ""
    named = row or "the row"
    match kind:
        case "changed":
            what = f"{named}{place}, was changed after it was written."
        case "removed":
            what = f"{named}{place}, was removed."
        case "added":
            what = f"{named}{place}, was added by somebody else than Mailcordon."
        case "reordered":
            what = f"{named}{place}, is not where it was written: rows were reordered."
        case "broken":
            what = f"{named}{place}, does not follow the row before it: that row was changed, or rows between them were removed."
        case "rewritten":
            what = f"{named}{place}, is not what the checkpoint of {checkpoint} saw there: the chain was rewritten from here on."
        case _:
            seen = f": the checkpoint of {checkpoint} saw them" if checkpoint else ""
            what = f"the newest rows, from place {seq} of the chain on, were cut off{seen}."
    return f"The audit trail is not as it was written. The first difference: {what}{after}"


@example(file="/srv/mailcordon/audit-checkpoints.jsonl")
def audit_checkpoints_missing(*, file: str) -> str:
    """`mailcordon audit verify` or `doctor` finds no file of checkpoints where the settings say."""
    return (
        f"There is no checkpoint in {file} yet: the control process writes one within a minute after a change. Until then a "
        "chain that was rewritten as a whole would not be noticed."
    )


@example(rows=1000, last="2026-11-29T04:12:00.000Z")
@example(rows=12, last=None)
def audit_doctor_ok(*, rows: int, last: str | None) -> str:
    """`doctor` looked at the newest rows of the audit trail and at the last checkpoint."""
    seen = f"; the checkpoint of {last} agrees" if last else ""
    return f"The newest {_times(rows, 'row')} are as they were written{seen}. `mailcordon audit verify` checks all."


@example(file="acme.jsonl", own=17, rows=1204)
@example(file="acme.jsonl", own=1, rows=1204)
def audit_exported(*, file: str, own: int, rows: int) -> str:
    """`mailcordon audit export` has written its file."""
    noun = "row" if own == 1 else "rows"
    return (
        f"Wrote {own:,} {noun} with the digests of all {rows:,} to {file}. Check it anywhere: "
        f"mailcordon audit verify --export {file}"
    )
