"""Files of events, as people and Firehose write them: every document comes out once, whatever stands between them."""

import gzip
import io
import json
from pathlib import Path

import pytest

from mailcordon.adapters.cli import event_files
from mailcordon.adapters.cli.event_files import documents, open_file

ONE, TWO, THREE = (json.dumps({"mail": {"messageId": str(n), "x": "{}}[,\n"}}) for n in range(3))


def read(data: bytes) -> list[str]:
    return list(documents(io.BytesIO(data)))


@pytest.mark.parametrize("between", ["", "\n", "\r\n", " \n\n", ",", "\x1e"])
def test_documents_come_out_whatever_stands_between_them(between: str) -> None:
    assert read(between.join([ONE, TWO, THREE]).encode()) == [ONE, TWO, THREE]
    assert read(between.join([ONE, TWO, ""]).encode()) == [ONE, TWO]


def test_an_array_is_its_elements_and_nothing_is_nothing() -> None:
    assert read(f"[{ONE},\n {TWO}]\n".encode()) == [ONE, TWO]
    assert read(json.dumps([json.loads(ONE), json.loads(TWO)], indent=2).encode()) != []
    assert read(b"") == read(b" \n\xef\xbb\xbf\n") == []


@pytest.mark.parametrize("part", [1, 2, 7, 64])
def test_a_document_may_begin_and_end_anywhere_in_what_is_read_at_once(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_files, "_PART", part)
    text = json.dumps({"mail": {"messageId": "ä\U0001f4e8"}}, ensure_ascii=False)
    assert read((text + ONE + "\n" + text).encode()) == [text, ONE, text]


def test_a_bad_line_is_a_document_of_its_own_and_hides_no_other() -> None:
    lines = [
        ONE,
        "Successfully validated SNS topic for Amazon SES event publishing.",
        TWO,
        '{"cut": "of',
        THREE,
    ]
    assert read("\n".join(lines).encode()) == lines
    assert read(f"{ONE}\n{{".encode()) == [ONE, "{"]
    assert read(b"\xff\xfe\n" + ONE.encode()) == ["\ufffd\ufffd", ONE]
    assert len(read(b'{"a":' * 5000)) == 1


def test_a_text_without_end_is_cut_and_not_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_files, "LONGEST", 1000)
    monkeypatch.setattr(event_files, "_PART", 100)
    found = read(b'{"a": "' + b"x" * 5000)
    assert "".join(found) == '{"a": "' + "x" * 5000
    assert max(map(len, found)) <= 1200


def test_gzip_is_known_by_its_first_bytes_also_in_several_parts(tmp_path: Path) -> None:
    file = tmp_path / "events"
    file.write_bytes(gzip.compress(ONE.encode()) + gzip.compress(TWO.encode()))
    with open_file(str(file)) as opened:
        assert list(documents(opened)) == [ONE, TWO]
    file.write_bytes(f"{ONE}\n".encode())
    with open_file(str(file)) as opened:
        assert list(documents(opened)) == [ONE]
    file.write_bytes(gzip.compress(ONE.encode() * 100)[:-4])
    with open_file(str(file)) as opened, pytest.raises(EOFError):
        list(documents(opened))
