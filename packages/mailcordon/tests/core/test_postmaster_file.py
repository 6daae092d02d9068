"""Files of Gmail Postmaster Tools: what the API answers, and CSV."""

import json
from typing import Any

from mailcordon.core import postmaster_file
from mailcordon.core.outside_signal import OutsideSignal, Source, Trust
from mailcordon.core.postmaster_file import Unreadable
from mailcordon.core.provider import Provider


def answer(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"trafficStats": list(rows)}).encode()


def of(domain: str, day: str, **more: Any) -> dict[str, Any]:
    return {"name": f"domains/{domain}/trafficStats/{day}", "domainReputation": "HIGH", **more}


EXPECTED = OutsideSignal(
    source=Source.POSTMASTER,
    domain="acme.example",
    day=20_785,
    rate=0.0042,
    trust=Trust.HIGH,
    provider=Provider.GMAIL,
)


def test_the_apis_answer_and_a_csv_file_say_the_same_with_another_trust() -> None:
    row = of("acme.example", "20261128", userReportedSpamRatio=0.0042)
    assert postmaster_file.read(answer(row)).signals == [EXPECTED]
    assert postmaster_file.read(json.dumps(row).encode()).signals == [EXPECTED]
    for text in (
        "domain,date,spam_rate\nAcme.Example,2026-11-28,0.0042\n",
        "\ufeffDate,IP reputation,Spam rate,Domain\r\n2026-11-28,high,0.42%,acme.example\r\n\r\n",
    ):
        [one] = postmaster_file.read(text.encode()).signals
        assert (one.domain, one.day, one.rate, one.trust) == ("acme.example", 20_785, 0.0042, Trust.MEDIUM)
    [told] = postmaster_file.read(answer(row), Trust.LOW).signals
    assert told.trust is Trust.LOW


def test_days_without_a_rate_are_counted_and_the_last_row_of_a_day_counts() -> None:
    found = postmaster_file.read(
        answer(
            of("acme.example", "20261127"),
            of("acme.example", "20261128", userReportedSpamRatio=0.5),
            of("acme.example", "20261128", userReportedSpamRatio=0.0042),
        )
    )
    assert (found.signals, found.without_rate) == ([EXPECTED], 1)
    found = postmaster_file.read(b"domain,date,spam_rate\nacme.example,2026-11-28,\n")
    assert (found.signals, found.without_rate) == ([], 1)


HEAD = "domain,date,spam_rate\n"
BAD = {
    "bytes": (b"\xff\xfe", "no text in UTF-8"),
    "broken JSON": (b'{"trafficStats": [', "JSON is broken"),
    "deep JSON": (b"[" * 100_000, "JSON is broken"),
    "other JSON": (b'{"items": []}', "no file of Gmail Postmaster Tools"),
    "a number": (b"[7]", "no file of Gmail Postmaster Tools"),
    "no list": (b'{"trafficStats": 7}', "no file of Gmail Postmaster Tools"),
    "a day that is none": (answer(of("a.example", "20261131", userReportedSpamRatio=0.1)), "no date"),
    "true": (answer(of("a.example", "20261128", userReportedSpamRatio=True)), "is no share"),
    "more than all": (answer(of("a.example", "20261128", userReportedSpamRatio=1.5)), "is no share"),
    "not a number": (f"{HEAD}a.example,2026-11-28,nan\n".encode(), "is no share"),
    "other columns": (b"domain,date\na.example,2026-11-28\n", "no file of Gmail Postmaster Tools"),
    "columns twice": (b"domain,date,spam_rate,date\n", "no file of Gmail Postmaster Tools"),
    "a short row": (f"{HEAD}a.example\n".encode(), "Row 2: columns are missing"),
    "no domain": (f"{HEAD}a b,2026-11-28,0.1\n".encode(), "is no domain"),
    "no day": (f"{HEAD}a.example,28.11.2026,0.1\n".encode(), "Row 2: the day is no date"),
    "an open quote": (f'{HEAD}"a.example,2026-11-28,0.1\n'.encode(), "Row "),
    "nothing": (b"", "no file of Gmail Postmaster Tools"),
}


def test_whatever_is_wrong_is_refused_with_a_sentence() -> None:
    wrong: list[tuple[str, str]] = []
    for name, (data, says) in BAD.items():
        try:
            postmaster_file.read(data)
            wrong.append((name, "was read"))
        except Unreadable as problem:
            if says not in str(problem):
                wrong.append((name, str(problem)))
    assert wrong == []
