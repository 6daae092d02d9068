"""Files of tenants: the lines that faults name, and what of YAML is not read."""

from pathlib import Path

import pytest

from mailcordon.adapters.cli import document_file
from mailcordon.adapters.cli.failures import Exit, Failure
from mailcordon.control import document
from mailcordon.core.errors import Invalid

TEXT = """\
version: 1
tenants:
  acme:
    dedicated: true
    domains:
      mail.acme.example:
        mail_from: b.mail.acme.example
    types:
      invoice: mail.acme.example
      newsletter:
        domain: no
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tenants.yaml"


def test_values_are_plain_and_members_have_lines(file: Path):
    file.write_text(TEXT)
    read = document_file.read(str(file))
    assert isinstance(read.data, dict)
    assert read.data["tenants"]["acme"]["types"]["newsletter"] == {"domain": "no"}
    assert read.data["tenants"]["acme"]["dedicated"] is True
    assert read.line('tenants.acme.domains["mail.acme.example"].mail_from') == 7
    assert read.line("tenants.acme.types.newsletter.domain") == 11


def test_a_member_that_is_not_there_has_the_line_of_what_is_around_it(file: Path):
    file.write_text(TEXT)
    read = document_file.read(str(file))
    assert read.line("tenants.acme.types.invoice.domain") == 9
    assert read.line('tenants.acme.domains["other.example"].retired') == 5
    assert read.line("nothing") == 1


def test_faults_name_the_file_the_line_and_the_member_in_the_order_of_the_file(file: Path):
    file.write_text(TEXT + "      receipt: 5\n    retired: maybe\n")
    read = document_file.read(str(file))
    with pytest.raises(Invalid) as raised:
        document.parse(read.data, local=True)
    found = read.located([(fault.field, fault.problem) for fault in raised.value.faults])
    assert [where for where, _ in found] == [
        f"{file}:11: tenants.acme.types.newsletter.domain",
        f"{file}:12: tenants.acme.types.receipt",
        f"{file}:13: tenants.acme.retired",
    ]


def test_json_is_read_too(file: Path):
    file.write_text('{"version": 1,\n "tenants": {"acme": {\n   "retired": true}}}')
    read = document_file.read(str(file))
    assert document.parse(read.data, local=True).tenants["acme"].retired
    assert read.line("tenants.acme.retired") == 3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\na: 2\n", 2),  # a name twice
        ("a: &x [1]\nb: *x\n", 1),  # an alias: the line of its anchor
        ("a: !!python/object/apply:os.system [echo]\n", 1),  # a tag
        ("a: !secret b\n", 1),
        ("a:\n  <<: {b: 1}\n", 2),  # a merge key
        ("a: 1\n? [b]\n: 2\n", 2),  # a name that is a list
        ("a: [\n", 2),  # not YAML
        ("a: b: c\n", 1),
        ("a: 1\n---\nb: 1\n", 2),  # two documents
        ("a: " + "[" * 2000, 1),  # too deep for the parser
        ("a: " + "[" * 40 + "]" * 40, 1),  # too deep for a document
        ("a: \x00\n", 1),
    ],
)
def test_what_a_document_cannot_be_is_refused_with_its_line(file: Path, text: str, line: int):
    file.write_text(text)
    with pytest.raises(Failure) as raised:
        document_file.read(str(file))
    assert raised.value.exit is Exit.USAGE
    assert raised.value.sentence.startswith(f"{file}:{line}: ")


def test_a_bomb_of_aliases_costs_nothing(file: Path):
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12)]
    file.write_text("l0: &l0 [x]\n" + "\n".join(levels))
    with pytest.raises(Failure, match="anchors"):
        document_file.read(str(file))


def test_a_file_that_cannot_be_read_is_one_sentence(file: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(Failure, match="No such file"):
        document_file.read(str(file))
    file.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(Failure, match="UTF-8"):
        document_file.read(str(file))
    file.write_text("# nothing\n")
    with pytest.raises(Failure, match="is empty"):
        document_file.read(str(file))
    monkeypatch.setattr(document_file, "MOST_BYTES", 4)
    file.write_text("a: 12345")
    with pytest.raises(Failure, match="larger"):
        document_file.read(str(file))
