"""Only what is called is built, and it is the same as in the whole command line."""

import pytest
import typer
from typer import core, main

from mailcordon import __main__ as program
from mailcordon.adapters.cli import called, reference
from mailcordon.adapters.cli.commands import completion


def below(app: typer.Typer) -> dict[str, core.TyperCommand]:
    """Commands by path."""
    found: dict[str, core.TyperCommand] = {}

    def walk(group: core.TyperGroup, path: tuple[str, ...]) -> None:
        for name, command in group.commands.items():
            if isinstance(command, core.TyperGroup):
                walk(command, (*path, name))
            elif isinstance(command, core.TyperCommand):
                found[" ".join((*path, name))] = command

    root = main.get_command(app)
    assert isinstance(root, core.TyperGroup)
    walk(root, ())
    return found


def test_every_command_is_found_alone_and_has_the_same_help():
    whole = program.command_line()
    helps = dict(reference.helps(whole))
    for path in (paths := below(whole)):
        narrow = called.narrowed(whole, [*path.split(), "acme", "--json"])
        assert len(below(narrow)) <= 2, path  # `metrics rebuild` comes with `metrics`
        assert dict(reference.helps(narrow)).get(f"mailcordon {path}") == helps.get(f"mailcordon {path}"), (
            path
        )
    assert len(paths) > 200
    assert set(below(whole)) == set(paths)


def test_a_group_without_a_known_command_is_whole():
    whole = program.command_line()
    of_tenant = {path for path in below(whole) if path.startswith("tenant ")}
    assert len(of_tenant) > 8
    for words in (["tenant"], ["tenant", "--help"], ["tenant", "lst"]):
        assert set(below(called.narrowed(whole, words))) == of_tenant


def test_what_calls_nothing_known_leaves_all(monkeypatch: pytest.MonkeyPatch):
    whole = program.command_line()
    for words in ([], ["--help"], ["tenent", "list"], ["--nonsense", "tenant", "list"]):
        assert called.narrowed(whole, words) is whole
    monkeypatch.setenv(completion.VARIABLE, "bash")
    assert called.narrowed(whole, ["tenant", "list"]) is whole
